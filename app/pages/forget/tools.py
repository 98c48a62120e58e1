"""The row above the gallery: search, filters, order, forget lists, undo and redo; and the panel of further filters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain
from math import inf
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QStringListModel, Qt, Signal
from PySide6.QtGui import QDoubleValidator, QStandardItemModel
from PySide6.QtWidgets import QCheckBox, QComboBox, QFrame, QGridLayout, QLineEdit, QListView, QWidget

from app.actions import Actions
from app.models.gallery import NEEDS_ANSWERS, NEEDS_FEATURES, SORTS, Range, Wanted
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import locale, mark, tr
from app.widgets.buttons import IconButton, SecondaryButton, TextButton
from app.widgets.labels import Label
from app.widgets.layout import STRETCH, column, first_and_last_row, named, row
from app.widgets.table import search_field

if TYPE_CHECKING:
    from core.session.baseline import Baseline

PARTS = (("train", mark("Training images")), ("test", mark("Test images")))
ANSWERS = (("all", mark("Right and wrong")), ("right", mark("Right answers")), ("wrong", mark("Wrong answers")))
ALL_CLASSES = mark("All classes")
NOT_MEASURED = mark("Known once the model was measured on the images.")
NO_ANSWERS = mark("An encoder gives features and names no class.")
NO_NAMES = mark("The images of this data have no file names.")
SEARCH = mark(
    "Part of a path, a pattern such as customers/47*, or COLUMN=VALUE of the table that lists the images"
)
ROWS = (
    ("confidence", mark("Confidence (%)"), mark("Probability of the class the model names")),
    ("loss", mark("Loss"), mark("Cross-entropy of the model on the image")),
    ("margin", mark("Margin"),
     mark("Logit of the image's own class minus the largest other; below 0 the model is wrong")),
    ("distance", mark("Distance to class mean"), mark("How far the image's features lie from the mean of its class")),
)  # fmt: skip
TWINS = mark("Only images that have a duplicate")
TWINS_TIP = mark(
    "The same picture is among the training images again: the same pixels, or resized or recompressed."
)
MORE = mark("More filters")


class ToolRow(QWidget):
    """`changed` says that the gallery should show something else; `wanted` says what."""

    changed = Signal()

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        first, last = first_and_last_row(self)
        self.search = search_field(tr("Search file names"))
        self.search.setToolTip(tr(SEARCH))
        self.search.setMinimumWidth(theme.px(168))
        self.search.setMaximumWidth(theme.px(240))
        self.part = _combo(tr("Part of the data"), PARTS)
        self.label = _combo(tr("Class"), [(-1, ALL_CLASSES)])
        self._classes = QStringListModel([tr(ALL_CLASSES)], self)  # an item a class would take seconds for 20,000
        self.label.setModel(self._classes)
        drop_down = self.label.view()
        if isinstance(drop_down, QListView):
            drop_down.setUniformItemSizes(True)
        self.answer = _combo(tr("Answers"), ANSWERS)
        self.filters = FilterPanel(self)
        self.filter_button = IconButton("filter", tr(MORE), self._open_filters, checkable=True)
        self.sort = _combo(tr("Order"), SORTS)
        self.reverse = IconButton("sort", tr("Reverse the order"), checkable=True)
        self.import_button = SecondaryButton(tr("Import list…"))
        self.export_button = IconButton("export", tr("Export list…"))
        self.undo = IconButton.from_action(actions["edit.undo"])
        self.redo = IconButton.from_action(actions["edit.redo"])
        for chooser in (self.search, self.part, self.label, self.answer):
            first.addWidget(chooser, 2)
        last.addWidget(self.filter_button)
        last.addWidget(self.sort, 2)
        last.addWidget(self.reverse)
        last.addSpacing(theme.px(t.M))
        for widget in (self.import_button, self.export_button, self.undo, self.redo):
            last.addWidget(widget)
        self.set_names(False)
        self.set_measured(None)
        self.filters.changed.connect(self._mark_filters)
        for signal in (self.search.textChanged, self.reverse.toggled, self.filters.changed):
            signal.connect(self.changed)
        for combo in (self.part, self.label, self.answer, self.sort):
            combo.currentIndexChanged.connect(self.changed)

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
            ranges=self.filters.ranges(),
            twins=self.filters.twins.isChecked(),
        )

    def set_classes(self, names: Sequence[str]) -> None:
        """Offer the classes of other data, all of them chosen."""
        self.label.blockSignals(True)
        self._classes.setStringList([tr(ALL_CLASSES), *names])
        self.label.setCurrentIndex(0)
        self.label.blockSignals(False)

    def choose_class(self, label: int) -> None:
        """Show one class, -1 for all."""
        self.label.setCurrentIndex(label + 1)

    def set_names(self, known: bool) -> None:
        """Whether the images have file names to search in."""
        self.search.setEnabled(known)
        self.search.setPlaceholderText(tr("Search file names") if known else tr("No file names"))
        _enable(self.sort, {"name"}, known, NO_NAMES)

    def set_measured(self, baseline: Baseline | None) -> None:
        """Offer what needs the model's features or answers only once there are any."""
        measured = baseline is not None
        answers, why = baseline is not None and baseline.names_classes, NO_ANSWERS if measured else NOT_MEASURED
        for combo, needs, known in (
            (self.answer, {"right", "wrong"}, answers), (self.sort, NEEDS_FEATURES, measured),
            (self.sort, NEEDS_ANSWERS, answers),
        ):  # fmt: skip
            _enable(combo, needs, known, why)
            if not known and combo.currentData() in needs:
                combo.setCurrentIndex(0)
        if not measured:
            self.filters.set_limits({})

    def reset(self) -> None:
        """Show everything."""
        self.search.clear()
        self.filters.clear()
        for combo in (self.label, self.answer):
            combo.setCurrentIndex(0)

    def _open_filters(self) -> None:
        self._mark_filters()  # a click is no change
        self.filters.open_below(self.filter_button)

    def _mark_filters(self) -> None:
        self.filter_button.setChecked(bool(self.filters.ranges()) or self.filters.twins.isChecked())


class FilterPanel(QFrame):
    """Two fields a value; an empty one bounds nothing, and shows in grey how far the values reach."""

    changed = Signal()
    opening = Signal()  # time to say how far the values reach

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner, Qt.WindowType.Popup)
        self.setProperty("part", "popup")
        self.setAccessibleName(tr(MORE))
        grid = QGridLayout()
        grid.setSpacing(theme.px(t.S))
        numbers = QDoubleValidator(self)
        numbers.setLocale(locale())
        self.fields: dict[str, tuple[QLineEdit, QLineEdit]] = {}
        for line, (value, title, tip) in enumerate(ROWS):
            low = named(QLineEdit(), tr("{value}, from", value=tr(title)))
            high = named(QLineEdit(), tr("{value}, to", value=tr(title)))
            self.fields[value] = low, high
            for field in (low, high):
                field.setValidator(numbers)
                field.setFixedWidth(theme.px(88))
                field.textChanged.connect(self.changed)
            name, to = Label(tr(title), tone="text-2"), Label(tr("to", "between two numbers"), tone="text-2")
            for place, part in enumerate((name, low, to, high)):
                part.setToolTip(tr(tip))
                grid.addWidget(part, line, place)
        self.why = Label(tr(NOT_MEASURED), "caption", "text-2")
        self.twins = QCheckBox(tr(TWINS))
        self.twins.setToolTip(tr(TWINS_TIP))
        self.twins.toggled.connect(self.changed)
        column(grid, self.why, self.twins, row(STRETCH, TextButton(tr("Clear filters"), self.clear)),
               on=self, margins=t.M)  # fmt: skip
        self.set_limits({})

    def open_below(self, button: QWidget) -> None:
        """Show the panel below a button, within its window."""
        self.opening.emit()
        self.adjustSize()
        window = button.window()
        corner = button.mapToGlobal(QPoint(0, button.height() + theme.px(t.XS)))
        right = window.mapToGlobal(QPoint(window.width(), 0)).x()
        corner.setX(min(corner.x(), right - self.width() - theme.px(t.S)))
        self.move(corner)
        self.show()
        first = self.fields["confidence"][0]
        (first if first.isEnabled() else self.twins).setFocus(Qt.FocusReason.PopupFocusReason)

    def ranges(self) -> tuple[Range, ...]:
        """The bounds that hold; confidence as 0..1."""
        found: list[Range] = []
        for value, (low, high) in self.fields.items():
            bounds = _number(low, -inf) / _scale(value), _number(high, inf) / _scale(value)
            if bounds != (-inf, inf):
                found.append((value, *bounds))
        return tuple(found)

    def set_limits(self, limits: dict[str, tuple[float, float] | None]) -> None:
        """Say how far each value reaches in the images; one that is not known cannot be bounded."""
        before = self.ranges()
        for value, fields in self.fields.items():
            known = limits.get(value)
            for field, limit in zip(fields, known or (None, None), strict=True):
                field.setEnabled(known is not None)
                field.setPlaceholderText("" if limit is None else fmt.decimal(limit * _scale(value)))
        self.why.setVisible(not any(limits.values()))
        if self.ranges() != before:  # a bound holds while its field is enabled
            self.changed.emit()

    def clear(self) -> None:
        """Take all bounds away."""
        for field in chain(*self.fields.values()):
            field.clear()
        self.twins.setChecked(False)


def _scale(value: str) -> int:
    return 100 if value == "confidence" else 1


def _number(field: QLineEdit, unbounded: float) -> float:
    """What a field bounds; `unbounded` where it says nothing, or has no say."""
    number, is_number = locale().toDouble(field.text())
    return number if is_number and field.isEnabled() else unbounded


def _combo(name: str, entries: Sequence[tuple[object, str]]) -> QComboBox:
    box = QComboBox(
        sizeAdjustPolicy=QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon, minimumContentsLength=8,
        maxVisibleItems=16,
    )  # fmt: skip
    box.setAccessibleName(name)
    box.setToolTip(name)
    for value, title in entries:
        box.addItem(tr(title), value)
    box.view().setMinimumWidth(box.view().sizeHintForColumn(0) + theme.px(t.XXL))
    return box


def _enable(combo: QComboBox, keys: Collection[str], on: bool, why: str) -> None:
    model = combo.model()
    assert isinstance(model, QStandardItemModel)
    for place in range(combo.count()):
        if combo.itemData(place) in keys:
            model.item(place).setEnabled(on)
            combo.setItemData(place, "" if on else tr(why), Qt.ItemDataRole.ToolTipRole)
