"""A better order of classes: which output of the model answers to which class of the data, found and judged apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from core.data.dataset import Dataset
from core.data.splits import evaluation_half
from core.engine.full import FullOutputs
from core.metrics.accuracy import confusion_matrix
from core.session.baseline import Baseline
from core.session.caveats import Caveat
from core.verify.numbers import percent

OFFERED_BELOW = 1 / 3  # of what the found order reaches: then the order is the likelier fault than the model
POOR = 0.5  # accuracy on its own training images that makes one doubt how images are prepared for a model
_ASSUMED = ("assumed", "weights")  # sources of a preprocessing that nobody stated
DOUBTS = ("order", "preprocessing")  # codes of `doubts_about`
_NAMES_SHOWN = 12
_MOST_CLASSES = 4000  # the matrix of more takes gigabytes, and the assignment minutes
_CERTAINTY = 4.0  # standard deviations above guessing that the found order must reach


@dataclass(frozen=True, eq=False)
class ClassOrder:
    """Orders and how well they do. An order lists, output by output, a class of the data as it stands now.

    `found` was fitted on one half of the test images; all accuracies are on the other half, 0..1. A class is moved
    where the two orders have another output for it.
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
        """Whether the found order should be offered.

        On images of the moved classes, the present order reaches less than a third of it: two classes of many that
        are taken for each other are as wrong as all of them, but leave the accuracy high.
        """
        moved = [output for output, label in enumerate(self.found) if output != label]
        images = int(self.confusion[moved].sum())
        if not images:
            return False
        now = sum(int(self.confusion[output, output]) for output in moved) / images
        found = sum(int(self.confusion[self.found[output], output]) for output in moved) / images
        chance = 1 / len(self.found)
        beats_guessing = found > chance + _CERTAINTY * math.sqrt(chance * (1 - chance) / images)
        return beats_guessing and now < OFFERED_BELOW * found

    def accuracy_of(self, order: tuple[int, ...]) -> float:
        """Return the accuracy, 0..1, if the outputs stood for the classes in this order."""
        right = sum(int(self.confusion[label, output]) for output, label in enumerate(order))
        return right / self.images if self.images else 0.0


def doubts_about(original: FullOutputs, dataset: Dataset) -> tuple[Caveat, ...]:
    """Say where an original model's answers let one doubt that it is used as it was trained.

    Either its outputs stand for other classes, so that a wrong class would be forgotten, or it gets images prepared
    in another way than those it was trained on, where nobody stated how.
    """
    order = _order_of(original.test.logits.argmax(dim=1), dataset)
    if order is not None and order.offered:
        names = [dataset.classes[label] for label in order.found]
        listed = ", ".join(names[:_NAMES_SHOWN]) + (", …" if len(names) > _NAMES_SHOWN else "")
        return (
            Caveat(
                "order",
                f"The class order probably differs between model and data, so that the wrong class is forgotten: only "
                f"{percent(order.accuracy_now)} of test images are right, and {percent(order.accuracy_found)} "
                f"would be if the outputs stood for {listed}. Give the order with --classes, or on the Project page.",
            ),
        )
    right = float((original.train.logits.argmax(dim=1) == original.train.labels).float().mean())
    if dataset.preprocessing.source in _ASSUMED and right < POOR:
        return (
            Caveat(
                "preprocessing",
                f"The original model is right on only {percent(right)} of the images it was trained on, and how "
                "images are prepared for it is assumed. Give size, mean and std with --preprocess, or on the Project "
                "page.",
            ),
        )
    return ()


def find_class_order(result: Baseline, dataset: Dataset) -> ClassOrder | None:
    """Return the order of classes that fits the model's answers best.

    None with too few test images to halve them, and with more than 4,000 classes. An assignment problem on the
    confusion matrix of one half of the test images (Kuhn 1955), judged on the other.
    """
    return _order_of(torch.from_numpy(result.test.predicted.astype(np.int64)), dataset)


def _order_of(predicted: torch.Tensor, dataset: Dataset) -> ClassOrder | None:
    """Do the work of `find_class_order`; predicted: (n_test,) int64."""
    from scipy.optimize import linear_sum_assignment

    if dataset.num_classes > _MOST_CLASSES:
        return None
    judged = evaluation_half(dataset.test)
    if bool(judged.all()) or not bool(judged.any()):
        return None
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
