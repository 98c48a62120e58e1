"""The table of compared runs, whose first column stays while the measures are scrolled, and the plots beside it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from PySide6.QtCore import QItemSelection, QModelIndex, Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QSizePolicy,
    QStackedWidget,
    QTableView,
    QTabWidget,
    QTreeView,
    QWidget,
)
from PySide6.QtWidgets import QVBoxLayout as Column

from app.models.comparison_table import (
    ANCHORS,
    ATTACKS,
    FIRST,
    NAME,
    OUTPUTS,
    RUN_ROLE,
    VERDICT,
    ComparisonTable,
    method_words,
)
from app.models.tables import TextTableModel
from app.plots.run_scatter import Dot, RunScatter
from app.services import tokens as t
from app.services.theme import theme
from app.services.tokens import MODELS, RUN_SYMBOLS, SeriesStyle
from app.widgets.labels import caption
from app.widgets.notices import EmptyState
from app.widgets.table import set_up_table

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


Comparison = Mapping[str, Any]

SAME_JOBS = "The jobs of these runs are the same in everything that decides a result."
NO_AGREEMENT = "How far measures agree shows from three runs on that were held against retrained models."
NO_SCATTER = "No two measures were taken of these runs."
FIRST_CHOICE = ("forget_test_accuracy", "probe", "js_forget", "retain_test_accuracy", "forget_accuracy")
MOST_STRETCHED = 3  # columns of texts that share the width there is; more are scrolled
_WIDEST = 160  # of a column of texts that are scrolled
_UNLIMITED = 16_777_215


class ScatterTab(QStackedWidget):
    """A point a run, with the anchors where runs can be compared; the two measures are chosen below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = RunScatter()
        self._found: Comparison = {}
        self.across, self.up = QComboBox(), QComboBox()
        holder = QWidget()
        column = Column(holder)
        column.setContentsMargins(0, theme.px(t.S), 0, 0)
        column.setSpacing(theme.px(t.S))
        column.addWidget(self.plot, 1)
        form = QFormLayout()
        form.setLabelAlignment(Qt.AlignmentFlag.AlignRight)
        form.addRow("&Y", self.up)
        form.addRow("&X", self.across)
        column.addLayout(form)
        for combo, name in ((self.up, "Measure up"), (self.across, "Measure across")):
            combo.setAccessibleName(name)
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            combo.currentIndexChanged.connect(self._draw)
        self.addWidget(holder)
        self.addWidget(EmptyState("verify", NO_SCATTER))

    def set_comparison(self, found: Comparison) -> None:
        """Show a comparison; measures that were chosen stay chosen where it has them."""
        self._found = found
        there = {measure["key"] for measure in found["measures"] if self._known(measure["key"]) > 0}
        measures = [measure for measure in found["measures"] if measure["key"] in there]
        wanted = [key for key in FIRST_CHOICE if key in there] + sorted(there)
        for combo, place in ((self.up, 1), (self.across, 0)):
            chosen = combo.currentData()
            combo.blockSignals(True)
            combo.clear()
            for measure in measures:
                combo.addItem(measure["title"], measure["key"])
            if chosen not in there and wanted:
                chosen = wanted[min(place, len(wanted) - 1)]
            combo.setCurrentIndex(combo.findData(chosen))
            combo.blockSignals(False)
        self.setCurrentIndex(0 if len(measures) > 1 else 1)
        self._draw()

    def dots(self) -> list[Dot]:
        """The points between the two measures chosen."""
        x, y = self.across.currentData(), self.up.currentData()
        named: list[tuple[str, str, SeriesStyle, Mapping[str, Any], str]] = []
        titles = {(run["title"], run["preset"]) for run in self._found.get("runs") or ()}
        methods = Counter(short(title) for title, _ in titles)
        ranks = {name: place["rank"] for place in self._found.get("ranking") or () for name in place["runs"]}
        for key, values in (self._found.get("anchors") or {}).items():
            title = ANCHORS[key].partition(" (")[0]
            named.append((title, title, MODELS[key], values, ""))
        groups: dict[str, SeriesStyle] = {}
        for run in self._found.get("runs") or ():
            rank = str(ranks.get(run["run"]) or "")
            title = short(run["title"])
            group = f"{rank} {title if methods[title] == 1 else short(method_words(run))}".strip()
            if group not in groups:
                symbol = RUN_SYMBOLS[len(groups) % len(RUN_SYMBOLS)]
                groups[group] = SeriesStyle(group, group, "unlearned", (), symbol, False)
            named.append((str(run["run"]), group, groups[group], run["measures"], rank))
        return [
            Dot(name, group, style, self._scaled(x, values[x]), self._scaled(y, values[y]), rank)
            for name, group, style, values, rank in named
            if values.get(x) is not None and values.get(y) is not None
        ]

    def _draw(self) -> None:
        if self._found:
            self.plot.set_dots(self.dots(), self.across.currentText(), self.up.currentText())

    def _known(self, key: str) -> int:
        return sum(run["measures"].get(key) is not None for run in self._found["runs"])

    def _scaled(self, key: str, value: float) -> float:
        unit = next(measure["unit"] for measure in self._found["measures"] if measure["key"] == key)
        return 100 * value if unit == "percent" else value


def short(name: str) -> str:
    """Return a method's name without what stands in brackets: "MUDA"."""
    return re.sub(r" \([^)]*\)", "", name)


class TextTab(QStackedWidget):
    """A table of texts with what must be said of it; or the sentence where it has no rows."""

    def __init__(self, name: str, missing: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = TextTableModel(self)
        self.view = QTableView()
        self.view.setModel(self.model)
        self.view.setAccessibleName(name)
        set_up_table(self.view)
        self.view.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideMiddle)  # runs differ at the end of names
        self._words = caption("", wrap=True)
        self._words.setMaximumWidth(_UNLIMITED)
        holder = QWidget()
        column = Column(holder)
        column.setContentsMargins(0, theme.px(t.S), 0, 0)
        column.addWidget(self.view, 1)
        column.addWidget(self._words)
        self.addWidget(holder)
        self.addWidget(EmptyState("verify", missing))

    def set_table(self, header: list[str], rows: list[list[str]], words: str) -> None:
        """Show a table."""
        self.model.set_table(header, rows)
        self._words.setText(words)
        self.setCurrentIndex(0 if rows else 1)
        head = self.view.horizontalHeader()
        head.setMinimumSectionSize(theme.px(72))
        for column in range(len(header)):
            modes = QHeaderView.ResizeMode
            few = modes.Stretch if len(header) <= MOST_STRETCHED else modes.Interactive
            head.setSectionResizeMode(column, few if column else modes.ResizeToContents)
            if column and few is modes.Interactive:
                self.view.resizeColumnToContents(column)
                self.view.setColumnWidth(column, min(self.view.columnWidth(column), theme.px(_WIDEST)))


class ComparisonPlots(QTabWidget):
    """The three tabs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setDocumentMode(True)
        for part in (self, self.tabBar()):
            part.setAccessibleName("Plots of the comparison")
        self.scatter = ScatterTab()
        self.jobs = TextTab("Differences of the jobs", SAME_JOBS)
        self.agreement = TextTab("Rank agreement", NO_AGREEMENT)
        for title, tab, tip in (
            ("Two measures", self.scatter, "A point a run between two measures of your choice"),
            ("Settings", self.jobs, "What the job files differ in"),
            ("Rank agreement", self.agreement, "Whether measures put the runs in the same order"),
        ):
            self.setTabToolTip(self.addTab(tab, title), tip)
