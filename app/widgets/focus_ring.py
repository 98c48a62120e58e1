"""The focus ring: 2 px in the accent, 1 px outside the control, for keyboard focus only."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent, QRegion
from PySide6.QtWidgets import (
    QAbstractItemView,
    QAbstractScrollArea,
    QApplication,
    QHeaderView,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from app.services import tokens as t
from app.services.theme import theme

_SHOW_IT = (QAbstractItemView, QPlainTextEdit, QTextEdit)  # these show the current cell or a cursor themselves
_OUTSIDE = 3  # of the control: 2 px of ring, 1 px of room
_MOVES = frozenset({QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide})


class FocusRing(QObject):
    """Follows the keyboard focus of one application."""

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self._app = app
        self._frame: _Frame | None = None
        self.widget: QWidget | None = None  # the one the ring is around
        app.focusChanged.connect(self._focus_changed)

    def close(self) -> None:
        """Take the ring away for good."""
        self._app.focusChanged.disconnect(self._focus_changed)
        self._focus_changed(None, None)
        self.deleteLater()

    @property
    def shown(self) -> QRegion:
        """What of the ring is drawn, in the window's coordinates."""
        frame = self._frame
        there = frame is not None and shiboken6.isValid(frame) and frame.isVisible()
        return frame.mask().translated(frame.pos()) if frame is not None and there else QRegion()

    def _focus_changed(self, _old: QWidget | None, now: QWidget | None) -> None:
        if self._frame is not None and shiboken6.isValid(self._frame):  # it dies with a dialog that closes
            shiboken6.delete(self._frame)
        shows_it = isinstance(now, _SHOW_IT) and not isinstance(now, QHeaderView)
        by_mouse = QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton
        by_keys = now is not None and now.window().testAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange)
        self.widget = now if by_keys and not (by_mouse or shows_it or now is None or now.isWindow()) else None
        self._frame = _Frame(self.widget) if self.widget is not None else None


class _Frame(QWidget):
    """The ring itself: a child of the window, since a control often ends where the widget around it does."""

    def __init__(self, control: QWidget) -> None:
        super().__init__(control.window())
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._around = [control]  # the control first, then what it lies in, last the window
        while (outer := self._around[-1].parentWidget()) is not None and not self._around[-1].isWindow():
            self._around.append(outer)
        for one in self._around:
            one.installEventFilter(self)
        self._place()
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in _MOVES and shiboken6.isValid(self._around[0]):
            self._place()
        return False

    def _place(self) -> None:
        """Lie around the control, as far as scroll areas it is in show it."""
        control, window = self._around[0], self._around[-1]
        out = theme.px(_OUTSIDE)
        self.setGeometry(QRect(control.mapTo(window, QPoint()), control.size()).adjusted(-out, -out, out, out))
        region = QRegion(self.rect()).subtracted(QRegion(self.rect().adjusted(out, out, -out, -out)))
        for inner, outer in zip(self._around, self._around[1:], strict=False):
            if isinstance(outer, QAbstractScrollArea) and outer.viewport() is inner:
                seen = QRect(inner.mapTo(window, QPoint()), inner.size()).adjusted(-out, -out, out, out)
                region &= QRegion(seen.translated(-self.pos()))
        if not region.isEmpty():
            self.setMask(region)
        self.setVisible(control.isVisible() and not region.isEmpty())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(theme.pen("accent", 2))
        radius = theme.px(t.RADIUS_CONTROL) + 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), radius, radius)
        painter.end()
