"""The grid of thumbnails: clicks, ranges, rubber band and keys choose images; the forget set is the only selection."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QCursor, QHideEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QApplication, QTableView

from app.models.gallery import FORGET, GalleryModel
from app.pages.forget.gallery_delegate import GalleryDelegate
from app.services.theme import theme
from app.workers.thumbnails import Thumbnails

GAP = 4
SCROLL_MS = 30  # while the rubber band reaches over an edge


class GalleryView(QTableView):
    """`mark_wanted(images, how)`: positions in the part, and "toggle", "add" or "remove".

    A click toggles one image, Shift reaches from the last one to here, dragging takes all in a rectangle (with Ctrl
    or Alt it takes them out). Space and Return toggle the current one; with Shift the arrow keys take what they pass.
    """

    mark_wanted = Signal(object, str)

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
        self.setItemDelegate(GalleryDelegate(self, self))
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
        self.mousePressEvent(event)  # two quick clicks are two clicks

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
        elif key in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter) and cell >= 0:
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


_STEPS = {
    int(Qt.Key.Key_Left): -1, int(Qt.Key.Key_Right): 1, int(Qt.Key.Key_Up): -2, int(Qt.Key.Key_Down): 2,
}  # fmt: skip
