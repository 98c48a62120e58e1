"""Two views by class: where forget images go now, and what the other classes lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from app.plots.export import Cell, Figure, Table, Text, whole_size
from app.plots.items import draw_symbol
from app.services import format as fmt
from app.services import tokens as t
from app.services.accessibility import describe
from app.services.theme import theme
from app.services.tokens import model_style
from app.widgets.labels import Label, caption
from app.widgets.notices import EmptyState

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


Models = Mapping[str, Mapping[str, Any]]
MOST_CLASSES = 60  # rows; of more classes those that matter most are shown

NO_IMAGES = "There are no unseen images of what was forgotten, so there is nothing to show where they go."
NO_CLASSES = "This report has no accuracies by class."


class _ClassTab(Figure):
    """Title, bars, caption; or a sentence where there is nothing to draw."""

    def __init__(self, title: str, missing: str, signed: bool) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, theme.px(t.S), 0, 0)
        column.setSpacing(theme.px(t.XS))
        self._title = Label(title, "section")
        head = QHBoxLayout()
        head.addWidget(self._title)
        head.addStretch(1)
        head.addWidget(self.said_label())
        self._export = self.export_button()
        head.addWidget(self._export)
        column.addLayout(head)
        self._subtitle = caption("")
        column.addWidget(self._subtitle)
        self.bars = ClassBars(title, signed)
        column.addWidget(self.bars, 1)
        self._caption = caption("", wrap=True)
        self._caption.setMaximumWidth(16_777_215)
        column.addWidget(self._caption)
        self.empty = EmptyState("verify", missing)
        column.addWidget(self.empty, 1)
        self._models: list[str] = []

    @property
    def title(self) -> str:
        """The title."""
        return self._title.text()

    def texts(self) -> list[Text]:
        """Title and subtitle with the models' markers; the caption goes into the file's own words."""
        subtitle, role, token, place = self.text_of(self._subtitle, "caption", "text_2")
        names = [f"{style.glyph} {style.title}" for style in map(model_style, self._models)]
        return [self.text_of(self._title, "section"), (" · ".join([subtitle, *names]), role, token, place)]

    def drawn_parts(self) -> list[tuple[QWidget, QPoint]]:
        """All bars, also those scrolled out of sight."""
        return [(self.bars.drawing, self.place(self.bars).topLeft())]

    def picture_size(self) -> QSize:
        """As wide as on screen and as high as all bars."""
        return whole_size(self.width(), self.place(self.bars).top() + self.bars.drawing.minimumHeight())

    def table(self) -> Table:
        """A row a class, its share or change for each model."""
        titles = [model_style(model).title for model in self._models]
        rows: list[list[Cell]] = [
            [row.name, *(row.values.get(model) for model in self._models)] for row in self.bars.rows()
        ]
        return ["class", *titles], rows

    def show_rows(self, rows: list[ClassRow], models: list[str], subtitle: str, text: str) -> None:
        """Show rows, or the sentence where there are none."""
        self._models = models
        for widget in (self._title, self._export, self._subtitle, self.bars, self._caption):
            widget.setVisible(bool(rows))
        self.empty.setVisible(not rows)
        self.bars.set_rows(rows[:MOST_CLASSES], models)
        self._subtitle.setText(subtitle)
        left = len(rows) - MOST_CLASSES
        more = f" {fmt.plural(left, 'class', 'classes')} with less not shown." if left > 0 else ""
        self._caption.setText(text + more)

    def caption(self) -> str:
        """The line under the bars."""
        return self._caption.text()


class ConfusionTab(_ClassTab):
    """The classes that unseen images of the forgotten ones are called, unlearned beside retrained."""

    def __init__(self) -> None:
        super().__init__("Where forget images go", NO_IMAGES, signed=False)

    def set_report(self, report: Mapping[str, Any]) -> None:
        """Show a report."""
        models: Models = report.get("models") or {}
        shares = {key: (models.get(key) or {}).get("forget_predictions") for key in ("unlearned", "retrained")}
        shown = [key for key, values in shares.items() if values]
        if not shares["unlearned"]:
            self.show_rows([], [], "", "")
            return
        names, forgotten = _classes(report)
        rows = [
            ClassRow(name, {key: _at(shares[key], number) for key in shown}, "forget" if name in forgotten else "")
            for number, name in enumerate(names)
        ]
        rows = [row for row in rows if any(row.values.values()) or row.set_name]
        rows.sort(key=lambda row: max(value or 0.0 for value in row.values.values()), reverse=True)
        text = "A retrained model shows where such images go when they were never learnt."
        if "retrained" not in shown:
            text = "No retrained model yet, so nothing says where such images would go by themselves."
        self.show_rows(rows, shown, "Share of unseen forget images that the model calls each class, %", text)


class DamageTab(_ClassTab):
    """How accuracy on the classes that stay changed against the original, worst first."""

    def __init__(self) -> None:
        super().__init__("Accuracy change per class", NO_CLASSES, signed=True)

    def set_report(self, report: Mapping[str, Any]) -> None:
        """Show a report."""
        models: Models = report.get("models") or {}
        accuracy = {key: (models.get(key) or {}).get("per_class") for key in ("original", "unlearned", "retrained")}
        shown = [key for key in ("unlearned", "retrained") if accuracy[key]]
        names, forgotten = _classes(report)
        rows = []
        for number, name in enumerate(names):
            before = _at(accuracy["original"], number)
            if before is None or name in forgotten:
                continue
            after = {key: _at(accuracy[key], number) for key in shown}
            rows.append(ClassRow(name, {k: None if v is None else v - before for k, v in after.items()}))
        rows.sort(key=_change)
        left_out = ", ".join(sorted(forgotten))
        text = f"Worst first. Left out, because it was meant to go: {left_out}." if left_out else "Worst first."
        self.show_rows(rows, shown, "Against the original, on unseen images, points", text)


def _change(row: ClassRow) -> float:
    value = row.values.get("unlearned")
    return 0.0 if value is None else value


def _classes(report: Mapping[str, Any]) -> tuple[list[str], set[str]]:
    names = [str(name) for name in (report.get("dataset") or {}).get("classes") or ()]
    return names, {str(name) for name in report.get("forget_classes") or ()}


def _at(values: Any, number: int) -> float | None:
    return values[number] if values and number < len(values) else None
