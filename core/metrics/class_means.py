"""Nearest-class-mean classifier: the simplest way to find a class again in frozen features."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from core.metrics.linear_algebra import ROWS_PER_CHUNK, gram_dtype


@dataclass(frozen=True)
class ClassMeans:
    """What nearest class means find, 0..1; None where there are no such test samples."""

    forget: float | None  # recall of forget-test samples
    retain: float | None  # accuracy on retain-test samples
    predicted: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64), compare=False, repr=False)
    """(m,) int64: the class with the nearest mean of each test sample."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain scalars."""
        return {"forget": self.forget, "retain": self.retain}


def class_means(features: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Return the mean feature of each class, (K, C) float64, and the samples it comes from, (K,) int64."""
    labels = labels.to(features.device)
    counts = torch.bincount(labels, minlength=num_classes)
    sums = torch.zeros(num_classes, features.shape[1], dtype=gram_dtype(features.device), device=features.device)
    chunks = zip(features.detach().split(ROWS_PER_CHUNK), labels.split(ROWS_PER_CHUNK), strict=True)
    for rows, named in chunks:
        sums.index_add_(0, named, rows.to(sums))
    return sums / counts.clamp_min(1).unsqueeze(1), counts


def nearest_means(features: Tensor, means: Tensor, counts: Tensor) -> Tensor:
    """Return the class with the mean ((K, C)) nearest each feature ((n, C)), (n,) int64; never one without samples."""
    rows = features.detach().to(means)
    # ‖f − m‖² without the ‖f‖² all classes share: one product instead of n·K differences
    distances = means.square().sum(1) - 2 * rows @ means.T
    distances[:, counts == 0] = float("inf")
    return distances.argmin(1)


def measure_class_means(
    train_features: Tensor | None,
    train_labels: Tensor,
    test_features: Tensor | None,
    test_labels: Tensor,
    num_classes: int,
    forget_classes: Collection[int],
) -> ClassMeans | None:
    """Take class means from training features ((n, C), all classes), score on test features ((m, C)).

    With no `forget_classes` (sample forgetting) only `retain` has a value. None where a set is missing or empty, or
    features are not finite.
    """
    if train_features is None or test_features is None or not len(train_features) or not len(test_features):
        return None
    means, counts = class_means(train_features, train_labels, num_classes)
    if not bool(torch.isfinite(means).all() and torch.isfinite(test_features).all()):
        return None
    truth = test_labels.to(means.device)
    predicted = nearest_means(test_features, means, counts)
    right = predicted == truth
    forget = torch.isin(truth, torch.tensor(sorted(forget_classes), dtype=truth.dtype, device=truth.device))
    return ClassMeans(forget=_share(right[forget]), retain=_share(right[~forget]), predicted=predicted)


def _share(right: Tensor) -> float | None:
    return int(right.sum()) / len(right) if len(right) else None
