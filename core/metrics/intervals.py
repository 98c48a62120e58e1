"""Bootstrap intervals: how much a measured value would move with other test samples of the same kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
