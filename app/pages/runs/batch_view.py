"""The results of a batch: a row a method and forget set, filled while its runs end; saved as CSV, gone on with."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QMenu,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.dialogs.sheet import ask_batch
from app.models import batch_table as columns
from app.models.batch_table import OUTCOMES, BatchTableModel
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import ChipButton, SecondaryButton, TextButton
from app.widgets.cards import Card
from app.widgets.labels import Label, caption
from app.widgets.notices import EmptyState
from app.widgets.table import set_up_table
from core.runs.folder import RunFolder

if TYPE_CHECKING:
    from app.context import AppContext
    from app.services.queue_files import BatchRecord
    from core.session.batch import Group

NOTHING = "Results of batches are listed here. Open a batch file (TOML), or drop one on the window, to queue its runs."
NOTE = "Means over seeds ± half of the 95 % interval of the mean. Point at a number for single seeds."
_WIDTHS = {columns.FORGET: 152, columns.METHOD: 176, columns.RUNS: 72, columns.RETAIN: 116,
           columns.FORGET_ACCURACY: 108, columns.FORGET_UNSEEN: 116, columns.TIME: 100}  # fmt: skip
_KEY = "batch-results"


@dataclass(frozen=True)
class Found:
    """What was read of the batches: all of them, and the rows of the one in view."""

    records: tuple[BatchRecord, ...]
    record: BatchRecord | None
    groups: tuple[Group, ...]
    csv: str
    has_file: bool = False  # the batch file is still where it was


class BatchView(QWidget):
    """`left`: back to all runs. Reads again whenever a run ends, begins or is put in while it is shown."""

    left = Signal()

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._file: Path | None = None  # of the batch in view; None: the one queued last
        self._found = Found((), None, (), "")
        self.model = BatchTableModel(self)
        self.table = QTableView()
        self.table.setAccessibleName("Results of the batch")
        self.chooser = ChipButton("none", name="Batch")
        self._menu = QMenu(self.chooser)
        self.chooser.set_menu(self._menu)
        self.state = Label("", "body", "text-2")
        self.rest_button = SecondaryButton("Start the rest", self.start_rest)
        self.compare_button = SecondaryButton("Compare", self.compare)
        self.export_button = SecondaryButton("Save as CSV…", self.ask_export)
        self.stack = QStackedWidget()
        self.empty = EmptyState("runs", NOTHING, "Open a batch file…", self.ask_open)
        self.open_button = SecondaryButton("Open a batch file…", self.ask_open)
        self._lay_out()
        self.table.selectionModel().selectionChanged.connect(self._update)
        controller = context.run_controller
        controller.queue_changed.connect(self.refresh)
        controller.run_ended.connect(self.refresh)
        context.run_library.changed.connect(self.refresh)  # also runs that a terminal or a check has changed
        context.opening.batch_recorded.connect(self.refresh)
        self._update()

    # ---- what is read

    def refresh(self, *_: object) -> None:
        """Read the batches again, where they are in view."""
        if self.isVisible():
            self.look()

    def look(self) -> None:
        """Read the batches in a worker."""
        queue = tuple(run.path for run in self._context.run_controller.queue if run.makes_model)
        handle = self._context.jobs.submit(read_batches, self._file, queue, key=_KEY)
        handle.done.connect(self._show)
        handle.failed.connect(self._context.notifications.error)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.look()

    def runs_chosen(self) -> list[RunFolder]:
        """The finished runs of the chosen rows; of all rows where none is chosen."""
        record = self._found.record
        chosen = sorted({index.row() for index in self.table.selectionModel().selectedRows()})
        groups = [self.model.group_at(row) for row in chosen] or list(self._found.groups)
        names = [row.run for group in groups for row in group.rows if row.outcome in ("finished", "stopped")]
        paths = [record.folder_of(name) for name in names] if record is not None else []
        return [RunFolder(path) for path in paths if path is not None]

    # ---- commands

    def ask_open(self) -> None:
        """Ask for a batch file and queue its runs."""
        ask_batch(self._context, self.window())

    def start_rest(self) -> None:
        """Queue the runs of the batch that have no result and do not wait."""
        if self._found.record is not None and not self._why_no_rest():
            self._context.opening.batch_wanted.emit(self._found.record.file)

    def compare(self) -> None:
        """Hold the finished runs of the chosen rows side by side."""
        folders = self.runs_chosen()
        if len(folders) > 1:
            self._context.project.set_compared(tuple(folders))
            self._context.show_page("verify")

    def ask_export(self) -> None:
        """Ask for a file and write the table to it."""
        record = self._found.record
        if record is None:
            return
        dialog = QFileDialog(self.window(), "Save batch results")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("csv")
        dialog.setNameFilters(["CSV table (*.csv)"])
        dialog.selectFile(f"{record.file.stem}-results.csv")
        dialog.fileSelected.connect(self.export)
        dialog.open()

    def export(self, name: str) -> None:
        """Write the table as CSV."""
        from core.files import write_atomic

        try:
            write_atomic(Path(name), self._found.csv.encode())
        except OSError as error:
            self._context.notifications.error(f"{name} could not be written: {error.strerror or error}.")
            return
        self._context.notifications.info(f"Batch results saved as {Path(name).name}.")

    # ---- parts

    def _show(self, found: Found) -> None:
        self._found = found
        self.model.set_groups(found.groups)
        self.stack.setCurrentIndex(1 if found.record is not None else 0)
        self._menu.clear()
        for record in found.records:
            action = self._menu.addAction(named(record))
            action.setToolTip(str(record.file))
            action.setData(str(record.file))
            action.triggered.connect(self._chosen)
        if found.record is not None:
            self.chooser.set(named(found.record), str(found.record.file))
        self._update()

    def _chosen(self) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        self._file = Path(action.data())
        self.table.clearSelection()
        self.look()

    def _update(self, *_: object) -> None:
        rows = [row for group in self._found.groups for row in group.rows]
        self.state.setText(progress_words(Counter(row.outcome for row in rows)))
        known = self._found.record is not None
        for widget in (self.chooser, self.state, self.open_button, self.rest_button, self.compare_button,
                       self.export_button):  # fmt: skip
            widget.setVisible(known)
        why = self._why_no_rest()
        self.rest_button.setEnabled(not why)
        self.rest_button.setToolTip(why or "Queue the runs of this batch that have no result yet")
        several = len(self.runs_chosen()) > 1
        self.compare_button.setEnabled(several)
        tip = "Finished runs of the chosen rows side by side" if several else "Two or more runs must be finished."
        self.compare_button.setToolTip(tip)

    def _why_no_rest(self) -> str:
        record = self._found.record
        if record is None:
            return "There is no batch to go on with."
        outcomes = {row.outcome for group in self._found.groups for row in group.rows}
        if not outcomes & {"missing", "interrupted", "failed"}:
            return "All runs of this batch have a result or are in the queue."
        return "" if self._found.has_file else f"{record.file} is gone."

    def _lay_out(self) -> None:
        set_up_table(self.table)
        self.table.setModel(self.model)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        header = self.table.horizontalHeader()
        for column, width in _WIDTHS.items():
            self.table.setColumnWidth(column, theme.px(width))
        header.setSectionResizeMode(columns.VERDICT, QHeaderView.ResizeMode.Stretch)
        column_layout = QVBoxLayout(self)
        column_layout.setContentsMargins(0, 0, 0, 0)
        column_layout.setSpacing(theme.px(t.M))
        head = QHBoxLayout()
        head.setSpacing(theme.px(t.S))
        for widget in (self.chooser, self.state):
            head.addWidget(widget)
        head.addStretch(1)
        for button in (self.open_button, self.rest_button, self.compare_button, self.export_button):
            head.addWidget(button)
        head.addWidget(TextButton("Back to all runs", self.left.emit))
        column_layout.addLayout(head)
        card = Card("", padding=1)
        card.body.addWidget(self.table, 1)
        note = caption(NOTE)
        note.setContentsMargins(theme.px(t.S), 0, theme.px(t.S), theme.px(t.XS))
        card.body.addWidget(note)
        self.stack.addWidget(self.empty)
        self.stack.addWidget(card)
        column_layout.addWidget(self.stack, 1)


def read_batches(file: Path | None, waiting: Sequence[Path]) -> Found:
    """Return the batches known and the results of one (`file`; None: the one queued last); runs in a worker."""
    from app.services.queue_files import records, rows_of
    from core.session.batch import csv_text, grouped

    known = records()
    record = next((one for one in known if one.file == file), known[0] if known else None)
    if record is None:
        return Found(known, None, (), "")
    groups = grouped(rows_of(record, waiting))
    return Found(known, record, groups, csv_text(groups), record.file.is_file())


def named(record: BatchRecord) -> str:
    """Name a batch by its file and the day it was queued."""
    return f"{record.title}, {datetime.datetime.fromtimestamp(record.queued):%Y-%m-%d %H:%M}"


def progress_words(outcomes: Counter[str]) -> str:
    """Say how far a batch is: "7 of 12 runs have a result · 1 going · 4 waiting"."""
    total = sum(outcomes.values())
    ended = outcomes["finished"] + outcomes["stopped"]
    if not total:
        return ""
    have = "has" if ended == 1 else "have"
    parts = [f"{fmt.count(ended)} of {fmt.plural(total, 'run')} {have} a result"]
    order = ("running", "waiting", "interrupted", "failed", "missing")
    parts += [f"{fmt.count(outcomes[name])} {OUTCOMES[name]}" for name in order if outcomes[name]]
    return " · ".join(parts)


