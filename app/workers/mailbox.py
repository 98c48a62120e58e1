"""How a run's events come to the window: from its thread through a mailbox, from another process by its event log."""

from __future__ import annotations

import logging
import traceback
from collections import deque
from typing import Any

from PySide6.QtCore import QObject, QThread, QTimer, Signal

from app.workers.jobs import Jobs
from app.workers.live_run import LiveRun, Look, Work, read_new
from core.engine.control import Control
from core.errors import AppError
from core.events import Event, PhaseChanged, Progress, Resources, RunFailed, RunFinished, RunStarted, State

log = logging.getLogger(__name__)

FOLLOW_MS = 500
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


class RunFollower(QObject):
    """One run at a time; signals come in the window's thread. Stops by itself when the run is over."""

    events = Signal(object)  # list[Event] that are new
    renewed = Signal(object)  # LiveRun: its history was read again from the start
    changed = Signal(object)  # LiveRun: state, step or progress
    ended = Signal(object)  # LiveRun

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._run: LiveRun | None = None
        self._asked: LiveRun | None = None  # whose log is being read
        self._timer = QTimer(self)
        self._timer.setInterval(FOLLOW_MS)
        self._timer.timeout.connect(self.look)

    @property
    def run(self) -> LiveRun | None:
        """The run followed."""
        return self._run

    def follow(self, run: LiveRun | None) -> None:
        """Follow another run, or none. Only a run of another process that is under way is worth following."""
        self._run = run if _worth(run) else None
        if self._run is None:
            self._timer.stop()
        else:
            self._timer.start()

    def look(self) -> None:
        """Read what is new; one job at a time."""
        if self._run is None or self._asked is not None:
            return
        self._asked = self._run
        self._jobs.submit(read_new, self._run.folder, self._run.offset).then(self._read, self._failed)

    def _read(self, look: Look) -> None:
        run, self._asked = self._asked, None
        if run is None or run is not self._run:
            return  # another run is in view by now
        before = run.state
        run.renew(look)
        if look.restarted:
            self.renewed.emit(run)
        elif look.events:
            self.events.emit(look.events)
        if look.events or run.state is not before:
            self.changed.emit(run)
        if run.ended or (run.state is not before and not run.active):
            self.follow(None)
            self.ended.emit(run)

    def _failed(self, error: object) -> None:
        run, self._asked = self._asked, None
        if run is not None and run is self._run:
            log.info("%s cannot be followed any more: %s", run.path, error)
            self.follow(None)
            self.ended.emit(run)


def _worth(run: LiveRun | None) -> bool:
    return run is not None and run.from_disk and (run.active or run.state is State.QUEUED)
