"""The focus ring: 2 px in the accent, 1 px outside the control, for keyboard focus only."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QObject, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QFocusFrame,
    QHeaderView,
    QPlainTextEdit,
    QProxyStyle,
    QStyle,
    QStyleHintReturn,
    QStyleOption,
    QTextEdit,
    QWidget,
)

from app.services import tokens as t
from app.services.theme import theme

_SHOW_IT = (QAbstractItemView, QPlainTextEdit, QTextEdit)  # these show the current cell or a cursor themselves
_OUTSIDE = 3  # of the control: 2 px of ring, 1 px of room
_MARGINS = (QStyle.PixelMetric.PM_FocusFrameHMargin, QStyle.PixelMetric.PM_FocusFrameVMargin)


class FocusRing(QObject):
    """Follows the keyboard focus of one application."""

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self._app = app
        self._style = _RingStyle("Fusion")
        self.frame: _Frame | None = None  # dies with a dialog that it is in
        app.focusChanged.connect(self._focus_changed)

    @property
    def widget(self) -> QWidget | None:
        """The one the ring is around."""
        there = self.frame is not None and shiboken6.isValid(self.frame)
        return self.frame.widget() if self.frame is not None and there else None

    def close(self) -> None:
        """Take the ring away for good."""
        self._app.focusChanged.disconnect(self._focus_changed)
        self._focus_changed(None, None)
        self.deleteLater()

    def _focus_changed(self, _old: QWidget | None, now: QWidget | None) -> None:
        shows_it = isinstance(now, _SHOW_IT) and not isinstance(now, QHeaderView)
        by_mouse = QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton
        by_keys = now is not None and now.window().testAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange)
        if self.frame is not None and shiboken6.isValid(self.frame):
            shiboken6.delete(self.frame)
        self.frame = None
        if now is not None and by_keys and not (by_mouse or shows_it or now.isWindow()):
            self.frame = _Frame()
            self.frame.setStyle(self._style)
            self.frame.setWidget(now)


class _RingStyle(QProxyStyle):
    """Tells the frame to lie over the window, as far out as the ring."""

    def pixelMetric(
        self, metric: QStyle.PixelMetric, option: QStyleOption | None = None, widget: QWidget | None = None
    ) -> int:
        return theme.px(_OUTSIDE) if metric in _MARGINS else super().pixelMetric(metric, option, widget)

    def styleHint(
        self, hint: QStyle.StyleHint, option: QStyleOption | None = None, widget: QWidget | None = None,
        returnData: QStyleHintReturn | None = None,
    ) -> int:
        above = hint == QStyle.StyleHint.SH_FocusFrame_AboveWidget
        return 1 if above else super().styleHint(hint, option, widget, returnData)


class _Frame(QFocusFrame):
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(theme.pen("accent", 2))
        radius = theme.px(t.RADIUS_CONTROL) + 2
        shown = QRectF(self.visibleRegion().boundingRect())  # whole also where a scroll area ends with the control
        painter.drawRoundedRect(shown.adjusted(1, 1, -1, -1), radius, radius)
        painter.end()
