"""Gradients of sets against plain torch, one sample at a time."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from core.engine.experiment import FORWARD, GRADIENT
from core.engine.passes import SetPasses
from core.methods.base import Length, Train
from core.methods.strength import mean_sizes
from tests.core.toy import DATA, make_experiment, same, weights


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits, labels, reduction="none")


@pytest.fixture
def context():
    return SetPasses(make_experiment("finetune"), lambda: None)


def one_by_one(context) -> list[dict[str, torch.Tensor]]:
    net = context.model.module.eval()
    rows = []
    for index in (DATA.train.labels == 1).nonzero().flatten().tolist():
        image = DATA.preprocessing.apply(DATA.train.images[index : index + 1])
        net.zero_grad()
        F.cross_entropy(net(image), DATA.train.labels[index : index + 1]).backward()
        rows.append({name: p.grad.clone() for name, p in net.named_parameters()})
    net.zero_grad(set_to_none=True)
    return rows


def test_mean_and_squares_are_those_of_single_samples(context):
    before = weights(context.model.module)
    rows = one_by_one(context)
    mean = context.gradient("forget", cross_entropy)
    squares = mean_sizes(context, "forget", cross_entropy, torch.square, 0)
    for name in rows[0]:
        stacked = torch.stack([row[name] for row in rows])
        assert torch.allclose(mean[name], stacked.mean(dim=0), atol=1e-6)
        assert torch.allclose(squares[name], stacked.square().mean(dim=0), atol=1e-6)
    assert same(before, weights(context.model.module))


def test_a_caller_between_two_pieces_has_its_own_modes_and_gradients(context):
    """Until now its code ran in eval mode without gradients, and stayed there where it broke off."""
    module = context.model.module.train()
    module.block1[1].eval()
    modes = [part.training for part in module.modules()]
    for _ in context.sample_gradients("forget", cross_entropy):
        assert torch.is_grad_enabled() and modes == [part.training for part in module.modules()]
        break
    assert torch.is_grad_enabled() and modes == [part.training for part in module.modules()]


def test_gradients_reach_parameters_that_a_stage_has_frozen(context):
    for parameter in context.model.module.parameters():
        parameter.requires_grad_(False)
    assert all(bool(g.abs().sum() > 0) for g in context.gradient("retain", cross_entropy).values())
    assert not any(p.requires_grad for p in context.model.module.parameters())


def test_a_layer_that_cannot_be_vectorised_is_taken_one_by_one(context, monkeypatch):
    import core.engine.passes as module

    expected = mean_sizes(context, "forget", cross_entropy, torch.square, 0)

    def refuses(*args, **kwargs):
        def call(*inputs):
            raise RuntimeError("vmap: not known")

        return call

    monkeypatch.setattr(module, "vmap", refuses)
    found = mean_sizes(context, "forget", cross_entropy, torch.square, 0)
    assert all(torch.allclose(found[name], expected[name], atol=1e-6) for name in expected)


def test_weights_on_trial_are_put_back_even_when_it_fails(context):
    before = weights(context.model.module)
    zero = {name: torch.zeros_like(p) for name, p in context.model.module.named_parameters()}
    with pytest.raises(KeyError), context.model.trying(zero):
        assert context.accuracy("retain") < 0.6
        raise KeyError
    assert same(before, weights(context.model.module))


def test_unseen_images_are_those_that_no_number_is_of():
    experiment = make_experiment("muda")
    splits = experiment.splits
    unseen = experiment.ids("unseen")
    assert len(unseen) and torch.equal(unseen, splits.calibration)
    assert not bool(splits.evaluation[unseen].any()) and 1 not in splits.test_labels[unseen]
    assert torch.equal(SetPasses(experiment, lambda: None).labels("unseen"), splits.test_labels[splits.calibration])


def test_a_share_of_a_set_is_drawn_by_the_seed_of_the_run():
    part = Train("s", "recover", "retain", lambda *_: {}, Length(steps=1), share=0.5)
    first, again, other = (make_experiment("muda", seed=seed).members(part) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    labels, retain = make_experiment("muda").splits.labels, make_experiment("muda").ids("retain")
    assert torch.equal(torch.bincount(labels[first]), torch.bincount(labels[retain]) // 2)


def test_passes_are_counted_by_the_images_of_their_set(context):
    work, forget, retain = context._experiment.work, int((DATA.train.labels == 1).sum()), len(DATA.train)
    retain -= forget
    context.outputs("forget")
    assert work == {FORWARD: forget}
    context.accuracy("retain", limit=20)
    seen = len(context.labels("retain", 20))
    assert work == {FORWARD: forget + seen} and seen <= retain
    context.gradient("retain", cross_entropy)
    assert work == {FORWARD: forget + seen, GRADIENT: retain}
