"""A table's rows in another order, or some of them: sorted and filtered as arrays, instant for ten thousands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from core.files import composed

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()


class Arrangeable(Protocol):
    """What is asked of the table whose rows are arranged."""

    def sort_keys(self, column: int) -> np.ndarray:
        """Return what rows are sorted by: (rows,) numbers."""

    def row_names(self) -> Sequence[str]:
        """Return the text of each row that a filter looks into."""


class ArrangedRows(QAbstractTableModel):
    """The rows of `source` whose name holds a text, in the order of a column; rows of equal value stay in theirs.

    In place of a QSortFilterProxyModel, which asks Python twice a comparison.
    """

    def __init__(self, source: QAbstractTableModel, parent: QObject | None = None) -> None:
        """`source` is Arrangeable as well; how many columns it has never changes."""
        super().__init__(parent)
        self._source = source
        self._rows = np.arange(source.rowCount())
        self._column = -1
        self._descending = False
        self._text = ""
        source.modelAboutToBeReset.connect(self.beginResetModel)
        source.modelReset.connect(self._source_reset)
        source.dataChanged.connect(self._source_changed)

    @property
    def rows(self) -> np.ndarray:
        """Rows of the source that are shown, from the top: (m,) int64."""
        return self._rows

    def set_text(self, text: str) -> None:
        """Show the rows whose name holds `text`, in any case; what is selected among them stays selected."""
        if (wanted := composed(text).casefold()) != self._text:
            self._text = wanted
            self._rearrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; -1 for the source's order."""
        self._column, self._descending = column, order == Qt.SortOrder.DescendingOrder
        self._rearrange()

    def to_source(self, index: Index) -> QModelIndex:
        """The source's index of what stands at `index` here."""
        if not index.isValid():
            return QModelIndex()
        # Not `index()`, which would ask for the numbers of rows and columns, for each of the values drawn.
        return self._source.createIndex(int(self._rows[index.row()]), index.column())

    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else self._source.columnCount()

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        return self._source.data(self.to_source(index), role)

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        return self._source.setData(self.to_source(index), value, role)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return self._source.flags(self.to_source(index))

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        return self._source.headerData(section, orientation, role)

    def _arranged(self) -> np.ndarray:
        source: Any = self._source
        rows = np.arange(source.rowCount())
        if self._text:
            held = (self._text in composed(name).casefold() for name in source.row_names())
            rows = np.flatnonzero(np.fromiter(held, bool, len(rows)))
        if self._column >= 0:
            keys = source.sort_keys(self._column)[rows]
            rows = rows[np.argsort(-keys if self._descending else keys, kind="stable")]
        return rows

    def _rearrange(self) -> None:
        """Show the rows that are to be shown, in their order; what is selected among them stays selected.

        One change of the layout whatever comes and goes: a row a signal takes seconds where every second one of ten
        thousand goes.
        """
        rows = self._arranged()
        if np.array_equal(rows, self._rows):
            return
        self.layoutAboutToBeChanged.emit()
        held = self.persistentIndexList()
        places = np.full(self._source.rowCount(), -1, np.int64)
        places[rows] = np.arange(len(rows))
        old, self._rows = self._rows, rows
        moved = [self.index(int(places[old[index.row()]]), index.column()) for index in held]  # -1 is no index
        self.changePersistentIndexList(held, moved)
        self.layoutChanged.emit()

    def _source_reset(self) -> None:
        self._rows = self._arranged()
        self.endResetModel()

    def _source_changed(self, first: QModelIndex, last: QModelIndex, roles: Sequence[int] = ()) -> None:
        if first.column() <= self._column <= last.column():
            self._rearrange()
        if len(self._rows):
            start, stop = self.index(0, first.column()), self.index(len(self._rows) - 1, last.column())
            self.dataChanged.emit(start, stop, roles)
