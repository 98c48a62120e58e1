"""Two views by class: where forget images go now, and what the other classes lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyqtgraph as pg
from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QWidget

from app.pages.verify.plots_panel import CURVES, Tab
from app.plots.export import Cell, Figure, Table, whole_size
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.services.tokens import model_style
from app.services.translation import mark, tr
from app.widgets.labels import caption, describe
from app.widgets.layout import column, scrolling
from core.verify.table import model_measures

Report = Mapping[str, Any]
NO_IMAGES = mark("There are no unseen images of what was forgotten, so there is nothing to show where they go.")
NO_CLASSES = mark("This report has no accuracies by class.")
MOST_CLASSES = 60  # rows; of more classes those that matter most are shown
_BAR, _NAME = 8, 96  # height of a bar and width of the names, in pixels of the design
_BEYOND = 1.04  # how far the axis goes beyond its last number, so that no marker is cut


class ClassRow(NamedTuple):
    """One class: its name and a share of -1..1 for each model; `forgotten` marks a forgotten class."""

    name: str
    values: dict[str, float | None]
    forgotten: bool = False


class ClassBars(Figure):
    """Horizontal bars with a title, a row a class and a bar a model, from zero or on both sides of it.

    Scrolls where there are more classes than fit; a file holds all of them.
    """

    def __init__(self, title: str, signed: bool) -> None:
        super().__init__(title=title)
        self._signed = signed
        self.rows: Sequence[ClassRow] = ()
        self._models: Sequence[str] = ()
        self._subtitle, self._legend, self.drawing = caption(), caption(), pg.PlotWidget()
        self.drawing.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)  # the wheel scrolls
        self.drawing.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        item: pg.PlotItem = self.drawing.getPlotItem()
        item.hideButtons()
        item.setMouseEnabled(False, False)
        item.invertY()
        item.showAxes((True, True, True, False), showValues=None)
        item.getAxis("left").setWidth(theme.px(_NAME))
        self.bars = scrolling(self.drawing)
        self.bars.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.bars.setAccessibleName(title)
        column(self.make_head(self.said), self._subtitle, self._legend, (self.bars, 1), on=self, spacing=t.XS)

    def show_rows(self, rows: list[ClassRow], models: Sequence[str], subtitle: str, words: str) -> str:
        """Show these classes, from the top, with a bar for each of `models`; returns what must be said of them."""
        self.rows, self._models = rows[:MOST_CLASSES], models
        self._subtitle.setText(subtitle)
        self._legend.setText(" · ".join(f"{style.glyph} {style.title}" for style in map(model_style, models)))
        if len(rows) > MOST_CLASSES:
            words += " " + tr("%n classes with less not shown.", n=len(rows) - MOST_CLASSES)
        self.caption_label.setText(words)
        describe(self.bars, "; ".join(map(self._words, self.rows[:12])))
        self.restyle()
        return words

    def _words(self, row: ClassRow) -> str:
        known = {model: value for model in self._models if (value := row.values.get(model)) is not None}
        said = ", ".join(f"{model_style(model).title} {self._text(value)}" for model, value in known.items())
        return f"{row.name}: {said or fmt.DASH}"

    def drawn_parts(self) -> list[tuple[QWidget, QPoint]]:
        """All bars, also those scrolled out of sight."""
        return [(self.drawing, self.place(self.bars).topLeft())]

    def picture_size(self) -> QSize:
        """As wide as on screen and as high as all bars."""
        return whole_size(self.width(), self.place(self.bars).top() + self.drawing.minimumHeight())

    def table(self) -> Table:
        """A row a class, its share or change for each model."""
        rows: list[list[Cell]] = [[row.name, *(row.values.get(model) for model in self._models)] for row in self.rows]
        return [tr("class"), *(model_style(model).title for model in self._models)], rows

    def restyle(self) -> None:
        """Draw the bars in the theme's colours."""
        item, rows, number = self.drawing.getPlotItem(), self.rows, max(len(self._models), 1)
        values = [value for row in rows for value in row.values.values() if value is not None]
        # Of changes in steps of five points; of shares up to all.
        most = math.ceil(20 * max([*map(abs, values), 0.05])) / 20 if self._signed else 1.0
        least = -most if self._signed else 0.0
        item.clear()
        self.drawing.setBackground(theme.color("surface"))
        self.drawing.setMinimumHeight(theme.px((_BAR * number + 8) * len(rows) + 28))
        item.setXRange(least * _BEYOND, most * _BEYOND, padding=0)
        item.setYRange(-0.5, len(rows) - 0.5, padding=0)
        item.addItem(pg.InfiniteLine(0.0, angle=90, pen=theme.pen("outline")))
        for place, model in enumerate(self._models):
            style, known = model_style(model), [(n, row.values.get(model)) for n, row in enumerate(rows)]
            ends = [value for _, value in known if value is not None]
            ys = [n + (place - (number - 1) / 2) * 0.8 / number for n, value in known if value is not None]
            brush, fill = theme.brush(style.token), theme.brush(style.token if style.filled else "surface")
            item.addItem(pg.BarGraphItem(x0=0, y=ys, height=0.6 / number, width=ends, pen=None, brush=brush))
            item.addItem(pg.ScatterPlotItem(
                ends, ys, symbol=style.symbol, size=theme.px(6), brush=fill, pen=theme.pen(style.token, 1.5)
            ))  # fmt: skip
        metrics, room = QFontMetrics(theme.font("caption")), theme.px(_NAME) - theme.px(t.S)
        names = [f"▲ {row.name}" if row.forgotten else row.name for row in rows]
        texts = [[self._text(row.values.get(model)) for model in self._models] for row in rows]
        for side, ticks in (
            ("left", enumerate(metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, room) for name in names)),
            ("right", enumerate(" · ".join(text.rpartition(" ")[0] or text for text in said) for said in texts)),
            ("top", ((end, fmt.decimal(100 * end, 0)) for end in (least, (least + most) / 2, most))),
        ):
            axis = item.getAxis(side)
            axis.setTicks([list(ticks)])
            axis.setStyle(tickFont=theme.font("caption"), tickLength=0, hideOverlappingLabels=False)
            axis.setPen(theme.pen("line"))
            axis.setTextPen(theme.color("text" if side == "left" else "text_2"))

    def _text(self, value: float | None) -> str:
        return fmt.points(value) if self._signed else fmt.percent(value)


class ConfusionTab(Tab):
    """The classes that unseen images of the forgotten ones are called, unlearned beside retrained."""

    def __init__(self) -> None:
        self.figure = ClassBars(tr("Where forget images go"), signed=False)
        super().__init__((self.figure, 1))

    def set_report(self, report: Report) -> None:
        """Show a report."""
        shares = by_class(report, "forget_predictions", CURVES[1:])
        if not shares or "unlearned" not in shares[0][1]:
            self.show_missing(tr(NO_IMAGES))
            return
        shown, forgotten = list(shares[0][1]), report.get("forget_classes") or ()
        rows = [
            ClassRow(name, values, name in forgotten) for name, values in shares
            if any(values.values()) or name in forgotten
        ]  # fmt: skip
        rows.sort(key=lambda row: max(value or 0.0 for value in row.values.values()), reverse=True)
        text = tr("A retrained model shows where such images go when they were never learnt.")
        if "retrained" not in shown:
            text = tr("No retrained model yet, so nothing says where such images would go by themselves.")
        subtitle = tr("Share of unseen forget images that the model calls each class, %")
        self.show_content(self.figure.show_rows(rows, shown, subtitle, text))


class DamageTab(Tab):
    """How accuracy on the classes that stay changed against the original, worst first."""

    def __init__(self) -> None:
        self.figure = ClassBars(tr("Accuracy change per class"), signed=True)
        super().__init__((self.figure, 1))

    def set_report(self, report: Report) -> None:
        """Show a report."""
        forgotten, rows = report.get("forget_classes") or (), []
        for name, values in by_class(report, "per_class", CURVES):
            before = values.pop("original", None)
            if before is not None and name not in forgotten:
                changes = {key: None if value is None else value - before for key, value in values.items()}
                rows.append(ClassRow(name, changes))
        if not rows:
            self.show_missing(tr(NO_CLASSES))
            return
        rows.sort(key=lambda row: row.values.get("unlearned") or 0.0)
        text = tr("Worst first.")
        if forgotten:
            text = tr("Worst first. Left out, because they were to be forgotten: {classes}.",
                      classes=", ".join(sorted(forgotten)))  # fmt: skip
        subtitle = tr("Against the original, on unseen images, points")
        self.show_content(self.figure.show_rows(rows, list(rows[0].values), subtitle, text))


def by_class(report: Report, measure: str, models: Sequence[str]) -> list[tuple[str, dict[str, float | None]]]:
    """Return each class with its value for those of the models that have the measure."""
    held = {model: values for model in models if (values := model_measures(report, model).get(measure))}
    names = (report.get("dataset") or {}).get("classes") or ()
    return [(str(name), {model: values[n] for model, values in held.items()}) for n, name in enumerate(names)]
