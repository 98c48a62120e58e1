"""Intervals of a model − retrained, measure by measure, against what they are made of."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from core.metrics.distances import bootstrap_mean
from core.metrics.membership import _placements, attack_from_scores, population_attack
from core.verify.measure_log import Measured
from core.verify.relations import half_widths

RIGHT = [[1] * 60 + [0] * 40, [1] * 50 + [0] * 50, [0] * 20 + [1] * 60 + [0] * 20]


def found(samples=None) -> Measured:
    return Measured({}, samples or {})


def half(interval: tuple[float, float]) -> float:
    return (interval[1] - interval[0]) / 2


def test_means_are_paired_sample_by_sample():
    models = [found({"probe": right}) for right in RIGHT]
    difference = np.array(RIGHT[0]) - (np.array(RIGHT[1]) + np.array(RIGHT[2])) / 2
    assert half_widths(models[0], models[1:])["probe"] == pytest.approx(half(bootstrap_mean(difference)))
    assert half_widths(models[0], [models[0]])["probe"] == 0  # the same answers leave nothing to chance


def test_a_distance_to_a_single_retrained_model_is_held_against_zero():
    distances = [0.1, 0.3] * 50
    own = found({"output_distance": distances})
    expected = half(bootstrap_mean(np.array(distances)))
    assert half_widths(own, [found()])["output_distance"] == pytest.approx(expected)
    assert "output_distance" not in half_widths(own, [])


def test_influences_add_up_to_a_variance():
    own, other = found({"dimensional_alignment": [0.01] * 25}), found({"dimensional_alignment": [0.0] * 25})
    assert half_widths(own, [other])["dimensional_alignment"] == pytest.approx(1.959964 * 0.05)


def test_attacks_on_the_same_images_are_held_against_each_other_as_delong_does():
    generator = np.random.default_rng(0)
    members, others = generator.normal(0.4, 1, 60), generator.normal(0, 1, 50)
    scores = [(members + generator.normal(0, 0.3, 60), others + generator.normal(0, 0.3, 50)) for _ in range(2)]
    models = [found({"membership": [side.tolist() for side in _placements(*pair)]}) for pair in scores]
    width = half_widths(models[0], models[1:])["membership"]
    generator, differences = np.random.default_rng(1), []
    for _ in range(800):
        inside, outside = generator.integers(60, size=60), generator.integers(50, size=50)
        one, other = (attack_from_scores(pair[0][inside], pair[1][outside]).auc for pair in scores)
        differences.append(one - other)
    assert width == pytest.approx(1.96 * np.std(differences), rel=0.15)
    apart = math.hypot(*((one.high - one.low) / 2 for one in (attack_from_scores(*pair) for pair in scores)))
    assert width < apart / 2  # what both share drops out
    assert half_widths(models[0], [models[0]])["membership"] == 0
    assert "membership" not in half_widths(models[0], [found({"membership": [[0.5], [0.5]]})])


def test_an_attack_is_held_against_the_mean_of_all_retrained_models():
    generator = np.random.default_rng(0)
    own, *others = (found({"membership": [generator.random(60).tolist(), generator.random(50).tolist()]})
                    for _ in range(4))  # fmt: skip
    sides = [np.mean([other.samples["membership"][side] for other in others], axis=0).tolist() for side in (0, 1)]
    mean = half_widths(own, [found({"membership": sides})])["membership"]
    assert half_widths(own, others)["membership"] == pytest.approx(mean)
    assert half_widths(own, others[::-1])["membership"] == pytest.approx(mean)


def test_the_attack_keeps_what_its_interval_is_made_of():
    generator = torch.Generator().manual_seed(0)
    logits, labels = 2 * torch.randn(90, 4, generator=generator), torch.arange(90) % 4
    attack = population_attack(logits[:45], labels[:45], logits[45:], labels[45:])
    for side, number in zip(attack.placements, (45, 45), strict=True):
        assert len(side) == number and np.mean(side) == pytest.approx(attack.auc, abs=0.01)  # halves of 23 and 22


def test_clusterings_of_other_samples_have_no_interval_and_what_is_missing_is_left_out():
    labels = [0, 1] * 30
    own, other = found({"nmi": [labels, labels]}), found({"nmi": [labels[::-1], labels]})
    assert "nmi" not in half_widths(own, [other])
    assert half_widths(own, [own])["nmi"] == 0
    assert half_widths(found(), [found()]) == {}
    assert "probe" not in half_widths(found({"probe": [1, 0]}), [found({"probe": [1, 0, 1]})])
