"""The row above the gallery: search, filters, order, forget lists, undo and redo."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QStringListModel, Qt, Signal
from PySide6.QtGui import QIcon, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QLineEdit, QListView, QWidget

from app.actions import Actions
from app.models.gallery import NEEDS_MODEL, SORTS, Wanted
from app.pages.forget.filters import Filters
from app.services import icons
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import IconButton, SecondaryButton
from app.widgets.layout import first_and_last_row

PARTS = (("train", "Training images"), ("test", "Test images"))
ANSWERS = (("all", "Right and wrong"), ("right", "Right answers"), ("wrong", "Wrong answers"))
ALL_CLASSES = "All classes"
NOT_MEASURED = "Known once the model was measured on the images"
NO_NAMES = "The images of this data have no file names."
SEARCH = "Part of a path, or a pattern such as customers/47*"
SEARCH_COLUMNS = SEARCH + ", or a column of the table ({}): {}=VALUE"


class ToolRow(QWidget):
    """`changed` says that the gallery should show something else; `wanted` says what."""

    changed = Signal()

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row, last = first_and_last_row(self)
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
        row.addWidget(self.search, 2)
        for combo in (self.part, self.label, self.answer):
            row.addWidget(combo, 2)
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
            _enable(combo, needs, measured, NOT_MEASURED)
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
    for row in range(combo.count()):
        if combo.itemData(row) in keys:
            model.item(row).setEnabled(on)
            combo.setItemData(row, "" if on else why, Qt.ItemDataRole.ToolTipRole)
