"""What the original model says of its data before anything is forgotten, and whether that fits the data at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from core.data.dataset import Dataset
from core.data.splits import evaluation_half
from core.devices import set_threads
from core.engine.outputs import FullOutputs, SetOutputs
from core.metrics.accuracy import confusion_matrix, per_class_accuracy
from core.metrics.linear_algebra import FeatureSpace, eigendecomposition
from core.metrics.probe import class_means
from core.session.bench import Bench
from core.session.caveats import Caveat
from core.verify.numbers import percent

MAP_FEATURES = 50  # principal components t-SNE starts from: it needs no more, and distances cost less
OFFERED_BELOW = 1 / 3  # of what the better order reaches: then the order is likelier to be wrong than the model
POOR = 0.5  # accuracy on its own training images below which the preparation of images is doubted
_ASSUMED = ("assumed", "weights")  # sources of a preprocessing that nobody stated
DOUBTS = ("order", "preprocessing")  # codes of `doubts_about`
_NAMES_SHOWN = 12
_MOST_CLASSES = 4000  # the matrix of more takes gigabytes, and the assignment minutes
_CERTAINTY = 4.0  # standard deviations above guessing that the better order must reach


@dataclass(frozen=True, eq=False)
class SetBaseline:
    """One value a sample: loss and confidence (n,) float32, predicted (n,) int32, correct (n,) bool.

    `confidence` is the probability of the predicted class, 0..1. `distance` (n,) float32 is how far a sample's
    features lie from the mean of its own class's training samples. `margin` (n,) float32 is the logit of a sample's
    own class minus the largest other (Pleiss et al. 2020, arXiv:2001.10528). Values that are not finite stay so.
    """

    loss: np.ndarray
    confidence: np.ndarray
    predicted: np.ndarray
    correct: np.ndarray
    distance: np.ndarray
    margin: np.ndarray

    @property
    def accuracy(self) -> float | None:
        """Share of right answers, 0..1; None without samples."""
        return float(self.correct.mean()) if len(self.correct) else None


@dataclass(frozen=True, eq=False)
class Baseline:
    """The opened model on its data. Coordinates are those of the training images in the plane of most variance."""

    train: SetBaseline
    test: SetBaseline
    class_accuracy: tuple[float | None, ...]  # on test images; None for a class without any
    train_class_accuracy: tuple[float | None, ...]
    coordinates: np.ndarray  # (n_train, 2) float32
    explained: float  # share of the features' variance in that plane, 0..1; 0 where features are not finite
    compact: np.ndarray  # (n_train, at most MAP_FEATURES) float32: features in their leading directions, for t-SNE

    @property
    def accuracy(self) -> float | None:
        """Share of test images the model gets right, 0..1."""
        return self.test.accuracy


def baseline(bench: Bench) -> Baseline:
    """Measure the opened model on all images of its data; the outputs are kept for the runs that follow."""
    set_threads(bench.threads)
    return summarise(bench.outputs(bench.model), bench.dataset.num_classes)


def summarise(outputs: FullOutputs, num_classes: int) -> Baseline:
    """Return what the window shows of a model's outputs."""
    means, _ = class_means(outputs.train.features, outputs.train.labels, num_classes)
    compact, coordinates, explained = _project(outputs.train.features)
    return Baseline(
        train=_of_set(outputs.train, means),
        test=_of_set(outputs.test, means),
        class_accuracy=tuple(per_class_accuracy(outputs.test.logits, outputs.test.labels, num_classes)),
        train_class_accuracy=tuple(per_class_accuracy(outputs.train.logits, outputs.train.labels, num_classes)),
        coordinates=coordinates,
        explained=explained,
        compact=compact,
    )


def _of_set(outputs: SetOutputs, means: torch.Tensor) -> SetBaseline:
    probability, predicted = F.softmax(outputs.logits, dim=1).max(dim=1)
    distance = (outputs.features.to(means) - means[outputs.labels]).norm(dim=1)
    return SetBaseline(
        loss=F.cross_entropy(outputs.logits, outputs.labels, reduction="none").numpy(),
        confidence=probability.numpy(),
        predicted=predicted.to(torch.int32).numpy(),
        correct=(predicted == outputs.labels).numpy(),
        distance=distance.float().numpy(),
        margin=_margins(outputs.logits, outputs.labels).numpy(),
    )


def _margins(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return each row's logit of its own class minus the largest of the others, (n,) float32; logits: (n, K)."""
    own = logits.gather(1, labels[:, None]).squeeze(1)
    best, which = logits.topk(min(2, logits.shape[1]), dim=1)
    other = torch.where(which[:, 0] == labels, best[:, -1], best[:, 0])
    return (own - other).float()


def _project(features: torch.Tensor) -> tuple[np.ndarray, np.ndarray, float]:
    """Return features in their leading directions, the first two of these, and the share of variance in the two.

    All zeros where features are not finite: such a model has no map.
    """
    count, channels = features.shape if features.ndim == 2 else (0, 0)
    width = min(MAP_FEATURES, channels)
    if not count or not bool(torch.isfinite(features).all()):
        return np.zeros((count, width), np.float32), np.zeros((count, 2), np.float32), 0.0
    space = FeatureSpace(features)
    variances, directions = eigendecomposition(space.centred_gram(space.mean))
    directions = directions[:, :width]
    # Eigenvectors have no sign of their own: the largest entry decides, so that the same features give the same map.
    directions = directions * directions.gather(0, directions.abs().argmax(0, keepdim=True)).sign()
    # In float32 and in one product: a picture needs no more, and float64 would double the largest array there is.
    compact = ((features - space.mean.float()) @ directions.float()).numpy()
    coordinates = np.zeros((count, 2), np.float32)
    coordinates[:, : min(2, width)] = compact[:, :2]
    total = float(variances.sum())
    return compact, coordinates, float(variances[:2].sum()) / total if total > 0 else 0.0


# -- whether outputs and classes answer to each other -------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ClassOrder:
    """A better order of classes and how well it does. An order lists, output by output, a class of the data.

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
        """Whether the order found differs from the present one."""
        return self.found != tuple(range(len(self.found)))

    @property
    def offered(self) -> bool:
        """Whether the order found should be offered.

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
    """Return warnings where an original model's answers suggest that it is not used as it was trained.

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
