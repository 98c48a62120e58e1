"""A banner: one sentence above what it concerns, with at most two buttons; it pushes content, never covers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from PySide6.QtCore import QPropertyAnimation, Signal
from PySide6.QtWidgets import QFrame, QGraphicsOpacityEffect, QHBoxLayout, QLabel, QSizePolicy, QWidget

from app.services import icons
from app.services import tokens as t
from app.services.theme import set_property, theme
from app.widgets.buttons import IconButton, SecondaryButton
from app.widgets.labels import Label

Severity = Literal["info", "caution", "error", "accent"]
_ICONS = {"info": "info", "caution": "warning", "error": "error", "accent": "info"}
_TOKENS = {"info": "text_2", "caution": "caution", "error": "danger", "accent": "accent"}
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
        pixmap = icons.pixmap(
            _ICONS[self._severity], theme.px(16), _TOKENS[self._severity], self.devicePixelRatioF()
        )
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
