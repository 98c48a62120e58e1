"""Intervals of unlearned − retrained, measure by measure, against what they are made of."""

from __future__ import annotations

import numpy as np
import pytest

from core.metrics.intervals import bootstrap_mean
from core.verify.half_widths import half_widths
from core.verify.measure_log import Found

RIGHT = [[1] * 60 + [0] * 40, [1] * 50 + [0] * 50, [0] * 20 + [1] * 60 + [0] * 20]


def found(samples=None, low=None, high=None) -> Found:
    attack = {"membership": {"population": {"low": low, "high": high}}}
    return Found(attack if low is not None else {}, samples or {})


def test_means_are_paired_sample_by_sample():
    models = [found({"probe": right}) for right in RIGHT]
    difference = np.array(RIGHT[0]) - (np.array(RIGHT[1]) + np.array(RIGHT[2])) / 2
    assert half_widths(models[0], models[1:])["probe"] == pytest.approx(bootstrap_mean(difference).half_width)
    assert half_widths(models[0], [models[0]])["probe"] == 0  # the same answers leave nothing to chance


def test_a_distance_to_a_single_retrained_model_is_held_against_zero():
    own = found({"output_distance": [0.1, 0.3] * 50})
    assert half_widths(own, [found()])["output_distance"] == pytest.approx(bootstrap_mean([0.1, 0.3] * 50).half_width)
    assert "output_distance" not in half_widths(own, [])


def test_influences_add_up_to_a_variance():
    own, other = found({"dimensional_alignment": [0.01] * 25}), found({"dimensional_alignment": [0.0] * 25})
    assert half_widths(own, [other])["dimensional_alignment"] == pytest.approx(1.959964 * 0.05)


def test_attacks_combine_their_own_intervals():
    taken = half_widths(found(low=0.5, high=0.56), [found(low=0.4, high=0.48), found(low=0.4, high=0.48)])
    assert taken["membership"] == pytest.approx((0.03**2 + 2 * 0.04**2 / 4) ** 0.5)


def test_clusterings_of_other_samples_have_no_interval_and_what_is_missing_is_left_out():
    labels = [0, 1] * 30
    own, other = found({"nmi": [labels, labels]}), found({"nmi": [labels[::-1], labels]})
    assert "nmi" not in half_widths(own, [other])
    assert half_widths(own, [own])["nmi"] == 0
    assert half_widths(found(), [found()]) == {}
    assert "probe" not in half_widths(found({"probe": [1, 0]}), [found({"probe": [1, 0, 1]})])
