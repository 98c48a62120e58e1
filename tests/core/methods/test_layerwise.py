"""Projections in every layer: what they drop, by hand; where they are folded in; and what is left out."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
import torch.nn.functional as F
from torch import nn

from core.data.splits import Splits
from core.engine.experiment import FORWARD
from core.engine.passes import SetPasses
from core.errors import RunError
from core.methods import layerwise
from core.methods.layerwise import forget_directions, prototypes, removal, residual, separability
from tests.core.toy import (
    CLASSES,
    DATA,
    forget_mask,
    make_engine,
    make_experiment,
    run_to_end,
    same,
    trained_net,
    weights,
)

METHODS = ["layer-projection", "damp"]
EDITED = ["block2.2", "head"]  # of the toy's layers all but the first, a convolution that reads the images


class Wide(nn.Module):
    """Two convolutions that can be edited behind the first, tokens, and all that cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.grouped = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.plain = nn.Conv2d(4, 6, 3, stride=2)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.token = nn.Linear(6, 6)
        self.cosine = Cosine(6, 6)
        self.unused = nn.Linear(3, 3)
        self.head = nn.Linear(6, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.plain(self.grouped(self.stem(x).relu()).relu()).relu()
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.attention(tokens, tokens, tokens)[0]
        return self.head(self.cosine(self.token(tokens)).mean(dim=1))


class Cosine(nn.Linear):
    """A layer that looks linear and normalises what it gets."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(F.normalize(x, dim=-1), self.weight, self.bias)


class Twice(nn.Module):
    """A network that runs a layer twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(36, 8)
        self.shared = nn.Linear(8, 8)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(3 * self.shared(self.shared(self.stem(x.flatten(1)).relu()).relu()))


class Perceptron(nn.Module):
    """A network of which the images' pixels are read by the head itself."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Flatten(), nn.Linear(36, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def edited(method, net=None, **values):
    experiment = make_experiment(method, net, **values)
    events = run_to_end(make_engine(experiment))
    said = " ".join(str(getattr(event, "message", "")) for event in events)
    return weights(experiment.model.module), said, experiment


def received(net, name):
    """What a layer of a network receives from all training images, by a hook of the test's own, and their labels."""
    seen = []
    handle = net.get_submodule(name).register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    images = DATA.preprocessing.apply(DATA.train.images)
    with torch.no_grad():
        net.eval()(images)
    handle.remove()
    return seen[0].double(), DATA.train.labels


# -- the passes' part ------------------------------------------------------------------------------------------------


def test_inputs_are_those_of_the_layers_in_the_order_of_the_forward_pass():
    net, checks, shown = trained_net().train(), [], []
    context = SetPasses(make_experiment("damp", net), lambda: checks.append(1))
    modes = [part.training for part in net.modules()]
    before = weights(net)

    def see(name, given, labels):
        assert not net.training and not torch.is_grad_enabled() and not given.requires_grad
        shown.append((name, given, labels))

    context.inputs("forget", ["head", "block1.0"], see)
    assert [name for name, _, _ in shown] == ["block1.0", "head"] and checks == [1]
    given, labels = received(trained_net(), "head")
    assert torch.allclose(shown[1][1].double(), given[forget_mask()], atol=1e-6)
    assert torch.equal(shown[1][2], labels[forget_mask()])
    assert modes == [part.training for part in net.modules()] and same(before, weights(net))
    assert not net.head._forward_pre_hooks and not net.block1[0]._forward_pre_hooks


def test_inputs_come_in_chunks_and_of_as_many_images_as_asked_for(monkeypatch):
    monkeypatch.setattr("core.engine.passes.chunk_size", lambda store: 7)
    context, sizes, checks = SetPasses(make_experiment("damp"), lambda: checks.append(1)), [], []
    context.inputs("retain", ["head"], lambda name, given, labels: sizes.append(len(given)), limit=30)
    assert max(sizes) == 7 and sum(sizes) == 30 and len(checks) == len(sizes) == 5


def test_an_error_while_inputs_are_shown_leaves_no_hook_behind():
    net = trained_net()
    context = SetPasses(make_experiment("damp", net), lambda: None)
    with pytest.raises(ZeroDivisionError):
        context.inputs("all", ["head"], lambda name, given, labels: 1 / 0)
    assert not net.head._forward_pre_hooks


# -- folding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3, 2)])
def test_what_is_taken_off_is_what_the_projected_input_lacks(shape):
    torch.manual_seed(0)
    weight = torch.randn(shape, dtype=torch.float64)
    a, b = torch.randn(4, 2, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    x = torch.randn(3, 4, *([6, 6] if len(shape) == 4 else []), dtype=torch.float64)
    apply = F.conv2d if len(shape) == 4 else F.linear
    projected = x - torch.einsum("ij,nj...->ni...", a @ b.T, x)
    assert torch.allclose(apply(x, weight - removal(weight, a, b)), apply(projected, weight), atol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_every_layer_but_the_first_moves_and_nothing_else(method):
    before = weights(trained_net())
    after, said, _ = edited(method)
    assert [name for name in before if not torch.equal(before[name], after[name])] == [f"{n}.weight" for n in EDITED]
    assert "in 2 layers." in said and "Left out" not in said


@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_edited_is_left_alone_and_named(method):
    torch.manual_seed(0)
    net = Wide()
    before = weights(net)
    after, said, _ = edited(method, net)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"plain.weight", "token.weight", "head.weight"}
    left_out = said.split("Left out: ")[1].strip().rstrip(".").split(", ")
    assert sorted(left_out) == ["attention.out_proj", "cosine", "grouped", "unused"]


@pytest.mark.parametrize("method", METHODS)
def test_a_layer_that_runs_twice_is_edited_for_all_that_it_receives(method, monkeypatch):
    monkeypatch.setattr("core.engine.passes.chunk_size", lambda store: 17)
    torch.manual_seed(0)
    net = Twice()
    before = weights(net)
    after, said, _ = edited(method, net)
    assert [name for name in before if not torch.equal(before[name], after[name])] == ["shared.weight", "head.weight"]
    assert "in 2 layers." in said


@pytest.mark.parametrize("method", METHODS)
def test_a_network_of_one_layer_is_refused(method):
    with pytest.raises(RunError, match="no layer behind its first"):
        edited(method, Perceptron())


@pytest.mark.parametrize("method", METHODS)
def test_layers_in_groups_give_what_all_at_once_give(method, monkeypatch):
    torch.manual_seed(0)
    once, _, _ = edited(method, Wide())
    monkeypatch.setattr(layerwise, "LARGEST", 1)
    torch.manual_seed(0)
    again, _, _ = edited(method, Wide())
    assert same(once, again)


@pytest.mark.parametrize("method", METHODS)
def test_two_classes_take_a_direction_each_off_every_layer(method):
    experiment = make_experiment(method)
    experiment.splits = Splits.of(DATA, (DATA.train.labels == 1) | (DATA.train.labels == 2))
    before = weights(experiment.model.module)
    context = SetPasses(experiment, lambda: None)
    experiment.plan[0].edit(context)
    after = weights(experiment.model.module)
    for name in EDITED:
        sizes = torch.linalg.svdvals((after[f"{name}.weight"] - before[f"{name}.weight"]).double())
        assert sizes[1] > 1e-3 * sizes[0] and sizes[2] < 1e-5 * sizes[0]  # of rank 2


@pytest.mark.parametrize(("method", "values"), [("layer-projection", {"search": False}), ("damp", {})])
def test_as_many_images_of_each_set_are_looked_at_as_asked_for_and_said(method, values):
    experiment = make_experiment(method, samples=12, **values)
    (edit,) = experiment.plan
    run_to_end(make_engine(experiment))
    assert edit.looks == experiment.work[FORWARD] == 64 + 2 * 12  # of all, for the order of layers; and of each set


def test_layers_too_wide_for_their_moments_are_left_out(monkeypatch):
    monkeypatch.setattr(layerwise, "WIDEST", 20)
    after, said, _ = edited("layer-projection")
    assert "Left out: block2.2." in said and torch.equal(after["block2.2.weight"], trained_net().block2[2].weight)


@pytest.mark.parametrize("method", METHODS)
def test_the_class_goes_and_the_others_stay(method):
    _, _, experiment = edited(method)
    after, before = SetPasses(experiment, lambda: None), SetPasses(make_experiment(method), lambda: None)
    assert before.accuracy("forget") > 0.8 and after.accuracy("forget") < 0.3
    assert after.accuracy("retain") > before.accuracy("retain") - 0.1


# -- the quotient ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_depth", [True, False])
def test_each_layer_drops_the_directions_of_the_generalised_eigenproblem(by_depth):
    values = {"search": False, "strength": 0.8, "samples": 0, "ridge": 1e-3, "by_depth": by_depth, "directions": 2}
    after, _, _ = edited("layer-projection", **values)
    net = trained_net()
    for depth, name in zip((0.5, 1.0), EDITED, strict=True):
        given = received(net, name)[0].numpy()
        forget, retain = (given[part.numpy()] for part in (forget_mask(), ~forget_mask()))
        s_r, s_f = retain.T @ retain / len(retain), forget.T @ forget / len(forget)
        s_r = s_r + 1e-3 * np.trace(s_r) / len(s_r) * np.eye(len(s_r))
        _, vectors = scipy.linalg.eigh(s_f, s_r)
        top = vectors[:, -2:]
        projection = np.eye(len(s_r)) - 0.8 * (depth if by_depth else 1.0) * (s_r @ top) @ top.T
        expected = weights(net)[f"{name}.weight"].double().numpy() @ projection
        assert np.allclose(after[f"{name}.weight"].numpy(), expected, atol=1e-4)


def test_moments_of_a_convolution_are_over_channels_at_all_positions():
    torch.manual_seed(0)
    net = Wide()
    context = SetPasses(make_experiment("layer-projection", net), lambda: None)
    found = layerwise.second_moments(context, "retain", ["plain", "token"], 0)
    given = received(net, "plain")[0][~forget_mask()]
    rows = torch.stack([image[:, y, x] for image in given for y in range(6) for x in range(6)])
    assert torch.allclose(found["plain"], rows.T @ rows / len(rows), atol=1e-6)
    tokens = received(net, "token")[0][~forget_mask()].reshape(-1, 6)
    assert torch.allclose(found["token"], tokens.T @ tokens / len(tokens), atol=1e-6)


# -- DAMP ------------------------------------------------------------------------------------------------------------


def test_what_a_layer_receives_in_several_calls_is_averaged_for_each_image():
    torch.manual_seed(0)
    net = Twice()
    context = SetPasses(make_experiment("damp", net), lambda: None)
    rows, labels = layerwise.images_seen(context, "forget", ["shared"], 0)
    images = DATA.preprocessing.apply(DATA.train.images)[forget_mask()].flatten(1)
    with torch.no_grad():
        first = net.stem(images).relu()
        second = net.shared(first).relu()
    assert torch.allclose(rows["shared"], (first + second) / 2, atol=1e-6)
    assert torch.equal(labels, DATA.train.labels[forget_mask()])


def test_what_a_layer_receives_is_averaged_over_the_positions_of_an_image():
    torch.manual_seed(0)
    net = Wide()
    context = SetPasses(make_experiment("damp", net), lambda: None)
    rows, _ = layerwise.images_seen(context, "forget", ["plain", "token"], 0)
    for name, positions in (("plain", (2, 3)), ("token", (1,))):
        given = received(net, name)[0][forget_mask()]
        assert torch.allclose(rows[name].double(), given.mean(dim=positions), atol=1e-6)


def test_residuals_by_hand():
    kept = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    prototype = torch.tensor([2.0, -3.0, 5.0], dtype=torch.float64)
    assert residual(prototype, kept, "span").tolist() == pytest.approx([0, 0, 5])
    assert residual(prototype, kept, "mixtures").tolist() == pytest.approx([0, -3, 5])  # no mixture goes below 0


def test_directions_of_several_classes_are_orthonormal_and_none_is_made_of_rounding():
    kept = torch.eye(4, dtype=torch.float64)[:, :2]
    forget = torch.tensor([[0.0, 0, 3, 0], [0.0, 0, 1, 1], [1.0, 2, 0, 0]], dtype=torch.float64).T
    basis = forget_directions(forget, kept, "span")  # the third lies in the span
    assert basis.shape == (4, 2)
    assert torch.allclose(basis.T @ basis, torch.eye(2, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(basis @ basis.T, torch.diag(torch.tensor([0.0, 0, 1, 1], dtype=torch.float64)), atol=1e-12)
    assert forget_directions(forget[:, 2:], kept, "span").shape == (4, 0)


def test_prototypes_are_means_of_classes():
    rows = torch.tensor([[1.0, 2], [3, 4], [10, 0]])
    assert prototypes(rows, torch.tensor([5, 5, 2])).T.tolist() == [[10, 0], [2, 3]]


def test_separability_is_nothing_by_chance_and_all_where_sets_lie_apart():
    torch.manual_seed(0)
    forget, retain = torch.randn(400, 3), torch.randn(4000, 3)
    assert separability(forget, retain) < 0.2
    assert separability(forget + 20, retain) == 1.0
    half = separability(forget + torch.tensor([2.0, 0, 0]), retain)
    assert half == pytest.approx(0.68, abs=0.06)  # a shift of two deviations: 84 % of each are told right
    assert separability(forget[:1], retain) == 0.0  # nothing to test on


def test_separability_does_not_hang_on_the_order_of_classes():
    """Every other row of classes that take turns is one class: a probe of it knows nothing of the other."""
    centres = torch.tensor([[20.0, 0.0], [0.0, 20.0], [-20.0, 0.0], [0.0, -20.0]])  # x + y > 0 tells 0, 1 from 2, 3
    noise = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    in_turn, in_blocks = torch.arange(100) % 2, torch.arange(100) // 50
    for order in (in_turn, in_blocks):
        assert separability(centres[order] + noise, centres[order + 2] + noise) == 1.0


def test_separability_is_found_on_rows_that_the_probe_has_not_learnt_from_and_never_below_nothing():
    """A hundred numbers a row tell any forty rows from any other forty that a probe has learnt from."""
    torch.manual_seed(0)
    found = [separability(*torch.randn(2, 40, 100)) for _ in range(6)]
    assert all(0 <= value < 0.5 for value in found) and 0.0 in found


def test_damp_takes_the_residual_off_by_separability_and_depth():
    values = {"samples": 0, "strength": 1.2, "against": "span"}
    after, _, _ = edited("damp", **values)
    net = trained_net()
    for depth, name in zip((0.5, 1.0), EDITED, strict=True):
        given, labels = received(net, name)
        kept = torch.stack([given[labels == c].mean(dim=0) for c in range(CLASSES) if c != 1], dim=1)
        mean = given[forget_mask()].mean(dim=0)
        d = mean - kept @ torch.linalg.pinv(kept) @ mean
        q = d / d.norm()
        scale = 1.2 * depth * separability(given[forget_mask()].float(), given[~forget_mask()].float())
        weight = weights(net)[f"{name}.weight"].double()
        expected = weight - scale * torch.outer(weight @ q, q)
        assert scale > 0.3 and torch.allclose(after[f"{name}.weight"].double(), expected, atol=1e-4)
