"""Caveats of a result: no effect, damage, a measure that says nothing here; and whether classes stand in order.

The sentences stand in report.json (`warnings`), in the output of `unlearn`, in the event log and in the window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from core.data.dataset import Dataset
from core.data.splits import Splits, evaluation_half
from core.methods.base import Facts, Method
from core.metrics.accuracy import confusion_matrix
from core.parameters import Values
from core.verify.numbers import percent

OFFERED_BELOW = 1 / 3  # of what the better order reaches: then the order is likelier to be wrong than the model
_NAMES_SHOWN = 12
_MOST_CLASSES = 4000  # the matrix of more takes gigabytes, and the assignment minutes
_CERTAINTY = 4.0  # standard deviations above guessing that the better order must reach
UNCHANGED_POINTS = 0.005  # forget accuracy within half a point of the original's counts as no effect
UNCHANGED_OUTPUTS = 0.01  # and, where accuracy cannot tell, probabilities that moved by less than a hundredth
POOR_REFERENCE = 0.1  # accuracy on its own training images by which a retrained model may lie below the original
DAMAGE_POINTS = 0.02  # loss of retain accuracy worth a warning where no retrained model says what is normal

Measures = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Caveat:
    """One sentence or two for people. `level` as of log events: "warning", or "info" where nothing is to be done."""

    code: str  # reference, unchanged, damage, alignment, unseen: the result repeats them
    message: str
    level: str = "warning"


def is_unchanged(models: Measures, splits: Splits) -> bool:
    """Tell whether a run had no effect on the forget set.

    Whole classes: their accuracy stayed within half a point of the original's. For single images, which a forgotten
    model may still get right, and for classes that the original never recognised: the outputs stayed where they were.
    """
    before, after = models["original"].get("forget_accuracy"), models["unlearned"].get("forget_accuracy")
    if splits.forget_classes and before is not None and after is not None and before > UNCHANGED_POINTS:
        return abs(before - after) <= UNCHANGED_POINTS
    moved = _outputs_moved(models)
    return moved is not None and moved <= UNCHANGED_OUTPUTS


def caveats(models: Measures, splits: Splits, method: Method, values: Values, facts: Facts) -> tuple[Caveat, ...]:
    """Return the caveats of a result, the most important first. `models`: measures by model's name."""
    return (
        *_encoder(facts),
        *_poor_reference(models),
        *_unchanged(models, splits, method),
        *_damage(models),
        *_alignment(models, splits),
        *_correction(method, values, facts),
        *_unseen(splits, method, values, facts),
    )


def _encoder(facts: Facts) -> Iterator[Caveat]:
    if facts.encoder:
        yield Caveat(
            "encoder",
            "The model is an encoder without a head: accuracies, output distances, attacks and the head-only edit need "
            "classes and are absent. Only its features are measured, and alignment, on which it was trained, decides "
            "nothing.",
            "info",
        )


def unchanged_since_start(distances: Mapping[str, Any]) -> Caveat | None:
    """Return the caveat of a later request that left the model it started from as it was; None where it changed it.

    `distances`: of the result to that model, as in a report.
    """
    moved = (distances.get("forget_test") or distances.get("forget") or {}).get("tv_to_original")
    if moved is None or moved > UNCHANGED_OUTPUTS:
        return None
    return Caveat(
        "unchanged",
        "The model is unchanged since the earlier requests: on the forget set its probabilities differ from those of "
        f"the model this run started from by {percent(moved, places=2)} on average.",
    )


def _poor_reference(models: Measures) -> Iterator[Caveat]:
    before, after = models["original"].get("retain_accuracy"), models.get("retrained", {}).get("retain_accuracy")
    if before is None or after is None or before - after <= POOR_REFERENCE:
        return
    yield Caveat(
        "reference",
        f"The retrained models did not learn what stays: they are right on {percent(after)} of its training images, "
        f"the original on {percent(before)}. Being close to them says nothing. Train them as the original was "
        "trained, and bring them: with --retrained, or Open one on Verify.",
    )


def _unchanged(models: Measures, splits: Splits, method: Method) -> Iterator[Caveat]:
    if not is_unchanged(models, splits):
        return
    moved = _outputs_moved(models)
    if splits.forget_classes:
        before, after = models["original"]["forget_accuracy"], models["unlearned"]["forget_accuracy"]
        change = f"The model is unchanged: forget accuracy {percent(before)} before, {percent(after)} after."
    elif moved == 0:
        change = "The model is unchanged: its outputs on the forget set are the original's."
    else:
        change = (
            "The model is nearly unchanged: on the forget set its probabilities differ from the original's by "
            f"{percent(moved or 0.0, places=2)} on average."
        )
    yield Caveat("unchanged", f"{change} {_advice(method)}")


def _advice(method: Method) -> str:
    names = {parameter.name for parameter in method.parameters}
    if "lr" in names:
        return "Try a larger step size, or search for one."
    if "max_drop" in names:
        return "Allow the search a larger fall of retain accuracy (max_drop), or try another method."
    return "Try other settings or another method."


def _damage(models: Measures) -> Iterator[Caveat]:
    before, after = models["original"].get("retain_test_accuracy"), models["unlearned"].get("retain_test_accuracy")
    if before is None or after is None or before - after <= DAMAGE_POINTS:
        return
    retrained = models.get("retrained", {}).get("retain_test_accuracy")
    if retrained is None:
        comparison = "How much retraining would lose was not measured."
    elif retrained <= after:
        comparison = f"Retraining loses {100 * (before - retrained):.1f}, so forgetting these images may need that."
    else:
        lost = f"{100 * (before - retrained):.1f}"
        comparison = f"That is more than forgetting needs: retraining loses {'none' if float(lost) <= 0 else lost}."
    yield Caveat("damage", f"Retain accuracy fell by {100 * (before - after):.1f} points. {comparison}")


def _alignment(models: Measures, splits: Splits) -> Iterator[Caveat]:
    if not splits.forget_classes:
        yield Caveat(
            "alignment",
            "Dimensional alignment says nothing about this forget set: the classes of its images stay, so their "
            "features lie among those of the retain set in a retrained model and in the original alike.",
            "info",
        )
        return
    measured = models["unlearned"].get("dimensional_alignment") or {}
    if measured and measured["k"] >= len(measured["profile"]):
        yield Caveat(
            "alignment",
            f"Dimensional alignment says nothing about this model: with as many directions as features "
            f"({measured['k']}) it is 1 for every network.",
            "info",
        )


def _correction(method: Method, values: Values, facts: Facts) -> Iterator[Caveat]:
    if facts.corrective and method.reads_unseen(values, facts):
        yield Caveat(
            "correction",
            f"{method.title} brings the images to where unseen ones are, most of which are given their label. Here the "
            "labels are the fault: choose another method.",
        )


def _unseen(splits: Splits, method: Method, values: Values, facts: Facts) -> Iterator[Caveat]:
    if method.reads_unseen(values, facts) and not len(splits.calibration):
        yield Caveat(
            "unseen",
            f"{method.title} looked at the unseen images that results are shown for, because the test part is too "
            "small to be halved: on these images the result looks better than it is.",
        )


def _outputs_moved(models: Measures) -> float | None:
    """Return how far the unlearned model's probabilities on the forget set are from the original's, 0..1."""
    distances = models["unlearned"].get("distances") or {}
    return (distances.get("forget_test") or distances.get("forget") or {}).get("tv_to_original")


# -- the original model: whether its outputs and the classes answer to each other ------------------------------------


@dataclass(frozen=True, eq=False)
class ClassOrder:
    """A better order of classes and how well it does. An order lists, output by output, a class of the data.

    `better` was fitted on one half of the images of `part` ("test" or "training"); all accuracies are on the other
    half, 0..1. A class is moved where the two orders have another output for it.
    """

    better: tuple[int, ...]
    confusion: np.ndarray  # (K, K) int64 of the half that accuracies are on: class of the data (row), output (column)
    part: str = "test"

    @property
    def images(self) -> int:
        """How many images are in the half that accuracies are on."""
        return int(self.confusion.sum())

    @property
    def accuracy_now(self) -> float:
        """Accuracy in the present order, 0..1."""
        return self.accuracy_of(range(len(self.better)))

    @property
    def accuracy_better(self) -> float:
        """Accuracy in the better order, 0..1."""
        return self.accuracy_of(self.better)

    @property
    def differs(self) -> bool:
        """Whether the better order is another than the present one."""
        return self.better != tuple(range(len(self.better)))

    @property
    def offered(self) -> bool:
        """Whether the better order should be offered.

        On images of the moved classes, the present order reaches less than a third of it: two classes of many that
        are taken for each other are as wrong as all of them, but leave the accuracy high.
        """
        order, present = np.asarray(self.better), np.arange(len(self.better))
        moved = present[order != present]
        images = int(self.confusion[moved].sum())
        if not images:
            return False
        now = int(self.confusion[moved, moved].sum()) / images
        better = int(self.confusion[order[moved], moved].sum()) / images
        chance = 1 / len(order)
        beats_guessing = better > chance + _CERTAINTY * math.sqrt(chance * (1 - chance) / images)
        return beats_guessing and now < OFFERED_BELOW * better

    def accuracy_of(self, order: Sequence[int]) -> float:
        """Return the accuracy, 0..1, if the outputs stood for the classes in this order."""
        right = int(self.confusion[list(order), range(len(order))].sum())
        return right / self.images if self.images else 0.0


def find_class_order(
    predicted: np.ndarray, dataset: Dataset, training: np.ndarray | None = None
) -> ClassOrder | None:
    """Return the order of classes that fits a model's answers best; predicted: (n_test,) int, the classes it names.

    An assignment problem on the confusion matrix of one half of the test images (Kuhn 1955), judged on the other.
    training: (n_train,) int, its answers to training images, which are halved where the test images are too few for
    that; None where there is nothing to halve, and with more than 4,000 classes.
    """
    from scipy.optimize import linear_sum_assignment

    if dataset.num_classes > _MOST_CLASSES:
        return None
    part, images, judged = "test", dataset.test, evaluation_half(dataset.test)
    if bool(judged.all()) or not bool(judged.any()):
        if training is None:
            return None
        part, images, predicted = "training", dataset.train, training
        judged = torch.arange(len(images)) % 2 == 0
    answers = torch.from_numpy(predicted.astype(np.int64))
    labels, classes = images.labels, dataset.num_classes
    fitted_on = confusion_matrix(answers[~judged], labels[~judged], classes).numpy()
    confusion = confusion_matrix(answers[judged], labels[judged], classes).numpy()
    # Where several orders fit equally well (outputs that were never given), the present one is kept.
    score = fitted_on.T.astype(np.float64) + np.eye(classes) / (2 * classes)
    _, better = linear_sum_assignment(score, maximize=True)
    return ClassOrder(tuple(better.tolist()), confusion, part)


def order_of_least_loss(logs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the order of classes (K,), output by output, in which these answers have the least loss.

    logs: (n, K) logarithms of probabilities, without NaN; labels: (n,) classes of the data.
    """
    from scipy.optimize import linear_sum_assignment

    classes = logs.shape[1]
    costs = torch.zeros(classes, classes, dtype=torch.float64).index_add_(0, labels, -logs.double().clamp_min(-1e4))
    _, outputs = linear_sum_assignment(costs.numpy())
    return torch.from_numpy(outputs).argsort()
