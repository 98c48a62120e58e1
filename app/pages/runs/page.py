"""The Runs page: what waits, and all runs known; open, resume, start again, delete."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QPoint, Qt, QTimer
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QMenu,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.dialogs.sheet import ask_run
from app.models import run_table as columns
from app.models.run_table import PATH_ROLE, RunFilter, RunTableModel
from app.pages.runs import rules
from app.pages.runs.batch_view import BatchView
from app.pages.runs.queue_card import QueueCard
from app.pages.runs.run_actions import Reopening, ask_delete
from app.plots.sparkline import SparklineDelegate
from app.services import tokens as t
from app.services.commands import resume
from app.services.run_library import DELETING, RunRow
from app.services.theme import theme
from app.widgets.buttons import ChipButton, DestructiveButton, PrimaryButton, SecondaryButton
from app.widgets.cards import Card
from app.widgets.labels import TermRow
from app.widgets.notices import EmptyState
from app.widgets.page import Page
from app.widgets.table import ColumnMenu, SortHeader, set_up_table
from core.errors import AppError
from core.job import Job
from core.runs.folder import RunFolder

if TYPE_CHECKING:
    from app.context import AppContext

EMPTY = "Runs you start or open are listed here, also those started from a terminal."
WORDS = ("method", "forget_set", "retain_set", "verdict", "later_request")  # of the table's titles and the buttons
LATER = (
    "Open the model this run made and forget more with it. What was forgotten before stays forgotten: those images are "
    "kept out of the retain set."
)
WATCH_MS = 2000  # how often the folder is looked at while the page is in view: runs of a terminal appear by themselves
LIVE_MS = 500
_WIDTHS = {columns.STATE: 108, columns.METHOD: 128, columns.PRESET: 92, columns.FORGET: 84, columns.MODEL: 84,
           columns.DATA: 68, columns.SEED: 48, columns.RETAIN: 78, columns.FORGET_ACCURACY: 78, columns.VERDICT: 108,
           columns.STARTED: 100}  # fmt: skip


class RunsPage(Page):
    """A table with commands for the chosen runs; the queue stands above it while anything waits."""

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.model = RunTableModel(self)
        self.proxy = RunFilter(self)
        self.proxy.setSourceModel(self.model)
        self.queue = QueueCard()
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search method, forget set, model")
        self.search.setAccessibleName("Search runs")
        self.search.setClearButtonEnabled(True)
        self.search.setFixedWidth(theme.px(280))
        self.table = QTableView()
        self.table.setAccessibleName("Runs")
        self.empty = EmptyState("runs", EMPTY, "Open a run folder…", self.choose_folder)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self._full())
        self.batches = BatchView(context)
        self.stack.addWidget(self.batches)
        self.content.addWidget(self.stack, 1)
        self.open_button = PrimaryButton("Open", self.open_chosen)
        self.resume_button = SecondaryButton("Resume", self.resume_chosen)
        self.duplicate_button = SecondaryButton("Start again…", self.duplicate_chosen)
        self.duplicate_button.setToolTip("Set up a new run with the same model, data, forget set and settings")
        self.later_button = SecondaryButton("Later request", self.start_later)
        self.compare_button = SecondaryButton("Compare", self.compare_chosen)
        self.compare_button.setToolTip("Measures of two or more finished runs side by side, means over seeds")
        self.delete_button = DestructiveButton("Delete…", self.delete_chosen)
        self.add_action(SecondaryButton("Open a run folder…", self.choose_folder), start=True)
        self.batch_button = SecondaryButton("Batch results", self.show_batches)
        self.batch_button.setToolTip("Runs of batch files by method and forget set, means over seeds")
        self.add_action(self.batch_button, start=True)
        self.action_start.addSpacing(theme.px(t.L))
        self.add_action(self.delete_button, start=True)
        for button in (
            self.resume_button, self.compare_button, self.later_button, self.duplicate_button, self.open_button
        ):  # fmt: skip
            self.add_action(button)
        self._reopening = Reopening(context, self)
        self._watch = QTimer(self)
        self._watch.setInterval(WATCH_MS)
        self._watch.timeout.connect(context.run_library.refresh)
        self._live = QTimer(self)
        self._live.setInterval(LIVE_MS)
        self._live.timeout.connect(self._show_live)
        self._connect()
        context.actions.add("runs.later", "Start a &later request", self.start_later, menu="run", icon="forget",
                            shortcut="Ctrl+Shift+L", tip=LATER, why_disabled=self._why_no_later_now)  # fmt: skip
        context.actions.add("runs.batches", "Show &batch results", self.show_batches, menu="view", icon="runs")
        self._rows_changed()
        self._queue_changed()
        titles = context.jobs.submit(_titles)
        titles.done.connect(self.model.set_titles)
        titles.done.connect(self.batches.model.set_titles)

    # ---- the frame

    def entered(self) -> None:
        self.context.run_library.refresh()
        self._watch.start()
        self._show_live()

    def left(self) -> None:
        self._watch.stop()
        self._live.stop()

    # ---- commands

    def open_chosen(self) -> None:
        """Bring the chosen run into view, live or as it ended."""
        rows = self.chosen()
        if rows:
            self.open_run(rows[0])

    def open_run(self, row: RunRow) -> None:
        """Open one run; the one under way here is shown as it is."""
        if row.state == DELETING:
            return
        controller = self.context.run_controller
        here = next((run for run in (controller.current, *controller.queue) if run and run.path == row.path), None)
        if here is not None:
            self.context.project.set_run(here)
            self.context.show_page("unlearn")
        else:
            self.context.opening.open_run(row.path)

    def resume_chosen(self) -> None:
        """Go on with an interrupted run."""
        rows = self.chosen()
        if rows and not rules.why_no_resume(rows):
            resume(self.context, RunFolder(rows[0].path), self.window())

    def compare_chosen(self) -> None:
        """Hold the chosen runs side by side on the Verify page."""
        rows = self.chosen()
        if not rules.why_no_compare(rows):
            self.context.project.set_compared(tuple(RunFolder(row.path) for row in sorted(rows, key=_by_method)))
            self.context.show_page("verify")

    def duplicate_chosen(self) -> None:
        """Set up a new run with the settings of the chosen one."""
        rows = self.chosen()
        if not rows or rules.why_no_duplicate(rows):
            return
        folder = RunFolder(rows[0].path)
        try:
            job = folder.job()
        except AppError as error:
            self.context.notifications.error(error, "The run cannot be started again")
            return
        self._reopening.open(folder, job, self._set_up)

    def start_later(self) -> None:
        """Open the model that the chosen run made, to forget more with it; what it forgot stays forgotten."""
        rows = self.chosen()
        if rules.why_no_later(rows):
            return
        folder = RunFolder(rows[0].path)
        try:
            job = folder.job()
        except AppError as error:
            self.context.notifications.error(error, "No later request can start from this run")
            return
        self.context.show_page("project")
        self._reopening.open_result(folder, job, partial(self.context.show_page, "forget"))

    def show_batches(self) -> None:
        """Show the results of batches instead of all runs."""
        self.context.show_page("runs")
        self.stack.setCurrentWidget(self.batches)
        self._update_buttons()

    def leave_batches(self) -> None:
        """Show all runs again."""
        self._choose_view(batches=False)
        self._update_buttons()

    def delete_chosen(self) -> None:
        """Move the chosen runs to the trash, after asking."""
        rows = self.chosen()
        if rows and not self._why_no_delete(rows):
            ask_delete(self.context, [RunFolder(row.path) for row in rows], self.window())

    def choose_folder(self) -> None:
        """Open a run folder from anywhere."""
        ask_run(self.context, self.window())

    def chosen(self) -> list[RunRow]:
        """The chosen runs, the current one first."""
        selection = self.table.selectionModel()
        current = selection.currentIndex().row()
        rows = sorted({index.row() for index in selection.selectedRows()}, key=lambda row: (row != current, row))
        return [self.model.row_at(self.proxy.mapToSource(self.proxy.index(row, 0)).row()) for row in rows]

    # ---- parts

    def _choose_view(self, batches: bool = True) -> None:
        """Show all runs, what will be here, or (where they are shown, unless not `batches`) the results of batches."""
        if batches and self.stack.currentWidget() is self.batches:
            return
        self.stack.setCurrentIndex(1 if self.context.run_library.rows or self.context.run_controller.queue else 0)

    def _set_up(self, job: Job) -> None:
        self.context.show_page("unlearn")
        self.context.run_controller.setup_wanted.emit(job)

    def _rows_changed(self) -> None:
        kept = {row.path for row in self.chosen()}
        self.model.set_rows(self.context.run_library.rows)
        self._choose_view()
        selection = self.table.selectionModel()
        for row in range(self.proxy.rowCount()):
            index = self.proxy.index(row, 0)
            if index.data(PATH_ROLE) in kept:
                selection.select(index, selection.SelectionFlag.Select | selection.SelectionFlag.Rows)
        if not selection.hasSelection() and self.proxy.rowCount():
            self.table.setCurrentIndex(self.proxy.index(0, 0))
        self._show_live()
        self._update_buttons()

    def _queue_changed(self) -> None:
        self.queue.set_runs(self.context.run_controller.queue)
        self._choose_view()
        self._update_buttons()

    def _show_live(self) -> None:
        current = self.context.run_controller.current
        live = current if current is not None and current.makes_model else None
        self.model.set_live(live)
        if live is not None and self.isVisible():
            self._live.start()
        else:
            self._live.stop()

    def _run_ended(self, _run: object) -> None:
        self.model.set_live(None)
        self._update_buttons()

    def _update_buttons(self, *_: object) -> None:
        rows = self.chosen()
        for button, why in (
            (self.open_button, rules.why_no_open(rows)), (self.resume_button, rules.why_no_resume(rows)),
            (self.compare_button, rules.why_no_compare(rows)),
            (self.duplicate_button, rules.why_no_duplicate(rows)), (self.delete_button, self._why_no_delete(rows)),
            (self.later_button, rules.why_no_later(rows)),
        ):  # fmt: skip
            button.setEnabled(not why)
            button.setAccessibleDescription(why)
        self.later_button.setToolTip(self.later_button.accessibleDescription() or LATER)
        self.context.actions.refresh()
        shown = self.stack.currentWidget() is not self.batches
        for button in (self.compare_button, self.later_button, self.duplicate_button, self.open_button,
                       self.delete_button, self.batch_button):  # fmt: skip
            button.setVisible(shown)
        self.resume_button.setVisible(shown and not rules.why_no_resume(rows))
        unreadable = rules.why_unreadable(rows[0]) if len(rows) == 1 else ""
        self.set_missing("" if not shown else unreadable if rows else "Choose a run.")

    def _why_no_later_now(self) -> str:
        return rules.why_no_later(self.chosen()) if self.isVisible() else "Choose a run on the Runs page."

    def _why_no_delete(self, rows: list[RunRow]) -> str:
        controller = self.context.run_controller
        held = {run.path for run in (controller.current, *controller.queue) if run is not None}
        return rules.why_no_delete(rows, held)

    def _menu(self, position: QPoint) -> None:
        menu = QMenu(self.table)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        rows = self.chosen()
        for title, slot, why in (
            ("Open", self.open_chosen, rules.why_no_open(rows)),
            ("Resume", self.resume_chosen, rules.why_no_resume(rows)),
            ("Compare", self.compare_chosen, rules.why_no_compare(rows)),
            ("Start a later request from here", self.start_later, rules.why_no_later(rows)),
            ("Start again…", self.duplicate_chosen, rules.why_no_duplicate(rows)),
            ("Delete…", self.delete_chosen, self._why_no_delete(rows)),
        ):
            action = menu.addAction(title)
            action.setEnabled(not why)
            action.setToolTip(why)
            action.triggered.connect(slot)
        menu.setToolTipsVisible(True)
        menu.popup(self.table.viewport().mapToGlobal(position))

    def _activated(self, index: QModelIndex) -> None:
        self.open_run(self.model.row_at(self.proxy.mapToSource(index).row()))

    def _connect(self) -> None:
        self.search.textChanged.connect(self.proxy.set_text)
        self.context.run_library.changed.connect(self._rows_changed)
        controller = self.context.run_controller
        controller.queue_changed.connect(self._queue_changed)
        controller.run_started.connect(self._started)
        controller.run_ended.connect(self._run_ended)
        self.batches.left.connect(self.leave_batches)
        self.queue.moved.connect(controller.move)
        self.queue.removed.connect(controller.remove)
        self.table.activated.connect(self._activated)
        self.table.customContextMenuRequested.connect(self._menu)
        self.table.selectionModel().selectionChanged.connect(self._update_buttons)
        delete = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.table, self.delete_chosen)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)

    def _started(self, _run: object) -> None:
        self._show_live()
        self._update_buttons()

    def _full(self) -> QWidget:
        table = self.table
        table.setHorizontalHeader(SortHeader(table))
        table.setModel(self.proxy)
        set_up_table(table)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setSortingEnabled(True)
        table.sortByColumn(columns.STARTED, Qt.SortOrder.DescendingOrder)
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        table.setItemDelegateForColumn(columns.CURVE, SparklineDelegate(table))
        header = table.horizontalHeader()
        for column, width in _WIDTHS.items():
            table.setColumnWidth(column, theme.px(width))
        header.setSectionResizeMode(columns.FORGET, QHeaderView.ResizeMode.Stretch)
        table.setColumnWidth(columns.CURVE, theme.px(64))
        card = Card("All runs", padding=t.M)
        card.add_action(TermRow(WORDS))
        self.column_menu = ColumnMenu(table, columns.HIDEABLE, (), self.context.window_state, "runs")
        self.columns_button = ChipButton("Columns", name="Columns shown")
        self.columns_button.set_menu(self.column_menu)
        card.add_action(self.columns_button)
        card.add_action(self.search)
        card.body.addWidget(table, 1)
        whole = QWidget()
        stack = QVBoxLayout(whole)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.setSpacing(theme.px(t.M))
        stack.addWidget(self.queue)
        stack.addWidget(card, 1)
        return whole


def _by_method(row: RunRow) -> tuple[str, int]:
    return row.method, row.seed


def _titles() -> dict[str, str]:
    from core.methods import METHODS

    return {method.id: method.title for method in METHODS.values()}
