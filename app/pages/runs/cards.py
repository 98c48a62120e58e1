"""The cards of the Runs page: what waits, and all runs known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QSize, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QListWidget, QListWidgetItem, QTableView

from app.models import run_table as columns
from app.models.run_table import PATH_ROLE, SORT_ROLE, RunTableModel
from app.plots.sparkline import SparklineDelegate
from app.services import format as fmt
from app.services import tokens as t
from app.services.run_words import describe_run
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.buttons import ChipButton, IconButton, SecondaryButton
from app.widgets.cards import Card
from app.widgets.layout import named
from app.widgets.table import ColumnMenu, SortHeader, search_field, set_up_table
from app.widgets.terms import TermRow

if TYPE_CHECKING:
    from app.services.run_library import RunRow
    from app.services.window_state import WindowState
    from app.workers.live_run import LiveRun

WORDS = ("method", "forget_set", "retain_set", "verdict", "later_request")  # of the table's titles and the buttons
MOST_ROWS = 4  # of the queue
MOST_WIDTH = 168  # of a column, in pixels of the design; in a wide window a seventh of the card
LEAST_CURVES = 58  # the last column takes the room that is left


class QueueCard(Card):
    """Emits what is wanted of the chosen run; hidden while nothing waits."""

    moved = Signal(object, int)  # LiveRun, by how many places
    removed = Signal(object)  # LiveRun

    def __init__(self) -> None:
        super().__init__(tr("Waiting"))
        self._runs: list[LiveRun] = []
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Runs that wait, next one first"))
        self.list.currentRowChanged.connect(self._update)
        self.up = IconButton("chevron-up", tr("Start earlier"), lambda: self.moved.emit(self.chosen(), -1))
        self.down = IconButton("chevron-down", tr("Start later"), lambda: self.moved.emit(self.chosen(), 1))
        self.remove = SecondaryButton(tr("Take out"), lambda: self.removed.emit(self.chosen()))
        for button in (self.up, self.down, self.remove):
            self.add_action(button)
        self.body.addWidget(self.list)
        self.hide()

    def set_runs(self, runs: Sequence[LiveRun]) -> None:
        """Show these runs in this order; the chosen one stays chosen."""
        chosen = self.chosen()
        self._runs = list(runs)
        self.list.clear()
        for number, run in enumerate(self._runs, 1):
            item = QListWidgetItem(f"{number}.  {words_of(run)}")
            item.setSizeHint(QSize(0, theme.px(t.TABLE_ROW)))
            self.list.addItem(item)
        self.list.setCurrentRow(self._runs.index(chosen) if chosen in self._runs else 0)
        self.set_title(tr("Waiting ({count})", count=fmt.count(len(self._runs))))
        rows = min(max(len(self._runs), 1), MOST_ROWS)
        self.list.setFixedHeight(rows * theme.px(t.TABLE_ROW) + 2 * self.list.frameWidth())
        self.setVisible(bool(self._runs))
        self._update()

    def chosen(self) -> LiveRun | None:
        """The chosen run."""
        row = self.list.currentRow()
        return self._runs[row] if 0 <= row < len(self._runs) else None

    def _update(self) -> None:
        row = self.list.currentRow()
        self.up.setEnabled(row > 0)
        self.down.setEnabled(0 <= row < len(self._runs) - 1)
        self.remove.setEnabled(row >= 0)


def words_of(run: LiveRun) -> str:
    """Name a waiting run in one line."""
    if run.job is None:
        return run.title or run.id
    about = tr("{run} · seed {seed}", run=describe_run(run.job), seed=run.job.seed)
    return tr("Check of {run}", run=about) if run.kind == "check" else about


class RunsCard(Card):
    """A table of all runs, of which several can be chosen."""

    activated = Signal(object)  # RunRow that was double-clicked
    chosen_changed = Signal()

    def __init__(self, state: WindowState) -> None:
        super().__init__(tr("All runs"), padding=t.M)
        self.model, self.proxy = RunTableModel(self), QSortFilterProxyModel(self)
        self.proxy.setSourceModel(self.model)
        self.proxy.setSortRole(SORT_ROLE)
        self.proxy.setFilterKeyColumn(-1)  # all of them
        self.proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.table = table = named(QTableView(), tr("Runs"))
        header = SortHeader(table)
        table.setHorizontalHeader(header)
        table.setModel(self.proxy)
        set_up_table(table)
        header.setResizeContentsPrecision(0)  # only what is in sight
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setDefaultSectionSize(theme.px(LEAST_CURVES))
        header.setStretchLastSection(True)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setSortingEnabled(True)
        table.sortByColumn(columns.STARTED, Qt.SortOrder.DescendingOrder)
        table.setItemDelegateForColumn(columns.CURVE, SparklineDelegate(table))
        table.activated.connect(lambda index: self.activated.emit(self._row_at(index)))
        table.selectionModel().selectionChanged.connect(self.chosen_changed)
        table.selectionModel().currentChanged.connect(self.chosen_changed)
        self.search = search_field(tr("Search method, forget set, model"))
        self.search.setFixedWidth(theme.px(280))
        self.search.textChanged.connect(self.proxy.setFilterFixedString)
        self.column_menu = ColumnMenu(table, columns.HIDEABLE, state, "runs", (columns.SEED,))
        shown = ChipButton(tr("Columns"), tr("Columns shown"))
        shown.setMenu(self.column_menu)
        for widget in (TermRow(WORDS), shown, self.search):
            self.add_action(widget)
        self.body.addWidget(table, 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self._fit_columns()

    def hideEvent(self, event: QHideEvent) -> None:
        """Of a hidden table Qt would ask for each cell of all rows, whenever one changes."""
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        super().hideEvent(event)

    def _fit_columns(self) -> None:
        """Give columns the width of what is in sight."""
        header = self.table.horizontalHeader()
        header.setMaximumSectionSize(max(theme.px(MOST_WIDTH), self.width() // 7))
        if self.table.isVisible():
            header.resizeSections()

    def chosen(self) -> list[RunRow]:
        """The chosen runs, the current one first."""
        selection = self.table.selectionModel()
        current = selection.currentIndex().row()
        return [self._row_at(index) for index in
                sorted(selection.selectedRows(), key=lambda index: (index.row() != current, index.row()))]  # fmt: skip

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

    def _row_at(self, index: QModelIndex) -> RunRow:
        return self.model.row_at(self.proxy.mapToSource(index).row())
