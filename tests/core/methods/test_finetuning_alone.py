"""Fine-tuning of the whole network: which preset a correction gets, and how long each one goes on."""

from __future__ import annotations

import pytest

from core.methods import get_method
from core.methods.base import Facts
from core.parameters import resolve


@pytest.mark.parametrize(
    ("made_for", "name"),
    [("", "default"), ("trigger", "default"), ("transformer", "default"), ("labels", "correction")],
)
def test_wrong_labels_get_the_preset_made_for_them(made_for, name):
    assert get_method("finetune").preset("", {"sample"}, made_for).name == name


@pytest.mark.parametrize(
    ("name", "retain", "steps", "lr"),
    [
        ("default", 54000, 844, 0.2),  # 2 passes of 422 batches
        ("correction", 54000, 1688, 0.1),  # 4 passes
        ("default", 1200, 200, 0.2),  # at least: a pass has 10
        ("correction", 1200, 200, 0.1),
    ],
)
def test_a_correction_goes_on_longer_at_a_smaller_step(name, retain, steps, lr):
    method = get_method("finetune")
    values = resolve(method.parameters, method.preset(name).values)
    (stage,) = method.plan(values, Facts(0, 600, retain, 10, 0, "labels"))
    assert (stage.reads, stage.length.steps_over(retain, stage.batch), stage.optimiser.lr) == ("retain", steps, lr)
