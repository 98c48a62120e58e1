"""Which output of the model stands for which class of the data: a row a class, with accuracy and sample images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Qt

from app.models.columns import Column, ColumnTable
from app.services import format as fmt

if TYPE_CHECKING:
    from core.data.dataset import Dataset

OUTPUT, MODEL, FOLDER, IMAGES, ACCURACY, SAMPLES = range(6)
SAMPLE_COUNT = 6
SAMPLE_KEYS = int(Qt.ItemDataRole.UserRole) + 1  # of the samples column: thumbnail keys

_NO_NAME = "The checkpoint does not hold class names."
_NOT_MEASURED = "Measured once model and data are both open."
_NO_TEST_IMAGES = "There are no test images of this class."


class FitTableModel(ColumnTable):
    """Rows are classes in the order of the model's outputs; without data there are none."""

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
        self.tell_changed(ACCURACY, ACCURACY)

    def sort_keys(self, column: int) -> np.ndarray:
        """What rows are sorted by."""
        many = len(self._classes)
        if column == IMAGES:
            return np.array(self._counts)
        if column == ACCURACY:
            return np.array([-1.0 if value is None else value for value in map(self._value, range(many))])
        if column in (MODEL, FOLDER):
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
        self.tell_changed(SAMPLES, SAMPLES)

    def count(self) -> int:
        return len(self._classes)

    def cell(self, row: int, column: int, role: int) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(row, column)
        if role == SAMPLE_KEYS and column == SAMPLES:
            return self.samples(row)
        return None

    def _text(self, row: int, column: int) -> str | None:
        if column == OUTPUT:
            return fmt.count(row)
        if column == MODEL:
            return self._model_names[row] if self._model_names and row < len(self._model_names) else fmt.DASH
        if column == FOLDER:
            return self._classes[row]
        if column == IMAGES:
            return fmt.count(self._counts[row])
        if column == ACCURACY:
            return fmt.percent(self._value(row), unit=False)
        return None

    def _tip(self, row: int, column: int) -> str | None:
        if column == MODEL and not self._model_names:
            return _NO_NAME
        if column in (MODEL, FOLDER):
            return self._text(row, column)
        if column == IMAGES:
            return f"{fmt.images(self._counts[row])} to train on, {fmt.images(self._test_counts[row])} to test"
        if column == ACCURACY and self._value(row) is None:
            return _NOT_MEASURED if self._accuracy is None else _NO_TEST_IMAGES
        return None

    def _value(self, row: int) -> float | None:
        return self._accuracy[row] if self._accuracy is not None and row < len(self._accuracy) else None
