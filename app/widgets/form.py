"""A form generated from declared parameters, with fields for numbers: units, ranges, help, reset, what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLayout,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import set_property, set_tone, theme
from app.services.translation import inside, tr
from app.widgets.buttons import TextButton
from app.widgets.labels import Label
from app.widgets.layout import STRETCH, column, form, named, row
from core.parameters import Parameter, Value

LABEL_WIDTH = 136
FIELD_WIDTH = 148


class ParameterRow(QWidget):
    """One parameter's field with its dot, *Reset* and caption (help, or what is wrong)."""

    changed = Signal()

    def __init__(self, parameter: Parameter) -> None:
        super().__init__()
        self.parameter = parameter
        self.baseline: Value = parameter.default  # what *Reset* goes back to and the dot compares with
        self.problem = ""
        self.field = _field(parameter)
        show_value(self.field, parameter.default)
        on_change(self.field, self._edited)
        self.field.setAccessibleName(parameter.label)
        self.field.setAccessibleDescription(parameter.help)
        self.field.setToolTip(_help(parameter))
        self.field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.field.installEventFilter(self)
        self._dot = Label("●", "caption", "accent")
        self._reset = TextButton(tr("Reset"), self.reset)
        self._reset.setAccessibleName(tr("Reset {name}", name=inside(parameter.label)))
        self._caption = Label("", "caption", "text-2", wrap=True)
        column(row(self.field, self._dot, self._reset, STRETCH), self._caption, on=self, spacing=2)
        self.update_state()

    def value(self) -> Value | None:
        """The value as typed, or None where it is wrong."""
        field = self.field
        typed = field.cleanText().replace(",", ".") if isinstance(field, NumberField) else value_of(field)
        try:
            return self.parameter.parse(typed)
        except ValueError:
            return None

    def set_value(self, value: Any) -> None:
        show_value(self.field, value)
        self.update_state()

    def is_changed(self) -> bool:
        """Whether the value differs from the baseline."""
        return self.value() != self.baseline

    def reset(self) -> None:
        """Go back to the baseline."""
        self.set_value(self.baseline)
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def update_state(self) -> None:
        """Show whether the value is right, and whether it is another one than the baseline."""
        self.problem = "" if self.value() is not None else tr("Must be {rule}.", rule=self.parameter.rule)
        set_property(self.field, "invalid", bool(self.problem))
        for part in (self._dot, self._reset):
            part.setVisible(self.is_changed())
        self._show_caption(self.field.hasFocus())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self._show_caption(event.type() == QEvent.Type.FocusIn)
        elif event.type() == QEvent.Type.Wheel and not self.field.hasFocus():
            event.ignore()  # scrolling the form must not change values under the mouse
            return True
        return False

    def _edited(self) -> None:
        self.update_state()
        self.changed.emit()

    def _show_caption(self, focused: bool) -> None:
        text = self.problem or (_help(self.parameter) if focused or self.is_changed() else "")
        set_tone(self._caption, "danger" if self.problem else "text-2")
        self._caption.say(text)


class ParameterForm(QWidget):
    """All parameters, below the names of their groups. Values are compared with a baseline: defaults, or a preset's."""

    changed = Signal()

    def __init__(self, parameters: Iterable[Parameter] = ()) -> None:
        super().__init__()
        self._lines = form(on=self)
        self.set_parameters(parameters)

    def set_parameters(self, parameters: Iterable[Parameter]) -> None:
        """Build the form anew."""
        while self._lines.rowCount():
            self._lines.removeRow(0)
        self._rows: dict[str, ParameterRow] = {}
        group = ""
        for parameter in parameters:
            if parameter.group != group:
                group = parameter.group
                self._lines.addRow(heading := Label(group))
                heading.setProperty("strong", True)
            line = self._rows[parameter.name] = ParameterRow(parameter)
            line.changed.connect(self.changed)
            label = add_field(self._lines, parameter.label, line, line.field)
            label.setWordWrap(True)
            label.setFixedWidth(theme.px(LABEL_WIDTH))
            label.setFixedHeight(max(label.height(), label.heightForWidth(label.width())))

    def values(self) -> dict[str, Value]:
        """All values that are right, by name; see `problems` for the others."""
        return {name: value for name, line in self._rows.items() if (value := line.value()) is not None}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show values; names the form does not have are left alone."""
        with QSignalBlocker(self):
            for name, value in values.items():
                if name in self._rows:
                    self._rows[name].set_value(value)
        self.changed.emit()

    def set_baseline(self, values: Mapping[str, Any]) -> None:
        """Show these values (a preset's over the defaults), and compare with them from now on."""
        for name, line in self._rows.items():
            line.baseline = line.parameter.parse(values.get(name, line.parameter.default))
        self.reset()

    def reset(self) -> None:
        """Go back to the baseline everywhere."""
        self.set_values({name: line.baseline for name, line in self._rows.items()})

    def changed_names(self) -> list[str]:
        """Names of the values that differ from the baseline."""
        return [name for name, line in self._rows.items() if line.is_changed()]

    def problems(self) -> list[str]:
        """What is wrong, each with the parameter's label."""
        return [f"{line.parameter.label}: {line.problem}" for line in self._rows.values() if line.problem]

    def row(self, name: str) -> ParameterRow:
        return self._rows[name]


def _field(one: Parameter) -> QCheckBox | QComboBox | NumberField:
    if one.kind == "bool":
        return QCheckBox()
    if one.kind == "choice":
        field: QComboBox | NumberField = combo_box(one.label, ((choice, choice) for choice in one.choices))
    else:
        field = NumberField(one)
    field.setFixedWidth(theme.px(FIELD_WIDTH))
    return field


def _help(parameter: Parameter) -> str:
    bounded = parameter.low is not None or parameter.high is not None
    return f"{parameter.help.removesuffix('.')} ({parameter.rule})." if bounded else parameter.help


_LARGEST = 1e12


class NumberField(QDoubleSpinBox):
    """Keeps what was typed, also outside the range, so that the form can say what is wrong with it."""

    edited = Signal()  # its value, or while typing what is not a value yet

    def __init__(self, parameter: Parameter) -> None:
        super().__init__()
        self._whole, self._log = parameter.kind == "int", parameter.log
        self._low = -_LARGEST if parameter.low is None else parameter.low
        self._high = _LARGEST if parameter.high is None else parameter.high
        self.setDecimals(0 if self._whole else 15)
        self.setRange(-_LARGEST, _LARGEST)
        if parameter.unit:
            self.setSuffix(f" {parameter.unit}")
        pad_spin_box(self)
        self.lineEdit().textChanged.connect(self.edited)
        self.valueChanged.connect(self.edited)  # stepping and setting do not say that the text changed

    def textFromValue(self, value: float) -> str:
        return str(round(value)) if self._whole else fmt.in_locale(f"{value:.6g}")

    def valueFromText(self, text: str) -> float:
        number = self._number(text)
        return self.value() if number is None else number

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        number = self._number(text)
        wrong = number is None or (self._whole and number != int(number))
        return QValidator.State.Intermediate if wrong else QValidator.State.Acceptable, text, position

    def stepBy(self, steps: int) -> None:
        value = self.value()
        if self._log and value > 0:
            value *= 2.0**steps
        elif self._whole:
            value += steps
        else:  # by one in the second digit
            value += steps * 10.0 ** (math.floor(math.log10(abs(value) or 1.0)) - 1)
        self.setValue(min(max(value, self._low), self._high))

    def _number(self, text: str) -> float | None:
        try:
            number = float(text.removesuffix(self.suffix().strip()).replace(",", "."))
        except ValueError:
            return None
        return number if math.isfinite(number) and abs(number) <= _LARGEST else None


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
    box = named(QComboBox(), name)
    for text, value in entries:
        box.addItem(text, value)
    return box


def spin_box(name: str, least: int, most: int, value: int = 0, width: int = 120) -> QSpinBox:
    """Return a field for a whole number."""
    box = named(QSpinBox(minimum=least, maximum=most, value=value), name)
    box.setFixedWidth(theme.px(width))
    pad_spin_box(box)
    return box


_CHANGES = {QCheckBox: "toggled", QComboBox: "currentIndexChanged", QSpinBox: "valueChanged", QLineEdit: "textChanged",
            NumberField: "edited"}  # fmt: skip


def value_of(field: QWidget) -> Any:
    """Return what a field holds; of a box of choices the value that the chosen text stands for."""
    if isinstance(field, QComboBox):
        return field.currentData()
    return field.metaObject().userProperty().read(field)


def show_value(field: QWidget, value: Any) -> None:
    """Show a value in a field; a box of choices takes one more where it lacks it."""
    if not isinstance(field, QComboBox):
        field.metaObject().userProperty().write(field, value)
        return
    if field.findData(value) < 0:
        field.addItem(str(value), value)
    field.setCurrentIndex(field.findData(value))


def on_change(field: QWidget, call: Callable[[], object]) -> None:
    """Call something whenever a field of Qt holds another value."""
    getattr(field, _CHANGES[type(field)]).connect(lambda *_: call())


def pad_spin_box(box: QAbstractSpinBox) -> None:
    """Keep the text off the edge; a style sheet cannot, since Qt gives the inner field the outer one's rules."""
    box.lineEdit().setTextMargins(theme.px(t.S), 0, 0, 0)
