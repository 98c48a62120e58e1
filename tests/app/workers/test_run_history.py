"""The one store of what a run reported: curves that grow, gaps, late steps, going back, and how fast it fills."""

from __future__ import annotations

import time

import msgspec
import numpy as np
import pytest

from app.workers.run_history import MOST_MOMENTS, PAUSE, Curve, Moments, RunHistory, newest_until
from core.events import MOST_STEPS, FeatureMap, FeaturesMoved, pack_points
from tests.app.scripted import Script


@pytest.fixture
def script() -> Script:
    return Script("r")


def test_a_curve_grows_and_keeps_what_is_there():
    curve = Curve()
    for i in range(1000):
        curve.extend([i], [i * 2.0])
    assert len(curve) == 1000 and curve.steps[-1] == 999 and curve.values[500] == 1000.0


def test_none_is_a_gap():
    curve = Curve()
    curve.extend([0, 1, 2], [1.0, None, 3.0])
    assert np.isnan(curve.values[1])
    with pytest.raises(ValueError, match="2 steps for 1 values"):
        curve.extend([3, 4], [1.0])


def test_terms_that_take_turns_are_joined_and_one_that_pauses_leaves_a_gap():
    curve = Curve(PAUSE)
    curve.extend([0, 1, 2, 3], [1.0, None, 2.0, None])
    assert curve.values.tolist() == [1.0, 2.0]
    curve.extend([PAUSE + 3], [3.0])
    assert curve.steps.tolist() == [0, 2, 3, PAUSE + 3] and np.isnan(curve.values[2])


def test_steps_that_come_late_fill_the_pause_they_were_missing_from():
    curve = Curve(PAUSE)
    curve.extend([0, 1, 100, 101], [0.0, 1.0, 100.0, 101.0])
    assert len(curve) == 5
    curve.extend(range(2, 100), [float(step) for step in range(2, 100)])
    assert curve.steps.tolist() == curve.values.tolist() == list(range(102))


def test_a_step_told_again_takes_no_more_room_and_one_told_far_too_late_is_left_out():
    curve = Curve(PAUSE)
    for turn in range(50):  # a log that begins anew with each event
        curve.extend(range(100), [float(turn)] * 100)
    assert curve.steps.tolist() == list(range(100)) and set(curve.values) == {49.0}
    curve.extend([2 * MOST_STEPS], [1.0])
    curve.extend([5, MOST_STEPS - 1, MOST_STEPS], [0.0, 0.0, 2.0])
    assert curve.steps[np.isfinite(curve.values)].tolist() == [*range(100), MOST_STEPS, 2 * MOST_STEPS]


def test_of_a_step_told_twice_at_once_the_newer_value_counts():
    curve = Curve()
    curve.extend([1, 2, 2, 3], [1.0, 2.0, 20.0, 3.0])
    assert curve.steps.tolist() == [1, 2, 3] and curve.values.tolist() == [1.0, 20.0, 3.0]


@pytest.mark.parametrize("most", [4, 10])
def test_which_moments_stay_does_not_depend_on_how_many_come_at_once(script, monkeypatch, most):
    monkeypatch.setattr("app.workers.run_history.MOST_MOMENTS", most)
    told = [script.evaluation(step) for step in range(200)]
    one_by_one = Moments()
    for step, event in enumerate(told):
        one_by_one.add([event])
        assert one_by_one[-1] is event and len(one_by_one) <= most + 2
        for size in (1, 3, 7, 200):
            if (step + 1) % size == 0:
                in_pieces = Moments()
                for first in range(0, step + 1, size):
                    in_pieces.add(told[first : first + size])
                assert in_pieces == one_by_one


def test_points_that_are_not_those_of_the_map_are_left_out():
    def moved(step, points):
        return FeaturesMoved(run="r", step=step, time=0.0, points=pack_points(np.zeros((points, 2))), share=None)

    laid = FeatureMap(
        run="r", step=0, time=0.0, counts={"retain_test": 2}, ids=[0, 1], labels=["a", "b"], channels=0, centre="",
        axes="", radius=1.0, points=pack_points(np.zeros((2, 2))), share=None,
    )  # fmt: skip
    history = RunHistory()
    history.add([laid, moved(1, 1), moved(2, 2), moved(3, 9)])
    assert [event.step for event in history.moved] == history.recorded_steps == [2]


def test_measurements_by_step(script):
    history = RunHistory()
    history.add(script.whole())
    assert history.recorded_steps == list(range(0, 101, 10))
    assert newest_until(history.evaluations, 35).step == 30
    assert newest_until(history.evaluations, None).step == 100
    assert newest_until([], 5) is None
    assert len(history.full) == 2 and history.losses["alignment"].steps.tolist() == list(range(100))
    assert "loss" not in history.losses and history.last == 100
    assert history.accuracies["forget_test_accuracy"].values[0] == 0.98


def test_loss_terms_of_phases_that_alternate_are_in_order(script):
    """The engine hands over a phase at a time, so of two that alternate the second begins before the first ends."""

    def told(steps):
        return msgspec.structs.replace(
            script.losses(max(steps) + 1), steps=steps, terms={"loss": [float(step) for step in steps]}
        )

    history = RunHistory()
    for batch in ([told([0, 1, 4, 5]), told([2, 3, 6, 7])], [told([8, 9])]):
        history.add(batch)
    curve = history.losses["loss"]
    assert curve.steps.tolist() == curve.values.tolist() == list(range(10))
    history.add([script.started(resumed_at=5)])
    assert curve.steps.tolist() == list(range(6))


def test_going_back_drops_what_became_void(script):
    history = RunHistory()
    history.add([*script.whole(), script.started(resumed_at=30)])
    assert history.recorded_steps[-1] == history.evaluations[-1].step == history.spectra[-1].step == 30
    assert len(history.full) == len(history.full_alignments) == 1 and history.alignment.steps[-1] == 30


def test_a_million_steps_are_taken_in_at_once(script):
    events = [
        msgspec.structs.replace(
            script.losses(first + 1), steps=list(range(first, first + 100)),
            terms={"a": [1.0] * 100, "b": [None, 1.0] * 50},
        )
        for first in range(0, 1_000_000, 100)
    ]
    history, before = RunHistory(), time.thread_time()
    history.add(events)
    assert len(history.losses["a"]) == 1_000_000 and len(history.losses["b"]) == 500_000
    assert time.thread_time() - before < 1.0


def test_moments_of_a_long_run_are_kept_evenly_and_the_newest_always(script):
    history, count = RunHistory(), 5 * MOST_MOMENTS + 1
    events = [script.evaluation(step) for step in range(count)]
    for first in range(0, count, 7):
        history.add(events[first : first + 7])
        assert history.evaluations[-1].step == min(first + 6, count - 1)
    kept = [event.step for event in history.evaluations]
    assert kept == list(range(0, count, 8)) and len(kept) <= MOST_MOMENTS + 1
    assert len(history.accuracies["retain_accuracy"]) == len(history.recorded_steps) == count
    history.add([script.started(resumed_at=100), script.evaluation(101), script.evaluation(102)])
    assert [event.step for event in history.evaluations][-3:] == [96, 101, 102]
    assert history.recorded_steps[-3:] == [100, 101, 102]
