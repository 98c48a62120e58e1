"""The classes: a search field over a table whose boxes choose whole classes."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QRect, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from app.models.class_table import ACCURACY, FORGET, LABEL, NAME, SHARE, TEST, TRAIN, ClassTableModel
from app.models.tables import ArrangedRows
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.cards import Card
from app.widgets.layout import add_to, named, row
from app.widgets.table import SortHeader, search_field, set_up_table

WIDTHS = ((TRAIN, 58), (TEST, 56), (ACCURACY, 74), (FORGET, 28))
WIDE = 330  # from this width on the table also shows how many images there are to test


class ClassPanel(Card):
    """The table in a card with its search field."""

    def __init__(self, model: ClassTableModel) -> None:
        super().__init__(tr("Classes"), padding=t.S)
        self.table = ClassTable(model)
        self.search = search_field(tr("Search classes"))
        self.search.textChanged.connect(self.table.filter_by)
        add_to(self.body, row(self.table.box, (self.search, 1), margins=(t.S, 0, 0, 0)), (self.table, 1))


class ClassTable(QTableView):
    """`toggle_wanted(classes, on)`, `only_wanted(classes)`, `invert_wanted(classes)` ask for changes of the forget set;
    `hovered(class)` is -1 for none, `opened(class)` comes from a double click, Return or the menu.
    """  # noqa: D205

    toggle_wanted = Signal(object, bool)
    only_wanted = Signal(object)
    invert_wanted = Signal(object)
    hovered = Signal(int)
    opened = Signal(int)

    def __init__(self, model: ClassTableModel) -> None:
        super().__init__()
        self._model = model
        self.filter = ArrangedRows(model, self)
        self.setModel(self.filter)
        self.box = named(QCheckBox(tristate=True), tr("All classes shown"))
        self.box.setToolTip(self.box.accessibleName())
        self.box.clicked.connect(self._toggle_shown)
        self.header = SortHeader(self)
        self.setHorizontalHeader(self.header)
        self.setAccessibleName(tr("Classes"))
        set_up_table(self)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSortingEnabled(True)
        self.sortByColumn(NAME, Qt.SortOrder.AscendingOrder)
        self.setItemDelegateForColumn(FORGET, ForgetBar(self))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column, width in WIDTHS:
            self.setColumnWidth(column, theme.px(width))
        model.toggle_wanted.connect(self.toggle_wanted)
        model.modelReset.connect(self._fit_counts)
        for signal in (model.dataChanged, self.filter.modelReset, self.filter.layoutChanged):
            signal.connect(self._show_state)
        self.activated.connect(self._open)
        self.entered.connect(lambda index: self.hovered.emit(index.data(LABEL)))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        for text, act in (
            (tr("Forget only these"), self._want_only),
            (tr("Invert"), lambda: self.invert_wanted.emit(self.filter.rows.tolist())),
            (tr("Show its images"), lambda: self._open(self.currentIndex())),
        ):
            action = QAction(text, self)
            action.triggered.connect(act)
            self.addAction(action)

    def selected_labels(self) -> list[int]:
        """Classes whose rows are selected, else the current one."""
        rows = self.selectionModel().selectedRows() or [self.currentIndex()]
        return [int(index.data(LABEL)) for index in rows if index.isValid()]

    def filter_by(self, text: str) -> None:
        """Show classes whose name holds a text; the current one stays in view."""
        self.filter.set_text(text)
        self.doItemsLayout()  # else it can only scroll as far as before
        self.scrollTo(self.currentIndex())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Space or event.modifiers():
            super().keyPressEvent(event)
        elif self.currentIndex().isValid():  # all selected rows follow the current one
            box = self.currentIndex().siblingAtColumn(NAME).data(Qt.ItemDataRole.CheckStateRole)
            self.toggle_wanted.emit(self.selected_labels(), Qt.CheckState(box) != Qt.CheckState.Checked)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.setColumnHidden(TEST, self.width() < theme.px(WIDE))
        super().resizeEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self.hovered.emit(-1)
        return super().viewportEvent(event)

    def _fit_counts(self) -> None:
        """Make room for the largest number: 21 images a class take less than 1,281,167."""
        for column, least in WIDTHS[:2]:
            largest = fmt.count(int(self._model.sort_keys(column).max(initial=0)))
            room = self.fontMetrics().horizontalAdvance(largest) + theme.px(t.L)
            self.setColumnWidth(column, max(theme.px(least), room))

    def _open(self, index: QModelIndex) -> None:
        if index.isValid():
            self.opened.emit(index.data(LABEL))

    def _want_only(self) -> None:
        if labels := self.selected_labels():
            self.only_wanted.emit(labels)

    def _show_state(self, *_: object) -> None:
        self.box.setCheckState(self._model.states(self.filter.rows))

    def _toggle_shown(self) -> None:
        self._show_state()  # whoever listens says what it becomes
        self.toggle_wanted.emit(self.filter.rows.tolist(), self.box.checkState() != Qt.CheckState.Checked)


class ForgetBar(QStyledItemDelegate):
    """Draws how much of a class is in the forget set as a bar."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        bar, share = QRect(0, 0, option.rect.width() - theme.px(6), theme.px(6)), index.data(SHARE)
        bar.moveCenter(option.rect.center())
        painter.fillRect(bar, theme.color("sunken"))
        if share:  # a single image of ten thousand is seen too
            bar.setWidth(max(theme.px(3), round(share * bar.width())))
            painter.fillRect(bar, theme.color("forget"))
