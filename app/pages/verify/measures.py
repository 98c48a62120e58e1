"""Which models a result is compared with, and the table of their measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QHeaderView, QMenu, QTreeView, QWidget

from app.models.measure_table import GAP_COLUMN, measure_header, measure_lines
from app.models.tables import TwoLevels
from app.pages.verify.checks import SEEDS_OFFERED
from app.services import format as fmt
from app.services.theme import theme
from app.services.tokens import MODELS
from app.services.translation import tr
from app.widgets.buttons import ChipButton
from app.widgets.labels import Label, caption
from app.widgets.layout import first_and_last_row
from app.widgets.table import GapBarDelegate, set_up_tree
from core.verify.table import COLUMNS, TableRow

if TYPE_CHECKING:
    from app.pages.verify.checks import ResultFacts, Wanted
    from app.services.run_library import RunRow

MOST_OFFERED = 20  # runs to compare with; the Runs page has all of them


class ModelsRow(QWidget):
    """Original, head-only edit and unlearned model with their markers in every plot; a menu chooses retrained ones."""

    wanted = Signal(object, bool)  # a seed, or the name of a model that was opened; whether to compare with it
    open_asked = Signal()
    compare_asked = Signal(object)  # path of another run

    def __init__(self) -> None:
        super().__init__()
        first, last = first_and_last_row(self)
        self.legend = Label("", "caption")
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.retrained = ChipButton(tr("Retrained"), tr("Retrained models"))
        self.others = ChipButton(tr("Compare"), tr("Compare with another run"))
        self.menu, self.others_menu, self.hint = QMenu(self), QMenu(self), caption()
        first.addWidget(self.legend)
        if first is not last:
            first.addStretch(1)
        for widget in (self.retrained, self.others, self.hint):
            last.addWidget(widget)
        last.addStretch(1)
        self._shown: tuple[ResultFacts, Wanted] | None = None
        self._rows: Sequence[RunRow] = ()
        self.retrained.setMenu(self.menu)
        self.others.setMenu(self.others_menu)
        self.menu.aboutToShow.connect(self._fill)  # one that is open stays as it is
        self.others_menu.aboutToShow.connect(self._offer)
        theme.changed.connect(self._show_legend)

    def show_facts(self, facts: ResultFacts, wanted: Wanted, rows: Sequence[RunRow], outdated: bool) -> None:
        """Show which models there are and which of them are ticked; `rows` are runs to compare with this one."""
        self._shown, self._rows = (facts, wanted), rows
        names = [tr("seed {number}", number=seed) for seed in sorted(wanted.seeds)] + list(wanted.files())
        shown = ", ".join(names) if len(names) <= 2 else tr("%n models", n=len(names))
        none = tr("{number} on disk", number=fmt.count(len(facts.trained))) if facts.trained else tr("none yet")
        tip = tr("Retrained models to compare the result with")
        marker = MODELS["retrained"].glyph
        self.retrained.set(tr("{marker} Retrained: {models}", marker=marker, models=shown or none), tip)
        self.hint.setText(tr("Run checks to take this in.") if outdated else "")
        self.others.setVisible(bool(rows))
        self._show_legend()

    def _show_legend(self) -> None:
        models = (self._shown[0].report.get("models") or {}) if self._shown is not None else {}
        shown = [MODELS[key] for key in ("original", "head_only", "unlearned") if key in models]
        self.legend.setText(" &nbsp; ".join(
            f'<span style="color: {theme.color(style.token).name()}">{style.glyph}</span> {style.title}'
            for style in shown
        ))  # fmt: skip
        self.legend.setAccessibleName(", ".join(style.title for style in shown))

    def _fill(self) -> None:
        if self._shown is None:
            return
        facts, wanted = self._shown
        self.menu.clear()
        for seed in sorted({*range(1, SEEDS_OFFERED + 1), *facts.trained, *wanted.seeds}):
            state = tr("trained")
            if seed not in facts.trained:
                state = tr("not trained yet")
                if facts.seconds is not None:
                    state = tr("{time} to train", time=fmt.about(facts.seconds))
            self._tick(seed, tr("Seed {number} · {state}", number=seed, state=state), wanted)
        for name, path in wanted.opened.items():
            self._tick(name, name, wanted).setToolTip(str(path))
        self.menu.addSeparator()
        self.menu.addAction(tr("Open a retrained model…")).triggered.connect(self.open_asked)

    def _tick(self, key: int | str, title: str, wanted: Wanted) -> QAction:
        action = self.menu.addAction(title)
        action.setCheckable(True)
        action.setChecked(key in wanted.ticked)
        action.triggered.connect(lambda on: self.wanted.emit(key, on))
        return action

    def _offer(self) -> None:
        self.others_menu.clear()
        for run in self._rows[:MOST_OFFERED]:
            title = tr("{method}, seed {number} · {run}", method=run.method, number=run.seed, run=run.id)
            action = self.others_menu.addAction(title)
            action.setToolTip(str(run.path))
            action.triggered.connect(lambda _on=False, path=run.path: self.compare_asked.emit(path))


HEAD_ONLY_COLUMN = 1 + COLUMNS.index("head_only")
_NAME_LEAST, _NAME_WANTED, _NUMBER_LEAST, _GAP_LEAST = 190, 210, 66, 82  # widths of columns, in pixels of the design


class MeasuresView(QTreeView):
    """A tree of two levels that looks like a table."""

    def __init__(self) -> None:
        super().__init__()
        self.table = TwoLevels(self)
        self.table.set_lines(measure_header(), ())
        self.setModel(self.table)
        self.setAccessibleName(tr("Measures of each model"))
        set_up_tree(self)
        self.setItemDelegateForColumn(GAP_COLUMN, GapBarDelegate(self))
        header = self.header()
        header.setMinimumSectionSize(theme.px(_NUMBER_LEAST))
        for place in range(GAP_COLUMN):
            modes = QHeaderView.ResizeMode
            header.setSectionResizeMode(place, modes.ResizeToContents if place else modes.Stretch)
        self._folded: set[str] = set()
        self.collapsed.connect(self._fold)
        self.expanded.connect(self._unfold)

    def set_rows(self, rows: tuple[TableRow, ...]) -> None:
        """Show other rows; groups that were folded stay folded, and the view stays where it was scrolled to."""
        scrolled = self.verticalScrollBar().value()
        self.table.set_lines(measure_header(), measure_lines(rows))
        self.setColumnHidden(HEAD_ONLY_COLUMN, all(row.values["head_only"] is None for row in rows))
        for number in range(self.table.rowCount()):
            group = self.table.index(number, 0)
            self.setFirstColumnSpanned(number, QModelIndex(), True)
            self.setExpanded(group, group.data() not in self._folded)
            for place, line in enumerate(self.table.line(group).below):
                self.setFirstColumnSpanned(place, group, len(line.cells) == 1)
        self.verticalScrollBar().setValue(scrolled)

    def sizeHint(self) -> QSize:
        return QSize(theme.px(600), theme.px(360))

    def minimumSizeHint(self) -> QSize:
        # All columns, with the beginning of the names: numbers alone say nothing.
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self._numbers() + theme.px(_NAME_LEAST + _GAP_LEAST) + bar, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # A wider table gives its room to the bars first: names need what they need, numbers no more.
        room = event.size().width() - self._numbers() - theme.px(_NAME_WANTED + _GAP_LEAST)
        self.header().resizeSection(GAP_COLUMN, theme.px(_GAP_LEAST) + max(0, room // 2))

    def _numbers(self) -> int:
        return sum(map(self.header().sectionSize, range(1, GAP_COLUMN)))

    def _fold(self, index: QModelIndex) -> None:
        self._folded.add(index.data())

    def _unfold(self, index: QModelIndex) -> None:
        self._folded.discard(index.data())

    def keyboardSearch(self, search: str) -> None:
        """Letters look for a measure in all groups, not only beside the current row."""
        start = self.currentIndex() if self.currentIndex().isValid() else self.table.index(0, 0)
        flags = Qt.MatchFlag.MatchStartsWith | Qt.MatchFlag.MatchWrap | Qt.MatchFlag.MatchRecursive
        found = self.table.match(start.siblingAtColumn(0), Qt.ItemDataRole.DisplayRole, search, 1, flags)
        if found:
            self.setCurrentIndex(found[0])
