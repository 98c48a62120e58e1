"""Which models a result is compared with, a chip each, and the table of their measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QPointF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QFontMetrics, QIcon, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QMenu,
    QSizePolicy,
    QTreeView,
    QWidget,
)

from app.models.measure_table import GAP_COLUMN, KIND_ROLE, MeasureTable
from app.pages.verify.checks import SEEDS_OFFERED
from app.plots.items import draw_symbol
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.services.tokens import MODELS, SeriesStyle
from app.widgets.buttons import ChipButton
from app.widgets.labels import Label, caption
from app.widgets.layout import first_and_last_row
from app.widgets.table import GapBarDelegate
from core.verify.table import COLUMNS, TableRow

if TYPE_CHECKING:
    from app.pages.verify.checks import ResultFacts, Wanted
    from app.services.run_library import RunRow


MOST_OFFERED = 20  # runs to compare with; the Runs page has all of them
_SAMPLE_WIDTH, _SAMPLE_HEIGHT = 22, 14


class ModelsRow(QWidget):
    """Chips of original, head-only edit and unlearned model; a menu chooses the retrained ones."""

    seed_wanted = Signal(int, bool)
    opened_wanted = Signal(str, bool)
    open_asked = Signal()
    compare_asked = Signal(object)  # path of another run

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row, last = first_and_last_row(self)
        self.chips = {key: ModelChip(MODELS[key]) for key in ("original", "head_only", "unlearned")}
        for chip in self.chips.values():
            row.addWidget(chip)
        if row is not last:
            row.addStretch(1)
        self.retrained = ChipButton("Retrained", name="Retrained models")
        self.retrained.setIconSize(QSize(theme.px(_SAMPLE_WIDTH), theme.px(_SAMPLE_HEIGHT)))
        self.menu = QMenu(self)
        self.retrained.setMenu(self.menu)
        last.addWidget(self.retrained)
        self.others = ChipButton("Compare", name="Compare with another run")
        self.others_menu = QMenu(self)
        self.others.setMenu(self.others_menu)
        self.others.hide()
        last.addWidget(self.others)
        self.hint = caption("")
        last.addWidget(self.hint)
        last.addStretch(1)
        self._seed_actions: dict[int, QAction] = {}
        self._opened_actions: dict[str, QAction] = {}
        self._offered: tuple[object, ...] = ()  # what the menus hold; a menu that is open is not made anew for nothing
        self._runs_offered: tuple[tuple[str, Path], ...] = ()
        theme.changed.connect(self._draw_icon)
        self._draw_icon()

    def show_facts(self, facts: ResultFacts, wanted: Wanted, outdated: bool = False) -> None:
        """Show which models there are and which of them are ticked."""
        self.chips["head_only"].setVisible("head_only" in (facts.report.get("models") or {}))
        names = [f"seed {seed}" for seed in sorted(wanted.seeds)] + list(wanted.files())
        shown = ", ".join(names) if len(names) <= 2 else fmt.plural(len(names), "model")
        none = f"{fmt.count(len(facts.trained))} on disk" if facts.trained else "none yet"
        self.retrained.set(f"Retrained: {shown or none}", "Retrained models to compare the result with")
        self.retrained.setText(f" {self.retrained.text()}")  # a tool button leaves no room between icon and text
        self.hint.setText("Run checks to take this in." if outdated else "")
        self._fill(facts, wanted)

    def show_runs(self, rows: Sequence[RunRow]) -> None:
        """Offer these runs to be compared with the one in view."""
        self.others.setVisible(bool(rows))
        offered = tuple((f"{row.method}, seed {row.seed} · {row.id}", row.path) for row in rows[:MOST_OFFERED])
        if offered == self._runs_offered:
            return
        self._runs_offered = offered
        self.others_menu.clear()
        for title, path in offered:
            action = self.others_menu.addAction(title)
            action.setToolTip(str(path))
            action.triggered.connect(lambda _checked=False, path=path: self.compare_asked.emit(path))

    def _fill(self, facts: ResultFacts, wanted: Wanted) -> None:
        seeds = {
            seed: f"Seed {seed} · {_seed_state(seed, facts)}"
            for seed in sorted({*range(1, SEEDS_OFFERED + 1), *facts.trained, *wanted.seeds})
        }
        offered = (*seeds.values(), *wanted.opened.items())
        if offered != self._offered:
            self._offered = offered
            self._make_menu(seeds, wanted)
        for seed, action in self._seed_actions.items():
            action.setChecked(seed in wanted.seeds)
        for name, action in self._opened_actions.items():
            action.setChecked(name not in wanted.left_out)

    def _make_menu(self, seeds: Mapping[int, str], wanted: Wanted) -> None:
        self.menu.clear()
        self._seed_actions, self._opened_actions = {}, {}
        for seed, title in seeds.items():
            action = self._seed_actions[seed] = self.menu.addAction(title)
            action.setCheckable(True)
            action.triggered.connect(lambda on, seed=seed: self.seed_wanted.emit(seed, on))
        for name, path in wanted.opened.items():
            action = self._opened_actions[name] = self.menu.addAction(name)
            action.setToolTip(str(path))
            action.setCheckable(True)
            action.triggered.connect(lambda on, name=name: self.opened_wanted.emit(name, on))
        self.menu.addSeparator()
        self.menu.addAction("Open a retrained model…").triggered.connect(self._open)

    def _open(self) -> None:
        self.open_asked.emit()

    def _draw_icon(self) -> None:
        self.retrained.setIcon(sample_icon(MODELS["retrained"], self.devicePixelRatioF()))


def _seed_state(seed: int, facts: ResultFacts) -> str:
    if seed in facts.trained:
        return "trained"
    return f"{fmt.about(facts.seconds)} to train" if facts.seconds is not None else "not trained yet"


class ModelChip(QFrame):
    """A model's name beside a sample of its line and marker; the legend of every plot on the page."""

    def __init__(self, style: SeriesStyle, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("part", "chip")
        self.setFixedHeight(theme.px(t.CHIP_HEIGHT))
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(t.S), 0, theme.px(t.S), 0)
        row.setSpacing(theme.px(t.XS))
        row.addWidget(_Sample(style))
        row.addWidget(Label(f"✓ {style.title}", "caption"))
        self.setAccessibleName(f"{style.title}: shown")


class _Sample(QWidget):
    def __init__(self, style: SeriesStyle) -> None:
        super().__init__()
        self._style = style
        self.setFixedSize(theme.px(_SAMPLE_WIDTH), theme.px(_SAMPLE_HEIGHT))
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        draw_sample(painter, self.width(), self.height(), self._style)
        painter.end()


def draw_sample(painter: QPainter, width: float, height: float, style: SeriesStyle) -> None:
    """Draw a piece of a model's line with its marker."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(theme.pen(style.token, 2, style.dash))
    painter.drawLine(QPointF(0, height / 2), QPointF(width, height / 2))
    draw_symbol(painter, QPointF(width / 2, height / 2), style.symbol, style.token, style.filled)


def sample_icon(style: SeriesStyle, ratio: float) -> QIcon:
    """Return the same as an icon."""
    size = QSize(theme.px(_SAMPLE_WIDTH), theme.px(_SAMPLE_HEIGHT))
    pixmap = QPixmap(size * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    draw_sample(painter, size.width(), size.height(), style)
    painter.end()
    return QIcon(pixmap)


HEAD_ONLY_COLUMN = 1 + COLUMNS.index("head_only")
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
        self.setColumnHidden(HEAD_ONLY_COLUMN, all(row.values["head_only"] is None for row in rows))
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
