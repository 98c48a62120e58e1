"""Preprocessing set by hand: size, mean and spread of every channel, and how sizes are changed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout, QHBoxLayout, QSpinBox, QWidget

from app.dialogs.sheet import Sheet
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import SecondaryButton, TextButton
from app.widgets.labels import Label, caption

LARGEST_SIDE = 8192
CHANNELS = {1: ("Grey",), 3: ("Red", "Green", "Blue")}


class PreprocessingDialog(Sheet):
    """`chosen` carries a mapping of size, mean, std and interpolation, or None to go back to what was found.

    `known` are named sets of (mean, std) to start from; `by_hand` says that the present values were set by hand.
    """

    chosen = Signal(object)

    def __init__(
        self,
        size: tuple[int, int],
        mean: Sequence[float],
        std: Sequence[float],
        interpolation: str,
        interpolations: Sequence[str],
        known: dict[str, tuple[Sequence[float], Sequence[float]]],
        by_hand: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Preprocessing", "Use these values", parent)
        text = Label("What images are brought to before they reach the network. Use the values it was trained with.",
                     wrap=True)  # fmt: skip
        text.setMinimumWidth(theme.px(440))
        self.body.addWidget(text)
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.px(t.S))
        grid.setVerticalSpacing(theme.px(t.S))
        self._height, self._width = _side(size[0], "Height in pixels"), _side(size[1], "Width in pixels")
        sizes = QHBoxLayout()
        sizes.setSpacing(theme.px(t.S))
        for widget in (self._height, Label("×", "body", "text-2"), self._width):
            sizes.addWidget(widget)
        sizes.addStretch(1)
        grid.addWidget(_label("&Size (height × width)", self._height), 0, 0)
        grid.addLayout(sizes, 0, 1)
        names = CHANNELS.get(len(mean), tuple(f"Channel {i + 1}" for i in range(len(mean))))
        self._mean = [_share(v, f"Mean, {n.lower()}", -1.0, 1.0) for v, n in zip(mean, names, strict=True)]
        self._std = [_share(v, f"Spread, {n.lower()}", 0.0, 10.0) for v, n in zip(std, names, strict=True)]
        for row, (word, fields) in enumerate((("&Mean, 0 to 1", self._mean), ("S&pread (std)", self._std)), 1):
            grid.addWidget(_label(word, fields[0]), row, 0)
            grid.addLayout(_row(fields), row, 1)
        self._interpolation = QComboBox()
        self._interpolation.setAccessibleName("How sizes are changed")
        self._interpolation.addItems(list(interpolations))
        self._interpolation.setCurrentText(interpolation)
        grid.addWidget(_label("&Resize with", self._interpolation), 3, 0)
        grid.addLayout(_row([self._interpolation]), 3, 1)
        self.body.addLayout(grid)
        starts = QHBoxLayout()
        starts.setSpacing(theme.px(t.S))
        starts.addWidget(caption("Fill in:"))
        for name, values in known.items():
            starts.addWidget(TextButton(name, partial(self._fill, *values)))
        starts.addStretch(1)
        self.body.addLayout(starts)
        if by_hand:
            self.add_foot(SecondaryButton("Take back", self._take_back))
        self._taken_back = False
        for field in (*self._mean, *self._std):
            field.valueChanged.connect(self._check)
        self.accepted.connect(self._accepted)
        self._check()

    def values(self) -> dict[str, Any]:
        """The values as they stand."""
        return {
            "size": [self._height.value(), self._width.value()],
            "mean": [field.value() for field in self._mean],
            "std": [field.value() for field in self._std],
            "interpolation": self._interpolation.currentText(),
        }

    def _fill(self, mean: Sequence[float], std: Sequence[float]) -> None:
        for fields, values in ((self._mean, mean), (self._std, std)):
            for field, value in zip(fields, values, strict=True):
                field.setValue(value)

    def _check(self, *_value: object) -> None:
        flat = any(field.value() <= 0 for field in self._std)
        self.set_reason("The spread of every channel must be above 0." if flat else "")

    def _take_back(self) -> None:
        self._taken_back = True
        self.accept()

    def _accepted(self) -> None:
        self.chosen.emit(None if self._taken_back else self.values())


def _side(value: int, name: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(1, LARGEST_SIDE)
    box.setValue(value)
    box.setAccessibleName(name)
    box.setFixedWidth(theme.px(96))
    box.lineEdit().setTextMargins(theme.px(t.XS), 0, 0, 0)
    return box


def _share(value: float, name: str, low: float, high: float) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(4)
    box.setRange(low, high)
    box.setSingleStep(0.01)
    box.setValue(value)
    box.setAccessibleName(name)
    box.setToolTip(name)
    box.setFixedWidth(theme.px(96))
    box.lineEdit().setTextMargins(theme.px(t.XS), 0, 0, 0)
    return box


def _label(text: str, buddy: QWidget) -> Label:
    label = Label(text, "body", "text-2")
    label.setBuddy(buddy)
    return label


def _row(widgets: Sequence[QWidget]) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(theme.px(t.S))
    for widget in widgets:
        row.addWidget(widget)
    row.addStretch(1)
    return row
