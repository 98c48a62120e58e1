"""Intervals: how much a mean, a clustering score or an alignment would move with other samples of the same kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics.linear_algebra import FeatureSpace

RESAMPLES = 2000
"""Resamples: the ends of a 95 % interval then wobble by about 3 % of its width."""

LEVEL = 0.95

_CELLS_PER_CHUNK = 4_000_000
"""Drawn indices held at once, 32 MB."""


@dataclass(frozen=True)
class Interval:
    """A two-sided interval at level `LEVEL`."""

    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2


def bootstrap_mean(values: ArrayLike | None, *, resamples: int = RESAMPLES, seed: int = 0) -> Interval | None:
    """Return the percentile interval of the mean of `values` ((n,) float, or 0/1 for a proportion).

    For a paired comparison of two models pass the per-sample differences. Seeded. None for fewer than two values.
    """
    sample = _as_array(values)
    if sample is None:
        return None
    return percentiles(_resampled_means(sample, resamples, np.random.default_rng(seed)))


def _resampled_means(
    sample: NDArray[np.float64], resamples: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    n = len(sample)
    if np.isin(sample, (0.0, 1.0)).all():  # resampling 0/1 values is a binomial draw
        return generator.binomial(n, sample.mean(), resamples) / n
    per_chunk = max(1, _CELLS_PER_CHUNK // n)
    return np.concatenate([
        sample[generator.integers(n, size=(min(per_chunk, resamples - start), n))].mean(1)
        for start in range(0, resamples, per_chunk)
    ])


def percentiles(means: NDArray[np.float64]) -> Interval:
    """Return the interval that holds `LEVEL` of resampled values ((m,))."""
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))


def _as_array(values: ArrayLike | None) -> NDArray[np.float64] | None:
    if values is None:
        return None
    sample = np.asarray(values, dtype=np.float64).ravel()
    return sample if len(sample) >= 2 else None


def alignment_influence(forget: FeatureSpace, retain: FeatureSpace, k: int) -> NDArray[np.float64]:
    """Return each forget sample's influence on DA at `k`, (n,): the derivative of DA by the sample's weight.

    With G = Σ wᵢ fᵢ fᵢᵀ, P = U Uᵀ, A = ‖G P‖², B = ‖G‖², DA = √(A/B): dA/dwᵢ = 2 fᵢᵀ G P fᵢ, dB/dwᵢ = 2 fᵢᵀ G fᵢ. The
    sum of squared influences is the variance that the bootstrap over forget samples has in the limit (infinitesimal
    jackknife; Efron, "The jackknife, the bootstrap and other resampling plans", 1982). The retain basis is held fixed.
    Raises ValueError for features without energy.
    """
    basis = retain.eigen[1][:, :k]
    total = forget.gram
    inside = total @ basis
    a, b = float(inside.square().sum()), float(total.square().sum())
    if not (a > 0 and b > 0):
        raise ValueError("forget features without energy have no alignment")
    value = (a / b) ** 0.5
    parts = []
    for rows in forget.rows():
        da = 2 * ((rows @ inside) * (rows @ basis)).sum(1)
        db = 2 * ((rows @ total) * rows).sum(1)
        parts.append((0.5 * value * (da / a - db / b)).cpu().numpy())
    return np.concatenate(parts)


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
    cells = [_cells(truth, found) for found in (clusters, *others)]
    generator = np.random.default_rng(seed)
    differences = np.empty(resamples)
    for i in range(resamples):
        weights = np.bincount(generator.integers(len(labels), size=len(labels)), minlength=len(labels))
        own, *rest = (
            _nmi(np.bincount(cell, weights, rows * columns).astype(np.float64).reshape(rows, columns))
            for cell, rows, columns in cells
        )
        differences[i] = own - sum(rest) / len(rest)
    return percentiles(differences)


def _cells(truth: NDArray[np.int64], clusters: NDArray[np.int64]) -> tuple[NDArray[np.int64], int, int]:
    _, found = np.unique(clusters, return_inverse=True)
    columns = int(found.max()) + 1
    return truth * columns + found, int(truth.max()) + 1, columns


def _nmi(table: NDArray[np.float64]) -> float:
    """Return normalised mutual information of a contingency table, normalised by the mean entropy."""
    p = table / table.sum()
    rows, columns = p.sum(1), p.sum(0)
    mutual = _entropy(rows) + _entropy(columns) - _entropy(p.ravel())
    scale = (_entropy(rows) + _entropy(columns)) / 2
    return mutual / scale if scale > 0 else 1.0


def _entropy(p: NDArray[np.float64]) -> float:
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())
