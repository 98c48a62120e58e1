"""What directions the features use: their energy in each retain direction, and the eigenvalues of their Gram matrices.

Of a run both are shown at one step, with those of its start beside them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from app.plots.base import ThemedPlot
from app.plots.curves import HistoryPlot, Line
from app.plots.export import Table
from app.plots.items import Y_PADDING, MarginLabel
from app.services import format as fmt
from app.services.theme import theme
from app.services.tokens import SETS, SeriesStyle
from app.services.translation import mark, tr
from app.workers.run_history import RunHistory, newest_until
from core.events import FeaturesMoved, SpectrumMeasured

Values = NDArray[np.float64]

MOST_BARS = 10  # directions with bars of their own; further ones of the k share one
_LOWEST, _LOWEST_RATIO = 1e-9, 1e-6  # of the largest eigenvalue: below is rounding, and of ratios noise
_WIDTH = 0.38
_PLACES = {"retain": -_WIDTH / 2, "forget": _WIDTH / 2}  # of a set's bar beside its direction
EIGENVALUES = mark("Eigenvalues")
LOGARITHMIC = mark("Eigenvalue, logarithmic")
RATIO = mark("Ratio to the start")


class EnergyPlot(ThemedPlot):
    """Bars: the share of retain and of forget energy in each of the k leading retain directions, and beyond them."""

    def __init__(self) -> None:
        super().__init__(
            tr("Energy"), tr("Share of each set's energy in each retain direction, %"), y_range=(0.0, 100.0),
            x_title=tr("Direction"),
        )  # fmt: skip
        self._history = RunHistory()
        self._until: int | None = None
        self._shares: dict[tuple[str, str], Values] = {}  # by set and moment: (groups,), in per cent
        self._names: list[str] = []
        self._bars = {(key, moment): pg.BarGraphItem(x=[], height=[], width=_WIDTH)
                      for moment in ("now", "start") for key in _PLACES}  # fmt: skip
        for bars in self._bars.values():
            self.item.addItem(bars)
        self.view.setMouseEnabled(x=False, y=False)

    def show_history(self, history: RunHistory, until: int | None) -> None:
        """Show the energies of this history at a step (None: the newest) beside those of its start, as it grows."""
        self._history, self._until = history, until
        self.mark_dirty()

    def _read(self) -> None:
        history = self._history
        k = history.alignments[-1].k if history.alignments else 0
        self._names, self._shares = _group_names(k), {}
        for moment, step in (("start", 0), ("now", self._until)) if history.spectra and k else ():
            spectrum = newest_until(history.spectra, step) or history.spectra[0]
            moved = newest_until(history.moved, spectrum.step)
            if isinstance(moved, FeaturesMoved) and moved.forget_energy:
                retain = np.asarray(spectrum.retain, float)
                self._shares["retain", moment] = _grouped(retain / max(float(retain.sum()), 1e-30), k)
                self._shares["forget", moment] = _grouped(np.asarray(moved.forget_energy, float), k)
        for (key, moment), bars in self._bars.items():
            shares, token = self._shares.get((key, moment), np.empty(0)), SETS[key].token
            bars.setOpts(
                x=np.arange(1, len(shares) + 1) + _PLACES[key], height=shares,
                brush=theme.brush(token, 0.75) if moment == "now" else None,
                pen=theme.pen(token, 1) if moment == "now" else theme.pen("text", 1, (3, 2)),
            )  # fmt: skip
        self.bottom_axis.setTicks([list(enumerate(self._names, 1))])
        self.set_caption(self._words(k))

    def _fit_values(self) -> None:
        highest = max((float(shares.max()) for shares in self._shares.values()), default=0.0)
        self.view.setYRange(0.0, min(100.0, 20.0 * np.ceil((highest + 2) / 20)), padding=Y_PADDING)
        self.view.setXRange(0.4, max(len(self._names), 1) + 0.6, padding=0.0)

    def table(self) -> Table:
        """A row a group of directions: each set's share at the start and now."""
        header = ["direction", *(f"{SETS[key].title}, {moment}, %" for key, moment in self._shares)]
        columns = [shares.tolist() for shares in self._shares.values()]
        return header, [[name, *values] for name, *values in zip(self._names, *columns, strict=False)]

    def readout(self, step: float) -> str:
        number = round(step) - 1
        if not 0 <= number < len(self._names) or not self._shares:
            return self.caption()
        parts = [tr("direction {name}", name=self._names[number])]
        for key in _PLACES:
            known = [self._shares.get((key, moment)) for moment in ("start", "now")]
            values = [fmt.decimal(float(shares[number]), 1) for shares in known if shares is not None]
            parts.append(f"{SETS[key].title} {' → '.join(values)} %")
        return " · ".join(parts)

    def extra_labels(self) -> list[MarginLabel]:
        now = {key: float(shares[-1]) for (key, moment), shares in self._shares.items() if moment == "now"}
        return [MarginLabel(key, f"{SETS[key].title} {fmt.decimal(share, 1)}", share, SETS[key])
                for key, share in now.items()]  # fmt: skip

    def _words(self, k: int) -> str:
        """Say how much lies beyond the k directions: what forgetting moves into them."""
        beyond = {key: fmt.decimal(float(shares[-1]), 1) for key, shares in self._shares.items()}
        if ("forget", "start") not in beyond or ("forget", "now") not in beyond:
            return ""
        return tr("Beyond the {k} retain directions: forget {start} % at the start (dashed), {now} % now; retain "
                  "{retain_start} % and {retain_now} %", k=fmt.count(k), start=beyond["forget", "start"],
                  now=beyond["forget", "now"], retain_start=beyond["retain", "start"],
                  retain_now=beyond["retain", "now"])  # fmt: skip

    def _description(self) -> str:
        return self.caption()

    def _follow_data(self) -> None:
        """The ranges come from the bars."""


class EigenvaluePlot(HistoryPlot):
    """Eigenvalues over their index on logarithmic axes, largest first, a curve a set or a model; or their ratios."""

    labels_say_values = False  # that of the last direction says nothing

    def __init__(self, title: str, styles: Mapping[str, tuple[SeriesStyle, str]]) -> None:
        super().__init__(title, tr(LOGARITHMIC), x_title=tr("Index"), log=True, value_format="{:.2g}".format)
        for key, (style, name) in styles.items():
            self.add_series(key, style, name).show_dot = False

    def set_values(self, key: str, values: Sequence[float]) -> None:
        """Show a curve's eigenvalues; what is lost in rounding is a gap."""
        self.set_data(key, *_by_index(_positive(values, _LOWEST)))

    def _description(self) -> str:
        return self.caption()

    def _follow_data(self) -> None:
        size = max((len(series) for series in self.all_series()), default=0)
        self.view.setXRange(0.0, self.to_view(float(max(size, 10))), padding=0.02)


class SpectrumPlot(EigenvaluePlot):
    """A run's eigenvalues at one step over those of its start, or as ratios to them; other runs dashed."""

    def __init__(self) -> None:
        super().__init__(tr(EIGENVALUES), {})
        self._until: int | None = None
        self._ratio = False

    def show_spectra(
        self, history: RunHistory, until: int | None, ratio: bool, overlaid: Sequence[RunHistory] = ()
    ) -> None:
        """Show this history at a step (None: the newest), as it grows; `ratio`: to each run's own start."""
        self._until, self._ratio = until, ratio
        self.set_title(tr(RATIO if ratio else EIGENVALUES))
        self.set_y_title(tr("Eigenvalue by that of the start, logarithmic") if ratio else tr(LOGARITHMIC))
        self.show_history(history, "", overlaid)

    def lines_of(self, history: RunHistory) -> list[Line]:
        """Both sets at the step, and of the run itself at the start."""
        first, now = self._start_and_now(history)
        if first is None or now is None:
            return []
        lines, starts = [], []
        for key in _PLACES:
            values, title = _positive(getattr(now, key), _LOWEST_RATIO if self._ratio else _LOWEST), SETS[key].title
            start = _positive(getattr(first, key), _LOWEST_RATIO if self._ratio else _LOWEST)
            if self._ratio:
                size = min(len(values), len(start))
                values, start = values[:size] / start[:size], np.empty(0)
            lines.append(Line(key, SETS[key], title, _by_index(values), dot=False))
            style = dataclasses.replace(SETS[key], dash=(8, 4), filled=False)
            starts.append(Line(f"{key}/start", style, tr("{curve}, start", curve=title), _by_index(start), dot=False))
        return lines + starts * (history is self._history)

    def _read(self) -> None:
        super()._read()
        first, now = self._start_and_now(self._history)
        self.set_caption(_ranks(first, now) if first is not None and now is not None else "")

    def _start_and_now(self, history: RunHistory | None) -> tuple[SpectrumMeasured | None, SpectrumMeasured | None]:
        spectra = history.spectra if history is not None else []
        first = spectra[0] if spectra else None
        return first, newest_until(spectra, self._until) or first


def _grouped(shares: Values, k: int) -> Values:
    """Return shares in per cent: of each of the first directions, of the rest of the k together, and beyond them."""
    own = min(k, MOST_BARS)
    groups = [*shares[:own], *([shares[own:k].sum()] if k > own else []), max(0.0, 1.0 - float(shares[:k].sum()))]
    return 100 * np.asarray(groups, float)


def _group_names(k: int) -> list[str]:
    own = min(k, MOST_BARS)
    middle = [f"{own + 1}–{k}"] if k > own else []
    return [*(str(number) for number in range(1, own + 1)), *middle, tr("beyond")] if k else []


def _by_index(values: Values) -> tuple[Values, Values]:
    return np.arange(1.0, len(values) + 1), values


def _ranks(start: SpectrumMeasured, now: SpectrumMeasured) -> str:
    """Say the step and the effective ranks, at the start and now."""
    ranks = [
        f"{SETS[key].title} {fmt.decimal(getattr(start, f'{key}_rank'), 1)} → "
        f"{fmt.decimal(getattr(now, f'{key}_rank'), 1)}"
        for key in _PLACES
    ]
    return tr("step {step} · effective rank: {ranks}", step=fmt.count(now.step), ranks=", ".join(ranks))


def _positive(eigenvalues: Sequence[float], lowest: float) -> Values:
    """Return values with a gap where one is below this share of the largest."""
    values = np.asarray(eigenvalues, float)
    if not values.size:
        return values
    return np.where(values > max(lowest * float(np.nanmax(values)), 0.0), values, np.nan)
