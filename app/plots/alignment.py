"""Alignment of the forget features with the retain space, at k and for all k; for single images their losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from app.plots.base import ThemedPlot
from app.plots.curves import ALIGNMENT, SHARE, ValuePlot
from app.plots.export import Cell, Table
from app.plots.items import MarginLabel, Reference
from app.services import format as fmt
from app.services.accessibility import describe
from app.services.theme import theme
from app.services.tokens import MODELS, SeriesStyle
from app.services.translation import tr
from app.widgets.buttons import Segmented
from app.workers.run_history import RunHistory, newest_until
from core.verify.numbers import percent

FLOOR = SeriesStyle("floor", "Random", "text_3", (1, 3), "o", False, "○")
MEANING = "higher = forget features lie more inside the retain space; the goal is the retrained value, not 1"
BINS = 40
_TAIL = 99.0  # per cent of the losses on the axis; the rest is in the last bin
_SETS = (("forget", "Forget images", "forget", "t1"), ("unseen", "Unseen images", "text_2", "o"))
NO_ALIGNMENT = (
    "Alignment compares whole classes. For single images it says nothing, so losses are shown instead."
)


class AlignmentPlot(QWidget):
    """A panel of three views. `at_k` belongs into the step group; all values are 0..1."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.at_k = ValuePlot()
        self.profile = ThemedPlot(tr(ALIGNMENT), tr(SHARE), y_range=(0.0, 1.0), x_title="k", value_format=fmt.alignment)
        for key in ("unlearned", "original", "retrained"):
            self.profile.add_series(key, MODELS[key], tr("Now") if key == "unlearned" else "").show_dot = False
        self.profile.add_series("floor", FLOOR, thin=True).show_dot = False
        self.losses = HistogramPlot()
        self._switches: list[Segmented] = []
        for plot in (self.at_k, self.profile):
            switch = Segmented((("at_k", tr("at k")), ("profile", tr("profile"))), tr("Alignment"))
            switch.changed.connect(self.set_view)
            plot.add_head_widget(switch)
            self._switches.append(switch)
        self._stack = QStackedWidget(self)
        for view in self.views():
            self._stack.addWidget(view)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._stack)
        self._sample = False
        self._view = "at_k"
        self._history = RunHistory()

    def views(self) -> tuple[ThemedPlot, ThemedPlot, ThemedPlot]:
        """All three."""
        return self.at_k, self.profile, self.losses

    @property
    def current(self) -> ThemedPlot:
        """The view that shows."""
        plot = self._stack.currentWidget()
        assert isinstance(plot, ThemedPlot)
        return plot

    def show_history(self, history: RunHistory, mode: str, overlaid: Sequence[RunHistory] = ()) -> None:
        """Show a run; for "sample" losses instead, because alignment says nothing about single images."""
        self._history, self._sample = history, mode == "sample"
        self.at_k.show_history(history, mode, overlaid)
        self._show()

    def set_view(self, view: str) -> None:
        """Show "at_k" or "profile"."""
        self._view = view
        for switch in self._switches:
            if switch.value() != view:
                switch.set_value(view)
        self._show()

    def show_until(self, step: int | None) -> None:
        """Show profile or losses as they were at a step; None: the newest. Captions are written from them."""
        measured = newest_until(self._history.alignments, step)
        profile = measured.profile if measured is not None else ()
        self.set_profile("unlearned", profile)
        ks = np.arange(1, len(profile) + 1)
        # A random subspace of k directions holds sqrt(k / C) of a vector's length.
        self.profile.set_data("floor", ks, np.sqrt(ks / max(len(profile), 1)))
        text = describe_alignment(measured.k, measured.energy, measured.centred) if measured is not None else ""
        self.at_k.set_caption(f"{text} · {MEANING}" if text else "")
        beside = f" · random directions: {fmt.alignment(measured.floor)}" if measured is not None else ""
        self.profile.set_caption(f"{text}{beside}")
        evaluation = newest_until(self._history.evaluations, step) if self._sample else None
        if evaluation is not None:
            self.losses.set_losses(evaluation.forget_losses, evaluation.unseen_losses)
        elif self._sample:
            self.losses.set_losses([], [])

    def set_profile(self, model: str, profile: Sequence[float]) -> None:
        """Show a model's profile: the value at k = 1, 2, ..."""
        self.profile.set_data(model, np.arange(1, len(profile) + 1), profile)

    def set_reference_values(self, values: Mapping[str, float | None]) -> None:
        """References at k by model key."""
        self.at_k.set_references([Reference(key, value) for key, value in values.items() if value is not None])

    def _show(self) -> None:
        plot = self.losses if self._sample else self.profile if self._view == "profile" else self.at_k
        self._stack.setCurrentWidget(plot)


def describe_alignment(k: int, energy: float | None, centred: bool) -> str:
    """What an alignment value is meaningless without: "k = 9 · 96 % of retain energy · not centred"."""
    return f"k = {k} · {percent(energy, places=0)} of retain energy · {'centred' if centred else 'not centred'}"


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
        if not self.dirty:
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
        if hasattr(self, "_items"):
            self.dirty = True
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
