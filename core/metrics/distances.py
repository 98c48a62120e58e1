"""How far two models are apart, in outputs and in features, and how much of that is chance in the choice of samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.metrics.rows import as_float64
from core.metrics.spaces import gram_dtype, one_blas_thread

RESAMPLES = 2000
"""Resamples: the ends of a 95 % interval then wobble by about 3 % of its width."""

LEVEL = 0.95

_CELLS_PER_CHUNK = 4_000_000
"""Drawn indices held at once, 32 MB."""

Interval = tuple[float, float]  # both ends, at level `LEVEL`


# --- outputs and features --------------------------------------------------------------------------------------------


def jensen_shannon(logits: Tensor, reference: Tensor) -> float:
    """Return the mean Jensen-Shannon divergence of two models' outputs (logits (n, K) each) in nats, 0..ln 2."""
    return float(sample_jensen_shannon(logits, reference).mean())


def agreement(logits: Tensor, reference: Tensor) -> float:
    """Return the share of samples on which two models (logits (n, K) each) name the same class, 0..1."""
    return float((logits.argmax(1) == reference.to(logits.device).argmax(1)).double().mean())


def sample_jensen_shannon(logits: Tensor, reference: Tensor) -> Tensor:
    """Return each sample's Jensen-Shannon divergence in nats, (n,), stable for any logits."""
    p, q = _log_probabilities(logits), _log_probabilities(reference.to(logits.device))
    middle = torch.logaddexp(p, q) - math.log(2)
    return (0.5 * (_weighted(p, middle) + _weighted(q, middle))).sum(1).clamp_min(0.0)


def sample_total_variation(logits: Tensor, reference: Tensor) -> Tensor:
    """Return each sample's total variation distance, (n,), 0..1."""
    p, q = _log_probabilities(logits), _log_probabilities(reference.to(logits.device))
    return 0.5 * (p.exp() - q.exp()).abs().sum(1)


def _log_probabilities(logits: Tensor) -> Tensor:
    """Return log-softmax of logits ((n, K)) in the widest type of their device."""
    return torch.log_softmax(logits.detach().to(gram_dtype(logits.device)), 1)


def _weighted(log_p: Tensor, log_middle: Tensor) -> Tensor:
    """Return the terms p (log p − log m) of a divergence from the mean m of two outputs, (n, K)."""
    p = log_p.exp()
    return torch.where(p > 0, p * (log_p - log_middle), torch.zeros_like(p))  # 0 · log 0 is 0, not NaN


def linear_cka(features: Tensor, reference: Tensor) -> float | None:
    """Return linear centred kernel alignment of two networks' features ((n, C), (n, D)) of the same samples, 0..1.

    1 up to rotation and scale. Never to be read alone: it can move without a change of function. None where a set is
    empty or constant. Source: Kornblith et al., arXiv 1905.00414.
    """
    pair = _centred(features, reference)
    if pair is None:
        return None
    x, y = pair
    with one_blas_thread():
        shared = np.square(x.T @ y).sum()
        value = shared / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    return float(min(1.0, value))


def procrustes_distance(features: Tensor, reference: Tensor) -> float | None:
    """Return the squared distance of two feature sets ((n, C), (n, D)) after the best rotation, 0..2.

    Both are centred and scaled to unit norm first; 0 up to rotation and scale. None as in `linear_cka`.
    Source: Ding et al., "Grounding representation similarity through statistical testing", arXiv 2108.01661.
    """
    pair = _centred(features, reference)
    if pair is None:
        return None
    with one_blas_thread():
        nuclear = np.linalg.svd(pair[0].T @ pair[1], compute_uv=False).sum()
    return float(max(0.0, 2.0 - 2.0 * nuclear))


def _centred(features: Tensor, reference: Tensor) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return both sets centred and scaled to unit Frobenius norm."""
    if not len(features):
        return None
    scaled = []
    for rows in (as_float64(features), as_float64(reference)):
        centred = rows - rows.mean(0)
        norm = np.linalg.norm(centred)
        if not np.isfinite(norm) or norm == 0:
            return None
        scaled.append(centred / norm)
    return scaled[0], scaled[1]


# --- what chance moves -----------------------------------------------------------------------------------------------


def bootstrap_mean(values: NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = 0) -> Interval | None:
    """Return the percentile interval of the mean of `values` ((n,), 0 and 1 for a proportion).

    For a paired comparison of two models pass the per-sample differences. Seeded. None for fewer than two values.
    """
    if len(values) < 2:
        return None
    return _percentiles(_resampled_means(values, resamples, np.random.default_rng(seed)))


def _resampled_means(
    sample: NDArray[np.float64], resamples: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return the means of `resamples` draws, with replacement, of as many values as there are: (resamples,)."""
    n = len(sample)
    if np.isin(sample, (0.0, 1.0)).all():  # resampling 0/1 values is a binomial draw
        return generator.binomial(n, sample.mean(), resamples) / n
    per_chunk = max(1, _CELLS_PER_CHUNK // n)
    return np.concatenate([
        sample[generator.integers(n, size=(min(per_chunk, resamples - start), n))].mean(1)
        for start in range(0, resamples, per_chunk)
    ])


def _percentiles(values: NDArray[np.float64]) -> Interval:
    """Return the interval that holds `LEVEL` of resampled values ((m,))."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def nmi_difference(
    labels: NDArray[np.int64],
    clusters: NDArray[np.int64],
    others: Sequence[NDArray[np.int64]],
    *,
    resamples: int = RESAMPLES // 4,
    seed: int = 0,
) -> Interval | None:
    """Return the interval of NMI(clusters) − mean NMI(others), all on the same samples with `labels`, (n,) int each.

    Samples are resampled with their cluster; k-means is not run anew. A quarter of the usual resamples, because each
    costs a table of counts per model. None for fewer than two samples or without others.
    """
    if len(labels) < 2 or not others:
        return None
    _, truth = np.unique(labels, return_inverse=True)
    cells = [_cells(truth, assigned) for assigned in (clusters, *others)]
    generator = np.random.default_rng(seed)
    differences = np.empty(resamples)
    for i in range(resamples):
        weights = np.bincount(generator.integers(len(labels), size=len(labels)), minlength=len(labels))
        own, *rest = (
            _nmi(np.bincount(cell, weights, rows * columns).astype(np.float64, copy=False).reshape(rows, columns))
            for cell, rows, columns in cells
        )
        differences[i] = own - sum(rest) / len(rest)
    return _percentiles(differences)


def _cells(truth: NDArray[np.int64], clusters: NDArray[np.int64]) -> tuple[NDArray[np.int64], int, int]:
    """Return each sample's cell in the table of classes by clusters, (n,), and the table's rows and columns."""
    _, numbers = np.unique(clusters, return_inverse=True)
    columns = int(numbers.max()) + 1
    return truth * columns + numbers, int(truth.max()) + 1, columns


def _nmi(table: NDArray[np.float64]) -> float:
    """Return normalised mutual information of a contingency table, normalised by the mean entropy."""
    p = table / table.sum()
    both = _entropy(p.sum(1)) + _entropy(p.sum(0))
    mutual, scale = both - _entropy(p.ravel()), both / 2
    return mutual / scale if scale > 0 else 1.0


def _entropy(p: NDArray[np.float64]) -> float:
    """Return the entropy of probabilities in nats."""
    p = p[p > 0]
    return float(-np.add.reduce(p * np.log(p)))
