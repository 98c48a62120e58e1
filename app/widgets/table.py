"""Tables: their look, headers that sort, a menu of columns, and bars for how much of a gap is closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QBrush, QIcon, QKeyEvent, QPainter, QPolygonF
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionHeader,
    QStyleOptionViewItem,
    QTableView,
    QTableWidget,
    QTableWidgetItem,
    QTreeView,
)

from app.services import format as fmt
from app.services import icons
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import tr
from app.services.window_state import WindowState

NUMBER = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def set_up_table(view: QTableView, widths: Mapping[int, int] | None = None, stretch: Sequence[int] = ()) -> None:
    """Give a table its look; whole rows are selected.

    `widths`: of columns, in pixels of the design, and at least those of their titles; `stretch` share what is left.
    """
    header = view.horizontalHeader()
    _set_up(view, header, t.TABLE_HEADER)
    view.setShowGrid(False)
    view.setWordWrap(False)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    vertical = view.verticalHeader()
    vertical.setVisible(False)
    vertical.setMinimumSectionSize(theme.px(t.TABLE_ROW))
    vertical.setDefaultSectionSize(theme.px(t.TABLE_ROW))
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    for column, width in (widths or {}).items():
        view.setColumnWidth(column, max(theme.px(width), header.sectionSizeHint(column)))
    for column in stretch:
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)


def text_table(name: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> QTableWidget:
    """Return a table of texts, whose last column takes the room that is left."""
    table = QTableWidget(len(rows), len(titles))
    table.setAccessibleName(name)
    table.setHorizontalHeaderLabels(titles)
    for line, texts in enumerate(rows):
        for place, text in enumerate(texts):
            table.setItem(line, place, QTableWidgetItem(text))
    set_up_table(table)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    table.horizontalHeader().setStretchLastSection(True)
    return table


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


def search_field(name: str) -> QLineEdit:
    """Return the field above a table that is searched, with a magnifying glass and a cross that empties it."""
    field = QLineEdit(placeholderText=name, clearButtonEnabled=True)
    field.setAccessibleName(name)
    icons.set_icon(field.addAction(QIcon(), QLineEdit.ActionPosition.LeadingPosition), "search", "text_3")
    return field


_ARROW_ROOM = "\N{NO-BREAK SPACE}" * 5  # as wide as the arrow: with a style sheet Qt draws it over the end of the title
_ARROW = 20  # pixels of the design that Qt keeps for it beside every title
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

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() not in _OPENS:
            event.ignore()
            return
        menu = QMenu(tr("Sort by"), self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for section in map(self.logicalIndex, range(self.count())):
            if not self.isSectionHidden(section):
                title = partial(self.model().headerData, section, Qt.Orientation.Horizontal)
                action = menu.addAction(str(title() or title(Qt.ItemDataRole.ToolTipRole)))
                action.setCheckable(True)
                action.setChecked(self._sorts_by(section))
                action.triggered.connect(partial(self.sort_by, section))
        menu.popup(self.mapToGlobal(QPoint(0, self.height())))

    def sort_by(self, section: int, _checked: bool = False) -> None:
        """Sort by a column, the other way round where it is sorted by it already."""
        rising, falling = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder
        again = self._sorts_by(section) and self.sortIndicatorOrder() == rising
        self.setSortIndicator(section, falling if again else rising)

    def sectionSizeFromContents(self, section: int) -> QSize:
        """Return the size of a title; the arrow needs room only where it is."""
        size = super().sectionSizeFromContents(section)
        if self.isSortIndicatorShown() and section != self.sortIndicatorSection():
            size.setWidth(size.width() - theme.px(_ARROW))
        return size

    def initStyleOptionForIndex(self, option: QStyleOptionHeader, section: int) -> None:
        super().initStyleOptionForIndex(option, section)
        if option.textAlignment & Qt.AlignmentFlag.AlignRight and self._sorts_by(section):
            option.text += _ARROW_ROOM

    def _sorts_by(self, section: int) -> bool:
        return self.isSortIndicatorShown() and section == self.sortIndicatorSection()


class ColumnMenu(QMenu):
    """Opens from a button or by a right click on the table's titles; which columns show is remembered by `name`."""

    def __init__(
        self, table: QTableView, columns: Iterable[int], state: WindowState, name: str, hidden: Sequence[int] = ()
    ) -> None:
        """`columns` are those that can be hidden, `hidden` those that are so at first."""
        super().__init__(tr("Columns"), table)

        def show(column: int, flag: str, shown: bool) -> None:
            table.setColumnHidden(column, not shown)
            state.set_flag(flag, shown)

        self.columns: dict[int, QAction] = {}
        for column in columns:
            title = str(table.model().headerData(column, Qt.Orientation.Horizontal))
            flag = f"column/{name}/{title}"
            shown = state.flag(flag, column not in hidden)
            action = self.columns[column] = self.addAction(title)
            action.setCheckable(True)
            action.setChecked(shown)
            table.setColumnHidden(column, not shown)
            action.toggled.connect(partial(show, column, flag))
        header = table.horizontalHeader()
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        header.addActions(self.actions())


LEAST, MOST = -0.25, 1.25
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
            return tr("not informative here")
        if self.closed is None:
            return tr("not measured")
        share = fmt.closed(self.closed)
        if self.low is None or self.high is None:
            return tr("{share} % of the gap closed", share=share)
        return tr("{share} % of the gap closed ({low} to {high})", share=share, low=fmt.closed(self.low),
                  high=fmt.closed(self.high))  # fmt: skip


def paint_gap(painter: QPainter, rect: QRectF, gap: Gap) -> None:
    """Draw one bar into `rect`: the track from the original to the retrained model, how far it is filled, how sure."""
    pad, half = theme.px(4), theme.px(3)
    middle, width = rect.center().y(), rect.width() - 2 * pad

    def x(value: float) -> float:
        return rect.left() + pad + (min(max(value, LEAST), MOST) - LEAST) / (MOST - LEAST) * width

    def bar(value: float) -> QRectF:
        return QRectF(x(0), middle - half, x(value) - x(0), 2 * half).normalized()

    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(theme.pen("outline"))
    painter.setBrush(theme.brush("sunken"))
    if not gap.informative:
        painter.setBrush(QBrush(theme.color("outline"), Qt.BrushStyle.BDiagPattern))
    painter.drawRect(bar(1))
    if not gap.informative:
        return
    if gap.closed is not None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.brush("unlearned"))
        painter.drawRect(bar(gap.closed))
        if not LEAST <= gap.closed <= MOST:
            edge, tip = x(gap.closed), pad if gap.closed > 0 else -pad
            painter.drawPolygon(QPolygonF([QPointF(edge + tip, middle), QPointF(edge, middle - 2 * half),
                                           QPointF(edge, middle + 2 * half)]))  # fmt: skip
    painter.setPen(theme.pen("text"))
    marks = [(0.0, 2 * half), (1.0, 2 * half)]  # where the original and the retrained model are
    if gap.low is not None and gap.high is not None:
        painter.drawLine(QPointF(x(gap.low), middle), QPointF(x(gap.high), middle))
        marks += [(gap.low, half), (gap.high, half)]
    for value, height in marks:
        painter.drawLine(QPointF(x(value), middle - height), QPointF(x(value), middle + height))


class GapBarDelegate(QStyledItemDelegate):
    """Draws the `Gap` an item holds under `GAP_ROLE`."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        gap = index.data(GAP_ROLE)
        if isinstance(gap, Gap):
            painter.save()
            paint_gap(painter, QRectF(option.rect), gap)
            painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(theme.px(120), theme.px(t.TABLE_ROW))
