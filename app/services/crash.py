"""Faults of the program: every exception nobody caught is logged, kept and shown once; native crashes leave a file."""

from __future__ import annotations

import faulthandler
import logging
import sys
import threading
import warnings
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from PySide6.QtCore import QMessageLogContext, QObject, QtMsgType, Signal, qInstallMessageHandler

from app.services.paths import log_dir

log = logging.getLogger(__name__)
qt_log = logging.getLogger("qt")

FAULT_FILE = "fault.log"
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
            self._fault_file.close()
            self._fault_file = None

    def start_fault_file(self, folder: Path | None = None) -> str:
        """Have native crashes written to a file, and return what the last session left there."""
        folder = folder or log_dir()
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
        log.critical("nobody caught this", exc_info=(kind, error, trace))
        self.reported.emit(error)

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
