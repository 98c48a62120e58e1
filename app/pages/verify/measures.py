"""Which models a result is compared with, and the table of their measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QSize, Signal
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QHeaderView, QMenu, QTreeView, QWidget

from app.models.measure_table import GAP_COLUMN, measure_header, measure_lines
from app.models.tables import ALIGN, TwoLevels
from app.pages.verify.checks import SEEDS_OFFERED
from app.services import format as fmt
from app.services.theme import theme
from app.services.tokens import MODELS
from app.services.translation import tr
from app.widgets.buttons import ChipButton
from app.widgets.labels import caption
from app.widgets.layout import STRETCH, row
from app.widgets.table import GapBarDelegate, set_up_tree
from core.verify.table import COLUMNS, TableRow

if TYPE_CHECKING:
    from app.pages.verify.checks import ResultFacts, Wanted
    from app.services.run_library import RunRow

MOST_OFFERED = 20  # runs to compare with; the Runs page has all of them


class ModelsRow(QWidget):
    """Which retrained models the result is compared with, and which run it can be held beside."""

    wanted = Signal(object, bool)  # a seed, or the name of a model that was opened; whether to compare with it
    open_asked = Signal()
    compare_asked = Signal(object)  # path of another run

    def __init__(self) -> None:
        super().__init__()
        self.retrained = ChipButton(tr("Retrained"), tr("Retrained models"))
        self.others = ChipButton(tr("Compare"), tr("Compare with another run"))
        self.menu, self.others_menu, self.hint = QMenu(self), QMenu(self), caption()
        row(self.retrained, self.others, self.hint, STRETCH, on=self)
        self._shown: tuple[ResultFacts, Wanted] | None = None
        self._rows: Sequence[RunRow] = ()
        self.retrained.setMenu(self.menu)
        self.others.setMenu(self.others_menu)
        self.menu.aboutToShow.connect(self._fill)  # one that is open stays as it is
        self.others_menu.aboutToShow.connect(self._offer)

    def show_facts(self, facts: ResultFacts, wanted: Wanted, rows: Sequence[RunRow], outdated: bool) -> None:
        """Show which retrained models are ticked; `rows` are runs to compare with this one."""
        self._shown, self._rows = (facts, wanted), rows
        names = [tr("seed {number}", number=seed) for seed in sorted(wanted.seeds)] + list(wanted.files())
        shown = ", ".join(names) if len(names) <= 2 else tr("%n models", n=len(names))
        none = tr("{number} on disk", number=fmt.count(len(facts.trained))) if facts.trained else tr("none yet")
        tip = tr("Retrained models to compare the result with")
        marker = MODELS["retrained"].glyph
        self.retrained.set(tr("{marker} Retrained: {models}", marker=marker, models=shown or none), tip)
        self.hint.setText(tr("Run checks to take this in.") if outdated else "")
        self.others.setVisible(bool(rows))

    def _fill(self) -> None:
        if self._shown is None:
            return
        facts, wanted = self._shown
        self.menu.clear()
        offered = () if facts.encoder else range(1, SEEDS_OFFERED + 1)
        for seed in sorted({*offered, *facts.trained, *wanted.seeds}):
            state = tr("trained")
            if seed not in facts.trained:
                state = tr("not trained yet")
                if facts.seconds is not None:
                    state = tr("{time} to train", time=fmt.about(facts.seconds))
            self._tick(seed, tr("Seed {number} · {state}", number=seed, state=state), wanted)
        for name, path in wanted.opened.items():
            self._tick(name, name, wanted).setToolTip(fmt.plain(str(path)))
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
            action.setToolTip(fmt.plain(str(run.path)))
            action.triggered.connect(lambda _on=False, path=run.path: self.compare_asked.emit(path))


HEAD_ONLY_COLUMN = 1 + COLUMNS.index("head_only")
_NAME, _NUMBER, _GAP = 220, 66, 82  # least widths of columns, in pixels of the design


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
        header, modes = self.header(), QHeaderView.ResizeMode
        header.setMinimumSectionSize(theme.px(_NUMBER))
        header.setSectionResizeMode(modes.ResizeToContents)
        header.setSectionResizeMode(0, modes.Stretch)
        header.setSectionResizeMode(GAP_COLUMN, modes.Fixed)
        self.table.rowsInserted.connect(self._inserted)

    def set_rows(self, rows: tuple[TableRow, ...], gaps: bool) -> None:
        """Show other rows, and how far each gap is closed; the view stays where it was scrolled to, and of the same
        rows what was folded.
        """  # noqa: D205
        scrolled = self.verticalScrollBar().value()
        self.table.set_lines(measure_header(), measure_lines(rows, gaps))
        self.setColumnHidden(GAP_COLUMN, not gaps)
        self.setColumnHidden(HEAD_ONLY_COLUMN, all(row.values["head_only"] is None for row in rows))
        self.verticalScrollBar().setValue(scrolled)

    def minimumSizeHint(self) -> QSize:
        # All columns, with the beginning of the names: numbers alone say nothing.
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self._least() + bar, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        spare = event.size().width() - self._least()  # names take half of it
        self.header().resizeSection(GAP_COLUMN, theme.px(_GAP) + max(0, spare // 2))

    def _least(self) -> int:
        return theme.px(_NAME + _GAP) + sum(map(self.header().sectionSize, range(1, GAP_COLUMN)))

    def _inserted(self, parent: QModelIndex, first: int, last: int) -> None:
        """Open a group; its title and what must be said beside a measure go over all columns."""
        for place in range(first, last + 1):
            group = self.table.index(place, 0, parent)
            self.setFirstColumnSpanned(place, parent, True)
            self.expand(group)
            for below in range(self.table.rowCount(group)):
                self.setFirstColumnSpanned(below, group, self.table.index(below, 1, group).data(ALIGN) is None)
