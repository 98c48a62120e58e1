"""Neighbour damage: what became of the images that lie nearest to the forget set in the original network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from core.metrics.accuracy import accuracy

SHARE = 0.1
"""Share of the unseen retain images that counts as near: on ten classes about as many as one class has."""

FEWEST, LARGEST_FORGET = 30, 2000
"""Neighbours at least, and forget images looked at: a nearest neighbour among 2,000 is one among all, nearly."""


@dataclass(frozen=True)
class Neighbours:
    """Accuracy on the near images and on all others, 0..1; None where there are none."""

    accuracy: float | None
    far_accuracy: float | None
    count: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain scalars."""
        return {"accuracy": self.accuracy, "far_accuracy": self.far_accuracy, "count": self.count}


def nearest_to(forget_features: Tensor, features: Tensor, share: float = SHARE) -> Tensor:
    """Return which of `features` ((m, C)) are nearest to `forget_features` ((n, C)), a bool mask (m,).

    By the cosine to the nearest forget sample, in the network both were taken from (the original: neighbourhood must
    not depend on the model that is judged). A share of all, at least FEWEST; all false where a set is empty or not
    finite.
    """
    mask = torch.zeros(len(features), dtype=torch.bool)
    if not len(forget_features) or not len(features):
        return mask
    forget_features = evenly(forget_features)
    if not bool(torch.isfinite(features).all() and torch.isfinite(forget_features).all()):
        return mask
    targets = F.normalize(forget_features.detach().float(), dim=1)
    likeness = torch.cat(
        [(F.normalize(rows.detach().float(), dim=1) @ targets.T).amax(1) for rows in features.split(2048)]
    )
    count = min(len(features), max(FEWEST, round(share * len(features))))
    mask[likeness.topk(count).indices] = True
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
