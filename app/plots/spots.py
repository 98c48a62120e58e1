"""Many points that look alike, drawn fast: spots of one style, and counts of points over a grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtGui import QColor

_MOST_STYLES = 64  # pictures of spots kept by an item; every change of colour adds one
_FAINTEST = 128  # opacity (0..255) of a cell that holds one marked point among many


class Spots(pg.ScatterPlotItem):
    """A scatter item whose points share size, symbol, pen and brush.

    pyqtgraph looks up the picture of every single point; here it is looked up once, which makes setting 100,000
    points a matter of milliseconds.
    """

    def updateSpots(self, dataSet: Any = None) -> None:
        data = self.data if dataSet is None else dataSet
        style = tuple(self.opts[name] for name in ("symbol", "size", "pen", "brush"))
        if len(self.fragmentAtlas) > _MOST_STYLES:
            self.fragmentAtlas.clear()
        data["sourceRect"] = self.fragmentAtlas[[style]][0]
        self._updateMaxSpotSizes(data=data)
        self.invalidate()


class Grid:
    """Which cell of a square grid over all points each of them lies in."""

    def __init__(self, points: NDArray[np.float32], bins: int) -> None:
        """Points (n, 2), finite."""
        self.bins = bins
        (self.low, high) = corners(points)
        self.extent = np.where(high > self.low, high - self.low, 1.0)
        x, y = (
            ((points[:, axis] - self.low[axis]) * (bins / self.extent[axis])).astype(np.int32).clip(0, bins - 1)
            for axis in (0, 1)
        )
        self._cells = x * bins + y
        self.totals = self.counts()

    def counts(self, chosen: NDArray[Any] | None = None) -> NDArray[np.int64]:
        """Return how many points, or of those `chosen` (mask or positions), lie in each cell: (bins, bins)."""
        cells = self._cells if chosen is None else self._cells[chosen]
        return np.bincount(cells, minlength=self.bins**2).reshape(self.bins, self.bins)

    def one_a_cell(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return of points at positions `chosen` (m,) one in each cell that holds any."""
        held = np.full(self.bins**2, -1, np.int64)
        held[self._cells[chosen]] = chosen
        return held[held >= 0]

    def tint(self, chosen: NDArray[Any], colour: QColor) -> NDArray[np.uint8]:
        """Return a picture (bins, bins, RGBA) of where chosen points lie: the more of a cell's points, the denser."""
        some = self.counts(chosen)
        share = some / np.maximum(self.totals, 1)
        picture = np.empty((self.bins, self.bins, 4), np.uint8)
        picture[...] = (colour.red(), colour.green(), colour.blue(), 0)
        picture[..., 3] = np.where(some > 0, _FAINTEST + (255 - _FAINTEST) * share, 0)
        return picture

    def rectangle(self) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height of the grid in the points' coordinates."""
        return float(self.low[0]), float(self.low[1]), float(self.extent[0]), float(self.extent[1])


def corners(points: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the lowest and the highest coordinates of points (n, 2): (2,) each."""
    columns = points[:, 0], points[:, 1]  # one by one: reducing rows of two is ten times slower
    return np.array([column.min() for column in columns]), np.array([column.max() for column in columns])
