"""The focus ring: 2 px in the accent, 1 px outside the control, for keyboard focus only."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QObject, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent, QRegion
from PySide6.QtWidgets import QAbstractItemView, QApplication, QFocusFrame, QPlainTextEdit, QTextEdit, QWidget

from app.services import tokens as t
from app.services.theme import theme

_NO_RING = (QAbstractItemView, QPlainTextEdit, QTextEdit)  # these show the current cell or a cursor themselves


class FocusRing(QObject):
    """Follows the keyboard focus of one application."""

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self._frame: _Frame | None = None
        app.focusChanged.connect(self._focus_changed)

    def close(self) -> None:
        """Take the ring away for good."""
        self._app().focusChanged.disconnect(self._focus_changed)
        frame = self._living()
        if frame is not None:
            frame.setWidget(None)  # type: ignore[arg-type]
            frame.deleteLater()
        self._frame = None
        self.deleteLater()

    @property
    def widget(self) -> QWidget | None:
        """What the ring is around."""
        frame = self._living()
        return frame.widget() if frame is not None else None

    def _focus_changed(self, _old: QWidget | None, now: QWidget | None) -> None:
        by_mouse = QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton
        rings = now is not None and not (by_mouse or isinstance(now, _NO_RING) or now.isWindow())
        if now is None or not rings or not now.window().testAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange):
            frame = self._living()
            if frame is not None:
                frame.setWidget(None)  # type: ignore[arg-type]
                frame.setParent(None)
            return
        # A frame is a child of the window it is in, and dies with a dialog that closes.
        self._frame = self._living() or _Frame()
        self._frame.setWidget(now)

    def _living(self) -> _Frame | None:
        return self._frame if self._frame is not None and shiboken6.isValid(self._frame) else None

    def _app(self) -> QApplication:
        app = self.parent()
        assert isinstance(app, QApplication)
        return app


class _Frame(QFocusFrame):
    """The ring itself."""

    def __init__(self) -> None:
        super().__init__(None)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

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
