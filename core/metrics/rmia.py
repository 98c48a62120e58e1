"""RMIA, offline: a per-sample membership attack that needs few reference models.

With p_u(x) the probability of the true class under the judged model and p_k(x) under reference models that never saw x,

    Pr(x) = ((1 + a) · mean_k p_k(x) + (1 − a)) / 2        r(x) = p_u(x) / Pr(x)
    score(x) = share of population samples z with r(x) / r(z) ≥ γ

Source: Zarifzadeh, Liu, Shokri, "Low-cost high-power membership inference attacks", arXiv 2312.03262, offline form. The
population are unseen samples, which no reference saw either. Ours: a sample of the population is not held against
itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.metrics.membership import Attack, attack_from_scores

OFFSET = 0.3
"""The paper's a: how far a mean over models that never saw x is from one over both kinds. 0.3 for CIFAR-10 there."""

THRESHOLD = 1.0
"""The paper's γ, 1..2."""


def rmia_scores(
    members: NDArray[np.float64],
    members_out: NDArray[np.float64],
    population: NDArray[np.float64],
    population_out: NDArray[np.float64],
    *,
    offset: float = OFFSET,
    threshold: float = THRESHOLD,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scores of members (n,) and of the population (m,), 0..1, higher for members.

    members, population: p_u of the true class, (n,) and (m,); *_out: mean p_k over the references, the same shapes.
    """
    ratio = _ratio(members, members_out, offset)
    others = np.sort(_ratio(population, population_out, offset))
    scored = np.searchsorted(others, ratio / threshold, "right") / len(others)
    itself = np.searchsorted(others, others / threshold, "right")
    own = (others / threshold >= others).astype(np.float64)  # z itself is among those counted
    by_rank = (itself - own) / max(1, len(others) - 1)
    order = np.argsort(np.argsort(_ratio(population, population_out, offset), kind="stable"), kind="stable")
    return scored, by_rank[order]


def rmia(
    member_logits: Tensor,
    member_labels: Tensor,
    member_references: Sequence[Tensor],
    other_logits: Tensor,
    other_labels: Tensor,
    other_references: Sequence[Tensor],
    *,
    offset: float = OFFSET,
    threshold: float = THRESHOLD,
) -> Attack:
    """Attack a model with reference models that never saw the members; logits (n, K) and (m, K), labels (n,), (m,).

    `*_references`: each reference's logits on the same samples, at least one. Refuses fewer than 30 samples on a side.
    """
    if not member_references or len(member_references) != len(other_references):
        raise ValueError("RMIA needs at least one reference model, the same on both sides")
    if not len(member_logits) or not len(other_logits):
        return attack_from_scores(np.zeros(len(member_logits)), np.zeros(len(other_logits)))
    scored = rmia_scores(
        true_probability(member_logits, member_labels),
        _mean_out(member_references, member_labels),
        true_probability(other_logits, other_labels),
        _mean_out(other_references, other_labels),
        offset=offset,
        threshold=threshold,
    )
    return attack_from_scores(*scored)


def rmia_dict(attack: Attack, references: int) -> dict[str, Any]:
    """Return the attack under the contract's keys with what it was run with."""
    return {**attack.as_dict(), "references": references, "offset": OFFSET, "threshold": THRESHOLD}


def true_probability(logits: Tensor, labels: Tensor) -> NDArray[np.float64]:
    """Return the probability of each sample's own class, (n,) float64, from logits (n, K) and labels (n,)."""
    p = torch.softmax(logits.detach().cpu().double(), 1)
    return p.gather(1, labels.cpu()[:, None])[:, 0].numpy()


def _mean_out(references: Sequence[Tensor], labels: Tensor) -> NDArray[np.float64]:
    return np.mean([true_probability(logits, labels) for logits in references], axis=0)


def _ratio(own: NDArray[np.float64], out: NDArray[np.float64], offset: float) -> NDArray[np.float64]:
    return own / (0.5 * ((1 + offset) * out + (1 - offset)))
