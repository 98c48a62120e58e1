"""A field for one number: any notation, unit inside, arrow keys step it (by factors where its scale is)."""

from __future__ import annotations

import math

from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QWidget

from app.services import tokens as t
from app.services.theme import theme

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
