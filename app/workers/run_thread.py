"""The thread one run works in: does the work, hands its events to a mailbox, and announces starts and ends."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from PySide6.QtCore import QThread, Signal

from app.workers.live_run import Work
from app.workers.mailbox import Mailbox
from core.engine.control import Control
from core.errors import AppError
from core.events import Event, PhaseChanged, RunFailed, RunFinished, RunStarted

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
