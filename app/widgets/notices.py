"""What the program says in the place it concerns: banners, progress, and what stands where nothing is yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from PySide6.QtCore import QPropertyAnimation, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QGraphicsOpacityEffect,
    QProgressBar,
    QSizePolicy,
    QWidget,
)

from app.services import format as fmt
from app.services import tokens as t
from app.services.accessibility import announce, describe
from app.services.glossary import open_help
from app.services.notifications import Notification, Notifications
from app.services.theme import set_property, theme
from app.services.translation import tr
from app.widgets.buttons import Button, IconButton, SecondaryButton
from app.widgets.labels import Icon, Label
from app.widgets.layout import STRETCH, column, row

Severity = Literal["info", "caution", "error", "accent"]
SEVERITIES = {  # icon and token of its colour
    "info": ("info", "text_2"), "caution": ("warning", "caution"), "error": ("error", "danger"),
    "accent": ("info", "accent"),
}  # fmt: skip
_MOST_BUTTONS = 2


class Banner(QFrame):
    """Bar, icon, one sentence, at most two buttons. Hidden until `show_message`."""

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("part", "banner")
        # Its height follows from its width: with "fixed" a page could not get lower than with a narrow banner.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._icon = Icon()
        self._label = Label(wide=True)
        self._buttons: list[QWidget] = []
        self._close = IconButton("close", tr("Dismiss"), self.dismiss)
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
        self._buttons = []
        for title, action in (buttons or [])[:_MOST_BUTTONS]:
            button = SecondaryButton(title, action)
            self._row.insertWidget(self._row.count() - 1, button)
            self._buttons.append(button)
        self._icon.set(*SEVERITIES[severity])
        set_property(self, "severity", severity)
        self._label.setText(text)
        self.setAccessibleName(text)
        self._close.setVisible(closable)
        was_hidden = self.isHidden()
        self.show()
        if was_hidden:
            self._fade()

    def dismiss(self) -> None:
        if not self.isHidden():
            self.hide()
            self.closed.emit()

    def text(self) -> str:
        return self._label.text()

    def _fade(self) -> None:
        span = theme.motion_ms(t.FADE_MS)
        if not span or not self.isVisible():
            return
        effect = QGraphicsOpacityEffect(self)
        self.setGraphicsEffect(effect)
        animation = QPropertyAnimation(effect, b"opacity", self)
        animation.setDuration(span)
        animation.setStartValue(0.0)
        animation.setEndValue(1.0)
        animation.finished.connect(self._faded)
        animation.start(QPropertyAnimation.DeletionPolicy.DeleteWhenStopped)

    def _faded(self) -> None:
        self.setGraphicsEffect(None)  # type: ignore[arg-type]


class NoticeStrip(Banner):
    """Shows the latest caution or error; `details_wanted`: a dialog is to show all of it."""

    details_wanted = Signal(object)  # Notification

    def __init__(self, notifications: Notifications, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.notification: Notification | None = None
        notifications.posted.connect(self.show_notification)
        notifications.settled.connect(self._settled)

    def show_notification(self, notification: Notification) -> None:
        """Show one message; info belongs to the status line and is left to it."""
        if notification.level == "info":
            return
        self.notification = notification
        buttons = list(notification.actions[:1])
        if not buttons and "guide" in notification.hint:
            buttons = [(tr("Open the guide"), self._guide)]
        if notification.details:
            buttons.append(("Details…", self._details))
        else:
            buttons += notification.actions[1:2]
        self.show_message(notification.sentence, notification.level, buttons)
        announce(self, notification.sentence)

    def _settled(self, topic: str) -> None:
        if self.notification is not None and self.notification.topic == topic:
            self.dismiss()

    def _guide(self) -> None:
        if self.notification is not None:
            open_help("guide", self.notification.hint)

    def _details(self) -> None:
        self.details_wanted.emit(self.notification)


_PARTS = 1000


class _Bar(QProgressBar):
    """A progress bar to whoever asks, two rectangles to draw: it moves many times a second."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextVisible(False)
        theme.set_height(self, 4)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)  # nothing behind it is drawn again

    def sizeHint(self) -> QSize:
        return QSize(theme.px(160), theme.px(4))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(40), theme.px(4))

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.maximum():  # indeterminate: the style moves it
            super().paintEvent(event)
            return
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.color("sunken"))
        share = self.value() / self.maximum()
        painter.fillRect(QRectF(0, 0, self.width() * share, self.height()), theme.color("accent"))
        painter.end()


class ProgressLine(QWidget):
    """Determinate where a total is known; the text says what goes on, the accessible description how far."""

    def __init__(self, name: str = "Progress", parent: QWidget | None = None, with_text: bool = True) -> None:
        super().__init__(parent)
        self._bar = _Bar(self)
        self._bar.setProperty("part", "line")
        self._bar.setAccessibleName(name)
        self._label = Label("", "caption", "text-2")
        row((self._bar, 1), self._label, on=self)
        self._label.setVisible(with_text)
        self._with_text = with_text
        self._text = ""
        self.set(0, 1)

    def set(self, done: float, total: float, text: str = "", left: float | None = None) -> None:
        """Show `done` of `total`; a total of 0 is indeterminate. `left` is in seconds."""
        if total > 0:
            share = min(1.0, max(0.0, done / total))
            self._bar.setRange(0, _PARTS)
            self._bar.setValue(round(share * _PARTS))
        else:
            self._bar.setRange(0, 0)
        shown = " · ".join(part for part in (text, f"{fmt.duration(left)} left" if left is not None else "") if part)
        self._text = shown
        if self._with_text:
            self._label.setText(shown)
            self._label.setVisible(bool(shown))
        describe(self._bar, shown)

    def text(self) -> str:
        return self._text

    def share(self) -> float | None:
        """How far, 0..1; None while indeterminate."""
        return self._bar.value() / _PARTS if self._bar.maximum() else None


class EmptyState(QWidget):
    """What stands where content will be."""

    def __init__(
        self,
        icon: str,
        text: str,
        button: str = "",
        on_click: Callable[[], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._label = Label(text, "body", "text-2", wide=True)
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.button: Button = SecondaryButton(button)
        middle = Qt.AlignmentFlag.AlignHCenter
        column(STRETCH, (Icon(icon, "text-3", 32), 0, middle), self._label, (self.button, 0, middle), STRETCH,
               on=self, margins=t.L, spacing=t.M)  # fmt: skip
        self._callback = on_click
        self.button.clicked.connect(self._clicked)
        self.button.setVisible(bool(button))

    def set(self, text: str, button: str = "", on_click: Callable[[], object] | None = None) -> None:
        """Say something else."""
        self._label.setText(text)
        self.button.setText(button)
        self.button.setVisible(bool(button))
        self._callback = on_click

    def text(self) -> str:
        return self._label.text()

    def _clicked(self) -> None:
        if self._callback is not None:
            self._callback()
