"""How a run's events come to the window: from its thread through a mailbox, from another process by its event log."""

from __future__ import annotations

import logging
import traceback
from collections import deque
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, QThread, QTimer, Signal

from app.workers.jobs import Jobs
from app.workers.live_run import LiveRun, Work
from core.engine.control import Control
from core.errors import AppError, of_system
from core.events import Event, PhaseChanged, Progress, Resources, RunFailed, RunFinished, RunStarted, State
from core.runs.following import Look, read_new

log = logging.getLogger(__name__)

FOLLOW_MS = 500
# On screen only the last of these matters; all of them are on disk. Everything else is lossless.
LATEST_WINS: tuple[type[Event], ...] = (Resources, Progress)


class Mailbox:
    """A queue without waiting. `put` from any thread, `take` from the window's."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()

    def put(self, event: Event) -> None:
        """Add one event."""
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
            self.error = (of_system(error) or error).with_traceback(None)
            level = logging.WARNING if isinstance(self.error, AppError) else logging.ERROR
            log.log(level, "the run ended with %s\n%s", type(error).__name__, self.details)
        finally:
            del self._work

    def _emit(self, event: Event) -> None:
        self._mailbox.put(event)
        if isinstance(event, ANNOUNCED):
            self.announced.emit()


class RunFollower(QObject):
    """One run at a time; signals come in the window's thread. Stops by itself when the run is over."""

    events = Signal(object)  # list[Event] that are new
    changed = Signal(object)  # LiveRun: state, step or progress
    ended = Signal(object)  # LiveRun

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self.run: LiveRun | None = None  # the run followed
        self._timer = QTimer(self, interval=FOLLOW_MS, singleShot=True)  # begins again once a look has ended
        self._timer.timeout.connect(self.look)

    def follow(self, run: LiveRun | None) -> None:
        """Follow another run, or none. Only a run of another process that is under way is worth following."""
        worth = run is not None and run.from_disk and (run.active or run.state is State.QUEUED)
        self.run = run if worth else None
        if worth:
            self._timer.start()
        else:
            self._timer.stop()

    def look(self) -> None:
        """Read what is new."""
        run = self.run
        if run is not None:
            self._jobs.submit(read_new, run.folder, run.offset, key=f"follow {id(self)}").then(
                partial(self._read, run), partial(self._lost, run)
            )

    def _read(self, run: LiveRun, look: Look) -> None:
        if run is not self.run:
            return  # another run is in view by now
        before = run.state
        run.renew(look)
        if look.events:
            self.events.emit(look.events)
        if look.events or run.state is not before:
            self.changed.emit(run)
        if run.ended or (run.state is not before and not run.active):
            self._end(run)
        else:
            self._timer.start()

    def _lost(self, run: LiveRun, error: object) -> None:
        if run is self.run:
            log.info("%s cannot be followed any more: %s", run.path, error)
            self._end(run)

    def _end(self, run: LiveRun) -> None:
        self.run = None
        self._timer.stop()
        self.ended.emit(run)
