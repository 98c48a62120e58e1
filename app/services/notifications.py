"""What the program has to say without stopping anyone: notifications, the log's file and its last lines."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Signal

from app.services.translation import tr
from core.errors import AppError, of_system
from core.files import home

log = logging.getLogger(__name__)

Level = Literal["info", "caution", "error"]
_KEPT = 200
_LOGGED_AS = {"info": logging.INFO, "caution": logging.WARNING, "error": logging.ERROR}


@dataclass
class Notification:
    """One message; `count` says how often it came, `when` (seconds since the epoch) the last time.

    `topic` names what it is about, so that it can be taken back once that has turned out well.
    """

    text: str
    level: Level = "info"
    hint: str = ""
    details: str = ""
    count: int = 1
    topic: str = ""
    when: float = field(default_factory=time.time)

    @property
    def sentence(self) -> str:
        """What happened and what to do, with how often in brackets."""
        text = " ".join(part for part in (self.text, self.hint) if part)
        return f"{text} ({self.count}×)" if self.count > 1 else text


class Notifications(QObject):
    """Keeps messages and writes each into the log; the window shows info in the status line, the others as a strip."""

    posted = Signal(object)  # Notification
    settled = Signal(str)  # topic: what was said of it holds no longer

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.history: list[Notification] = []

    def info(self, text: str) -> Notification:
        """Confirm that something was done."""
        return self._post(Notification(text))

    def caution(self, text: str, hint: str = "", details: str = "") -> Notification:
        """Say what the user should know before going on."""
        return self._post(Notification(text, "caution", hint, details))

    def error(self, error: BaseException | str, what: str = "", topic: str = "") -> Notification:
        """Say that something failed: an AppError in its own words, anything else as a fault with its traceback."""
        if isinstance(error, str):
            return self._post(Notification(error, "error", topic=topic))
        error = of_system(error) or error
        text, hint = describe_error(error, what)
        details = "" if isinstance(error, AppError) else "".join(traceback.format_exception(error))
        return self._post(Notification(text, "error", hint, details, topic=topic))

    def keep(self, text: str) -> Notification:
        """Keep an error that is shown where it happened, so that it can be read when it is gone from there."""
        return self._keep(Notification(text, "error"))

    def settle(self, topic: str) -> None:
        """Take back what is still shown of a topic; it stays in the history."""
        self.settled.emit(topic)

    def _post(self, notification: Notification) -> Notification:
        notification = self._keep(notification)
        self.posted.emit(notification)
        return notification

    def _keep(self, new: Notification) -> Notification:
        log.log(_LOGGED_AS[new.level], "%s", "\n".join(filter(None, (new.sentence, new.details))))
        last = self.history[-1] if self.history else None
        if last is None or (last.text, last.level, last.hint) != (new.text, new.level, new.hint):
            self.history.append(new)
            del self.history[:-_KEPT]
            return new
        last.count, last.when, last.details = last.count + 1, new.when, new.details or last.details
        return last


def describe_error(error: BaseException, what: str = "") -> tuple[str, str]:
    """Return what happened and what to do, in words for the user."""
    error = of_system(error) or error
    if isinstance(error, AppError):
        return f"{what}: {_lower(error.message)}" if what else error.message, error.hint
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    text = f"{what or tr('A fault in the program')}: {reason.rstrip('.')}."
    return text, tr("The details can be copied for a report.")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


FILE_BYTES, FILES = 2_000_000, 3
LINES = 2000
_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_ROOTS = tuple(name.rpartition(".")[0] for name in (__package__, AppError.__module__))  # our own loggers: app, core


class LogLines(logging.Handler):
    """Keeps the last lines until somebody takes them, as text with the level; from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=LINES)
        self.setFormatter(logging.Formatter("%(asctime)s  %(levelname)-8s  %(message)s", datefmt="%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record))
        except Exception:
            self.handleError(record)

    def take(self) -> list[str]:
        """Return the lines since the last time."""
        return [self._lines.popleft() for _ in range(len(self._lines))]


def start_file_log(folder: Path | None = None) -> logging.Handler | None:
    """Write the log into a rotating file; None where the folder cannot be written."""
    folder = folder or home("log")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            folder / "unlearn-studio.log", maxBytes=FILE_BYTES, backupCount=FILES, encoding="utf-8", delay=True
        )
    except OSError:
        return None
    handler.setFormatter(logging.Formatter(_FORMAT))
    return handler


def install_log(*handlers: logging.Handler | None) -> None:
    """Attach handlers: our own loggers from info, everything else from warning."""
    root = logging.getLogger()
    for handler in handlers:
        if handler is not None:
            root.addHandler(handler)
    for name in _ROOTS:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.captureWarnings(True)


def remove_log(*handlers: logging.Handler | None) -> None:
    """Detach handlers and close their files."""
    root = logging.getLogger()
    for handler in handlers:
        if handler is not None:
            root.removeHandler(handler)
            with contextlib.suppress(OSError):  # a full disk does not take the last lines
                handler.close()
