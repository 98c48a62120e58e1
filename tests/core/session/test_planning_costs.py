"""What methods cost beside retraining: ratios of training times by one measured step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.engine.timeline import Timeline
from core.errors import RunError
from core.methods import METHODS
from core.methods.base import Length, Train
from core.session import planning
from core.session.jobs import preset_values
from core.session.planning import StepCost, choices, retraining_seconds, shares_of_retraining


@pytest.fixture
def measured(monkeypatch) -> None:
    """A step costs nothing by itself and a second a sample, so that times are samples."""
    monkeypatch.setattr(planning, "step_cost", lambda *a, **k: StepCost(0.0, 1.0, 1))


def test_retraining_costs_its_passes_over_the_retain_set(bench, three, measured):
    epochs = preset_values(bench, three, "retrain")["epochs"]
    retain, batch = three.total - three.count, preset_values(bench, three, "retrain")["batch"]
    steps = epochs * -(-retain // batch)
    assert retraining_seconds(bench, three) == steps * batch


def test_shares_are_ratios_of_it(bench, three, measured, monkeypatch):
    short = {**preset_values(bench, three, "finetune"), "batch": 128, "epochs": 2, "min_steps": 0}
    monkeypatch.setattr(
        planning, "preset_values",
        lambda bench, chosen, method: short if method == "finetune" else preset_values(bench, chosen, method),
    )  # fmt: skip
    expected = 2 * -(-(three.total - three.count) // 128) * 128 / retraining_seconds(bench, three)
    found = shares_of_retraining(bench, three)
    assert found["finetune"] == pytest.approx(expected) and found["retrain"] == 1.0


def test_all_that_suit_are_given_and_none_is_measured_for_it(bench, three, measured, monkeypatch):
    monkeypatch.setattr(planning, "_measure", lambda *a: pytest.fail("measured"))
    found = shares_of_retraining(bench, three)
    assert set(found) == {choice.method.id for choice in choices(bench, three) if choice.suits}
    assert all(share is not None and share >= 0 for share in found.values())


def test_nothing_is_known_before_a_step_was_measured(bench, three):
    assert set(shares_of_retraining(bench, three).values()) == {None}
    assert retraining_seconds(bench, three) is None


def test_a_method_that_cannot_be_planned_leaves_the_others(bench, three, measured, monkeypatch):
    whole = planning.estimate

    def estimate(bench, selection, method, *args, **kwargs):
        if method == "muda":
            raise RunError("No")
        return whole(bench, selection, method, *args, **kwargs)

    monkeypatch.setattr(planning, "estimate", estimate)
    found = shares_of_retraining(bench, three)
    assert found["muda"] is None and found["finetune"] is not None


def test_groups_stand_together_the_most_commended_first_and_references_last(bench, three):
    shown = choices(bench, three)
    groups = list(dict.fromkeys(choice.method.group for choice in shown if choice.suits))
    assert groups[0] == "alignment" and groups[-1] == "reference"
    order = [choice.method.group for choice in shown if choice.suits]
    assert order == sorted(order, key=groups.index) and len(shown) == len(METHODS)
    assert [choice.suits for choice in shown] == sorted((c.suits for c in shown), reverse=True)


# ---- what a step of a stage costs beside one of the whole network


WORK = (0.5, 0.3, 0.2)
COST = StepCost(0.0, 1.0, 1, WORK)


def stage(**changes: Any) -> Train:
    return Train("s", "train", "retain", lambda *a: {}, Length(epochs=1), batch=10, **changes)


@pytest.mark.parametrize(("tunes", "share"), [("all", 1.0), ("head", 0.2), ("last-2", 0.5), ("last-9", 1.0)])
def test_the_share_of_the_blocks_that_are_trained(tunes, share):
    assert COST.tuned_share(tunes) == pytest.approx(share)
    assert StepCost(0.0, 1.0, 1).tuned_share(tunes) == 1.0  # not counted: nothing is promised


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({}, 1.0),
        ({"tunes": "head"}, 1 / 3 + 2 / 3 * 0.2),  # gradients end at the trained blocks
        ({"tunes": "head", "cached": True}, 0.2),  # and the front is not passed at all
        ({"needs": frozenset({"teacher"})}, 4 / 3),
        ({"needs": frozenset({"teacher", "untrained"})}, 5 / 3),
    ],
)
def test_passes_of_a_step(changes, passes):
    assert planning._passes(stage(**changes), COST) == pytest.approx(passes)


def test_a_teacher_that_is_looked_up_costs_no_pass():
    part = replace(stage(needs=frozenset({"teacher"})), reads="forget")
    assert planning._passes(part, COST) == pytest.approx(1.0)


def test_a_second_set_doubles_the_step_and_a_cached_front_is_filled_once():
    sizes = {"retain": 100, "forget": 20, "all": 120}

    def seconds(*stages: Train) -> float:
        return planning._training_seconds(Timeline(stages, sizes), sizes, COST)

    assert seconds(stage()) == pytest.approx(100)
    assert seconds(stage(beside="forget")) == pytest.approx(200)
    fill = 100 / 3 * 0.5
    tail = stage(tunes="last-2", cached=True)
    assert seconds(tail) == pytest.approx(100 * 0.5 + fill)
    assert seconds(tail, tail) == pytest.approx(200 * 0.5 + fill)
    assert seconds(tail, stage(), tail) == pytest.approx(200 * 0.5 + 100 + 2 * fill)
