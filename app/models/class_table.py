"""The classes of the data as rows to tick: counts, accuracy, and how much of each is in the forget set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtCore import Signal as QtSignal

from app.models.arranged import ArrangedRows
from app.services import format as fmt
from app.services.theme import theme
from app.widgets.table import NUMBER

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.selection import Selection

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()

NAME, TRAIN, TEST, ACCURACY, FORGET = range(5)
TITLES = ("Class", "Train", "Test", "Acc. %", "")
TIPS = (
    "The box chooses all classes shown, or none. With the keyboard: Tab from the table, then Space.",
    "Images to train on", "Images to test", "Share of the class's test images that the model gets right",
    "Share of the class's training images in the forget set",
)  # fmt: skip
SHARE = int(Qt.ItemDataRole.UserRole) + 1  # of the FORGET column: 0..1
LABEL = int(Qt.ItemDataRole.UserRole) + 2  # the class's index


class ClassTableModel(QAbstractTableModel):
    """Ticking a box changes nothing here: `toggle_wanted(classes, on)` asks for it, `set_selection` shows it."""

    toggle_wanted = QtSignal(object, bool)

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
            self._changed_all()

    def gone(self, label: int) -> bool:
        """Whether all of a class was forgotten in earlier requests."""
        return bool(self._train[label]) and int(self._earlier[label]) >= int(self._train[label])

    def set_accuracy(self, accuracy: tuple[float | None, ...] | None) -> None:
        """Show each class's accuracy on test images, 0..1."""
        self._accuracy = accuracy
        if self._names:
            self.dataChanged.emit(self.index(0, ACCURACY), self.index(len(self._names) - 1, ACCURACY))

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

    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self._names)

    def columnCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(TITLES)

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.isValid() and index.column() == NAME and self._train[index.row()] > self._earlier[index.row()]:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(TITLES):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return TITLES[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return TIPS[section] or None
        if role == Qt.ItemDataRole.TextAlignmentRole and section in (TRAIN, TEST, ACCURACY):
            return NUMBER
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = index.row(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column)
        if role == Qt.ItemDataRole.CheckStateRole:
            return self.state(row) if column == NAME and self._train[row] and not self.gone(row) else None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return NUMBER if column in (TRAIN, TEST, ACCURACY) else None
        if role == Qt.ItemDataRole.ForegroundRole:
            return theme.brush("text_3") if self.gone(row) or not self._train[row] else None
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._told(row, column)
        if role == SHARE:
            return self._share(row)
        if role == LABEL:
            return row
        return None

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
            return "There are no test images of this class." if self._accuracy else "Not measured yet."
        return self._text(row, column)

    def _changed_all(self) -> None:
        if self._names:
            self.dataChanged.emit(self.index(0, NAME), self.index(len(self._names) - 1, FORGET))

    def _share(self, row: int) -> float:
        return float(self._chosen[row] / self._train[row]) if self._train[row] else 0.0

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
