"""What a run measures, read from its history: accuracies, alignment, losses; other runs over them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QSlider

from app.plots.base import ThemedPlot
from app.plots.group import Switched
from app.plots.items import Reference
from app.services import format as fmt
from app.services.theme import theme
from app.services.tokens import MODELS, OVERLAY_DASHES, RUN_SYMBOLS, SETS, TERM_STYLES, SeriesStyle
from app.services.translation import inside, mark, tr
from app.widgets.buttons import Segmented
from app.workers.run_history import ACCURACIES, RunHistory, newest_until
from core.verify.numbers import percent

ON = {  # whether the original has seen them, and whether they are some of all
    (False, False): mark("Accuracy on unseen images, %"),
    (False, True): mark("Accuracy on a sample of unseen images, %"),
    (True, False): mark("Accuracy on images seen before, %"),
    (True, True): mark("Accuracy on a sample of images seen before, %"),
}
NO_ACCURACY = mark("An encoder names no class, so there is no accuracy.")
ALIGNMENT, SHARE = mark("Dimensional alignment"), mark("Share of forget features inside the retain space")

_FLOORS = (0.98, 0.95, 0.9, 0.8, 0.5)  # where a scale up to 1 may begin

Points = tuple[NDArray[np.float64], NDArray[np.float64]]


class Line(NamedTuple):
    """A curve of a history as a plot draws it; without a title it has that of its style."""

    key: str
    style: SeriesStyle
    points: Points
    title: str = ""
    thin: bool = False
    jagged: bool = False
    dot: bool = True  # at its end


class HistoryPlot(ThemedPlot):
    """Draws what `lines_of` finds in a run's history, and in those of other runs dashed over it."""

    smooth = 0.0  # 1: a mean of the most steps over a faint line of all
    until: int | None = None  # the step that plots of one step show; None: the newest
    _history = RunHistory()
    _mode = ""
    _overlaid: tuple[RunHistory, ...] = ()

    def show_history(self, history: RunHistory, mode: str, overlaid: Sequence[RunHistory] = ()) -> None:
        """Show this history from now on, as it grows; `mark_dirty` says that it has grown."""
        self._history, self._mode, self._overlaid = history, mode, tuple(overlaid)
        self.mark_dirty()

    def lines_of(self, history: RunHistory) -> list[Line]:
        """Return the curves of one run."""
        raise NotImplementedError

    def _read(self) -> None:
        wanted = {line.key: line for line in self.lines_of(self._history)}
        for number, history in enumerate(self._overlaid):
            for line in self.lines_of(history):
                style = dataclasses.replace(
                    line.style, dash=OVERLAY_DASHES[number % len(OVERLAY_DASHES)], filled=False,
                    symbol=RUN_SYMBOLS[(number + 1) % len(RUN_SYMBOLS)],
                )  # fmt: skip
                title = tr("{curve} ({number})", curve=line.title or style.title, number=number + 2)
                wanted[f"{line.key}/{number}"] = line._replace(style=style, title=title, thin=True)
        for series in self.all_series():  # a term of another run may have had another colour
            if series.key not in wanted or series.style != wanted[series.key].style:
                self.remove_series(series.key)
        for key, line in wanted.items():
            series = self.add_series(key, line.style, thin=line.thin)
            series.title, series.jagged, series.show_dot = line.title or line.style.title, line.jagged, line.dot
            series.set(*line.points, self.smooth)


class AccuracyPlot(HistoryPlot):
    """Retain and forget accuracy, in per cent; the monitored training subset is thin and off until asked for."""

    trained_on = False  # accuracy on training images shows, too
    seen_before = False  # the test images were set aside from those that the original was trained on
    names_classes = True  # an encoder does not

    def __init__(self) -> None:
        super().__init__(tr("Accuracy"), tr(ON[False, False]), y_range=(0.0, 100.0))

    def lines_of(self, history: RunHistory) -> list[Line]:
        """Both sets on images the model was not trained on; for single images the forget images themselves."""
        sample, alone = self._mode == "sample", self._mode == "none"
        retain, forget, retain_train, forget_train = ACCURACIES
        found = [Line("retain", SETS["retain"], _with_truth(history, retain), tr("Accuracy") if alone else "")]
        if not alone:
            points = _with_truth(history, forget_train if sample else forget)
            found.append(Line("forget", SETS["forget"], points, tr("Forget images") if sample else ""))
        trained = {"retain": retain_train} if sample or alone else {"retain": retain_train, "forget": forget_train}
        for key, name in trained.items() if self.trained_on else ():
            style = dataclasses.replace(SETS[key], dash=(2, 2))
            title = tr("{curve} (trained on)", curve=style.title)
            found.append(Line(f"{key}_train", style, _per_cent(history, name), title, thin=True))
        return found

    def set_trained_on(self, on: bool) -> None:
        """Draw accuracy on the training images, too, or not."""
        self.trained_on = on
        self.mark_dirty()

    def add_menu_entries(self, menu: QMenu) -> None:
        super().add_menu_entries(menu)
        action = menu.addAction(tr("Show accuracy on the training images"))
        action.setCheckable(True)
        action.setChecked(self.trained_on)
        action.toggled.connect(self.set_trained_on)

    def set_reference_values(self, values: Mapping[str, tuple[float | None, float | None]]) -> None:
        """References by model key: (retain, forget) accuracy, 0..1."""
        self.set_references([
            Reference(model, 100 * value, name)
            for model, pair in values.items()
            for name, value in zip(SETS, pair, strict=True)
            if value is not None
        ])  # fmt: skip

    def _read(self) -> None:
        super()._read()
        full, newest = (events[-1:] for events in (self._history.full, self._history.evaluations))
        of_all, of_some = (sum(e.counts.get("retain_test", 0) for e in events) for events in (full, newest))
        title = ON[self.seen_before, 0 < of_some < of_all] if self.names_classes else NO_ACCURACY
        self.set_y_title(tr("Accuracy, %") if self._mode == "sample" else tr(title))


class ValuePlot(HistoryPlot):
    """The value at k over the steps, on a closer scale where all values are near 1, which the axis title then says."""

    def __init__(self) -> None:
        super().__init__(tr(ALIGNMENT), tr(SHARE), y_range=(0.0, 1.0), value_format=fmt.alignment)

    def lines_of(self, history: RunHistory) -> list[Line]:
        """The one curve there is."""
        return [Line("unlearned", MODELS["unlearned"], (history.alignment.steps, history.alignment.values), tr("Now"))]

    def _fit_values(self) -> None:
        known = [reference.value for reference in self._references]
        known += [float(np.nanmin(series.y)) for series in self._shown() if np.isfinite(series.y).any()]
        floor = next((floor for floor in _FLOORS if floor <= min(known, default=0.0)), 0.0)
        if self.y_range != (floor, 1.0):
            self.y_range = (floor, 1.0)
            if self.follow:
                self._fit_y()
            closer = tr("{what} · axis from {floor}", what=tr(SHARE), floor=fmt.brief(floor))
            self.set_y_title(closer if floor else tr(SHARE))


class LossPlot(HistoryPlot):
    """One curve for each term, each with a colour and a dash; terms of a set keep the set's colour."""

    def __init__(self) -> None:
        self._fitted = (0.0, 0.0)  # what the y axis shows, in the view's coordinates
        super().__init__(tr("Loss terms"), tr("Loss"), value_format=lambda value: fmt.decimal(value, 3))
        self.scale = Segmented((("linear", tr("Linear")), ("log", tr("Log", "a scale"))), tr("Scale of the losses"))
        self.scale.changed.connect(lambda scale: self.set_log(y=scale == "log"))
        self.smoothing = QSlider(Qt.Orientation.Horizontal)
        self.smoothing.setRange(0, 100)
        self.smoothing.setFixedWidth(theme.px(72))
        self.smoothing.setAccessibleName(tr("Smoothing of the loss curves"))
        self.smoothing.setToolTip(tr("Smoothing: a moving mean over the faint line of every step"))
        self.smoothing.valueChanged.connect(self._smoothing_moved)
        for widget in (self.smoothing, self.scale):
            self.add_head_widget(widget)

    def lines_of(self, history: RunHistory) -> list[Line]:
        """A curve a term, in the order in which they came."""
        lines = []
        for number, (name, curve) in enumerate(history.losses.items()):
            style = TERM_STYLES[number % len(TERM_STYLES)]
            of_set = next((SETS[key] for key in SETS if key in name.lower()), style)
            style, title = dataclasses.replace(of_set, dash=style.dash), name.replace("_", " ").capitalize()
            lines.append(Line(f"term/{name}", style, (curve.steps, curve.values), title, jagged=True))
        return lines

    def set_log(self, y: bool) -> None:
        super().set_log(y)
        self._fit_y()
        self._fit_values()  # now: until the next drawing the axis would be painted with values taken for exponents

    def _fit_y(self) -> None:
        self._fitted = (0.0, 0.0)

    def _fit_values(self) -> None:
        """Change the y axis where curves leave it or take less than half of it: each change paints all of it anew."""
        drawn = np.concatenate([[], *(series.drawn for series in self._shown())])
        known = drawn[np.isfinite(drawn) & (drawn > 0 if self.log[1] else True)]
        if self.follow and known.size:
            low, high = self.to_view(float(known.min())), self.to_view(float(known.max()))
            bottom, top = self._fitted
            if low < bottom or high > top or high - low < (top - bottom) / 2:
                room = max((high - low) / 8, 1e-9)
                self._fitted = (low - room, high + room)
                self.view.setYRange(*self._fitted, padding=0)

    def _smoothing_moved(self, value: int) -> None:
        self.smooth = value / 100
        self.mark_dirty()


def _per_cent(history: RunHistory, name: str) -> Points:
    curve = history.accuracies[name]
    return curve.steps, 100 * curve.values


def _with_truth(history: RunHistory, name: str) -> Points:
    """Return a curve whose ends are what was measured of all images and in full precision, where that was done."""
    steps, values = _per_cent(history, name)
    for event in history.full:
        truth, place = getattr(event, name), int(np.searchsorted(steps, event.step))
        if truth is None:
            continue
        if place < len(steps) and steps[place] == event.step:
            values[place] = 100 * truth
        elif place == len(steps) and place:
            steps, values = np.append(steps, event.step), np.append(values, 100 * truth)
    return steps, values


FLOOR = SeriesStyle("floor", mark("Random"), "text_3", (1, 3), "o", False, "○")
GOAL = mark("the goal is the retrained value, not 1")
BINS = 40
_LEAST = 1e-6  # of the losses on the axis: below, a model is certain
_SETS = {"forget": SeriesStyle("forget", mark("Forget images"), "forget", (), "t1"),
         "unseen": SeriesStyle("unseen", mark("Test images"), "text_2")}  # fmt: skip
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
        self._sample, self._history = False, RunHistory()

    def views(self) -> tuple[ThemedPlot, ThemedPlot, ThemedPlot]:
        """All three."""
        return self.at_k, self.profile, self.losses

    def show_history(self, history: RunHistory, mode: str, overlaid: Sequence[RunHistory] = ()) -> None:
        """Show a run; for "sample" losses instead, because alignment says nothing about single images."""
        self._history, self._sample = history, mode == "sample"
        self.at_k.show_history(history, mode, overlaid)
        self._show()

    def _show(self) -> None:
        profile = self._wanted == "profile"
        plot = self.losses if self._sample else self.profile if profile else self.at_k
        self.show_plot("profile" if profile else "at_k", plot)

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
        measured = newest_until(self._history.evaluations, step) if self._sample else None
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

    labels_say_values = False  # those of the last bin say nothing

    def __init__(self, title: str = "") -> None:
        super().__init__(title or tr("Loss on forget and on test images"), tr("Share of images, %"),
                         x_title=tr("Loss"), log=(True, False))  # fmt: skip
        self._values = {name: np.empty(0) for name in _SETS}
        for name, style in _SETS.items():
            series = self.add_series(name, style)
            series.show_dot = False
            series.item.setData(stepMode="right", fillLevel=0)
        self.set_caption(tr(NO_ALIGNMENT))
        self.view.setMouseEnabled(x=False, y=False)

    def set_losses(self, forget: Sequence[float], unseen: Sequence[float]) -> None:
        """Show the losses of single images."""
        given = {"forget": np.array(forget, float), "unseen": np.array(unseen, float)}
        self._values = {name: values[np.isfinite(values)] for name, values in given.items()}
        edges, shares = self._histograms()
        for name in _SETS:
            self.set_data(name, *((edges, np.append(100 * shares[name], 0.0)) if name in shares else ((), ())))

    def overlap(self) -> float | None:
        """Share the two histograms have in common, 0..1; None without both."""
        _, shares = self._histograms()
        return float(np.minimum(*shares.values()).sum()) if len(shares) == len(_SETS) else None

    def _read(self) -> None:
        for name, style in _SETS.items():
            self.series(name).item.setFillBrush(theme.brush(style.token, 0.18))

    def readout(self, step: float) -> str:
        return self._y_title_text

    def _description(self) -> str:
        common = self.overlap()
        if common is None:
            return ""
        medians = [
            tr("{median} on {name} ({number})", median=fmt.decimal(float(np.median(values)), 2),
               name=inside(_SETS[name].title), number=fmt.count(values.size))
            for name, values in self._values.items()
        ]  # fmt: skip
        return tr("median loss {medians}; overlap {share}", medians=", ".join(medians), share=fmt.percent(common))

    def _follow_data(self) -> None:
        edges, _ = self._histograms()
        self.view.setXRange(*np.log10(edges[[0, -1]]).tolist(), padding=0.02)

    def _histograms(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the edges of the bins, and of each set that has values its shares in them, 0..1."""
        known = {name: values.clip(_LEAST) for name, values in self._values.items() if values.size}
        both = np.concatenate([[1.0], *known.values()])[bool(known) :]
        low, high = both.min(), both.max()
        edges = np.geomspace(low, high if high > low else 10 * low, BINS + 1)
        edges[0] = low  # where it was rounded, the least loss would be outside
        return edges, {name: np.histogram(values, edges)[0] / values.size for name, values in known.items()}
