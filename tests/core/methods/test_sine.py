"""Weights that move along a sine: against a loop of its own that holds the angles as parameters of autograd."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from core.methods import get_method
from core.methods.base import Edit, Facts, Length, Method, Optimiser, Train
from core.methods.muda import plan
from core.methods.sine import sine_constants
from core.parameters import resolve
from tests.core.toy import make_engine, make_experiment, run_to_end, same, trained_net, weights

REACH, STEPS, RATE, DECAY = 0.7, 6, 0.4, 0.01
NAMES = ("block2.2.weight", "head.weight")


def loss(out, batch, aux, values):
    return {"loss": F.cross_entropy(out.logits, batch.labels)}


def method(*, sine: bool, loss=loss) -> Method:
    stage = Train("s", "train", "retain", loss, Length(steps=STEPS), batch=16, batch_norm="frozen", tunes="last-2",
                  optimiser=Optimiser(lr=RATE, weight_decay=DECAY))  # fmt: skip
    edit = Edit("sine", lambda context: sine_constants(
        {name: dict(context.model.module.named_parameters())[name] for name in NAMES}, REACH
    ))  # fmt: skip
    return Method("probe", "Probe", "Probe.", "", (), lambda values, facts: [*([edit] if sine else []), stage])


def test_weights_go_where_angles_of_autograd_take_them():
    seen = []

    def noting(out, batch, aux, values):
        seen.append(batch.ids)
        return loss(out, batch, aux, values)

    net = trained_net()
    for part in net.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    start = weights(net)
    experiment = make_experiment(method(sine=True, loss=noting), net)
    run_to_end(make_engine(experiment))
    # The oracle: angles are leaves, weights a function of them, and torch's own SGD steps on the leaves.
    own = {name: (torch.zeros_like(start[name]) if name in NAMES else start[name].clone()).requires_grad_(True)
           for name, _ in net.named_parameters() if name.startswith(("block2", "head"))}  # fmt: skip
    bounds = {name: REACH * start[name].square().mean().sqrt() for name in NAMES}
    optimiser = torch.optim.SGD(own.values(), lr=RATE, momentum=0.9, weight_decay=DECAY)
    fixed = {name: value for name, value in net.state_dict().items() if name not in own}

    def weights_now():
        return {
            name: start[name] + bounds[name] * torch.sin(value / bounds[name]) if name in NAMES else value
            for name, value in own.items()
        }

    assert len(seen) == STEPS
    for ids in seen:
        images, labels = experiment.train.batch(ids).images, experiment.train.labels[ids]
        logits = torch.func.functional_call(net.eval(), {**fixed, **weights_now()}, (images,))
        optimiser.zero_grad()
        F.cross_entropy(logits, labels).backward()
        optimiser.step()
    ended = weights(experiment.model.module)
    for name, value in weights_now().items():
        torch.testing.assert_close(ended[name], value.detach(), rtol=2e-4, atol=2e-6)
        assert not torch.equal(ended[name], start[name])


def test_the_bound_is_the_reach_times_the_root_mean_square_and_weights_that_are_all_zero_move_freely():
    made = sine_constants({"a": torch.tensor([3.0, -4.0]), "zero": torch.zeros(2)}, 2.0)
    assert {name: value.tolist() for name, value in made.items()} == {
        "sine/a": [0.0, 0.0], "sine start/a": [3.0, -4.0], "sine bound/a": pytest.approx(2 * 12.5**0.5),
    }  # fmt: skip


def test_no_weight_leaves_its_bound_where_plain_ones_do():
    def moved(sine: bool) -> dict[str, float]:
        net = trained_net()
        start = weights(net)
        run_to_end(make_engine(make_experiment(method(sine=sine), net)))
        ended = weights(net)
        return {
            name: float((ended[name] - start[name]).abs().max() / start[name].square().mean().sqrt()) for name in NAMES
        }

    assert all(value <= REACH * (1 + 1e-5) for value in moved(True).values())
    assert max(moved(False).values()) > REACH


def test_resumed_in_the_middle_it_comes_to_the_same_weights_and_checkpoints_hold_plain_keys():
    whole = make_engine(make_experiment(method(sine=True), trained_net()))
    run_to_end(whole)
    first = make_engine(make_experiment(method(sine=True), trained_net()))
    for _ in range(4):
        first.advance()
    state = first.state()
    assert set(state["weights"]) == set(trained_net().state_dict())
    again = make_engine(make_experiment(method(sine=True), trained_net()))
    again.restore(state)
    run_to_end(again)
    assert same(weights(again.experiment.model.module), weights(whole.experiment.model.module))


def test_muda_has_it_as_an_option_of_its_tail_and_without_it_the_plan_is_as_it_was():
    parameters, facts = get_method("muda").parameters, Facts(20, 0, 60, 4)
    relearnt = {"relearn_blocks": 2, "sine_reach": 1.0}
    names = [stage.name for stage in plan(resolve(parameters, relearnt), facts)]
    assert names[:3] == [
        "fresh weights for the last blocks", "sine of the last linear layers", "learn the last blocks again",
    ]  # fmt: skip
    assert plan(resolve(parameters, {"sine_reach": 1.0}), facts)[0].name == names[1]
    assert not any("sine" in stage.name for stage in plan(resolve(parameters, {"relearn_blocks": 2}), facts))
    experiment = make_experiment("muda", trained_net(), sine_reach=0.2, rounds=1, lr=0.05, batch=16, min_steps=3)
    start = {name: value.clone() for name, value in experiment.model.module.named_parameters()}
    run_to_end(make_engine(experiment))
    for name in NAMES:
        moved = (dict(experiment.model.module.named_parameters())[name] - start[name]).abs().max()
        assert 0 < float(moved.detach()) <= 0.2 * float(start[name].square().mean().sqrt()) * (1 + 1e-5)
