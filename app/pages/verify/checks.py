"""Checks of the run in view, or of several: which retrained models they take, and how far they are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QElapsedTimer, QObject, Signal

from app.services import format as fmt
from app.services.translation import tr
from app.services.trust import HARMLESS, files_of
from core.errors import UnsafeFileError
from core.events import State
from core.runs.folder import FORGET, REPORT_HTML, RunFolder

if TYPE_CHECKING:
    from app.context import AppContext
    from app.workers.live_run import LiveRun
    from core.job import Job
    from core.verify.table import TableRow

SEEDS_OFFERED = 3  # retrained models a click away; three say how far retrained models differ
FIRST_SEED = 1
QUICK, FULL = "quick", "full"
UNCHECKED = ("", "no_reference")  # codes of verdicts of runs that were not compared
SHOW_MS = 400  # between two looks at what a check has measured so far


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

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the retrained models that the report was made with."""
        return tuple((self.report.get("retrained_notes") or {}).get("seeds") or ())

    @property
    def has_retrained(self) -> bool:
        """Whether the report was made with a retrained model."""
        return bool(self.report.get("retrained"))

    @property
    def not_compared(self) -> bool:
        """Whether retrained models are on disk that the report was made without."""
        return bool(self.trained) and not self.has_retrained

    @property
    def single_images(self) -> bool:
        """Whether no whole class was forgotten, so that what speaks of classes says nothing here."""
        return not self.report.get("forget_classes")


@dataclass
class Wanted:
    """The retrained models to compare the result with: seeds to train or take, and files the user opened."""

    seeds: set[int] = field(default_factory=set)
    opened: dict[str, Path] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)  # opened ones that are not ticked

    def files(self) -> dict[str, Path]:
        """The opened models that are ticked."""
        return {name: path for name, path in self.opened.items() if name not in self.left_out}


class Checks(QObject):
    """The check of the run in view and, where several are checked at once, all of theirs."""

    wanted_changed = Signal()
    changed = Signal(object)  # LiveRun of the check, or None once it is over
    measured = Signal(object)  # ResultFacts of the check under way: what was measured so far
    ended = Signal(object)  # LiveRun of a check that is over, of the run in view or of another one
    failed = Signal(str)
    code_asked = Signal(object, object, object)  # Job, list of models brought, what to do once its code may run
    file_asked = Signal(str, object)  # names of model files that can run code, what to do once they may be opened

    def __init__(self, context: AppContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.facts: ResultFacts | None = None  # of the run in view
        self.wanted = Wanted()
        self.check: LiveRun | None = None
        self.several: list[LiveRun] = []  # checks that were started together and are not over
        self.asked_for = 0  # how many of them there were
        self.suite = QUICK
        self._shown_count = 0  # measures of the check that are on screen
        self._shown = QElapsedTimer()
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
        if old is None or facts.folder.path != old.folder.path:
            self.wanted = Wanted(set(facts.seeds))
            self._adopt()
            self.wanted_changed.emit()
        elif self.wanted.seeds == set(old.seeds):
            self.wanted.seeds = set(facts.seeds)
            self.wanted_changed.emit()

    # ---- what to compare with

    def want_seed(self, seed: int, on: bool) -> None:
        """Take a retrained model in at the next check, or leave it out."""
        (self.wanted.seeds.add if on else self.wanted.seeds.discard)(seed)
        self.wanted_changed.emit()

    def want_opened(self, name: str, on: bool) -> None:
        """Take a model that was opened in at the next check, or leave it out."""
        (self.wanted.left_out.discard if on else self.wanted.left_out.add)(name)
        self.wanted_changed.emit()

    def want_number(self, number: int) -> None:
        """Compare with this many retrained models, seeds 1 to `number`."""
        self.wanted.seeds = set(range(FIRST_SEED, FIRST_SEED + number))
        self.wanted_changed.emit()

    def open_retrained(self, path: Path) -> str:
        """Take a retrained model from a file or folder in and check; returns the name it goes by."""
        stem = path.parent.name if path.stem == "model" and path.is_file() else path.stem
        name, number = stem, 1
        while name in self.wanted.opened and self.wanted.opened[name] != path:
            number += 1
            name = f"{stem} {number}"
        self.wanted.opened[name] = path
        self.wanted.left_out.discard(name)
        self.wanted_changed.emit()
        self.run()
        return name

    def train_one(self) -> None:
        """Train the first retrained model, and check against it."""
        self.wanted.seeds.add(FIRST_SEED)
        self.wanted_changed.emit()
        self.run()

    @property
    def outdated(self) -> bool:
        """Whether the report was made with other retrained models than are ticked."""
        if self.facts is None:
            return False
        names = {f"seed {seed}" for seed in self.wanted.seeds} | set(self.wanted.files())
        return names != set(self.facts.report.get("retrained") or {})

    def seeds_for(self, which: str, trained: Collection[int]) -> set[int]:
        """Return the seeds a check takes: those ticked, else those on disk; one, or in the full suite three, are
        trained where there are fewer.
        """  # noqa: D205
        if self.wanted.seeds or self.wanted.files():
            return set(self.wanted.seeds)
        number = SEEDS_OFFERED if which == FULL else 0 if trained else 1
        return set(trained) | set(range(FIRST_SEED, FIRST_SEED + number))

    def announcement(self) -> str:
        """Say what *Run checks* would compare with: models that are there, and those it trains first."""
        facts = self.facts
        if facts is None:
            return ""
        seeds = self.seeds_for(QUICK, facts.trained)
        there, missing = len(seeds & set(facts.trained)) + len(self.wanted.files()), len(seeds - set(facts.trained))
        if not missing:
            return tr("Compares with %n retrained models on disk.", n=there)
        takes = "" if facts.seconds is None else fmt.about(missing * facts.seconds)
        if takes:
            return tr("Trains %n retrained models first, {time}.", n=missing, time=takes)
        return tr("Trains %n retrained models first.", n=missing)

    # ---- checking

    def why_not(self) -> str:
        """Why checks cannot be run now; empty where they can."""
        if self.facts is None:
            return "There is no finished run to check."
        if not self.facts.has_list:
            return "The forget list of this run was removed, so it cannot be checked again."
        if self.check is not None or self.several:
            return "A check is under way."
        return ""

    def run(self, which: str = QUICK) -> None:
        """Measure all models anew in the run thread; retrained models that are missing are trained first."""
        if self.facts is None or self.why_not():
            return
        if self._ask_for_code(self.facts.job, partial(self.run, which)):
            return
        self.wanted.seeds = self.seeds_for(which, self.facts.trained)
        self.wanted_changed.emit()
        self.suite = which
        self.check = self._start(self.facts.folder)
        self.changed.emit(self.check)

    def run_several(self, folders: Sequence[RunFolder], trained: Collection[int], which: str = QUICK) -> None:
        """Check runs one after the other; the first trains what is missing, and all share it."""
        if not folders or self.several or self.check is not None:
            return
        if self._ask_for_code(folders[0].job(), partial(self.run_several, folders, trained, which)):
            return
        self.wanted.seeds = self.seeds_for(which, trained)
        self.wanted_changed.emit()
        self.suite, self.asked_for = which, len(folders)
        self.several = [self._start(folder) for folder in folders]
        self.changed.emit(self.shown)

    def _start(self, folder: RunFolder) -> LiveRun:
        self._shown_count = 0
        return self._context.run_controller.start_reference(
            folder, tuple(sorted(self.wanted.seeds)), bench=self._context.project.bench, retrained=self.wanted.files(),
            which=self.suite,
        )  # fmt: skip

    def _ask_for_code(self, job: Job, again: Callable[[], object]) -> bool:
        """Ask whether a run's program code may run, where that was not answered yet; `again` once it may."""
        brought = list(self.wanted.files().values())
        if not self._context.trust.asked(job, brought):
            return False
        self.code_asked.emit(job, brought, again)
        return True

    @property
    def shown(self) -> LiveRun | None:
        """The check under way, where it is of the run in view; of several the one that goes."""
        if self.several:
            return next((run for run in self.several if run.active), self.several[0])
        return self.check if self.check is not None and self._in_view(self.check) else None

    def progress_words(self) -> str:
        """Say how many of several runs are checked."""
        done = self.asked_for - len(self.several)
        return tr("{done} of %n runs checked", n=self.asked_for, done=fmt.count(done)) if self.several else ""

    def stop(self) -> None:
        """Stop what goes and take what waits out of the queue; reports stay as they are."""
        for run in [*reversed(self.several), *([self.check] if self.check is not None else [])]:
            self._context.run_controller.end(run)

    # ---- what becomes of them

    def _started(self, run: LiveRun) -> None:
        if self.check is None and not self.several and run.kind == "check" and self._in_view(run):
            self.check, self._shown_count = run, 0  # started from elsewhere, such as the example
            self.changed.emit(run)

    def _adopt(self) -> None:
        current = self._context.run_controller.current
        if current is not None and current is not self.check:
            self._started(current)

    def _state_changed(self, run: LiveRun) -> None:
        if run is self.check or run in self.several:
            self.changed.emit(self.shown)
            self._show_taken(run)

    def _show_taken(self, run: LiveRun) -> None:
        """Show what was measured so far, not more often than it can be read."""
        early = self._shown.isValid() and self._shown.elapsed() < SHOW_MS
        if self.facts is None or not self._in_view(run) or run.taken_count == self._shown_count or early:
            return
        self._shown_count = run.taken_count
        self._shown.start()
        self.measured.emit(so_far(self.facts, run.taken, self.suite))

    def _queue_changed(self) -> None:
        if self.check is None and not self.several:
            return
        gone = [run for run in self.several if run.state is State.DISCARDED and run.work is None]
        self.several = [run for run in self.several if run not in gone]
        if self.check is not None and self.check.state is State.DISCARDED and self.check.work is None:
            self.check = None
        self.changed.emit(self.shown)

    def _run_ended(self, run: LiveRun) -> None:
        if run is not self.check and run not in self.several:
            return
        self.several = [one for one in self.several if one is not run]
        self.check = None if run is self.check else self.check
        self.changed.emit(self.shown)
        in_view = self._in_view(run)
        if run.state is State.FAILED:
            asked = in_view and isinstance(run.failure, UnsafeFileError) and self._ask_for_files()
            if (in_view or self.asked_for) and not asked:
                self.failed.emit(" ".join(part for part in (run.error, run.hint) if part))
        if not self.several:
            self.asked_for = 0
        self.ended.emit(run)

    def _in_view(self, run: LiveRun) -> bool:
        """Whether a check is of the run in view: another one may have come into view since it began."""
        return self.facts is not None and self.facts.folder.path == run.path

    def _ask_for_files(self) -> bool:
        """Ask for the model files that can run code when opened, and check again; False where there is none to ask."""
        if self.facts is None:
            return False
        trust, files = self._context.trust, files_of(self.facts.job, self.wanted.files().values())
        risky = [path for path in files if path.suffix.lower() != HARMLESS and not trust.allows(path)]
        if not risky:
            return False
        again = partial(self._allow_and_check, risky, self.suite)
        self.file_asked.emit(" and ".join(dict.fromkeys(path.name for path in risky)), again)
        return True

    def _allow_and_check(self, files: list[Path], which: str) -> None:
        self._context.trust.allow(files)
        self.run(which)


def read_result(folder: RunFolder) -> ResultFacts:
    """Read a finished run's report and what else there is on disk for it; runs in a worker."""
    from core.session.references import seconds_to_retrain, trained_references

    job, report = folder.job(), folder.report() or {}
    return ResultFacts(
        folder=folder, job=job, report=report, rows=rows_of(report), trained=tuple(trained_references(job)),
        seconds=seconds_to_retrain(job), has_list=folder.file(FORGET).is_file(),
        has_page=folder.file(REPORT_HTML).is_file(),
    )  # fmt: skip


def rows_of(report: dict[str, Any]) -> tuple[TableRow, ...]:
    """Return the rows of a report's table: its measures, then those the field publishes."""
    from core.verify.table import measure_rows, published_rows

    return (*measure_rows(report), *published_rows(report))


def so_far(facts: ResultFacts, taken: dict[str, dict[str, Any]], suite: str) -> ResultFacts:
    """Return the facts with what a check has measured so far in place of the report's measures."""
    from core.verify.measure_log import partial_report

    report = partial_report(facts.report, taken, suite)
    return replace(facts, report=report, rows=rows_of(report))
