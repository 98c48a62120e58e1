"""The images: thumbnails in a grid whose clicks, ranges, rubber band and keys choose what is to be forgotten."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QCursor,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QStackedWidget,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from app.models.gallery import EARLIER, FORGET, KEY, LABEL, WRONG, GalleryModel
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.cards import Card
from app.widgets.labels import caption
from app.widgets.notices import EmptyState
from app.workers.thumbnails import Thumbnails

HINT = mark(
    "Click marks or unmarks an image, a double click opens it. Shift reaches from the last one, dragging takes all in "
    "a rectangle, with Ctrl it takes them out."
)
SCROLL_MS = 30  # while the rubber band reaches over an edge
BADGE, FRAME, GAP = 16, 3, 4
Index = QModelIndex | QPersistentModelIndex
_STEPS = {
    int(Qt.Key.Key_Left): -1, int(Qt.Key.Key_Right): 1, int(Qt.Key.Key_Up): -2, int(Qt.Key.Key_Down): 2,
}  # fmt: skip


class GalleryPanel(Card):
    """The grid in a card that says how many images are shown, or why there is none."""

    def __init__(self, model: GalleryModel, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(tr("Images"), parent, padding=t.S)
        self.view = GalleryView(model, thumbnails)
        self.view.setAccessibleDescription(tr(HINT))
        self.empty = EmptyState("search", "")
        self.stack = QStackedWidget()
        self.stack.addWidget(self.view)
        self.stack.addWidget(self.empty)
        self._count = caption()
        self._count.setToolTip(tr(HINT))
        self.add_action(self._count)
        self.body.addWidget(self.stack, 1)

    def set_count(self, text: str) -> None:
        """Say how many images are shown."""
        self._count.setText(text)

    def count(self) -> str:
        """What is said of how many are shown."""
        return self._count.text()

    def show_nothing(self, text: str, button: str = "", on_click: Callable[[], object] | None = None) -> None:
        """Say why there is no image; an empty text shows the grid."""
        if text:
            self.empty.set(text, button, on_click)
        self.stack.setCurrentIndex(1 if text else 0)


class GalleryView(QTableView):
    """The grid of thumbnails. `mark_wanted(images, how)`: positions in the part, and "toggle", "add", "remove" or
    "back", which undoes the toggle by the first click of a double click; `inspect_wanted(image)`, `menu_wanted(image,
    place on the screen)`.

    A click toggles one image, Shift reaches from the last one to here, dragging takes all in a rectangle (with Ctrl
    or Alt it takes them out). Space toggles the current one, a double click or Return opens it; with Shift the arrow
    keys take what they pass.
    """  # noqa: D205

    mark_wanted = Signal(object, str)
    inspect_wanted = Signal(int)
    menu_wanted = Signal(int, QPoint)

    def __init__(self, model: GalleryModel, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._model, self._thumbnails = model, thumbnails
        self._side = 96
        self._anchor = 0
        self._pressed: QPoint | None = None  # in the content, as is the band, so that both stay while it scrolls
        self._band: QRect | None = None
        self._scroller = QTimer(self)
        self._scroller.setInterval(SCROLL_MS)
        self._scroller.timeout.connect(self._scroll_on)
        self._light = -1
        self.setModel(model)
        self.setAccessibleName("Images")
        self.setProperty("ground", "sunken")
        self.setShowGrid(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.hide()
            header.setMinimumSectionSize(1)
        self.setItemDelegate(GalleryDelegate(self))
        thumbnails.ready.connect(self._thumbnails_came)

    @property
    def side(self) -> int:
        """Side of a thumbnail, scaled."""
        return theme.px(self._side)

    def set_side(self, side: int) -> None:
        """Show thumbnails of 64, 96 or 128 logical pixels."""
        self._side = side
        self._fit_columns()

    def light_class(self, label: int) -> None:
        """Frame the images of one class, such as the one hovered in the table; -1 for none."""
        if label != self._light:
            self._light = label
            self.viewport().update()

    def lit(self) -> int:
        """The class that is lit."""
        return self._light

    def preview(self) -> QRect | None:
        """The rubber band, in the viewport, while one is drawn."""
        return self._band.translated(0, -self.verticalOffset()) if self._band is not None else None

    def in_band(self, index: QModelIndex | QPersistentModelIndex) -> bool:
        """Whether a cell is touched by the rubber band."""
        band = self.preview()
        return band is not None and band.intersects(self.visualRect(index))

    def pixmap(self, key: Hashable) -> QPixmap | None:
        """The thumbnail of an image, or None while it is made."""
        return self._thumbnails.get(key)

    # -- mouse -----------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
            return
        here = event.position().toPoint()
        self._pressed = self._in_content(here)
        index = self.indexAt(here)
        if self._model.place(index) >= 0 and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.setCurrentIndex(index)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None:
            super().mouseMoveEvent(event)
            return
        here = self._in_content(event.position().toPoint())
        far = (here - self._pressed).manhattanLength() >= QApplication.startDragDistance()
        if self._band is None and not far:
            return
        self._draw_band(here)
        outside = not 0 <= event.position().y() < self.viewport().height()
        self._scroller.start() if outside else self._scroller.stop()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._pressed is None:
            super().mouseReleaseEvent(event)
            return
        band = self._band
        self._end_band()
        modifiers = event.modifiers()
        if band is not None:
            takes_out = modifiers & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
            self._mark(self._cells_in(band), "remove" if takes_out else "add")
            return
        cell = self._model.place(self.indexAt(event.position().toPoint()))
        if cell < 0:
            return
        if modifiers & Qt.KeyboardModifier.ShiftModifier:
            self._reach(cell)
        else:
            self._toggle(cell)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        cell = self._model.place(self.indexAt(event.position().toPoint()))
        if event.button() == Qt.MouseButton.LeftButton and cell >= 0 and not event.modifiers():
            self._mark(self._model.ids(cell, cell), "back")
            self._open(cell)
        else:
            self.mousePressEvent(event)  # with Shift or Ctrl two quick clicks are two clicks

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        index = self.currentIndex() if by_key else self.indexAt(event.pos())
        cell = self._model.place(index)
        if cell >= 0:
            self.setCurrentIndex(index)
            corner = self.viewport().mapToGlobal(self.visualRect(index).center())
            self.menu_wanted.emit(int(self._model.ids(cell, cell)[0]), corner if by_key else event.globalPos())

    def show_image(self, image: int) -> None:
        """Make an image the current one and move it into view, where it is shown."""
        cell = self._model.cell_of(image)
        if cell >= 0:
            self._go(cell)

    def _open(self, cell: int) -> None:
        self.inspect_wanted.emit(int(self._model.ids(cell, cell)[0]))

    def hideEvent(self, event: QHideEvent) -> None:
        self._end_band()
        super().hideEvent(event)

    def _in_content(self, position: QPoint) -> QPoint:
        return position + QPoint(0, self.verticalOffset())

    def _draw_band(self, to: QPoint) -> None:
        assert self._pressed is not None
        self._band = QRect(self._pressed, to).normalized()
        self.viewport().update()

    def _end_band(self) -> None:
        self._scroller.stop()
        self._band = self._pressed = None
        self.viewport().update()

    def _scroll_on(self) -> None:
        here = self.viewport().mapFromGlobal(QCursor.pos())
        bar, height = self.verticalScrollBar(), self.viewport().height()
        bar.setValue(bar.value() + (here.y() if here.y() < 0 else max(0, here.y() - height)))
        if self._pressed is not None:
            self._draw_band(self._in_content(here))

    # -- keyboard --------------------------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, modifiers = event.key(), event.modifiers()
        cell = self._model.place(self.currentIndex())
        if key == Qt.Key.Key_Escape and self._band is not None:
            self._end_band()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and cell >= 0:
            self._open(cell)
        elif key == Qt.Key.Key_Space and cell >= 0:
            shift = modifiers & Qt.KeyboardModifier.ShiftModifier
            self._reach(cell) if shift else self._toggle(cell)
        elif key == Qt.Key.Key_A and modifiers == Qt.KeyboardModifier.ControlModifier:
            self._mark(self._model.ids(0, self._model.count - 1), "add")
        elif modifiers == Qt.KeyboardModifier.ShiftModifier and key in _STEPS and cell >= 0:
            self._extend(cell, key)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and cell >= 0:
            self._go(cell + (1 if key == Qt.Key.Key_Right else -1))  # over the ends of rows
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._go(0 if key == Qt.Key.Key_Home else self._model.count - 1)
        else:
            super().keyPressEvent(event)

    def _extend(self, cell: int, key: int) -> None:
        step = _STEPS[key]
        to = cell + (step if abs(step) == 1 else step // 2 * self._model.columns)
        to = min(max(0, to), self._model.count - 1)
        if to != cell:
            first, last = sorted((cell, to))
            self._mark(self._model.ids(first, last), "add")
            self._go(to)

    def _go(self, cell: int) -> None:
        if 0 <= cell < self._model.count:
            self.setCurrentIndex(self._model.index_of(cell))

    # -- marking ---------------------------------------------------------------------------------------------------

    def _toggle(self, cell: int) -> None:
        self._anchor = cell
        self._mark(self._model.ids(cell, cell), "toggle")

    def _reach(self, cell: int) -> None:
        """Give all from the last toggled image to this one the state of the former."""
        anchor = min(self._anchor, self._model.count - 1)
        on = bool(self._model.index_of(anchor).data(FORGET))
        first, last = sorted((anchor, cell))
        self._mark(self._model.ids(first, last), "add" if on else "remove")
        self._go(cell)

    def _mark(self, images: np.ndarray, how: str) -> None:
        if len(images):
            self.mark_wanted.emit(images, how)

    def _cells_in(self, band: QRect) -> np.ndarray:
        """Positions of the images a rectangle of the content touches."""
        row_height, width = max(1, self.verticalHeader().defaultSectionSize()), max(1, self.columnWidth(0))
        top, bottom = band.top() // row_height, band.bottom() // row_height
        left, right = max(0, band.left() // width), min(self._model.columns - 1, band.right() // width)
        rows = range(max(0, top), min(bottom, self._model.rowCount() - 1) + 1)
        parts = [self._model.ids(r * self._model.columns + left, r * self._model.columns + right) for r in rows]
        return np.concatenate(parts) if parts and left <= right else np.zeros(0, np.int64)

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

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        band = self.preview()
        if band is not None:
            painter = QPainter(self.viewport())
            painter.setPen(theme.pen("accent"))
            painter.setBrush(theme.brush("accent", 0.15))
            painter.drawRect(band)
            painter.end()

    def _thumbnails_came(self, _keys: object) -> None:
        self.viewport().update()


class GalleryDelegate(QStyledItemDelegate):
    """Draws an image with what is to be seen of it: forget badge, wrong answer, class lit, rubber band, focus."""

    def __init__(self, view: GalleryView) -> None:
        super().__init__(view)
        self._view = view

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(self._view.side, self._view.side)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        key = index.data(KEY)
        if key is None:
            return
        view, side = self._view, self._view.side
        square = QRect(0, 0, side, side)
        square.moveCenter(option.rect.center())
        pixmap = view.pixmap(key)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if pixmap is None:
            painter.fillRect(square, theme.color("line"))
        else:
            size = pixmap.deviceIndependentSize().toSize()
            place = QRect(QPoint(0, 0), size)
            place.moveCenter(square.center())
            painter.drawPixmap(place.topLeft(), pixmap)
        if view.lit() >= 0 and index.data(LABEL) == view.lit():
            _frame(painter, square, "retain", 2)
        if index.data(EARLIER):
            _gone(painter, square)
        if index.data(FORGET):
            _frame(painter, square, "forget", FRAME)
            _badge(painter, square)
        if index.data(WRONG):
            _wrong(painter, square)
        if view.in_band(index):
            painter.fillRect(square, theme.color("accent", 0.25))
        if view.hasFocus() and index == view.currentIndex():
            _frame(painter, square.adjusted(-2, -2, 2, 2), "accent", 2)
        painter.restore()


def _frame(painter: QPainter, square: QRect, token: str, width: int) -> None:
    thick = theme.px(width)
    painter.setPen(theme.pen(token, thick))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(QRectF(square).adjusted(thick / 2, thick / 2, -thick / 2, -thick / 2))


def _gone(painter: QPainter, square: QRect) -> None:
    """A veil and a dashed frame: forgotten in an earlier request."""
    painter.fillRect(square, theme.color("surface", 0.6))
    pen = theme.pen("forget", theme.px(2))
    pen.setStyle(Qt.PenStyle.DashLine)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(QRectF(square).adjusted(1, 1, -1, -1))


def _badge(painter: QPainter, square: QRect) -> None:
    """A triangle in the upper right corner, on a ground that sets it off any image."""
    side = theme.px(BADGE)
    box = QRectF(square.right() + 1 - side, square.top(), side, side)
    painter.fillRect(box, theme.color("forget"))
    inner = box.adjusted(side * 0.22, side * 0.25, -side * 0.22, -side * 0.25)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.brush("surface"))
    top = (inner.topLeft() + inner.topRight()) / 2
    painter.drawPolygon(QPolygonF([top, inner.bottomRight(), inner.bottomLeft()]))


def _wrong(painter: QPainter, square: QRect) -> None:
    """A "≠" in the lower right corner: the model names another class."""
    side = theme.px(BADGE)
    box = QRectF(square.right() + 1 - side, square.bottom() + 1 - side, side, side)
    painter.fillRect(box, theme.color("surface"))
    painter.setFont(theme.font("caption"))
    painter.setPen(theme.color("text"))
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), "≠")


