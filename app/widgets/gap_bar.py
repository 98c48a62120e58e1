"""Gap bars: from Original (0, left) to Retrained (1, right), as a widget and as a delegate for tables."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme

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


class GapBar(QWidget):
    """One gap bar."""

    def __init__(self, gap: Gap | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._gap = gap or Gap(None)
        theme.changed.connect(self.update)
        self.set_gap(self._gap)

    def set_gap(self, gap: Gap) -> None:
        """Show a gap."""
        self._gap = gap
        self.setAccessibleName(gap.text)
        self.setToolTip(gap.text)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(theme.px(WIDTH), theme.px(t.TABLE_ROW))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_gap(painter, QRectF(self.rect()), self._gap)
        painter.end()


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
