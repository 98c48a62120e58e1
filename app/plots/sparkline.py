"""A sparkline of 80 x 20: retain and forget accuracy of a run, drawn in a table."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPolygonF
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from app.services import format as fmt
from app.services.theme import theme
from app.services.translation import tr

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
        for name, values in ((tr("retain"), self.retain), (tr("forget"), self.forget)):
            known = [fmt.percent(value) for value in values if value is not None]
            if known:
                parts.append(tr("{name} {first} to {last}", name=name, first=known[0], last=known[-1]))
        return ", ".join(parts) or tr("no values yet")


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
