"""A menu that shows and hides the columns of a table, and remembers which are hidden."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QTableView

from app.services.window_state import WindowState


class ColumnMenu(QMenu):
    """Opens from a button or by a right click on the table's titles. `name` is the table's in the window's memory."""

    def __init__(
        self, table: QTableView, columns: Iterable[int], hidden: Iterable[int], state: WindowState, name: str
    ) -> None:
        """`columns` can be hidden; `hidden` are so until the user chooses otherwise."""
        super().__init__("Columns", table)
        self._table, self._state, self._name = table, state, name
        self.columns: dict[int, QAction] = {}
        at_first = set(hidden)
        for column in columns:
            title = str(table.model().headerData(column, Qt.Orientation.Horizontal))
            action = self.columns[column] = self.addAction(title)
            action.setCheckable(True)
            action.setData(column)
            shown = state.flag(self._key(column), column not in at_first)
            action.setChecked(shown)
            table.setColumnHidden(column, not shown)
            action.toggled.connect(self._toggled)
        header = table.horizontalHeader()
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._open)

    def _toggled(self, shown: bool) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        column = int(action.data())
        self._table.setColumnHidden(column, not shown)
        self._state.set_flag(self._key(column), shown)

    def _open(self, position: QPoint) -> None:
        self.popup(self._table.horizontalHeader().mapToGlobal(position))

    def _key(self, column: int) -> str:
        title = str(self._table.model().headerData(column, Qt.Orientation.Horizontal))
        return f"column/{self._name}/{title}"
