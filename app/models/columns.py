"""Tables of titled columns: what Qt asks of each of them, and rows that change without the view losing its place."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from app.widgets.table import NUMBER

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
Row = TypeVar("Row")


@dataclass(frozen=True)
class Column:
    """A column's title, the tool tip of its title, and whether it holds numbers, which stand at the right."""

    title: str
    tip: str = ""
    number: bool = False


class ColumnTable(QAbstractTableModel):
    """Subclasses name their `columns`, count their rows and answer for a cell."""

    columns: Sequence[Column] = ()

    def count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def cell(self, row: int, column: int, role: int) -> Any:
        """What a cell holds under a role; its alignment follows from its column."""
        raise NotImplementedError

    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else self.count()

    def columnCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip or None
        return NUMBER if role == Qt.ItemDataRole.TextAlignmentRole and column.number else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return NUMBER if self.columns[index.column()].number else None
        return self.cell(index.row(), index.column(), role)

    def tell_changed(self, first: int = 0, last: int | None = None) -> None:
        """Have the cells of these columns drawn again, in all rows."""
        rows, last = self.count(), len(self.columns) - 1 if last is None else last
        if rows:
            self.dataChanged.emit(self.index(0, first), self.index(rows - 1, last))

    def become(self, held: list[Row], rows: Sequence[Row], key: Callable[[Row], Hashable]) -> None:
        """Make `held`, the list `count` counts, hold `rows`; rows of a known key stay where the view has them.

        Chosen rows stay chosen and nothing scrolls. Where known rows are in another order everything is new.
        """
        wanted = {key(row) for row in rows}
        known = {key(row) for row in held}
        if [key(row) for row in held if key(row) in wanted] != [key(row) for row in rows if key(row) in known]:
            self.beginResetModel()
            held[:] = rows
            self.endResetModel()
            return
        for first, last in reversed(_stretches([n for n, row in enumerate(held) if key(row) not in wanted])):
            self.beginRemoveRows(ROOT, first, last)
            del held[first : last + 1]
            self.endRemoveRows()
        for first, last in _stretches([n for n, row in enumerate(rows) if key(row) not in known]):
            self.beginInsertRows(ROOT, first, last)
            held[first:first] = rows[first : last + 1]
            self.endInsertRows()
        for number, row in enumerate(rows):
            if held[number] != row:
                held[number] = row
                self.dataChanged.emit(self.index(number, 0), self.index(number, len(self.columns) - 1))


def _stretches(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return ascending numbers as (first, last) of those that follow each other."""
    found = [[number for _, number in members] for _, members in groupby(enumerate(numbers), lambda p: p[1] - p[0])]
    return [(stretch[0], stretch[-1]) for stretch in found]
