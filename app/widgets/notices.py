"""What the program says in the place it concerns: banners, progress, and what stands where nothing is yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from PySide6.QtCore import QPropertyAnimation, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QGraphicsOpacityEffect,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.services import format as fmt
from app.services import icons
from app.services import tokens as t
from app.services.accessibility import announce, describe
from app.services.glossary import open_help
from app.services.notifications import Notification, Notifications
from app.services.theme import set_property, theme
from app.services.translation import tr
from app.widgets.buttons import Button, IconButton, SecondaryButton
from app.widgets.labels import Label

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
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(t.M), theme.px(t.S), theme.px(t.S), theme.px(t.S))
        row.setSpacing(theme.px(t.S))
        self._icon = QLabel(self)
        self._label = Label("", wrap=True)
        self._label.setMaximumWidth(16_777_215)
        row.addWidget(self._icon)
        row.addWidget(self._label, 1)
        self._row = row
        self._buttons: list[QWidget] = []
        self._severity: Severity = "info"
        self._close = IconButton("close", "Dismiss", self.dismiss)
        row.addWidget(self._close)
        theme.changed.connect(self._draw_icon)
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
        self._severity = severity
        set_property(self, "severity", severity)
        self._label.setText(text)
        self.setAccessibleName(text)
        self._close.setVisible(closable)
        self._draw_icon()
        was_hidden = self.isHidden()
        self.show()
        if was_hidden:
            self._fade()

    def dismiss(self) -> None:
        """Hide the banner."""
        if not self.isHidden():
            self.hide()
            self.closed.emit()

    def text(self) -> str:
        """The sentence shown."""
        return self._label.text()

    def _draw_icon(self) -> None:
        name, token = SEVERITIES[self._severity]
        pixmap = icons.pixmap(name, theme.px(16), token, self.devicePixelRatioF())
        self._icon.setPixmap(pixmap)

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
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(t.S))
        self._bar = _Bar(self)
        self._bar.setProperty("part", "line")
        self._bar.setAccessibleName(name)
        self._label = Label("", "caption", "text-2")
        row.addWidget(self._bar, 1)
        row.addWidget(self._label)
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
        """The text beside the bar."""
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
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.px(t.L), theme.px(t.L), theme.px(t.L), theme.px(t.L))
        column.setSpacing(theme.px(t.M))
        column.addStretch(1)
        self._icon_name = icon
        self._icon = QLabel(self)
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(self._icon)
        self._label = Label(text, "body", "text-2", wrap=True)
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(self._label, 0)
        column.setAlignment(self._label, Qt.AlignmentFlag(0))
        self._label.setMaximumWidth(16_777_215)
        self.button: Button = SecondaryButton(button)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        self._callback = on_click
        self.button.clicked.connect(self._clicked)
        self.button.setVisible(bool(button))
        theme.changed.connect(self._draw_icon)
        self._draw_icon()

    def set(self, text: str, button: str = "", on_click: Callable[[], object] | None = None) -> None:
        """Say something else."""
        self._label.setText(text)
        self.button.setText(button)
        self.button.setVisible(bool(button))
        self._callback = on_click

    def text(self) -> str:
        """The sentence."""
        return self._label.text()

    def _clicked(self) -> None:
        if self._callback is not None:
            self._callback()

    def _draw_icon(self) -> None:
        pixmap = icons.pixmap(self._icon_name, theme.px(32), "text_3", self.devicePixelRatioF())
        self._icon.setPixmap(pixmap)
