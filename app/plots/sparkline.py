"""A sparkline of 80 x 20: retain and forget accuracy of a run, drawn in a table."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter
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


class SparklineDelegate(QStyledItemDelegate):
    """Draws the `Spark` an item holds under `SPARK_ROLE`: 0 at the bottom and 1 at the top."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        spark = index.data(SPARK_ROLE)
        if not isinstance(spark, Spark):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(option.rect).adjusted(2, 3, -4, -3)
        for token, values in (("retain", spark.retain), ("forget", spark.forget)):
            apart = area.width() / max(len(values) - 1, 1)
            points = [QPointF(area.left() + apart * place, area.bottom() - area.height() * value)
                      for place, value in enumerate(values) if value is not None]  # fmt: skip
            painter.setPen(theme.pen(token, 1.5))
            painter.setBrush(theme.brush(token))
            painter.drawPolyline(points)
            for end in points[-1:]:
                painter.drawEllipse(end, 1.5, 1.5)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(theme.px(WIDTH) + theme.px(8), theme.px(HEIGHT))
