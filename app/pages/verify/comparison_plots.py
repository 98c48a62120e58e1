"""Beside the table of compared runs: two measures against each other, how jobs differ, how far measures agree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFormLayout, QHeaderView, QStackedWidget, QTableView, QTabWidget, QWidget
from PySide6.QtWidgets import QVBoxLayout as Column

from app.models.comparison_table import ANCHORS, method_words
from app.models.tables import TextTableModel
from app.plots.run_scatter import Dot, RunScatter
from app.services import tokens as t
from app.services.theme import theme
from app.services.tokens import MODELS, RUN_SYMBOLS, SeriesStyle
from app.widgets.labels import caption
from app.widgets.notices import EmptyState
from app.widgets.table import set_up_table

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
