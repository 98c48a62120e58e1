"""From a run to the window: the thread it works in, the mailbox its events wait in, the timer that empties it."""

from __future__ import annotations

import logging
import threading
import traceback
from collections import deque
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QThread, QTimer, Signal
from PySide6.QtWidgets import QWidget

from app.workers.live_run import Work
from core.engine.control import Control
from core.errors import AppError
from core.events import Event, PhaseChanged, Progress, Resources, RunFailed, RunFinished, RunStarted

PERIOD_MS = 33
HIDDEN_MS = 1000

# On screen only the last of these matters; all of them are on disk. Everything else is lossless.
LATEST_WINS: tuple[type[Event], ...] = (Resources, Progress)


class Mailbox:
    """A lock and a queue. `put` from any thread, `take` from the window's."""

    def __init__(self, run: str = "") -> None:
        self.run = run  # events of another run are dropped; "" takes all
        self._lock = threading.Lock()
        self._events: deque[Event] = deque()
        self._latest: dict[str, Event] = {}

    def put(self, event: Event) -> None:
        """Add one event."""
        if self.run and event.run != self.run:
            return
        with self._lock:
            if isinstance(event, LATEST_WINS):
                self._latest[event.type] = event
            else:
                self._events.append(event)

    def take(self) -> list[Event]:
        """Return everything that waits, oldest first, and empty the mailbox."""
        with self._lock:
            events = list(self._events)
            events.extend(self._latest.values())
            self._events.clear()
            self._latest.clear()
        return events

    def __len__(self) -> int:
        with self._lock:
            return len(self._events) + len(self._latest)


class MailboxPump(QObject):
    """Empties a mailbox on a timer and hands the batch over; once a second while the window is hidden.

    What is handed over is only kept; how often it is drawn is up to DrawTurns, the one throttle there is.
    """

    def __init__(
        self, mailbox: Mailbox, consume: Callable[[list[Event]], object], window: QWidget | None = None
    ) -> None:
        super().__init__(window)
        self.mailbox = mailbox
        self._consume = consume
        self._window = window
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.drain)

    def set_window(self, window: QWidget | None) -> None:
        """Hand over once a second only while this window is hidden; None: always at the usual period."""
        self._window = window

    @property
    def period(self) -> int:
        """Milliseconds between two drains."""
        return self._timer.interval()

    def start(self) -> None:
        """Start draining."""
        self._timer.start(PERIOD_MS)

    def stop(self) -> None:
        """Drain once more and stop."""
        self.drain()
        self._timer.stop()

    def drain(self) -> None:
        """Hand over what waits now; also called before a terminal fact is handled."""
        events = self.mailbox.take()
        if events:
            self._consume(events)
        hidden = self._window is not None and (not self._window.isVisible() or self._window.isMinimized())
        wanted = HIDDEN_MS if hidden else PERIOD_MS
        if self._timer.isActive() and self._timer.interval() != wanted:
            self._timer.setInterval(wanted)


log = logging.getLogger(__name__)

ANNOUNCED = (RunStarted, PhaseChanged, RunFinished, RunFailed)  # few, and worth more than the next tick


class RunThread(QThread):
    """One run, one thread. Connect bound methods of objects of the window's thread only.

    Life ends on one path: `control` tells the work to end, `finished` comes, the owner calls `wait()` and drops its
    reference. Never terminate() it, never deleteLater() it as well.
    """

    announced = Signal(object)  # an Event; the receiver drains the mailbox before it looks

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
            self.announced.emit(event)
