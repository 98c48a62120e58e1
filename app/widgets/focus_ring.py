"""The focus ring: 2 px in the accent, 1 px outside the control, for keyboard focus only."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent, QRegion
from PySide6.QtWidgets import QAbstractItemView, QApplication, QFocusFrame, QPlainTextEdit, QTextEdit, QWidget

from app.services import tokens as t
from app.services.theme import theme

_NO_RING = (QAbstractItemView, QPlainTextEdit, QTextEdit)  # these show the current cell or a cursor themselves


class FocusRing(QFocusFrame):
    """Follows the keyboard focus of one application."""

    def __init__(self, app: QApplication) -> None:
        super().__init__(None)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        app.focusChanged.connect(self._focus_changed)

    def _focus_changed(self, _old: QWidget | None, now: QWidget | None) -> None:
        by_mouse = QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton
        if now is None or by_mouse or isinstance(now, _NO_RING) or now.isWindow():
            self.setWidget(None)  # type: ignore[arg-type]
            return
        if now.window().testAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange):
            self.setWidget(now)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(theme.pen("accent", 2))
        radius = theme.px(t.RADIUS_CONTROL) + 1
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), radius, radius)
        painter.end()

    def resizeEvent(self, event: object) -> None:
        inner = self.rect().adjusted(3, 3, -3, -3)
        self.setMask(QRegion(self.rect()).subtracted(QRegion(inner)))
