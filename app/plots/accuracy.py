"""Retain and forget accuracy over the steps, in per cent, with references and intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from PySide6.QtWidgets import QMenu, QWidget

from app.plots.base import ThemedPlot
from app.plots.export import Table, table_of
from app.plots.items import Reference
from app.plots.series import Band
from app.services.theme import theme
from app.services.tokens import SETS

BAND_FROM = 2.0  # points: a narrower interval would only blur the line
Interval = tuple[float, float]
UNSEEN, SAMPLED = "Accuracy on unseen images, %", "Accuracy on a sample of unseen images, %"


class AccuracyPlot(ThemedPlot):
    """Two curves; the monitored training subset is thin and off until asked for. Values come in as 0..1."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Accuracy", UNSEEN, parent, y_range=(0.0, 100.0))
        self.view.setLimits(yMin=-6, yMax=106)
        for key in ("retain", "forget"):
            self.add_series(key, SETS[key])
            trained = dataclasses.replace(SETS[key], dash=(2, 2))
            self.add_series(f"{key}_train", trained, f"{SETS[key].title} (trained on)", thin=True)
            self.series(f"{key}_train").show_dot = False
            self.set_series_visible(f"{key}_train", False)
        self._bands = {key: Band(SETS[key], self.item, BAND_FROM) for key in ("retain", "forget")}
        theme.changed.connect(self._draw_bands)

    def set_mode(self, mode: str) -> None:
        """For "sample" the forget curve is the forget images themselves; "class" and "mixed" show unseen ones."""
        sample = mode == "sample"
        self.series("forget").title = "Forget images" if sample else "Forget"
        self.set_y_title("Accuracy, %" if sample else UNSEEN)
        self.mark_dirty()

    def say_sampled(self) -> None:
        """Say that the curves are of a part of the unseen images: numbers elsewhere are of all of them."""
        self.set_y_title(SAMPLED)

    def add(
        self,
        step: float,
        retain: float | None,
        forget: float | None,
        retain_train: float | None = None,
        forget_train: float | None = None,
        retain_interval: Interval | None = None,
        forget_interval: Interval | None = None,
    ) -> None:
        """Add one evaluation; None is a gap."""
        values = {"retain": retain, "forget": forget, "retain_train": retain_train, "forget_train": forget_train}
        for key, value in values.items():
            self.append(key, [step], [None if value is None else 100 * value])
        for key, interval in (("retain", retain_interval), ("forget", forget_interval)):
            self._bands[key].append(step, None if interval is None else (100 * interval[0], 100 * interval[1]))

    def set_reference_values(self, values: Mapping[str, tuple[float | None, float | None]]) -> None:
        """References by model key: (retain, forget) accuracy, 0..1."""
        references = [
            Reference(model, 100 * value, name)
            for model, pair in values.items()
            for name, value in zip(("retain", "forget"), pair, strict=True)
            if value is not None
        ]
        self.set_references(references)

    def show_training(self, shown: bool) -> None:
        """Show the monitored training subset."""
        for key in ("retain_train", "forget_train"):
            self.set_series_visible(key, shown)

    def table(self) -> Table:
        """The curves, and the ends of the intervals that are drawn around them."""
        curves = [(s.title, s.buffer.x, s.buffer.y) for s in self._shown()]
        for key, band in self._bands.items():
            if np.isfinite(band.buffer_low.y).any():
                title = self.series(key).title
                curves.append((f"{title}, low", band.buffer_low.x, band.buffer_low.y))
                curves.append((f"{title}, high", band.buffer_high.x, band.buffer_high.y))
        return table_of("step", curves)

    def clear(self) -> None:
        for band in self._bands.values():
            band.clear()
        super().clear()

    def flush(self) -> None:
        super().flush()
        self._draw_bands()

    def add_menu_entries(self, menu: QMenu) -> None:
        action = menu.addAction("Show accuracy on the training images")
        action.setCheckable(True)
        action.setChecked(self.series("retain_train").item.isVisible())
        action.toggled.connect(self.show_training)
        menu.addSeparator()

    def _draw_bands(self) -> None:
        for band in self._bands.values():
            band.draw()
