"""What the Verify page does: reads a run's report, trains or opens retrained models, runs the checks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QElapsedTimer, QObject, Signal

from app.services.trust import HARMLESS, files_of
from core.errors import UnsafeFileError
from core.events import State
from core.job import Job
from core.runs.folder import FORGET, REPORT_HTML, RunFolder

if TYPE_CHECKING:
    from app.context import AppContext
    from app.services.run_library import RunRow
    from app.workers.live_run import LiveRun
    from core.verify.table import TableRow

SEEDS_OFFERED = 3  # retrained models a click away; three say how far retrained models differ
FIRST_SEED = 1
QUICK, FULL = "quick", "full"
SHOW_MS = 400  # between two looks at what a check has measured so far


@dataclass(frozen=True)
class ResultFacts:
    """What a finished run's folder says, and what there is to hold it against."""

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


@dataclass
class Wanted:
    """The retrained models to hold the result against: seeds to train or take, and files the user opened."""

    seeds: set[int] = field(default_factory=set)
    opened: dict[str, Path] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)  # opened ones that are not ticked

    def files(self) -> dict[str, Path]:
        """The opened models that are ticked."""
        return {name: path for name, path in self.opened.items() if name not in self.left_out}


class VerifyPresenter(QObject):
    """Holds the run in view and the check under way; all signals come in the window's thread."""

    facts_changed = Signal(object)  # ResultFacts, or None where there is nothing to check
    facts_so_far = Signal(object)  # ResultFacts of the check under way: what was measured so far
    unreadable = Signal(object)  # the exception of a run that cannot be read
    wanted_changed = Signal()
    check_changed = Signal(object)  # LiveRun of the check, or None once it is over
    check_failed = Signal(str)
    code_asked = Signal(object, object, object)  # Job, list of models brought, what to do once its code may run
    file_asked = Signal(str, object)  # names of model files that can run code, what to do once they may be opened

    def __init__(self, context: AppContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.facts: ResultFacts | None = None
        self.wanted = Wanted()
        self.check: LiveRun | None = None
        self.check_suite = QUICK
        self._shown_count = 0  # measures of the check that are on screen
        self._shown = QElapsedTimer()
        context.project.run_changed.connect(self.refresh)
        controller = context.run_controller
        if controller is not None:
            controller.state_changed.connect(self._state_changed)
            controller.run_ended.connect(self._run_ended)
            controller.queue_changed.connect(self._queue_changed)

    # ---- reading

    def refresh(self) -> None:
        """Read the run in view again."""
        run = self._context.project.run
        folder = run.folder if run is not None and run.kind == "unlearn" else None
        if folder is None or not folder.has_result or not folder.file("report.json").is_file():
            self._context.jobs.cancel("verify-facts")
            self._take(None)
            return
        job = self._context.jobs.submit(read_result, folder, key="verify-facts")
        job.done.connect(self._take)
        job.failed.connect(self._not_read)

    def _take(self, facts: ResultFacts | None) -> None:
        old, self.facts = self.facts, facts
        if facts is not None and (old is None or facts.folder.path != old.folder.path):
            self.wanted = Wanted(set(facts.seeds))
            self.wanted_changed.emit()
        elif facts is not None and old is not None and self.wanted.seeds == set(old.seeds):  # checked from elsewhere
            self.wanted.seeds = set(facts.seeds)
            self.wanted_changed.emit()
        self.facts_changed.emit(facts)

    def _not_read(self, error: BaseException) -> None:
        self.facts = None
        self.unreadable.emit(error)

    def comparable(self) -> list[RunRow]:
        """Other finished runs that forget the same images of the same data, newest first."""
        library = self._context.run_library
        if self.facts is None or library is None:
            return []
        own = (self.facts.job.data.fingerprint, self.facts.job.forget.sha256)
        return [
            row for row in library.rows
            if row.has_report and row.path != self.facts.folder.path
            and row.forget_set == own
        ]  # fmt: skip

    # ---- what to hold it against

    def want_seed(self, seed: int, on: bool) -> None:
        """Take a retrained model in at the next check, or leave it out."""
        (self.wanted.seeds.add if on else self.wanted.seeds.discard)(seed)
        self.wanted_changed.emit()

    def want_opened(self, name: str, on: bool) -> None:
        """Take a model that was opened in at the next check, or leave it out."""
        (self.wanted.left_out.discard if on else self.wanted.left_out.add)(name)
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
        self.run_checks()
        return name

    def want_number(self, number: int) -> None:
        """Hold the result against this many retrained models, seeds 1 to `number`."""
        self.wanted.seeds = set(range(FIRST_SEED, FIRST_SEED + number))
        self.wanted_changed.emit()

    def train_one(self) -> None:
        """Train the first retrained model, and check against it."""
        self.wanted.seeds.add(FIRST_SEED)
        self.wanted_changed.emit()
        self.run_checks()

    @property
    def outdated(self) -> bool:
        """Whether the report was made with other retrained models than are ticked."""
        if self.facts is None:
            return False
        names = {f"seed {seed}" for seed in self.wanted.seeds} | set(self.wanted.files())
        return names != set(self.facts.report.get("retrained") or {})

    # ---- checking

    def why_not(self) -> str:
        """Why checks cannot be run now; empty where they can."""
        if self.facts is None:
            return "There is no finished run to check."
        if not self.facts.has_list:
            return "The forget list of this run was removed, so it cannot be checked again."
        if self.check is not None:
            return "A check is under way."
        return ""

    def run_checks(self, which: str = QUICK) -> None:
        """Measure all models anew in the run thread; retrained models that are missing are trained first.

        `which` is the suite. Where no retrained model is ticked, those on disk are taken; the quick suite trains one
        where there is none, the full one trains until there are three.
        """
        if self.facts is None or self.why_not():
            return
        brought = list(self.wanted.files().values())
        if self._context.trust.asked(self.facts.job, brought):
            self.code_asked.emit(self.facts.job, brought, partial(self.run_checks, which))
            return
        if not self.wanted.seeds and not self.wanted.files():
            trained = set(self.facts.trained)
            number = SEEDS_OFFERED if which == FULL else 0 if trained else 1
            self.wanted.seeds = trained | set(range(FIRST_SEED, FIRST_SEED + number))
            self.wanted_changed.emit()
        self._shown_count, self.check_suite = 0, which
        self.check = self._context.run_controller.start_reference(
            self.facts.folder,
            tuple(sorted(self.wanted.seeds)),
            bench=self._context.project.bench,
            retrained=self.wanted.files(),
            which=which,
        )
        self.check_changed.emit(self.check)

    @property
    def shown_check(self) -> LiveRun | None:
        """The check under way, where it is of the run in view."""
        return self.check if self.check is not None and self._in_view(self.check) else None

    def stop(self) -> None:
        """Stop the check, or take it out of the queue; the report stays as it is."""
        if self.check is not None:
            self._context.run_controller.end(self.check)

    def _state_changed(self, run: LiveRun) -> None:
        if run is self.check:
            self.check_changed.emit(run)
            self._show_taken(run)

    def _show_taken(self, run: LiveRun) -> None:
        """Show what was measured so far, not more often than it can be read."""
        early = self._shown.isValid() and self._shown.elapsed() < SHOW_MS
        if self.facts is None or not self._in_view(run) or run.taken_count == self._shown_count or early:
            return
        self._shown_count = run.taken_count
        self._shown.start()
        self.facts_so_far.emit(so_far(self.facts, run.taken, self.check_suite))

    def _queue_changed(self) -> None:
        if self.check is None:
            return
        if self.check.state is State.DISCARDED and self.check.work is None:  # taken out of the queue
            self.check = None
        self.check_changed.emit(self.check)

    def _run_ended(self, run: LiveRun) -> None:
        if run is self.check:
            self.check = None
            self.check_changed.emit(None)
            asked = self._in_view(run) and isinstance(run.failure, UnsafeFileError) and self._ask_for_files()
            if self._in_view(run) and run.state is State.FAILED and not asked:
                self.check_failed.emit(" ".join(part for part in (run.error, run.hint) if part))
            self.refresh()
            return
        current = self._context.project.run
        if current is not None and run.folder.path == current.folder.path:
            self.refresh()

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
        again = partial(self._allow_and_check, risky, self.check_suite)
        self.file_asked.emit(" and ".join(dict.fromkeys(path.name for path in risky)), again)
        return True

    def _allow_and_check(self, files: list[Path], which: str) -> None:
        self._context.trust.allow(files)
        self.run_checks(which)


def read_result(folder: RunFolder) -> ResultFacts:
    """Read a finished run's report and what else there is on disk for it; runs in a worker."""
    from core.session.references import seconds_to_retrain, trained_references
    job, report = folder.job(), folder.report() or {}
    return ResultFacts(
        folder=folder,
        job=job,
        report=report,
        rows=rows_of(report),
        trained=tuple(trained_references(job)),
        seconds=seconds_to_retrain(job),
        has_list=folder.file(FORGET).is_file(),
        has_page=folder.file(REPORT_HTML).is_file(),
    )


def rows_of(report: dict[str, Any]) -> tuple[TableRow, ...]:
    """Return the rows of a report's table: its measures, then those the field publishes."""
    from core.verify.table import measure_rows, published_rows

    return (*measure_rows(report), *published_rows(report))


def so_far(facts: ResultFacts, taken: dict[str, dict[str, Any]], suite: str) -> ResultFacts:
    """Return the facts with what a check has measured so far in place of the report's measures."""
    from core.verify.measure_log import partial_report

    report = partial_report(facts.report, taken, suite)
    return replace(facts, report=report, rows=rows_of(report))
