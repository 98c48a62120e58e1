"""The loss terms of the steps, each a curve, smoothed where asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtWidgets import QMenu, QWidget

from app.plots.base import ThemedPlot
from app.services import format as fmt
from app.services.tokens import BESIDE_DASH, RUN_SYMBOLS, SETS, SeriesStyle

_DASHES: tuple[tuple[int, ...], ...] = ((), (6, 3), (2, 3), (8, 3, 2, 3))
GAP_STEPS = 20
_SMOOTH_SHARE = 1 / 40  # of the points shown: the width of the moving mean


class LossPlot(ThemedPlot):
    """One curve for each term; terms of the retain and forget set keep those colours."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Loss terms", "Loss", parent, value_format=lambda value: fmt.decimal(value, 3))
        self._smooth = False

    def add(self, steps: Sequence[int], terms: Mapping[str, Sequence[float | None]]) -> None:
        """Append the terms of some steps; None where a term does not apply."""
        for name, values in terms.items():
            key = self._key(name)
            self.append(key, *self._with_gaps(key, steps, values))

    def set_term(self, name: str, steps: Sequence[int], values: Sequence[float | None]) -> None:
        """Replace the points of a term."""
        key = self._key(name)
        self.set_data(key, *self._with_gaps(key, steps, values, fresh=True))

    def set_beside(self, curves: Mapping[str, tuple[Sequence[int], Sequence[float | None]]]) -> None:
        """Show the terms of a second run, dashed; none take the second run away."""
        known = {series.key for series in self.all_series()}
        for name, (steps, values) in curves.items():
            key = f"beside/{name}"
            if key not in known:
                title = f"{name.replace('_', ' ').capitalize()}, 2nd"
                style = dataclasses.replace(self._style(name), dash=BESIDE_DASH, filled=False)
                self.add_series(key, style, title, thin=True).jagged = True
            self.set_data(key, *self._with_gaps(key, steps, values, fresh=True))
        for key in known:
            if key.startswith("beside/") and key.removeprefix("beside/") not in curves:
                self.set_data(key, [], [])

    def _key(self, name: str) -> str:
        """Return the key of a term's curve, which is made where there is none."""
        key = f"term/{name}"
        if key not in {series.key for series in self.all_series()}:
            self.add_series(key, self._style(name), name.replace("_", " ").capitalize()).jagged = True
        return key

    def _with_gaps(
        self, key: str, steps: Sequence[int], values: Sequence[float | None], fresh: bool = False
    ) -> tuple[list[float], list[float | None]]:
        # Terms that alternate from step to step are joined; one that pauses for a phase leaves a gap.
        buffer = self.series(key).buffer
        last = float(buffer.x[-1]) if len(buffer) and not fresh else None
        xs: list[float] = []
        ys: list[float | None] = []
        for step, value in zip(steps, values, strict=True):
            if value is None:
                continue
            if last is not None and step - last > GAP_STEPS:
                xs.append(last + 1)
                ys.append(None)
            xs.append(float(step))
            ys.append(value)
            last = float(step)
        return xs, ys

    def set_smooth(self, smooth: bool) -> None:
        """Draw the moving mean instead of every step."""
        self._smooth = smooth
        self.mark_dirty()

    def flush(self) -> None:
        super().flush()
        if self._smooth:
            for series in self.all_series():
                series.show(series.buffer.x, moving_mean(series.buffer.y))

    def add_menu_entries(self, menu: QMenu) -> None:
        action = menu.addAction("Smooth")
        action.setCheckable(True)
        action.setChecked(self._smooth)
        action.toggled.connect(self.set_smooth)
        menu.addSeparator()

    def _style(self, name: str) -> SeriesStyle:
        own = next((SETS[key] for key in SETS if key in name.lower()), None)
        same = sum(series.style.token == (own.token if own else "text_2") for series in self.all_series())
        dash = _DASHES[same % len(_DASHES)]
        if own is not None:
            return SeriesStyle(name, name, own.token, dash, own.symbol, own.filled, own.glyph)
        return SeriesStyle(name, name, "text_2", dash, RUN_SYMBOLS[same % len(RUN_SYMBOLS)])


def moving_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the neighbours that have a value; the width grows with the number of points."""
    width = max(1, int(len(values) * _SMOOTH_SHARE))
    if width < 2:
        return values
    kernel = np.ones(2 * width + 1)
    finite = np.isfinite(values)
    sums = np.convolve(np.where(finite, values, 0.0), kernel, mode="same")
    counts = np.convolve(finite.astype(float), kernel, mode="same")
    return np.where(finite, sums / np.maximum(counts, 1.0), np.nan)
