"""The 2 × 2 of live plots of one run: accuracy, alignment or losses, eigenspectra, loss terms; with replay."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QGridLayout, QWidget

from app.pages.unlearn.curves import RunCurves, newest_until, parts_of
from app.plots.accuracy import AccuracyPlot
from app.plots.alignment import AlignmentPlot
from app.plots.group import StepGroup
from app.plots.items import Phase
from app.plots.losses import LossPlot
from app.plots.spectrum import SpectrumPlot
from app.plots.turns import DrawTurns
from app.services import tokens as t
from app.services.run_words import phase_of
from app.services.theme import theme
from app.services.tokens import BESIDE_DASH, MODELS, RUN_SYMBOLS, SETS
from app.widgets.cards import Card
from core.events import AlignmentMeasured, Evaluation, Event, RunStarted, SpectrumMeasured, StepMetrics

if TYPE_CHECKING:
    from app.services.reference_markers import Marker
    from app.workers.live_run import LiveRun

NO_FORGET_SET = "Nothing is forgotten in this run, so there is no alignment to follow."


class RunPlots(QWidget):
    """Shows one run's curves. `show_run` loads a history, `add` goes on live, `show_until` looks back."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.accuracy = AccuracyPlot()
        self.alignment = AlignmentPlot()
        self.spectra = SpectrumPlot()
        self.losses = LossPlot()
        self._by_step = (self.accuracy, self.alignment.at_k, self.losses)
        self.group = StepGroup(self._by_step, self)
        self.group.hovered_step.connect(self._hovered)
        views = (self.alignment.at_k, self.alignment.profile, self.alignment.losses)
        self._turns = DrawTurns((self.accuracy, *views, self.spectra, self.losses), self)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(theme.px(t.M))
        for number, plot in enumerate((self.accuracy, self.alignment, self.spectra, self.losses)):
            card = Card(padding=t.M)
            card.body.addWidget(plot, 1)
            grid.addWidget(card, number // 2, number % 2)
        for place in (0, 1):
            grid.setColumnStretch(place, 1)
            grid.setRowStretch(place, 1)
        self.curves = RunCurves()
        self.beside = RunCurves()  # of a second run
        self._add_beside()
        self._mode = "class"
        self._later = False  # a later request: it starts from another model than the original
        self._until: int | None = None
        self._markers: tuple[Marker, ...] = ()
        self._sampled = False  # curves are of fewer unseen images than the numbers at start and end

    @property
    def until(self) -> int | None:
        """The step looked back to; None shows the newest and follows."""
        return self._until

    def show_run(self, run: LiveRun) -> None:
        """Show a run from its first event on."""
        self.curves = RunCurves()
        self._until, self._markers, self._sampled = None, (), False
        self._mode = run.forget_mode
        self.accuracy.set_mode(self._mode)
        self.alignment.set_mode(self._mode)
        job = run.job
        self._later = job is not None and bool(job.requests)
        about = f"run {run.id}" + (f", {job.method}, seed {job.seed}, {job.parameters}" if job else "")
        for plot in (self.accuracy, self.alignment.at_k, self.alignment.profile, self.alignment.losses,
                     self.spectra, self.losses):  # fmt: skip
            plot.provenance = about
        self.curves.add(run.events)
        self._fill()
        self._show_markers()

    def add(self, events: Sequence[Event]) -> None:
        """Take new events in; drawn where the newest is shown."""
        if self.curves.add(events):
            self._fill()
        else:
            self._append(events)
            for name in self.curves.rearranged:
                self.losses.set_term(name, self.curves.losses[name].steps, self.curves.losses[name].values)
            if self._until is not None:
                self._show_moment()
        if any(isinstance(e, Evaluation | AlignmentMeasured) and e.scope == "full" for e in events):
            self._show_markers()
        if any(isinstance(e, RunStarted) for e in events):
            self._show_phases()

    def show_until(self, step: int | None) -> None:
        """Look back: all plots point to a step, spectra, profile and losses are those of it; None is the newest."""
        if step != self._until:
            self._until = step
            self._show_moment()

    def settle(self) -> None:
        """Nothing more comes: the step axis ends with the curves."""
        for plot in self._by_step:
            plot.x_most = None
            plot.mark_dirty()

    @property
    def recorded_steps(self) -> list[int]:
        """Steps at which something was measured, in either run."""
        return sorted({*self.curves.recorded_steps, *self.beside.recorded_steps})

    def set_beside(self, run: LiveRun | None) -> None:
        """Draw a second run dashed on the same axes; None takes it away."""
        self.beside = RunCurves()
        if run is not None:
            self.beside.add(run.events)
        self._show_beside()

    def set_markers(self, markers: Iterable[Marker]) -> None:
        """What earlier measurements say of other models, for the margins."""
        self._markers = tuple(markers)
        self._show_markers()

    # ---- parts

    def _fill(self) -> None:
        """Draw everything anew."""
        for part in (self.accuracy, self.alignment, self.spectra, self.losses):
            part.clear()
        curves = self.curves
        self._append([*curves.evaluations, *curves.alignments, *curves.spectra])
        for name, curve in curves.losses.items():
            self.losses.add(curve.steps, {name: curve.values})
        self._show_beside()
        self._show_phases()
        self._show_moment()

    def _show_moment(self) -> None:
        """Show what belongs to one step and not to the whole line."""
        step = self._until
        self.spectra.set_history_position(None if step is None else float(step))
        measured = newest_until(self.curves.alignments, step)
        if measured is not None:
            self.alignment.set_profile("unlearned", measured.profile)
        evaluation = newest_until(self.curves.evaluations, step)
        if evaluation is not None and self._mode == "sample":
            self.alignment.set_losses(evaluation.forget_losses, evaluation.unseen_losses)
        self._show_beside_spectrum()
        self.group.set_cut(None if step is None else float(step))
        self.group.show_step(None if step is None else float(step))

    def _add_beside(self) -> None:
        """Make the curves of a second run, empty: the same colours, dashed, with open markers."""
        for key in ("retain", "forget"):
            style = dataclasses.replace(SETS[key], dash=BESIDE_DASH, filled=False)
            self.accuracy.add_series(f"{key}_beside", style, f"{style.title}, 2nd")
            series = self.spectra.add_series(f"{key}_beside", style, f"{style.title}, 2nd")
            series.show_dot = False
            series.item.setLogMode(True, True)
        style = dataclasses.replace(MODELS["unlearned"], dash=BESIDE_DASH, symbol=RUN_SYMBOLS[1], filled=False)
        self.alignment.at_k.add_series("beside", style, "2nd run")

    def _show_beside(self) -> None:
        """Show the second run's curves, or none."""
        beside, sample = self.beside, self._mode == "sample"
        steps = [event.step for event in beside.evaluations]
        retain = [event.retain_test_accuracy for event in beside.evaluations]
        forget = [e.forget_accuracy if sample else e.forget_test_accuracy for e in beside.evaluations]
        for key, values in (("retain", retain), ("forget", forget)):
            self.accuracy.set_data(f"{key}_beside", steps, [None if v is None else 100 * v for v in values])
        self.alignment.at_k.set_data(
            "beside", [event.step for event in beside.alignments], [event.value for event in beside.alignments]
        )
        self.losses.set_beside({name: (curve.steps, curve.values) for name, curve in beside.losses.items()})
        self._show_moment()

    def _show_beside_spectrum(self) -> None:
        found = newest_until(self.beside.spectra, self._until)
        for key in ("retain", "forget"):
            values = list(getattr(found, key)) if found is not None else []
            drawn = [value if value > 0 else None for value in values]
            self.spectra.set_data(f"{key}_beside", range(1, len(drawn) + 1), drawn)

    def _hovered(self, step: float | None) -> None:
        if step is None and self._until is not None:  # the mouse left: back to the step of the slider
            self.group.show_step(float(self._until))

    def _append(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Evaluation) and event.scope != "full":
                sample = self._mode == "sample"
                forget = event.forget_accuracy if sample else event.forget_test_accuracy
                self.accuracy.add(event.step, event.retain_test_accuracy, forget, event.retain_accuracy,
                                  event.forget_accuracy)  # fmt: skip
                everything = self.curves.full[0].counts.get("retain_test", 0) if self.curves.full else 0
                if not (sample or self._sampled) and event.counts.get("retain_test", everything) < everything:
                    self._sampled = True
                    self.accuracy.say_sampled()
                if sample:
                    self.alignment.set_losses(event.forget_losses, event.unseen_losses)
            elif isinstance(event, AlignmentMeasured) and event.scope != "full":
                self.alignment.add(event.step, event.value, event.k, event.energy, event.centred, event.profile,
                                   event.floor)  # fmt: skip
            elif isinstance(event, SpectrumMeasured) and event.scope != "full":
                self.spectra.add(event.step, event.retain, event.forget, event.retain_rank, event.forget_rank)
            elif isinstance(event, StepMetrics):
                self.losses.add(event.steps, parts_of(event))

    def _show_phases(self) -> None:
        started = self.curves.started
        stages = started.stages if started else []
        for plot in self._by_step:
            plot.x_most = float(started.steps) if started else None
        self.group.set_phases([Phase(phase_of(s), float(s["first"]), float(s["last"])) for s in stages])

    def _show_markers(self) -> None:
        by_model: dict[str, tuple[float | None, float | None]] = {}
        alignment: dict[str, float | None] = {}
        newest = newest_until(self.curves.alignments, None)
        for marker in self._markers:
            by_model[marker.model] = (marker.retain_accuracy, marker.forget_accuracy)
            if newest is None or marker.k is None or marker.k == newest.k:  # another k is another measure
                alignment[marker.model] = marker.alignment
        started = self.curves.started
        if started is not None and self._mode != "none" and not self._later:
            first = next((e for e in self.curves.full if e.step == 0), None)
            if first is not None:
                forget = first.forget_accuracy if self._mode == "sample" else first.forget_test_accuracy
                by_model["original"] = (first.retain_test_accuracy, forget)
            measured = next((e for e in self.curves.full_alignments if e.step == 0), None)
            if measured is not None:
                alignment["original"] = measured.value
                self.alignment.set_profile("original", measured.profile)
        self.accuracy.set_reference_values(by_model)
        self.alignment.set_reference_values(alignment)
        if self._mode == "none":
            self.alignment.at_k.set_caption(NO_FORGET_SET)

