"""Horizontal bars, a row a class and a bar a model, from zero or on both sides of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QToolTip, QWidget

from app.plots.items import draw_symbol
from app.services import format as fmt
from app.services import tokens as t
from app.services.accessibility import describe
from app.services.theme import theme
from app.services.tokens import model_style

_BAR, _NAME, _VALUE = 7, 96, 52  # heights and widths in logical pixels

_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


@dataclass(frozen=True)
class ClassRow:
    """One class: its name and a share of -1..1 for each model; `set_name` "forget" marks a forgotten class."""

    name: str
    values: dict[str, float | None]
    set_name: str = ""


class ClassBars(QScrollArea):
    """Rows in the order given; scrolls where there are more than fit."""

    def __init__(self, name: str, signed: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(name)
        self.setProperty("ground", "surface")
        self._bars = _Bars(signed)
        self.setWidget(self._bars)

    def set_rows(self, rows: Sequence[ClassRow], models: Sequence[str]) -> None:
        """Show these classes with a bar for each of `models`."""
        self._bars.set_rows(tuple(rows), tuple(models))
        describe(self, "; ".join(self._bars.words(row) for row in rows[:12]) or "no values yet")

    @property
    def drawing(self) -> QWidget:
        """The widget that draws all rows, also those scrolled out of sight."""
        return self._bars

    def rows(self) -> tuple[ClassRow, ...]:
        """The rows shown."""
        return self._bars.rows


class _Bars(QWidget):
    def __init__(self, signed: bool) -> None:
        super().__init__()
        self._signed = signed
        self.rows: tuple[ClassRow, ...] = ()
        self._models: tuple[str, ...] = ()
        self.setProperty("ground", "surface")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        theme.changed.connect(self.update)

    def set_rows(self, rows: tuple[ClassRow, ...], models: tuple[str, ...]) -> None:
        self.rows, self._models = rows, models
        self.updateGeometry()
        self.setMinimumHeight(self._row_height() * len(rows) + self._axis_height())
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(theme.px(320), self._row_height() * len(self.rows) + self._axis_height())

    def words(self, row: ClassRow) -> str:
        parts = [
            f"{model_style(model).title} {self._text(row.values.get(model), unit=True)}"
            for model in self._models
            if row.values.get(model) is not None
        ]
        return f"{row.name}: {', '.join(parts) or fmt.DASH}"

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            number = (event.pos().y() - self._axis_height()) // self._row_height()
            if 0 <= number < len(self.rows):
                QToolTip.showText(event.globalPos(), self.words(self.rows[number]), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font("caption"))
        area = self._area()
        self._paint_axis(painter, area)
        top = float(self._axis_height())
        for row in self.rows:
            if event.rect().top() <= top + self._row_height() and top <= event.rect().bottom():
                self._paint_row(painter, row, area, top)
            top += self._row_height()
        self._paint_markers(painter, area)
        painter.end()

    def _paint_markers(self, painter: QPainter, area: QRectF) -> None:
        """The models' markers over the column of numbers, in the order of the numbers."""
        metrics = painter.fontMetrics()
        step = metrics.horizontalAdvance("100.0 · ")
        x = self.width() - step / 2
        for model in reversed(self._models):
            style = model_style(model)
            draw_symbol(painter, QPointF(x, self._axis_height() / 2), style.symbol, style.token, style.filled, 6.0)
            x -= step

    def _paint_axis(self, painter: QPainter, area: QRectF) -> None:
        low, high = self._range()
        metrics = painter.fontMetrics()
        for value in self._ticks():
            x = area.left() + (value - low) / (high - low) * area.width()
            painter.setPen(theme.pen("outline" if value == 0 else "line", 1))
            painter.drawLine(QPointF(x, self._axis_height()), QPointF(x, self.height()))
            painter.setPen(theme.color("text_2"))
            text = self._tick_text(value)
            width = metrics.horizontalAdvance(text)
            left = min(max(x - width / 2, 0.0), self.width() - width)
            painter.drawText(QPointF(left, metrics.ascent() + 1), text)

    def _paint_row(self, painter: QPainter, row: ClassRow, area: QRectF, top: float) -> None:
        low, high = self._range()
        metrics = painter.fontMetrics()
        line = QRectF(0, top, area.left() - theme.px(t.S), self._row_height())
        painter.setPen(theme.color("text"))
        name = metrics.elidedText(row.name, Qt.TextElideMode.ElideMiddle, int(line.width()) - theme.px(14))
        painter.drawText(line, _RIGHT, name)
        if row.set_name:
            x = line.right() - metrics.horizontalAdvance(name) - theme.px(9)
            draw_symbol(painter, QPointF(x, line.center().y()), "t1", row.set_name, True)
        zero = area.left() + (0 - low) / (high - low) * area.width()
        bar = float(theme.px(_BAR))
        y = top + (self._row_height() - bar * len(self._models)) / 2
        for model in self._models:
            value, style = row.values.get(model), model_style(model)
            if value is not None:
                shown = min(max(value, low), high)
                end = area.left() + (shown - low) / (high - low) * area.width()
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme.brush(style.token))
                painter.drawRect(QRectF(min(zero, end), y + 1, max(abs(end - zero), 1.0), bar - 2))
                draw_symbol(painter, QPointF(end, y + bar / 2), style.symbol, style.token, style.filled, 5.0)
            y += bar
        painter.setPen(theme.color("text_2"))
        step = metrics.horizontalAdvance("100.0 · ")
        right = float(self.width())
        for model in reversed(self._models):
            cell = QRectF(right - step, top, step - theme.px(2), line.height())
            painter.drawText(cell, _RIGHT, self._text(row.values.get(model)))
            right -= step

    def _area(self) -> QRectF:
        left = float(theme.px(_NAME))
        right = theme.px(_VALUE) * max(1, len(self._models))
        return QRectF(left, 0, max(self.width() - left - right, theme.px(40)), self.height())

    def _range(self) -> tuple[float, float]:
        if not self._signed:
            return 0.0, 1.0
        values = [abs(value) for row in self.rows for value in row.values.values() if value is not None]
        most = math.ceil(20 * max([*values, 0.05])) / 20  # steps of five points
        return -most, most

    def _ticks(self) -> list[float]:
        low, high = self._range()
        return [low, 0.0, high] if self._signed else [0.0, 0.5, 1.0]

    def _tick_text(self, value: float) -> str:
        if not self._signed:
            return f"{round(100 * value)} %"
        sign = "+" if value > 0 else "−" if value < 0 else ""
        return f"{sign}{round(abs(100 * value))}"

    def _text(self, value: float | None, unit: bool = False) -> str:
        if value is None:
            return fmt.DASH
        if not self._signed:
            return fmt.percent(value, unit=unit)
        words = fmt.points(value)
        return words if unit else words.removesuffix(" points")

    def _row_height(self) -> int:
        return max(theme.px(22), theme.px(_BAR) * len(self._models) + theme.px(6))

    def _axis_height(self) -> int:
        return self.fontMetrics().height() + theme.px(2)
