"""The 2 × 2 of plots of one run: accuracy, features, alignment or losses, loss terms; other runs over them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QGridLayout, QWidget

from app.plots.curves import AccuracyPlot, AlignmentPlot, LossPlot
from app.plots.features import FeaturesPanel
from app.plots.group import DrawTurns, StepGroup
from app.plots.items import Phase
from app.services import tokens as t
from app.services.run_words import phase_of, seen_before
from app.services.theme import theme
from app.widgets.cards import Card
from app.workers.run_history import RunHistory, newest_until
from core.events import (
    AlignmentMeasured,
    Evaluation,
    Event,
    FeatureMap,
    FeaturesMoved,
    RunStarted,
    SpectrumMeasured,
    StepMetrics,
)

if TYPE_CHECKING:
    from app.pages.unlearn.markers import Marker
    from app.workers.live_run import LiveRun


ROW_HEIGHTS = (5, 4)  # the first row has the most names beside its curves
LEAST_HEIGHTS = (194, 150)  # of a row, so that eight names and four find room; below banners the page scrolls


class RunPlots(QWidget):
    """Draws a run's history. `show_run` takes another run, `add` says what it gained, `show_until` looks back."""

    def __init__(self) -> None:
        super().__init__()
        self.accuracy = AccuracyPlot()
        self.alignment = AlignmentPlot()
        self.features = FeaturesPanel()
        self.losses = LossPlot()
        self._by_step = (self.accuracy, self.alignment.at_k, self.losses)
        self.group = StepGroup(self._by_step, self)
        self._all = (self.accuracy, *self.features.views(), *self.alignment.views(), self.losses)
        self._turns = DrawTurns(self._all, self)
        self._cards: dict[QWidget, Card] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(theme.px(t.M))
        for number, plot in enumerate((self.accuracy, self.features, self.alignment, self.losses)):
            self._cards[plot] = card = Card(padding=t.M)
            card.body.addWidget(plot, 1)
            self._grid.addWidget(card, number // 2, number % 2)
        for place, height in enumerate(ROW_HEIGHTS):
            self._grid.setColumnStretch(place, 1)
            self._grid.setRowStretch(place, height)
            self._grid.setRowMinimumHeight(place, theme.px(LEAST_HEIGHTS[place]))
        self.history = RunHistory()
        self._overlaid: tuple[RunHistory, ...] = ()
        self._mode = "class"
        self._later = False  # a later request: it starts from another model than the original
        self.until: int | None = None  # the step looked back to; None shows the newest and follows
        self._markers: tuple[Marker, ...] = ()

    def show_run(self, run: LiveRun) -> None:
        """Show a run from its first event on."""
        self.history, self._mode = run.history, run.forget_mode
        self.until, self._markers = None, ()
        self.accuracy.seen_before = seen_before(run)
        job = run.job
        self._later = job is not None and bool(job.requests)
        self.accuracy.names_classes = self.features.map.has_head = job is None or bool(job.model.num_classes)
        about = f"run {run.id}" + (f", {job.method}, seed {job.seed}, {job.parameters}" if job else "")
        for plot in self._all:
            plot.provenance = about
            plot.clear()
        self._cards[self.features].setVisible(self._mode != "none")  # a training that leaves nothing out has neither
        self._cards[self.alignment].setVisible(self._mode != "none")
        self._show_histories()
        self._show_phases()
        self._show_markers()

    def add(self, events: Sequence[Event]) -> None:
        """The history has gained these; drawn where the newest is shown."""
        looked_at = partial(self.features.show_until, self.until), partial(self.alignment.show_until, self.until)
        for redraw, kinds in (
            (self.accuracy.mark_dirty, Evaluation | RunStarted),
            (self.alignment.at_k.mark_dirty, AlignmentMeasured | RunStarted),
            (self.losses.mark_dirty, StepMetrics | RunStarted),
            (looked_at[0], FeatureMap | FeaturesMoved | SpectrumMeasured | RunStarted),
            (looked_at[1], Evaluation | AlignmentMeasured),
        ):
            if any(isinstance(event, kinds) for event in events):
                redraw()
        if any(isinstance(e, Evaluation | AlignmentMeasured) and e.scope == "full" for e in events):
            self._show_markers()
        if any(isinstance(e, RunStarted) for e in events):
            self._show_phases()
            self._show_markers()

    def show_until(self, step: int | None) -> None:
        """Look back: all plots point to a step, spectra, profile and losses are those of it; None is the newest."""
        if step != self.until:
            self.until = step
            self._show_moment()

    def settle(self) -> None:
        """Nothing more comes: the step axis ends with the curves."""
        for plot in self._by_step:
            plot.x_most = None
            plot.mark_dirty()

    @property
    def recorded_steps(self) -> list[int]:
        """Steps at which something was measured, in any of the runs shown."""
        if not self._overlaid:
            return self.history.recorded_steps
        return sorted({step for history in (self.history, *self._overlaid) for step in history.recorded_steps})

    @property
    def last_overlaid(self) -> int:
        """The last step of the other runs."""
        return max((history.last for history in self._overlaid), default=0)

    def set_overlaid(self, runs: Sequence[LiveRun]) -> None:
        """Draw other runs dashed on the same axes."""
        self._overlaid = tuple(run.history for run in runs)
        self._show_histories()

    def set_markers(self, markers: Iterable[Marker]) -> None:
        """What earlier measurements say of other models, for the margins."""
        self._markers = tuple(markers)
        self._show_markers()

    # ---- parts

    def _show_histories(self) -> None:
        for plot in (self.accuracy, self.alignment, self.features, self.losses):
            plot.show_history(self.history, self._mode, self._overlaid)
        self._show_moment()

    def _show_moment(self) -> None:
        """Show what belongs to one step and not to the whole line."""
        self.features.show_until(self.until)
        self.alignment.show_until(self.until)
        self.group.set_cut(None if self.until is None else float(self.until))

    def _show_phases(self) -> None:
        started = self.history.started
        for plot in self._by_step:
            plot.x_most = float(started.steps) if started else None
        stages = started.stages if started else []
        self.group.set_phases([
            Phase(phase_of(s), float(s["first"]), float(s["last"]), s.get("phase") == "forget") for s in stages
        ])  # fmt: skip

    def _show_markers(self) -> None:
        newest = newest_until(self.history.alignments, None)
        by_model = {marker.model: (marker.retain_accuracy, marker.forget_accuracy) for marker in self._markers}
        alignment = {marker.model: marker.alignment for marker in self._markers
                     if newest is None or marker.k in (None, newest.k)}  # another k is another measure
        self.alignment.set_profile("original", ())
        if self.history.started is not None and self._mode != "none" and not self._later:
            first = next((e for e in self.history.full if e.step == 0), None)
            if first is not None:
                forget = first.forget_accuracy if self._mode == "sample" else first.forget_test_accuracy
                by_model["original"] = (first.retain_test_accuracy, forget)
            measured = next((e for e in self.history.full_alignments if e.step == 0), None)
            if measured is not None:
                alignment["original"] = measured.value
                self.alignment.set_profile("original", measured.profile)
        self.accuracy.set_reference_values(by_model)
        self.alignment.set_reference_values(alignment)
