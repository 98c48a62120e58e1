"""Checks of the run in view, or of several: which retrained models they take, and how far they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.dialogs.trust import ask_trust, with_trusted_code
from app.pages.lanes import read_lanes
from app.services import format as fmt
from app.services.translation import mark, tr
from app.services.trust import HARMLESS, files_of
from core.errors import AppError, UnsafeFileError
from core.events import State
from core.runs.folder import FORGET, REPORT_HTML, RunFolder
from core.runs.waiting import Check
from core.verify.lanes import Lane, lanes_so_far, merged

if TYPE_CHECKING:
    from app.context import AppContext
    from app.workers.live_run import LiveRun
    from core.job import Job, StartPart
    from core.verify.table import TableRow

SEEDS_OFFERED = 5  # retrained models a click away
FULL_SEEDS = 3  # that full checks take at least: three say how far retrained models differ
QUICK, FULL = "quick", "full"
NOT_RETRAINED = mark(
    "An encoder is not retrained here: open one that was retrained without the forget set to compare with."
)
UNCHECKED = ("", "no_reference")  # codes of verdicts of runs that were not compared


@dataclass(frozen=True)
class ResultFacts:
    """What a finished run's folder says, and what there is to compare it with."""

    folder: RunFolder
    job: Job
    report: dict[str, Any]
    rows: tuple[TableRow, ...]
    trained: tuple[int, ...]  # seeds of retrained models on disk
    seconds: float | None  # what one more would take
    has_list: bool  # without it the run cannot be checked again
    has_page: bool  # report.html
    lanes: tuple[Lane, ...] = ()  # none where no whole class was forgotten, and of encoders

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the retrained models that the report was made with."""
        return tuple((self.report.get("retrained_notes") or {}).get("seeds") or ())

    @property
    def has_retrained(self) -> bool:
        """Whether the report was made with a retrained model."""
        return bool(self.report.get("retrained"))

    @property
    def encoder(self) -> bool:
        """Whether the models name no classes: none is retrained here, and there is nothing for the full suite."""
        return not self.job.model.num_classes

    @property
    def not_compared(self) -> bool:
        """Whether retrained models are on disk that the report was made without, and would be judged by."""
        return bool(self.trained) and not self.has_retrained and not self.job.forget.corrective

    @property
    def single_images(self) -> bool:
        """Whether no whole class was forgotten, so that what speaks of classes says nothing here."""
        return not self.report.get("forget_classes")


@dataclass
class Wanted:
    """The retrained models to compare the result with: seeds to train or take, and names of files the user opened."""

    ticked: set[int | str] = field(default_factory=set)
    opened: dict[str, Path] = field(default_factory=dict)

    @property
    def seeds(self) -> set[int]:
        """The seeds that are ticked."""
        return {key for key in self.ticked if isinstance(key, int)}

    def files(self) -> dict[str, Path]:
        """The opened models that are ticked."""
        return {name: path for name, path in self.opened.items() if name in self.ticked}

    def take_seeds(self, seeds: Collection[int]) -> None:
        """Tick these in place of the seeds that are ticked."""
        self.ticked = {*seeds, *self.files()}

    def seeds_for(self, which: str, trained: Collection[int], job: Job) -> set[int]:
        """Return the seeds a check of a run takes: those ticked, else those on disk; one, or in the full suite three,
        are trained where there are fewer. None of an encoder, which is not retrained here.
        """  # noqa: D205
        if self.ticked or not job.model.num_classes:
            return self.seeds
        number = FULL_SEEDS if which == FULL else 0 if trained else 1
        return set(trained) | set(range(1, number + 1))


class Checks(QObject):
    """The check of the run in view or, where several are checked at once, all of theirs."""

    changed = Signal()  # of what is wanted, or of how far checks are
    measured = Signal(object)  # ResultFacts of the check under way: what was measured so far
    ended = Signal(object)  # LiveRun of a check that is over, of the run in view or of another one
    failed = Signal(str)

    def __init__(self, context: AppContext, page: QWidget) -> None:
        super().__init__(page)
        self._context, self._page = context, page
        self.facts: ResultFacts | None = None  # of the run in view
        self.wanted = Wanted()
        self.runs: list[LiveRun] = []  # checks that are not over
        self.asked_for = 0  # how many were started together; 0: one of the run in view
        self.suite = QUICK
        self._shown_count = 0  # measures of the check that are on screen
        controller = context.run_controller
        controller.run_started.connect(self._started)
        controller.state_changed.connect(self._state_changed)
        controller.run_ended.connect(self._run_ended)
        controller.queue_changed.connect(self._queue_changed)

    def set_facts(self, facts: ResultFacts | None) -> None:
        """Take the run in view; what was ticked for it stays unless it was checked from elsewhere."""
        old, self.facts = self.facts, facts
        if facts is None:
            return
        self._shown_count = 0  # the run's own report is on screen until the check is heard of again
        if old is None or facts.folder.path != old.folder.path:
            self.wanted = Wanted(set(facts.seeds))
            if (current := self._context.run_controller.current) is not None:
                self._started(current)
        elif self.wanted.seeds == set(old.seeds):
            self.wanted.take_seeds(facts.seeds)

    # ---- what to compare with

    def want(self, key: int | str, on: bool) -> None:
        """Take the retrained model of a seed, or one that was opened, in at the next check, or leave it out."""
        (self.wanted.ticked.add if on else self.wanted.ticked.discard)(key)
        self.changed.emit()

    def open_retrained(self, path: Path) -> str:
        """Take a retrained model from a file or folder in and check; returns the name it goes by."""
        stem = path.parent.name if path.stem == "model" and path.is_file() else path.stem
        name, number = stem, 1
        while name in self.wanted.opened and self.wanted.opened[name] != path:
            number += 1
            name = f"{stem} {number}"
        self.wanted.opened[name] = path
        self.want(name, True)
        self.run()
        return name

    def train_one(self) -> None:
        """Train the first retrained model, and check against it."""
        self.want(1, True)
        self.run()

    @property
    def outdated(self) -> bool:
        """Whether the report was made with other retrained models than are ticked."""
        if self.facts is None:
            return False
        names = {f"seed {seed}" for seed in self.wanted.seeds} | set(self.wanted.files())
        return names != set(self.facts.report.get("retrained") or {})

    def announcement(self) -> str:
        """Say what *Run checks* would compare with: models that are there, and those it trains first."""
        facts = self.facts
        if facts is None:
            return ""
        seeds = self.wanted.seeds_for(QUICK, facts.trained, facts.job)
        missing = len(seeds - set(facts.trained))
        if facts.encoder and not self.wanted.ticked:
            return ""  # there is nothing to compare with, as the offer says
        if not missing:
            return tr("Compares with %n retrained models on disk.", n=len(seeds) + len(self.wanted.files()))
        if facts.seconds is None:
            return tr("Trains %n retrained models first.", n=missing)
        return tr("Trains %n retrained models first, {time}.", n=missing, time=fmt.about(missing * facts.seconds))

    # ---- checking

    def why_not(self) -> str:
        """Why checks cannot be run now; empty where they can."""
        if self.facts is None:
            return tr("There is no finished run to check.")
        if not self.facts.has_list:
            return tr("The forget list of this run was removed, so it cannot be checked again.")
        return tr("A check is under way.") if self.runs else ""

    def why_not_full(self) -> str:
        """Why full checks cannot be run now; empty where they can."""
        if self.facts is not None and self.facts.encoder:
            return tr("Full checks attack what a model says of classes, and an encoder says nothing of them.")
        return self.why_not()

    def run(self, which: str = QUICK) -> None:
        """Measure all models anew in the run thread; retrained models that are missing are trained first."""
        facts = self.facts
        if facts is not None and not (self.why_not_full() if which == FULL else self.why_not()):
            self._start([facts.folder], facts.job, facts.trained, which)

    def run_several(self, folders: Sequence[RunFolder], trained: Collection[int]) -> None:
        """Check runs one after the other; the first trains what is missing, and all share it."""
        if not folders or self.runs:
            return
        try:
            job = folders[0].job()
        except AppError as error:
            self._not_started(folders[0], error)
            return
        self._start(folders, job, trained, QUICK, len(folders))

    def _start(
        self, folders: Sequence[RunFolder], job: Job, trained: Collection[int], which: str, together: int = 0
    ) -> None:
        wanted = self.wanted  # of these runs, whatever is in view once the question is answered

        def start() -> None:
            wanted.take_seeds(wanted.seeds_for(which, trained, job))
            brought = {name: str(path) for name, path in wanted.files().items()}
            self._begin(folders, Check(tuple(sorted(wanted.seeds)), brought, which, self._start_of(job)), together)

        trust = self._context.trust
        with_trusted_code(trust, trust.asked(job, wanted.files().values()), self._page.window(), start)

    def _start_of(self, job: Job) -> StartPart | None:
        """Return where the original of a job began, as the user said on Project of the model that is open there."""
        project, origin = self._context.project, job.origin or job.model
        same = project.opened_model is not None and project.opened_model.weights_id == origin.weights_id
        return project.start if same else None

    def _begin(self, folders: Sequence[RunFolder], check: Check, together: int = 0) -> None:
        if self.runs:  # another one began while the question stood
            self._context.notifications.info(tr("A check is under way."))
            return
        started, bench = [], self._context.project.bench
        for folder in folders:
            try:
                started.append(self._context.run_controller.start_reference(folder, check, bench))
            except AppError as error:  # its folder went since it came into view
                self._not_started(folder, error)
        if started:
            self._follow(started, check.which, together)

    def _not_started(self, folder: RunFolder, error: AppError) -> None:
        self._context.notifications.error(error, tr("{run} cannot be checked", run=folder.id))

    def _follow(self, runs: list[LiveRun], suite: str, together: int = 0) -> None:
        self.runs, self.suite, self.asked_for, self._shown_count = runs, suite, together, 0
        self.changed.emit()

    @property
    def shown(self) -> LiveRun | None:
        """The check under way, where it is of the run in view; of several the one that goes."""
        if self.asked_for:
            return next((run for run in self.runs if run.active), next(iter(self.runs), None))
        return next(filter(self._in_view, self.runs), None)

    def progress_words(self) -> str:
        """Say how many of several runs are checked; "" where it is not several."""
        done = fmt.count(self.asked_for - len(self.runs))
        return tr("{done} of %n runs checked", n=self.asked_for, done=done) if self.asked_for else ""

    def stop(self) -> None:
        """Stop what goes and take what waits out of the queue; reports stay as they are."""
        for run in reversed(self.runs):
            self._context.run_controller.end(run)

    # ---- what becomes of them

    def _started(self, run: LiveRun) -> None:
        if not self.runs and run.check is not None and self._in_view(run):
            self._follow([run], run.check.which)  # started from elsewhere, such as the example

    def _state_changed(self, run: LiveRun) -> None:
        if run in self.runs:
            self.changed.emit()
            self._show_taken(run)

    def _show_taken(self, run: LiveRun) -> None:
        """Show what was measured so far, where that is more than before."""
        if self.facts is not None and self._in_view(run) and run.taken_count != self._shown_count:
            self._shown_count = run.taken_count
            self.measured.emit(so_far(self.facts, run.taken, self.suite))

    def _queue_changed(self) -> None:
        dropped = [run for run in self.runs if run.state is State.DISCARDED and run.work is None]
        if dropped:
            self._remove(dropped)

    def _run_ended(self, run: LiveRun) -> None:
        if run not in self.runs:
            return
        together = self.asked_for
        self._remove([run])
        in_view = self._in_view(run)
        if run.state is State.FAILED:
            asked = in_view and not together and isinstance(run.failure, UnsafeFileError) and self._ask_for_files(run)
            if (in_view or together) and not asked:
                self.failed.emit(" ".join(part for part in (run.error, run.hint) if part))
        self.ended.emit(run)

    def _remove(self, over: list[LiveRun]) -> None:
        self.runs = [run for run in self.runs if run not in over]
        self.asked_for = self.asked_for if self.runs else 0
        self.changed.emit()

    def _in_view(self, run: LiveRun) -> bool:
        """Whether a check is of the run in view: another one may have come into view since it began."""
        return self.facts is not None and self.facts.folder.path == run.path

    def _ask_for_files(self, run: LiveRun) -> bool:
        """Ask for a check's model files that can run code when opened, and check again; False: there is none to ask."""
        trust, check = self._context.trust, run.check
        assert run.job is not None and check is not None
        files = files_of(run.job, check.brought.values())
        risky = [path for path in files if path.suffix.lower() != HARMLESS and not trust.allows(path)]

        def allow() -> None:
            trust.allow(risky)
            self._begin([run.folder], check)

        if risky:
            ask_trust(self._page.window(), ", ".join(dict.fromkeys(path.name for path in risky)), allow)
        return bool(risky)


def read_result(folder: RunFolder) -> ResultFacts:
    """Read a finished run's report and what else there is on disk for it; runs in a worker."""
    from core.session.references import seconds_to_retrain, trained_references
    from core.session.starts import as_told

    job, report = folder.job(), folder.report() or {}
    told = as_told(job, report)
    shown = report.get("forget_classes") and job.model.num_classes  # an encoder has no head to edit
    lanes = read_lanes(folder, job)[0] if shown else ()
    return ResultFacts(
        folder, job, report, rows_of(report), tuple(trained_references(told)), seconds_to_retrain(told),
        folder.file(FORGET).is_file(), folder.file(REPORT_HTML).is_file(), lanes,
    )  # fmt: skip


def rows_of(report: dict[str, Any]) -> tuple[TableRow, ...]:
    """Return the rows of a report's table: its measures, then those the field publishes."""
    from core.verify.table import measure_rows, published_rows

    return (*measure_rows(report), *published_rows(report))


def so_far(facts: ResultFacts, taken: dict[str, dict[str, Any]], suite: str) -> ResultFacts:
    """Return the facts with what a check has measured so far in place of the report's measures."""
    from core.verify.measure_log import partial_report

    report = partial_report(facts.report, taken, suite)
    lanes = merged(lanes_so_far(taken), facts.lanes) if facts.lanes else ()
    return replace(facts, report=report, rows=rows_of(report), lanes=lanes)
