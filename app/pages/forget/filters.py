"""Further filters of the gallery, under a button: bounds on what the model says of an image, and duplicates."""

from __future__ import annotations

import math

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QFrame, QGridLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.models.gallery import Range
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import set_property, theme
from app.widgets.buttons import IconButton, TextButton
from app.widgets.labels import Label

ROWS = (("confidence", "Confidence, %"), ("loss", "Loss"), ("margin", "Margin"), ("distance", "Distance to class mean"))
TIPS = {
    "confidence": "Probability of the class the model names",
    "loss": "Cross-entropy of the model on the image",
    "margin": "Logit of the image's own class minus the largest other; below 0 the model is wrong",
    "distance": "How far the image's features lie from the mean of its class",
}
TWINS = "Only images that have a duplicate"
TWINS_TIP = "The same picture is among the training images again: the same pixels, or resized or recompressed."
NOT_MEASURED = "Known once the model was measured on the images."
NAME = "More filters"


class Filters(IconButton):
    """Opens the panel; marked while a filter in it holds. `changed` says that another one does."""

    changed = Signal()
    opening = Signal()  # time to say how far the values reach

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("filter", NAME, self.open, parent, checkable=True)
        self.panel = FilterPanel(self)
        self.panel.changed.connect(self._changed)

    def open(self) -> None:
        """Show the panel below the button."""
        self.setChecked(bool(self.panel.told()))  # a click is no change
        self.opening.emit()
        self.panel.adjustSize()
        corner = self.mapToGlobal(QPoint(0, self.height() + theme.px(t.XS)))
        right = self.window().mapToGlobal(QPoint(self.window().width(), 0)).x()
        corner.setX(min(corner.x(), right - self.panel.width() - theme.px(t.S)))
        self.panel.move(corner)
        self.panel.show()
        self.panel.first_field().setFocus(Qt.FocusReason.PopupFocusReason)

    def _changed(self) -> None:
        told = self.panel.told()
        self.setChecked(bool(told))
        self.setToolTip(f"{NAME}: {', '.join(told)}" if told else NAME)
        self.changed.emit()


class FilterPanel(QFrame):
    """Two fields a value; an empty one bounds nothing, and shows in grey how far the values reach."""

    changed = Signal()

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner, Qt.WindowType.Popup)
        self.setProperty("part", "popup")
        self.setAccessibleName(NAME)
        column = QVBoxLayout(self)
        pad = theme.px(t.M)
        column.setContentsMargins(pad, pad, pad, pad)
        column.setSpacing(theme.px(t.S))
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.px(t.S))
        grid.setVerticalSpacing(theme.px(t.S))
        self.fields: dict[str, tuple[QLineEdit, QLineEdit]] = {}
        for row, (value, title) in enumerate(ROWS):
            name = Label(title, tone="text-2")
            name.setToolTip(TIPS[value])
            low, high = self._field(f"{title}, from", value), self._field(f"{title}, to", value)
            self.fields[value] = (low, high)
            for place, widget in enumerate((name, low, Label("to", tone="text-2"), high)):
                grid.addWidget(widget, row, place)
        column.addLayout(grid)
        self.why = Label(NOT_MEASURED, "caption", "text-2")
        column.addWidget(self.why)
        self.twins = QCheckBox(TWINS)
        self.twins.setToolTip(TWINS_TIP)
        self.twins.toggled.connect(self.changed)
        column.addWidget(self.twins)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(TextButton("Clear filters", self.clear))
        column.addLayout(foot)
        self.set_limits({})

    def ranges(self) -> tuple[Range, ...]:
        """The bounds that hold; confidence as 0..1."""
        found: list[Range] = []
        for value, (low, high) in self.fields.items():
            bounds = [_number(field.text()) if field.isEnabled() else None for field in (low, high)]
            if value == "confidence":
                bounds = [None if bound is None else bound / 100 for bound in bounds]
            if bounds != [None, None]:
                found.append((value, bounds[0], bounds[1]))
        return tuple(found)

    def told(self) -> list[str]:
        """The filters that hold, in words."""
        words = []
        for value, title in ROWS:
            low, high = (
                field.text().strip() if field.isEnabled() and _number(field.text()) is not None else ""
                for field in self.fields[value]
            )
            if low or high:
                bounds = " ".join([f"from {low}"] * bool(low) + [f"to {high}"] * bool(high))
                words.append(f"{title.removesuffix(', %').lower()} {bounds}{' %' if title.endswith('%') else ''}")
        return words + ["with a duplicate"] * (self.twins.isChecked() and self.twins.isEnabled())

    def set_limits(self, limits: dict[str, tuple[float, float] | None]) -> None:
        """Say how far each value reaches in the images; one that is not known cannot be bounded."""
        for value, fields in self.fields.items():
            known = limits.get(value)
            scale = 100 if value == "confidence" else 1
            for field, limit in zip(fields, known or (None, None), strict=True):
                field.setEnabled(known is not None)
                field.setPlaceholderText("" if limit is None else fmt.decimal(limit * scale))
        self.why.setVisible(not any(limits.values()))

    def set_twins_known(self, known: bool) -> None:
        """Whether the images shown are ones that duplicates are known of: those of the training part."""
        self.twins.setEnabled(known)

    def clear(self) -> None:
        """Take all bounds away."""
        for field in (field for pair in self.fields.values() for field in pair):
            field.clear()
        self.twins.setChecked(False)

    def first_field(self) -> QWidget:
        """Where typing begins."""
        field = self.fields["confidence"][0]
        return field if field.isEnabled() else self.twins

    def _field(self, name: str, value: str) -> QLineEdit:
        field = QLineEdit()
        field.setAccessibleName(name)
        field.setToolTip(TIPS[value])
        field.setFixedWidth(theme.px(88))
        field.textChanged.connect(self._edited)
        return field

    def _edited(self) -> None:
        for field in (field for pair in self.fields.values() for field in pair):
            text = field.text().strip()
            set_property(field, "invalid", bool(text) and _number(text) is None)
        self.changed.emit()


def _number(text: str) -> float | None:
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
