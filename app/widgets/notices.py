"""What the program says in the place it concerns: banners, progress, and what stands where nothing is yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from PySide6.QtCore import QPropertyAnimation, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGraphicsOpacityEffect,
    QProgressBar,
    QSizePolicy,
    QWidget,
)

from app.services import format as fmt
from app.services import tokens as t
from app.services.glossary import open_help
from app.services.notifications import Notification, Notifications
from app.services.theme import set_property, theme
from app.services.translation import tr
from app.widgets.buttons import Button, IconButton, SecondaryButton
from app.widgets.labels import Icon, Label, announce, caption, describe
from app.widgets.layout import STRETCH, column, row

Severity = Literal["info", "caution", "error", "accent"]
SEVERITIES = {  # icon and token of its colour
    "info": ("info", "text_2"), "caution": ("warning", "caution"), "error": ("error", "danger"),
    "accent": ("info", "accent"),
}  # fmt: skip
_PARTS = 1000  # of a progress bar


def fade(widget: QWidget, start: float, then: Callable[[], object]) -> None:
    """Fade a widget from an opacity of `start`, 0 or 1, to the other one, and call `then`."""
    effect = QGraphicsOpacityEffect(widget)
    widget.setGraphicsEffect(effect)
    animation = QPropertyAnimation(effect, b"opacity", widget)
    animation.setDuration(theme.motion_ms(t.FADE_MS))
    animation.setStartValue(start)
    animation.setEndValue(1.0 - start)
    animation.finished.connect(then)
    animation.start(QPropertyAnimation.DeletionPolicy.DeleteWhenStopped)


class Banner(QFrame):
    """Bar, icon, one sentence, at most two buttons. Hidden until `show_message`."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("part", "banner")
        # Its height follows from its width: with "fixed" a page could not get lower than with a narrow banner.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._icon = Icon()
        self._label = Label(wide=True)
        self._buttons: list[QWidget] = []
        self._close = IconButton("close", tr("Dismiss"), self.hide)
        self._row = row(self._icon, (self._label, 1), self._close, on=self, margins=(t.M, t.S, t.S, t.S))
        self.hide()

    def show_message(
        self,
        text: str,
        severity: Severity = "info",
        buttons: list[tuple[str, Callable[[], object]]] | None = None,
        closable: bool = True,
    ) -> None:
        """Say `text`; `buttons` are (title, what it does), at most two."""
        for button in self._buttons:
            self._row.removeWidget(button)
            button.deleteLater()
        self._buttons = [SecondaryButton(title, action) for title, action in (buttons or [])[:2]]
        for button in self._buttons:
            self._row.insertWidget(self._row.count() - 1, button)
        self._icon.set(*SEVERITIES[severity])
        set_property(self, "severity", severity)
        self._label.setText(text)
        self.setAccessibleName(text)
        self._close.setVisible(closable)
        was_hidden = self.isHidden()
        self.show()
        if was_hidden and self.isVisible() and theme.motion_ms(t.FADE_MS):
            fade(self, 0.0, lambda: self.setGraphicsEffect(None))  # type: ignore[arg-type]

    def text(self) -> str:
        return self._label.text()


class NoticeStrip(Banner):
    """Shows the latest caution or error; `details_wanted`: a dialog is to show all of it."""

    details_wanted = Signal(object)  # Notification

    def __init__(self, notifications: Notifications) -> None:
        super().__init__()
        self.notification: Notification | None = None
        notifications.posted.connect(self.show_notification)
        notifications.settled.connect(self._settled)

    def show_notification(self, notification: Notification) -> None:
        """Show one message; info belongs to the status line and is left to it."""
        if notification.level == "info":
            return
        self.notification = notification
        buttons: list[tuple[str, Callable[[], object]]] = []
        if "guide" in notification.hint:
            buttons.append((tr("Open the guide"), lambda: open_help("guide", notification.hint)))
        if notification.details:
            buttons.append((tr("Details…"), lambda: self.details_wanted.emit(notification)))
        self.show_message(notification.sentence, notification.level, buttons)
        announce(self, notification.sentence)

    def _settled(self, topic: str) -> None:
        if self.notification is not None and self.notification.topic == topic:
            self.hide()


class ProgressLine(QWidget):
    """Determinate where a total is known; the text says what goes on, the accessible description how far."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.bar = QProgressBar()
        self.bar.setProperty("part", "line")
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(name)
        self._label = caption()
        row((self.bar, 1), self._label, on=self)
        self.set(0, 1)

    def set(self, done: float, total: float, text: str = "", left: float | None = None) -> None:
        """Show `done` of `total`; a total of 0 is indeterminate. `left` is in seconds."""
        self.bar.setRange(0, _PARTS if total > 0 else 0)
        if total > 0:
            self.bar.setValue(round(min(1.0, max(0.0, done / total)) * _PARTS))
        shown = " · ".join(part for part in (text, fmt.left(left)) if part)
        self._label.say(shown)
        describe(self.bar, shown)

    def text(self) -> str:
        return self._label.text()


class EmptyState(QWidget):
    """What stands where content will be."""

    def __init__(self, icon: str, text: str, button: str = "", on_click: Callable[[], object] | None = None) -> None:
        super().__init__()
        self._label = Label("", "body", "text-2", wide=True)
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.button: Button = SecondaryButton("")
        middle = Qt.AlignmentFlag.AlignHCenter
        column(STRETCH, (Icon(icon, "text-3", 32), 0, middle), self._label, (self.button, 0, middle), STRETCH,
               on=self, margins=t.L, spacing=t.M)  # fmt: skip
        self.set(text, button, on_click)

    def set(self, text: str, button: str = "", on_click: Callable[[], object] | None = None) -> None:
        """Say something else."""
        self._label.setText(text)
        self.button.setText(button)
        self.button.setVisible(bool(button))
        self.button.on_click = on_click

    def text(self) -> str:
        return self._label.text()
