"""Runs as points between two measures: what one of them says beside what the other says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Signal

from app.plots.base import ThemedPlot
from app.plots.export import Table
from app.plots.items import MarginLabel
from app.plots.points import nearest
from app.services.theme import theme
from app.services.tokens import MODELS, SeriesStyle
from app.services.translation import tr

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

    def __init__(self) -> None:
        self._dots: tuple[Dot, ...] = ()
        self._near = -1
        self._chosen: set[str] = set()
        super().__init__(tr("Two measures"), " ", x_title="x")
        self.margin.foot = ""
        self._points = pg.ScatterPlotItem(pxMode=True)
        self._marks: list[pg.TextItem] = []
        self._ring = pg.ScatterPlotItem(pxMode=True, size=theme.px(16), symbol="o", brush=None)
        self._ring.setZValue(30)
        for item in (self._points, self._ring):
            self.item.addItem(item, ignoreBounds=True)
        self.bottom_axis.setHeight(theme.px(_LABEL_HEIGHT))

    def set_dots(self, dots: Sequence[Dot], x_title: str, y_title: str) -> None:
        """Show these points between two measures."""
        self._dots, self._near = tuple(dots), -1
        self.x_title = x_title
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
        header = ["run", "group", self.x_title, self._y_title_text]
        return header, [[dot.name, dot.group, dot.x, dot.y] for dot in self._dots]

    def _read(self) -> None:
        # Runs are outlines and lie above larger anchors, so that points at one place can all be seen.
        spots = []
        for dot in sorted(self._dots, key=lambda dot: dot.style.key not in MODELS):
            style, anchor = dot.style, dot.style.key in MODELS
            fill = theme.brush(style.token) if anchor and style.filled else None
            spots.append({"pos": (dot.x, dot.y), "symbol": style.symbol, "pen": theme.pen(style.token, 1.5),
                          "size": theme.px(_ANCHOR if anchor else _RUN), "brush": fill})  # fmt: skip
        self._points.setData(spots)
        self.bottom_axis.setLabel(self.x_title)
        self._draw_ring()

    def _draw(self) -> None:
        super()._draw()
        self._draw_marks()

    def _draw_marks(self) -> None:
        """Write the marks beside the points; those of points at one place stand together, so that none is hidden."""
        for item in self._marks:
            self.item.removeItem(item)
        self._marks = []
        together = _TOGETHER_PX * np.array(self.view.viewPixelSize())
        placed: list[tuple[Dot, list[str]]] = []
        for dot in filter(lambda dot: dot.mark, self._dots):
            near = next((marks for one, marks in placed
                         if (np.abs((one.x - dot.x, one.y - dot.y)) <= together).all()), None)  # fmt: skip
            if near is None:
                placed.append((dot, [dot.mark]))
            elif dot.mark not in near:
                near.append(dot.mark)
        for dot, marks in placed:
            item = pg.TextItem(", ".join(marks), color=theme.color("text"), anchor=(-0.3, 0.5))
            item.setFont(theme.font("caption"))
            item.setPos(dot.x, dot.y)
            self.item.addItem(item, ignoreBounds=True)
            self._marks.append(item)

    def restyle(self) -> None:
        super().restyle()
        self._ring.setPen(theme.pen("text", 1.5))
        label = self.bottom_axis.label
        label.setFont(theme.font("caption"))
        self.bottom_axis.labelStyle = {"color": theme.color("text_2").name()}
        label.setDefaultTextColor(theme.color("text_2"))

    def _update_labels(self) -> None:
        members: dict[str, list[Dot]] = {}
        for dot in self._dots:
            members.setdefault(dot.group, []).append(dot)
        self.margin.set_labels([
            MarginLabel(group, group, sum(dot.y for dot in dots) / len(dots), dots[0].style, reference=True)
            for group, dots in members.items()
        ])  # fmt: skip

    def _follow_data(self) -> None:
        for values, title, set_range in (
            ([dot.x for dot in self._dots], self.x_title, self.view.setXRange),
            ([dot.y for dot in self._dots], self._y_title_text, self.view.setYRange),
        ):
            if values:
                low, high = min(values), max(values)
                pad = _PADDING * (high - low) or max(abs(high), 1.0) * _PADDING
                begin, end = low - pad, high + pad
                if title.endswith("%") and low >= 0 and high <= 100:  # no share lies beyond; half a marker does
                    begin, end = max(begin, -_OVER), min(end, 100 + _OVER)
                set_range(begin, end, padding=0)

    def _description(self) -> str:
        return "; ".join(map(self._words, self._dots[:12]))

    def _words(self, dot: Dot) -> str:
        return f"{dot.name}: {self.x_title} {dot.x:.4g}, {self._y_title_text} {dot.y:.4g}"

    def _mouse_moved(self, position: QPointF) -> None:
        at = [self.view.mapViewToScene(QPointF(dot.x, dot.y)).toTuple() for dot in self._dots]
        self._point_at(nearest(np.array(at).reshape(-1, 2), position.x(), position.y(), theme.px(NEAR_PX)))

    def _hover(self, step: float | None) -> None:
        if step is None:
            self._point_at(-1)

    def _key_step(self, by: int) -> None:
        if self._dots:
            self._point_at(min(max(self._near + by, 0), len(self._dots) - 1))

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
