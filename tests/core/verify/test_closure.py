from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.verify.closure import (
    MEASURES,
    MINIMUM_GAP,
    PRIOR_FREEDOM,
    SEED_FACTOR,
    SEPARATION,
    UNKNOWN,
    Yardstick,
    closure_of,
    look_up,
)

shares = st.floats(0.0, 1.0)


SURE = (0.01, 0.01)
"""Half-widths from images, of original − retrained and of unlearned − retrained."""


def test_ends_and_middle_of_a_value():
    retrained = [0.5, 0.52, 0.51]
    assert closure_of("value", 0.9, 0.51, retrained).value == pytest.approx(1.0)
    assert closure_of("value", 0.9, 0.9, retrained).value == pytest.approx(0.0)
    assert closure_of("value", 0.9, (0.9 + 0.51) / 2, retrained).value == pytest.approx(0.5)


def test_a_rising_measure_counts_like_a_falling_one():
    assert closure_of("value", 0.8, 0.95, [1.0], images=SURE).value == pytest.approx(0.75)
    assert closure_of("value", 0.2, 0.05, [0.0], images=SURE).value == pytest.approx(0.75)


def test_overshoot_lowers_the_closure_and_shows_in_the_position():
    beyond = closure_of("value", 0.8, 1.2, [1.0], images=SURE)
    assert (beyond.value, beyond.position) == (pytest.approx(0.0), pytest.approx(2.0))
    worse = closure_of("value", 0.8, 0.7, [1.0], images=SURE)
    assert (worse.value, worse.position) == (pytest.approx(-0.5), pytest.approx(-0.5))


def test_what_is_left_is_counted_in_half_widths():
    found = closure_of("value", 0.9, 0.7, [0.5, 0.52, 0.48], images=SURE)
    assert 0 < found.half_width < 1 and found.deviation == pytest.approx(0.2 / found.half_width)
    assert closure_of("value", 0.9, 0.7, [0.5]).deviation == 0.0  # the half-width is not known
    assert closure_of("value", 0.9, 0.5, [0.5, 0.5, 0.5], images=SURE).deviation == 0.0


def test_a_distance_is_zero_at_best():
    assert closure_of("distance", 0.6, 0.15, [], images=SURE).value == pytest.approx(0.75)
    found = closure_of("distance", 0.6, 0.15, [0.05, 0.06, 0.04], images=SURE)
    assert (found.value, found.gap, found.retrained) == (pytest.approx(0.75), 0.6, pytest.approx(0.05))
    assert not closure_of("distance", 0.06, 0.02, [0.05, 0.06, 0.04], images=SURE).informative


def test_a_distance_to_one_retrained_model_is_held_against_images_that_neither_saw():
    """There two trainings lie as far apart as two retrained models do on single images."""
    assert not closure_of("distance", 0.05, 0.02, [], images=SURE, unseen=0.04).informative
    near = closure_of("distance", 0.30, 0.12, [], images=SURE, unseen=0.04)
    assert near.informative and near.closed  # within half the gap: how far two retrained models lie apart is not known
    assert not closure_of("distance", 0.30, 0.18, [], images=SURE, unseen=0.04).closed
    assert closure_of("distance", 0.003, 0.06, [], images=SURE, unseen=0.004).moved_away


def test_spread_is_the_prediction_interval_of_a_further_model():
    values = (0.91, 0.95, 0.94, 0.90)
    expected = stats.t.ppf(0.975, 3) * np.std(values, ddof=1) * math.sqrt(1 + 1 / 4)
    assert Yardstick("value", values).spread == pytest.approx(expected)
    assert Yardstick("value", values).half_width(None) == pytest.approx(expected)  # images were not looked at
    assert Yardstick("value", (0.9,)).spread is None and Yardstick("value", (0.9,)).half_width(None) is None


def test_images_are_the_prior_that_seeds_are_weighed_against():
    z = stats.norm.ppf(0.975)
    prior = (SEED_FACTOR * 0.02 / z) ** 2
    alone = Yardstick("value", (0.9,)).half_width(0.02)
    assert alone == pytest.approx(stats.t.ppf(0.975, PRIOR_FREEDOM) * math.sqrt(prior))
    values = (0.90, 0.94, 0.95)
    variance = (PRIOR_FREEDOM * prior + 2 * np.var(values, ddof=1) * (1 + 1 / 3)) / (PRIOR_FREEDOM + 2)
    both = Yardstick("value", values).half_width(0.02)
    assert both == pytest.approx(stats.t.ppf(0.975, PRIOR_FREEDOM + 2) * math.sqrt(variance))
    pair = Yardstick("value", (0.90, 0.94)).half_width(0.02)  # with one degree of freedom alone it were 0.44
    assert pair < 0.13
    # two distances are one pair, so they say nothing of how pairs differ
    assert Yardstick("distance", (0.1, 0.1)).half_width(0.02) == pytest.approx(alone)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_further_model_lies_inside_the_half_width_nineteen_times_of_twenty(n):
    """Where seeds move a measure as much as the prior says; more rarely where they move it twice as much."""
    generator, inside = np.random.default_rng(0), {1.0: 0, 2.0: 0}
    half = 0.02  # of images
    for factor in inside:
        sigma = factor * SEED_FACTOR * half / stats.norm.ppf(0.975) / math.sqrt(1 + 1 / n)
        for _ in range(2000):
            *known, further = generator.normal(0.9, sigma, n + 1)
            inside[factor] += abs(further - np.mean(known)) <= Yardstick("value", tuple(known)).half_width(half)
    assert inside[1.0] / 2000 > 0.94
    assert inside[2.0] / 2000 > 0.8


@given(shares, shares, st.lists(shares, min_size=1, max_size=5), st.floats(0.0, 0.3), st.floats(0.0, 0.3))
def test_informative_measures_have_a_closure_of_at_most_one(original, unlearned, retrained, first, second):
    found = closure_of("value", original, unlearned, retrained, images=(first, second))
    assert found.informative == (found.value is not None) == (not found.reason)
    if found.informative:
        noise = Yardstick("value", tuple(retrained)).half_width(first)
        assert found.gap > max(MINIMUM_GAP, SEPARATION * noise)
        assert found.value <= 1 + 1e-12 and math.isfinite(found.value)
    assert not (found.closed and found.moved_away) and (found.informative or not found.closed)


@given(shares, st.lists(shares, min_size=1, max_size=4), st.floats(0.0, 0.5), st.sampled_from(["value", "distance"]))
def test_the_original_is_never_closed(original, retrained, images, kind):
    """The half-width that makes a gap informative is the one that would excuse it."""
    found = closure_of(kind, original, original, retrained, images=(images, images))
    assert not found.closed and not found.moved_away


def test_gaps_within_chance_or_below_a_point_say_nothing():
    noisy = closure_of("value", 0.98, 0.95, [0.90, 0.96, 0.93])
    assert not noisy.informative and "chance" in noisy.reason
    one = closure_of("value", 0.98, 0.95, [0.93], images=(0.05, 0.05))
    assert not one.informative and "chance" in one.reason
    tiny = closure_of("value", 0.98, 0.975, [0.98 - MINIMUM_GAP / 2], images=(0.0, 0.0))
    assert not tiny.informative and tiny.value is None and "hardly" in tiny.reason
    assert closure_of("value", 0.98, 0.5, [0.98 - MINIMUM_GAP * 2], images=(0.0, 0.0)).informative


def test_with_one_retrained_model_a_gap_whose_noise_is_unknown_says_nothing():
    found = closure_of("value", 0.98, 0.5, [0.5])
    assert not found.informative and found.reason == UNKNOWN
    assert closure_of("value", 0.98, 0.5, [0.5], provisional=True).informative  # a check goes on


def test_what_lies_further_from_retraining_than_the_original_moved_away():
    for unlearned, away in ((0.99, False), (1.5, True), (0.3, True), (0.78, False)):
        found = closure_of("value", 0.8, unlearned, [1.0], images=(0.02, 0.02))
        assert found.moved_away is away, unlearned
    assert closure_of("value", 1.0, 0.6, [1.0], images=(0.0, 0.05)).moved_away  # there was no gap to close
    assert not closure_of("value", 1.0, 0.97, [1.0], images=(0.0, 0.05)).moved_away


@pytest.mark.parametrize(
    ("original", "unlearned", "retrained"), [(None, 0.5, [0.5]), (0.5, None, [0.5]), (0.9, 0.5, []), (0.9, 0.5, [None])]
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


def test_clustering_is_read_only_where_a_whole_class_goes():
    measure = next(m for m in MEASURES if m.key == "nmi")
    assert measure.read({"nmi": 0.8, "forget_test_accuracy": 0.1}) == 0.8
    assert measure.read({"nmi": 0.8, "probe": {"forget": 0.9}}) == 0.8  # of an encoder
    assert measure.read({"nmi": 0.8, "forget_test_accuracy": None, "forget_accuracy": 0.9}) is None


def test_a_set_of_both_kinds_has_rows_for_its_single_images():
    alone = {"forget_accuracy": 0.9, "distances": {"forget": {"js_to_retrained": 0.1}}}
    both = {
        "forget_accuracy": 0.4, "forget_test_accuracy": 0.0, "forget_single_accuracy": 0.9,
        "distances": {"forget_test": {"js_to_retrained": 0.5}, "forget": {"js_to_retrained": 0.1}},
    }  # fmt: skip
    read = {m.key: (m.read(alone), m.read(both)) for m in MEASURES}
    assert read["forget_accuracy"] == (0.9, 0.0) and read["forget_accuracy_single"] == (None, 0.9)
    assert read["output_distance"] == (0.1, 0.5) and read["output_distance_single"] == (None, 0.1)


def test_a_measure_that_varies_more_between_trainings_has_a_wider_half_width():
    """With one retrained model the prior stands alone, so the half-width is in proportion to the factor."""
    usual, own = Yardstick("value", (0.9,)), Yardstick("value", (0.9,), seed_factor=2 * SEED_FACTOR)
    assert own.half_width(0.02) == pytest.approx(2 * usual.half_width(0.02))
    factors = {measure.key: measure.seed_factor for measure in MEASURES}
    assert factors["dimensional_alignment"] > factors["class_means"] > factors["probe"] == SEED_FACTOR


def test_a_model_moved_away_where_it_is_further_off_by_more_than_a_gap_must_be_wide():
    """Half-width of 0.05 over images and seeds: 0.075 beyond the original's distance, which is 0.02."""
    half = 0.05 / Yardstick("value", (0.9,)).half_width(1.0)
    away = [closure_of("value", 0.92, value, [0.9], images=(half, half)).moved_away for value in (0.98, 1.0, 0.8)]
    assert away == [False, True, True]
