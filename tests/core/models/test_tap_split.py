"""A network cut before a block says the same as the whole one, or admits that it cannot be cut there."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.models.architectures import ModelSpec, build_model, reinitialise
from core.models.split import SplitModel, split_for
from core.models.tap import TappedModel, blocks_tuned


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
        for at in (1, len(model.blocks) // 2, len(model.blocks) - 1):
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


class Patches(nn.Module):
    """Puts position embeddings to its patches between blocks, as vision transformers do; its head starts at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.places = nn.Conv2d(3, 6, 8, 8), nn.Parameter(torch.randn(1, 16, 6))
        self.body = nn.Sequential(*(nn.TransformerEncoderLayer(6, 2, 8, batch_first=True) for _ in range(3)))
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 5)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.embed(x).flatten(2).mT + self.places
        return self.head(self.norm(self.body(tokens)).mean(1))


def test_skipped_blocks_keep_their_shapes_where_the_network_needs_them():
    model, images = TappedModel(Patches().eval(), 5, input_shape=(3, 32, 32)), torch.randn(3, 3, 32, 32)
    names = [name for name, _ in model.blocks]
    assert names == ["embed", "body.0", "body.1", "body.2", "norm", "head"]
    split = split_for(model, "last-2")
    assert split is not None and split.holds(images)
    with torch.no_grad():
        activations = split.front(images)
        model.module.body[1].linear1.weight.mul_(9)  # lies before the cut
        parts = split.tail(activations, images.shape[1:])
        model.module.body[1].linear1.weight.div_(9)
        torch.testing.assert_close(parts.features, model(images).features)


def test_a_head_of_zeros_hides_no_difference():
    model = TappedModel(Reaching().eval(), 5, input_shape=(1, 2, 2))
    nn.init.zeros_(model.head.weight)
    assert not SplitModel(model, 1).holds(torch.randn(3, 1, 2, 2))


def test_a_normalisation_on_its_own_is_not_counted():
    model = TappedModel(Patches().eval(), 5, input_shape=(3, 32, 32))
    names = {block: name for name, block in model.blocks}
    assert [names[block] for block in model.tuned_modules("last-2")] == ["body.2", "norm", "head"]
    assert [names[block] for block in model.tuned_modules("last-9")] == list(names.values())
    assert model.tuned_modules("last-0") == []


@pytest.mark.parametrize(
    ("tunes", "blocks", "expected"),
    [("last-60%", 5, 3), ("last-60%", 8, 5), ("last-1%", 8, 1), ("last-100%", 8, 8), ("last-2", 8, 2), ("head", 8, 1)],
)
def test_a_share_of_the_blocks_is_rounded_and_holds_at_least_the_head(tunes, blocks, expected):
    assert blocks_tuned(tunes, blocks) == expected


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
