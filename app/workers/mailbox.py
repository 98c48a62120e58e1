"""From a run to the window: the thread it works in, and the mailbox its events wait in."""

from __future__ import annotations

import logging
import traceback
from collections import deque
from typing import Any

from PySide6.QtCore import QThread, Signal

from app.workers.live_run import Work
from core.engine.control import Control
from core.errors import AppError
from core.events import Event, PhaseChanged, Progress, Resources, RunFailed, RunFinished, RunStarted

log = logging.getLogger(__name__)

# On screen only the last of these matters; all of them are on disk. Everything else is lossless.
LATEST_WINS: tuple[type[Event], ...] = (Resources, Progress)


class Mailbox:
    """A queue without waiting. `put` from any thread, `take` from the window's."""

    def __init__(self, run: str = "") -> None:
        self._run = run  # events of another run are dropped; "" takes all
        self._events: deque[Event] = deque()

    def put(self, event: Event) -> None:
        """Add one event."""
        if not self._run or event.run == self._run:
            self._events.append(event)

    def take(self) -> list[Event]:
        """Return everything that waits, oldest first and what the latest wins of at the end, and empty the mailbox."""
        events = [self._events.popleft() for _ in range(len(self._events))]
        latest = {event.type: event for event in events if isinstance(event, LATEST_WINS)}
        return [*(event for event in events if not isinstance(event, LATEST_WINS)), *latest.values()]


ANNOUNCED = (RunStarted, PhaseChanged, RunFinished, RunFailed)  # few, and worth more than the next tick


class RunThread(QThread):
    """One run, one thread. Connect bound methods of objects of the window's thread only.

    Life ends on one path: `control` tells the work to end, `finished` comes, the owner calls `wait()` and drops its
    reference. Never terminate() it, never deleteLater() it as well.
    """

    announced = Signal()  # something came that is worth more than the next look into the mailbox

    def __init__(self, work: Work, control: Control, mailbox: Mailbox) -> None:
        super().__init__()
        self._work, self._control, self._mailbox = work, control, mailbox
        self.result: Any = None
        self.error: BaseException | None = None
        self.details = ""

    def run(self) -> None:
        """Do the work; whatever it raises is kept, never passed on to Qt."""
        try:
            self.result = self._work(self._control, self._emit)
        except BaseException as error:  # the thread is the last place that can keep it
            self.details = "".join(traceback.format_exception(error))
            # The traceback's frames hold the run's tensors: memory would stay taken while the error is shown.
            self.error = error.with_traceback(None)
            level = logging.WARNING if isinstance(error, AppError) else logging.ERROR
            log.log(level, "the run ended with %s\n%s", type(error).__name__, self.details)
        finally:
            del self._work

    def _emit(self, event: Event) -> None:
        self._mailbox.put(event)
        if isinstance(event, ANNOUNCED):
            self.announced.emit()
