"""SFR-on: images still known count more, a mask by information, and steps of both sets that take turns."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from core.engine.experiment import GRADIENT
from core.engine.passes import SetPasses
from core.methods import get_method
from core.methods.base import Facts, StageOutput
from core.methods.sfron import ascend, forget_weight, saliency_mask
from core.parameters import resolve
from tests.core.toy import make_engine, make_experiment, rows_of, run_to_end, weights

PARAMETERS = get_method("sfr-on").parameters


def made(progress=0.0):
    """Logits of three images whose losses on class 0 are 0.1, 1 and 3, the second counting twice."""
    losses = torch.tensor([0.1, 1.0, 3.0])
    logits = torch.stack([torch.zeros(3), (losses.exp() - 1).log()], dim=1).requires_grad_(True)
    batch = rows_of(torch.zeros(3, dtype=torch.int64), weights=torch.tensor([1.0, 2.0, 1.0]))
    return logits, StageOutput(logits, logits, progress=progress), batch


def test_the_loss_is_minus_the_mean_in_which_an_image_counts_by_the_inverse_root_of_its_loss():
    logits, out, batch = made(progress=1 / 3)
    assert torch.allclose(F.cross_entropy(logits, batch.labels, reduction="none"), torch.tensor([0.1, 1.0, 3.0]))
    counts = [0.1**-0.5, 1.0, 3.0**-0.5]
    mean = (counts[0] * 0.1 + 2 * counts[1] * 1.0 + counts[2] * 3.0) / sum(counts)
    values = resolve(PARAMETERS, {"forget_weight": 4.0, "evenness": 0.5, "ceiling": 0.0})
    terms = ascend(out, batch, {}, values)
    assert float(terms["loss"].detach()) == pytest.approx(-4.0 * 0.75 * mean, rel=1e-5)  # cos(60°) = 1/2
    assert terms["forget cross-entropy"].item() == pytest.approx(4.1 / 3, rel=1e-5)
    terms["loss"].backward()  # how much an image counts is a constant: its gradient is that of its loss alone
    known = torch.tensor(-0.1).exp()
    assert float(logits.grad[0, 0]) == pytest.approx(float(3.0 * counts[0] / sum(counts) * (1 - known)), rel=1e-4)


def test_images_above_the_ceiling_of_their_kind_have_no_gradient():
    logits, out, batch = made()
    values = resolve(PARAMETERS, {"ceiling": 2.0, "single_ceiling": 0.5})
    ascend(out, batch, {}, values)["loss"].backward()
    assert logits.grad.abs().sum(dim=1).gt(0).tolist() == [True, True, False]
    logits, out, batch = made()
    alone = rows_of(batch.labels, weights=batch.weights, alone=True)
    ascend(out, alone, {}, values)["loss"].backward()
    assert logits.grad.abs().sum(dim=1).gt(0).tolist() == [True, False, False]
    logits, out, batch = made()
    ((stage,),) = [get_method("sfr-on").plan(values, Facts(0, 3, 200, 5, 0, "labels"))]
    stage.parts[0].loss(out, alone, {}, values)["loss"].backward()  # in a correction: the loss ceiling
    assert logits.grad.abs().sum(dim=1).gt(0).tolist() == [True, True, False]


def test_the_weight_falls_by_half_a_cosine():
    values = resolve(PARAMETERS, {"forget_weight": 8.0})
    assert [forget_weight(values, at) for at in (0.0, 0.5, 1.0)] == pytest.approx([8.0, 4.0, 0.0])


@pytest.mark.parametrize("rule", [{"threshold": 1.0}, {"threshold": 3.0}, {"share": 0.3}])
def test_the_mask_is_where_squared_gradients_on_the_forget_set_outweigh_those_on_the_others(rule):
    """Against gradients of one image after the other."""
    experiment = make_experiment("sfr-on", samples=0, **rule)
    context = SetPasses(experiment, lambda: None)
    mask, net = saliency_mask(context), experiment.model.module.eval()
    named = dict(net.named_parameters())

    def squares(which):
        total = {name: torch.zeros_like(value) for name, value in named.items()}
        ids = experiment.ids(which)
        for sample in ids:
            batch = experiment.train.batch(sample[None])
            found = torch.autograd.grad(F.cross_entropy(net(batch.images), batch.labels), list(named.values()))
            for value, part in zip(total.values(), found, strict=True):
                value += part.square() / len(ids)
        return torch.cat([value.flatten() for value in total.values()])

    ratio = (squares("forget") + 1e-15) / (squares("retain") + 1e-15)
    flat = torch.cat([mask[f"mask/{name}"].flatten() for name in named])
    if "share" in rule:
        assert int(flat.sum()) == round(0.3 * len(flat))
        assert float(ratio[flat].min()) >= 0.999 * float(ratio[~flat].max())
    else:
        clear = (ratio / rule["threshold"]).log().abs() > 1e-3
        assert torch.equal(flat[clear], (ratio >= rule["threshold"])[clear])
        assert 0.02 < float(flat.float().mean()) < 0.9
    movable = f"{100 * float(flat.float().mean()):.1f} %"
    assert context.messages == [f"Steps on the forget set move {movable} of the weights."]


@pytest.mark.parametrize(("samples", "images"), [(12, 2 * 12), (0, 80)])
def test_as_many_images_of_each_set_stand_behind_the_mask_as_asked_for(samples, images):
    experiment = make_experiment("sfr-on", samples=samples)
    saliency_mask(SetPasses(experiment, lambda: None))
    assert experiment.work == {GRADIENT: images}


def test_steps_on_the_forget_set_hold_the_weights_outside_the_mask_and_steps_of_repair_move_them():
    experiment = make_experiment("sfr-on", epochs=2, batch=16, retain_steps=2, share=0.4)
    engine, read = make_engine(experiment), []
    given = engine._forward.batch
    engine._forward.batch = lambda *asked: read.append(given(*asked)) or read[-1]
    before = None
    for step in range(engine.timeline.total):
        before = weights(experiment.model.module)
        engine.advance()
        outside = {n.removeprefix("mask/"): ~m for n, m in engine.context.aux.items() if n.startswith("mask/")}
        after = weights(experiment.model.module)
        held = all(torch.equal(before[name][where], after[name][where]) for name, where in outside.items())
        inside = all(torch.equal(before[name][~where], after[name][~where]) for name, where in outside.items())
        forget = step % 3 == 0
        assert held is forget and not inside
        assert bool(read[-1].whole.forget.all()) is forget and bool(read[-1].whole.forget.any()) is forget
    assert before is not None


def test_there_are_as_many_turns_as_the_passes_over_the_retain_set_have():
    values = resolve(PARAMETERS, {"epochs": 2.0, "batch": 10, "retain_steps": 4})
    (stage,) = get_method("sfr-on").plan(values, Facts(30, 0, 200, 5))
    assert stage.parts[0].length.steps == 10 and len(stage.parts) == 5
    assert [part.optimiser.clip for part in stage.parts] == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert math.isclose(stage.parts[0].optimiser.lr, stage.parts[1].optimiser.lr)


def test_the_class_is_forgotten_and_the_others_are_held():
    experiment = make_experiment("sfr-on", epochs=20, batch=16, retain_steps=3)
    context = SetPasses(experiment, lambda: None)
    before, kept = context.accuracy("forget"), context.accuracy("retain")
    run_to_end(make_engine(experiment))
    assert context.accuracy("forget") <= 0.1 < before
    assert context.accuracy("retain") > kept - 0.1
