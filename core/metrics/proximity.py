"""What lies near a forget set, known before anything is unlearned: likeness of features, and of the head's gradients.

Both are proxies of influence. Methods move the network where forget images are; images with like features move along,
and images whose loss has a like gradient get worse when the forget set's loss is driven up.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from core.metrics.neighbours import evenly

_ROWS = 8192  # samples at once


def feature_similarity(features: Tensor, forget: Tensor) -> Tensor:
    """Return each sample's cosine to the nearest forget sample, (n,) float32 in -1..1; NaN where it is not finite.

    features: (n, C); forget: (n,) bool. Of many forget samples 2,000 are taken, spread evenly. All NaN where there is
    none.
    """
    targets = F.normalize(evenly(features[torch.nonzero(forget).flatten()]).float(), dim=1)
    if not len(targets):
        return torch.full((len(features),), float("nan"))
    found = [(F.normalize(rows.float(), dim=1) @ targets.T).amax(1) for rows in features.split(_ROWS)]
    return torch.cat(found) if found else torch.zeros(0)


def head_gradient_similarity(logits: Tensor, labels: Tensor, features: Tensor, forget: Tensor) -> Tensor:
    """Return the cosine of each sample's head gradient to the forget set's, (n,) float32 in -1..1.

    The gradient of cross-entropy by the weights and bias of a linear head is (p − y) [f, 1]ᵀ with the probabilities p
    (as in TracIn's last layer: Pruthi et al. 2020, arXiv:2002.08484), so no backward pass is needed: with G the sum
    over the forget set, ⟨gᵢ, G⟩ = (pᵢ − yᵢ)ᵀ G [fᵢ, 1]. Positive: the sample's loss rises, to first order, where the
    forget set's is driven up. 0 where a gradient vanishes; NaN where it is not finite.

    logits: (n, K), labels: (n,) int64, features: (n, C), forget: (n,) bool.
    """
    total = torch.zeros(logits.shape[1], features.shape[1] + 1, dtype=torch.float64)
    for rows in torch.nonzero(forget).flatten().split(_ROWS):
        errors, inputs = _parts(logits[rows], labels[rows], features[rows])
        total += errors.T @ inputs
    length = float(total.norm())
    found = []
    for start in range(0, len(logits), _ROWS):
        part = slice(start, start + _ROWS)
        errors, inputs = _parts(logits[part], labels[part], features[part])
        product = ((errors @ total) * inputs).sum(1)
        scale = errors.norm(dim=1) * inputs.norm(dim=1) * length
        found.append(torch.where(scale == 0, 0.0, product / scale).float())
    return torch.cat(found) if found else torch.zeros(0)


def _parts(logits: Tensor, labels: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    """Return p − y (n, K) and [f, 1] (n, C + 1) in float64: what is left of 1 − p matters where a model is sure."""
    errors = F.softmax(logits.double(), dim=1)
    errors[torch.arange(len(labels)), labels] -= 1
    inputs = torch.cat([features.double(), torch.ones(len(features), 1, dtype=torch.float64)], dim=1)
    return errors, inputs
