"""Two views by class: where forget images go now, and what the other classes lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QScrollArea, QWidget

from app.plots.export import Cell, Figure, Table, Text, whole_size
from app.services import format as fmt
from app.services import tokens as t
from app.services.accessibility import describe
from app.services.theme import theme
from app.services.tokens import model_style
from app.widgets.labels import Label, caption
from app.widgets.layout import STRETCH, column, row
from app.widgets.notices import EmptyState

_BAR, _NAME = 8, 96  # height of a bar and width of the names, in pixels of the design
_BEYOND = 1.04  # how far the axis goes beyond its last number, so that no marker is cut


@dataclass(frozen=True)
class ClassRow:
    """One class: its name and a share of -1..1 for each model; `set_name` "forget" marks a forgotten class."""

    name: str
    values: dict[str, float | None]
    set_name: str = ""


class ClassBars(QScrollArea):
    """Horizontal bars, a row a class and a bar a model, from zero or on both sides of it; scrolls where there are more
    than fit.
    """  # noqa: D205

    def __init__(self, name: str, signed: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._signed = signed
        self._rows: tuple[ClassRow, ...] = ()
        self._models: tuple[str, ...] = ()
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(name)
        self.drawing = pg.PlotWidget()
        self.drawing.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)  # the wheel scrolls
        self.drawing.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._item: pg.PlotItem = self.drawing.getPlotItem()
        self._item.hideButtons()
        self._item.setMouseEnabled(False, False)
        self._item.invertY()
        self._item.showAxis("top")
        self._item.showAxis("right")
        self._item.hideAxis("bottom")
        self._item.getAxis("left").setWidth(theme.px(_NAME))
        self.setWidget(self.drawing)
        theme.changed.connect(self._draw)

    def set_rows(self, rows: Sequence[ClassRow], models: Sequence[str]) -> None:
        """Show these classes, from the top, with a bar for each of `models`."""
        self._rows, self._models = tuple(rows), tuple(models)
        describe(self, "; ".join(map(self.words, rows[:12])) or "no values yet")
        self._draw()

    def rows(self) -> tuple[ClassRow, ...]:
        """The rows shown."""
        return self._rows

    def words(self, row: ClassRow) -> str:
        """What a row says: the class and each model's value."""
        known = {model: value for model in self._models if (value := row.values.get(model)) is not None}
        said = ", ".join(f"{model_style(model).title} {self._text(value)}" for model, value in known.items())
        return f"{row.name}: {said or fmt.DASH}"

    def _draw(self) -> None:
        item, rows, models = self._item, self._rows, self._models
        item.clear()
        self.drawing.setBackground(theme.color("surface"))
        number = max(len(models), 1)
        self.drawing.setMinimumHeight(theme.px((_BAR * number + 8) * len(rows) + 28))
        most = self._most()
        item.setXRange(-most * _BEYOND if self._signed else 0.0, most * _BEYOND, padding=0)
        item.setYRange(-0.5, len(rows) - 0.5, padding=0)
        item.addItem(pg.InfiniteLine(0.0, angle=90, pen=theme.pen("outline")))
        for place, model in enumerate(models):
            style = model_style(model)
            at = [row + (place - (number - 1) / 2) * 0.8 / number for row in range(len(rows))]
            told = [(y, one.values.get(model)) for y, one in zip(at, rows, strict=True)]
            if known := [(y, value) for y, value in told if value is not None]:
                ys, ends = zip(*known, strict=True)
                item.addItem(pg.BarGraphItem(x0=0, y=ys, height=0.6 / number, width=ends, pen=None,
                                             brush=theme.brush(style.token)))  # fmt: skip
                fill = theme.brush(style.token if style.filled else "surface")
                item.addItem(pg.ScatterPlotItem(ends, ys, symbol=style.symbol, size=theme.px(6), brush=fill,
                                                pen=theme.pen(style.token, 1.5)))  # fmt: skip
        metrics, room = QFontMetrics(theme.font("caption")), theme.px(_NAME) - theme.px(t.S)
        names = [
            metrics.elidedText(f"▲ {row.name}" if row.set_name else row.name, Qt.TextElideMode.ElideMiddle, room)
            for row in rows
        ]
        values = [
            " · ".join(self._text(row.values.get(model)).removesuffix(" points").removesuffix(" %") for model in models)
            for row in rows
        ]  # fmt: skip
        numbers = (-most, 0.0, most) if self._signed else (0.0, 0.5, 1.0)
        for side, ticks in (("left", enumerate(names)), ("right", enumerate(values)),
                            ("top", ((end, fmt.decimal(100 * end, 0)) for end in numbers))):  # fmt: skip
            axis = item.getAxis(side)
            axis.setTicks([list(ticks)])
            axis.setStyle(tickFont=theme.font("caption"), tickLength=0, hideOverlappingLabels=False)
            axis.setPen(theme.pen("line"))
            axis.setTextPen(theme.color("text" if side == "left" else "text_2"))

    def _most(self) -> float:
        if not self._signed:
            return 1.0
        values = [abs(value) for row in self._rows for value in row.values.values() if value is not None]
        return math.ceil(20 * max([*values, 0.05])) / 20  # steps of five points

    def _text(self, value: float | None) -> str:
        return fmt.points(value) if self._signed else fmt.percent(value)


Models = Mapping[str, Mapping[str, Any]]
MOST_CLASSES = 60  # rows; of more classes those that matter most are shown

NO_IMAGES = "There are no unseen images of what was forgotten, so there is nothing to show where they go."
NO_CLASSES = "This report has no accuracies by class."


class _ClassTab(Figure):
    """Title, bars, caption; or a sentence where there is nothing to draw."""

    def __init__(self, title: str, missing: str, signed: bool) -> None:
        super().__init__()
        self._title, self._subtitle, self._caption = Label(title, "section"), caption(""), caption("", wrap=True)
        self._caption.setMaximumWidth(16_777_215)
        self._export = self.export_button()
        self.bars, self.empty = ClassBars(title, signed), EmptyState("verify", missing)
        column(
            row(self._title, STRETCH, self.said_label(), self._export), self._subtitle, (self.bars, 1), self._caption,
            (self.empty, 1), on=self, spacing=t.XS, margins=(0, t.S, 0, 0),
        )  # fmt: skip
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
