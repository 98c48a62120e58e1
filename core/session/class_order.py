"""A better order of classes: which output of the model answers to which class of the data, found and judged apart."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from core.data.dataset import Dataset
from core.data.splits import evaluation_half
from core.errors import InputError
from core.files import write_atomic
from core.metrics.accuracy import confusion_matrix
from core.places import data_home
from core.session.baseline import Baseline

OFFERED_BELOW = 1 / 3  # of what the found order reaches: then the order is the likelier fault than the model
_MOST_CLASSES = 4000  # the matrix of more takes gigabytes, and the assignment minutes
_CERTAINTY = 4.0  # standard deviations above guessing that the found order must reach


@dataclass(frozen=True, eq=False)
class ClassOrder:
    """Orders and how well they do. An order lists, output by output, a class of the data as it stands now.

    `found` was fitted on one half of the test images; all accuracies are on the other half, 0..1.
    """

    found: tuple[int, ...]
    accuracy_now: float
    accuracy_found: float
    images: int  # in the half that accuracies are given for
    confusion: np.ndarray  # (K, K) int64 of that half: class of the data (row), output (column)

    @property
    def differs(self) -> bool:
        """Whether the found order is another one than the present."""
        return self.found != tuple(range(len(self.found)))

    @property
    def offered(self) -> bool:
        """Whether the found order should be offered: the present one reaches less than a third of it."""
        chance = 1 / max(1, len(self.found))
        noise = math.sqrt(chance * (1 - chance) / max(1, self.images))
        beats_guessing = self.accuracy_found > chance + _CERTAINTY * noise
        return self.differs and beats_guessing and self.accuracy_now < OFFERED_BELOW * self.accuracy_found

    def accuracy_of(self, order: tuple[int, ...]) -> float:
        """Return the accuracy, 0..1, if the outputs stood for the classes in this order."""
        right = sum(int(self.confusion[label, output]) for output, label in enumerate(order))
        return right / self.images if self.images else 0.0


def find_class_order(result: Baseline, dataset: Dataset) -> ClassOrder | None:
    """Return the order of classes that fits the model's answers best.

    None with too few test images to halve them, and with more than 4,000 classes. An assignment problem on the
    confusion matrix of one half of the test images (Kuhn 1955), judged on the other.
    """
    from scipy.optimize import linear_sum_assignment

    if dataset.num_classes > _MOST_CLASSES:
        return None
    judged = evaluation_half(dataset.test)
    if bool(judged.all()) or not bool(judged.any()):
        return None
    predicted = torch.from_numpy(result.test.predicted.astype(np.int64))
    labels, classes = dataset.test.labels, dataset.num_classes
    fitted_on = confusion_matrix(predicted[~judged], labels[~judged], classes).numpy()
    confusion = confusion_matrix(predicted[judged], labels[judged], classes).numpy()
    # Where several orders fit equally well (outputs that were never given), the present one is kept.
    score = fitted_on.T.astype(np.float64) + np.eye(classes) / (2 * classes)
    _, found = linear_sum_assignment(score, maximize=True)
    order = tuple(int(label) for label in found)
    images = int(judged.sum())
    partial = ClassOrder(order, 0.0, 0.0, images, confusion)
    now, best = partial.accuracy_of(tuple(range(classes))), partial.accuracy_of(order)
    return ClassOrder(order, now, best, images, confusion)


def write_class_order(names: tuple[str, ...], path: Path | None = None) -> Path:
    """Write class names, one a line in the order of the model's outputs, as `--classes` reads them; return the file.

    Without `path` it goes to the application's own folder under a name made from its content, where a run that
    is resumed later still finds it. Raises InputError where it cannot be written or a name holds a line break.
    """
    wrong = next((name for name in names if "\n" in name or "\r" in name or name != name.strip()), None)
    if wrong is not None:
        raise InputError(f"The class name {wrong!r} cannot stand on a line of its own", "Rename its folder")
    text = "".join(f"{name}\n" for name in names)
    if path is None:
        path = data_home() / "class-orders" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.txt"
    try:
        write_atomic(path, text.encode("utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
    return path
