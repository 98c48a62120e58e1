"""A network cut before a block says the same as the whole one, or admits that it cannot be cut there."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.models.architectures import ModelSpec, build_model
from core.models.reset import reinitialise
from core.models.split import SplitModel
from core.models.tap import TappedModel


def tapped(name: str, size: int = 32) -> TappedModel:
    torch.manual_seed(0)
    spec = ModelSpec(name, 5, 3, (size, size))
    return TappedModel(build_model(spec).eval(), 5, input_shape=(3, size, size))


@pytest.mark.parametrize("name", ["small-cnn", "mlp", "resnet18-cifar", "mobilenet_v3_small", "vgg11"])
def test_front_and_tail_together_are_the_whole_network(name):
    model = tapped(name)
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        whole = model(images)
        for at in (1, len(model.blocks()) // 2, len(model.blocks()) - 1):
            split = SplitModel(model, at)
            assert split.holds(images), at
            parts = split.tail(split.front(images), images.shape[1:])
            assert torch.allclose(whole.logits, parts.logits, atol=1e-5)
            assert torch.allclose(whole.features, parts.features, atol=1e-5)
    assert not any("forward" in vars(module) for module in model.module.modules())
    assert not any(module._forward_pre_hooks for module in model.module.modules())


def test_the_front_is_not_computed_in_the_tail():
    model = tapped("small-cnn")
    split = SplitModel(model, 2)
    with torch.no_grad():
        activations = split.front(torch.randn(2, 3, 32, 32))
        before = split.tail(activations, torch.Size((3, 32, 32))).logits
        model.module.get_submodule("block1").conv.weight.mul_(3)
        assert torch.equal(before, split.tail(activations, torch.Size((3, 32, 32))).logits)


class Reaching(nn.Module):
    """A later part reaches back over the cut."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.one(x.flatten(1))
        return self.head(self.two(first) + first)


def test_a_network_that_reaches_back_is_not_cut():
    model = TappedModel(Reaching().eval(), 5, input_shape=(1, 2, 2))
    images = torch.randn(3, 1, 2, 2)
    assert not SplitModel(model, 1).holds(images)
    assert SplitModel(model, 2).holds(images)  # before the head everything comes together again


class Token(nn.Module):
    """Has a parameter in no layer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 64) * 0.02 + 1)
        self.norm = nn.BatchNorm1d(64)
        self.head = nn.Linear(64, 5)


def test_fresh_weights_come_from_their_seed_alone_and_leave_no_old_one():
    one, other = Token(), Token()
    one.norm.running_mean.fill_(3.0)
    before = {name: value.clone() for name, value in one.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    reinitialise(one, seed=1)
    assert torch.equal(torch.rand(3), expected)  # the global random state is as it was
    assert not torch.equal(one.token, before["token"]) and not torch.equal(one.head.weight, before["head.weight"])
    assert abs(float(one.token.detach().std()) - 0.02) < 0.01 and abs(float(one.token.detach().mean()) - 1) < 0.01
    assert float(one.norm.running_mean.abs().max()) == 0
    other.load_state_dict(before)
    reinitialise(other, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
