"""One curve: its points, one plot item, and the rules of its pen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import ArrayLike, NDArray

from app.services.theme import theme
from app.services.tokens import SeriesStyle

THICK_BELOW = 2000  # 2 px and antialiased up to here; denser curves are 1 px, which draws ten times faster
JAGGED_THICK_BELOW = 300  # a jagged curve of a few hundred points already takes most of a live plot's time
_POINTS_A_PIXEL = 1.5  # more than the pixels can show takes time and looks the same
_FAINT = 0.28  # opacity of a curve after the step looked back to, and of every step under a smoothed curve
_WIDEST = 0.2  # of all points: half the width of the moving mean at full smoothing


Values = ArrayLike | Sequence[float | None]


class Series:
    """A curve of one style; with `smooth` (0..1) a moving mean over a faint line of all points."""

    def __init__(self, key: str, style: SeriesStyle, plot: pg.PlotItem, title: str = "", thin: bool = False) -> None:
        self.key = key
        self.style = style
        self.title = title or style.title
        self.thin = thin
        self.x: NDArray[np.float64] = np.empty(0)
        self.y: NDArray[np.float64] = np.empty(0)  # as told; NaN is a gap
        self.drawn: NDArray[np.float64] = self.y  # what the line shows: `y`, or its moving mean
        self.smooth = 0.0
        self.log = (False, False)
        self.visible = True
        self.show_dot = True
        self.cut: float | None = None  # what comes after it is drawn faded; None: nothing does
        # A thick line drawn as one path costs thirty times as much where it is jagged; drawn in segments, a smooth
        # one shows its joints.
        self.jagged = False
        self._plot = plot
        self._pen_key: tuple[object, ...] = ()
        self.item = self._new_item(0)
        self._faint: dict[str, pg.PlotDataItem] = {}  # made when first wanted
        self.dot = pg.ScatterPlotItem(size=theme.px(7), pxMode=True)
        self.dot.setZValue(10)
        self.dot.hide()
        plot.addItem(self.dot)

    def __len__(self) -> int:
        return len(self.x)

    def set(self, x: ArrayLike, y: Values, smooth: float = 0.0) -> None:
        """Take these points, arrays as views; None and NaN are gaps. `smooth`: 0 of nothing, 1 of the most points."""
        new_x, new_y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        if new_x.shape != new_y.shape:
            raise ValueError(f"{new_x.size} x values for {new_y.size} y values")
        self.x, self.y, self.smooth = new_x, new_y, smooth
        self.drawn = moving_mean(new_y, smooth)

    def set_log(self, x: bool, y: bool) -> None:
        """Draw on logarithmic axes."""
        self.log = (x, y)
        for item in (self.item, *self._faint.values()):
            item.setLogMode(x, y)

    def draw(self) -> None:
        """Show the points: up to the cut as ever, beyond it faded."""
        self.restyle()
        end = self._end()
        self.item.setData(self.x[:end], self.drawn[:end], connect="finite")
        first = max(end - 1, 0)  # from the last point before the cut, so that no gap shows
        self._draw_faint("after", slice(first, None), self.drawn, self.style.dash, end < len(self))
        self._draw_faint("raw", slice(0, end), self.y, (), self.smooth > 0)
        last = self.last()
        shown = last is not None and self.show_dot and self.visible
        self.dot.setVisible(shown)  # an empty item would still be asked for its bounds at every painting
        if last is not None and shown:
            at = [np.log10(value) if log else value for value, log in zip(last, self.log, strict=True)]
            self.dot.setData([at[0]], [at[1]])

    def last(self) -> tuple[float, float] | None:
        """The last point drawn that has a value, at or before the cut."""
        end = self._end()
        place = end - 1 - int(np.isfinite(self.drawn[:end])[::-1].argmax()) if end else 0
        value = self.drawn[place] if end else np.nan
        if not np.isfinite(value) or (self.log[1] and value <= 0):
            return None
        return float(self.x[place]), float(value)

    def at(self, x: float) -> float | None:
        """The last value drawn at or before `x`; None before the first one and in a gap."""
        position = int(np.searchsorted(self.x, x, side="right")) - 1
        if position < 0 or not np.isfinite(self.drawn[position]):
            return None
        return float(self.drawn[position])

    def set_visible(self, visible: bool) -> None:
        """Show or hide the curve."""
        self.visible = visible
        self.item.setVisible(visible)
        self.draw()

    def restyle(self) -> None:
        """Give the item the pen of the current theme and number of points."""
        limit = JAGGED_THICK_BELOW if self.jagged else THICK_BELOW
        thick = len(self) < limit and not self.thin
        dash = () if self.jagged and not thick and not self.smooth else self.style.dash  # it would become dust
        key = (theme.current.name, thick, dash)
        if key == self._pen_key:
            return
        self._pen_key = key
        self.item.setPen(theme.pen(self.style.token, 2 if thick else 1, dash))
        self.item.opts["antialias"] = thick
        self.item.curve.opts["antialias"] = thick
        segmented = thick and self.jagged and not dash  # a dash would begin anew in each segment
        self.item.curve.setSegmentedLineMode("on" if segmented else "auto")
        self.dot.setSymbol(self.style.symbol)
        self.dot.setPen(theme.pen(self.style.token, 1.5))
        self.dot.setBrush(theme.brush(self.style.token if self.style.filled else "surface"))

    def remove(self) -> None:
        """Take the curve out of its plot."""
        for item in (self.item, self.dot, *self._faint.values()):
            self._plot.removeItem(item)

    def _new_item(self, z: int) -> pg.PlotDataItem:
        item = pg.PlotDataItem()
        item.setZValue(z)
        self._plot.addItem(item, ignoreBounds=z < 0)
        # After addItem, which overwrites them: only points in view, thinned to the pixels there are.
        item.setDownsampling(auto=True, method="peak")
        item.setClipToView(True)
        item.opts["autoDownsampleFactor"] = _POINTS_A_PIXEL
        item.setLogMode(*self.log)
        return item

    def _draw_faint(
        self, name: str, part: slice, values: NDArray[np.float64], dash: tuple[int, ...], wanted: bool
    ) -> None:
        item = self._faint.get(name)
        if item is None and wanted:
            item = self._faint[name] = self._new_item(-20)
        if item is not None:
            item.setVisible(wanted and self.visible)
            item.setPen(theme.pen(self.style.token, 1, dash, alpha=_FAINT))
            item.setData(self.x[part], values[part], connect="finite")

    def _end(self) -> int:
        """How many points lie at or before the cut."""
        return len(self) if self.cut is None else int(np.searchsorted(self.x, self.cut, side="right"))


def moving_mean(values: NDArray[np.float64], smooth: float) -> NDArray[np.float64]:
    """Mean over the neighbours that have a value; `smooth` (0..1) and the number of points give how many."""
    half = int(len(values) * _WIDEST * smooth**2)
    if half < 1:
        return values
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    places = np.arange(len(values))
    low, high = np.maximum(places - half, 0), np.minimum(places + half + 1, len(values))
    return np.where(known, (sums[high] - sums[low]) / np.maximum(counts[high] - counts[low], 1), np.nan)
