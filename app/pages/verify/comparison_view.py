"""Several runs side by side: a table whose first column stays while the measures are scrolled, and plots beside it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFrame,
    QHeaderView,
    QMenu,
    QSplitter,
    QStackedWidget,
    QTableView,
    QTabWidget,
    QTreeView,
)

from app.models.comparison_table import LAMPS_COLUMN, NAME, RUN_ROLE, VERDICT, comparison_header, method_words
from app.models.tables import TwoLevels
from app.pages.verify.plots_panel import Tab
from app.pages.verify.verdict_card import check_words
from app.plots.run_scatter import Dot, RunScatter
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.services.tokens import MODELS, RUN_SYMBOLS, SeriesStyle
from app.services.translation import mark, tr
from app.widgets.buttons import ChipButton, PrimaryButton, SecondaryButton, TextButton
from app.widgets.cards import Card
from app.widgets.labels import Label, caption
from app.widgets.layout import STRETCH, beside, column, form, row, widget_of
from app.widgets.notices import Banner, EmptyState, ProgressLine
from app.widgets.table import set_up_table, set_up_tree

if TYPE_CHECKING:
    from app.pages.verify.compared import Batch, Compared, Ensemble
    from app.workers.live_run import LiveRun

GOAL = mark("No value is good for being high or low: the retrained one is the goal. Double-click a run to open it.")
NO_BATCHES = mark(
    "Results of batches are listed here. Open a batch file (TOML), or drop one on the window, to queue its runs."
)
SAME_JOBS = mark("These runs have the same settings in everything that decides a result.")
NO_AGREEMENT = mark("Whether measures agree shows from three runs on that were compared with retrained models.")
NO_ENSEMBLE = mark("An ensemble takes two runs or more that differ in nothing but their seed or original.")
NO_RETRAINED_ENSEMBLE = mark("The other side is two retrained models or more: check the runs with more seeds.")
ENSEMBLES = mark(
    "{those}, each side as one ensemble. KLoM takes ten models a side; of fewer the distance of margins is measured."
)
NO_SCATTER = mark("No two measures were taken of these runs.")
FIRST_CHOICE = ("forget_test_accuracy", "probe")  # across and up
MOST_STRETCHED = 3  # columns of texts that share the width there is; more are scrolled
_NAME_WIDTH, _MEASURE_WIDTH, _LAMPS_WIDTH, _WORDS_MOST = 208, 92, 78, 150  # three measures show at 1280
_WIDEST_TEXT = 160  # of a column of texts that are scrolled
_HEADER = 48


class ComparisonTree(QFrame):
    """Two views of one model beside each other. `chosen` carries the names of the runs in the chosen rows."""

    chosen = Signal(object)  # set[str]
    activated = Signal(str)  # a run was double-clicked, or Return pressed on it

    def __init__(self) -> None:
        super().__init__()
        self.table = TwoLevels(self)
        self.names, self.numbers = QTreeView(), QTreeView()
        # Lines as a title needs them; the flag is none of the alignment's, but Qt reads it from there.
        wrapped = Qt.AlignmentFlag(int(Qt.AlignmentFlag.AlignVCenter) | int(Qt.TextFlag.TextWordWrap))
        for part, name in ((self.names, tr("Compared runs")), (self.numbers, tr("Measures of compared runs"))):
            part.setModel(self.table)
            part.setAccessibleName(name)
            set_up_tree(part, _HEADER)
            part.setFrameShape(QFrame.Shape.NoFrame)
            part.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
            part.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)  # of both, so that rows stay level
            part.header().setDefaultAlignment(wrapped)
        self.numbers.setSelectionModel(self.names.selectionModel())
        self.numbers.setRootIsDecorated(False)
        self.numbers.setIndentation(0)
        self.names.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # the seed stands at a name's end
        self.names.setFixedWidth(theme.px(_NAME_WIDTH))
        self.names.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        row(self.names, (self.numbers, 1), on=self, spacing=0)
        for part, other in ((self.names, self.numbers), (self.numbers, self.names)):
            part.expanded.connect(other.expand)
            part.collapsed.connect(other.collapse)
            part.verticalScrollBar().valueChanged.connect(other.verticalScrollBar().setValue)
            part.activated.connect(self._activated)
        self.names.selectionModel().selectionChanged.connect(self._selected)

    def show_columns(self) -> None:
        """Part the columns between the views and give them widths; after the model was filled."""
        for place in range(self.table.columnCount()):
            self.names.setColumnHidden(place, place != NAME)
            least = _LAMPS_WIDTH if place == LAMPS_COLUMN else _MEASURE_WIDTH
            width = max(self.numbers.sizeHintForColumn(place), theme.px(least))
            self.numbers.setColumnWidth(place, min(width, theme.px(_WORDS_MOST)) if place == VERDICT else width)
        self.numbers.hideColumn(NAME)
        self.names.header().setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)

    def choose(self, run: str) -> None:
        """Choose the row of a run, opening its method."""
        flags = Qt.MatchFlag.MatchExactly | Qt.MatchFlag.MatchRecursive
        for index in self.table.match(self.table.index(0, NAME), RUN_ROLE, run, 1, flags):
            self.names.setCurrentIndex(index)
            self.names.expand(index.parent())

    def chosen_runs(self) -> set[str]:
        """The runs in the chosen rows; a method stands for all of its seeds."""
        found: set[str | None] = set()
        for index in self.names.selectionModel().selectedRows(NAME):
            below = [self.table.index(row, NAME, index) for row in range(self.table.rowCount(index))]
            found |= {one.data(RUN_ROLE) for one in below or [index]}
        return {run for run in found if run}

    def _selected(self, *_: object) -> None:
        self.chosen.emit(self.chosen_runs())

    def _activated(self, index: QModelIndex) -> None:
        if run := index.data(RUN_ROLE):
            self.activated.emit(run)


class ScatterTab(Tab):
    """A point a run, with the anchors where runs can be compared; the two measures are chosen below."""

    def __init__(self) -> None:
        self.plot = RunScatter()
        self.across, self.up = QComboBox(), QComboBox()
        choice = form()
        for title, name, combo in ((tr("&Y"), tr("Measure of the Y axis"), self.up),
                                   (tr("&X"), tr("Measure of the X axis"), self.across)):  # fmt: skip
            choice.addRow(title, combo)
            combo.setAccessibleName(name)
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        super().__init__((self.plot, 1), choice, missing=tr(NO_SCATTER))
        self.words.hide()
        self._found: Mapping[str, Any] = {}
        for combo in (self.up, self.across):
            combo.currentIndexChanged.connect(self._draw)

    def set_comparison(self, found: Mapping[str, Any]) -> None:
        """Show a comparison; measures that were chosen stay chosen where it has them."""
        self._found = found
        measures = {
            measure["key"]: measure["title"] for measure in found["measures"]
            if any(run["measures"].get(measure["key"]) is not None for run in found["runs"])
        }  # fmt: skip
        for place, combo in enumerate((self.across, self.up)):
            chosen = combo.currentData() or FIRST_CHOICE[place]
            combo.blockSignals(True)
            combo.clear()
            for key, title in measures.items():
                combo.addItem(title, key)
            known = combo.findData(chosen)
            combo.setCurrentIndex(known if known >= 0 else place)
            combo.blockSignals(False)
        self.setCurrentIndex(0 if len(measures) > 1 else 1)
        self._draw()

    def dots(self) -> list[Dot]:
        """The points between the two measures chosen."""
        found, x, y = self._found, self.across.currentData(), self.up.currentData()
        scale = {measure["key"]: 100 if measure["unit"] == "percent" else 1 for measure in found["measures"]}
        ranks = {name: str(place["rank"] or "") for place in found["ranking"] for name in place["runs"]}
        dots: list[Dot] = []
        styles: dict[str, SeriesStyle] = {}

        def add(name: str, group: str, style: SeriesStyle, values: Mapping[str, Any]) -> None:
            if values.get(x) is not None and values.get(y) is not None:
                dots.append(Dot(name, group, style, scale[x] * values[x], scale[y] * values[y]))

        for key, values in found["anchors"].items():
            title = short(MODELS[key].title)
            add(title, title, MODELS[key], values)
        for run in found["runs"]:
            group = f"{ranks.get(run['run'], '')} {short(method_words(run))}".strip()
            symbol = RUN_SYMBOLS[len(styles) % len(RUN_SYMBOLS)]
            style = styles.setdefault(group, SeriesStyle(group, group, "unlearned", (), symbol, False))
            add(str(run["run"]), group, style, run["measures"])
        return dots

    def _draw(self) -> None:
        if self._found:
            self.plot.set_dots(self.dots(), self.across.currentText(), self.up.currentText())


def short(name: str) -> str:
    """Return a method's name without what stands in brackets: "MUDA"."""
    before, _, rest = name.partition(" (")
    return before + rest.partition(")")[2]


class TextTab(Tab):
    """A table of texts with what must be said of it; or the sentence where it has no rows."""

    def __init__(self, name: str, missing: str) -> None:
        self.view = QTableView()
        self.model = TwoLevels(self.view)
        self.view.setModel(self.model)
        self.view.setAccessibleName(name)
        set_up_table(self.view)
        head = self.view.horizontalHeader()
        head.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # runs differ at the end of names
        head.setMinimumSectionSize(theme.px(72))
        super().__init__((self.view, 1), missing=missing)

    def set_table(self, header: list[str], rows: list[list[str]], words: str) -> None:
        """Show a table."""
        self.model.set_texts(header, rows)
        self.show_content(words)
        self.setCurrentIndex(0 if rows else 1)
        modes, head = QHeaderView.ResizeMode, self.view.horizontalHeader()
        few = len(header) <= MOST_STRETCHED
        head.setMaximumSectionSize(-1 if few else theme.px(_WIDEST_TEXT))
        head.setSectionResizeMode(modes.Stretch if few else modes.ResizeToContents)
        head.setSectionResizeMode(0, modes.ResizeToContents)


class EnsemblesTab(TextTab):
    """Runs that differ in their seed as one ensemble beside the retrained models as another; measured when asked."""

    measure_asked = Signal()

    def __init__(self) -> None:
        super().__init__(tr("Ensembles"), tr(NO_ENSEMBLE))
        self._known: tuple[tuple[Ensemble, ...], str] = (), ""

    def set_ensembles(self, ensembles: tuple[Ensemble, ...], fault: str = "") -> None:
        """Say what can be held against what, or why that is not known; what was measured of the same stays."""
        if (ensembles, fault) == self._known:
            return
        self._known = ensembles, fault
        self.show_offer()

    def show_offer(self) -> None:
        """Say what there is to measure, or what is missing."""
        ensembles, fault = self._known
        counted = [
            tr("{method}: {runs} and {number} retrained models", method=one.name,
               runs=tr("%n runs", n=len(one.folders)), number=fmt.count(len(one.retrained)))
            for one in ensembles if one.measurable
        ]  # fmt: skip
        if not ensembles:
            self.show_missing(fault or tr(NO_ENSEMBLE))
        elif not counted:
            self.show_missing(tr(NO_RETRAINED_ENSEMBLE))
        else:
            said = tr(ENSEMBLES, those="; ".join(counted))
            self.show_missing(said, tr("Measure"), self.measure_asked.emit)


class ComparisonPlots(QTabWidget):
    """The four tabs."""

    def __init__(self) -> None:
        super().__init__()
        self.setDocumentMode(True)
        for part in (self, self.tabBar()):
            part.setAccessibleName(tr("Plots of the comparison"))
        self.tabBar().setProperty("dense", True)  # all four fit beside the table
        self.scatter = ScatterTab()
        self.jobs = TextTab(tr("Settings that differ"), tr(SAME_JOBS))
        self.agreement = TextTab(tr("Rank agreement"), tr(NO_AGREEMENT))
        self.ensembles = EnsemblesTab()
        for tab, title, tip in (
            (self.scatter, tr("Measures"), tr("Two measures of each run")),
            (self.jobs, tr("Settings"), tr("Settings that differ")),
            (self.agreement, tr("Ranks"), tr("Rank agreement")),
            (self.ensembles, tr("Ensembles"), tr("Runs of several seeds as one, beside the retrained models")),
        ):
            self.setTabToolTip(self.addTab(tab, title), tip)


class ComparisonView(QStackedWidget):
    """A head with what can be done, the table and the plots beside it; or what will be here."""

    left = Signal()  # back to the run in view
    opened = Signal(object)  # RunFolder
    batch_chosen = Signal(object)  # Path of a batch file that is known
    open_asked = Signal()  # a batch file

    def __init__(self) -> None:
        super().__init__()
        self.compared: Compared | None = None
        self.title, self.state = Label("", "section"), Label("", "body", "text-2")
        self.chooser = ChipButton("", tr("Batch"))
        self.batches = QMenu(self.chooser)
        self.chooser.setMenu(self.batches)
        self.rest_button = SecondaryButton(tr("Start the rest"))
        self.check_button = PrimaryButton(tr("Check all"))
        self.best_button = PrimaryButton(tr("Open the first in rank"), self._open_best)
        self.stop_button = SecondaryButton(tr("Stop checks"))
        self.save_button = SecondaryButton(tr("Save table…"))
        self.progress, self.banner = ProgressLine(tr("Checks")), Banner()
        self.tree, self.plots = ComparisonTree(), ComparisonPlots()
        table, plots = Card(padding=1), Card(padding=t.S)
        table.body.addLayout(column((self.tree, 1), row(caption(tr(GOAL)), margins=(t.S, 0, t.S, t.XS))))
        plots.body.addWidget(self.plots)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        beside(splitter, table, plots)
        splitter.setSizes([theme.px(716), theme.px(336)])
        self.addWidget(widget_of(column(
            row(self.title, self.chooser, self.state, STRETCH, self.rest_button,
                TextButton(tr("Back to one run"), self.left.emit)),
            self.banner, self.progress, (splitter, 1),
            row(STRETCH, self.save_button, self.stop_button, self.best_button, self.check_button),
            spacing=t.M,
        )))  # fmt: skip
        self.empty = EmptyState("runs", tr(NO_BATCHES), tr("Open a batch file…"), self.open_asked.emit)
        back = TextButton(tr("Back to one run"), self.left.emit)
        self.addWidget(widget_of(column((self.empty, 1), row(STRETCH, back, STRETCH))))
        self.tree.chosen.connect(self.plots.scatter.plot.choose)
        self.tree.activated.connect(self._activated)
        self.plots.scatter.plot.hovered_dot.connect(self.tree.choose)
        self.show_check(None, "")

    def show_compared(self, compared: Compared | None) -> None:
        """Show a comparison; None: there is no batch to show."""
        self.compared = compared
        self.setCurrentIndex(0 if compared is not None else 1)
        if compared is None:
            return
        found, batch, tree = compared.found, compared.batch, self.tree
        self.title.setText(compared.title)
        self.title.setVisible(batch is None)
        for part in (self.chooser, self.state, self.rest_button):
            part.setVisible(batch is not None)
        if batch is not None:
            self._show_batch(batch)
        if found["differences"] and batch is None:
            self.banner.show_message(" ".join(found["differences"]), "caution", closable=False)
        else:
            self.banner.hide()
        tree.table.set_lines(comparison_header(found["measures"]), compared.lines)
        tree.show_columns()
        self.plots.scatter.set_comparison(found)
        self.plots.scatter.plot.provenance = ", ".join(compared.folders)
        jobs, agreement = compared.jobs, compared.agreement
        self.plots.jobs.set_table(jobs.header, jobs.rows, jobs.note)
        taus = [[title, *map(fmt.in_locale, cells)] for title, *cells in agreement.rows]
        self.plots.agreement.set_table(agreement.header, taus, agreement.note)
        self.plots.ensembles.set_ensembles(compared.ensembles, compared.ensembles_fault)
        self.plots.scatter.plot.choose(tree.chosen_runs())

    def show_check(self, check: LiveRun | None, words: str) -> None:
        """Show how far checks are; None: there is none. `words`: how many of several are over."""
        unchecked = self.compared.unchecked if self.compared is not None else ()
        for part in (self.progress, self.stop_button):
            part.setVisible(check is not None)
        self.check_button.setVisible(check is None and bool(unchecked))
        self.best_button.setVisible(check is None and not unchecked and bool(self._best()))
        if check is not None:
            done, total, text = check_words(check)
            self.progress.set(done, total, f"{words} · {text}" if words else text)

    def _show_batch(self, batch: Batch) -> None:
        self.chooser.set(batch.name, str(batch.file))
        self.state.setText(batch.progress)
        self.batches.clear()
        for name, file in batch.known:
            action = self.batches.addAction(name)
            action.setToolTip(fmt.plain(str(file)))
            action.triggered.connect(partial(self.batch_chosen.emit, file))
        self.rest_button.setEnabled(not batch.why_no_rest)
        self.rest_button.setToolTip(batch.why_no_rest or tr("Queue the runs of this batch that have no result yet"))

    def _activated(self, name: str) -> None:
        if self.compared is not None:
            self.opened.emit(self.compared.folders[name])

    def _best(self) -> str:
        """The run that ranks first, of one forget set; "" where none does."""
        ranking = self.compared.found["ranking"] if self.compared is not None else ()
        return ranking[0]["runs"][0] if ranking and ranking[0]["rank"] else ""

    def _open_best(self) -> None:
        self._activated(self._best())
