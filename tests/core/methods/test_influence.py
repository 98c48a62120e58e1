"""The influence step against dense algebra, the rank-one recursion and a softmax regression in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import core.methods.influence as influence
from core.engine.passes import SetPasses
from core.events import Log
from core.methods.influence import single_gradients, solve
from core.methods.losses import cross_entropies
from tests.core.toy import make_engine, make_experiment, run_to_end, same, trained_net, weights


def run_influence(net=None, **values):
    experiment = make_experiment("influence", net, **values)
    events = run_to_end(make_engine(experiment))
    return experiment, [e.message for e in events if isinstance(e, Log)]


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 4))


def test_the_inverse_is_that_of_the_rank_one_updates(monkeypatch):
    """F_0 = damping I;  F_{n+1}^-1 = F_n^-1 - F_n^-1 g g^T F_n^-1 / (N + g^T F_n^-1 g), the WoodFisher recursion."""
    monkeypatch.setattr(influence, "TOLERANCE", 1e-9)
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(40, 12, generator=generator, dtype=torch.float64)
    vector = torch.randn(12, generator=generator, dtype=torch.float64)
    inverse = torch.eye(12, dtype=torch.float64) / 0.1
    for g in gradients:
        pulled = inverse @ g
        inverse -= torch.outer(pulled, pulled) / (len(gradients) + g @ pulled)
    found = solve(lambda: gradients.split(7), vector, damping=0.1)
    assert torch.allclose(found, inverse @ vector)
    dense = torch.linalg.solve(0.1 * torch.eye(12) + gradients.T @ gradients / 40, vector)
    assert torch.allclose(inverse @ vector, dense)


def test_the_residual_is_as_small_as_is_said():
    generator = torch.Generator().manual_seed(1)
    gradients, vector = torch.randn(40, 12, generator=generator), torch.randn(12, generator=generator)
    found = solve(lambda: [gradients], vector, damping=0.1)
    residual = 0.1 * found + gradients.T @ (gradients @ found) / 40 - vector
    assert float(residual.norm()) <= 1.01 * influence.TOLERANCE * float(vector.norm())


def test_without_gradients_only_damping_is_left():
    vector = torch.tensor([1.0, -2.0])
    assert torch.allclose(solve(lambda: [torch.zeros(3, 2)], vector, damping=0.5), 2 * vector)
    assert torch.equal(solve(lambda: [torch.ones(3, 2)], torch.zeros(2), damping=0.5), torch.zeros(2))


def test_the_step_of_a_softmax_regression_is_its_closed_form(monkeypatch):
    """g = (p - y) x^T for every image: v and the curvature are written down and inverted densely, in float64."""
    monkeypatch.setattr(influence, "TOLERANCE", 1e-6)
    net = linear()
    start = {name: p.detach().double().clone() for name, p in net.named_parameters()}
    experiment, _ = run_influence(net, search=False, scale=0.7, damping=0.05, samples=0)

    def gradients(ids: torch.Tensor) -> torch.Tensor:
        batch = experiment.train.batch(ids)
        x = batch.images.flatten(1).double()
        p = torch.softmax(x @ start["1.weight"].T + start["1.bias"], dim=1)
        residual = p - nn.functional.one_hot(batch.labels, 4)
        return torch.cat([(residual[:, :, None] * x[:, None, :]).flatten(1), residual], dim=1)

    retain, forget = gradients(experiment.splits.retain_train), gradients(experiment.splits.forget_train)
    v = len(forget) / (len(forget) + len(retain)) * (forget.mean(dim=0) - retain.mean(dim=0))
    curvature = retain.T @ retain / len(retain) + 0.05 * torch.eye(retain.shape[1], dtype=torch.float64)
    expected = 0.7 * torch.linalg.solve(curvature, v)
    weight, bias = expected.split([144, 4])
    after = {name: p.detach().double() for name, p in experiment.model.module.named_parameters()}
    assert torch.allclose(after["1.weight"] - start["1.weight"], weight.reshape(4, 36), rtol=1e-3, atol=1e-4)
    assert torch.allclose(after["1.bias"] - start["1.bias"], bias, rtol=1e-3, atol=1e-4)
    assert float(expected.norm()) > 0.1  # far above what the comparison lets pass


def test_gradients_that_are_not_kept_are_computed_again(monkeypatch):
    kept, _ = run_influence(search=False)
    monkeypatch.setattr(influence, "KEPT_BYTES", 0)
    calls = []
    sample_gradients = SetPasses.sample_gradients

    def counted(self, *args):
        calls.append(args)
        return sample_gradients(self, *args)

    monkeypatch.setattr(SetPasses, "sample_gradients", counted)
    again, _ = run_influence(search=False)
    first, second = weights(kept.model.module), weights(again.model.module)
    assert all(torch.allclose(first[name], second[name], rtol=1e-3, atol=1e-4) for name in first)
    assert len(calls) > 2


def test_single_gradients_are_in_the_order_of_the_parameters():
    context = SetPasses(make_experiment("influence"), lambda: None)
    rows = torch.cat(list(single_gradients(context, 0)()))
    mean = context.gradient("retain", cross_entropies)
    flat = torch.cat([mean[name].flatten() for name, _ in context.model.module.named_parameters()])
    assert torch.allclose(rows.mean(dim=0), flat, atol=1e-6)


def test_scale_zero_is_the_identity():
    experiment, _ = run_influence(search=False, scale=0.0)
    assert same(weights(experiment.model.module), weights(trained_net()))


def test_search_forgets_within_the_bound():
    experiment, said = run_influence(max_drop=0.1)
    before = SetPasses(make_experiment("influence"), lambda: None)
    after = SetPasses(experiment, lambda: None)
    assert after.accuracy("retain") >= before.accuracy("retain") - 0.1
    assert after.accuracy("forget") < before.accuracy("forget") - 0.3
    assert said[0].startswith("Stepped away at scale ")


@pytest.mark.parametrize("forget", ["class", "sample"])
def test_the_loss_rises_on_the_forget_set_and_hardly_elsewhere(forget):
    experiment, _ = run_influence(forget=forget, search=False, scale=0.3)
    before = SetPasses(make_experiment("influence", forget=forget), lambda: None)
    after = SetPasses(experiment, lambda: None)
    losses = {which: (before.outputs(which).losses, after.outputs(which).losses) for which in ("forget", "retain")}
    risen = {which: float((later - earlier).mean()) for which, (earlier, later) in losses.items()}
    assert risen["forget"] > 0.01
    assert risen["forget"] > 3 * risen["retain"]
