"""Runs as points between two measures: what one of them says beside what the other says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Signal

from app.plots.base import ThemedPlot
from app.plots.export import Table
from app.plots.items import MarginLabel
from app.services.theme import theme
from app.services.tokens import MODELS, SeriesStyle
from app.services.translation import inside, tr

_ANCHOR, _RUN, _RING = 15, 9, 18  # sizes of markers
_PADDING = 0.05  # of the extent of the points, on each side


@dataclass(frozen=True)
class Dot:
    """One run or anchor: what it is called, the group it is drawn as, and its two values."""

    name: str
    group: str
    style: SeriesStyle
    x: float
    y: float


class RunScatter(ThemedPlot):
    """A marker a group. `hovered_dot` carries the name of the point under the mouse, "" for none."""

    hovered_dot = Signal(str)

    def __init__(self) -> None:
        self._dots: tuple[Dot, ...] = ()
        self._chosen: set[str] = set()
        self._y = ""
        super().__init__(tr("Two measures"), " ", x_title="x")
        self.margin.foot = ""  # a measure's name is too long for it: the title has both
        self._points = pg.ScatterPlotItem(hoverable=True, tip=lambda x, y, data: self._words(data))
        self._points.sigHovered.connect(self._point_hovered)
        self._ring = pg.ScatterPlotItem(size=theme.px(_RING), brush=None)
        for item in (self._points, self._ring):
            self.item.addItem(item)

    def set_dots(self, dots: Sequence[Dot], x_title: str, y_title: str) -> None:
        """Show these points between two measures."""
        # Runs are outlines and lie above larger anchors, so that points at one place can all be seen.
        self._dots = tuple(sorted(dots, key=lambda dot: dot.style.key not in MODELS))
        self.x_title, self._y = x_title, y_title
        self.set_y_title(tr("{y} over {x}", y=y_title, x=inside(x_title)))
        self.set_follow(True)
        self.mark_dirty()

    def choose(self, names: set[str]) -> None:
        """Ring these points, such as the rows chosen in a table."""
        self._chosen = names
        self._draw_ring()

    def table(self) -> Table:
        """A row a point: its name, its group and both values."""
        header = ["run", "group", self.x_title, self._y]
        return header, [[dot.name, dot.group, dot.x, dot.y] for dot in self._dots]

    def _read(self) -> None:
        spots = []
        for dot in self._dots:
            style, anchor = dot.style, dot.style.key in MODELS
            fill = theme.brush(style.token) if anchor and style.filled else None
            spots.append({"pos": (dot.x, dot.y), "symbol": style.symbol, "pen": theme.pen(style.token, 1.5),
                          "size": theme.px(_ANCHOR if anchor else _RUN), "brush": fill, "data": dot})  # fmt: skip
        self._points.setData(spots)
        self._draw_ring()

    def restyle(self) -> None:
        super().restyle()
        self._ring.setPen(theme.pen("text", 1.5))

    def _update_labels(self) -> None:
        members: dict[str, list[Dot]] = {}
        for dot in self._dots:
            members.setdefault(dot.group, []).append(dot)
        self.margin.set_labels([
            MarginLabel(group, group, sum(dot.y for dot in dots) / len(dots), dots[0].style, reference=True)
            for group, dots in members.items()
        ])  # fmt: skip

    def _follow_data(self) -> None:
        self.view.autoRange(padding=_PADDING, items=[self._points])

    def _description(self) -> str:
        return "; ".join(map(self._words, self._dots[:12]))

    def _words(self, dot: Dot) -> str:
        return f"{dot.name}: {self.x_title} {dot.x:.4g}, {self._y} {dot.y:.4g}"

    def _hover(self, step: float | None) -> None:
        """No value of x is read: points are pointed at one by one."""

    def _point_hovered(self, _item: object, points: Sequence[pg.SpotItem]) -> None:
        self.hovered_dot.emit(points[0].data().name if len(points) else "")

    def _draw_ring(self) -> None:
        ringed = [(dot.x, dot.y) for dot in self._dots if dot.name in self._chosen]
        self._ring.setData(pos=np.array(ringed).reshape(-1, 2))
