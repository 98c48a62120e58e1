"""The three lanes: hidden without anything to compare, the claim where it is true, the live accuracy in between."""

from __future__ import annotations

import pytest

from app.pages.lanes import Lanes
from core.verify.lanes import Lane

CONTROL = Lane("head_only", 0.0, 0.935, 64, 4096, 1)
RETRAINED = Lane("retrained", 0.0, 0.88, 1024, 4096, 3)


@pytest.fixture
def lanes(qtbot):
    widget = Lanes()
    qtbot.addWidget(widget)
    widget.resize(1064, 160)
    return widget


def test_without_another_model_there_is_nothing_to_see(lanes):
    lanes.set_lanes((Lane("head_only"), Lane("unlearned", 0.5), Lane("retrained")), "sandal")
    assert lanes.isHidden()


def test_other_models_come_first_and_the_claim_with_them(lanes):
    lanes.set_lanes((CONTROL, Lane("unlearned"), RETRAINED), "sandal")
    assert not lanes.isHidden() and not lanes.claim.isHidden() and lanes.verdict.isHidden()
    assert lanes.claim.text() == "Accuracy 0 does not mean forgotten."
    assert "no image of sandal" in lanes.claim.toolTip() and "93.5 %" in lanes.claim.toolTip()
    assert [lanes.probes[model].words for model in lanes.probes] == ["93.5 %", "–", "88.0 %"]
    lanes.set_accuracy(0.42)
    lanes.set_lanes((CONTROL, Lane("unlearned"), RETRAINED), "sandal")
    assert lanes.accuracies["unlearned"].text() == "42.0 %"  # a live value stays until there is a measured one


def test_a_check_fills_the_lane_and_brings_the_verdict(lanes):
    lanes.set_lanes((CONTROL, Lane("unlearned", 0.0, 0.89, None, 4096, 1), RETRAINED), "sandal")
    assert [lanes.images[model].words for model in lanes.images] == ["64", "over 4,096", "1,024"]
    lanes.set_state("Measuring relearning, unlearned")
    assert "relearning" in lanes.state.text() and not lanes.state.isHidden()
    lanes.set_verdict("Close to retrained on all 6 usable measures.")
    assert not lanes.verdict.isHidden() and lanes.state.isHidden()
    assert not lanes.grab().isNull()
    lanes.clear()
    assert lanes.isHidden() and lanes.verdict.text() == ""


def test_a_control_that_is_still_right_claims_nothing(lanes):
    lanes.set_lanes((Lane("head_only", 0.3, 0.9, 64, 4096), Lane("unlearned"), RETRAINED), "sandal")
    assert lanes.claim.isHidden()
