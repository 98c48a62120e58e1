"""Losses against closed forms, other libraries and their own definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy, wasserstein_distance

from core.methods.losses import divergence, hidden_classes, masked_distillation, mean_of, mean_over, quantile_matching

GENERATOR = torch.Generator().manual_seed(3)
LOGITS = torch.randn(6, 5, generator=GENERATOR, dtype=torch.float64)
TEACHER = torch.randn(6, 5, generator=GENERATOR, dtype=torch.float64) * 3
LABELS = torch.tensor([0, 1, 2, 3, 4, 1])
NONE = torch.empty(0, dtype=torch.int64)


def matching(losses, reference, weights=None):
    """The distance with every row chosen; all weigh the same unless said."""
    every = torch.ones(len(losses), dtype=torch.bool)
    return quantile_matching(losses, reference, torch.ones(len(losses)) if weights is None else weights, every)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_masked_distillation_is_the_kl_over_the_classes_not_hidden(temperature):
    hidden = hidden_classes("true class", LOGITS, LABELS, NONE)
    expected = []
    for row in range(6):
        keep = [c for c in range(5) if c != LABELS[row]]
        target = torch.softmax(TEACHER[row, keep] / temperature, 0).numpy()
        student = torch.softmax(LOGITS[row] / temperature, 0).numpy()[keep]
        expected.append((target * np.log(target / student)).sum() * temperature**2)
    got = masked_distillation(LOGITS, TEACHER, hidden, temperature)
    assert float(got) == pytest.approx(np.mean(expected), rel=1e-12)


def test_reverse_distillation_counts_probability_left_on_hidden_classes():
    hidden = hidden_classes("true class", LOGITS, LABELS, NONE)
    expected = []
    for row in range(6):
        keep = [c for c in range(5) if c != LABELS[row]]
        target = torch.softmax(TEACHER[row, keep], 0).numpy()
        student = torch.softmax(LOGITS[row], 0).numpy()[keep]
        expected.append(entropy(student / student.sum(), target) - np.log(student.sum()))
    got = masked_distillation(LOGITS, TEACHER, hidden, direction="reverse")
    assert float(got) == pytest.approx(np.mean(expected), rel=1e-9)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_distillation_is_zero_at_equality_and_differentiable(direction):
    none = torch.zeros(6, 5, dtype=torch.bool)
    assert float(masked_distillation(TEACHER, TEACHER, none, direction=direction)) == pytest.approx(0, abs=1e-9)
    hidden = hidden_classes("true class", LOGITS, LABELS, NONE)
    logits = LOGITS.clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: masked_distillation(x, TEACHER, hidden, 2.0, direction), (logits,), atol=1e-6
    )


def test_masks_hide_what_they_say_and_never_everything():
    forgotten = torch.tensor([1, 3])
    assert hidden_classes("none", LOGITS, LABELS, forgotten).sum() == 0
    assert hidden_classes("true class", LOGITS, LABELS, forgotten).sum(1).tolist() == [1] * 6
    hidden = hidden_classes("forget classes", LOGITS, LABELS, forgotten)
    assert hidden[:, [1, 3]].all() and hidden[0].tolist() == [True, True, False, True, False]
    assert not hidden_classes("forget classes", LOGITS[:1, :2], LABELS[:1], torch.tensor([0, 1])).any()


def test_quantile_matching_is_the_squared_wasserstein_distance_of_equal_sized_sets():
    one, two = torch.rand(40, dtype=torch.float64), torch.rand(40, dtype=torch.float64) + 1
    expected = (one.sort().values - two.sort().values).square().mean()
    assert float(matching(one, two.sort().values)) == pytest.approx(float(expected))
    close = matching(one, one.sort().values)
    assert float(close) == pytest.approx(0, abs=1e-15)
    assert wasserstein_distance(one, two) ** 2 <= float(expected) + 1e-12  # Jensen


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 1000))
def test_quantile_matching_ignores_order_and_stays_within_the_reference(n, m, seed):
    generator = torch.Generator().manual_seed(seed)
    losses, reference = torch.rand(n, generator=generator), torch.rand(m, generator=generator).sort().values
    value = matching(losses, reference)
    shuffled = losses[torch.randperm(n, generator=generator)]
    assert torch.allclose(value, matching(shuffled, reference))
    assert 0 <= float(value) <= 1


def test_a_constant_shift_of_losses_is_its_square():
    reference = torch.linspace(0, 1, 50)
    assert float(matching(reference + 0.3, reference)) == pytest.approx(0.09, rel=1e-4)
    losses = (reference + 0.3).requires_grad_()
    matching(losses, reference).backward()
    assert torch.allclose(losses.grad, torch.full((50,), 2 * 0.3 / 50), atol=1e-6)


def test_quantile_matching_of_chosen_rows_is_that_of_these_rows_alone():
    losses, weights = torch.rand(2, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    chosen, reference = torch.arange(30) % 3 == 0, torch.linspace(0.2, 2, 50, dtype=torch.float64)
    one, other = losses.clone().requires_grad_(), losses[chosen].clone().requires_grad_()
    whole = quantile_matching(one, reference, weights, chosen)
    alone = matching(other, reference, weights[chosen])
    whole.backward()
    alone.backward()
    assert whole.item() == pytest.approx(alone.item(), rel=1e-12)
    assert torch.allclose(one.grad[chosen], other.grad) and not one.grad[~chosen].any()
    extreme = torch.where(chosen, losses, float("inf")).requires_grad_()  # what is left out may be anything
    quantile_matching(extreme, reference, torch.ones(30), chosen).backward()
    assert bool(torch.isfinite(extreme.grad).all())


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_divergence_is_from_the_teacher_to_the_student_row_by_row(temperature):
    p, q = ((x / temperature).softmax(dim=1).numpy() for x in (TEACHER, LOGITS))
    expected = temperature**2 * entropy(p, q, axis=1)
    assert divergence(LOGITS, TEACHER, temperature).tolist() == pytest.approx(expected.tolist(), rel=1e-9)


def test_means_divide_by_how_many_rows_there_are_and_not_by_their_weights():
    rows, weights = torch.tensor([1.0, 2.0, 4.0, 8.0]), torch.tensor([3.0, 1.0, 1.0, 0.0])
    assert mean_of(rows).item() == 15 / 4 and mean_of(rows, weights).item() == (3 + 2 + 4) / 4
    chosen = torch.tensor([True, False, True, False])
    assert mean_over(rows, chosen).item() == 5 / 2 and mean_over(rows, chosen, weights).item() == (3 + 4) / 2
    infinite = torch.tensor([1.0, float("inf"), 4.0, float("inf")])
    assert mean_over(infinite, chosen).item() == 5 / 2  # what is left out may be anything
    assert mean_over(rows, ~chosen & chosen, weights).item() == 0


def test_cross_entropy_is_torchs():
    from core.methods.base import StageOutput
    from core.methods.common import classification
    from tests.core.toy import rows_of

    batch = rows_of(LABELS, LABELS.bool())
    terms = classification(StageOutput(LOGITS, LOGITS), batch, {}, None)
    assert torch.equal(terms["loss"], F.cross_entropy(LOGITS, LABELS))
