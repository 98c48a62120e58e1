"""The attack on neighbouring classes, on planted logits."""

from __future__ import annotations

import pytest
import torch

from core.metrics.neighbour_class import named_as, nearest_class

CLASSES, FORGOTTEN, NEIGHBOUR = 4, 1, 2
KEPT = (0, 2, 3)
LABELS = torch.tensor(KEPT).repeat_interleave(200)


def logits_of(labels: torch.Tensor, seed: int, lead: float = 4.0) -> torch.Tensor:
    noise = torch.randn(len(labels), CLASSES, generator=torch.Generator().manual_seed(seed))
    return noise + lead * torch.nn.functional.one_hot(labels, CLASSES)


def named(label: int, **changed) -> float:
    """The share of forget images, whose outputs are those of class `label`, that are taken for the neighbour."""
    forget = logits_of(torch.full((100,), label), 2)
    return float(named_as(logits_of(LABELS, 1), LABELS, forget, changed.get("neighbour", NEIGHBOUR), KEPT).mean())


def test_images_named_as_the_neighbour_are_told_from_those_named_as_another_class():
    assert named(NEIGHBOUR) > 0.95 and named(3) < 0.05
    assert named(NEIGHBOUR, neighbour=3) < 0.05  # another class for the neighbour: the answer turns round


def test_the_logit_of_the_forgotten_class_is_not_looked_at():
    """Else a model that merely keeps it low would look like a retrained one or unlike it for that alone."""
    forget = logits_of(torch.full((100,), NEIGHBOUR), 2)
    silenced = forget.clone()
    silenced[:, FORGOTTEN] = -1e4
    train = logits_of(LABELS, 1)
    both = [named_as(train, LABELS, logits, NEIGHBOUR, KEPT) for logits in (forget, silenced)]
    assert (both[0] == both[1]).all()


def test_nearest_is_what_the_references_together_give_the_images_to_and_never_the_forgotten_class():
    one = torch.log(torch.tensor([[0.1, 0.5, 0.3, 0.1], [0.1, 0.5, 0.1, 0.3]]))
    other = torch.log(torch.tensor([[0.1, 0.1, 0.1, 0.7], [0.1, 0.1, 0.5, 0.3]]))
    assert nearest_class([one], KEPT) in (2, 3)
    assert nearest_class([one, other], KEPT) == 3  # 0.35 against 0.25
    assert nearest_class([other.roll(1, 1)], KEPT) == 0


def test_without_images_of_either_side_nothing_is_said():
    alone = torch.full((5,), NEIGHBOUR)
    assert named_as(logits_of(alone, 1), alone, logits_of(alone, 2), NEIGHBOUR, KEPT) is None
    assert named_as(logits_of(LABELS, 1), LABELS, torch.zeros(0, CLASSES), NEIGHBOUR, KEPT) is None


@pytest.mark.parametrize("most", [50, 1000])
def test_no_side_outweighs_the_other(monkeypatch, most):
    """Of 200 images of the neighbour and 400 of the rest, as many of each: noise is called either half of the time."""
    monkeypatch.setattr("core.metrics.neighbour_class.FIT_SAMPLES", most)
    noise = torch.randn(600, CLASSES, generator=torch.Generator().manual_seed(5))
    forget = torch.randn(400, CLASSES, generator=torch.Generator().manual_seed(6))
    assert 0.3 < named_as(noise, LABELS, forget, NEIGHBOUR, KEPT).mean() < 0.7
