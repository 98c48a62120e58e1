"""Loss on forget images and on unseen images: what tells about forgetting single images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QWidget

from app.plots.base import ThemedPlot
from app.plots.export import Cell, Table
from app.plots.items import MarginLabel
from app.services import format as fmt
from app.services.accessibility import describe
from app.services.theme import theme

BINS = 40
_TAIL = 99.0  # per cent of the losses on the axis; the rest is in the last bin
_SETS = (("forget", "Forget images", "forget", "t1"), ("unseen", "Unseen images", "text_2", "o"))
NO_ALIGNMENT = (
    "Alignment compares whole classes. For single images it says nothing, so losses are shown instead."
)


class HistogramPlot(ThemedPlot):
    """Two outlined histograms over the same bins; where they coincide, losses cannot tell the sets apart."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "Loss on forget and on unseen images", "Share of images, %", parent, x_title="Loss",
            value_format=lambda value: fmt.decimal(value, 2),
        )  # fmt: skip
        self._values = {name: np.empty(0) for name, *_ in _SETS}
        self._items = {}
        for name, *_ in _SETS:
            item = pg.PlotDataItem(stepMode="center", fillLevel=0)
            self.item.addItem(item)
            self._items[name] = item
        self.set_caption(NO_ALIGNMENT)
        self.view.setMouseEnabled(x=False, y=False)

    def set_losses(self, forget: Sequence[float], unseen: Sequence[float]) -> None:
        """Show the losses of single images."""
        self._values = {"forget": _finite(forget), "unseen": _finite(unseen)}
        self.mark_dirty()

    def overlap(self) -> float | None:
        """Share the two histograms have in common, 0..1; None without both."""
        forget, unseen = self._values["forget"], self._values["unseen"]
        if not forget.size or not unseen.size:
            return None
        edges = self._edges()
        return float(np.minimum(_shares(forget, edges), _shares(unseen, edges)).sum())

    def flush(self) -> None:
        if not self._dirty:
            return
        edges = self._edges()
        for name, _title, token, _symbol in _SETS:
            values, item = self._values[name], self._items[name]
            if values.size:
                item.setPen(theme.pen(token))
                item.setFillBrush(theme.brush(token, 0.18))
                item.setData(edges, 100 * _shares(values, edges))
            else:
                item.setData([0.0, 1.0], [0.0])
        super().flush()
        self.view.setXRange(float(edges[0]), float(edges[-1]), padding=0.02)

    def restyle(self) -> None:
        super().restyle()
        self._dirty = True
        if hasattr(self, "_items"):
            self.flush()

    def table(self) -> Table:
        """Lower and upper edge of each bin, and the share of each set's images in it."""
        edges = self._edges()
        known = {name: 100 * _shares(values, edges) for name, values in self._values.items() if values.size}
        titles = [f"{title}, %" for name, title, *_ in _SETS if name in known]
        columns = [edges[:-1], edges[1:], *(known[name] for name, *_ in _SETS if name in known)]
        rows: list[list[Cell]] = np.stack(columns, axis=1).tolist() if known else []
        return ["loss from", "loss to", *titles], rows

    def extra_labels(self) -> list[MarginLabel]:
        labels = []
        for name, title, token, symbol in _SETS:
            values = self._values[name]
            if values.size:
                height = 100 * float(_shares(values, self._edges()).max())
                labels.append(MarginLabel(name, title, height, token, symbol))
        return labels

    def clear(self) -> None:
        self.set_losses([], [])
        super().clear()

    def _describe(self) -> None:
        forget, unseen, common = self._values["forget"], self._values["unseen"], self.overlap()
        if common is None:
            describe(self.canvas, "no values yet")
            return
        describe(
            self.canvas,
            f"median loss {fmt.decimal(float(np.median(forget)), 2)} on {fmt.plural(forget.size, 'forget image')}, "
            f"{fmt.decimal(float(np.median(unseen)), 2)} on {fmt.plural(unseen.size, 'unseen image')}; "
            f"overlap {fmt.percent(common)}",
        )

    def _follow_data(self) -> None:
        """The range comes from the bins."""

    def _edges(self) -> np.ndarray:
        both = np.concatenate(list(self._values.values()))
        if not both.size:
            return np.linspace(0.0, 1.0, BINS + 1)
        high = float(np.percentile(both, _TAIL))
        low = min(0.0, float(both.min()))
        return np.linspace(low, high if high > low else low + 1.0, BINS + 1)


def _finite(values: Sequence[float]) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    return array[np.isfinite(array)]


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return counts / max(values.size, 1)
