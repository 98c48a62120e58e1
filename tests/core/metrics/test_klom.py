"""KLoM: the published sum written out, planted Gaussians, and what chance alone gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import entropy

from core.metrics.klom import BINS, CLIP, FLOOR, klom, margin_distance


def written_out(p: np.ndarray, q: np.ndarray) -> float:
    """One sample, by numpy's histogram and scipy's entropy, which makes both sum to one."""
    p, q = np.clip(p, -CLIP, CLIP), np.clip(q, -CLIP, CLIP)
    bounds = min(p.min(), q.min()), max(p.max(), q.max())
    bounds = bounds if bounds[0] < bounds[1] else (bounds[0], bounds[0] + 1)
    one, other = (np.histogram(side, BINS, bounds)[0] / len(side) for side in (p, q))
    return float(entropy(one, np.where(one > 0, np.maximum(other, FLOOR), other)))


def test_it_is_the_published_sum_sample_by_sample():
    generator = np.random.default_rng(0)
    p, q = generator.normal(1, 2, (30, 50)), generator.normal(0, 3, (20, 50))
    p[:, 0] *= 200  # clipped
    p[:, 1] = q[:20, 1].max()  # one value alone, at the upper end
    assert klom(p, q) == pytest.approx([written_out(p[:, i], q[:, i]) for i in range(50)], abs=1e-9)
    assert not np.allclose(klom(p, q), klom(q, p))  # unlearned and retrained are not interchangeable


def test_the_same_models_are_0_apart_and_models_without_overlap_as_far_as_the_floor_lets_them():
    one = np.random.default_rng(1).normal(0, 1, (20, 5))
    assert klom(one, one) == pytest.approx(np.zeros(5))
    assert klom(np.zeros((20, 3)), np.zeros((20, 3))).tolist() == [0.0] * 3
    far = klom(np.full((20, 2), 50.0), np.full((20, 2), -50.0))
    assert far == pytest.approx(math.log((1 + FLOOR) / FLOOR))


def test_models_of_one_kind_lie_at_the_floor_and_a_planted_shift_above_it():
    generator = np.random.default_rng(2)
    first, second = generator.normal(0, 1, (2, 100, 400))
    floor = klom(first, second).mean()
    shifted = [klom(first + shift, second).mean() for shift in (0.5, 1.0, 2.0)]
    assert floor < shifted[0] < shifted[1] < shifted[2]
    assert klom(first[:10], second[:10]).mean() > 5 * floor  # of few models chance alone is far from 0


def test_the_distance_of_few_models_is_the_shift_of_their_margins():
    generator = np.random.default_rng(3)
    first = generator.normal(0, 1, (4, 6))
    assert margin_distance(first + 2.5, first) == pytest.approx(np.full(6, 2.5))
    assert margin_distance(first, first).tolist() == [0.0] * 6
    assert margin_distance(np.full((2, 1), 1e9), np.full((3, 1), -1e9)) == pytest.approx([2 * CLIP])
