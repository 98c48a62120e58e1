from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from core.metrics.distances import bootstrap_mean, nmi_difference


def test_proportion_agrees_with_the_normal_interval():
    low, high = bootstrap_mean(np.repeat([1, 0], [300, 700]))
    half = 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    assert (high - low) / 2 == pytest.approx(half, rel=0.08)
    assert (low + high) / 2 == pytest.approx(0.3, abs=0.003)


def test_values_of_two_kinds_are_a_proportion_only_where_these_are_0_and_1():
    low, high = bootstrap_mean(np.repeat([2.0, 0.0], [300, 700]))
    half = 2 * 1.96 * np.sqrt(0.3 * 0.7 / 1000)
    assert (high - low) / 2 == pytest.approx(half, rel=0.08) and (low + high) / 2 == pytest.approx(0.6, abs=0.006)


def test_mean_agrees_with_scipy():
    values = np.random.default_rng(3).exponential(size=200)
    mine = bootstrap_mean(values)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=4000, random_state=1)
    assert mine[0] == pytest.approx(theirs.confidence_interval.low, abs=0.02)
    assert mine[1] == pytest.approx(theirs.confidence_interval.high, abs=0.02)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(11)
    hits = 0
    for trial in range(300):
        low, high = bootstrap_mean(generator.random(80) < 0.4, resamples=500, seed=trial)
        hits += low <= 0.4 <= high
    assert 0.89 < hits / 300 < 0.99


def test_it_repeats_itself_and_ignores_the_chunks(monkeypatch):
    values = np.random.default_rng(0).normal(size=50)
    first = bootstrap_mean(values, seed=4)
    assert first == bootstrap_mean(values, seed=4)
    monkeypatch.setattr("core.metrics.distances._CELLS_PER_CHUNK", 300)
    assert first == bootstrap_mean(values, seed=4)


def test_too_little_has_no_interval():
    assert bootstrap_mean(np.zeros(0)) is None
    assert bootstrap_mean(np.array([0.5])) is None


def test_mutual_information_is_held_against_the_mean_of_the_others():
    labels = np.tile([0, 1, 2], 20)
    perfect, none = labels, np.zeros_like(labels)
    assert nmi_difference(labels, perfect, [perfect, none]) == pytest.approx((0.5, 0.5))
    assert nmi_difference(labels, none, [none, perfect, perfect]) == pytest.approx((-2 / 3, -2 / 3))
    assert nmi_difference(labels, perfect, []) is None and nmi_difference(labels[:1], none[:1], [none[:1]]) is None
