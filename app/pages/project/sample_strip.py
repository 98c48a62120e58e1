"""Draws a row of sample images in a cell of the class table."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.models.class_table import SAMPLE_COUNT, SAMPLE_KEYS
from app.services import tokens as t
from app.services.theme import theme
from app.workers.thumbnails import Thumbnails

SIDE = 28  # logical pixels of one sample
ROW_HEIGHT = 36


class SampleStrip(QStyledItemDelegate):
    """Up to six thumbnails side by side; those that are not there yet are drawn as empty squares."""

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails

    @staticmethod
    def width() -> int:
        """Width of the column that holds all six."""
        return SAMPLE_COUNT * theme.px(SIDE + t.XS) + theme.px(t.M)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(self.width(), theme.px(ROW_HEIGHT))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        rect: QRect = option.rect
        side, gap = theme.px(SIDE), theme.px(t.XS)
        x, y = rect.left() + theme.px(6), rect.top() + (rect.height() - side) // 2
        for key in index.data(SAMPLE_KEYS) or ():
            cell = QRect(x, y, side, side)
            pixmap = self._thumbnails.get(key)
            if pixmap is None:
                painter.fillRect(cell, theme.color("sunken"))
            else:
                size = pixmap.deviceIndependentSize().toSize()
                place = QRect(0, 0, size.width(), size.height())
                place.moveCenter(cell.center())
                painter.drawPixmap(place.topLeft(), pixmap)
            x += side + gap
