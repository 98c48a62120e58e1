"""What comes back without any image of the forgotten class: few bits, and training on other images."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scipy.stats import beta

from core.engine.control import Control, Interrupted
from core.metrics.accuracy import share_interval
from core.verify import recovery
from core.verify.recovery import OTHER_STEPS, quantised_accuracy, relearned_from_others
from core.verify.relearning import Ground
from tests.core.toy import make_experiment, same, trained_net, weights

torch.set_num_threads(1)


@pytest.fixture(scope="module", params=["class", "sample"])
def ground(request) -> Ground:
    setting = make_experiment("finetune", forget=request.param)
    return Ground(setting.train, setting.test, setting.splits, setting.class_names, setting.device, Control())


def network(nudge: float = 0.0):
    """Return a maker of the trained toy network, whose bias of class 1 is lower by `nudge`."""

    def make():
        net = trained_net()
        with torch.no_grad():
            net.head.bias[1] -= nudge
        return make_experiment("finetune", net).model

    return make


def test_the_interval_of_a_share_is_wilsons():
    """By hand for 8 of 10: centre (p + z²/2n) / (1 + z²/n); and it lies near the exact one."""
    found = share_interval(torch.arange(10) < 8)
    z, n, p = 1.959964, 10, 0.8
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5 / (1 + z * z / n)
    assert (found["value"], found["low"], found["high"]) == pytest.approx((0.8, centre - half, centre + half))
    assert found["low"] == pytest.approx(beta.ppf(0.025, 8, 3), abs=0.06)
    assert share_interval(torch.zeros(30, dtype=torch.bool))["high"] > 0.1  # none of 30 is not none at all


def test_few_bits_are_measured_on_the_same_images_as_the_weights_as_they_are(ground):
    found = quantised_accuracy(network(), ground).values["quantised"]
    assert set(found) == {"full", "int8", "int4"} and all(set(row) == {"forget", "retain"} for row in found.values())
    assert found["full"]["retain"]["value"] > 0.5
    assert abs(found["int8"]["retain"]["value"] - found["full"]["retain"]["value"]) < 0.1
    for row in found.values():
        assert row["forget"]["low"] <= row["forget"]["value"] <= row["forget"]["high"]


def test_a_class_that_was_pushed_down_within_a_level_of_rounding_comes_back(ground, monkeypatch):
    """The network is nudged by less than rounding moves it: rounded, it is the original again."""
    if not len(ground.splits.forget_test):
        pytest.skip("single images have no class of their own")

    def to_the_original(module, bits):
        if bits == 4:
            module.load_state_dict(trained_net().state_dict())

    monkeypatch.setattr(recovery, "quantise", to_the_original)
    found = quantised_accuracy(network(nudge=50.0), ground).values["quantised"]
    assert found["full"]["forget"]["value"] == found["int8"]["forget"]["value"] == 0.0
    original = quantised_accuracy(network(), ground).values["quantised"]["full"]["forget"]
    assert found["int4"]["forget"] == original and original["value"] > 0.3


def test_other_images_alone_are_trained_on_and_the_best_point_is_told(ground, monkeypatch):
    seen: list[torch.Tensor] = []
    shares = [1.0, 0.25, 0.75, 0.25, 0.0]  # what was named before the training did not come back by it

    def trains(tap, mask, on, steps, batch, step_size, seed, look):
        seen.append(mask)
        for step in steps:
            look(tap, step)

    def right(tap, store, ids, on):
        return torch.arange(len(ids)) < shares.pop(0) * len(ids)

    monkeypatch.setattr(recovery, "train_on", trains)
    monkeypatch.setattr(recovery, "_right", right)
    found = relearned_from_others(network(), ground).values["relearn_others"]
    assert torch.equal(seen[0], ~ground.splits.forget)
    assert found["value"] == pytest.approx(0.75, abs=0.05) and found["accuracy"][0] == 1.0
    assert found["value"] == found["accuracy"][2] and found["accuracy"][-1] == 0.0
    assert found["steps"] == list(OTHER_STEPS)


def test_a_class_hidden_in_one_bias_comes_back_from_other_images_and_the_original_is_not_touched(ground, monkeypatch):
    monkeypatch.setattr(recovery, "OTHER_STEPS", (0, 4))
    made = []

    def kept():
        made.append(network()())
        return made[-1]

    before = weights(trained_net())
    found = relearned_from_others(kept, ground).values["relearn_others"]
    assert len(found["accuracy"]) == 2 and not same(weights(made[0].module), before)
    assert same(weights(trained_net()), before)


def test_what_cannot_be_run_says_nothing_and_an_infinite_loss_neither(ground):
    for measure, key in ((quantised_accuracy, "quantised"), (relearned_from_others, "relearn_others")):
        assert measure(None, ground).values == {key: None} == measure(network(), None).values
    broken = network()

    def infinite():
        tap = broken()
        with torch.no_grad():
            tap.head.weight.fill_(float("inf"))
        return tap

    assert relearned_from_others(infinite, ground).values == {"relearn_others": None}


def test_a_check_can_be_ended_in_the_middle(ground):
    control = Control()
    control.stop()
    for measure in (quantised_accuracy, relearned_from_others):
        with pytest.raises(Interrupted):
            measure(network(), replace(ground, control=control))
