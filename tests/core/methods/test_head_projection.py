"""Projections of features folded into the head: exact, repeatable, refused where they would not be exact."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import nn

from core.engine.passes import SetPasses
from core.errors import RunError
from core.methods.head import complement, discriminating_projection, dropped
from tests.core.toy import ToyNet, forget_mask, make_engine, make_experiment, run_to_end, same, trained_net, weights

METHODS = ["esc", "loft"]


class ConvHead(nn.Module):
    """A one by one convolution before the mean over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU())
        self.head = nn.Conv2d(12, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x)).mean(dim=(2, 3))


class Cosine(nn.Linear):
    """A head that looks like a linear layer and normalises what it gets."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(nn.functional.normalize(x), nn.functional.normalize(self.weight))


def spread(seed: int, size: int = 8, rows: int = 60) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, size, generator=generator, dtype=torch.float64) * torch.arange(1.0, size + 1) + 1


def edited(method, net=None, **values):
    experiment = make_experiment(method, net, **values)
    run_to_end(make_engine(experiment))
    return experiment


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("net", [trained_net, ConvHead])
def test_only_the_head_moves_and_features_stay_bit_for_bit(method, net):
    torch.manual_seed(1)
    network = net()
    before = weights(network)
    features = SetPasses(make_experiment(method, network), lambda: None).outputs("all").features
    experiment = edited(method, network)
    after = weights(experiment.model.module)
    assert [name for name in before if not torch.equal(before[name], after[name])] == ["head.weight"]
    assert torch.equal(features, SetPasses(experiment, lambda: None).outputs("all").features)


@pytest.mark.parametrize("net", [trained_net, ConvHead])
def test_esc_says_what_projected_features_say(net):
    torch.manual_seed(1)
    network = net()
    context = SetPasses(make_experiment("esc", network), lambda: None)
    features = context.outputs("all").features.double()
    weight, bias = network.head.weight.detach().flatten(1).double(), network.head.bias.detach().double()
    forget = features[forget_mask()]
    direction = torch.linalg.svd(forget, full_matrices=False).Vh[0]  # of features that are not centred
    expected = (features - torch.outer(features @ direction, direction)) @ weight.T + bias
    after = SetPasses(edited("esc", network), lambda: None).outputs("all").logits.double()
    assert torch.allclose(after, expected, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_second_time_changes_nothing(method):
    once = edited(method)
    first = weights(once.model.module)
    twice = weights(edited(method, once.model.module).model.module)
    assert not torch.allclose(first["head.weight"], trained_net().head.weight, atol=1e-2)
    assert torch.allclose(first["head.weight"], twice["head.weight"], atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_the_class_goes_and_the_others_stay(method):
    before = SetPasses(make_experiment(method), lambda: None)
    after = SetPasses(edited(method), lambda: None)
    assert before.accuracy("forget") > 0.8
    assert after.accuracy("forget") < 0.3
    assert after.accuracy("retain") > before.accuracy("retain") - 0.1


@pytest.mark.parametrize("method", METHODS)
def test_a_head_that_is_not_linear_is_refused_and_left_alone(method):
    net = ToyNet()
    net.head = Cosine(10, 4)
    before = weights(net)
    with pytest.raises(RunError, match="not a linear map"):
        edited(method, net)
    assert same(before, weights(net))


def test_published_number_of_directions():
    assert dropped(512, 1.5, 1) == 7
    assert dropped(64, 1.5, 1) == 1  # rounded down it would be none
    assert dropped(64, 1.5, 3) == 3
    assert dropped(4, 100.0, 1) == 4
    assert torch.allclose(complement(torch.eye(3)[:, :1]), torch.diag(torch.tensor([0.0, 1.0, 1.0])))


def test_loft_drops_the_directions_of_the_generalised_eigenproblem():
    retain, forget = (x.T @ x / len(x) for x in (spread(0), spread(1) * torch.arange(8.0, 0, -1)))
    projection, ratios = discriminating_projection(retain, forget, 3, ridge=1e-12)
    values, vectors = scipy.linalg.eigh(forget.numpy(), retain.numpy())
    assert np.allclose(ratios, values[::-1], rtol=1e-8)
    assert np.allclose(vectors[:, ::-1][:, :3].T @ projection.numpy(), 0, atol=1e-8)
    assert np.linalg.matrix_rank(projection.numpy(), tol=1e-8) == 5
    assert torch.allclose(projection @ projection, projection, atol=1e-9)


def test_loft_keeps_the_best_linear_guess_of_the_outputs():
    features, forget = spread(0), spread(1) * torch.arange(8.0, 0, -1)
    retain, other = features.T @ features / len(features), forget.T @ forget / len(forget)
    projection, _ = discriminating_projection(retain, other, 2, ridge=1e-12)
    outputs = features @ torch.randn(8, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    head = torch.linalg.lstsq(features, outputs).solution.T
    _, vectors = scipy.linalg.eigh(other.numpy(), retain.numpy())
    seen = features.numpy() @ vectors[:, :-2]  # what the directions measure that stay
    guess = seen @ np.linalg.lstsq(seen, outputs.numpy(), rcond=None)[0]
    assert np.allclose((features @ (head @ projection).T).numpy(), guess, atol=1e-7)


def test_loft_of_directions_without_retain_energy_is_finite():
    retain, forget = torch.diag(torch.tensor([1.0, 1.0, 0.0])), torch.diag(torch.tensor([1.0, 0.5, 0.2]))
    projection, ratios = discriminating_projection(retain, forget, 1, ridge=0.01)
    assert torch.allclose(projection, torch.diag(torch.tensor([1.0, 1.0, 0.0])).double(), atol=1e-12)
    assert float(ratios[0]) == pytest.approx(0.2 / (0.01 * 2 / 3))
