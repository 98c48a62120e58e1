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

_NO_RING = (QAbstractItemView, QPlainTextEdit, QTextEdit)  # these show the current cell or a cursor themselves
_OUTSIDE = 3  # of the control: 2 px of ring, 1 px of room
_MOVES = frozenset({
    QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide, QEvent.Type.ParentChange,
})  # fmt: skip


def _shows_it(widget: QWidget) -> bool:
    return isinstance(widget, _NO_RING) and not isinstance(widget, QHeaderView)


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
            frame.follow(None)
            frame.deleteLater()
        self._frame = None
        self.deleteLater()

    @property
    def widget(self) -> QWidget | None:
        frame = self._living()
        return frame.widget if frame is not None else None

    @property
    def shown(self) -> QRegion:
        """What of the ring is drawn, in the window's coordinates."""
        frame = self._living()
        return frame.mask().translated(frame.pos()) if frame is not None and frame.isVisible() else QRegion()

    def _focus_changed(self, _old: QWidget | None, now: QWidget | None) -> None:
        by_mouse = QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton
        rings = now is not None and not (by_mouse or _shows_it(now) or now.isWindow())
        if now is None or not rings or not now.window().testAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange):
            frame = self._living()
            if frame is not None:
                frame.follow(None)
            return
        # A frame is a child of the window it is in, and dies with a dialog that closes.
        self._frame = self._living() or _Frame(now.window())
        self._frame.follow(now)

    def _living(self) -> _Frame | None:
        return self._frame if self._frame is not None and shiboken6.isValid(self._frame) else None

    def _app(self) -> QApplication:
        app = self.parent()
        assert isinstance(app, QApplication)
        return app


class _Frame(QWidget):
    """The ring itself: a child of the window, since a control often ends where the widget around it does."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._around: tuple[QWidget, ...] = ()  # the control first, then what it lies in, last the window

    @property
    def widget(self) -> QWidget | None:
        return self._around[0] if self._around and shiboken6.isValid(self._around[0]) else None

    def follow(self, widget: QWidget | None) -> None:
        """Go around another widget, or away."""
        for one in self._around:
            if shiboken6.isValid(one):
                one.removeEventFilter(self)
        around: list[QWidget] = []
        while widget is not None:
            around.append(widget)
            widget = None if widget.isWindow() else widget.parentWidget()
        self._around = tuple(around)
        for one in around:
            one.installEventFilter(self)
        if around and self.parentWidget() is not around[-1]:
            self.setParent(around[-1])
        self._place()
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in _MOVES:
            if event.type() == QEvent.Type.ParentChange:
                self.follow(self.widget)
            else:
                self._place()
        return False

    def _place(self) -> None:
        """Lie around the control, as far as scroll areas it is in show it."""
        widget = self.widget
        if widget is None or not widget.isVisible():
            self.hide()
            return
        window = self._around[-1]
        out = theme.px(_OUTSIDE)
        self.setGeometry(QRect(widget.mapTo(window, QPoint()), widget.size()).adjusted(-out, -out, out, out))
        region = QRegion(self.rect()).subtracted(QRegion(self.rect().adjusted(out, out, -out, -out)))
        for inner, outer in zip(self._around, self._around[1:], strict=False):
            if isinstance(outer, QAbstractScrollArea) and outer.viewport() is inner:
                seen = QRect(inner.mapTo(window, QPoint()), inner.size()).adjusted(-out, -out, out, out)
                region &= QRegion(seen.translated(-self.pos()))
        if region.isEmpty():
            self.hide()
            return
        self.setMask(region)
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(theme.pen("accent", 2))
        radius = theme.px(t.RADIUS_CONTROL) + 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), radius, radius)
        painter.end()
