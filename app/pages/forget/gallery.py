"""The images: thumbnails in a grid whose clicks, ranges, rectangles and keys choose what is to be forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFontMetrics,
    QHideEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from app.models.gallery import GalleryModel
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import SecondaryButton
from app.widgets.cards import Card
from app.widgets.labels import Label, caption
from app.widgets.layout import row, stacked, widget_of
from app.widgets.notices import EmptyState
from app.widgets.table import set_up_table
from app.workers.thumbnails import Thumbnails

if TYPE_CHECKING:
    from core.session.suspects import Suspects

HINT = mark(
    "Click marks or unmarks an image, a double click opens it. Shift reaches from the last one, dragging takes all in "
    "a rectangle, with Ctrl it takes them out."
)
TAKE = mark("As a correction. Look at them, and unmark those that are as they should be.")
BADGE, FRAME, GAP = 16, 3, 4
Move = QAbstractItemView.CursorAction


class GalleryPanel(Card):
    """The grid in a card that says how many images are shown, or why there is none."""

    def __init__(self, model: GalleryModel, thumbnails: Thumbnails) -> None:
        super().__init__(tr("Images"), padding=t.S)
        self.view = GalleryView(model, thumbnails)
        self.view.setAccessibleDescription(tr(HINT))
        self.empty = EmptyState("search", "")
        self.stack = stacked(self.view, self.empty)
        self.count = caption()
        self.count.setToolTip(tr(HINT))
        self.add_action(self.count)
        self.said = Label("", "caption", "text-2", wrap=True)
        self.take_button = SecondaryButton("")
        self.take_button.setToolTip(tr(TAKE))
        self._suspects = widget_of(row((self.said, 1), self.take_button))
        self.body.addWidget(self._suspects)
        self.body.addWidget(self.stack, 1)
        self.show_suspects("", None)

    def show_suspects(self, said: str, found: Suspects | None) -> None:
        """Say above the images what an order of suspects found, and offer to mark those it takes for wrong."""
        number = 0 if found is None else found.likely
        self.said.setText(said)
        self.take_button.setText(tr("Mark the first %n", n=number))
        self.take_button.setVisible(number > 0)
        self._suspects.setVisible(bool(said))


class GalleryView(QTableView):
    """The grid of thumbnails. `mark_wanted(images, how)`: positions in the part, and "toggle", "add", "remove" or
    "back", which undoes the toggle by the first click of a double click; `inspect_wanted(image)`, `menu_wanted(image,
    place on the screen)`. Images of the class `lit` are framed, -1 for none.

    A click toggles one image, Shift reaches from the last one to here, dragging takes all in a rectangle (with Ctrl
    it takes them out). Space toggles the current one, a double click or Return opens it; with Shift the keys that move
    take what they pass.
    """  # noqa: D205

    mark_wanted = Signal(object, str)
    inspect_wanted = Signal(int)
    menu_wanted = Signal(int, QPoint)

    def __init__(self, model: GalleryModel, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._model = model
        self.side = theme.px(96)
        self.lit = -1
        self._anchor = 0  # the image that was toggled last
        self.setModel(model)
        self.setAccessibleName(tr("Images"))
        self.setProperty("ground", "sunken")
        set_up_table(self)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectItems)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.hide()
            header.setMinimumSectionSize(1)
        self.setItemDelegate(GalleryDelegate(self, model, thumbnails))
        thumbnails.ready.connect(self.redraw)

    def redraw(self, *_: object) -> None:
        """Draw all cells in view again."""
        self.viewport().update()

    def set_side(self, side: int) -> None:
        """Show thumbnails of so many logical pixels."""
        self.side = theme.px(side)
        self._fit_columns()

    def light_class(self, label: int) -> None:
        """Frame the images of one class, such as the one hovered in the table; -1 for none."""
        self.lit = label
        self.redraw()

    def show_image(self, image: int) -> None:
        """Make an image the current one and move it into view, where it is shown."""
        self._go(self._model.cell_of(image))

    def step(self, by: int) -> None:
        """Open the image so many places after the current one."""
        if 0 <= (cell := self._model.place(self.currentIndex()) + by) < self._model.count:
            self._go(cell)
            self._open(cell)

    # -- mouse -----------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:  # until it is let go, Qt draws and scrolls the rectangle
            self.setSelectionMode(QAbstractItemView.SelectionMode.ContiguousSelection)
            event.setModifiers(Qt.KeyboardModifier.NoModifier)  # with any it begins here
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if event.button() != Qt.MouseButton.LeftButton or not self.selectionModel().hasSelection():
            return
        drawn, modifiers = self._drawn(), event.modifiers()
        cell = self._model.place(self.indexAt(event.position().toPoint()))
        self._give_up()
        if len(drawn) > 1 and not modifiers & Qt.KeyboardModifier.ShiftModifier:
            self._mark(drawn, "remove" if modifiers & Qt.KeyboardModifier.ControlModifier else "add")
        elif cell >= 0:
            self._mark_cell(cell, modifiers)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        cell = self._model.place(self.indexAt(event.position().toPoint()))
        if event.button() == Qt.MouseButton.LeftButton and cell >= 0 and not event.modifiers():
            self._mark(self._between(cell, cell), "back")
            self._open(cell)
        else:
            self.mousePressEvent(event)  # with Shift or Ctrl two quick clicks are two clicks

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        # By key it comes from where the current image is.
        index = self.indexAt(self.viewport().mapFromGlobal(event.globalPos()))
        if (cell := self._model.place(index)) >= 0:
            self.setCurrentIndex(index)
            self.menu_wanted.emit(int(self._model.order[cell]), event.globalPos())

    def hideEvent(self, event: QHideEvent) -> None:
        self._give_up()
        super().hideEvent(event)

    def _give_up(self) -> None:
        """Drop the rectangle that is being drawn. Else nothing is ever selected: what is marked is the forget set."""
        self.clearSelection()
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)

    def _drawn(self) -> np.ndarray:
        """Positions of the images in the rectangle."""
        selection, model = self.selectionModel().selection(), self._model
        area = selection.front()
        rows = np.arange(area.top(), area.bottom() + 1)[:, None] * model.columns
        cells = (rows + np.arange(area.left(), area.right() + 1)).ravel()
        found: np.ndarray = model.order[cells[cells < model.count]]
        return found

    # -- keyboard --------------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, cell = event.key(), self._model.place(self.currentIndex())
        if key == Qt.Key.Key_Escape and self.selectionModel().hasSelection():
            self._give_up()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and cell >= 0:
            self._open(cell)
        elif key == Qt.Key.Key_Space and cell >= 0:
            self._mark_cell(cell, event.modifiers())
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            self._mark(self._model.order, "add")
        else:
            super().keyPressEvent(event)
            to = self._model.place(self.currentIndex())
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and to != cell >= 0:
                self._mark(self._between(cell, to), "add")

    def moveCursor(self, action: Move, modifiers: Qt.KeyboardModifier) -> QModelIndex:
        """Left and Right lead over the ends of rows, Home and End to the first and the last image."""
        cell, last = self._model.place(self.currentIndex()), self._model.count - 1
        to = {Move.MoveLeft: cell - 1, Move.MoveRight: cell + 1, Move.MoveHome: 0, Move.MoveEnd: last}
        if action not in to or cell < 0:
            return super().moveCursor(action, modifiers)
        return self._model.index_of(min(max(0, to[action]), last))

    def _go(self, cell: int) -> None:
        if cell >= 0:
            self.setCurrentIndex(self._model.index_of(cell))

    def _open(self, cell: int) -> None:
        self.inspect_wanted.emit(int(self._model.order[cell]))

    # -- marking ---------------------------------------------------------------------------------------------------

    def _mark_cell(self, cell: int, modifiers: Qt.KeyboardModifier) -> None:
        """Toggle an image; with Shift give all from the last toggled one to this one the state of the former."""
        if modifiers & Qt.KeyboardModifier.ShiftModifier:
            anchor = self._model.cell_of(self._anchor)
            anchor = cell if anchor < 0 else anchor  # it is not shown any more
            first = self._model.cell(self._model.index_of(anchor))
            self._mark(self._between(anchor, cell), "add" if first is not None and first.forget else "remove")
            self._go(cell)
        else:
            self._anchor = int(self._model.order[cell])
            self._mark(self._between(cell, cell), "toggle")

    def _mark(self, images: np.ndarray, how: str) -> None:
        if len(images):
            self.mark_wanted.emit(images, how)

    def _between(self, one: int, other: int) -> np.ndarray:
        return self._model.ids(min(one, other), max(one, other))

    # -- laying out ------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()

    def _fit_columns(self) -> None:
        width = self.viewport().width()
        columns = max(1, width // (self.side + theme.px(GAP)))
        top = self._model.place(self.indexAt(QPoint(1, 1)))
        self._model.set_columns(columns)
        self.horizontalHeader().setDefaultSectionSize(width // columns)
        self.verticalHeader().setDefaultSectionSize(self.side + theme.px(2 * GAP))
        if top > 0:
            self.scrollTo(self._model.index_of(top), QAbstractItemView.ScrollHint.PositionAtTop)


class GalleryDelegate(QStyledItemDelegate):
    """Draws an image with what is to be seen of it: forget badge, wrong answer, class lit, rectangle, focus."""

    def __init__(self, view: GalleryView, model: GalleryModel, thumbnails: Thumbnails) -> None:
        super().__init__(view)
        self._view, self._model, self._thumbnails = view, model, thumbnails

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(self._view.side, self._view.side)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        view, cell = self._view, self._model.cell(index)
        if cell is None:
            return
        square = QRect(QPoint(0, 0), self.sizeHint(option, index))
        square.moveCenter(option.rect.center())
        pixmap = self._thumbnails.get(cell.key)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if pixmap is None:
            painter.fillRect(square, theme.color("line"))
        else:
            view.style().drawItemPixmap(painter, square, int(Qt.AlignmentFlag.AlignCenter), pixmap)
        if cell.label == view.lit:
            _frame(painter, square, "retain", 2)
        if cell.earlier:  # under a veil
            painter.fillRect(square, theme.color("surface", 0.6))
            _frame(painter, square, "forget", 2, Qt.PenStyle.DashLine)
        if cell.forget:
            _frame(painter, square, "forget", FRAME)
            _badge(painter, square, square.top(), "▲", "surface", "forget")
        if cell.doubt:  # what it is called, and what it should rather be
            _strip(painter, square, cell.doubt)
        elif cell.wrong:  # the model names another class
            _badge(painter, square, square.bottom() + 1 - theme.px(BADGE), "≠", "text", "surface")
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(square, theme.color("accent", 0.25))
        if view.hasFocus() and index == view.currentIndex():
            _frame(painter, square.adjusted(-2, -2, 2, 2), "accent", 2)
        painter.restore()


def _frame(
    painter: QPainter, square: QRect, token: str, width: int, style: Qt.PenStyle = Qt.PenStyle.SolidLine
) -> None:
    thick = theme.px(width)
    pen = theme.pen(token, thick)
    pen.setStyle(style)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(QRectF(square).adjusted(thick / 2, thick / 2, -thick / 2, -thick / 2))


def _strip(painter: QPainter, square: QRect, text: str) -> None:
    """A line of text at the lower edge, on a ground that sets it off any image."""
    font = theme.font("caption")
    metrics = QFontMetrics(font)
    box = QRect(square.left(), square.bottom() + 1 - metrics.height(), square.width(), metrics.height())
    painter.fillRect(box, theme.color("surface", 0.9))
    painter.setFont(font)
    painter.setPen(theme.color("text"))
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, box.width() - theme.px(4))
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), shown)


def _badge(painter: QPainter, square: QRect, top: int, glyph: str, ink: str, ground: str) -> None:
    """A sign at the right edge, on a ground that sets it off any image."""
    side = theme.px(BADGE)
    box = QRect(square.right() + 1 - side, top, side, side)
    painter.fillRect(box, theme.color(ground))
    painter.setFont(theme.font("caption"))
    painter.setPen(theme.color(ink))
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), glyph)
