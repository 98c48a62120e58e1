"""Runs as points between two measures: what one of them says beside what the other says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Signal
from PySide6.QtWidgets import QWidget

from app.plots.base import ThemedPlot
from app.plots.export import Cell, Table
from app.plots.items import MarginLabel
from app.services.accessibility import describe
from app.services.theme import theme
from app.services.tokens import MODELS, SeriesStyle

NEAR_PX = 14
_TOGETHER_PX = 10  # points nearer than that share the place of their marks
_LABEL_HEIGHT = 40
_ANCHOR, _RUN = 15, 9  # sizes of markers
_PADDING = 0.12  # of the extent of the points, on each side
_OVER = 4  # percentage points beyond 0 and 100, so that no marker is cut


@dataclass(frozen=True)
class Dot:
    """One run or anchor: what it is called, the group it is drawn as, and its two values."""

    name: str
    group: str
    style: SeriesStyle
    x: float
    y: float
    mark: str = ""  # stands beside the point, such as the rank of its method


class RunScatter(ThemedPlot):
    """A marker a group. `hovered_dot` carries the name of the point under the mouse, "" for none."""

    hovered_dot = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        self._dots: tuple[Dot, ...] = ()
        self._near = -1
        self._chosen: set[str] = set()
        super().__init__("Two measures", " ", parent, x_title="x")
        self.margin.foot = ""
        self._items: dict[str, pg.ScatterPlotItem] = {}
        self._marks: list[pg.TextItem] = []
        self._ring = pg.ScatterPlotItem(pxMode=True, size=theme.px(16), symbol="o", brush=None)
        self._ring.setZValue(30)
        self.item.addItem(self._ring, ignoreBounds=True)
        self.view.setMouseEnabled(x=True, y=True)
        self.view.enableAutoRange(x=False, y=False)
        self.bottom_axis.setHeight(theme.px(_LABEL_HEIGHT))
        self.restyle()

    def set_dots(self, dots: Sequence[Dot], x_title: str, y_title: str) -> None:
        """Show these points between two measures."""
        self._dots, self._near = tuple(dots), -1
        self._x_title = x_title
        self.set_y_title(y_title)
        self.set_caption("")
        self.set_follow(True)
        self.mark_dirty()

    def choose(self, names: set[str]) -> None:
        """Ring these points, such as the rows chosen in a table."""
        self._chosen = names
        self._draw_ring()

    def table(self) -> Table:
        """A row a point: its name, its group and both values."""
        rows: list[list[Cell]] = [[dot.name, dot.group, dot.x, dot.y] for dot in self._dots]
        return ["run", "group", self._x_title, self._y_title.text()], rows

    def flush(self) -> None:
        if not self.dirty:
            return
        groups = {dot.group: dot.style for dot in self._dots}
        for group in [group for group in self._items if group not in groups]:
            self.item.removeItem(self._items.pop(group))
        for group, style in groups.items():
            item = self._items.get(group)
            if item is None:
                item = self._items[group] = pg.ScatterPlotItem(pxMode=True)
                self.item.addItem(item)
            points = [(dot.x, dot.y) for dot in self._dots if dot.group == group]
            anchor = style.key in MODELS
            # Runs are outlines and lie above larger anchors, so that points at one place can all be seen.
            item.setData(pos=np.array(points), symbol=style.symbol, size=theme.px(_ANCHOR if anchor else _RUN))
            item.setZValue(0 if anchor else 10)
            item.setPen(theme.pen(style.token, 1.5))
            item.setBrush(theme.brush(style.token) if anchor and style.filled else None)
        self.bottom_axis.setLabel(self._x_title)
        self._draw_ring()
        super().flush()
        self._draw_marks()

    def _draw_marks(self) -> None:
        """Write the marks beside the points; those of points at one place stand together, so that none is hidden."""
        for item in self._marks:
            self.item.removeItem(item)
        self._marks = []
        pixel = self.view.viewPixelSize()
        placed: list[tuple[float, float, list[str]]] = []
        for dot in self._dots:
            if not dot.mark:
                continue
            near = next((marks for x, y, marks in placed if abs(x - dot.x) <= _TOGETHER_PX * pixel[0]
                         and abs(y - dot.y) <= _TOGETHER_PX * pixel[1]), None)  # fmt: skip
            if near is None:
                placed.append((dot.x, dot.y, [dot.mark]))
            elif dot.mark not in near:
                near.append(dot.mark)
        for x, y, marks in placed:
            item = pg.TextItem(", ".join(marks), color=theme.color("text"), anchor=(-0.3, 0.5))
            item.setFont(theme.font("caption"))
            item.setPos(x, y)
            self.item.addItem(item, ignoreBounds=True)
            self._marks.append(item)

    def restyle(self) -> None:
        super().restyle()
        if not hasattr(self, "_items"):
            return
        self._ring.setPen(theme.pen("text", 1.5))
        label = self.bottom_axis.label
        label.setFont(theme.font("caption"))
        self.bottom_axis.labelStyle = {"color": theme.color("text_2").name()}
        label.setDefaultTextColor(theme.color("text_2"))
        self.dirty = True
        self.flush()

    def _update_labels(self) -> None:
        labels = {}
        for group in dict.fromkeys(dot.group for dot in self._dots):
            members = [dot for dot in self._dots if dot.group == group]
            style, mean = members[0].style, sum(dot.y for dot in members) / len(members)
            labels[group] = MarginLabel(group, group, mean, style.token, style.symbol, style.filled, reference=True)
        self.margin.set_labels(list(labels.values()))

    def _follow_data(self) -> None:
        for values, title, set_range in (
            ([dot.x for dot in self._dots], self._x_title, self.view.setXRange),
            ([dot.y for dot in self._dots], self._y_title.text(), self.view.setYRange),
        ):
            if values:
                low, high = min(values), max(values)
                pad = _PADDING * (high - low) or max(abs(high), 1.0) * _PADDING
                begin, end = low - pad, high + pad
                if title.endswith("%") and low >= 0 and high <= 100:  # no share lies beyond; half a marker does
                    begin, end = max(begin, -_OVER), min(end, 100 + _OVER)
                set_range(begin, end, padding=0)

    def _describe(self) -> None:
        words = [self._words(dot) for dot in self._dots[:12]]
        describe(self.canvas, "; ".join(words) if words else "no values yet")

    def _words(self, dot: Dot) -> str:
        return f"{dot.name}: {self._x_title} {dot.x:.4g}, {self._y_title.text()} {dot.y:.4g}"

    def _mouse_moved(self, position: QPointF) -> None:
        self._point_at(self._nearest(position))

    def _hover(self, step: float | None) -> None:
        if step is None:
            self._point_at(-1)

    def _key_step(self, by: int) -> None:
        if self._dots:
            self._point_at(min(max(self._near + by, 0), len(self._dots) - 1))

    def _nearest(self, position: QPointF) -> int:
        best, nearest = float(theme.px(NEAR_PX)), -1
        for number, dot in enumerate(self._dots):
            at = self.view.mapViewToScene(QPointF(dot.x, dot.y))
            distance = float(np.hypot(at.x() - position.x(), at.y() - position.y()))
            if distance < best:
                best, nearest = distance, number
        return nearest

    def _point_at(self, number: int) -> None:
        if number == self._near:
            return
        self._near = number
        self.set_caption(self._words(self._dots[number]) if number >= 0 else "")
        self._draw_ring()
        self.hovered_dot.emit(self._dots[number].name if number >= 0 else "")

    def _draw_ring(self) -> None:
        ringed = [(d.x, d.y) for n, d in enumerate(self._dots) if n == self._near or d.name in self._chosen]
        self._ring.setData(pos=np.array(ringed).reshape(-1, 2))
