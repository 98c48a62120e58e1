"""Prototype attack: a few forget images put the forgotten class back into the head, without any training.

The mean feature of a few forget images takes the place of the class's head row, scaled to the mean norm of the other
rows, as an attacker who holds the file and some images would. After "prototypical relearning", arXiv 2506.01318; ours:
the row's offset is set so that at most FALSE_POSITIVES of unseen retain images are called the class, which makes
networks with differently scaled heads comparable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from core.metrics.rows import MetricResult

SHOTS = 16
"""Forget images of a class the attacker has."""

DRAWS = 5
"""Draws of them; the recall is the mean, because single draws differ by several points."""

FALSE_POSITIVES = 0.05
"""Share of unseen retain images that may be called a forgotten class."""


@dataclass(frozen=True)
class PrototypeAttack(MetricResult):
    """What the attack recovers. `recovered`: (m,) float, the share of draws in which each forget image is found."""

    forget: float  # recall on unseen forget images, mean over draws, 0..1
    recovered: tuple[float, ...] = field(repr=False)
    shots: int = SHOTS
    false_positives: float = FALSE_POSITIVES
    draws: int = DRAWS


def prototype_attack(
    shots: Tensor,
    shot_labels: Tensor,
    forget: tuple[Tensor, Tensor, Tensor],
    retain: tuple[Tensor, Tensor],
    head_rows: Tensor,
    forget_classes: Sequence[int],
) -> PrototypeAttack | None:
    """Insert prototypes of `shots` ((n, C), labels (n,): training images to draw from) and score unseen images.

    forget: logits (m, K), features (m, C), labels (m,) of unseen forget images; retain: logits and features of unseen
    retain images that no other number is taken from (the calibration half); head_rows: (K, C) weights of the head.
    None where a set is empty, features are not finite, or the head has another width than the features.
    """
    logits, features, labels = forget
    kept_logits, kept_features = retain
    kept = [c for c in range(head_rows.shape[0]) if c not in set(forget_classes)]
    if not (len(shots) and len(logits) and len(kept_logits) and kept) or head_rows.shape[1] != features.shape[1]:
        return None
    if not all(bool(torch.isfinite(rows).all()) for rows in (features, kept_features)):
        return None
    scale = float(head_rows[kept].detach().float().norm(dim=1).mean())
    recovered = torch.zeros(len(logits), dtype=torch.float64)
    for draw in range(DRAWS):
        rows = scale * F.normalize(_prototypes(shots, shot_labels, forget_classes, seed=draw), dim=1)
        if not bool(torch.isfinite(rows).all()):
            return None
        lead, called = _lead(logits, features, rows, kept)
        others, _ = _lead(kept_logits, kept_features, rows, kept)
        allowed = int(FALSE_POSITIVES * len(others))
        offset = others.sort(descending=True).values[allowed]
        right = torch.tensor(list(forget_classes))[called] == labels
        recovered += ((lead > offset) & right).double() / DRAWS
    return PrototypeAttack(float(recovered.mean()), tuple(recovered.tolist()))


def _prototypes(shots: Tensor, labels: Tensor, classes: Sequence[int], seed: int) -> Tensor:
    """Return the mean feature of SHOTS drawn samples a class, (len(classes), C)."""
    generator = torch.Generator().manual_seed(seed)
    means = []
    for label in classes:
        members = torch.nonzero(labels == label).flatten()
        drawn = members[torch.randperm(len(members), generator=generator)[:SHOTS]]
        means.append(shots[drawn].detach().float().mean(0))
    return torch.stack(means)


def _lead(logits: Tensor, features: Tensor, rows: Tensor, kept: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return by how much the best prototype leads the best kept class, (m,), and which prototype that is, (m,)."""
    best, called = (features.detach().float() @ rows.T).max(1)
    return best - logits[:, list(kept)].float().max(1).values, called
