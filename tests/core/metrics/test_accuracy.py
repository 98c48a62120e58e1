from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.metrics import confusion_matrix as sklearn_confusion

from core.metrics.accuracy import (
    accuracy,
    confusion_matrix,
    correct,
    macro_accuracy,
    mean_loss,
    per_class_accuracy,
    predicted_shares,
    sample_losses,
)


def random_outputs(n: int, classes: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, classes, generator=generator), torch.randint(classes, (n,), generator=generator)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**31))
def test_forget_and_retain_counts_add_up_exactly(n: int, seed: int):
    logits, labels = random_outputs(n, 5, seed)
    forget = labels == 2
    together = correct(logits[forget], labels[forget]).sum() + correct(logits[~forget], labels[~forget]).sum()
    assert together == correct(logits, labels).sum() and accuracy(logits, labels) == int(together) / n


def test_agrees_with_scikit_learn():
    logits, labels = random_outputs(400, 6, 1)
    found = logits.argmax(1)
    assert confusion_matrix(logits, labels, 6).tolist() == sklearn_confusion(labels, found).tolist()
    assert macro_accuracy(logits, labels, 6) == pytest.approx(balanced_accuracy_score(labels, found))
    assert accuracy(logits, labels) == pytest.approx(float((found == labels).double().mean()))
    expected = log_loss(labels, logits.double().softmax(1), labels=range(6))
    assert mean_loss(logits, labels) == pytest.approx(expected, rel=1e-5)


def test_permuting_class_names_permutes_the_results():
    logits, labels = random_outputs(200, 4, 2)
    order = torch.tensor([2, 0, 3, 1])  # new class i is old class order[i]
    renamed = torch.empty(4, dtype=torch.int64)
    renamed[order] = torch.arange(4)
    permuted = per_class_accuracy(logits[:, order], renamed[labels], 4)
    original = per_class_accuracy(logits, labels, 4)
    assert permuted == [original[int(i)] for i in order]


def test_classes_without_samples_and_empty_sets_have_no_value():
    logits, labels = random_outputs(20, 3, 3)
    assert per_class_accuracy(logits, labels.clamp(max=1), 4)[2:] == [None, None]
    outputs, truth = logits[:0], labels[:0]
    assert accuracy(outputs, truth) is None
    assert macro_accuracy(outputs, truth, 3) is None
    assert predicted_shares(outputs, 3) is None
    assert mean_loss(outputs, truth) is None


def test_where_samples_go():
    assert predicted_shares(torch.tensor([0, 2, 2, 2]), 4) == [0.25, 0.0, 0.75, 0.0]


def test_losses_of_half_precision_logits_are_single_precision():
    losses = sample_losses(torch.tensor([[2.0, 0.0]], dtype=torch.float16), torch.tensor([0]))
    assert losses.dtype == torch.float32
    assert float(losses[0]) == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-5)
    assert mean_loss(torch.tensor([[math.inf, 0.0]]), torch.tensor([1])) is None
