"""What the opened model says of its data before anything is forgotten: one value a sample, and a plane to draw."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F

from core.devices import set_threads
from core.engine.outputs import FullOutputs
from core.metrics.accuracy import names_classes, per_class_accuracy
from core.metrics.probe import class_means
from core.metrics.spaces import FeatureSpace
from core.models.tap import SetOutputs
from core.session.bench import Bench

MAP_FEATURES = 50  # principal components t-SNE starts from: it needs no more, and distances cost less


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of each sample: loss and confidence (n,) float32, predicted (n,) int32, correct (n,) bool.

    `confidence` is the probability of the predicted class, 0..1. `margin` (n,) float32 is the logit of a sample's own
    class minus the largest other (Pleiss et al. 2020, arXiv:2001.10528).
    """

    loss: np.ndarray
    confidence: np.ndarray
    predicted: np.ndarray
    correct: np.ndarray
    margin: np.ndarray


@dataclass(frozen=True, eq=False)
class SetBaseline:
    """One value a sample. `distance` (n,) float32: of its features from the mean of its class's training samples.

    answers: what the model says of classes; None of an encoder, which names none. Values that are not finite stay so.
    """

    distance: np.ndarray
    answers: Answers | None

    @property
    def accuracy(self) -> float | None:
        """Share of right answers, 0..1; None without samples, or without answers."""
        return float(self.answers.correct.mean()) if self.answers is not None and len(self.distance) else None

    def values(self, name: str) -> np.ndarray | None:
        """Return "distance", or a field of the answers by its name: (n,); None where there are none."""
        if name == "distance":
            return self.distance
        found: np.ndarray | None = getattr(self.answers, name, None)
        return found


@dataclass(frozen=True, eq=False)
class Baseline:
    """The opened model on its data."""

    train: SetBaseline
    test: SetBaseline
    class_accuracy: tuple[float | None, ...]  # on test images; None for a class without any
    compact: np.ndarray  # (n_train, at most MAP_FEATURES) float32: features in their leading directions, for t-SNE
    explained: float  # share of the features' variance in the first two, 0..1; 0 where features are not finite

    @property
    def accuracy(self) -> float | None:
        """Share of test images the model gets right, 0..1; None of an encoder."""
        return self.test.accuracy

    @property
    def names_classes(self) -> bool:
        """Whether there are answers: an encoder has none."""
        return self.train.answers is not None

    @cached_property
    def coordinates(self) -> np.ndarray:
        """The training images in the plane of most variance, (n_train, 2) float32."""
        plane = np.zeros((len(self.compact), 2), np.float32)
        plane[:, : self.compact.shape[1]] = self.compact[:, :2]
        return plane


def baseline(bench: Bench) -> Baseline:
    """Measure the opened model on all images of its data; the outputs are kept for the runs that follow."""
    set_threads(bench.threads)
    return summarise(bench.outputs(bench.model), bench.dataset.num_classes)


def summarise(outputs: FullOutputs, num_classes: int) -> Baseline:
    """Return what the window shows of a model's outputs."""
    means, _ = class_means(outputs.train.features, outputs.train.labels, num_classes)
    compact, explained = _project(outputs.train.features)
    return Baseline(
        train=_of_set(outputs.train, means),
        test=_of_set(outputs.test, means),
        class_accuracy=tuple(per_class_accuracy(outputs.test.logits, outputs.test.labels, num_classes)),
        compact=compact,
        explained=explained,
    )


def _of_set(outputs: SetOutputs, means: torch.Tensor) -> SetBaseline:
    """Return one value a sample of a set; means: (K, C), each class's mean features on training images."""
    distance = (outputs.features.to(means) - means[outputs.labels]).norm(dim=1)
    return SetBaseline(distance.float().numpy(), _answers(outputs) if names_classes(outputs.logits) else None)


def _answers(outputs: SetOutputs) -> Answers:
    probability, predicted = F.softmax(outputs.logits, dim=1).max(dim=1)
    return Answers(
        loss=F.cross_entropy(outputs.logits, outputs.labels, reduction="none").numpy(),
        confidence=probability.numpy(),
        predicted=predicted.to(torch.int32).numpy(),
        correct=(predicted == outputs.labels).numpy(),
        margin=_margins(outputs.logits, outputs.labels).numpy(),
    )


def _margins(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return each row's logit of its own class minus the largest of the others, (n,) float32; logits: (n, K)."""
    own = logits.gather(1, labels[:, None]).squeeze(1)
    best, which = logits.topk(min(2, logits.shape[1]), dim=1)
    other = torch.where(which[:, 0] == labels, best[:, -1], best[:, 0])
    return (own - other).float()


def _project(features: torch.Tensor) -> tuple[np.ndarray, float]:
    """Return features in their leading directions, and the share of variance in the first two.

    All zeros where features are not finite: such a model has no map.
    """
    count, channels = features.shape if features.ndim == 2 else (0, 0)
    width = min(MAP_FEATURES, channels)
    if not count or not bool(torch.isfinite(features).all()):
        return np.zeros((count, width), np.float32), 0.0
    space = FeatureSpace(features)
    directions, explained = space.principal(width)
    # In float32 and in one product: a picture needs no more, and float64 would double the largest array there is.
    compact = ((features - space.mean.float()) @ directions.float()).numpy()
    return compact, explained
