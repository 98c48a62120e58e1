"""Alignment of the forget features with the retain space, at k and for all k; for single images their losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyqtgraph as pg

from app.plots.base import ThemedPlot
from app.plots.curves import ALIGNMENT, SHARE, ValuePlot
from app.plots.export import Table
from app.plots.group import Switched
from app.plots.items import MarginLabel, Reference
from app.services import format as fmt
from app.services.theme import theme
from app.services.tokens import MODELS, SeriesStyle
from app.services.translation import mark, tr
from app.workers.run_history import RunHistory, newest_until
from core.verify.numbers import percent

FLOOR = SeriesStyle("floor", mark("Random"), "text_3", (1, 3), "o", False, "○")
GOAL = mark("the goal is the retrained value, not 1")
BINS = 40
_LEAST = 1e-6  # of the losses on the axis: below, a model is certain
_SETS = {"forget": SeriesStyle("forget", mark("Forget images"), "forget", (), "t1"),
         "unseen": SeriesStyle("unseen", mark("Unseen images"), "text_2")}  # fmt: skip
NO_ALIGNMENT = mark("Alignment compares whole classes. For single images it says nothing, so losses are shown instead.")


class AlignmentPlot(Switched):
    """A panel of three views. `at_k` belongs into the step group; all values are 0..1."""

    def __init__(self) -> None:
        self.at_k = ValuePlot()
        self.profile = ThemedPlot(tr(ALIGNMENT), tr(SHARE), y_range=(0.0, 1.0), x_title="k", value_format=fmt.alignment)
        for key in ("unlearned", "original", "retrained"):
            self.profile.add_series(key, MODELS[key], tr("Now") if key == "unlearned" else "").show_dot = False
        self.profile.add_series("floor", FLOOR, thin=True).show_dot = False
        views = (("at_k", tr("at k")), ("profile", tr("profile")))
        super().__init__((self.at_k, self.profile), views, tr("Alignment"))
        self.losses = HistogramPlot()
        self.addWidget(self.losses)
        self.chosen.connect(self.set_view)
        self._sample = False
        self._view = "at_k"
        self._history = RunHistory()

    def views(self) -> tuple[ThemedPlot, ThemedPlot, ThemedPlot]:
        """All three."""
        return self.at_k, self.profile, self.losses

    def show_history(self, history: RunHistory, mode: str, overlaid: Sequence[RunHistory] = ()) -> None:
        """Show a run; for "sample" losses instead, because alignment says nothing about single images."""
        self._history, self._sample = history, mode == "sample"
        self.at_k.show_history(history, mode, overlaid)
        self.set_view(self._view)

    def set_view(self, view: str) -> None:
        """Show "at_k" or "profile"."""
        self._view = view
        self.show_plot(view, self.losses if self._sample else self.profile if view == "profile" else self.at_k)

    def show_until(self, step: int | None) -> None:
        """Show profile or losses as they were at a step; None: the newest. Captions are written from them."""
        measured = newest_until(self._history.alignments, step)
        profile = measured.profile if measured is not None else ()
        self.set_profile("unlearned", profile)
        ks = np.arange(1, len(profile) + 1)
        # A random subspace of k directions holds sqrt(k / C) of a vector's length.
        self.profile.set_data("floor", ks, np.sqrt(ks / max(len(profile), 1)))
        meaning = floor = ""
        if measured is not None:
            text = describe_alignment(measured.k, measured.energy, measured.centred)
            meaning = f"{text} · {tr(GOAL)}"
            floor = f"{text} · {tr('random directions: {share}', share=fmt.alignment(measured.floor))}"
        self.at_k.set_caption(meaning)
        self.profile.set_caption(floor)
        if self._sample:
            measured = newest_until(self._history.evaluations, step)
            self.losses.set_losses(*((measured.forget_losses, measured.unseen_losses) if measured else ((), ())))

    def set_profile(self, model: str, profile: Sequence[float]) -> None:
        """Show a model's profile: the value at k = 1, 2, ..."""
        self.profile.set_data(model, np.arange(1, len(profile) + 1), profile)

    def set_reference_values(self, values: Mapping[str, float | None]) -> None:
        """References at k by model key."""
        self.at_k.set_references([Reference(key, value) for key, value in values.items() if value is not None])


def describe_alignment(k: int, energy: float | None, centred: bool) -> str:
    """What an alignment value is meaningless without: "k = 9 · 96 % of retain energy · not centred"."""
    share = tr("k = {k} · {share} of retain energy", k=k, share=percent(energy, places=0))
    return f"{share} · {tr('centred') if centred else tr('not centred')}"


class HistogramPlot(ThemedPlot):
    """Two outlined histograms of losses on a logarithmic axis; where they coincide, losses tell no set apart."""

    def __init__(self) -> None:
        super().__init__(tr("Loss on forget and on unseen images"), tr("Share of images, %"), x_title=tr("Loss"))
        self.log = (True, False)
        self.item.setLogMode(*self.log)
        self._values = {name: np.empty(0) for name in _SETS}
        self._items = {name: pg.PlotDataItem(stepMode="center", fillLevel=0) for name in _SETS}
        for item in self._items.values():
            self.item.addItem(item)
        self.set_caption(tr(NO_ALIGNMENT))
        self.view.setMouseEnabled(x=False, y=False)

    def set_losses(self, forget: Sequence[float], unseen: Sequence[float]) -> None:
        """Show the losses of single images."""
        self._values = {"forget": _finite(forget), "unseen": _finite(unseen)}
        self.mark_dirty()

    def overlap(self) -> float | None:
        """Share the two histograms have in common, 0..1; None without both."""
        _, shares = self._histograms()
        return float(np.minimum(*shares.values()).sum()) if len(shares) == len(_SETS) else None

    def _read(self) -> None:
        edges, shares = self._histograms()
        for name, item in self._items.items():
            item.setPen(theme.pen(_SETS[name].token))
            item.setFillBrush(theme.brush(_SETS[name].token, 0.18))
            item.setData(edges, 100 * shares.get(name, np.zeros(BINS)))
        self.view.setXRange(*np.log10(edges[[0, -1]]).tolist(), padding=0.02)

    def readout(self, step: float) -> str:
        return self._y_title_text

    def table(self) -> Table:
        """Lower and upper edge of each bin, and the share of each set's images in it."""
        edges, shares = self._histograms()
        columns = [edges[:-1], edges[1:], *(100 * share for share in shares.values())]
        header = ["loss from", "loss to", *(f"{_SETS[name].title}, %" for name in shares)]
        return header, np.stack(columns, axis=1).tolist() if shares else []

    def _update_labels(self) -> None:
        self.margin.set_labels([
            MarginLabel(name, tr(_SETS[name].title), 100 * float(shares.max()), _SETS[name])
            for name, shares in self._histograms()[1].items()
        ])  # fmt: skip

    def clear(self) -> None:
        self.set_losses([], [])
        super().clear()

    def _description(self) -> str:
        common = self.overlap()
        if common is None:
            return ""
        medians = [
            tr("{median} on {name} ({number})", median=fmt.decimal(float(np.median(values)), 2),
               name=tr(_SETS[name].title).lower(), number=fmt.count(values.size))
            for name, values in self._values.items()
        ]  # fmt: skip
        return tr("median loss {medians}; overlap {share}", medians=", ".join(medians), share=fmt.percent(common))

    def _follow_data(self) -> None:
        """The range comes from the bins."""

    def _histograms(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the edges of the bins, and of each set that has values its shares in them, 0..1."""
        known = {name: values.clip(_LEAST) for name, values in self._values.items() if values.size}
        both = np.concatenate([[1.0], *known.values()])[bool(known) :]
        low, high = both.min(), both.max()
        edges = np.geomspace(low, high if high > low else 10 * low, BINS + 1)
        edges[0] = low  # where it was rounded, the least loss would be outside
        return edges, {name: np.histogram(values, edges)[0] / values.size for name, values in known.items()}


def _finite(values: Sequence[float]) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    return array[np.isfinite(array)]
