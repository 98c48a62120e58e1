"""One curve: a buffer that grows by doubling, one plot item, and the rules of its pen."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from app.services.theme import theme
from app.services.tokens import SeriesStyle

THICK_BELOW = 2000  # 2 px and antialiased up to here; denser curves are 1 px, which draws ten times faster
JAGGED_THICK_BELOW = 300  # a jagged curve of a few hundred points already takes most of a live plot's time
_FIRST_ROOM = 256
_POINTS_A_PIXEL = 1.5  # more than the pixels can show takes time and looks the same
_AFTER_ALPHA = 0.28  # of the part of a curve after the step looked back to


class GrowingBuffer:
    """x and y as float64, appended to without copying what is there most of the time."""

    def __init__(self) -> None:
        self._x = np.empty(_FIRST_ROOM)
        self._y = np.empty(_FIRST_ROOM)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def x(self) -> NDArray[np.float64]:
        """The x values so far, as a view."""
        return self._x[: self._count]

    @property
    def y(self) -> NDArray[np.float64]:
        """The y values so far, as a view; NaN is a gap."""
        return self._y[: self._count]

    def append(self, x: Iterable[float], y: Iterable[float | None]) -> None:
        """Append points; None becomes a gap."""
        new_x = np.asarray(list(x), dtype=float)
        new_y = np.array([np.nan if value is None else value for value in y], dtype=float)
        if new_x.shape != new_y.shape:
            raise ValueError(f"{new_x.size} x values for {new_y.size} y values")
        needed = self._count + new_x.size
        if needed > self._x.size:
            room = max(needed, 2 * self._x.size)
            self._x, self._y = _grown(self.x, room), _grown(self.y, room)
        self._x[self._count : needed] = new_x
        self._y[self._count : needed] = new_y
        self._count = needed

    def set(self, x: Iterable[float], y: Iterable[float | None]) -> None:
        """Replace all points."""
        self._count = 0
        self.append(x, y)


class Series:
    """A curve of one style; `draw` hands the buffer to its item in one call."""

    def __init__(self, key: str, style: SeriesStyle, plot: pg.PlotItem, title: str = "", thin: bool = False) -> None:
        self.key = key
        self.style = style
        self.title = title or style.title
        self.thin = thin
        self.buffer = GrowingBuffer()
        self.item = pg.PlotDataItem()
        self.dot = pg.ScatterPlotItem(size=theme.px(7), pxMode=True)
        self.dot.setZValue(10)
        self.show_dot = True
        self.dot.hide()
        self.cut: float | None = None  # what comes after it is drawn faded; None: nothing does
        self._after: pg.PlotDataItem | None = None  # made when first looked back
        self._plot = plot
        # A thick line drawn as one path costs thirty times as much where it is jagged; drawn in segments, a smooth
        # one shows its joints.
        self.jagged = False
        self._pen_key: tuple[object, ...] = ()
        plot.addItem(self.item)
        draw_what_shows(self.item)
        plot.addItem(self.dot)

    def draw(self) -> None:
        """Show what is in the buffer."""
        self.restyle()
        self.show(self.buffer.x, self.buffer.y)
        last = self.last()
        shown = last is not None and self.show_dot and self.item.isVisible()
        self.dot.setVisible(shown)  # an empty item would still be asked for its bounds at every painting
        if last is not None and shown:
            self.dot.setData([last[0]], [last[1]])

    def show(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """Draw these points: up to the cut as ever, beyond it faded."""
        end = len(x) if self.cut is None else self._end()
        self.item.setData(x[:end], y[:end], connect="finite")
        rest = end < len(x)
        if rest and self._after is None:
            self._after = pg.PlotDataItem()
            self._after.setZValue(-20)
            self._plot.addItem(self._after, ignoreBounds=True)
            draw_what_shows(self._after)
        if self._after is not None:
            self._after.setVisible(rest and self.item.isVisible())
            first = max(end - 1, 0)  # from the last point before it, so that no gap shows
            self._after.setPen(theme.pen(self.style.token, 1, self.style.dash, alpha=_AFTER_ALPHA))
            self._after.setData(x[first:], y[first:], connect="finite")

    def _end(self) -> int:
        """How many points lie at or before the cut."""
        if self.cut is None:
            return len(self.buffer)
        return int(np.searchsorted(self.buffer.x, self.cut, side="right"))

    def last(self) -> tuple[float, float] | None:
        """The last point that has a value, at or before the cut."""
        x, y = self.buffer.x[: self._end()], self.buffer.y[: self._end()]
        if len(y) and np.isfinite(y[-1]):
            return float(x[-1]), float(y[-1])
        finite = np.flatnonzero(np.isfinite(y))
        if not finite.size:
            return None
        return float(x[finite[-1]]), float(y[finite[-1]])

    def at(self, x: float) -> float | None:
        """The last value at or before `x`; None before the first one and in a gap."""
        position = int(np.searchsorted(self.buffer.x, x, side="right")) - 1
        if position < 0 or not np.isfinite(self.buffer.y[position]):
            return None
        return float(self.buffer.y[position])

    def set_visible(self, visible: bool) -> None:
        """Show or hide the curve."""
        self.item.setVisible(visible)
        if self._after is not None:
            self._after.setVisible(visible and self._end() < len(self.buffer))
        self.dot.setVisible(visible and self.show_dot and self.last() is not None)

    def restyle(self) -> None:
        """Give the item the pen of the current theme and number of points."""
        limit = JAGGED_THICK_BELOW if self.jagged else THICK_BELOW
        thick = len(self.buffer) < limit and not self.thin
        key = (theme.current.name, thick)
        if key == self._pen_key:
            return
        self._pen_key = key
        width = 2 if thick else 1
        self.item.setPen(theme.pen(self.style.token, width, self.style.dash))
        self.item.opts["antialias"] = thick
        self.item.curve.opts["antialias"] = thick
        segmented = thick and self.jagged and not self.style.dash  # a dash would begin anew in each segment
        self.item.curve.setSegmentedLineMode("on" if segmented else "auto")
        self.dot.setSymbol(self.style.symbol)
        self.dot.setPen(theme.pen(self.style.token, 1.5))
        self.dot.setBrush(theme.brush(self.style.token if self.style.filled else "surface"))


def draw_what_shows(item: pg.PlotDataItem) -> None:
    """Let a curve draw only points in view, thinned to the pixels there are; to be called once it is in its plot.

    PlotItem.addItem overwrites both settings with its own.
    """
    item.setDownsampling(auto=True, method="peak")
    item.setClipToView(True)
    item.opts["autoDownsampleFactor"] = _POINTS_A_PIXEL


class Band:
    """The interval around a curve, drawn where it is wider than `least`."""

    def __init__(self, style: SeriesStyle, plot: pg.PlotItem, least: float) -> None:
        self._style, self._least = style, least
        self.buffer_low, self.buffer_high = GrowingBuffer(), GrowingBuffer()
        self._low, self._high = pg.PlotCurveItem(), pg.PlotCurveItem()
        self.item = pg.FillBetweenItem(self._low, self._high)
        self.item.setZValue(-50)
        plot.addItem(self.item, ignoreBounds=True)

    def append(self, x: float, interval: tuple[float, float] | None) -> None:
        """Append an interval; None, or one narrower than `least`, draws nothing there."""
        if interval is None or interval[1] - interval[0] <= self._least:
            interval = (np.nan, np.nan)
        self.buffer_low.append([x], [interval[0]])
        self.buffer_high.append([x], [interval[1]])

    def clear(self) -> None:
        """Empty it."""
        self.buffer_low.set([], [])
        self.buffer_high.set([], [])

    def draw(self) -> None:
        """Show what is in the buffers."""
        finite = np.isfinite(self.buffer_low.y)
        self._low.setData(self.buffer_low.x[finite], self.buffer_low.y[finite])
        self._high.setData(self.buffer_high.x[finite], self.buffer_high.y[finite])
        self.item.setBrush(theme.brush(self._style.token, 0.15))


def _grown(values: NDArray[np.float64], room: int) -> NDArray[np.float64]:
    grown = np.empty(room)
    grown[: values.size] = values
    return grown
