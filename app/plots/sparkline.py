"""A sparkline of 80 x 20: retain and forget accuracy of a run, as a widget and as a delegate for tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.services import format as fmt
from app.services.theme import theme

WIDTH, HEIGHT = 80, 20
SPARK_ROLE = Qt.ItemDataRole.UserRole + 41  # a Spark, for the delegate


@dataclass(frozen=True)
class Spark:
    """Accuracies of 0..1 over the evaluations of a run; None is a gap."""

    retain: tuple[float | None, ...] = ()
    forget: tuple[float | None, ...] = ()

    @property
    def text(self) -> str:
        """The ends in words."""
        parts = []
        for name, values in (("retain", self.retain), ("forget", self.forget)):
            known = [value for value in values if value is not None]
            if known:
                parts.append(f"{name} {fmt.percent(known[0])} to {fmt.percent(known[-1])}")
        return ", ".join(parts) or "no values yet"


def paint_spark(painter: QPainter, rect: QRectF, spark: Spark) -> None:
    """Draw the two curves into `rect`, 0 at the bottom and 1 at the top."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    area = rect.adjusted(2, 3, -4, -3)
    for token, values in (("retain", spark.retain), ("forget", spark.forget)):
        points = [
            QPointF(
                area.left() + area.width() * position / max(len(values) - 1, 1),
                area.bottom() - area.height() * min(max(value, 0.0), 1.0),
            )
            for position, value in enumerate(values)
            if value is not None
        ]
        if not points:
            continue
        painter.setPen(theme.pen(token, 1.5))
        painter.drawPolyline(QPolygonF(points))
        painter.setBrush(theme.brush(token))
        painter.drawEllipse(points[-1], 1.5, 1.5)
        painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.restore()


class Sparkline(QWidget):
    """One sparkline."""

    def __init__(self, spark: Spark | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spark = spark or Spark()
        self.setFixedSize(theme.px(WIDTH), theme.px(HEIGHT))
        theme.changed.connect(self.update)
        self.set_values(self._spark.retain, self._spark.forget)

    def set_values(self, retain: Sequence[float | None], forget: Sequence[float | None]) -> None:
        """Show these accuracies, 0..1."""
        self._spark = Spark(tuple(retain), tuple(forget))
        self.setAccessibleName(self._spark.text)
        self.setToolTip(self._spark.text)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_spark(painter, QRectF(self.rect()), self._spark)
        painter.end()


class SparklineDelegate(QStyledItemDelegate):
    """Draws the `Spark` an item holds under `SPARK_ROLE`."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        spark = index.data(SPARK_ROLE)
        if isinstance(spark, Spark):
            paint_spark(painter, QRectF(option.rect), spark)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(theme.px(WIDTH) + theme.px(8), theme.px(HEIGHT))
