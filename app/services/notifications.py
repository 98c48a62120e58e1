"""What the program has to say without stopping anyone: by severity, repeats collapsed, details folded."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from PySide6.QtCore import QObject, Signal

from core.errors import AppError

Level = Literal["info", "caution", "error"]
Action = tuple[str, Callable[[], object]]
_KEPT = 200


@dataclass
class Notification:
    """One message; `count` says how often it came."""

    text: str
    level: Level = "info"
    hint: str = ""
    details: str = ""
    actions: list[Action] = field(default_factory=list)
    count: int = 1

    @property
    def sentence(self) -> str:
        """What happened and what to do, with how often in brackets."""
        text = " ".join(part for part in (self.text, self.hint) if part)
        return f"{text} ({self.count}×)" if self.count > 1 else text


class Notifications(QObject):
    """Collects messages; the window shows info in the status line and the others as a strip."""

    posted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.history: list[Notification] = []

    def info(self, text: str) -> Notification:
        """Confirm that something was done."""
        return self._post(Notification(text))

    def caution(self, text: str, hint: str = "", actions: list[Action] | None = None) -> Notification:
        """Warn."""
        return self._post(Notification(text, "caution", hint, actions=actions or []))

    def error(
        self, error: BaseException | str, what: str = "", actions: list[Action] | None = None
    ) -> Notification:
        """Say that something failed: an AppError in its own words, anything else as a fault with its traceback."""
        if isinstance(error, str):
            return self._post(Notification(error, "error", actions=actions or []))
        text, hint = describe_error(error, what)
        details = "".join(traceback.format_exception(error))
        return self._post(Notification(text, "error", hint, details, actions or []))

    def _post(self, notification: Notification) -> Notification:
        last = self.history[-1] if self.history else None
        if last and (last.text, last.level, last.hint) == (notification.text, notification.level, notification.hint):
            last.count += 1
            last.details = notification.details or last.details
            notification = last
        else:
            self.history.append(notification)
            del self.history[:-_KEPT]
        self.posted.emit(notification)
        return notification


def describe_error(error: BaseException, what: str = "") -> tuple[str, str]:
    """Return what happened and what to do, in words for the user."""
    if isinstance(error, AppError):
        text = f"{what}: {_lower(error.message)}" if what else error.message
        return text, error.hint
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    text = f"{what or 'A fault in the program'}: {reason}"
    return text, "The details can be copied for a report."


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
