"""Tables of the classes: those to tick on Forget, and on Project which output of the model stands for which class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Qt, Signal

from app.models.tables import ArrangedRows, Column, ColumnTable, Index
from app.services import format as fmt
from app.services.theme import theme

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.selection import Selection

NAME, TRAIN, TEST, ACCURACY, FORGET = range(5)
SHARE = int(Qt.ItemDataRole.UserRole) + 1  # of the FORGET column: 0..1
LABEL = int(Qt.ItemDataRole.UserRole) + 2  # the class's index
SAMPLE_COUNT = 6
SAMPLE_KEYS = int(Qt.ItemDataRole.UserRole) + 1  # of the fit table's samples: thumbnail keys

_NO_TEST_IMAGES = "There are no test images of this class."


class ClassTableModel(ColumnTable):
    """Ticking a box changes nothing here: `toggle_wanted(classes, on)` asks for it, `set_selection` shows it."""

    toggle_wanted = Signal(object, bool)
    columns = (
        Column(
            "Class", "The box chooses all classes shown, or none."
        ),
        Column("Train", "Images to train on", number=True),
        Column("Test", "Images to test", number=True),
        Column("Acc. %", "Share of the class's test images that the model gets right", number=True),
        Column("", "Share of the class's training images in the forget set"),
    )

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._names: tuple[str, ...] = ()
        self._train = self._test = self._chosen = self._earlier = np.zeros(0, np.int64)
        self._accuracy: tuple[float | None, ...] | None = None

    def set_data(self, dataset: Dataset | None) -> None:
        """Show another data set; nothing is chosen and nothing measured."""
        self.beginResetModel()
        self._names = dataset.classes if dataset is not None else ()
        many = len(self._names)
        self._train = self._test = np.zeros(many, np.int64)
        if dataset is not None:
            self._train = np.bincount(dataset.train.labels.numpy(), minlength=many)
            self._test = np.bincount(dataset.test.labels.numpy(), minlength=many)
        self._chosen, self._earlier = np.zeros(many, np.int64), np.zeros(many, np.int64)
        self._accuracy = None
        self.endResetModel()

    def set_selection(self, selection: Selection | None) -> None:
        """Show what is in the forget set."""
        chosen = selection.class_counts if selection is not None else np.zeros(len(self._names), np.int64)
        if len(chosen) != len(self._names):
            return  # of other data; the model is told of that next
        changed = np.flatnonzero(chosen != self._chosen)
        self._chosen = chosen
        if len(changed):
            first, last = int(changed[0]), int(changed[-1])
            self.dataChanged.emit(self.index(first, NAME), self.index(last, FORGET))

    def set_earlier(self, counts: np.ndarray) -> None:
        """How many images of each class were forgotten in earlier requests: (K,) int. They cannot be chosen."""
        if len(counts) == len(self._names):
            self._earlier = counts
            self.tell_changed()

    def gone(self, label: int) -> bool:
        """Whether all of a class was forgotten in earlier requests."""
        return bool(self._train[label]) and int(self._earlier[label]) >= int(self._train[label])

    def set_accuracy(self, accuracy: tuple[float | None, ...] | None) -> None:
        """Show each class's accuracy on test images, 0..1."""
        self._accuracy = accuracy
        self.tell_changed(ACCURACY, ACCURACY)

    def state(self, label: int) -> Qt.CheckState:
        """Whether all, some or none of a class is in the forget set."""
        if not self._chosen[label]:
            return Qt.CheckState.Unchecked
        whole = self._chosen[label] >= self._train[label] - self._earlier[label]
        return Qt.CheckState.Checked if whole else Qt.CheckState.PartiallyChecked

    def states(self, labels: np.ndarray) -> Qt.CheckState:
        """Whether all, some or none of classes (m,) is in the forget set; those forgotten earlier do not count."""
        labels = labels[self._earlier[labels] < self._train[labels]]
        chosen = self._chosen[labels]
        if not chosen.any():
            return Qt.CheckState.Unchecked
        whole = chosen.all() and (chosen >= self._train[labels] - self._earlier[labels]).all()
        return Qt.CheckState.Checked if whole else Qt.CheckState.PartiallyChecked

    def sort_keys(self, column: int) -> np.ndarray:
        """What rows are sorted by; classes stand in the order of the outputs."""
        if column in (TRAIN, TEST):
            return self._train if column == TRAIN else self._test
        if column == ACCURACY:
            values = (self._value(row) for row in range(len(self._names)))
            return np.array([-1.0 if value is None else value for value in values])
        if column == FORGET:
            shares: np.ndarray = self._chosen / np.maximum(self._train, 1)
            return shares
        return np.arange(len(self._names))

    def row_names(self) -> tuple[str, ...]:
        """The classes' names."""
        return self._names

    def count(self) -> int:
        return len(self._names)

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.isValid() and index.column() == NAME and self._train[index.row()] > self._earlier[index.row()]:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def cell(self, row: int, column: int, role: int) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column)
        if role == Qt.ItemDataRole.CheckStateRole:
            return self.state(row) if column == NAME and self._train[row] and not self.gone(row) else None
        if role == Qt.ItemDataRole.ForegroundRole:
            return theme.brush("text_3") if self.gone(row) or not self._train[row] else None
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._told(row, column)
        if role == SHARE:
            return float(self._chosen[row] / self._train[row]) if self._train[row] else 0.0
        return row if role == LABEL else None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid() or index.column() != NAME:
            return False
        # A class that is chosen in part becomes whole.
        self.toggle_wanted.emit([index.row()], self.state(index.row()) != Qt.CheckState.Checked)
        return True

    def _text(self, row: int, column: int) -> str | None:
        if column == NAME:
            return f"{self._names[row]} · forgotten" if self.gone(row) else self._names[row]
        if column == TRAIN:
            return fmt.count(int(self._train[row]))
        if column == TEST:
            return fmt.count(int(self._test[row]))
        if column == ACCURACY:
            return fmt.percent(self._value(row), unit=False)
        return None

    def _told(self, row: int, column: int) -> str | None:
        if self._earlier[row] and column in (NAME, FORGET):
            already = fmt.of_total(int(self._earlier[row]), int(self._train[row]))
            return f"{self._names[row]}: {already} already forgotten"
        if not self._train[row] and column in (NAME, FORGET):
            return f"{self._names[row]}: an output without training images"
        if column == FORGET:
            return f"{fmt.of_total(int(self._chosen[row]), int(self._train[row]))} in the forget set"
        if column in (TRAIN, TEST):
            return f"{fmt.images(int(self._train[row]))} to train on, {fmt.count(int(self._test[row]))} to test"
        if column == ACCURACY and self._value(row) is None:
            return _NO_TEST_IMAGES if self._accuracy else "Not measured yet."
        return self._text(row, column)

    def _value(self, row: int) -> float | None:
        return self._accuracy[row] if self._accuracy is not None and row < len(self._accuracy) else None


class ClassFilter(ArrangedRows):
    """Classes whose name holds a text, sorted; says what is ticked of those shown."""

    def __init__(self, source: ClassTableModel, parent: QObject | None = None) -> None:
        super().__init__(source, parent)
        self._classes = source

    def labels(self) -> list[int]:
        """Indices of the classes shown, from the top."""
        labels: list[int] = self.rows.tolist()
        return labels

    def state(self) -> Qt.CheckState:
        """Whether all, some or none of what is shown is in the forget set."""
        return self._classes.states(self.rows)


class FitTableModel(ColumnTable):
    """Which output stands for which class: rows are classes in the order of the outputs, with sample images."""

    OUTPUT, MODEL, FOLDER, IMAGES, ACCURACY, SAMPLES = range(6)

    columns = (
        Column("Output", number=True), Column("Name in model"), Column("Class of the data"),
        Column("Images", number=True),
        Column("Accuracy, %", "Share of the class's test images that the model gets right", number=True),
        Column("Samples"),
    )  # fmt: skip

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._classes: tuple[str, ...] = ()
        self._model_names: tuple[str, ...] | None = None
        self._counts: list[int] = []
        self._test_counts: list[int] = []
        self._labels = np.zeros(0, np.int64)
        self._samples: dict[int, tuple[tuple[str, int], ...]] = {}  # of the rows that were drawn
        self._accuracy: tuple[float | None, ...] | None = None

    def set_data(self, dataset: Dataset | None, model_names: tuple[str, ...] | None) -> None:
        """Show another data set, without accuracies."""
        self.beginResetModel()
        self._classes = dataset.classes if dataset is not None else ()
        self._model_names = model_names
        self._accuracy = None
        if dataset is not None:
            labels, many = dataset.train.labels.numpy(), len(self._classes)
            self._counts = np.bincount(labels, minlength=many).tolist()
            self._test_counts = np.bincount(dataset.test.labels.numpy(), minlength=many).tolist()
            self._labels, self._samples = labels, {}
        self.endResetModel()

    def set_accuracy(self, accuracy: tuple[float | None, ...] | None) -> None:
        """Show each class's accuracy on test images, 0..1."""
        self._accuracy = accuracy
        self.tell_changed(self.ACCURACY, self.ACCURACY)

    def sort_keys(self, column: int) -> np.ndarray:
        """What rows are sorted by."""
        many = len(self._classes)
        if column == self.IMAGES:
            return np.array(self._counts)
        if column == self.ACCURACY:
            return np.array([-1.0 if value is None else value for value in map(self._value, range(many))])
        if column in (self.MODEL, self.FOLDER):
            texts = [(self._text(row, column) or "").casefold() for row in range(many)]
            return np.unique(np.array(texts), return_inverse=True)[1]
        return np.arange(many)

    def row_names(self) -> tuple[str, ...]:
        """The classes' names."""
        return self._classes

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

    def count(self) -> int:
        return len(self._classes)

    def cell(self, row: int, column: int, role: int) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(row, column)
        if role == SAMPLE_KEYS and column == self.SAMPLES:
            return self.samples(row)
        return None

    def _text(self, row: int, column: int) -> str | None:
        if column == self.OUTPUT:
            return fmt.count(row)
        if column == self.MODEL:
            return self._model_names[row] if self._model_names and row < len(self._model_names) else fmt.DASH
        if column == self.FOLDER:
            return self._classes[row]
        if column == self.IMAGES:
            return fmt.count(self._counts[row])
        if column == self.ACCURACY:
            return fmt.percent(self._value(row), unit=False)
        return None

    def _tip(self, row: int, column: int) -> str | None:
        if column == self.MODEL and not self._model_names:
            return "The checkpoint does not hold class names."
        if column in (self.MODEL, self.FOLDER):
            return self._text(row, column)
        if column == self.IMAGES:
            return f"{fmt.images(self._counts[row])} to train on, {fmt.images(self._test_counts[row])} to test"
        if column == self.ACCURACY and self._value(row) is None:
            return "Measured once model and data are both open." if self._accuracy is None else _NO_TEST_IMAGES
        return None

    def _value(self, row: int) -> float | None:
        return self._accuracy[row] if self._accuracy is not None and row < len(self._accuracy) else None
