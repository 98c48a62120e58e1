"""Two views by class: where forget images go now, and what the other classes lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QPoint, QSize
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.pages.verify.class_bars import ClassBars, ClassRow
from app.plots.export import Cell, Figure, Table, Text, whole_size
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.services.tokens import model_style
from app.widgets.empty import EmptyState
from app.widgets.labels import Label, caption

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
