from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from core.metrics.membership import (
    ROC_RATES,
    _placements,
    attack_from_scores,
    matched_positions,
    output_statistics,
    population_attack,
)


def auc(members: np.ndarray, others: np.ndarray) -> float:
    return float(_placements(members, others)[0].mean())


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**31))
def test_auc_agrees_with_scikit_learn_also_with_ties(n: int, m: int, levels: int, seed: int):
    generator = np.random.default_rng(seed)
    a, b = generator.integers(levels, size=n), generator.integers(levels, size=m)
    truth, scores = np.repeat([1, 0], [n, m]), np.concatenate([a, b])
    assert auc(a, b) == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert auc(b, a) == pytest.approx(1 - auc(a, b), abs=1e-12)


def test_two_gaussians_have_a_known_answer():
    generator = np.random.default_rng(1)
    distance = 1.5
    members, others = generator.normal(distance, 1, 40_000), generator.normal(0, 1, 40_000)
    attack = attack_from_scores(members, others)
    value, low, high = attack.auc, attack.low, attack.high
    expected = norm.cdf(distance / np.sqrt(2))
    assert value == pytest.approx(expected, abs=0.005)
    assert low < expected < high and high - low < 0.01
    assert attack.rates["tpr_at_fpr_1e-2"] == pytest.approx(norm.cdf(norm.ppf(0.01) + distance), abs=0.015)


def test_all_ties_are_chance():
    assert auc(np.zeros(5), np.zeros(9)) == 0.5
    assert attack_from_scores(np.zeros(50), np.zeros(2000)).rates["tpr_at_fpr_1e-2"] == 0.0


def test_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(2)
    expected, hits = norm.cdf(1 / np.sqrt(2)), 0
    for _ in range(300):
        attack = attack_from_scores(generator.normal(1, 1, 40), generator.normal(0, 1, 60))
        hits += attack.low <= expected <= attack.high
    assert 0.90 < hits / 300 < 0.99


def test_few_samples_are_refused_with_the_reason():
    result = attack_from_scores(np.arange(12), np.arange(100))
    assert result.auc is None and result.low is None
    assert result.reason == "12 forget images are too few for an attack score; at least 30 are needed."
    assert population_attack(*outputs(0, 1.0, 1), *outputs(40, 1.0, 2)).reason.startswith("0 ")
    assert "1 unseen image is too few" in attack_from_scores(np.arange(30), [1.0]).reason


def test_a_rate_needs_enough_non_members():
    result = attack_from_scores(np.arange(100), np.arange(999))
    assert result.rates["tpr_at_fpr_1e-2"] is None
    assert attack_from_scores(np.arange(100), np.arange(1000)).rates["tpr_at_fpr_1e-2"] is not None
    assert set(result.as_dict()) >= {"auc", "tpr_at_fpr_1e-2", "tpr_at_fpr_1e-3", "reason"}


def outputs(n: int, margin: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(5, (n,), generator=generator)
    logits = torch.randn(n, 5, generator=generator)
    logits[torch.arange(n), labels] += margin
    return logits, labels


def test_statistics_are_what_they_say():
    logits, labels = outputs(50, 1.0, 1)
    p = logits.double().softmax(1)
    own = p[torch.arange(50), labels]
    expected = torch.stack([(own / (1 - own)).log(), -(p * p.log()).sum(1), -own.log()], 1)
    np.testing.assert_allclose(output_statistics(logits, labels), expected.numpy(), rtol=1e-9)
    masked = logits.clone()
    masked[torch.arange(50), labels] = -torch.inf
    assert np.isfinite(output_statistics(masked, labels)).all()
    assert np.isfinite(output_statistics(logits * 1e6, labels)).all()


def test_population_attack_finds_what_is_there_and_nothing_where_nothing_is():
    strangers = outputs(800, 1.0, 2)
    same = population_attack(*outputs(800, 1.0, 3), *strangers)
    assert same.low < 0.5 < same.high and same.high - same.low < 0.08
    remembered = population_attack(*outputs(800, 3.0, 4), *strangers)
    ideal = auc(output_statistics(*outputs(800, 3.0, 4))[:, 0], output_statistics(*strangers)[:, 0])
    assert remembered.auc == pytest.approx(ideal, abs=0.02)
    assert remembered == population_attack(*outputs(800, 3.0, 4), *strangers)


def test_population_attack_does_not_care_which_side_is_more_confident():
    strangers, shy = outputs(600, 2.0, 5), outputs(600, 0.5, 6)
    assert population_attack(*shy, *strangers).auc > 0.6


def test_population_attack_survives_sets_of_different_size_and_masked_classes():
    logits, labels = outputs(40, 1.0, 7)
    logits[torch.arange(40), labels] = -torch.inf
    result = population_attack(logits, labels, *outputs(1500, 1.0, 8))
    assert result.auc > 0.99
    assert result.rates["tpr_at_fpr_1e-2"] > 0.9


def test_the_curve_is_the_rate_at_each_point_and_ends_at_one():
    members, others = np.arange(100) + 60.0, np.arange(100.0)
    found = attack_from_scores(members, others)
    assert len(found.roc) == len(ROC_RATES) and found.roc[-1] == 1.0
    assert list(found.roc) == sorted(found.roc)
    assert found.roc[ROC_RATES.index(0.1)] == pytest.approx(np.mean(members > 89))
    assert found.as_dict()["roc"]["fpr"] == list(ROC_RATES)
    assert attack_from_scores([1.0], [2.0]).as_dict()["roc"] is None
    assert attack_from_scores(np.zeros(40), np.zeros(40)).roc == pytest.approx(ROC_RATES)  # ties: a diagonal


def test_the_curve_agrees_with_scikit_learn():
    generator = np.random.default_rng(5)
    members, others = generator.integers(0, 9, 60) + 1.0, generator.integers(0, 9, 80) + 0.0
    fpr, tpr, _ = roc_curve(np.repeat([1, 0], [60, 80]), np.concatenate([members, others]), drop_intermediate=False)
    rates = [rate for rate in ROC_RATES if rate not in fpr]  # between points there is no choice to make
    found = dict(zip(ROC_RATES, attack_from_scores(members, others).roc, strict=True))
    assert [found[rate] for rate in rates] == pytest.approx(np.interp(rates, fpr, tpr).tolist())


def test_members_and_others_are_matched_class_by_class():
    members = torch.tensor([0] * 40 + [1] * 10 + [2] * 5)
    pool = torch.tensor([0] * 30 + [1] * 100)
    inside, outside = matched_positions(members, pool)
    assert members[inside].bincount().tolist() == [40, 10]  # class 2 has no unseen images
    assert pool[outside].bincount().tolist() == [30, 7]  # 30 for 40 is the scarcest
    inside, outside = matched_positions(members, pool, most=20)
    assert members[inside].bincount().tolist() == [16, 4] and pool[outside].bincount().tolist() == [12, 3]
    few = torch.tensor([0] * 100 + [1] * 2)
    inside, outside = matched_positions(few, few, most=10)
    assert few[inside].bincount().tolist() == few[outside].bincount().tolist() == [9, 1]  # no class is left out
    nothing = matched_positions(members, torch.full((9,), 7))
    assert not len(members[nothing[0]]) and not len(pool[nothing[1]])
