"""Attacks on single samples: values reckoned by hand, and planted Gaussians whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from core.metrics.membership import attack_from_scores, log_odds, output_statistics
from core.metrics.sample_attacks import EULER, by_hardness, calibrated_scores, iam_scores, iam_signal


def test_log_odds_are_the_log_of_p_over_the_rest_also_where_the_class_is_masked():
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, -math.inf, 1.0]], dtype=torch.float64)
    labels = torch.tensor([0, 1])
    p = torch.softmax(logits[0], 0)[0]
    assert log_odds(logits, labels).tolist() == pytest.approx([float(torch.log(p / (1 - p))), -1e4])
    assert log_odds(logits, labels).tolist() == output_statistics(logits, labels)[:, 0].tolist()


def test_calibration_finds_a_planted_memory_that_difficulty_hides():
    """Difficulty N(0, 4), noise 1 a model, memory d: the AUC is Φ(d / √(2(1 + 1/k))) with k references."""
    generator, lead = np.random.default_rng(0), 1.0
    difficulty = generator.normal(0, 4, 40_000)
    own = difficulty + generator.normal(0, 1, 40_000) + np.repeat([lead, 0], 20_000)
    references = [difficulty + generator.normal(0, 1, 40_000) for _ in range(3)]
    scores = calibrated_scores(own, references)
    expected = norm.cdf(lead / math.sqrt(2 * (1 + 1 / 3)))
    assert attack_from_scores(scores[:20_000], scores[20_000:]).auc == pytest.approx(expected, abs=0.006)
    assert attack_from_scores(own[:20_000], own[20_000:]).auc < 0.59


def test_the_vulnerable_half_is_what_models_that_never_saw_it_get_wrong():
    references, labels = np.array([0.0, 0.9, 0.5, -1.0]), np.array([0, 0, 1, 1])
    unseen, unseen_labels = np.array([-0.9, 0.6, 7.0, 0.1, 0.8]), np.array([0, 1, 1, 0, 0])
    groups = by_hardness(references, labels, unseen, unseen_labels)
    pairs = {name: dict(zip(group.members.tolist(), group.others.tolist(), strict=True))
             for name, group in groups.items()}  # fmt: skip
    assert pairs == {"vulnerable": {0: 3, 3: 1}, "protected": {1: 4, 2: 1}}  # the nearest of the own class


def test_pairs_are_as_hard_as_each_other_and_nothing_is_taken_twice():
    generator = np.random.default_rng(1)
    references, labels = generator.normal(2, 1, 400), np.zeros(400, dtype=np.int64)
    unseen = generator.normal(0, 1, 300)  # the forget samples are easier on the whole
    groups = by_hardness(references, labels, unseen, np.zeros(300, dtype=np.int64))
    for group in groups.values():
        assert len(set(group.members)) == len(set(group.others)) == len(group.members) == 200
        assert not np.array_equal(np.sort(group.others), np.arange(200))
    assert not set(groups["vulnerable"].members) & set(groups["protected"].members)
    assert references[groups["vulnerable"].members].max() < references[groups["protected"].members].min()


def test_a_class_without_unseen_samples_is_left_out():
    groups = by_hardness(np.zeros(4), np.array([0, 0, 1, 1]), np.zeros(3), np.array([1, 1, 1]))
    assert sorted(np.concatenate([group.members for group in groups.values()])) == [2, 3]


def test_the_signal_of_iam_is_0_and_1_at_its_ends_and_by_hand_between():
    found = iam_signal(np.array([0.0, 0.5, 1.0]))
    raw = [-math.log(1e-2 - math.log(1e-5 + p)) for p in (0.0, 0.5, 1.0)]
    assert found.tolist() == pytest.approx([0.0, (raw[1] - raw[0]) / (raw[2] - raw[0]), 1.0])


def test_iam_scores_equal_the_published_sum_written_out():
    """One sample at a time, from the formula: Gumbel with the moments of each interpolation, F = exp(−exp(−z))."""
    own, shadow, fitted = np.array([0.2, 0.7, 0.9]), np.array([0.1, 0.3, 0.6]), np.array([0.8, 0.9, 0.95])
    expected = np.zeros(3)
    for k in range(99):
        between = shadow + (fitted - shadow) * k / 99
        scale = math.sqrt(6) * between.std() / math.pi
        for i in range(3):
            z = (own[i] - (between[i] - EULER * scale)) / scale
            expected[i] += (k + 1) / 99 * math.exp(-math.exp(-z))
    expected /= sum((k + 1) / 99 for k in range(99))
    assert iam_scores(own, shadow, fitted) == pytest.approx(expected, abs=1e-12)
    assert (np.diff([iam_scores(np.full(3, level), shadow, 0.9).mean() for level in (0.0, 0.3, 0.6, 0.9)]) > 0).all()
    assert iam_scores(own, np.full(3, 0.3), 0.9).max() <= 1  # no spread between samples divides by nothing
