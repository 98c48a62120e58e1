"""What becomes of a run's features: their map, their energy in each retain direction, their Gram matrices' eigenvalues.

All of them are shown at one step, with those of the start beside them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from app.plots.base import ThemedPlot
from app.plots.curves import HistoryPlot, Line
from app.plots.export import Table
from app.plots.feature_map import FeatureMapPlot
from app.plots.group import Switched
from app.plots.items import Y_PADDING
from app.services import format as fmt
from app.services.theme import theme
from app.services.tokens import SETS, SeriesStyle
from app.services.translation import mark, tr
from app.workers.run_history import RunHistory, newest_until
from core.events import FeaturesMoved, SpectrumMeasured

Values = NDArray[np.float64]

_LOWEST = 1e-9  # of the largest eigenvalue: below is rounding
_WIDTH = 0.38  # of a bar
EIGENVALUES = mark("Eigenvalues")
LOGARITHMIC = mark("Eigenvalue, logarithmic")


class EnergyPlot(HistoryPlot):
    """Bars: the share of retain and of forget energy in each of the k leading retain directions, and beyond them.

    Those of a step (None: the newest) stand over those of the start, dashed.
    """

    labels_say_values = False  # the caption says what lies beyond

    def __init__(self) -> None:
        super().__init__(
            tr("Energy"), tr("Share of each set's energy in each retain direction, %"), y_range=(0.0, 100.0),
            x_title=tr("Direction"),
        )  # fmt: skip
        self._k = 0  # how many leading retain directions are looked at
        keys = ("retain", "forget", "retain/start", "forget/start")
        self._bars = {key: pg.BarGraphItem(x=[], height=[], width=_WIDTH) for key in keys}
        for bars in self._bars.values():
            self.item.addItem(bars)
        self.view.setMouseEnabled(x=False, y=False)

    def lines_of(self, history: RunHistory) -> list[Line]:
        """Both sets now and at the start: shares in per cent by group of directions."""
        lines = []
        for moment, step in (("", self.until), ("/start", 0)) if history.spectra and self._k else ():
            spectrum = newest_until(history.spectra, step) or history.spectra[0]
            moved = newest_until(history.moved, spectrum.step)
            if isinstance(moved, FeaturesMoved) and moved.forget_energy:
                retain, forget = np.asarray(spectrum.retain, float), np.asarray(moved.forget_energy, float)
                shares = {"retain": retain / max(float(retain.sum()), 1e-30), "forget": forget}
                lines += [_line(f"{key}{moment}", _by_index(self._with_rest(shares[key]))) for key in SETS]
        return lines

    def _read(self) -> None:
        self._k = k = self._history.alignments[-1].k if self._history.alignments else 0
        super()._read()
        ticks = [*map(str, range(1, k + 1)), f"> {k}"] if k else []  # in words there would be no room for the last one
        self.bottom_axis.setTicks([list(enumerate(ticks, 1))])
        known = {series.key: series for series in self.all_series()}
        for key, bars in self._bars.items():
            series, start, token = known.get(key), "/" in key, key.partition("/")[0]
            bars.setVisible(series is not None and series.visible)
            if series is not None:
                series.item.setOpacity(0)  # bars in place of the curve
                bars.setOpts(
                    x=series.x + (_WIDTH / 2 if token == "forget" else -_WIDTH / 2), height=series.y,
                    brush=None if start else theme.brush(token, 0.75),
                    pen=theme.pen("text", 1, (3, 2)) if start else theme.pen(token, 1),
                )  # fmt: skip
        beyond = {key: fmt.decimal(float(series.y[-1]), 1) for key, series in known.items()}
        self.set_caption(tr("Beyond the {k} retain directions: forget {start} % at the start (dashed), {now} % now",
                            k=fmt.count(k), start=beyond["forget/start"], now=beyond["forget"])
                         if len(beyond) == len(self._bars) else "")  # fmt: skip

    def _fit_values(self) -> None:
        highest = max((float(series.y.max()) for series in self.all_series()), default=0.0)
        self.view.setYRange(0.0, min(100.0, 20.0 * np.ceil((highest + 2) / 20)), padding=Y_PADDING)
        self.view.setXRange(0.4, self._k + 1.6, padding=0.0)

    def table(self) -> Table:
        """A row a direction, and one of what is beyond them: each set's share now and at the start."""
        header, rows = super().table()
        return header, [[n if n != self._k + 1 else tr("beyond"), *shares] for n, *shares in rows]

    def readout(self, step: float) -> str:
        return super().readout(min(max(round(step), 1), self._k + 1))

    def _follow_data(self) -> None:
        """The ranges come from the bars."""

    def _with_rest(self, shares: Values) -> Values:
        """Return shares in per cent: of each of the k directions, and beyond them."""
        return 100 * np.append(shares[: self._k], max(0.0, 1.0 - float(shares[: self._k].sum())))


class EigenvaluePlot(ThemedPlot):
    """Eigenvalues over their index on logarithmic axes, largest first, a curve a set or a model."""

    labels_say_values = False  # that of the last direction says nothing

    def __init__(self, title: str, styles: Iterable[SeriesStyle]) -> None:
        super().__init__(title, tr(LOGARITHMIC), x_title=tr("Index"), log=(True, True), value_format="{:.2g}".format)
        for style in styles:
            self.add_series(style.key, style, style.short).show_dot = False

    def set_values(self, key: str, values: Sequence[float]) -> None:
        """Show a curve's eigenvalues; what is lost in rounding is a gap."""
        self.set_data(key, *_by_index(_positive(values)))

    def _follow_data(self) -> None:
        size = max((len(series) for series in self.all_series()), default=0)
        self.view.setXRange(0.0, self.to_view(float(max(size, 10))), padding=0.02)


class SpectrumPlot(EigenvaluePlot, HistoryPlot):
    """A run's eigenvalues at one step over those of its start; other runs dashed."""

    def __init__(self) -> None:
        super().__init__(tr(EIGENVALUES), ())

    def lines_of(self, history: RunHistory) -> list[Line]:
        """Both sets at the step, and of the run itself at the start."""
        first, now = self._start_and_now(history)
        moments = {"": now, "/start": first if history is self._history else None}
        return [
            _line(f"{key}{moment}", _by_index(_positive(getattr(spectrum, key))))
            for moment, spectrum in moments.items() if spectrum is not None for key in SETS
        ]  # fmt: skip

    def _read(self) -> None:
        super()._read()
        first, now = self._start_and_now(self._history)
        self.set_caption(_ranks(first, now) if first is not None and now is not None else "")

    def _start_and_now(self, history: RunHistory) -> tuple[SpectrumMeasured | None, SpectrumMeasured | None]:
        first = history.spectra[0] if history.spectra else None
        return first, newest_until(history.spectra, self.until) or first


def _line(key: str, points: tuple[Values, Values]) -> Line:
    """Return the curve of a set, "retain", or of its start, "retain/start", which is dashed."""
    style = SETS[key.partition("/")[0]]
    if key == style.key:
        return Line(key, style, points, dot=False)
    title = tr("{curve}, start", curve=style.title)
    return Line(key, dataclasses.replace(style, dash=(8, 4), filled=False), points, title, dot=False)


def _by_index(values: Values) -> tuple[Values, Values]:
    return np.arange(1.0, len(values) + 1), values


def _ranks(start: SpectrumMeasured, now: SpectrumMeasured) -> str:
    """Say the step and the effective ranks, at the start and now."""
    ranks = [
        f"{SETS[key].title} {fmt.decimal(getattr(start, f'{key}_rank'), 1)} → "
        f"{fmt.decimal(getattr(now, f'{key}_rank'), 1)}"
        for key in SETS
    ]
    return tr("step {step} · effective rank: {ranks}", step=fmt.count(now.step), ranks=", ".join(ranks))


def _positive(eigenvalues: Sequence[float]) -> Values:
    """Return values with a gap where one is lost in rounding."""
    values = np.asarray(eigenvalues, float)
    if not values.size:
        return values
    return np.where(values > max(_LOWEST * float(np.nanmax(values)), 0.0), values, np.nan)


NO_MAP = mark("This run recorded no feature map: an earlier version made it, or its network was trained from scratch.")
VIEWS = (("map", mark("Map")), ("energy", mark("Energy")), ("values", EIGENVALUES))
NO_ENERGY = mark("How much energy retain directions hold is recorded where whole classes are forgotten.")


class FeaturesPanel(Switched):
    """What becomes of the features of a run: the map, energies, eigenvalues; one of them at a time."""

    def __init__(self) -> None:
        self.map, self.energy, self.eigenvalues = FeatureMapPlot(), EnergyPlot(), SpectrumPlot()
        super().__init__(self.views(), [(key, tr(name)) for key, name in VIEWS], tr("Features"))
        self._history = RunHistory()
        self._overlaid: tuple[RunHistory, ...] = ()
        self._until: int | None = None
        self._show()

    def views(self) -> tuple[FeatureMapPlot, EnergyPlot, SpectrumPlot]:
        """All plots."""
        return self.map, self.energy, self.eigenvalues

    def show_history(self, history: RunHistory, mode: str, overlaid: Sequence[RunHistory] = ()) -> None:
        """Show a run, in the view that says most of what it recorded; the eigenvalues of other runs dashed."""
        if history is not self._history:
            self._history, self._until, self._wanted = history, None, ""
        self._overlaid = tuple(overlaid)
        self._show()

    def show_until(self, step: int | None) -> None:
        """Look back to a step; None is the newest and follows."""
        self._until = step
        self._show()

    def _show(self) -> None:
        """Show the view that was chosen, or the first that there is something for, and say why others are off."""
        history = self._history
        newest, off = history.moved[-1] if history.moved else None, dict[str, str]()
        if history.spectra and history.feature_map is None:
            off["map"] = tr(NO_MAP)
        if history.spectra and not (isinstance(newest, FeaturesMoved) and newest.forget_energy):
            off["energy"] = tr(NO_ENERGY)
        view = self._wanted if self._wanted not in ("", *off) else next(key for key, _ in VIEWS if key not in off)
        for switch in self._switches:
            for key in ("map", "energy"):
                switch.disable(key, off.get(key, ""))
        self.map.until = self.energy.until = self.eigenvalues.until = self._until
        self.map.show_history(history)
        self.energy.show_history(history, "")
        self.eigenvalues.show_history(history, "", self._overlaid)
        self.show_plot(view, dict(zip((key for key, _ in VIEWS), self.views(), strict=True))[view])
