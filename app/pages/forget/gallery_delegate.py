"""Draws one image of the gallery with what is to be seen of it: forget badge, wrong answer, focus."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPixmap, QPolygonF
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.models.gallery import EARLIER, FORGET, KEY, LABEL, WRONG
from app.services.theme import theme

BADGE = 16
FRAME = 3
Index = QModelIndex | QPersistentModelIndex


class Shows(Protocol):
    """What the delegate asks of its view."""

    @property
    def side(self) -> int: ...
    def pixmap(self, key: Hashable) -> QPixmap | None: ...
    def lit(self) -> int: ...
    def in_band(self, index: Index) -> bool: ...
    def hasFocus(self) -> bool: ...
    def currentIndex(self) -> QModelIndex: ...


class GalleryDelegate(QStyledItemDelegate):
    """Draws the cells of one view."""

    def __init__(self, view: Shows, parent: QWidget) -> None:
        super().__init__(parent)
        self._view = view

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(self._view.side, self._view.side)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: Index
    ) -> None:
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


