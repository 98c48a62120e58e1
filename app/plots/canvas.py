"""The drawing area of a plot: no menu of its own, arrow keys move the crosshair."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QElapsedTimer, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QSizePolicy

from app.plots.items import ReadableAxis
from app.services.theme import theme

_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Home: -1_000_000, Qt.Key.Key_End: 1_000_000}
_ZOOMS = {Qt.Key.Key_Plus: 0.8, Qt.Key.Key_Equal: 0.8, Qt.Key.Key_Minus: 1.25}


class Canvas(pg.PlotWidget):
    """Says which way the arrow keys go and where its menu is wanted."""

    key_step = Signal(int)
    zoom_wanted = Signal(float)  # below 1: closer
    reset_wanted = Signal()
    menu_wanted = Signal(object)

    def __init__(self, log: bool = False) -> None:
        self.axes = left, bottom = ReadableAxis("left"), ReadableAxis("bottom")
        super().__init__(axisItems={"left": left, "bottom": bottom}, enableMenu=False)  # pyqtgraph: one a plot
        self.getPlotItem().setLogMode(log, log)
        for axis in self.axes:
            axis.setStyle(tickFont=theme.font("caption"), tickLength=theme.px(4), maxTickLevel=0)
            axis.enableAutoSIPrefix(False)
        left.setWidth(theme.px(44))
        bottom.setHeight(theme.px(20))
        self.hideButtons()
        self.painted_ms = 0.0  # what the latest painting took
        self._clock = QElapsedTimer()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(theme.px(120), theme.px(72))

    def restyle(self) -> None:
        """Take on the theme's colours again."""
        self.setBackground(theme.color("surface"))
        for axis in self.axes:
            axis.setPen(theme.pen("outline"))
            axis.setTextPen(theme.pen("text_2"))

    def paintEvent(self, event: QPaintEvent) -> None:
        self._clock.start()
        super().paintEvent(event)
        self.painted_ms = self._clock.nsecsElapsed() / 1e6

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in _STEPS:
            self.key_step.emit(_STEPS[key])
        elif key in _ZOOMS:
            self.zoom_wanted.emit(_ZOOMS[key])
        elif key == Qt.Key.Key_0:
            self.reset_wanted.emit()
        else:
            super().keyPressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset_wanted.emit()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_wanted.emit(event.globalPos())
