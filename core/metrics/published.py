"""Measures as the field publishes them, exactly defined, so that numbers compare with tables in papers.

None of them is good because it is high or low: the value to reach is a retrained model's. Sources and defects of the
published code are named with each function. Accuracies and shares are 0..1 where papers print per cent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.metrics.distances import jensen_shannon
from core.metrics.membership import probabilities, true_probability
from core.metrics.rows import stratified_subset
from core.metrics.spaces import one_blas_thread

SVC_SAMPLES = 2000
"""Samples a side of the confidence attack. The published code takes all (10,000 and 10,000), and several seconds a
model; on one feature 2,000 place the same boundary."""

RELEARN_ALPHA = 0.05
"""Relearned: forget accuracy at least (1 − α) of the original's (ERASURE)."""

AIN_OFFSET = 0.01
"""ERASURE adds this to both counts, so that a model that needs no step has an index."""

GAP_TERMS = ("ua", "ra", "ta", "mia")


def average_gap(model: Mapping[str, float | None], retrained: Mapping[str, float | None]) -> float | None:
    """Return the mean of |u − r| over UA, RA, TA and the confidence attack; None where one is missing.

    0 for the retrained model itself; a second seed gives the noise floor. Source: SalUn, arXiv 2310.12508, Table 1.
    """
    pairs = [(model.get(term), retrained.get(term)) for term in GAP_TERMS]
    gaps = [abs(u - r) for u, r in pairs if u is not None and r is not None]
    return sum(gaps) / len(gaps) if len(gaps) == len(pairs) else None


def tug_of_war(
    model: Mapping[str, float | None], retrained: Mapping[str, float | None], first: str = "ua"
) -> float | None:
    """Return (1 − |Δforget|)(1 − |ΔRA|)(1 − |ΔTA|), 1 for the retrained model; None where a term is missing.

    With `first` = "mia" it is ToW-MIA, which holds the confidence attack in place of forget accuracy. Source: RUM,
    arXiv 2406.01257 (|ΔUA| = |ΔFA|).
    """
    value = 1.0
    for term in (first, "ra", "ta"):
        u, r = model.get(term), retrained.get(term)
        if u is None or r is None:
            return None
        value *= 1 - abs(u - r)
    return value


def svc_confidence(
    retain: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], forget: tuple[Tensor, Tensor]
) -> float | None:
    """Return the share of forget samples that an SVC on the true class's probability calls non-members, 0..1.

    Each argument: logits (n, K), labels (n,). Members are drawn from the retain training set, as many as there are
    test samples, which are the non-members; SVC(rbf, C = 3, gamma auto). Source: SalUn's SVC_MIA, "confidence", which
    takes the first samples of a shuffled set. Ours: at most SVC_SAMPLES a side, each drawn with the same share of every
    class and a fixed seed, because folders are read class by class. None where a set is empty. About 1 for a retrained
    model in class forgetting.
    """
    if not (len(retain[1]) and len(test[1]) and len(forget[1])):
        return None
    from sklearn.svm import SVC

    size = min(len(test[1]), len(retain[1]), SVC_SAMPLES)
    inside, outside = (_drawn_probability(*outputs, size) for outputs in (retain, test))
    with one_blas_thread():
        model = SVC(C=3, gamma="auto", kernel="rbf")
        model.fit([[p] for p in (*inside, *outside)], [1] * len(inside) + [0] * len(outside))
        called = model.predict(true_probability(*forget)[:, None])
    return float(1 - called.mean())


def zrf(logits: Tensor, random_logits: Tensor) -> float | None:
    """Return 1 − mean JS / ln 2 of a model's and a randomly initialised network's outputs on the forget set, 0..1.

    The Zero Retrain Forgetting metric as its paper words it, with JS scaled to 0..1 (ours). None without samples.
    """
    if not len(logits):
        return None
    return 1 - jensen_shannon(logits, random_logits) / math.log(2)


def zrf_paper_code(logits: Tensor, random_logits: Tensor) -> float | None:
    """Return ZRF as the published code computes it; not comparable with `zrf`, and near 1 for everything.

    Source: code of "Can bad teaching induce forgetting?", arXiv 2205.08096: reversed arguments (KL from the mean to
    each side) and a mean over samples *and* classes, which is no Jensen-Shannon divergence. None where a probability
    is 0 (the code gives infinity there) or there are no samples.
    """
    if not len(logits):
        return None
    p, q = (probabilities(outputs) for outputs in (logits, random_logits))
    middle = (p + q) / 2
    value = sum(float((middle * (middle.log() - side.log())).mean()) for side in (p, q)) / 2
    return 1 - value if math.isfinite(value) else None


def activation_distance(logits: Tensor, retrained: Tensor) -> float | None:
    """Return the mean L2 norm of the difference of two models' probabilities (logits (n, K) each), 0..√2.

    0 for the model itself; a second retrained seed gives the floor. None without samples.
    """
    if not len(logits):
        return None
    return float((probabilities(logits) - probabilities(retrained)).norm(dim=1).mean())


def anamnesis_index(batches: float | None, retrained_batches: float | None) -> float | None:
    """Return rt(u) / rt(r), both plus 0.01: batches until the forget accuracy is back (AIN, TIFS 2023; ERASURE).

    1 for the retrained model, below 1 where knowledge remains. A relearning that did not get there counts as the most
    batches it was given. None where either was not measured.
    """
    if batches is None or retrained_batches is None:
        return None
    return (batches + AIN_OFFSET) / (retrained_batches + AIN_OFFSET)


def adaptive_unlearning_score(
    original_test: float | None, test: float | None, forget: float | None, by_class: bool
) -> float | None:
    """Return AUS = (1 − (A_o − A_u)) / (1 + |Δ|), A the test accuracy; Δ = forget accuracy where classes are forgotten.

    For single images Δ = A_u − forget accuracy. Source: ERASURE (the score of Cotogni et al., arXiv 2312.02052).
    """
    if original_test is None or test is None or forget is None:
        return None
    return (1 - (original_test - test)) / (1 + abs(forget if by_class else test - forget))


def _drawn_probability(logits: Tensor, labels: Tensor, size: int) -> NDArray[np.float64]:
    """Return the true class's probability of at most `size` samples, each class with its share."""
    ids = torch.from_numpy(stratified_subset(labels.cpu().numpy(), size))
    return true_probability(logits[ids], labels[ids])
