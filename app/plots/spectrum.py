"""Eigenspectra of retain and forget features on logarithmic axes: now bright, earlier ones faded."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.plots.base import ThemedPlot
from app.plots.export import Table, table_of
from app.plots.items import MarginLabel
from app.services import format as fmt
from app.services.accessibility import describe
from app.services.theme import theme
from app.services.tokens import SETS

EARLIER = 8
_LOWEST = 1e-9  # of the largest eigenvalue: below is the rounding of the decomposition
_FAINT, _FAINT_MOST = 0.10, 0.38


@dataclass(frozen=True)
class Spectrum:
    """One recorded pair of spectra, largest eigenvalue first."""

    step: float
    retain: np.ndarray
    forget: np.ndarray
    retain_rank: float | None = None
    forget_rank: float | None = None


class SpectrumPlot(ThemedPlot):
    """Holds all recorded spectra; `set_history_position` goes back to one."""

    history_changed = Signal(int)  # how many are recorded

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "Eigenspectra", "Eigenvalue, logarithmic", parent, x_title="Index", log=True,
            value_format=lambda value: f"{value:.2g}",
        )  # fmt: skip
        self._records: list[Spectrum] = []
        self._position: float | None = None
        self.item.setLogMode(x=True, y=True)
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
            self.series(key).item.setLogMode(True, True)

    def add(
        self,
        step: float,
        retain: Sequence[float],
        forget: Sequence[float],
        retain_rank: float | None = None,
        forget_rank: float | None = None,
    ) -> None:
        """Record one pair of spectra."""
        record = Spectrum(step, np.asarray(retain, float), np.asarray(forget, float), retain_rank, forget_rank)
        self._records.append(record)
        self.history_changed.emit(len(self._records))
        self.mark_dirty()

    def steps(self) -> list[float]:
        """Steps that have a spectrum, for a slider."""
        return [record.step for record in self._records]

    def set_history_position(self, step: float | None) -> None:
        """Show the spectrum at or before `step`; None is the newest and follows."""
        self._position = step
        self.mark_dirty()

    def shown(self) -> Spectrum | None:
        """The spectrum drawn bright."""
        end = self._end()
        return self._records[end - 1] if end else None

    def clear(self) -> None:
        self._records.clear()
        self._position = None
        self.history_changed.emit(0)
        super().clear()

    def flush(self) -> None:
        if not self._dirty:
            return
        now, end = self.shown(), self._end()
        for key in ("retain", "forget"):
            values = _positive(getattr(now, key)) if now is not None else np.empty(0)
            self.series(key).buffer.set(np.arange(1, len(values) + 1), values.tolist())
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

    def to_view(self, value: float) -> float:
        return float(np.log10(value)) if value > 0 else -12.0

    def restyle(self) -> None:
        super().restyle()
        if hasattr(self, "_earlier"):
            self._draw_earlier(self._records[: max(self._end() - 1, 0)])

    def readout(self, step: float) -> str:
        index = 10**step  # the axis is logarithmic
        parts = [f"index {fmt.count(round(index))}"]
        for key in ("retain", "forget"):
            value = self.series(key).at(round(index))
            if value is not None:
                parts.append(f"{self.series(key).title} {self.value_format(value)}")
        return " · ".join(parts)

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
        size = max((len(self.series(key).buffer) for key in ("retain", "forget")), default=0)
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

    def _draw_earlier(self, records: Sequence[Spectrum]) -> None:
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

    def _write_caption(self, now: Spectrum | None) -> None:
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


def _bounds(values: np.ndarray) -> tuple[float, float]:
    """Lowest and highest of the values drawn, as logarithms; infinite the wrong way round where there is none."""
    drawn = _positive(values)
    known = drawn[drawn > 0]
    return (float(np.log10(known.min())), float(np.log10(known.max()))) if known.size else (np.inf, -np.inf)


def _positive(values: np.ndarray) -> np.ndarray:
    """Values that have a logarithm; what is lost in rounding becomes a gap."""
    if not values.size:
        return values
    lowest = _LOWEST * float(np.nanmax(values))
    return np.where(values > max(lowest, 0.0), values, np.nan)
