"""Images that stand for very many points: how many there are, and where a lit class and the forget set lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from app.plots.spots import Grid
from app.services.theme import theme

TINTS = ("retain", "forget")  # tokens of the sets that are drawn over the density, the upper one last
_LOWEST = -20  # below everything else of a plot


class DensityLayers:
    """An image of the density, and a transparent one of each tint over it; all share one grid."""

    def __init__(self) -> None:
        self._grid: Grid | None = None
        self.density = pg.ImageItem()
        self.tints = {name: pg.ImageItem() for name in TINTS}
        for place, item in enumerate(self.items()):
            item.setZValue(_LOWEST + place)
            item.hide()

    def items(self) -> list[pg.ImageItem]:
        """What is to be added to a plot."""
        return [self.density, *self.tints.values()]

    def set_grid(self, grid: Grid | None) -> None:
        """Draw the density of other points; None for nothing."""
        self._grid = grid
        for item in self.items():
            item.clear()
        if grid is not None:
            counts = grid.totals
            self.density.setImage(np.where(counts > 0, np.log1p(counts), np.nan))  # NaN is left transparent
            self.density.setColorMap(pg.colormap.get("cividis"))
            self.density.setRect(*grid.rectangle())

    def set_visible(self, visible: bool) -> None:
        """Show or hide all of it."""
        for item in self.items():
            item.setVisible(visible)

    def set_tint(self, name: str, chosen: NDArray[Any] | None) -> None:
        """Say where the chosen points (mask or positions) lie, in the colour of a token; None for nowhere."""
        tint = self.tints[name]
        if chosen is None or self._grid is None:
            tint.clear()
            return
        tint.setImage(self._grid.tint(chosen, theme.color(name)), levels=(0, 255))
        tint.setRect(*self._grid.rectangle())
