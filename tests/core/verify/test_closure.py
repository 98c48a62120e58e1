from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.verify.closure import MEASURES, MINIMUM_GAP, closure_of, look_up, retrained_spread

shares = st.floats(0.0, 1.0)


def test_ends_and_middle_of_a_value():
    retrained = [0.5, 0.52, 0.51]
    assert closure_of("value", 0.9, 0.51, retrained).value == pytest.approx(1.0)
    assert closure_of("value", 0.9, 0.9, retrained).value == pytest.approx(0.0)
    assert closure_of("value", 0.9, (0.9 + 0.51) / 2, retrained).value == pytest.approx(0.5)


def test_a_rising_measure_counts_like_a_falling_one():
    assert closure_of("value", 0.8, 0.95, [1.0]).value == pytest.approx(0.75)
    assert closure_of("value", 0.2, 0.05, [0.0]).value == pytest.approx(0.75)


def test_overshoot_lowers_the_closure_and_shows_in_the_position():
    beyond = closure_of("value", 0.8, 1.2, [1.0])
    assert (beyond.value, beyond.position) == (pytest.approx(0.0), pytest.approx(2.0))
    worse = closure_of("value", 0.8, 0.7, [1.0])
    assert (worse.value, worse.position) == (pytest.approx(-0.5), pytest.approx(-0.5))


def test_a_distance_is_zero_at_best():
    assert closure_of("distance", 0.6, 0.15, []).value == pytest.approx(0.75)
    found = closure_of("distance", 0.6, 0.15, [0.05, 0.06, 0.04])
    assert (found.value, found.gap, found.retrained) == (pytest.approx(0.75), 0.6, pytest.approx(0.05))
    assert not closure_of("distance", 0.06, 0.02, [0.05, 0.06, 0.04]).informative


def test_spread_is_the_prediction_interval_of_a_further_model():
    values = [0.91, 0.95, 0.94, 0.90]
    expected = stats.t.ppf(0.975, 3) * np.std(values, ddof=1) * math.sqrt(1 + 1 / 4)
    assert retrained_spread(values) == pytest.approx(expected)
    assert retrained_spread([0.9]) is None


def test_a_further_model_lies_inside_the_spread_nineteen_times_of_twenty():
    generator = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        *known, further = generator.normal(0.9, 0.02, 4)
        inside += abs(further - np.mean(known)) <= retrained_spread(known)
    assert inside / 2000 == pytest.approx(0.95, abs=0.02)


@given(shares, shares, st.lists(shares, min_size=1, max_size=5))
def test_informative_measures_have_a_closure_of_at_most_one(original, unlearned, retrained):
    found = closure_of("value", original, unlearned, retrained)
    assert found.informative == (found.value is not None) == (not found.reason)
    if found.informative:
        assert found.gap > max(MINIMUM_GAP, found.spread or 0.0)
        assert found.value <= 1 + 1e-12 and math.isfinite(found.value)


def test_gaps_within_the_spread_or_below_a_point_say_nothing():
    noisy = closure_of("value", 0.98, 0.95, [0.90, 0.96, 0.93])
    assert not noisy.informative and "retrained models do" in noisy.reason
    tiny = closure_of("value", 0.98, 0.975, [0.98 - MINIMUM_GAP / 2])
    assert not tiny.informative and tiny.value is None and "hardly" in tiny.reason
    assert closure_of("value", 0.98, 0.98 - MINIMUM_GAP * 2, [0.98 - MINIMUM_GAP * 2]).informative


@pytest.mark.parametrize(
    ("original", "unlearned", "retrained"),
    [(None, 0.5, [0.5]), (0.5, None, [0.5]), (0.9, 0.5, []), (0.9, 0.5, [None])],
)
def test_what_was_not_measured_has_no_closure(original, unlearned, retrained):
    found = closure_of("value", original, unlearned, retrained)
    assert found.value is None and not found.informative and found.reason


def test_reading_never_returns_what_is_no_number():
    assert look_up({"a": {"b": 0.5}}, ("a", "b")) == 0.5
    for measures in ({}, None, {"a": None}, {"a": {"b": math.nan}}, {"a": {"b": True}}, {"a": {"b": "x"}}, {"a": 1}):
        assert look_up(measures, ("a", "b")) is None


def test_forget_accuracy_is_that_on_unseen_images_where_there_are_any():
    measure = next(m for m in MEASURES if m.key == "forget_accuracy")
    assert measure.read({"forget_test_accuracy": 0.1, "forget_accuracy": 0.2}) == 0.1
    assert measure.read({"forget_test_accuracy": None, "forget_accuracy": 0.2}) == 0.2
    assert len({m.key for m in MEASURES}) == len(MEASURES)
