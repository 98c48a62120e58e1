"""A form generated from declared parameters, with fields for numbers: units, ranges, help, reset, what is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLayout,
    QSpinBox,
    QWidget,
)

from app.services import tokens as t
from app.services.theme import set_property, set_tone, theme
from app.widgets.buttons import TextButton
from app.widgets.cards import CollapsibleSection
from app.widgets.labels import Label
from app.widgets.layout import STRETCH, column, form, row
from core.parameters import Parameter, Value

LABEL_WIDTH = 136
FIELD_WIDTH = 148


class ParameterRow(QWidget):
    """One parameter's field with its dot, *Reset* and caption (help, or what is wrong)."""

    changed = Signal()

    def __init__(self, parameter: Parameter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.parameter = parameter
        self._baseline: Value = parameter.default
        self.problem = ""
        self.field = self._make_field(parameter)
        self.field.setAccessibleName(parameter.label)
        self.field.setAccessibleDescription(parameter.help)
        self.field.setToolTip(_help(parameter))
        if not isinstance(self.field, QCheckBox):
            self.field.setFixedWidth(theme.px(FIELD_WIDTH))
        self.field.installEventFilter(self)
        self._dot = Label("●", "caption", "accent")
        self._reset = TextButton("Reset", self.reset)
        self._reset.setAccessibleName(f"Reset {parameter.label.lower()}")
        self._caption = Label("", "caption", "text-2", wrap=True)
        column(row(self.field, self._dot, self._reset, STRETCH), self._caption, on=self, spacing=2)
        self._update()

    def value(self) -> Value | None:
        """The value as typed, or None where it is wrong."""
        try:
            return self.parameter.parse(self._raw())
        except ValueError:
            return None

    def set_value(self, value: Any) -> None:
        field = self.field
        if isinstance(field, QCheckBox):
            field.setChecked(bool(value))
        elif isinstance(field, QComboBox):
            field.setCurrentText(str(value))
        else:
            field.setValue(float(value))
        self._update()

    def set_baseline(self, value: Value) -> None:
        """What *Reset* goes back to and the dot compares with."""
        self._baseline = value
        self._update()

    def is_changed(self) -> bool:
        """Whether the value differs from the baseline."""
        return self.value() != self._baseline

    def reset(self) -> None:
        """Go back to the baseline."""
        self.set_value(self._baseline)
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self._show_caption(event.type() == QEvent.Type.FocusIn)
        elif event.type() == QEvent.Type.Wheel and not self.field.hasFocus():
            event.ignore()  # scrolling the form must not change values under the mouse
            return True
        return False

    def _make_field(self, parameter: Parameter) -> QCheckBox | QComboBox | NumberField:
        if parameter.kind == "bool":
            check = QCheckBox()
            check.setChecked(bool(parameter.default))
            check.toggled.connect(self._edited)
            return check
        if parameter.kind == "choice":
            combo = QComboBox()
            combo.addItems(list(parameter.choices))
            combo.setCurrentText(str(parameter.default))
            combo.currentTextChanged.connect(self._edited)
            combo.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            return combo
        number = NumberField(parameter.kind == "int", parameter.log, parameter.low, parameter.high, parameter.unit)
        number.setValue(float(parameter.default))
        number.lineEdit().textChanged.connect(self._edited)  # while typing, also what is not a value yet
        number.valueChanged.connect(self._edited)  # stepping and setting do not say that the text changed
        number.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return number

    def _raw(self) -> Any:
        if isinstance(self.field, QCheckBox):
            return self.field.isChecked()
        if isinstance(self.field, QComboBox):
            return self.field.currentText()
        return self.field.typed().replace(",", ".")

    def _edited(self) -> None:
        self._update()
        self.changed.emit()

    def _update(self) -> None:
        if not hasattr(self, "_caption"):
            return
        self.problem = "" if self.value() is not None else f"Must be {_rule(self.parameter)}."
        set_property(self.field, "invalid", bool(self.problem))
        changed = self.is_changed()
        self._dot.setVisible(changed)
        self._reset.setVisible(changed)
        self._show_caption(self.field.hasFocus())

    def _show_caption(self, focused: bool) -> None:
        text = self.problem or (_help(self.parameter) if focused or self.is_changed() else "")
        set_tone(self._caption, "danger" if self.problem else "text-2")
        self._caption.setText(text)
        self._caption.setVisible(bool(text))


class ParameterForm(QWidget):
    """All parameters of a method; groups fold. Values are compared with a baseline: defaults, or a preset's."""

    changed = Signal()

    def __init__(
        self, parameters: Iterable[Parameter] = (), parent: QWidget | None = None, open_groups: Iterable[str] = ("",)
    ) -> None:
        super().__init__(parent)
        self._column = column(on=self, spacing=t.M)
        self._rows: dict[str, ParameterRow] = {}
        self._sections: dict[str, CollapsibleSection] = {}
        self._widgets: list[QWidget] = []
        self._open = set(open_groups)
        self._quiet = False
        self.set_parameters(parameters)

    def set_parameters(self, parameters: Iterable[Parameter], open_groups: Iterable[str] | None = None) -> None:
        """Build the form anew; `open_groups` are open from now on, those of before where it is None."""
        if open_groups is not None:
            self._open = set(open_groups)
        for widget in self._widgets:
            self._column.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self._widgets, self._rows, self._sections = [], {}, {}
        groups: dict[str, list[Parameter]] = {}
        for parameter in parameters:
            groups.setdefault(parameter.group, []).append(parameter)
        for name, members in groups.items():
            form_widget = self._group(members)
            if name:
                section = CollapsibleSection(name, name in self._open)
                section.body.addWidget(form_widget)
                self._sections[name] = section
                form_widget = section
            self._column.addWidget(form_widget)
            self._widgets.append(form_widget)
        self._summarise()

    def values(self) -> dict[str, Value]:
        """All values that are right, by name; see `problems` for the others."""
        return {name: value for name, row in self._rows.items() if (value := row.value()) is not None}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show values; names the form does not have are left alone."""
        self._quiet = True
        for name, value in values.items():
            if name in self._rows:
                self._rows[name].set_value(value)
        self._quiet = False
        self._edited()

    def set_baseline(self, values: Mapping[str, Any], apply: bool = True) -> None:
        """Compare with these values from now on (a preset's over the defaults); `apply` shows them too."""
        for name, line in self._rows.items():
            line.set_baseline(line.parameter.parse(values.get(name, line.parameter.default)))
        if apply:
            self.set_values({name: row._baseline for name, row in self._rows.items()})

    def reset(self) -> None:
        """Go back to the baseline everywhere."""
        self.set_values({name: row._baseline for name, row in self._rows.items()})

    def changed_names(self) -> list[str]:
        """Names of the values that differ from the baseline."""
        return [name for name, row in self._rows.items() if row.is_changed()]

    def problems(self) -> list[str]:
        """What is wrong, each with the parameter's label."""
        return [f"{row.parameter.label}: {row.problem}" for row in self._rows.values() if row.problem]

    def row(self, name: str) -> ParameterRow:
        return self._rows[name]

    def _group(self, members: list[Parameter]) -> QWidget:
        widget = QWidget()
        lines = form(on=widget)
        for parameter in members:
            line = ParameterRow(parameter)
            line.changed.connect(self._edited)
            label = Label(parameter.label, "body", "text-2", wrap=True)
            label.setFixedWidth(theme.px(LABEL_WIDTH))
            needed = label.heightForWidth(theme.px(LABEL_WIDTH))
            label.setFixedHeight(max(theme.px(t.CONTROL_HEIGHT), needed))
            label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            label.setBuddy(line.field)
            lines.addRow(label, line)
            self._rows[parameter.name] = line
        return widget

    def _edited(self) -> None:
        self._summarise()
        if not self._quiet:
            self.changed.emit()

    def _summarise(self) -> None:
        for name, section in self._sections.items():
            rows = [row for row in self._rows.values() if row.parameter.group == name]
            changed = sum(row.is_changed() for row in rows)
            wrong = any(row.problem for row in rows)
            parts = [f"{len(rows)} parameters" if len(rows) > 1 else "1 parameter"]
            parts += [f"{changed} changed"] if changed else []
            section.set_summary(" · ".join(parts))
            if wrong:
                section.set_open(True)


def _rule(parameter: Parameter) -> str:
    return parameter.rule.replace("number at least", "number, at least").replace("number at most", "number, at most")


def _help(parameter: Parameter) -> str:
    text = parameter.help if parameter.help.endswith((".", "?", "!")) else parameter.help + "."
    if parameter.kind in ("int", "float") and (parameter.low is not None or parameter.high is not None):
        rule = parameter.rule.removeprefix("a whole number ").removeprefix("a number ")
        text += f" {rule[:1].upper()}{rule[1:]}."
    return text


_LARGEST = 1e12
_LADDER = (1.0, 2.0, 5.0)  # steps of a logarithmic scale within a decade


class NumberField(QDoubleSpinBox):
    """Keeps what was typed, also outside the range, so that the form can say what is wrong with it."""

    def __init__(
        self,
        whole: bool = False,
        log: bool = False,
        low: float | None = None,
        high: float | None = None,
        unit: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._whole, self._log = whole, log
        self._low, self._high = low, high
        self.setDecimals(0 if whole else 15)
        self.setRange(-_LARGEST, _LARGEST)
        self.setStepType(QAbstractSpinBox.StepType.DefaultStepType)
        self.setCorrectionMode(QAbstractSpinBox.CorrectionMode.CorrectToPreviousValue)
        if unit:
            self.setSuffix(f" {unit}")
        pad_spin_box(self)

    def textFromValue(self, value: float) -> str:
        if self._whole:
            return str(round(value))
        return f"{value:.6g}"

    def valueFromText(self, text: str) -> float:
        number = _number(self._bare(text))
        return self.value() if number is None else number

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        number = _number(self._bare(text))
        if number is None or (self._whole and number != int(number)):
            return QValidator.State.Intermediate, text, position
        return QValidator.State.Acceptable, text, position

    def typed(self) -> str:
        """What stands in the field, without its unit."""
        return self._bare(self.lineEdit().text())

    def stepBy(self, steps: int) -> None:
        value = self.value()
        for _ in range(abs(steps)):
            value = self._next(value, 1 if steps > 0 else -1)
        if self._low is not None:
            value = max(value, self._low)
        if self._high is not None:
            value = min(value, self._high)
        self.setValue(value)

    def _next(self, value: float, direction: int) -> float:
        if self._log and value > 0:
            return _ladder(value, direction)
        if self._whole:
            return value + direction
        span = abs(value) or 1.0
        return value + direction * 10.0 ** (math.floor(math.log10(span)) - 1)

    def _bare(self, text: str) -> str:
        return text.removesuffix(self.suffix()).removesuffix(self.suffix().strip()).strip()


def add_field(lines: QFormLayout, title: str, content: QWidget | QLayout, buddy: QWidget | None = None) -> Label:
    """Add a line to a form and return its label, as high as a control; `buddy` is the field, where that is not all."""
    label = Label(title, "body", "text-2")
    label.setFixedHeight(theme.px(t.CONTROL_HEIGHT))
    label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    field = buddy or content
    if isinstance(field, QWidget):
        label.setBuddy(field)
    lines.addRow(label, content)
    return label


def combo_box(name: str, entries: Iterable[tuple[str, Any]]) -> QComboBox:
    """Return a box of choices: the text of each, and the value it stands for."""
    box = QComboBox()
    box.setAccessibleName(name)
    for text, value in entries:
        box.addItem(text, value)
    return box


def spin_box(name: str, least: int, most: int, value: int = 0, width: int = 120) -> QSpinBox:
    """Return a field for a whole number."""
    box = QSpinBox()
    box.setRange(least, most)
    box.setValue(value)
    box.setAccessibleName(name)
    box.setFixedWidth(theme.px(width))
    pad_spin_box(box)
    return box


def pad_spin_box(box: QAbstractSpinBox) -> None:
    """Keep the text off the edge; a style sheet cannot, since Qt gives the inner field the outer one's rules."""
    box.lineEdit().setTextMargins(theme.px(t.S), 0, 0, 0)


def _number(text: str) -> float | None:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) <= _LARGEST else None


def _ladder(value: float, direction: int) -> float:
    """Return the next of 1, 2, 5, 10, 20 ... above or below."""
    decade = math.floor(math.log10(value))
    rungs = [step * 10.0**power for power in (decade - 1, decade, decade + 1) for step in _LADDER]
    if direction > 0:
        return min(rung for rung in rungs if rung > value * (1 + 1e-9))
    return max(rung for rung in rungs if rung < value * (1 - 1e-9))
