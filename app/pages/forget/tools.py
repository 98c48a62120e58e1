"""The row above the gallery: search, filters, order, forget lists, undo and redo; and the panel of further filters."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPoint, QStringListModel, Qt, Signal
from PySide6.QtGui import QIcon, QStandardItemModel
from PySide6.QtWidgets import QCheckBox, QComboBox, QFrame, QGridLayout, QLineEdit, QListView, QWidget

from app.actions import Actions
from app.models.gallery import NEEDS_MODEL, SORTS, Range, Wanted
from app.services import format as fmt
from app.services import icons
from app.services import tokens as t
from app.services.theme import set_property, theme
from app.widgets.buttons import IconButton, SecondaryButton, TextButton
from app.widgets.labels import Label
from app.widgets.layout import STRETCH, column, first_and_last_row, row

PARTS = (("train", "Training images"), ("test", "Test images"))
ANSWERS = (("all", "Right and wrong"), ("right", "Right answers"), ("wrong", "Wrong answers"))
ALL_CLASSES = "All classes"
NEEDS_ANSWERS = "Known once the model was measured on the images"
NO_NAMES = "The images of this data have no file names."
SEARCH = "Part of a path, or a pattern such as customers/47*"
SEARCH_COLUMNS = SEARCH + ", or a column of the table ({}): {}=VALUE"

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


class ToolRow(QWidget):
    """`changed` says that the gallery should show something else; `wanted` says what."""

    changed = Signal()

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        first, last = first_and_last_row(self)
        self.search = QLineEdit()
        self.search.setAccessibleName("Search file names")
        self.search.setClearButtonEnabled(True)
        icons.set_icon(self.search.addAction(QIcon(), QLineEdit.ActionPosition.LeadingPosition), "search", "text_3")
        self.search.setMinimumWidth(theme.px(168))
        self.search.setMaximumWidth(theme.px(240))
        self.part = _combo("Part", PARTS)
        self.label = _combo("Class", [(-1, ALL_CLASSES)])
        self._classes = QStringListModel([ALL_CLASSES], self)  # an item a class would take seconds for 20,000
        self.label.setModel(self._classes)
        drop_down = self.label.view()
        if isinstance(drop_down, QListView):
            drop_down.setUniformItemSizes(True)
        self.answer = _combo("Answers", ANSWERS)
        self.filters = Filters()
        self.sort = _combo("Order", SORTS)
        self.reverse = IconButton("sort", "Reverse the order", checkable=True)
        self.import_button = SecondaryButton("Import list…")
        self.export_button = IconButton("export", "Export list…")
        self.undo = IconButton.from_action(actions["edit.undo"])
        self.redo = IconButton.from_action(actions["edit.redo"])
        for chooser in (self.search, self.part, self.label, self.answer):
            first.addWidget(chooser, 2)
        last.addWidget(self.filters)
        last.addWidget(self.sort, 2)
        last.addWidget(self.reverse)
        last.addSpacing(theme.px(t.M))
        for widget in (self.import_button, self.export_button, self.undo, self.redo):
            last.addWidget(widget)
        self.set_names(False)
        self.set_measured(False)
        self.search.textChanged.connect(self.changed)
        for combo in (self.part, self.label, self.answer, self.sort):
            combo.currentIndexChanged.connect(self.changed)
        self.reverse.toggled.connect(self.changed)
        self.filters.changed.connect(self.changed)

    def wanted(self) -> Wanted:
        """What the gallery should show."""
        label = self.label.currentIndex() - 1
        return Wanted(
            part=self.part.currentData(),
            label=None if label < 0 else label,
            answer=self.answer.currentData(),
            sort=self.sort.currentData(),
            reverse=self.reverse.isChecked(),
            text=self.search.text() if self.search.isEnabled() else "",
            ranges=self.filters.panel.ranges(),
            twins=self.filters.panel.twins.isChecked(),
        )

    def set_classes(self, names: Sequence[str]) -> None:
        """Offer the classes of other data, all of them chosen."""
        self.label.blockSignals(True)
        self._classes.setStringList([ALL_CLASSES, *names])
        self.label.setCurrentIndex(0)
        self.label.blockSignals(False)

    def choose_class(self, label: int) -> None:
        """Show one class, -1 for all."""
        self.label.setCurrentIndex(label + 1)

    def set_names(self, known: bool, columns: Sequence[str] = ()) -> None:
        """Whether the images have file names to search in, and the columns of the table that lists them."""
        self.search.setEnabled(known)
        self.search.setPlaceholderText("Search file names" if known else "No file names")
        hint = SEARCH_COLUMNS.format(", ".join(columns), columns[0]) if columns else SEARCH
        self.search.setToolTip(hint if known else NO_NAMES)
        _enable(self.sort, {"name"}, known, NO_NAMES)

    def set_measured(self, measured: bool) -> None:
        """Offer what needs the model's answers only once there are any."""
        for combo, needs in ((self.answer, {"right", "wrong"}), (self.sort, NEEDS_MODEL)):
            _enable(combo, needs, measured, NEEDS_ANSWERS)
            if not measured and combo.currentData() in needs:
                combo.setCurrentIndex(0)
        if not measured:
            self.filters.panel.set_limits({})

    def reset(self) -> None:
        """Show everything."""
        self.search.clear()
        self.filters.panel.clear()
        for combo in (self.label, self.answer):
            combo.setCurrentIndex(0)


class Filters(IconButton):
    """Opens the panel; marked while a filter in it holds. `changed` says that another one does."""

    changed = Signal()
    opening = Signal()  # time to say how far the values reach

    def __init__(self) -> None:
        super().__init__("filter", NAME, self.open, checkable=True)
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
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.px(t.S))
        grid.setVerticalSpacing(theme.px(t.S))
        self.fields: dict[str, tuple[QLineEdit, QLineEdit]] = {}
        for line, (value, title) in enumerate(ROWS):
            name = Label(title, tone="text-2")
            name.setToolTip(TIPS[value])
            low, high = self._field(f"{title}, from", value), self._field(f"{title}, to", value)
            self.fields[value] = (low, high)
            for place, widget in enumerate((name, low, Label("to", tone="text-2"), high)):
                grid.addWidget(widget, line, place)
        self.why = Label(NOT_MEASURED, "caption", "text-2")
        self.twins = QCheckBox(TWINS)
        self.twins.setToolTip(TWINS_TIP)
        self.twins.toggled.connect(self.changed)
        foot = row(STRETCH, TextButton("Clear filters", self.clear))
        column(grid, self.why, self.twins, foot, on=self, margins=t.M)
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


def _combo(name: str, entries: Sequence[tuple[object, str]]) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.setToolTip(name)
    for value, title in entries:
        box.addItem(title, value)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    box.setMaxVisibleItems(16)
    widest = max(box.fontMetrics().horizontalAdvance(title) for _, title in entries)
    box.view().setMinimumWidth(widest + theme.px(t.XXL))
    return box


def _enable(combo: QComboBox, keys: set[str] | frozenset[str], on: bool, why: str) -> None:
    model = combo.model()
    assert isinstance(model, QStandardItemModel)
    for place in range(combo.count()):
        if combo.itemData(place) in keys:
            model.item(place).setEnabled(on)
            combo.setItemData(place, "" if on else why, Qt.ItemDataRole.ToolTipRole)
