"""What comes from outside the usual ways: exceptions nobody caught, native crashes, SIGINT and SIGTERM."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import math
import os
import signal
import socket
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any

from PySide6.QtCore import QMessageLogContext, QObject, QSocketNotifier, Qt, QtMsgType, Signal, qInstallMessageHandler

from core.files import home

log = logging.getLogger(__name__)
qt_log = logging.getLogger("qt")

FAULT_FILE = "fault.log"
SAID_AGAIN = 2.0  # seconds without a fault after which it is said again
_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


class CrashReporter(QObject):
    """Catches what nobody caught. `reported` comes in the window's thread, whichever thread failed."""

    reported = Signal(object)  # the exception

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._before: tuple[Any, Any, Any] | None = None
        self._fault_file: IO[str] | None = None
        self._said: dict[tuple[type, str], float] = {}  # where something was raised, and when last

    def install(self) -> None:
        """Take over the hooks of Python and Qt."""
        self._before = (sys.excepthook, threading.excepthook, sys.unraisablehook)
        sys.excepthook = self._uncaught
        threading.excepthook = self._thread_failed
        sys.unraisablehook = self._unraisable
        qInstallMessageHandler(_qt_message)
        warnings.simplefilter("default", ResourceWarning)

    def remove(self) -> None:
        """Give the hooks back."""
        if self._before is not None:
            sys.excepthook, threading.excepthook, sys.unraisablehook = self._before
            self._before = None
            qInstallMessageHandler(None)
        if self._fault_file is not None:
            faulthandler.disable()
            with contextlib.suppress(OSError):  # a full disk
                self._fault_file.close()
            self._fault_file = None

    def start_fault_file(self, folder: Path | None = None) -> str:
        """Have native crashes written to a file, and return what the last session left there."""
        folder = folder or home("log")
        path = folder / FAULT_FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            left = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
            self._fault_file = path.open("w", encoding="utf-8")
        except OSError as error:
            log.warning("no fault file: %s", error)
            return ""
        faulthandler.enable(self._fault_file)
        return left.strip()

    def _uncaught(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        if not self._said_just_now(error):
            log.critical("nobody caught this", exc_info=(kind, error, trace))
            self.reported.emit(error)

    def _said_just_now(self, error: BaseException) -> bool:
        """Whether this came from the same line just now: an item model may fail for each cell that is drawn."""
        place = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)][-1:]
        key, now = (type(error), str(place or error)), time.monotonic()
        before, self._said[key] = self._said.get(key, -math.inf), now
        return now - before < SAID_AGAIN

    def _thread_failed(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is None or args.exc_type is SystemExit:
            return
        name = args.thread.name if args.thread else "a thread"
        log.critical("%s failed", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback))
        self.reported.emit(args.exc_value)

    @staticmethod
    def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
        log.error(
            "%s: %r", unraisable.err_msg or "an exception was ignored in", unraisable.object,
            exc_info=unraisable.exc_value,
        )  # fmt: skip


def _qt_message(kind: QtMsgType, _context: QMessageLogContext, message: str) -> None:
    qt_log.log(_LEVELS.get(kind, logging.WARNING), "%s", message)


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
