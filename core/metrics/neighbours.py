"""What lies near a forget set in a network's features: found before a run, and scored after it.

Closeness is the cosine to the nearest forget sample, or the cosine of the head's gradients. Both are proxies of
influence: methods move the network where forget images are, images with like features move along, and images whose
loss has a like gradient get worse when the forget set's loss is driven up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from core.metrics.accuracy import accuracy
from core.metrics.rows import ROWS_PER_CHUNK, MetricResult

SHARE = 0.1
"""Share of the unseen retain images that counts as near: on ten classes about as many as one class has."""

FEWEST, LARGEST_FORGET = 30, 2000
"""Neighbours at least, and forget images looked at: a nearest neighbour among 2,000 is one among all, nearly."""


@dataclass(frozen=True)
class Neighbours(MetricResult):
    """Accuracy on the near images and on all others, 0..1; None where there are none."""

    accuracy: float | None
    far_accuracy: float | None
    count: int


def cosines(features: Tensor, targets: Tensor) -> Iterator[Tensor]:
    """Yield the cosine of each row of `features` ((m, C)) to each of `targets` ((n, C)): (rows, n) float32 pieces."""
    directions = F.normalize(targets.detach().float(), dim=1)
    for rows in features.split(ROWS_PER_CHUNK):
        yield F.normalize(rows.detach().float(), dim=1) @ directions.T


def feature_similarity(features: Tensor, targets: Tensor) -> Tensor:
    """Return the cosine of each row of `features` ((m, C)) to the nearest of `targets` ((n, C)), (m,) float32, −1..1.

    NaN where it is not finite, and everywhere where there is no target. Of many targets 2,000 are taken, spread evenly.
    """
    if not len(targets) or not len(features):
        return torch.full((len(features),), float("nan"))
    return torch.cat([piece.amax(1) for piece in cosines(features, evenly(targets))])


def nearest_to(forget_features: Tensor, features: Tensor, share: float = SHARE) -> Tensor:
    """Return which of `features` ((m, C)) are nearest to `forget_features` ((n, C)), a bool mask (m,).

    In the network both were taken from (the original: neighbourhood must not depend on the model that is judged). A
    share of all, at least FEWEST; all false where a set is empty or not finite.
    """
    mask = torch.zeros(len(features), dtype=torch.bool)
    similarity = feature_similarity(features, forget_features)
    if len(features) and bool(torch.isfinite(similarity).all()):
        count = min(len(features), max(FEWEST, round(share * len(features))))
        mask[similarity.topk(count).indices] = True
    return mask


def evenly(rows: Tensor) -> Tensor:
    """Return at most LARGEST_FORGET rows of a tensor ((n, ...)), spread evenly over it."""
    if len(rows) <= LARGEST_FORGET:
        return rows
    return rows[(torch.arange(LARGEST_FORGET) * (len(rows) / LARGEST_FORGET)).long()]


def measure_neighbours(logits: Tensor, labels: Tensor, near: Tensor) -> Neighbours:
    """Score a model's logits ((m, K), labels (m,)) on the near images of the mask `near` ((m,)) and on the others."""
    return Neighbours(
        accuracy=accuracy(logits[near], labels[near]),
        far_accuracy=accuracy(logits[~near], labels[~near]),
        count=int(near.sum()),
    )


def head_gradient_similarity(logits: Tensor, labels: Tensor, features: Tensor, forget: Tensor) -> Tensor:
    """Return the cosine of each sample's head gradient to the forget set's, (n,) float32 in -1..1.

    The gradient of cross-entropy by the weights and bias of a linear head is (p − y) [f, 1]ᵀ with the probabilities p
    (as in TracIn's last layer: Pruthi et al. 2020, arXiv:2002.08484), so no backward pass is needed: with G the sum
    over the forget set, ⟨gᵢ, G⟩ = (pᵢ − yᵢ)ᵀ G [fᵢ, 1]. Positive: the sample's loss rises, to first order, where the
    forget set's is driven up. 0 where a gradient vanishes; NaN where it is not finite.

    logits: (n, K), labels: (n,) int64, features: (n, C), forget: (n,) bool.
    """
    total = torch.zeros(logits.shape[1], features.shape[1] + 1, dtype=torch.float64)
    for rows in torch.nonzero(forget).flatten().split(ROWS_PER_CHUNK):
        errors, inputs = _parts(logits[rows], labels[rows], features[rows])
        total += errors.T @ inputs
    length = float(total.norm())
    similarities = []
    for start in range(0, len(logits), ROWS_PER_CHUNK):
        part = slice(start, start + ROWS_PER_CHUNK)
        errors, inputs = _parts(logits[part], labels[part], features[part])
        product = ((errors @ total) * inputs).sum(1)
        scale = errors.norm(dim=1) * inputs.norm(dim=1) * length
        similarities.append(torch.where(scale == 0, 0.0, product / scale).float())
    return torch.cat(similarities) if similarities else torch.zeros(0)


def _parts(logits: Tensor, labels: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    """Return p − y (n, K) and [f, 1] (n, C + 1) in float64: what is left of 1 − p matters where a model is sure."""
    errors = F.softmax(logits.double(), dim=1)
    errors[torch.arange(len(labels)), labels] -= 1
    inputs = torch.cat([features.double(), torch.ones(len(features), 1, dtype=torch.float64)], dim=1)
    return errors, inputs
