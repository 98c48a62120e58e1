"""Tables: their look, headers that sort and tick, a menu of columns, and bars for how much of a gap is closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QBrush, QKeyEvent, QPainter, QPolygonF, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHeaderView,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionHeader,
    QStyleOptionViewItem,
    QTableView,
    QTreeView,
)

from app.services import format as fmt
from app.services import tokens as t
from app.services.accessibility import announce
from app.services.theme import theme
from app.services.translation import tr
from app.services.window_state import WindowState

NUMBER = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def set_up_table(view: QTableView, rows: bool = True) -> None:
    """Give a table its look; `rows` selects whole rows."""
    _set_up(view, view.horizontalHeader(), t.TABLE_HEADER)
    view.setShowGrid(False)
    view.setAlternatingRowColors(False)
    view.setWordWrap(False)
    view.setCornerButtonEnabled(False)
    if rows:
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    vertical = view.verticalHeader()
    vertical.setVisible(False)
    vertical.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    vertical.setMinimumSectionSize(theme.px(t.TABLE_ROW))
    vertical.setDefaultSectionSize(theme.px(t.TABLE_ROW))
    view.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


def set_up_tree(view: QTreeView, header: int = t.TABLE_HEADER) -> None:
    """Give a tree the look of a table, with a header of this height."""
    _set_up(view, view.header(), header)
    view.setIndentation(theme.px(t.M))
    view.setUniformRowHeights(True)
    view.setAllColumnsShowFocus(True)
    view.header().setStretchLastSection(False)
    view.header().setSectionsMovable(False)


def _set_up(view: QAbstractItemView, header: QHeaderView, height: int) -> None:
    theme.set_font(view, "table")
    view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    view.setTabKeyNavigation(False)  # Tab leaves the table; arrows move inside it
    header.setHighlightSections(False)
    theme.set_height(header, height)


_ARROW_ROOM = "\N{NO-BREAK SPACE}" * 5  # as wide as the arrow: with a style sheet Qt draws it over the end of the title
_BOX_ROOM = "\N{NO-BREAK SPACE}" * 6  # the width of the box and its distance from the title
_OPENS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space, Qt.Key.Key_Down, Qt.Key.Key_Menu)


class SortHeader(QHeaderView):
    """Put in place with `view.setHorizontalHeader` before `set_up_table`. Tab comes to it after the table, and Return
    or Space opens the menu *Sort by*.
    """  # noqa: D205

    def __init__(self, view: QTableView) -> None:
        super().__init__(Qt.Orientation.Horizontal, view)
        self.setSectionsClickable(True)
        self.setMinimumSectionSize(theme.px(t.XL))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(tr("Titles of the columns"))
        self.setAccessibleDescription(tr("Return opens the menu to sort by one of them"))

    def sort_menu(self) -> QMenu:
        """Return a menu of the columns that show; a mark is at the one it is sorted by."""
        menu = QMenu(tr("Sort by"), self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for section in map(self.logicalIndex, range(self.count())):
            if not self.isSectionHidden(section):
                action = menu.addAction(self.title(section))
                action.setCheckable(True)
                action.setChecked(self.isSortIndicatorShown() and section == self.sortIndicatorSection())
                action.triggered.connect(partial(self.sort_by, section))
        return menu

    def sort_by(self, section: int, _checked: bool = False) -> None:
        """Sort by a column, the other way round where it is sorted by it already."""
        rising = (self.isSortIndicatorShown(), self.sortIndicatorSection(), self.sortIndicatorOrder())
        falling = rising == (True, section, Qt.SortOrder.AscendingOrder)
        self.setSortIndicator(section, Qt.SortOrder.DescendingOrder if falling else Qt.SortOrder.AscendingOrder)
        column = self.title(section)
        announce(self, tr("Sorted by {column}, descending", column=column) if falling
                 else tr("Sorted by {column}, ascending", column=column))  # fmt: skip

    def title(self, section: int) -> str:
        """The title of a section, or what its tool tip says where it has none."""
        roles = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole)
        found = (self.model().headerData(section, Qt.Orientation.Horizontal, role) for role in roles)
        return next((str(text) for text in found if text), "")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _OPENS:
            self.sort_menu().popup(self.mapToGlobal(QPoint(0, self.height())))
        else:
            event.ignore()

    def initStyleOptionForIndex(self, option: QStyleOptionHeader, section: int) -> None:
        super().initStyleOptionForIndex(option, section)
        right = bool(option.textAlignment & Qt.AlignmentFlag.AlignRight)
        if right and self.isSortIndicatorShown() and section == self.sortIndicatorSection():
            option.text += _ARROW_ROOM


class CheckHeader(SortHeader):
    """A check box stands before the first title; `box_clicked` where it is clicked. `name` says what it chooses."""

    box_clicked = Signal()

    def __init__(self, view: QTableView, name: str) -> None:
        super().__init__(view)
        self.box = QCheckBox(self)
        self.box.setTristate(True)
        self.box.setAccessibleName(name)
        self.box.setToolTip(name)
        self._state = Qt.CheckState.Unchecked
        self.box.clicked.connect(self._clicked)
        self.sectionResized.connect(self._place)

    def set_check_state(self, state: Qt.CheckState) -> None:
        self._state = state
        self.box.setCheckState(state)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def initStyleOptionForIndex(self, option: QStyleOptionHeader, section: int) -> None:
        super().initStyleOptionForIndex(option, section)
        if section == 0:
            option.text = _BOX_ROOM + option.text

    def _place(self, *_: object) -> None:
        size = self.box.sizeHint()
        self.box.setGeometry(self.sectionViewportPosition(0) + theme.px(t.S), (self.height() - size.height()) // 2,
                             size.width(), size.height())  # fmt: skip

    def _clicked(self) -> None:
        self.set_check_state(self._state)  # until whoever listens says otherwise
        self.box_clicked.emit()


class ColumnMenu(QMenu):
    """Opens from a button or by a right click on the table's titles. `name` is the table's in the window's memory."""

    def __init__(
        self, table: QTableView, columns: Iterable[int], hidden: Iterable[int], state: WindowState, name: str
    ) -> None:
        """`columns` can be hidden; `hidden` are so until the user chooses otherwise."""
        super().__init__("Columns", table)
        self._table, self._state, self._name = table, state, name
        self.columns: dict[int, QAction] = {}
        at_first = set(hidden)
        for column in columns:
            title = str(table.model().headerData(column, Qt.Orientation.Horizontal))
            action = self.columns[column] = self.addAction(title)
            action.setCheckable(True)
            action.setData(column)
            shown = state.flag(self._key(column), column not in at_first)
            action.setChecked(shown)
            table.setColumnHidden(column, not shown)
            action.toggled.connect(self._toggled)
        header = table.horizontalHeader()
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._open)

    def _toggled(self, shown: bool) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        column = int(action.data())
        self._table.setColumnHidden(column, not shown)
        self._state.set_flag(self._key(column), shown)

    def _open(self, position: QPoint) -> None:
        self.popup(self._table.horizontalHeader().mapToGlobal(position))

    def _key(self, column: int) -> str:
        title = str(self._table.model().headerData(column, Qt.Orientation.Horizontal))
        return f"column/{self._name}/{title}"


LEAST, MOST = -0.25, 1.25
WIDTH, HEIGHT = 120, 12
GAP_ROLE = Qt.ItemDataRole.UserRole + 40  # a Gap, for the delegate


@dataclass(frozen=True)
class Gap:
    """How far a measure moved from the original's value (0) to the retrained one's (1); None: nothing to tell."""

    closed: float | None
    low: float | None = None
    high: float | None = None
    informative: bool = True

    @property
    def text(self) -> str:
        """The same in words."""
        if not self.informative:
            return "not informative here"
        if self.closed is None:
            return "not measured"
        words = f"{fmt.closed(self.closed)} % of the gap closed"
        if self.low is not None and self.high is not None:
            words += f" ({fmt.closed(self.low)} to {fmt.closed(self.high)})"
        return words


def paint_gap(painter: QPainter, rect: QRectF, gap: Gap) -> None:
    """Draw one bar into `rect`."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pad = theme.px(4)
    height = min(rect.height(), float(theme.px(HEIGHT)))
    area = QRectF(rect.left() + pad, rect.center().y() - height / 2, rect.width() - 2 * pad, height)

    def x(value: float) -> float:
        return area.left() + (min(max(value, LEAST), MOST) - LEAST) / (MOST - LEAST) * area.width()

    middle = area.center().y()
    thick = theme.px(6)
    track = QRectF(x(0), middle - thick / 2, x(1) - x(0), thick)
    painter.setPen(theme.pen("outline"))
    if not gap.informative:
        painter.setBrush(QBrush(theme.color("outline"), Qt.BrushStyle.BDiagPattern))
        painter.drawRect(track)
        painter.restore()
        return
    painter.setBrush(theme.brush("sunken"))
    painter.drawRect(track)
    if gap.closed is not None:
        end = x(gap.closed)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.brush("unlearned"))
        painter.drawRect(QRectF(min(x(0), end), middle - thick / 2, abs(end - x(0)), thick))
        if gap.closed > MOST or gap.closed < LEAST:
            sign = 1 if gap.closed > MOST else -1
            tip = QPointF(end + sign * pad, middle)
            painter.drawPolygon(QPolygonF([tip, QPointF(end, middle - thick), QPointF(end, middle + thick)]))
        if gap.low is not None and gap.high is not None:
            painter.setPen(theme.pen("text"))
            painter.drawLine(QPointF(x(gap.low), middle), QPointF(x(gap.high), middle))
            for edge in (gap.low, gap.high):
                painter.drawLine(QPointF(x(edge), middle - thick / 2), QPointF(x(edge), middle + thick / 2))
    painter.setPen(theme.pen("text"))  # the two ends: where the original and the retrained model are
    for end_value in (0.0, 1.0):
        painter.drawLine(QPointF(x(end_value), area.top()), QPointF(x(end_value), area.bottom()))
    painter.restore()


class GapBarDelegate(QStyledItemDelegate):
    """Draws the `Gap` an item holds under `GAP_ROLE`."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        gap = index.data(GAP_ROLE)
        if isinstance(gap, Gap):
            paint_gap(painter, QRectF(option.rect), gap)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(theme.px(WIDTH), theme.px(t.TABLE_ROW))
