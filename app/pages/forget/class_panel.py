"""The classes: a search field over a table whose boxes choose whole classes."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QIcon, QKeyEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from app.models.class_table import ACCURACY, FORGET, LABEL, NAME, SHARE, TEST, TRAIN, ClassFilter, ClassTableModel
from app.services import format as fmt
from app.services import icons
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.cards import Card
from app.widgets.table import CheckHeader, set_up_table

WIDTHS = ((TRAIN, 58), (TEST, 56), (ACCURACY, 74), (FORGET, 28))
WIDE = 330  # from this width on the table also shows how many images there are to test


class ClassPanel(Card):
    """`toggle_wanted(classes, on)`, `only_wanted(class)`, `invert_wanted(classes)` ask for changes of the forget set;
    `hovered(class)` is -1 for none, `opened(class)` comes from a double click or Return.
    """  # noqa: D205

    toggle_wanted = Signal(object, bool)
    only_wanted = Signal(int)
    invert_wanted = Signal(object)
    hovered = Signal(int)
    opened = Signal(int)

    def __init__(self, model: ClassTableModel, parent: QWidget | None = None) -> None:
        super().__init__("Classes", parent, padding=t.S)
        self._model = model
        self.filter = ClassFilter(model, self)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search classes")
        self.search.setAccessibleName("Search classes")
        self.search.setClearButtonEnabled(True)
        icons.set_icon(self.search.addAction(QIcon(), QLineEdit.ActionPosition.LeadingPosition), "search", "text_3")
        self.search.textChanged.connect(self._searched)
        self.table = ClassTable(self.filter)
        self.header = CheckHeader(self.table, tr("All classes shown"))
        self.table.setHorizontalHeader(self.header)
        self._set_up()
        self.body.addWidget(self.search)
        self.body.addWidget(self.table, 1)
        model.toggle_wanted.connect(self.toggle_wanted)
        model.dataChanged.connect(self._show_state)
        self.filter.modelReset.connect(self._show_state)
        model.modelReset.connect(self._fit_counts)
        self.header.box_clicked.connect(self._toggle_shown)
        self.table.space_pressed.connect(self._toggle_selected)
        self.table.menu_wanted.connect(self._open_menu)
        self.table.doubleClicked.connect(self._double_clicked)
        self.table.return_pressed.connect(self._open_current)
        self.table.label_hovered.connect(self.hovered)

    def selected_labels(self) -> list[int]:
        """Classes whose rows are selected, else the current one."""
        rows = self.table.selectionModel().selectedRows() or [self.table.currentIndex()]
        return [int(index.data(LABEL)) for index in rows if index.isValid()]

    def menu(self) -> QMenu:
        """The context menu for the rows selected."""
        menu = QMenu(self)
        selected = self.selected_labels()
        if len(selected) == 1:
            menu.addAction("Only this", self._only_this)
        menu.addAction("Select all", self._select_all)
        menu.addAction("Select none", self._select_none)
        menu.addAction("Invert", self._invert)
        if len(selected) == 1:
            menu.addSeparator()
            menu.addAction("Show its images", self._open_current)
        return menu

    def _set_up(self) -> None:
        view = self.table
        view.setAccessibleName("Classes")
        set_up_table(view)
        view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        view.setSortingEnabled(True)
        view.sortByColumn(NAME, Qt.SortOrder.AscendingOrder)
        view.setItemDelegateForColumn(FORGET, ForgetBar(view))
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setMouseTracking(True)
        self.header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column, width in WIDTHS:
            view.setColumnWidth(column, theme.px(width))

    def _fit_counts(self) -> None:
        """Make room for the largest number: 21 images a class take less than 1,281,167."""
        metrics = self.table.fontMetrics()
        for column, least in WIDTHS[:2]:
            counts = self._model.sort_keys(column)
            widest = metrics.horizontalAdvance(fmt.count(int(counts.max()))) if len(counts) else 0
            self.table.setColumnWidth(column, max(theme.px(least), widest + theme.px(t.L)))

    def _searched(self, text: str) -> None:
        """What is selected stays in view; without any, the class at the top stays there."""
        view = self.table
        top = QPersistentModelIndex(view.indexAt(QPoint(0, 0)))
        self.filter.set_text(text)
        view.doItemsLayout()  # else it can only scroll as far as before
        chosen = view.selectionModel().selectedRows()
        if chosen:
            current = view.currentIndex()
            view.scrollTo(current if view.selectionModel().isSelected(current) else chosen[0])
        elif top.isValid():
            view.scrollTo(self.filter.index(top.row(), NAME), QAbstractItemView.ScrollHint.PositionAtTop)
        self._show_state()

    def _show_state(self, *_: object) -> None:
        self.header.set_check_state(self.filter.state())

    def _toggle_shown(self) -> None:
        self.toggle_wanted.emit(self.filter.labels(), self.filter.state() != Qt.CheckState.Checked)

    def _toggle_selected(self) -> None:
        labels = self.selected_labels()
        current = self.table.currentIndex()
        if labels and current.isValid():
            box = current.siblingAtColumn(NAME).data(Qt.ItemDataRole.CheckStateRole)
            self.toggle_wanted.emit(labels, Qt.CheckState(box) != Qt.CheckState.Checked)

    def _select_all(self) -> None:
        self.toggle_wanted.emit(self.filter.labels(), True)

    def _select_none(self) -> None:
        self.toggle_wanted.emit(self.filter.labels(), False)

    def _invert(self) -> None:
        self.invert_wanted.emit(self.filter.labels())

    def _only_this(self) -> None:
        for label in self.selected_labels():
            self.only_wanted.emit(label)

    def _open_current(self) -> None:
        for label in self.selected_labels()[:1]:
            self.opened.emit(label)

    def _double_clicked(self, index: QModelIndex) -> None:
        if index.column() != NAME:  # there it is two clicks on the box
            self.opened.emit(int(index.data(LABEL)))

    def _open_menu(self, position: QPoint) -> None:
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(position)


class ClassTable(QTableView):
    """Says which keys and rows matter to the panel."""

    space_pressed = Signal()
    return_pressed = Signal()
    menu_wanted = Signal(QPoint)
    label_hovered = Signal(int)

    def __init__(self, model: ClassFilter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.entered.connect(self._entered)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.modifiers():
            self.space_pressed.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.return_pressed.emit()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.setColumnHidden(TEST, self.width() < theme.px(WIDE))
        super().resizeEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        place = event.globalPos()
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            place = self.viewport().mapToGlobal(self.visualRect(self.currentIndex()).bottomLeft())
        self.menu_wanted.emit(place)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self.label_hovered.emit(-1)
        return super().viewportEvent(event)

    def _entered(self, index: QModelIndex) -> None:
        self.label_hovered.emit(int(index.data(LABEL)))


class ForgetBar(QStyledItemDelegate):
    """Draws how much of a class is in the forget set as a bar."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        share = float(index.data(SHARE) or 0.0)
        rect = QRectF(option.rect).adjusted(theme.px(2), 0, -theme.px(t.XS), 0)
        track = QRectF(rect.left(), rect.center().y() - theme.px(3), rect.width(), theme.px(6))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.brush("line"))
        painter.drawRoundedRect(track, theme.px(3), theme.px(3))
        if share > 0:
            # A single image of ten thousand is seen too.
            track.setWidth(max(theme.px(3), share * track.width()))
            painter.setBrush(theme.brush("forget"))
            painter.drawRoundedRect(track, theme.px(3), theme.px(3))
        painter.restore()
