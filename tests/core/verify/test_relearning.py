"""Relearning: what is made of the accuracies after each step, with the training itself left out."""

from __future__ import annotations

import pytest
import torch

from core.engine.control import Control
from core.metrics.published import RELEARN_ALPHA
from core.verify import relearning
from core.verify.relearning import DRAWS, LONGEST, Ground, batches_to_relearn, relearning_curve
from tests.core.toy import CLASSES, make_experiment

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def ground() -> Ground:
    setting = make_experiment("finetune")
    return Ground(setting.train, setting.test, setting.splits, setting.class_names, setting.device, Control())


def names(tap, label: int) -> None:
    """Make a network name `label` for every image."""
    with torch.no_grad():
        tap.head.weight.zero_()
        tap.head.bias.copy_(torch.nn.functional.one_hot(torch.tensor(label), CLASSES).float())


@pytest.fixture
def network():
    return lambda: make_experiment("finetune").model


def test_a_curve_is_the_mean_over_the_draws(ground, network, monkeypatch):
    def relearns_in_the_first_draw(tap, mask, ground, steps, batch, step_size, seed, look):
        names(tap, 1 if seed == 0 else 2)
        for step in steps:
            look(tap, step)

    monkeypatch.setattr(relearning, "_train", relearns_in_the_first_draw)
    curve = relearning_curve(network, ground)
    assert curve.forget == pytest.approx([1 / DRAWS] * len(relearning.STEPS))
    named = ground.splits.test_labels[ground.splits.retain_test] == 2
    assert curve.retain == pytest.approx([float(named.double().mean()) * (DRAWS - 1) / DRAWS] * len(relearning.STEPS))
    assert curve.recovered == pytest.approx([1 / DRAWS] * len(ground.splits.forget_test))


@pytest.mark.parametrize(
    ("share", "batches"), [(1.0, 3), (1 - 0.9 * RELEARN_ALPHA, 3), (1 - 1.1 * RELEARN_ALPHA, LONGEST)]
)
def test_relearned_is_95_percent_of_the_originals_accuracy(share, batches, ground, network, monkeypatch):
    """A network that names the class for every image from batch 3 on, which is `share` of what the original gets."""

    def relearns(tap, mask, ground, steps, batch, step_size, seed, look):
        names(tap, 2)
        for step in steps:
            if step == 3:
                names(tap, 1)
            if look(tap, step):
                break

    monkeypatch.setattr(relearning, "_train", relearns)
    assert batches_to_relearn(network, ground, 1.0 / share) == batches


def test_a_share_of_the_original_is_reached_at_the_first_point_above_it():
    curve = relearning.Curve((0, 32, 64), (0.1, 0.5, 0.8), (1.0, 1.0, 1.0), ())
    assert curve.needed(0.5, 0.9) == 32 and curve.needed(0.8, 1.0) == 64 and curve.needed(0.95, 0.9) is None
    assert curve.needed(0.5, None) is None
    assert curve.as_dict(1.0)["accuracy"] == pytest.approx(1.4 / 3)
