"""Reads several runs to be held side by side: chosen ones, those that were checked together, or all of a batch file."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.models.comparison_table import comparison_lines, told_batch, told_run, told_runs
from app.models.tables import Line
from app.pages.verify.checks import UNCHECKED
from app.services import format as fmt
from app.services.translation import mark, tr
from app.workers.queue_files import BatchRecord, records, rows_of
from core.errors import AppError
from core.runs.folder import RunFolder
from core.verify.shown import ShownTable

if TYPE_CHECKING:
    from core.events import Tell
    from core.models.trust import Trust
    from core.session.bench import Bench

OTHER_RUNS = {  # of a batch: what became of those without a result
    "running": mark("{number} running"), "waiting": mark("{number} waiting"),
    "interrupted": mark("{number} interrupted"), "failed": mark("{number} failed"),
    "missing": mark("{number} not started"),
}  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """A batch in view, and the names and files of all that are known."""

    name: str
    file: Path
    known: tuple[tuple[str, Path], ...]
    progress: str
    why_no_rest: str  # why nothing of it can be started
    csv: str


@dataclass(frozen=True)
class Ensemble:
    """Runs that differ in their seed or original alone, and the seeds of the retrained models on disk for them."""

    name: str  # the method's title, with the first run's where ensembles differ in settings
    folders: tuple[RunFolder, ...]
    retrained: tuple[int, ...]

    @property
    def measurable(self) -> bool:
        """Whether there is an ensemble of retrained models to hold it against."""
        return len(self.retrained) > 1


@dataclass(frozen=True)
class Compared:
    """What was read of runs held side by side."""

    found: dict[str, Any]  # as core.verify.comparison.compare returns it
    lines: list[Line]
    folders: dict[str, RunFolder]  # by the run's name in `found`
    unchecked: tuple[RunFolder, ...]
    trained: tuple[int, ...]  # seeds of retrained models on disk, for the first of the runs that were not compared
    jobs: ShownTable
    agreement: ShownTable
    tables: list[ShownTable]
    batch: Batch | None = None
    ensembles: tuple[Ensemble, ...] = ()
    ensembles_fault: str = ""  # why they are not known

    @property
    def title(self) -> str:
        """How many runs and methods these are."""
        runs = self.found["runs"]
        methods = tr("%n methods", n=len({str(run["title"]) for run in runs}))
        return tr("%n runs of {methods}", n=len(runs), methods=methods)


NO_RUNS = Compared(
    {"comparable": False, "differences": [], "measures": [], "anchors": {}, "runs": [], "groups": [], "ranking": []},
    [], {}, (), (), ShownTable("", [""], []), ShownTable("", [""], []), [],
)  # fmt: skip


def read_comparison(folders: Sequence[RunFolder]) -> Compared:
    """Read the runs' reports and jobs; runs in a worker. Raises InputError for a run without a report."""
    from core.session.library import runs_of
    from core.session.references import trained_references
    from core.session.starts import told_job
    from core.verify.comparison import agreement_block, blocks, compare, jobs_block

    runs = runs_of(folders)
    found, reports = compare(runs), {run.name: dict(run.report) for run in runs}
    lines = comparison_lines(told_runs(found, reports), found["measures"])
    named = {run.name: folder for run, folder in zip(runs, folders, strict=True)}
    unchecked = tuple(named[run["run"]] for run in found["runs"] if (run["verdict"].get("code") or "") in UNCHECKED)
    trained = tuple(trained_references(told_job(unchecked[0]))) if unchecked else ()
    fault = ""
    try:
        ensembles = _ensembles_of(folders)
    except AppError as error:  # the runs are compared all the same
        ensembles, fault = (), error.text
    return Compared(
        found, lines, named, unchecked, trained, jobs_block(found), agreement_block(found), blocks(found),
        ensembles=ensembles, ensembles_fault=fault,
    )  # fmt: skip


def _ensembles_of(folders: Sequence[RunFolder]) -> tuple[Ensemble, ...]:
    from core.methods import method_of
    from core.session.ensembles import ensembles_in
    from core.session.references import trained_references
    from core.session.starts import told_job

    alike = [(same, job) for same in ensembles_in(folders) if (job := told_job(same[0])).model.num_classes]
    titles = [method_of(job).title for _, job in alike]
    names = [title if titles.count(title) == 1 else f"{title}, {same[0].id}"
             for title, (same, _) in zip(titles, alike, strict=True)]  # fmt: skip
    return tuple(
        Ensemble(name, tuple(same), tuple(trained_references(job)))
        for name, (same, job) in zip(names, alike, strict=True)
    )


def measure_ensembles(
    ensembles: Sequence[Ensemble], bench: Bench | None, trust: Trust, progress: Tell
) -> ShownTable:
    """Hold ensembles of runs against their retrained models, and return the table of it; runs in a worker."""
    from core.session.bench import Bench
    from core.session.ensembles import compare_ensembles
    from core.verify.shown import ensembles_block

    own = (bench or Bench()).trusting(trust).telling(progress)
    return ensembles_block({
        one.name: compare_ensembles(one.folders, own, one.retrained, {}) for one in ensembles if one.measurable
    })  # fmt: skip


def read_batch(file: Path | None, waiting: Sequence[Path]) -> Compared | None:
    """Read a batch's results (`file`; None: the one queued last); None where there is no batch; runs in a worker."""
    from core.methods import methods
    from core.session.batch import csv_text, grouped, results_block
    from core.session.library import runs_of

    known = records()
    record = next((one for one in known if one.file == file), known[0] if known else None)
    if record is None:
        return None
    rows = rows_of(record, waiting)
    paths = {one.run: record.folder_of(one.run) for one in rows if one.outcome in ("finished", "skipped", "stopped")}
    folders = [RunFolder(path) for path in paths.values() if path is not None and has_report(RunFolder(path))]
    compared = read_comparison(folders) if folders else NO_RUNS
    places = {folder.path: name for name, folder in compared.folders.items()}
    runs = {run["run"]: run for run in compared.found["runs"]}
    reports = {run.name: run.report for run in runs_of(folders)}
    finished = {
        name: told_run(runs[places[path]], reports[places[path]]) for name, path in paths.items() if path in places
    }  # fmt: skip
    groups = grouped(rows)
    told = told_batch(groups, finished, {method.id: method.title for method in methods().values()})
    outcomes = Counter(one.outcome for one in rows)
    batch = Batch(
        batch_name(record), record.file, tuple((batch_name(one), one.file) for one in known), progress_words(outcomes),
        why_no_rest(record, outcomes), csv_text(groups),
    )  # fmt: skip
    lines = comparison_lines(told, compared.found["measures"])
    return replace(compared, lines=lines, tables=[results_block(groups), *compared.tables], batch=batch)


def has_report(folder: RunFolder) -> bool:
    """Whether a run has a report that can be read."""
    try:
        return folder.report() is not None
    except AppError:
        return False


def batch_name(record: BatchRecord) -> str:
    """Name a batch by its file and the day it was queued."""
    return f"{record.file.name}, {datetime.datetime.fromtimestamp(record.queued):%Y-%m-%d %H:%M}"


def why_no_rest(record: BatchRecord, outcomes: Counter[str]) -> str:
    """Why nothing of a batch can be started; "" where something can."""
    if not set(outcomes) & {"missing", "interrupted", "failed"}:
        return tr("All runs of this batch have a result or are in the queue.")
    return "" if record.file.is_file() else tr("{file} is gone.", file=record.file)


def progress_words(outcomes: Counter[str]) -> str:
    """Say how far a batch is: "7 of 12 runs have a result · 1 running · 4 waiting"."""
    ended = fmt.count(outcomes["finished"] + outcomes["stopped"])
    parts = [tr("{ended} of %n runs have a result", n=outcomes.total(), ended=ended)]
    parts += [tr(said, number=fmt.count(outcomes[name])) for name, said in OTHER_RUNS.items() if outcomes[name]]
    return " · ".join(parts)
