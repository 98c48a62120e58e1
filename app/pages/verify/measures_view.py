"""The table of measures on screen: groups that fold, numbers at the right, gap bars, notes across the columns."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QSize, Qt
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTreeView, QWidget

from app.models.measure_table import GAP_COLUMN, KIND_ROLE, MeasureTable
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.gap_bar import GapBarDelegate
from core.verify.table import TableRow

_NAME_LEAST = 190
_WIDTHS = {1: 66, 2: 80, 3: 80, 4: 78, GAP_COLUMN: 82}  # Original … Retrained, gap bar


class MeasuresView(QTreeView):
    """A tree of two levels that looks like a table."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = MeasureTable(self)
        self.setModel(self.table)
        self.setAccessibleName("Measures of each model")
        self.setFont(theme.font("table"))
        self.setIndentation(theme.px(t.M))
        self.setUniformRowHeights(True)
        self.setRootIsDecorated(True)
        self.setAllColumnsShowFocus(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setItemDelegateForColumn(GAP_COLUMN, GapBarDelegate(self))
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionsMovable(False)
        header.setHighlightSections(False)
        header.setFixedHeight(theme.px(t.TABLE_HEADER))
        header.setMinimumSectionSize(theme.px(48))
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._widths = {column: self._width(column) for column in _WIDTHS}
        for column, width in self._widths.items():
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            header.resizeSection(column, width)
        self._folded: set[str] = set()
        self.collapsed.connect(self._fold)
        self.expanded.connect(self._unfold)

    def set_rows(self, rows: tuple[TableRow, ...]) -> None:
        """Show other rows; groups that were folded stay folded, and the view stays where it was scrolled to."""
        scrolled = self.verticalScrollBar().value()
        self.table.set_rows(rows)
        for number in range(self.table.rowCount()):
            group = self.table.index(number, 0)
            self.setFirstColumnSpanned(number, QModelIndex(), True)
            self.setExpanded(group, group.data() not in self._folded)
            for row in range(self.table.rowCount(group)):
                if self.table.index(row, 0, group).data(KIND_ROLE) == "note":
                    self.setFirstColumnSpanned(row, group, True)
        self.verticalScrollBar().setValue(scrolled)

    def sizeHint(self) -> QSize:
        return QSize(theme.px(600), theme.px(360))

    def minimumSizeHint(self) -> QSize:
        # All columns, with the beginning of the names: numbers alone say nothing.
        numbers = sum(self._widths.values()) + self.verticalScrollBar().sizeHint().width()
        return QSize(numbers + theme.px(_NAME_LEAST), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # A wider table gives its room to the bars first: names need what they need, numbers no more.
        room = event.size().width() - sum(self._widths.values()) - theme.px(210)
        self.header().resizeSection(GAP_COLUMN, self._widths[GAP_COLUMN] + max(0, room // 2))

    def _width(self, column: int) -> int:
        """The width of a column: the design's, or what its title needs in the font there is."""
        font = theme.font("caption")
        font.setWeight(font.Weight.DemiBold)
        title = str(self.table.headerData(column, Qt.Orientation.Horizontal))
        return max(theme.px(_WIDTHS[column]), QFontMetrics(font).horizontalAdvance(title) + 2 * theme.px(t.S) + 2)

    def _fold(self, index: QModelIndex) -> None:
        self._folded.add(str(index.data()))

    def _unfold(self, index: QModelIndex) -> None:
        self._folded.discard(str(index.data()))

    def keyboardSearch(self, search: str) -> None:
        """Letters look for a measure in all groups, not only beside the current row."""
        start = self.currentIndex() if self.currentIndex().isValid() else self.table.index(0, 0)
        flags = Qt.MatchFlag.MatchStartsWith | Qt.MatchFlag.MatchWrap | Qt.MatchFlag.MatchRecursive
        found = self.table.match(start.siblingAtColumn(0), Qt.ItemDataRole.DisplayRole, search, 1, flags)
        if found:
            self.setCurrentIndex(found[0])
