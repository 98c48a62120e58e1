"""Likeness to a forget set: the closed form of the head's gradient against autograd, and both by hand."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from core.metrics.neighbours import LARGEST_FORGET, evenly, feature_similarity, head_gradient_similarity


@pytest.fixture
def sample():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(40, 7, generator=generator)
    labels = torch.randint(0, 4, (40,), generator=generator)
    head = torch.nn.Linear(7, 4)
    forget = torch.zeros(40, dtype=torch.bool)
    forget[::5] = True
    return head, features, labels, forget


def test_the_gradient_is_that_of_autograd(sample):
    head, features, labels, forget = sample

    def gradient(rows) -> torch.Tensor:
        loss = F.cross_entropy(head(features[rows]).double(), labels[rows], reduction="sum")
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(head.parameters()))]).double()

    whole = gradient(torch.nonzero(forget).flatten())
    wanted = [F.cosine_similarity(gradient([i]), whole, dim=0).item() for i in range(len(features))]
    found = head_gradient_similarity(head(features).detach(), labels, features, forget)
    assert torch.allclose(found, torch.tensor(wanted), atol=1e-5)
    assert found.min() < 0 < found.max()


def test_a_step_up_the_forget_loss_hurts_what_is_near(sample):
    head, features, labels, forget = sample
    found = head_gradient_similarity(head(features).detach(), labels, features, forget)
    before = F.cross_entropy(head(features), labels, reduction="none")
    gradients = torch.autograd.grad(before[forget].sum(), list(head.parameters()))
    with torch.no_grad():
        for weight, gradient in zip(head.parameters(), gradients, strict=True):
            weight += 1e-4 * gradient
        worse = F.cross_entropy(head(features), labels, reduction="none") - before
    clear = found.abs() > 0.05
    assert clear.sum() > 20 and torch.equal(worse[clear] > 0, found[clear] > 0)


def test_features_are_held_against_the_nearest_forget_image():
    features = torch.tensor([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0], [-1.0, 0.0], [0.0, 0.0]])
    found = feature_similarity(features, features[:2])
    assert torch.allclose(found, torch.tensor([1.0, 1.0, 0.5**0.5, 0.0, 0.0]))


def test_what_vanishes_and_what_is_missing():
    logits = torch.tensor([[1000.0, 0.0], [0.0, 0.0]])
    labels, features = torch.tensor([0, 1]), torch.tensor([[1.0], [1.0]])
    nothing = torch.zeros(2, dtype=torch.bool)
    assert head_gradient_similarity(logits, labels, features, nothing).tolist() == [0.0, 0.0]
    assert feature_similarity(features, features[nothing]).isnan().all()
    found = head_gradient_similarity(logits, labels, features, torch.tensor([False, True]))
    assert found[0] == 0.0 and found[1] == pytest.approx(1.0)  # the first is learnt wholly: no gradient is left


def test_of_many_rows_some_are_taken_from_all_over():
    rows = torch.arange(LARGEST_FORGET * 7 // 4)
    taken = evenly(rows)
    assert len(taken) == LARGEST_FORGET and taken[0] == 0 and taken[-1] >= len(rows) - 2
    assert set(taken.diff().tolist()) == {1, 2}
    assert torch.equal(evenly(rows[:5]), rows[:5])
