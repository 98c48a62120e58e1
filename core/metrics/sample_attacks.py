"""Attacks on single samples with models that never saw them: calibrated log-odds (after LiRA and RULI), and IAM.

Every sample is held against what models that never saw it say of that very sample, so that hard and easy samples do not
hide what was remembered.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.metrics.membership import true_probability

Values = NDArray[np.float64]

# -- calibrated log-odds ----------------------------------------------------------------------------------------------


def calibrated_scores(own: Values, references: Sequence[Values]) -> Values:
    """Return how far a model's log-odds of each sample lie above those of models that never saw it: (n,).

    own: (n,) log-odds of the true class under the judged model; `references`: the same under each reference, at least
    one. The offline form of LiRA (Carlini et al., arXiv 2112.03570) with one variance for all samples, which does not
    change their order: with few references a variance of each sample's own is noise.
    """
    return np.asarray(own - np.mean(references, axis=0))


@dataclass(frozen=True)
class Group:
    """Forget samples that are alike in how hard they are, and unseen ones as hard as they are."""

    members: NDArray[np.int64]  # positions among the forget samples
    others: NDArray[np.int64]  # positions among the unseen samples, one a member


def by_hardness(
    references: Values, labels: NDArray[np.int64], unseen: Values, unseen_labels: NDArray[np.int64]
) -> dict[str, Group]:
    """Return the "vulnerable" and the "protected" half of the forget samples, each with unseen samples beside it.

    references, unseen: (n,) and (m,) mean log-odds of the forget samples and of unseen ones under models that saw
    neither. What such models get wrong has to be memorised to be right (Feldman, arXiv 1906.05271): the harder half is
    the vulnerable one. Neither the original nor the judged model has a say, so that no model's own errors pass for its
    memories. Forget samples and unseen ones of their class stand in pairs that the references find as hard as each
    other; what gets no partner is left out.
    """
    order = np.argsort(references, kind="stable")  # the hardest first
    groups = {}
    for name, half in zip(("vulnerable", "protected"), np.array_split(order, 2), strict=True):
        pairs = [_pairs(half[labels[half] == label], np.flatnonzero(unseen_labels == label), references, unseen)
                 for label in np.unique(labels[half])]  # fmt: skip
        members, others = (np.concatenate([side[i] for side in pairs]) for i in (0, 1)) if pairs else (order, order)
        groups[name] = Group(members, others)
    return groups


def _pairs(
    members: NDArray[np.int64], others: NDArray[np.int64], references: Values, unseen: Values
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return members and others in pairs: in random order, each of the scarcer side takes the nearest that is free."""
    few, many, swapped = (members, others, False) if len(members) <= len(others) else (others, members, True)
    own, other = (unseen, references) if swapped else (references, unseen)
    free = many[np.argsort(other[many], kind="stable")].tolist()
    values, taken = other[free].tolist(), np.zeros(len(few), dtype=np.int64)
    for place in np.random.default_rng(0).permutation(len(few)):
        wanted = float(own[few[place]])
        above = bisect.bisect_left(values, wanted)
        beside = [at for at in (above - 1, above) if 0 <= at < len(values)]
        nearest = min(beside, key=lambda at: abs(values[at] - wanted))
        taken[place] = free.pop(nearest)
        values.pop(nearest)
    return (taken, few) if swapped else (few, taken)


# -- IAM --------------------------------------------------------------------------------------------------------------

EPSILONS = (1e-2, 1e-5)
"""The two small numbers of IAM's signal, as its code has them (MIT licence)."""

INTERPOLATIONS = 100
"""Points between a model that never saw a sample and one that was fitted to it, as in IAM's code."""

EULER = 0.5772
"""The Euler-Mascheroni constant to the digits of IAM's code."""


def iam_signal(probabilities: Values) -> Values:
    """Return IAM's signal of true-class probabilities p ((n,)): −log(ε₁ − log(ε₂ + p)), scaled to 0..1 over p."""

    def signal(p: Values) -> Values:
        return np.asarray(-np.log(EPSILONS[0] - np.log(EPSILONS[1] + p)))

    lowest, highest = signal(np.zeros(1)), signal(np.ones(1))
    return np.asarray((signal(probabilities) - lowest) / (highest - lowest))


def iam_scores(own: Values, shadow: Values, fitted: Values | float) -> Values:
    """Return how far each sample is on the way from "never seen" (0) to "fitted" (1): (n,).

    own, shadow: (n,) signals under the judged model and under one that never saw the samples. fitted: the signal of a
    sample that a model was trained on, one for all (offline) or each sample's own (under the original, online).

    Source: Wang et al., "Towards lifecycle unlearning commitment management", arXiv 2506.06112, and its code. Between
    both signals lie INTERPOLATIONS − 1 Gumbel distributions, with the spread over samples at that point; the score is
    the mean of their distribution functions at `own`, weighted by the way, each by the next point's, as in the code.
    """
    from scipy.stats import gumbel_r

    weights = np.linspace(0, 1, INTERPOLATIONS)
    between = shadow + (np.broadcast_to(fitted, shadow.shape) - shadow) * weights[:-1, None]  # (points, n)
    spread = np.maximum(between.std(axis=1, keepdims=True), 1e-10)
    scale = math.sqrt(6) * spread / math.pi
    with np.errstate(over="ignore"):  # far below a distribution: exp(−∞) is the 0 that is meant
        passed = gumbel_r.cdf(own, between - EULER * scale, scale)
    return np.asarray(weights[1:] @ passed / weights[1:].sum())


def iam_signals(logits: Tensor, labels: Tensor) -> Values:
    """Return IAM's signal of each sample, (n,), from logits (n, K) and labels (n,)."""
    return iam_signal(true_probability(logits, labels))
