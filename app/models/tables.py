"""What item models of tables share: titled columns, rows that change in place, rows sorted and filtered as arrays."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QStandardItem, QStandardItemModel

from app.services import format as fmt
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.table import NUMBER
from core.files import composed
from core.text import visible

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
Row = TypeVar("Row")


@dataclass(frozen=True)
class Column:
    """A column's title, the tool tip of its title, and whether it holds numbers, which stand at the right.

    Both texts are in English, those of a class marked with `mark`: the table says them in the window's language.
    `meaning` is the title's, where it was marked with one.
    """

    title: str
    tip: str = ""
    number: bool = False
    meaning: str = ""


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
            return tr(column.title, column.meaning)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tr(column.tip) if column.tip else None
        return NUMBER if role == Qt.ItemDataRole.TextAlignmentRole and column.number else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return NUMBER if self.columns[index.column()].number else None
        try:
            answer = self.cell(index.row(), index.column(), role)
        except Exception:  # raised into Qt, which asks while it draws, it may end the process
            sys.excepthook(*sys.exc_info())
            return fmt.DASH if role == Qt.ItemDataRole.DisplayRole else None
        return _harmless(answer, role) if isinstance(answer, str) else answer

    def tell_changed(self, first: int = 0, last: int | None = None) -> None:
        """Have the cells of these columns drawn again, in all rows."""
        rows, last = self.count(), len(self.columns) - 1 if last is None else last
        if rows:
            self.dataChanged.emit(self.index(0, first), self.index(rows - 1, last))

    def replace_rows(self, held: list[Row], rows: Sequence[Row], key: Callable[[Row], Hashable]) -> None:
        """Put `rows` into the model's own list `held`, telling views only of the rows that come, go or change.

        `key` says which row is which. Rows that were there before keep their place in the view, so what is selected
        stays selected and nothing scrolls; where they stand in another order now, the model is reset.
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


TEXT, TIP, ALIGN, COLOUR, FONT, SAID = (
    Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.TextAlignmentRole,
    Qt.ItemDataRole.ForegroundRole, Qt.ItemDataRole.FontRole, Qt.ItemDataRole.AccessibleTextRole,
)  # fmt: skip
Cell = Mapping[int, Any]  # what a cell answers, by role; a colour is a token and a font (role, bold), so they follow


@dataclass(eq=False)
class Line:
    """A row of `TwoLevels` with the rows below it. `key` says which row it is; cells that are left out are empty."""

    key: Hashable
    cells: Sequence[Cell]
    below: list[Line] = field(default_factory=list)


class _Item(QStandardItem):
    """Answers from its cell."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def data(self, role: int = TEXT) -> Any:
        held = self.cell.get(role)
        if isinstance(held, str) and role in (TEXT, TIP):
            return _harmless(held, role)
        if held is not None and role == COLOUR:
            return theme.brush(held)
        if held is not None and role == FONT:
            font = theme.font(held[0])
            font.setWeight(font.Weight.DemiBold if held[1] else font.Weight.Normal)
            return font
        return held


class TwoLevels(QStandardItemModel):
    """Rows that hold rows, and those hold none; all that is said of a cell is written when the rows are set."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shape: object = None  # titles, and which rows there are
        self._items: list[_Item] = []
        theme.changed.connect(self.layoutChanged)

    def set_lines(self, header: Sequence[Cell], lines: Sequence[Line]) -> None:
        """Show other rows; where they are the same ones, only their cells change, and what is selected stays."""
        shape = header, [(line.key, [inner.key for inner in line.below]) for line in lines]
        every = [line for top in lines for line in (top, *top.below)]
        if shape == self._shape:
            for item, cell in zip(self._items, (cell for line in every for cell in line.cells), strict=True):
                item.cell = cell
            self.layoutChanged.emit()
            return
        self._shape = shape
        self.removeRows(0, self.rowCount())
        self.setColumnCount(len(header))
        for place, title in enumerate(header):
            self.setHorizontalHeaderItem(place, _Item(title))
        rows = [[_Item(cell) for cell in line.cells] for line in every]
        self._items = [item for row in rows for item in row]
        following = iter(rows)
        for line in lines:
            top = next(following)
            for _ in line.below:
                top[0].appendRow(next(following))
            self.appendRow(top)

    def set_texts(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show rows of texts; a long one is whole in its tool tip."""

        def cells(texts: Sequence[str]) -> list[Cell]:
            return [{TEXT: text, TIP: text} for text in texts]

        self.set_lines(cells(header), [Line(number, cells(row)) for number, row in enumerate(rows)])


class ArrangedRows(QAbstractTableModel):
    """The rows of `source` whose name holds a text, in the order of a column; rows of equal value stay in theirs.

    In place of a QSortFilterProxyModel, which asks Python twice a comparison.
    """

    def __init__(self, source: QAbstractTableModel, parent: QObject | None = None) -> None:
        """How many columns `source` has never changes.

        It has `sort_keys(column)`, (rows,) numbers, and `row_names()`, the text of each row that a filter looks into.
        """
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


def _harmless(text: str, role: int) -> str:
    """Return a text of a cell, which may be a name from a file, as it is to be shown: as it stands, and not obeyed."""
    if role == TIP:
        return fmt.plain(text)
    return visible(text, lines=True) if role == TEXT else text


def _stretches(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return ascending numbers as (first, last) of those that follow each other."""
    found = [[number for _, number in members] for _, members in groupby(enumerate(numbers), lambda p: p[1] - p[0])]
    return [(stretch[0], stretch[-1]) for stretch in found]
