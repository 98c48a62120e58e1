"""What directions the features use: their energy in each retain direction, and the eigenvalues of their Gram matrices.

Of a run both are shown at one step, with those of its start beside them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtWidgets import QWidget

from app.plots.base import ThemedPlot
from app.plots.export import Cell, Table
from app.plots.items import Y_PADDING, MarginLabel
from app.services import format as fmt
from app.services.accessibility import describe
from app.services.theme import theme
from app.services.tokens import OVERLAY_DASHES, SETS, SeriesStyle
from app.services.translation import mark, tr
from app.workers.run_history import RunHistory, newest_until
from core.events import FeaturesMoved, SpectrumMeasured

Values = NDArray[np.float64]

MOST_BARS = 10  # directions with bars of their own; further ones of the k share one
_LOWEST, _LOWEST_RATIO = 1e-9, 1e-6  # of the largest eigenvalue: below is rounding, and of ratios noise
_WIDTH = 0.38
EIGENVALUES = mark("Eigenvalues")
LOGARITHMIC = mark("Eigenvalue, logarithmic")
RATIO = mark("Ratio to the start")


class EnergyPlot(ThemedPlot):
    """Bars: the share of retain and of forget energy in each of the k leading retain directions, and beyond them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            tr("Energy"), tr("Share of each set's energy in each retain direction, %"), parent, y_range=(0.0, 100.0),
            x_title=tr("Direction"), value_format=lambda value: fmt.decimal(value, 1),
        )  # fmt: skip
        self._history = RunHistory()
        self._until: int | None = None
        self._k = 0
        self._shares: dict[tuple[str, str], Values] = {}  # by set and moment: (groups,), in per cent
        self._names: list[str] = []
        self._bars: dict[tuple[str, str], pg.BarGraphItem] = {}
        for moment in ("now", "start"):
            for place, key in ((-_WIDTH / 2, "retain"), (_WIDTH / 2, "forget")):
                bars = pg.BarGraphItem(x=[], height=[], width=_WIDTH)
                bars.place = place
                self._bars[key, moment] = bars
                self.item.addItem(bars)
        self.view.setMouseEnabled(x=False, y=False)
        self.restyle()

    def show_history(self, history: RunHistory, until: int | None) -> None:
        """Show the energies of this history at a step (None: the newest) beside those of its start, as it grows."""
        self._history, self._until = history, until
        self.mark_dirty()

    def _read(self) -> None:
        history = self._history
        self._k = history.alignments[-1].k if history.alignments else 0
        self._names, self._shares = _group_names(self._k), {}
        for moment, step in (("start", 0), ("now", self._until)) if history.spectra and self._k else ():
            spectrum = newest_until(history.spectra, step) or history.spectra[0]
            moved = newest_until(history.moved, spectrum.step)
            if isinstance(moved, FeaturesMoved) and moved.forget_energy:
                retain = np.asarray(spectrum.retain, float)
                self._shares["retain", moment] = _grouped(retain / max(float(retain.sum()), 1e-30), self._k)
                self._shares["forget", moment] = _grouped(np.asarray(moved.forget_energy, float), self._k)
        for key, bars in self._bars.items():
            shares = self._shares.get(key, np.empty(0))
            bars.setOpts(x=np.arange(1, len(shares) + 1) + bars.place, height=shares)
        self.bottom_axis.setTicks([list(enumerate(self._names, 1))])
        self.set_caption(self._words())

    def _fit_values(self) -> None:
        highest = max((float(shares.max()) for shares in self._shares.values() if len(shares)), default=0.0)
        self.view.setYRange(0.0, min(100.0, 20.0 * np.ceil((highest + 2) / 20)), padding=Y_PADDING)
        self.view.setXRange(0.4, max(len(self._names), 1) + 0.6, padding=0.0)

    def table(self) -> Table:
        """A row a group of directions: each set's share at the start and now."""
        header = ["direction", *(f"{SETS[key].title}, {moment}, %" for key, moment in self._shares)]
        rows: list[list[Cell]] = [
            [name, *(float(shares[number]) for shares in self._shares.values())]
            for number, name in enumerate(self._names)
        ]
        return header, rows

    def readout(self, step: float) -> str:
        number = round(step) - 1
        if not 0 <= number < len(self._names) or not self._shares:
            return self.caption()
        parts = [tr("direction {name}", name=self._names[number])]
        for key in ("retain", "forget"):
            known = {moment: self._shares.get((key, moment)) for moment in ("start", "now")}
            values = [fmt.decimal(float(shares[number]), 1) for shares in known.values() if shares is not None]
            parts.append(f"{SETS[key].title} {' → '.join(values)} %")
        return " · ".join(parts)

    def extra_labels(self) -> list[MarginLabel]:
        return [
            MarginLabel(key, f"{SETS[key].title} {fmt.decimal(float(shares[-1]), 1)}", float(shares[-1]),
                        SETS[key].token, SETS[key].symbol)
            for key in ("retain", "forget")
            if (shares := self._shares.get((key, "now"))) is not None
        ]  # fmt: skip

    def restyle(self) -> None:
        super().restyle()
        for (key, moment), bars in getattr(self, "_bars", {}).items():
            if moment == "now":
                bars.setOpts(brush=theme.brush(SETS[key].token, 0.75), pen=theme.pen(SETS[key].token, 1))
            else:
                bars.setOpts(brush=None, pen=theme.pen("text", 1, (3, 2)))

    def _words(self) -> str:
        """Say how much lies beyond the k directions: what forgetting moves into them."""
        beyond = {key: fmt.decimal(float(shares[-1]), 1) for key, shares in self._shares.items()}
        if ("forget", "start") not in beyond or ("forget", "now") not in beyond:
            return ""
        return tr("Beyond the {k} retain directions: forget {start} % at the start (dashed), {now} % now; retain "
                  "{retain_start} % and {retain_now} %", k=fmt.count(self._k), start=beyond["forget", "start"],
                  now=beyond["forget", "now"], retain_start=beyond["retain", "start"],
                  retain_now=beyond["retain", "now"])  # fmt: skip

    def _describe(self) -> None:
        describe(self.canvas, self.caption() or tr("no values yet"))

    def _follow_data(self) -> None:
        """The ranges come from the bars."""


class EigenvaluePlot(ThemedPlot):
    """Eigenvalues over their index on logarithmic axes, largest first, a curve a set or a model; or their ratios."""

    def __init__(
        self, title: str, styles: Mapping[str, tuple[SeriesStyle, str]], parent: QWidget | None = None
    ) -> None:
        super().__init__(
            title, tr(LOGARITHMIC), parent, x_title=tr("Index"), log=True,
            value_format=lambda value: f"{value:.2g}",
        )  # fmt: skip
        for key, (style, name) in styles.items():
            self.add_series(key, style, name).show_dot = False

    def set_values(self, key: str, values: Sequence[float], start: Sequence[float] | None = None) -> None:
        """Show a curve's eigenvalues, or with `start` their ratios to these; what is lost in rounding is a gap."""
        self._put(key, values, start)
        self.mark_dirty()

    def _put(self, key: str, values: Sequence[float], start: Sequence[float] | None) -> None:
        drawn = _positive(values, _LOWEST if start is None else _LOWEST_RATIO)
        if start is not None:
            size = min(len(drawn), len(start))
            drawn = drawn[:size] / _positive(start, _LOWEST_RATIO)[:size]
        self.series(key).set(np.arange(1, len(drawn) + 1), drawn)

    def _update_labels(self) -> None:
        labels = []
        for series in self._shown():
            last = series.last()
            if last is not None:  # the value of the last direction says nothing, so only the name
                style = series.style
                labels.append(MarginLabel(series.key, series.title, self.to_view(last[1]), style.token, style.symbol,
                                          style.filled, style.dash))  # fmt: skip
        self.margin.set_labels(labels)

    def _describe(self) -> None:
        describe(self.canvas, self.caption() or tr("no values yet"))

    def _follow_data(self) -> None:
        size = max((len(series) for series in self.all_series()), default=0)
        self.view.setXRange(0.0, self.to_view(float(max(size, 10))), padding=0.02)


class SpectrumPlot(EigenvaluePlot):
    """A run's eigenvalues at one step over those of its start, or as ratios to them; other runs dashed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        styles = {key: (SETS[key], SETS[key].title) for key in ("retain", "forget")}
        for key in ("retain", "forget"):
            title = tr("{curve}, start", curve=SETS[key].title)
            styles[f"{key}/start"] = (dataclasses.replace(SETS[key], dash=(8, 4), filled=False), title)
        super().__init__(tr(EIGENVALUES), styles, parent)
        self._history = RunHistory()
        self._overlaid: tuple[RunHistory, ...] = ()
        self._until: int | None = None
        self._ratio = False

    def show_history(
        self, history: RunHistory, until: int | None, ratio: bool, overlaid: Sequence[RunHistory] = ()
    ) -> None:
        """Show this history at a step (None: the newest), as it grows; `ratio`: to each run's own start."""
        self._history, self._until, self._ratio, self._overlaid = history, until, ratio, tuple(overlaid)
        self.set_title(tr(RATIO if ratio else EIGENVALUES))
        self.set_y_title(tr("Eigenvalue by that of the start, logarithmic") if ratio else tr(LOGARITHMIC))
        self.mark_dirty()

    def _read(self) -> None:
        for name in [series.key for series in self.all_series() if series.key[-1].isdigit()]:
            self.remove_series(name)
        now = self._read_run(self._history, "")
        first = self._history.spectra[0] if now is not None else None
        for key in ("retain", "forget"):
            self._put(f"{key}/start", getattr(first, key) if first is not None and not self._ratio else (), None)
        for number, history in enumerate(self._overlaid):
            for key in ("retain", "forget"):
                style = dataclasses.replace(SETS[key], dash=OVERLAY_DASHES[number % len(OVERLAY_DASHES)], filled=False)
                title = tr("{curve} ({number})", curve=style.title, number=number + 2)
                self.add_series(f"{key}/{number}", style, title, thin=True).show_dot = False
            self._read_run(history, f"/{number}")
        self.set_caption(_ranks(first, now) if first is not None and now is not None else "")

    def _read_run(self, history: RunHistory, suffix: str) -> SpectrumMeasured | None:
        """Take a run's eigenvalues into its curves; returns what was measured."""
        spectra = history.spectra
        now: SpectrumMeasured | None = newest_until(spectra, self._until) or (spectra[0] if spectra else None)
        for key in ("retain", "forget"):
            start = getattr(spectra[0], key) if now is not None and self._ratio else None
            self._put(f"{key}{suffix}", getattr(now, key) if now is not None else (), start)
        return now


def _grouped(shares: Values, k: int) -> Values:
    """Return shares in per cent: of each of the first directions, of the rest of the k together, and beyond them."""
    own = min(k, MOST_BARS)
    groups = [*shares[:own], *([shares[own:k].sum()] if k > own else []), max(0.0, 1.0 - float(shares[:k].sum()))]
    return 100 * np.asarray(groups, float)


def _group_names(k: int) -> list[str]:
    own = min(k, MOST_BARS)
    middle = [f"{own + 1}–{k}"] if k > own else []
    return [*(str(number) for number in range(1, own + 1)), *middle, tr("beyond")] if k else []


def _ranks(start: SpectrumMeasured, now: SpectrumMeasured) -> str:
    """Say the step and the effective ranks, at the start and now."""
    ranks = [
        f"{SETS[key].title} {fmt.decimal(getattr(start, f'{key}_rank'), 1)} → "
        f"{fmt.decimal(getattr(now, f'{key}_rank'), 1)}"
        for key in ("retain", "forget")
    ]
    return tr("step {step} · effective rank: {ranks}", step=fmt.count(now.step), ranks=", ".join(ranks))


def _positive(eigenvalues: Sequence[float], lowest: float) -> Values:
    """Return values with a gap where one is below this share of the largest."""
    values = np.asarray(eigenvalues, float)
    if not values.size:
        return values
    return np.where(values > max(lowest * float(np.nanmax(values)), 0.0), values, np.nan)
