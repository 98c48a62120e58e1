"""SIGINT and SIGTERM reach the window: the first stops and saves, a second one ends at once."""

from __future__ import annotations

import logging
import os
import signal
import socket
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier, Qt, Signal

log = logging.getLogger(__name__)

EXIT_STOPPED = 5


class SignalBridge(QObject):
    """Python's signal handlers only run between byte codes; a socket wakes Qt's loop so that they do.

    `stop_asked` comes from the loop, not from the handler, which may have interrupted any slot.
    """

    stop_asked = Signal()
    _caught = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._asked = False
        self._caught.connect(self.stop_asked, Qt.ConnectionType.QueuedConnection)
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._notifier = QSocketNotifier(self._reader.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._woken)
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}

    def close(self) -> None:
        """Give the signals back."""
        self._notifier.setEnabled(False)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._reader.close()
        self._writer.close()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._asked:
            # Everything recorded so far is on disk, since each event was appended as it happened.
            os._exit(EXIT_STOPPED)
        self._asked = True
        log.info("signal %d: stopping and saving", number)
        self._caught.emit()

    def _woken(self) -> None:
        try:
            self._reader.recv(64)
        except BlockingIOError:
            return
