"""The table of compared runs: its first column stays while the measures are scrolled; methods open to their seeds."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QItemSelection, QModelIndex, Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHBoxLayout, QHeaderView, QSizePolicy, QTreeView, QWidget

from app.models.comparison_table import ATTACKS, FIRST, NAME, OUTPUTS, RUN_ROLE, VERDICT, ComparisonTable
from app.services import tokens as t
from app.services.theme import theme

_NAME_WIDTH, _VERDICT_WIDTH, _LAMP_WIDTH, _WORDS_MOST = 204, 96, 72, 176
_NARROWEST, _WIDEST = 84, 108  # columns of measures: their titles take two or three lines
_HEADER = 44


class ComparisonTree(QFrame):
    """Two views of one model beside each other. `chosen` carries the names of the runs in the chosen rows."""

    chosen = Signal(object)  # set[str]
    activated = Signal(str)  # a run was double-clicked, or Return pressed on it

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = ComparisonTable(self)
        self.names, self.numbers = _Part("Compared runs"), _Part("Measures of compared runs")
        self.names.setModel(self.table)
        self.numbers.setModel(self.table)
        self.numbers.setSelectionModel(self.names.selectionModel())
        self.numbers.setRootIsDecorated(False)
        self.numbers.setIndentation(0)
        self.names.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # the seed stands at a name's end
        self.names.setFixedWidth(theme.px(_NAME_WIDTH))
        self.names.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.names.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # Both keep room for the bar, so that rows stay level.
        self.numbers.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.names)
        row.addWidget(self.numbers, 1)
        self.names.expanded.connect(self.numbers.expand)
        self.names.collapsed.connect(self.numbers.collapse)
        self.numbers.expanded.connect(self.names.expand)
        self.numbers.collapsed.connect(self.names.collapse)
        self.names.verticalScrollBar().valueChanged.connect(self.numbers.verticalScrollBar().setValue)
        self.numbers.verticalScrollBar().valueChanged.connect(self.names.verticalScrollBar().setValue)
        self.names.selectionModel().selectionChanged.connect(self._selected)
        for part in (self.names, self.numbers):
            part.activated.connect(self._activated)

    def show_columns(self, hidden: Collection[str] = ()) -> None:
        """Part the columns between the views and give them widths; after the model was filled.

        `hidden`: groups of measures that are not shown.
        """
        metrics = QFontMetrics(self._header_font())
        for column in range(self.table.columnCount()):
            self.names.setColumnHidden(column, column != NAME)
            self.numbers.setColumnHidden(column, column == NAME or self.table.group(column) in hidden)
            if column >= FIRST:
                title = str(self.table.headerData(column, Qt.Orientation.Horizontal))
                wanted = metrics.horizontalAdvance(title) + 2 * theme.px(t.S) + 2
                wanted = min(max(wanted, theme.px(_NARROWEST)), theme.px(_WIDEST))
                self.numbers.setColumnWidth(column, max(wanted, self.numbers.sizeHintForColumn(column)))
        for column in range(VERDICT, ATTACKS + 1):
            least = theme.px(_VERDICT_WIDTH if column < OUTPUTS else _LAMP_WIDTH)
            wanted = self.numbers.sizeHintForColumn(column)
            self.numbers.setColumnWidth(column, min(max(least, wanted), theme.px(_WORDS_MOST)))
        self.names.header().setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)

    def choose(self, run: str) -> None:
        """Choose the row of a run, opening its method."""
        index = self.table.index_of(run)
        if index.isValid():
            self.names.setExpanded(index.parent(), True)
            self.names.setCurrentIndex(index)

    def chosen_runs(self) -> set[str]:
        """The runs in the chosen rows; a method stands for all of its seeds."""
        found: set[str] = set()
        for index in self.names.selectionModel().selectedRows(NAME):
            line = self.table.line(index)
            found |= {line.run} if line.run else {child.run for child in line.children if child.run}
        return found

    @staticmethod
    def _header_font() -> QFont:
        font = theme.font("caption")
        font.setWeight(font.Weight.DemiBold)
        return font

    def _selected(self, _now: QItemSelection, _before: QItemSelection) -> None:
        self.chosen.emit(self.chosen_runs())

    def _activated(self, index: QModelIndex) -> None:
        run = index.data(RUN_ROLE)
        if run:
            self.activated.emit(str(run))


class _Part(QTreeView):
    """One of the two views."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setFont(theme.font("table"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setIndentation(theme.px(t.M))
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setExpandsOnDoubleClick(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionsMovable(False)
        header.setHighlightSections(False)
        header.setFixedHeight(theme.px(_HEADER))
        # Lines as a title needs them; the flag is none of the alignment's, but Qt reads it from there.
        header.setDefaultAlignment(Qt.AlignmentFlag(int(Qt.AlignmentFlag.AlignVCenter) | int(Qt.TextFlag.TextWordWrap)))

    def updateGeometries(self) -> None:
        super().updateGeometries()
        if self.horizontalScrollBarPolicy() == Qt.ScrollBarPolicy.ScrollBarAlwaysOff:
            bar = self.horizontalScrollBar().sizeHint().height()
            self.setViewportMargins(0, self.header().height(), 0, bar)
