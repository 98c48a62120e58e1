"""Tables of the classes: those to tick on Forget, and on Project which output of the model stands for which class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Qt, Signal

from app.models.tables import Column, ColumnTable, Index
from app.services import format as fmt
from app.services.theme import theme
from app.services.translation import mark, tr

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.selection import Selection

NAME, TRAIN, TEST, ACCURACY, FORGET = range(5)
SHARE = int(Qt.ItemDataRole.UserRole) + 1  # of the FORGET column: 0..1
LABEL = int(Qt.ItemDataRole.UserRole) + 2  # the class's index
SAMPLE_COUNT = 6
SAMPLE_KEYS = int(Qt.ItemDataRole.UserRole) + 1  # of the fit table's samples: thumbnail keys

NO_TEST_IMAGES = mark("There are no test images of this class.")
RIGHT_SHARE = mark("Share of the class's test images that the model gets right")


class ClassRows(ColumnTable):
    """The classes of a data set: how many images each has, and the model's accuracy on those to test.

    Subclasses say which column shows the accuracy, 0..1 or None, and which shows the images to train on.
    """

    accuracy_column = train_column = 0

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._hold(None)

    def _hold(self, dataset: Dataset | None) -> None:
        """Take in another data set, where nothing is chosen and nothing measured."""
        none = np.zeros(0, np.int64)
        parts = (dataset.train.labels.numpy(), dataset.test.labels.numpy()) if dataset is not None else (none, none)
        self._names: tuple[str, ...] = dataset.classes if dataset is not None else ()
        self._labels = parts[0]
        self._train, self._test = (np.bincount(labels, minlength=len(self._names)) for labels in parts)
        self._accuracy: tuple[float | None, ...] | None = None

    def set_accuracy(self, accuracy: tuple[float | None, ...] | None) -> None:
        """Show each class's accuracy on test images, 0..1."""
        self._accuracy = accuracy
        self.tell_changed(self.accuracy_column, self.accuracy_column)

    def row_names(self) -> tuple[str, ...]:
        """The classes' names."""
        return self._names

    def count(self) -> int:
        return len(self._names)

    def sort_keys(self, column: int) -> np.ndarray:
        """What rows are sorted by; classes stand in the order of the outputs."""
        if column == self.accuracy_column:
            values = (self._value(row) for row in range(self.count()))
            return np.array([-1.0 if value is None else value for value in values])
        return self._train if column == self.train_column else np.arange(self.count())

    def cell(self, row: int, column: int, role: int) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column)
        told = role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole)
        return self._told(row, column) if told else None

    def _text(self, row: int, column: int) -> str | None:
        if column == self.train_column:
            return fmt.count(int(self._train[row]))
        return fmt.percent(self._value(row), unit=False) if column == self.accuracy_column else None

    def _told(self, row: int, column: int) -> str | None:
        if column == self.train_column:
            images, test = fmt.images(int(self._train[row])), fmt.count(int(self._test[row]))
            return tr("{images} to train on, {test} to test", images=images, test=test)
        if column == self.accuracy_column and self._value(row) is None:
            return tr(NO_TEST_IMAGES) if self._accuracy else tr("Measured once model and data are both open.")
        return self._text(row, column)

    def _value(self, row: int) -> float | None:
        return self._accuracy[row] if self._accuracy is not None and row < len(self._accuracy) else None


class ClassTableModel(ClassRows):
    """Ticking a box changes nothing here: `toggle_wanted(classes, on)` asks for it, `set_selection` shows it."""

    toggle_wanted = Signal(object, bool)
    accuracy_column, train_column = ACCURACY, TRAIN
    columns = (
        Column(mark("Class"), mark("The box chooses all classes shown, or none.")),
        Column(mark("Train", "title of a narrow column"), mark("Images to train on"), number=True,
               meaning="title of a narrow column"),
        Column(mark("Test"), mark("Images to test"), number=True),
        Column(mark("Acc. %"), RIGHT_SHARE, number=True),
        Column("", mark("Share of the class's training images in the forget set")),
    )

    def set_data(self, dataset: Dataset | None) -> None:
        """Show another data set; nothing is chosen and nothing measured."""
        self.beginResetModel()
        self._hold(dataset)
        self.endResetModel()

    def _hold(self, dataset: Dataset | None) -> None:
        super()._hold(dataset)
        self._chosen = self._earlier = np.zeros(len(self._names), np.int64)

    def set_selection(self, selection: Selection | None) -> None:
        """Show what is in the forget set."""
        chosen = selection.class_counts if selection is not None else np.zeros(len(self._names), np.int64)
        if len(chosen) != len(self._names):
            return  # of other data; the model is told of that next
        if not np.array_equal(chosen, self._chosen):
            self._chosen = chosen
            self.tell_changed()

    def set_earlier(self, mask: np.ndarray | None) -> None:
        """Which images were forgotten in earlier requests, (n,) bool; None: none. They cannot be chosen."""
        gone = self._labels[mask] if mask is not None else self._labels[:0]
        self._earlier = np.bincount(gone, minlength=len(self._names))
        self.tell_changed()

    def states(self, labels: np.ndarray) -> Qt.CheckState:
        """Whether all, some or none of classes (m,) is in the forget set; those forgotten earlier do not count."""
        labels = labels[self._earlier[labels] < self._train[labels]]
        chosen = self._chosen[labels]
        if not chosen.any():
            return Qt.CheckState.Unchecked
        whole = (chosen >= self._train[labels] - self._earlier[labels]).all()
        return Qt.CheckState.Checked if whole else Qt.CheckState.PartiallyChecked

    def sort_keys(self, column: int) -> np.ndarray:
        """As of all classes, and by the share in the forget set."""
        if column == FORGET:
            shares: np.ndarray = self._chosen / np.maximum(self._train, 1)
            return shares
        return self._test if column == TEST else super().sort_keys(column)

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.isValid() and index.column() == NAME and self._free(index.row()):
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def cell(self, row: int, column: int, role: int) -> Any:
        if role == Qt.ItemDataRole.CheckStateRole:
            return self._state(row) if column == NAME and self._free(row) else None
        if role == Qt.ItemDataRole.ForegroundRole:
            return None if self._free(row) else theme.brush("text_3")
        if role == SHARE:
            return float(self._chosen[row] / max(1, self._train[row]))
        return row if role == LABEL else super().cell(row, column, role)

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid() or index.column() != NAME:
            return False
        # A class that is chosen in part becomes whole.
        self.toggle_wanted.emit([index.row()], self._state(index.row()) != Qt.CheckState.Checked)
        return True

    def _state(self, row: int) -> Qt.CheckState:
        return self.states(np.array([row]))

    def _free(self, row: int) -> bool:
        """Whether a class has images that were not forgotten in earlier requests."""
        return bool(self._train[row] > self._earlier[row])

    def _text(self, row: int, column: int) -> str | None:
        if column == NAME:
            name, gone = self._names[row], self._train[row] and not self._free(row)
            return tr("{name} · forgotten", name=name) if gone else name
        return fmt.count(int(self._test[row])) if column == TEST else super()._text(row, column)

    def _told(self, row: int, column: int) -> str | None:
        name, train = self._names[row], int(self._train[row])
        if self._earlier[row] and column in (NAME, FORGET):
            already = fmt.of_total(int(self._earlier[row]), train)
            return tr("{name}: {images} already forgotten", name=name, images=already)
        if not train and column in (NAME, FORGET):
            return tr("{name}: an output without training images", name=name)
        if column == FORGET:
            return tr("{images} in the forget set", images=fmt.of_total(int(self._chosen[row]), train))
        return super()._told(row, column)


class FitTableModel(ClassRows):
    """Which output stands for which class: rows are classes in the order of the outputs, with sample images."""

    OUTPUT, MODEL, FOLDER, IMAGES, ACCURACY, SAMPLES = range(6)
    accuracy_column, train_column = ACCURACY, IMAGES

    columns = (
        Column(mark("Output"), number=True), Column(mark("Name in model")), Column(mark("Class of the data")),
        Column(mark("Images"), number=True), Column(mark("Accuracy, %"), RIGHT_SHARE, number=True),
        Column(mark("Samples")),
    )  # fmt: skip

    def set_data(self, dataset: Dataset | None, model_names: tuple[str, ...] | None) -> None:
        """Show another data set, without accuracies."""
        self.beginResetModel()
        self._hold(dataset)
        self._model_names: tuple[str, ...] = model_names or ()
        self.endResetModel()

    def _hold(self, dataset: Dataset | None) -> None:
        super()._hold(dataset)
        self._model_names = ()
        self._samples: dict[int, tuple[tuple[str, int], ...]] = {}  # of the rows that were drawn

    def sort_keys(self, column: int) -> np.ndarray:
        """As of all classes, and by both names."""
        if column in (self.MODEL, self.FOLDER):
            texts = [(self._text(row, column) or "").casefold() for row in range(self.count())]
            return np.unique(np.array(texts), return_inverse=True)[1]
        return super().sort_keys(column)

    def samples(self, row: int) -> tuple[tuple[str, int], ...]:
        """Thumbnail keys of up to SAMPLE_COUNT training images of a class, spread evenly over it."""
        if row not in self._samples:
            members = np.flatnonzero(self._labels == row)
            wanted = min(SAMPLE_COUNT, len(members))
            chosen = members[np.arange(wanted) * len(members) // max(1, wanted)]
            self._samples[row] = tuple(("train", image) for image in chosen.tolist())
        return self._samples[row]

    def samples_came(self) -> None:
        """Draw the samples again."""
        self.tell_changed(self.SAMPLES, self.SAMPLES)

    def cell(self, row: int, column: int, role: int) -> Any:
        is_samples = role == SAMPLE_KEYS and column == self.SAMPLES
        return self.samples(row) if is_samples else super().cell(row, column, role)

    def _text(self, row: int, column: int) -> str | None:
        if column == self.OUTPUT:
            return fmt.count(row)
        if column == self.MODEL:
            return self._model_names[row] if row < len(self._model_names) else fmt.DASH
        return self._names[row] if column == self.FOLDER else super()._text(row, column)

    def _told(self, row: int, column: int) -> str | None:
        if column == self.MODEL and not self._model_names:
            return tr("The checkpoint does not hold class names.")
        return super()._told(row, column)
