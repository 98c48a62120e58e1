"""A batch file in the window: what it would run is asked about once, then every combination waits in the queue.

Runs that have their result are skipped, those that were cut off go on, and which runs belong to the batch is recorded,
so that its table of results fills while they end.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.dialogs.sheet import Choice, ConfirmDialog, ask
from app.dialogs.trust import ask_trust
from app.services import format as fmt
from app.services.translation import tr
from app.workers.live_run import LiveRun
from app.workers.queue_files import BatchRecord, RecordedRun, read_record, write_record
from core.errors import AppError, MismatchError, UnprovenError, UnsafeFileError
from core.models.trust import NO_TRUST, Trust
from core.runs.folder import RunFolder

if TYPE_CHECKING:
    from app.context import AppContext
    from core.events import Tell
    from core.job import Job
    from core.selection import Selection
    from core.session.bench import Bench

_NAMED = 3  # of what cannot be started


@dataclass(frozen=True)
class Planned:
    """One run of a batch file: what is recorded of it, and what is to be done: "start", "resume" or nothing ("")."""

    run: RecordedRun
    act: str
    job: Job
    selection: Selection
    own_folder: bool  # False: the recorded folder holds another run, so that a new one is made
    before: LiveRun | None = None  # what the run to go on with has recorded


@dataclass(frozen=True)
class Ready:
    """A batch file with what can be started of it; `problems` are sentences on what cannot."""

    path: Path
    bench: Bench
    runs: tuple[Planned, ...]
    problems: tuple[str, ...]
    checks: bool = False  # whether the file asks for its results to be checked

    @property
    def wanted(self) -> tuple[Planned, ...]:
        """The runs to start or to go on with."""
        return tuple(run for run in self.runs if run.act)


class BatchQueue(QObject):
    """Listens for batch files that are opened or dropped."""

    def __init__(self, context: AppContext, window: QWidget) -> None:
        super().__init__(window)
        self._context, self._window = context, window
        self.dialog: ConfirmDialog | None = None
        context.opening.batch_wanted.connect(self.read)

    def read(self, path: Path, trust: Trust = NO_TRUST) -> None:
        """Read a batch file, and open its model and data, in a worker. `trust`: whether its model may run code."""
        controller = self._context.run_controller
        known = [*controller.queue, controller.current]
        taken = frozenset(run.path for run in known if run is not None and run.makes_model)
        handle = self._context.jobs.submit(read, path, self._context.runs_folder(), taken, trust, key="batch").then(
            partial(self._ask, trust), partial(self._failed, path, trust)
        )
        self._context.shell.follow(handle, "batch")

    def _ask(self, trust: Trust, ready: Ready) -> None:
        name, wanted, say = ready.path.name, ready.wanted, self._context.notifications
        if trust != NO_TRUST:
            self._context.trust.allow_model(ready.bench.model)
        if ready.problems:
            said = tr("%n runs of {name} cannot be started.", n=len(ready.problems), name=name)
            say.caution(said, " ".join(ready.problems[:_NAMED]))
        if not wanted:
            if ready.runs:
                self._record(ready, {})
                say.info(tr("All runs of {name} are finished or wait already.", name=name))
            return
        runs = fmt.some([run.run.run for run in wanted])
        details = [tr("{runs}, on {data}.", runs=runs, data=ready.bench.dataset.title)]
        if resumed := sum(run.act == "resume" for run in wanted):
            details.append(tr("%n runs that were cut off go on.", n=resumed))
        if skipped := len(ready.runs) - len(wanted):
            details.append(tr("%n runs finished or waiting already: skipped.", n=skipped))
        if ready.checks:
            details.append(tr("Check all on Runs checks their results, as the file asks for, once they are there."))
        choices = [Choice("no", tr("Cancel")), Choice("yes", tr("Queue runs"), act=partial(self._queue, ready))]
        question = tr("Queue %n runs of {name}?", n=len(wanted), name=name)
        self.dialog = ask(self._window, question, choices, " ".join(details))

    def _queue(self, ready: Ready) -> None:
        controller = self._context.run_controller
        self.dialog, busy, started = None, controller.busy, {}
        for one in ready.wanted:
            if one.before is not None:
                started[one.run.run] = controller.resume_run(one.before, ready.bench)
            else:
                place = one.run.folder if one.own_folder else None
                started[one.run.run] = controller.start(one.job, ready.bench, one.selection, place)
        if started and not busy:
            self._context.project.set_run(next(iter(started.values())))
            self._context.show_page("unlearn")
        self._record(ready, {name: run.path for name, run in started.items()})
        self._context.notifications.info(tr(
            "%n runs of {name} queued. Their results: Batch results on Runs.", n=len(started), name=ready.path.name
        ))  # fmt: skip

    def _record(self, ready: Ready, folders: dict[str, Path]) -> None:
        """Write down which runs the batch has, in a worker."""
        runs = tuple(replace(one.run, folder=folders.get(one.run.run, one.run.folder)) for one in ready.runs)
        failed = partial(self._context.notifications.error, what=tr("The batch's results will not be listed together"))
        record = BatchRecord(ready.path.absolute(), time.time(), runs)
        self._context.jobs.submit(write_record, record).then(self._context.opening.batch_recorded, failed)

    def _failed(self, path: Path, trust: Trust, error: BaseException) -> None:
        say = self._context.notifications
        if isinstance(error, UnsafeFileError):
            trust = Trust(True, True, (trust.only or frozenset()) | frozenset(error.digests))
            self.dialog = ask_trust(self._window, path.name, partial(self.read, path, trust))
        elif isinstance(error, UnprovenError):
            why = tr("{name} was not queued. {reason}", name=path.name, reason=error.message)
            say.caution(why, error.hint)
        else:
            say.error(error, tr("The batch file was not opened"))


def read(path: Path, runs_folder: Path, taken: Collection[Path], trust: Trust, progress: Tell) -> Ready:
    """Read a batch file and make its jobs; runs in a worker. `taken`: folders of runs that wait or go already."""
    from core.session.batch import make_item, open_batch
    from core.session.batch_file import read_batch
    from core.session.bench import Bench

    batch = read_batch(path)
    bench = open_batch(batch, Bench(trust=trust, tell=progress))
    known = read_record(path)
    runs, problems = [], []
    for item in batch.items():
        folder = known.folder_of(item.name) if known is not None else None
        folder = folder or runs_folder / f"{path.stem}-{item.name}"
        recorded = RecordedRun(item.name, item.forget.name, item.method.id, item.seed, folder)
        try:
            selection, job = make_item(item, bench, batch)
            act, own_folder = _what_to_do(folder, job, taken)
            before = LiveRun.from_folder(RunFolder(folder)) if act == "resume" else None
            runs.append(Planned(recorded, act, job, selection, own_folder, before))
        except AppError as error:
            problems.append(f"{item.name}: {error.text}")
    return Ready(path, bench, tuple(runs), tuple(problems), bool(batch.check))


def _what_to_do(folder: Path, job: Job, taken: Collection[Path]) -> tuple[str, bool]:
    """Return what is to be done with a run, and whether it may have the folder that is its own."""
    from core.session.jobs import differences

    held = RunFolder(folder)
    if folder in taken:
        return "", True
    if not held.exists:
        return "start", not folder.exists()
    try:
        same = not differences(held.job(), job)
    except MismatchError:  # a newer version's run
        same = False
    if not same:
        return "start", False
    return ("" if held.is_done or held.locked else "resume"), True
