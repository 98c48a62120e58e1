"""Several runs side by side: chosen ones, those that were checked together, or all of a batch file, in one table."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QSplitter, QStackedWidget, QWidget

from app.dialogs.sheet import ask_save, ask_to_open
from app.models.comparison_table import OUTCOMES, Line, batch_lines, lines_of, run_line, write_cells
from app.pages.verify.checks import UNCHECKED
from app.pages.verify.comparison_parts import ComparisonPlots, ComparisonTree
from app.pages.verify.verdict_card import check_words
from app.services import format as fmt
from app.services import tokens as t
from app.services.translation import tr
from app.widgets.buttons import ChipButton, PrimaryButton, SecondaryButton, TextButton
from app.widgets.cards import Card
from app.widgets.labels import Label, caption
from app.widgets.layout import STRETCH, beside, column, row, widget_of
from app.widgets.notices import Banner, EmptyState, ProgressLine
from core.errors import AppError
from core.runs.folder import RunFolder
from core.verify.shown import ShownTable
from core.verify.table import PUBLISHED

if TYPE_CHECKING:
    from app.context import AppContext
    from app.pages.verify.checks import Checks
    from app.services.queue_files import BatchRecord
    from app.services.window_state import WindowState
    from app.workers.live_run import LiveRun

GOAL = "No value is good for being high or low: the retrained one is the goal. Double-click a run to open it."
NO_BATCHES = (
    "Results of batches are listed here. Open a batch file (TOML), or drop one on the window, to queue its runs."
)
TABLES = ("LaTeX, booktabs (*.tex)", "Markdown (*.md)", "CSV (*.csv)")


@dataclass(frozen=True)
class Batch:
    """A batch in view, and all that are known."""

    records: tuple[BatchRecord, ...] = ()
    record: BatchRecord | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    csv: str = ""
    has_file: bool = False  # the batch file is still where it was


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


NO_RUNS = Compared(
    {"comparable": False, "differences": [], "measures": [], "anchors": {}, "runs": [], "groups": [], "ranking": []},
    [], {}, (), (), ShownTable("", [""], []), ShownTable("", [""], []), [],
)  # fmt: skip


def read_comparison(folders: Sequence[RunFolder]) -> Compared:
    """Read the runs' reports and jobs; runs in a worker. Raises InputError for a run without a report."""
    from core.session.library import runs_of
    from core.session.references import trained_references
    from core.verify.comparison import agreement_block, blocks, compare, jobs_block

    runs = runs_of(folders)
    found, reports = compare(runs), {run.name: dict(run.report) for run in runs}
    lines = lines_of(found, reports)
    write_cells(lines, found["measures"])
    named = {run.name: folder for run, folder in zip(runs, folders, strict=True)}
    unchecked = tuple(
        named[run["run"]] for run in found["runs"] if (run["verdict"].get("code") or "") in UNCHECKED
    )  # fmt: skip
    trained = tuple(trained_references(unchecked[0].job())) if unchecked else ()
    return Compared(found, lines, named, unchecked, trained, jobs_block(found), agreement_block(found), blocks(found))


def read_batch(file: Path | None, waiting: Sequence[Path]) -> Compared | None:
    """Read a batch's results (`file`; None: the one queued last); None where there is no batch; runs in a worker."""
    from app.services.queue_files import records, rows_of
    from core.methods import METHODS
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
        name: run_line(runs[places[path]], reports[places[path]]) for name, path in paths.items() if path in places
    }  # fmt: skip
    groups = grouped(rows)
    lines = batch_lines(groups, finished, {method.id: method.title for method in METHODS.values()})
    write_cells(lines, compared.found["measures"])
    batch = Batch(known, record, Counter(one.outcome for one in rows), csv_text(groups), record.file.is_file())
    return Compared(
        compared.found, lines, compared.folders, compared.unchecked, compared.trained, compared.jobs,
        compared.agreement, [results_block(groups), *compared.tables], batch,
    )  # fmt: skip


def has_report(folder: RunFolder) -> bool:
    """Whether a run has a report that can be read."""
    try:
        return folder.report() is not None
    except AppError:
        return False


class GroupMenu(QObject):
    """Which groups of measures are columns, remembered; the field's own are asked for, as they say the same anew."""

    changed = Signal()

    def __init__(self, state: WindowState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.button = ChipButton("Measures", name="Groups of measures")
        self.menu = QMenu(self.button)
        self.button.setMenu(self.menu)
        self.set_groups(())

    def set_groups(self, groups: Sequence[str]) -> None:
        """Offer these groups."""
        self.menu.clear()
        for group in groups:
            action = self.menu.addAction(group)
            action.setData(group)
            action.setCheckable(True)
            action.setChecked(self._state.flag(f"compared/{group}", group != PUBLISHED))
            action.toggled.connect(self._toggled)
        self._say()

    def hidden(self) -> set[str]:
        """The groups that are not shown."""
        return {str(action.data()) for action in self.menu.actions() if not action.isChecked()}

    def _toggled(self, on: bool) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        self._state.set_flag(f"compared/{action.data()}", on)
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        hidden, every = len(self.hidden()), len(self.menu.actions())
        words = f"{fmt.count(every - hidden)} of {fmt.count(every)} groups" if hidden else "all groups"
        self.button.set(f"Measures: {words}", "Groups of measures that are columns of the table")


class ComparisonView(QStackedWidget):
    """A head with what can be done, the table and the plots beside it; or what will be here."""

    left = Signal()  # back to the run in view
    opened = Signal(object)  # RunFolder
    replay_wanted = Signal(object)  # list of two RunFolders
    batch_chosen = Signal(object)  # Path of a batch file that is known
    open_asked = Signal()  # a batch file

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.compared: Compared | None = None
        self.title = Label("", "section")
        self.chooser = ChipButton("none", name="Batch")
        self._batches = QMenu(self.chooser)
        self.chooser.setMenu(self._batches)
        self.state = Label("", "body", "text-2")
        self.groups = GroupMenu(state, self)
        self.groups.changed.connect(self._show_columns)
        self.open_button = SecondaryButton("Open a batch file…", self.open_asked.emit)
        self.rest_button = SecondaryButton("Start the rest")
        self.check_button = PrimaryButton(tr("Check all"))
        self.best_button = PrimaryButton(tr("Open the first in rank"), self._open_best)
        self.stop_button = SecondaryButton("Stop checks")
        self.save_button = SecondaryButton(tr("Save table…"))
        self.replay_button = SecondaryButton("Replay two…", self._replay)
        self.progress = ProgressLine("Checks")
        self.banner = Banner()
        self.tree = ComparisonTree()
        self.plots = ComparisonPlots()
        table, plots = Card("", padding=1), Card("", padding=t.S)
        table.body.addWidget(self.tree, 1)
        table.body.addLayout(row(caption(GOAL), margins=(t.S, 0, t.S, t.XS)))
        plots.body.addWidget(self.plots)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        beside(splitter, table, plots)
        self.addWidget(widget_of(column(
            row(self.title, self.chooser, self.state, STRETCH, self.open_button, self.rest_button, self.groups.button,
                TextButton("Back to one run", self.left.emit)),
            self.banner, self.progress, (splitter, 1),
            row(self.replay_button, STRETCH, self.save_button, self.stop_button, self.best_button,
                self.check_button),
            spacing=t.M,
        )))  # fmt: skip
        self.empty = EmptyState("runs", NO_BATCHES, "Open a batch file…", self.open_asked.emit)
        back = TextButton("Back to one run", self.left.emit)
        self.addWidget(widget_of(column((self.empty, 1), row(STRETCH, back, STRETCH))))
        self.tree.chosen.connect(self._chosen)
        self.tree.activated.connect(self._activated)
        self.plots.scatter.plot.hovered_dot.connect(self.tree.choose)
        self.show_check(None, "")

    def show_compared(self, compared: Compared | None) -> None:
        """Show a comparison; None: there is no batch to show."""
        self.compared = compared
        self.setCurrentIndex(0 if compared is not None else 1)
        if compared is None:
            return
        found, batch = compared.found, compared.batch
        methods = {str(run["title"]) for run in found["runs"]}
        self.title.setText(f"{fmt.plural(len(found['runs']), 'run')} of {fmt.plural(len(methods), 'method')}")
        self.title.setVisible(batch is None)
        for part in (self.chooser, self.state, self.open_button, self.rest_button):
            part.setVisible(batch is not None)
        if batch is not None:
            self._show_batch(batch)
        if found["differences"] and batch is None:
            self.banner.show_message(" ".join(found["differences"]), "caution", closable=False)
        else:
            self.banner.dismiss()
        self.tree.table.set_lines(compared.lines, found["measures"])
        self.groups.set_groups(self.tree.table.groups())
        self._show_columns()
        self.plots.scatter.set_comparison(found)
        self.plots.scatter.plot.provenance = ", ".join(compared.folders)
        self.plots.agreement.set_table(compared.agreement.header, compared.agreement.rows, compared.agreement.note)
        self._chosen(self.tree.chosen_runs())

    def show_check(self, check: LiveRun | None, words: str) -> None:
        """Show how far checks are; None: there is none. `words`: how many of several are over."""
        self.progress.setVisible(check is not None)
        self.stop_button.setVisible(check is not None)
        unchecked = self.compared.unchecked if self.compared is not None else ()
        self.check_button.setVisible(check is None and bool(unchecked))
        self.best_button.setVisible(check is None and not unchecked and bool(self._best()))
        if check is not None:
            done, total, text = check_words(check)
            self.progress.set(done, total, f"{words} · {text}" if words else text)

    def replayed(self) -> list[RunFolder]:
        """The two runs a replay is of: those chosen, or the only two there are; empty where that is not clear."""
        compared = self.compared
        if compared is None:
            return []
        chosen = [name for name in compared.folders if name in self.tree.chosen_runs()]
        names = chosen if len(chosen) == 2 else list(compared.folders)
        return [compared.folders[name] for name in names] if len(names) == 2 else []

    def _show_batch(self, batch: Batch) -> None:
        assert batch.record is not None
        self.chooser.set(batch_name(batch.record), str(batch.record.file))
        self.state.setText(progress_words(batch.outcomes))
        self._batches.clear()
        for record in batch.records:
            action = self._batches.addAction(batch_name(record))
            action.setToolTip(str(record.file))
            action.triggered.connect(partial(self.batch_chosen.emit, record.file))
        why = why_no_rest(batch)
        self.rest_button.setEnabled(not why)
        self.rest_button.setToolTip(why or "Queue the runs of this batch that have no result yet")

    def _show_columns(self) -> None:
        self.tree.show_columns(self.groups.hidden())

    def _chosen(self, names: set[str]) -> None:
        self.plots.scatter.plot.choose(names)
        self._show_jobs(names)
        two = bool(self.replayed())
        self.replay_button.setEnabled(two)
        self.replay_button.setToolTip("Both runs' curves on one axis" if two else "Choose two runs in the table.")

    def _show_jobs(self, names: set[str]) -> None:
        """What the jobs of all runs differ in; of two chosen ones only what these two differ in."""
        if self.compared is None:
            return
        block = self.compared.jobs
        places = [n for n, name in enumerate(block.header) if name in names]
        if len(places) != 2 or len(block.header) <= 3:
            self.plots.jobs.set_table(block.header, block.rows, block.note)
            return
        one, other = places
        rows = [[cells[0], cells[one], cells[other]] for cells in block.rows if cells[one] != cells[other]]
        self.plots.jobs.set_table(["", block.header[one], block.header[other]], rows, block.note)

    def _activated(self, name: str) -> None:
        if self.compared is not None:
            self.opened.emit(self.compared.folders[name])

    def _best(self) -> str:
        """The run that ranks first, of one forget set; "" where none does."""
        ranking = self.compared.found["ranking"] if self.compared is not None else ()
        return ranking[0]["runs"][0] if ranking and ranking[0]["rank"] else ""

    def _open_best(self) -> None:
        self._activated(self._best())

    def _replay(self) -> None:
        two = self.replayed()
        if two:
            self.replay_wanted.emit(two)


class ComparisonPresenter(QObject):
    """Reads the runs that are to be compared, checks them, and answers what is asked of the view."""

    shown = Signal()
    failed = Signal(object)

    def __init__(self, context: AppContext, view: ComparisonView, checks: Checks, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._view, self._checks = context, view, checks
        project = context.project
        project.compared_changed.connect(self.refresh)
        view.left.connect(partial(project.set_compared, ()))
        view.opened.connect(self._open)
        view.replay_wanted.connect(self._replay)
        view.batch_chosen.connect(project.show_batch)
        view.open_asked.connect(self._ask_batch)
        view.rest_button.clicked.connect(self.start_rest)
        view.check_button.clicked.connect(self._check_unchecked)
        view.stop_button.clicked.connect(checks.stop)
        view.save_button.clicked.connect(self._ask_save)
        checks.changed.connect(self._show_check)
        checks.ended.connect(self.refresh)
        context.run_controller.queue_changed.connect(self._refresh_batch)
        context.run_controller.run_ended.connect(self._refresh_batch)
        context.opening.batch_recorded.connect(self._refresh_batch)
        context.run_library.changed.connect(self._refresh_batch)  # also runs that a terminal has changed

    def refresh(self, *_: object) -> None:
        """Read the runs again, where there are any to compare."""
        project = self._context.project
        if project.batch is not None:
            queue = tuple(run.path for run in self._context.run_controller.queue if run.makes_model)
            job = self._context.jobs.submit(read_batch, project.batch or None, queue, key="compare")
        elif project.compared:
            job = self._context.jobs.submit(read_comparison, project.compared, key="compare")
        else:
            self._context.jobs.cancel("compare")
            return
        job.done.connect(self._read)
        job.failed.connect(self._not_read)

    def check_all(self, folders: Sequence[RunFolder]) -> None:
        """Check those of the runs that were not compared yet."""
        job = self._context.jobs.submit(read_comparison, folders, key="check-all")
        job.done.connect(self._check_read)
        job.failed.connect(self.failed)

    def start_rest(self) -> None:
        """Queue the runs of the batch that have no result and do not wait."""
        batch = self._view.compared.batch if self._view.compared is not None else None
        if batch is not None and batch.record is not None and not why_no_rest(batch):
            self._context.opening.batch_wanted.emit(batch.record.file)

    def _check_unchecked(self) -> None:
        if self._view.compared is not None:
            self._check_read(self._view.compared)

    def _check_read(self, compared: Compared) -> None:
        self._checks.run_several(compared.unchecked, compared.trained)

    def _show_check(self, _check: LiveRun | None) -> None:
        checks = self._checks
        self._view.show_check(checks.shown if checks.several else None, checks.progress_words())

    def _refresh_batch(self, *_: object) -> None:
        if self._context.project.batch is not None and self._view.isVisible():
            self.refresh()

    def _read(self, compared: Compared | None) -> None:
        self._view.show_compared(compared)
        self._show_check(None)
        self.shown.emit()

    def _not_read(self, error: BaseException) -> None:
        self._context.project.set_compared(())
        self.failed.emit(error)

    def _replay(self, two: list[RunFolder]) -> None:
        first, second = two
        self._context.project.set_beside(second, of=first.path)
        self._context.opening.open_run(first.path)

    def _open(self, folder: RunFolder) -> None:
        self._context.opening.open_run(folder.path)

    def _ask_batch(self) -> None:
        ask_to_open(self._context, self._view.window(), "batch")

    def _ask_save(self) -> None:
        compared = self._view.compared
        if compared is None:
            return
        batch = compared.batch
        name = f"{batch.record.file.stem}-results" if batch is not None and batch.record is not None else "comparison"
        save_tables(self._context, self._view, compared.tables, name, batch.csv if batch is not None else "")


def save_tables(
    context: AppContext, widget: QWidget, tables: Sequence[ShownTable], name: str, csv: str = ""
) -> None:
    """Ask for a file and write tables to it, as its ending says; `csv`: what a CSV file holds in their place."""

    def save(chosen: str) -> None:
        from core.files import write_atomic
        from core.verify.shown import write_tables

        path = Path(chosen)
        try:
            if csv and path.suffix.lower() == ".csv":
                write_atomic(path, csv.encode())
            else:
                write_tables(path, tables)
        except AppError as error:
            context.notifications.error(error)
        except OSError as error:
            context.notifications.error(f"{chosen} could not be written: {error.strerror or error}.")
        else:
            context.notifications.info(tr("Table saved as {name}.", name=path.name))

    ask_save(widget.window(), tr("Save table"), save, TABLES, name)


def batch_name(record: BatchRecord) -> str:
    """Name a batch by its file and the day it was queued."""
    return f"{record.title}, {datetime.datetime.fromtimestamp(record.queued):%Y-%m-%d %H:%M}"


def why_no_rest(batch: Batch) -> str:
    """Why nothing of a batch can be started."""
    if not set(batch.outcomes) & {"missing", "interrupted", "failed"}:
        return "All runs of this batch have a result or are in the queue."
    return "" if batch.has_file or batch.record is None else f"{batch.record.file} is gone."


def progress_words(outcomes: Counter[str]) -> str:
    """Say how far a batch is: "7 of 12 runs have a result · 1 going · 4 waiting"."""
    total = sum(outcomes.values())
    ended = outcomes["finished"] + outcomes["stopped"]
    if not total:
        return ""
    parts = [tr("{ended} of %n runs have a result", n=total, ended=fmt.count(ended))]
    order = ("running", "waiting", "interrupted", "failed", "missing")
    parts += [f"{fmt.count(outcomes[name])} {OUTCOMES[name]}" for name in order if outcomes[name]]
    return " · ".join(parts)
