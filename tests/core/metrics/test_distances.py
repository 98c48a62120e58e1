from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax

from core.metrics.distances import (
    agreement,
    jensen_shannon,
    linear_cka,
    procrustes_distance,
    sample_jensen_shannon,
    sample_total_variation,
)


def logits(n: int, classes: int, seed: int, scale: float = 3.0) -> torch.Tensor:
    return scale * torch.randn(n, classes, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 20), st.integers(2, 8), st.integers(0, 2**31))
def test_agrees_with_scipy(n: int, classes: int, seed: int):
    a, b = logits(n, classes, seed), logits(n, classes, seed + 1)
    p, q = softmax(a.double().numpy(), axis=1), softmax(b.double().numpy(), axis=1)
    assert jensen_shannon(a, b) == pytest.approx(np.mean(jensenshannon(p, q, axis=1) ** 2), abs=1e-10)
    assert sample_total_variation(a, b).numpy() == pytest.approx(np.abs(p - q).sum(1) / 2, abs=1e-12)
    assert jensen_shannon(a, b) == pytest.approx(jensen_shannon(b, a), abs=1e-14)


def test_ends_of_the_scale():
    a = logits(10, 4, 1)
    shifted = a + 7  # no change of output
    assert jensen_shannon(a, shifted) == pytest.approx(0, abs=1e-12) and agreement(a, shifted) == 1.0
    assert float(sample_total_variation(a, shifted).max()) == pytest.approx(0, abs=1e-6)
    left, right = torch.tensor([[1e4, 0.0]]), torch.tensor([[0.0, 1e4]])
    assert jensen_shannon(left, right) == pytest.approx(math.log(2)) and agreement(left, right) == 0.0
    assert sample_total_variation(left, right).tolist() == [1.0]


def test_a_masked_class_is_no_obstacle():
    a = logits(6, 4, 1)
    masked = a.clone()
    masked[:, 2] = -math.inf
    p, q = softmax(a.double().numpy(), axis=1), softmax(masked.double().numpy(), axis=1)
    assert jensen_shannon(a, masked) == pytest.approx(np.mean(jensenshannon(p, q, axis=1) ** 2), abs=1e-10)


def test_what_is_no_number_stays_none():
    a = logits(5, 3, 1)
    assert not torch.isfinite(sample_jensen_shannon(a * math.nan, a)).any()
    assert not len(sample_jensen_shannon(a[:0], a[:0]))


def test_agreement_counts_the_named_class():
    assert agreement(torch.tensor([[2.0, 1.0], [0.0, 1.0]]), torch.tensor([[9.0, 1.0], [3.0, 1.0]])) == 0.5


def test_geometry_is_blind_to_rotation_scale_and_shift():
    rows = logits(40, 6, 2)
    turn = torch.linalg.qr(logits(6, 6, 3))[0]
    assert linear_cka(rows, 3 * rows @ turn + 1) == pytest.approx(1.0, abs=1e-6)
    assert procrustes_distance(rows, 3 * rows @ turn + 1) == pytest.approx(0.0, abs=1e-5)


def test_geometry_against_its_definitions():
    x, y = logits(30, 5, 4).double().numpy(), logits(30, 3, 5).double().numpy()
    centring = np.eye(30) - 1 / 30
    k, m = centring @ x @ x.T @ centring, centring @ y @ y.T @ centring
    expected = (k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum())
    assert linear_cka(torch.tensor(x), torch.tensor(y)) == pytest.approx(expected)
    from scipy.linalg import orthogonal_procrustes

    a, b = centring @ x, np.pad(centring @ y, ((0, 0), (0, 2)))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    rotation, _ = orthogonal_procrustes(a, b)
    expected = np.linalg.norm(a @ rotation - b) ** 2
    assert procrustes_distance(torch.tensor(x), torch.tensor(y)) == pytest.approx(expected)


def test_geometry_of_orthogonal_and_of_constant_features():
    x = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    y = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])
    assert linear_cka(x, y) == pytest.approx(0.0, abs=1e-12)
    assert procrustes_distance(x, y) == pytest.approx(2.0)
    assert linear_cka(x, torch.ones(4, 2)) is None
    assert procrustes_distance(x[:0], y[:0]) is None
