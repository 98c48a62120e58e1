"""Eigenspectra of retain and forget features on logarithmic axes: now bright, earlier ones faded."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QWidget

from app.plots.base import ThemedPlot
from app.plots.export import Table, table_of
from app.plots.items import MarginLabel
from app.services import format as fmt
from app.services.accessibility import describe
from app.services.theme import theme
from app.services.tokens import OVERLAY_DASHES, SETS
from app.services.translation import tr
from app.workers.run_history import RunHistory, newest_until
from core.events import SpectrumMeasured

EARLIER = 8
_LOWEST = 1e-9  # of the largest eigenvalue: below is the rounding of the decomposition
_FAINT, _FAINT_MOST = 0.10, 0.38


class SpectrumPlot(ThemedPlot):
    """Holds all recorded spectra; `set_history_position` goes back to one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "Eigenspectra", "Eigenvalue, logarithmic", parent, x_title="Index", log=True,
            value_format=lambda value: f"{value:.2g}",
        )  # fmt: skip
        self._records: list[SpectrumMeasured] = []
        self._overlaid: tuple[RunHistory, ...] = ()
        self._position: float | None = None
        self.view.enableAutoRange(y=False)  # asking every curve for its bounds costs more than drawing them
        self._lowest, self._highest = np.inf, -np.inf  # of the earlier curves drawn, in the view's coordinates
        self._earlier: list[tuple[pg.PlotDataItem, pg.PlotDataItem]] = []
        self._drawn_earlier: tuple[object, ...] | None = None  # theme and steps of what those curves show
        for _ in range(EARLIER):
            pair = (pg.PlotDataItem(), pg.PlotDataItem())
            for item in pair:
                item.setLogMode(True, True)
                item.setZValue(-10)
                self.item.addItem(item, ignoreBounds=True)
            self._earlier.append(pair)
        for key in ("retain", "forget"):
            self.add_series(key, SETS[key])
            self.series(key).show_dot = False

    def show_history(self, history: RunHistory, mode: str, overlaid: Sequence[RunHistory] = ()) -> None:
        """Show the spectra of this history from now on, as it grows."""
        self._records, self._overlaid = history.spectra, tuple(overlaid)
        self._position = None
        self.mark_dirty()

    def steps(self) -> list[float]:
        """Steps that have a spectrum."""
        return [record.step for record in self._records]

    def set_history_position(self, step: float | None) -> None:
        """Show the spectrum at or before `step`; None is the newest and follows."""
        self._position = step
        self.mark_dirty()

    def shown(self) -> SpectrumMeasured | None:
        """The spectrum drawn bright."""
        end = self._end()
        return self._records[end - 1] if end else None

    def flush(self) -> None:
        if not self.dirty:
            return
        now, end = self.shown(), self._end()
        for key in ("retain", "forget"):
            values = _positive(getattr(now, key) if now is not None else ())
            self.series(key).set(np.arange(1, len(values) + 1), values)
        self._read_overlaid()
        self._draw_earlier(self._records[: max(end - 1, 0)])
        self._write_caption(now)
        super().flush()

    def table(self) -> Table:
        """The spectrum shown, and the earlier ones drawn faded, by step."""
        records = self._records[: self._end()]
        drawn = [records[place] for place in picks(max(len(records) - 1, 0))] + records[-1:]
        curves = [
            (f"{SETS[key].title}, step {record.step:g}", np.arange(1.0, len(values) + 1), values)
            for record in drawn
            for key in ("retain", "forget")
            if len(values := _positive(getattr(record, key)))
        ]
        return table_of("index", curves)

    def restyle(self) -> None:
        super().restyle()
        if hasattr(self, "_earlier"):
            self._draw_earlier(self._records[: max(self._end() - 1, 0)])

    def _update_labels(self) -> None:
        labels = []
        for key in ("retain", "forget"):
            series = self.series(key)
            last = series.last()
            if last is not None:  # the value of the last direction says nothing, so only the name
                style = series.style
                labels.append(MarginLabel(key, series.title, self.to_view(last[1]), style.token, style.symbol))
        self.margin.set_labels(labels)

    def _describe(self) -> None:
        describe(self.canvas, self.caption() or "no values yet")

    def _follow_data(self) -> None:
        size = max((len(self.series(key)) for key in ("retain", "forget")), default=0)
        self.view.setXRange(0.0, float(np.log10(max(size, 10))), padding=0.02)
        now = self.shown()
        low, high = self._lowest, self._highest
        for values in (now.retain, now.forget) if now is not None else ():
            low, high = min(low, _bounds(values)[0]), max(high, _bounds(values)[1])
        if low < high:
            self.view.setYRange(low, high, padding=0.04)

    def _end(self) -> int:
        if self._position is None:
            return len(self._records)
        return max(1, bisect_right(self.steps(), self._position)) if self._records else 0

    def _draw_earlier(self, records: Sequence[SpectrumMeasured]) -> None:
        picked = [records[place] for place in picks(len(records))]
        drawn = (theme.current.name, *(record.step for record in picked))
        if drawn == self._drawn_earlier:
            return
        self._drawn_earlier = drawn
        ends = [_bounds(values) for record in picked for values in (record.retain, record.forget)]
        self._lowest = min((low for low, _ in ends), default=np.inf)
        self._highest = max((high for _, high in ends), default=-np.inf)
        for number, pair in enumerate(self._earlier):
            record = picked[number] if number < len(picked) else None
            alpha = _FAINT + (_FAINT_MOST - _FAINT) * min(1.0, (number + 1) / max(len(picked), 1))
            for item, key in zip(pair, ("retain", "forget"), strict=True):
                if record is None:
                    item.hide()
                    continue
                values, pen = _positive(getattr(record, key)), theme.pen(SETS[key].token, 1, alpha=alpha)
                item.setData(np.arange(1, len(values) + 1), values, connect="finite", pen=pen)  # one pass for both
                item.show()

    def _read_overlaid(self) -> None:
        until = None if self._position is None else int(self._position)
        for name in [series.key for series in self.all_series() if "/" in series.key]:
            self.remove_series(name)
        for number, history in enumerate(self._overlaid):
            found = newest_until(history.spectra, until)
            for key in ("retain", "forget") if found is not None else ():
                style = dataclasses.replace(SETS[key], dash=OVERLAY_DASHES[number % len(OVERLAY_DASHES)], filled=False)
                title = tr("{curve} ({number})", curve=style.title, number=number + 2)
                series = self.add_series(f"{key}/{number}", style, title, thin=True)
                series.show_dot = False
                values = _positive(getattr(found, key))
                series.set(np.arange(1, len(values) + 1), values)

    def _write_caption(self, now: SpectrumMeasured | None) -> None:
        if now is None:
            self.set_caption("")
            return
        ranks = [
            f"{name} {fmt.decimal(rank, 1)}"
            for name, rank in (("retain", now.retain_rank), ("forget", now.forget_rank))
            if rank is not None
        ]
        effective = f" · effective rank: {', '.join(ranks)}" if ranks else ""
        self.set_caption(f"step {fmt.count(round(now.step))}{effective}")


def picks(count: int) -> list[int]:
    """Which of `count` earlier spectra are drawn: at most EARLIER, spread over all of them.

    The more there are, the more rarely the choice changes, so that a new spectrum seldom redraws the earlier ones.
    """
    stride = 1 << max(0, (count // EARLIER).bit_length() - 1)
    settled = count - count % stride
    if not settled:
        return []
    return sorted({round(place) for place in np.linspace(0, settled - 1, min(EARLIER, settled))})


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest of the values drawn, as logarithms; infinite the wrong way round where there is none."""
    drawn = _positive(values)
    known = drawn[drawn > 0]
    return (float(np.log10(known.min())), float(np.log10(known.max()))) if known.size else (np.inf, -np.inf)


def _positive(eigenvalues: Sequence[float]) -> np.ndarray:
    """Values that have a logarithm; what is lost in rounding becomes a gap."""
    values = np.asarray(eigenvalues, dtype=float)
    if not values.size:
        return values
    lowest = _LOWEST * float(np.nanmax(values))
    return np.where(values > max(lowest, 0.0), values, np.nan)
