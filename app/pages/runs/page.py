"""The Runs page laid out: what waits, and all runs known with the commands for those chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QStackedWidget,
    QTableView,
    QWidget,
)

from app.models import run_table as columns
from app.models.run_table import PATH_ROLE, RunFilter, RunTableModel
from app.plots.sparkline import SparklineDelegate
from app.services import format as fmt
from app.services import tokens as t
from app.services.run_library import RunRow
from app.services.run_words import describe_run
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.buttons import ChipButton, DestructiveButton, IconButton, PrimaryButton, SecondaryButton
from app.widgets.cards import Card
from app.widgets.layout import column, widget_of
from app.widgets.notices import EmptyState
from app.widgets.page import Page
from app.widgets.table import ColumnMenu, SortHeader, set_up_table
from app.widgets.terms import TermRow

if TYPE_CHECKING:
    from app.context import AppContext
    from app.workers.live_run import LiveRun

EMPTY = "Runs you start or open are listed here, also those started from a terminal."
WORDS = ("method", "forget_set", "retain_set", "verdict", "later_request")  # of the table's titles and the buttons
_WIDTHS = {columns.STATE: 108, columns.METHOD: 128, columns.PRESET: 92, columns.FORGET: 84, columns.MODEL: 84,
           columns.DATA: 68, columns.SEED: 48, columns.RETAIN: 78, columns.FORGET_ACCURACY: 78, columns.VERDICT: 118,
           columns.STARTED: 100}  # fmt: skip
MOST_ROWS = 4


class QueueCard(Card):
    """Emits what is wanted of the chosen run; hidden while nothing waits."""

    moved = Signal(object, int)  # LiveRun, by how many places
    removed = Signal(object)  # LiveRun

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Waiting", parent)
        self._runs: list[LiveRun] = []
        self.list = QListWidget()
        self.list.setAccessibleName("Runs that wait, next one first")
        self.list.currentRowChanged.connect(self._update)
        self.up = IconButton("chevron-up", "Start earlier", lambda: self._move(-1))
        self.down = IconButton("chevron-down", "Start later", lambda: self._move(1))
        self.remove = SecondaryButton("Take out", self._remove)
        delete = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.list, self._remove)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        for button in (self.up, self.down, self.remove):
            self.add_action(button)
        self.body.addWidget(self.list)
        self.hide()

    def set_runs(self, runs: Sequence[LiveRun]) -> None:
        """Show these runs in this order; the chosen one stays chosen."""
        chosen = self.chosen()
        self._runs = list(runs)
        self.list.blockSignals(True)
        self.list.clear()
        for number, run in enumerate(self._runs, 1):
            item = QListWidgetItem(f"{number}.  {words_of(run)}")
            item.setSizeHint(QSize(0, theme.px(t.TABLE_ROW)))
            self.list.addItem(item)
        if chosen in self._runs:
            self.list.setCurrentRow(self._runs.index(chosen))
        elif self._runs:
            self.list.setCurrentRow(0)
        self.list.blockSignals(False)
        self.set_title(f"Waiting ({fmt.count(len(self._runs))})")
        rows = min(max(len(self._runs), 1), MOST_ROWS)
        self.list.setFixedHeight(rows * theme.px(t.TABLE_ROW) + 2 * self.list.frameWidth())
        self.setVisible(bool(self._runs))
        self._update()

    def chosen(self) -> LiveRun | None:
        """The chosen run."""
        row = self.list.currentRow()
        return self._runs[row] if 0 <= row < len(self._runs) else None

    def _move(self, by: int) -> None:
        run = self.chosen()
        if run is not None:
            self.moved.emit(run, by)

    def _remove(self) -> None:
        run = self.chosen()
        if run is not None:
            self.removed.emit(run)

    def _update(self, *_: object) -> None:
        row = self.list.currentRow()
        self.up.setEnabled(row > 0)
        self.down.setEnabled(0 <= row < len(self._runs) - 1)
        self.remove.setEnabled(row >= 0)


def words_of(run: LiveRun) -> str:
    """Name a waiting run in one line."""
    if run.job is None:
        return run.title or run.id
    about = f"{describe_run(run.job)} · seed {run.job.seed}"
    return f"Check of {about}" if run.kind == "check" else about


class RunsView(Page):
    """A table with commands for the chosen runs; the queue stands above it while anything waits.

    `asked` carries a command of `presenter.COMMANDS`.
    """

    asked = Signal(str)
    activated = Signal(object)  # RunRow that was double-clicked
    chosen_changed = Signal()
    folder_asked = Signal()
    batches_asked = Signal()
    shown_now, hidden_now = Signal(), Signal()

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
        self.search.textChanged.connect(self.proxy.set_text)
        self.table = QTableView()
        self.table.setAccessibleName("Runs")
        self.empty = EmptyState("runs", EMPTY, "Open a run folder…", self.folder_asked.emit)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.empty)
        self.stack.addWidget(widget_of(column(self.queue, (self._all_runs(), 1), spacing=t.M)))
        self.content.addWidget(self.stack, 1)
        self._add_commands()
        selection = self.table.selectionModel()
        selection.selectionChanged.connect(self.chosen_changed)
        selection.currentChanged.connect(self.chosen_changed)

    def entered(self) -> None:
        self.shown_now.emit()

    def left(self) -> None:
        self.hidden_now.emit()

    def chosen(self) -> list[RunRow]:
        """The chosen runs, the current one first."""
        selection = self.table.selectionModel()
        current = selection.currentIndex().row()
        rows = sorted({index.row() for index in selection.selectedRows()}, key=lambda row: (row != current, row))
        return [self._row_at(self.proxy.index(row, 0)) for row in rows]

    def set_rows(self, rows: Sequence[RunRow]) -> None:
        """Show these runs; those that were chosen stay chosen."""
        kept: set[Path] = {row.path for row in self.chosen()}
        self.model.set_rows(rows)
        selection = self.table.selectionModel()
        for row in range(self.proxy.rowCount()):
            index = self.proxy.index(row, 0)
            if index.data(PATH_ROLE) in kept:
                selection.select(index, selection.SelectionFlag.Select | selection.SelectionFlag.Rows)
        if not selection.hasSelection() and self.proxy.rowCount():
            self.table.setCurrentIndex(self.proxy.index(0, 0))

    def show_reason(self, command: str, why: str, tip: str = "") -> None:
        """Say of a command why it cannot be used now; "": it can. `tip`: what it does."""
        button = self.buttons[command]
        button.setEnabled(not why)
        button.setAccessibleDescription(why)
        if tip:
            button.setToolTip(why or tip)

    def show_menu(self, position: QPoint, entries: Sequence[tuple[str, str, str]]) -> None:
        """Show a menu of commands at a place of the table: title, command, why it cannot be used."""
        menu = QMenu(self.table)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for title, command, why in entries:
            action = menu.addAction(title)
            action.setEnabled(not why)
            action.setToolTip(why)
            action.setData(command)
        menu.triggered.connect(lambda action: self.asked.emit(action.data()))
        menu.setToolTipsVisible(True)
        menu.popup(self.table.viewport().mapToGlobal(position))

    def _add_commands(self) -> None:
        def asking(command: str) -> Callable[[], object]:
            return lambda: self.asked.emit(command)

        self.open_button = PrimaryButton("Open", asking("open"))
        self.resume_button = SecondaryButton("Resume", asking("resume"))
        self.duplicate_button = SecondaryButton("Start again…", asking("duplicate"))
        self.duplicate_button.setToolTip("Set up a new run with the same model, data, forget set and settings")
        self.later_button = SecondaryButton("Later request", asking("later"))
        self.compare_button = SecondaryButton("Compare", asking("compare"))
        self.compare_button.setToolTip("Measures of two or more finished runs side by side, means over seeds")
        self.check_button = SecondaryButton(tr("Check all"), asking("check"))
        self.delete_button = DestructiveButton("Delete…", asking("delete"))
        self.batch_button = SecondaryButton("Batch results", self.batches_asked.emit)
        self.batch_button.setToolTip("Runs of batch files by method and forget set, means over seeds")
        self.buttons = {
            "open": self.open_button, "resume": self.resume_button, "compare": self.compare_button,
            "check": self.check_button, "duplicate": self.duplicate_button, "delete": self.delete_button,
            "later": self.later_button,
        }  # fmt: skip
        self.add_action(SecondaryButton("Open a run folder…", self.folder_asked.emit), start=True)
        self.add_action(self.batch_button, start=True)
        self.action_start.addSpacing(theme.px(t.L))
        self.add_action(self.delete_button, start=True)
        for command in ("resume", "compare", "check", "later", "duplicate", "open"):
            self.add_action(self.buttons[command])

    def _row_at(self, index: QModelIndex) -> RunRow:
        return self.model.row_at(self.proxy.mapToSource(index).row())

    def _all_runs(self) -> QWidget:
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
        for place, width in _WIDTHS.items():
            table.setColumnWidth(place, theme.px(width))
        header.setSectionResizeMode(columns.FORGET, QHeaderView.ResizeMode.Stretch)
        table.setColumnWidth(columns.CURVE, theme.px(64))
        table.activated.connect(lambda index: self.activated.emit(self._row_at(index)))
        delete = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), table, lambda: self.asked.emit("delete"))
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        card = Card("All runs", padding=t.M)
        card.add_action(TermRow(WORDS))
        self.column_menu = ColumnMenu(table, columns.HIDEABLE, self.context.window_state, "runs")
        self.columns_button = ChipButton("Columns", name="Columns shown")
        self.columns_button.setMenu(self.column_menu)
        card.add_action(self.columns_button)
        card.add_action(self.search)
        card.body.addWidget(table, 1)
        return card
