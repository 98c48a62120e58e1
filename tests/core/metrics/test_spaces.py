from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.metrics import spaces
from core.metrics.spaces import (
    FeatureSpace,
    effective_rank,
    eigendecomposition,
    eigenspectrum,
    energy_in_directions,
    energy_share,
    gram,
    k_for_energy,
    leading_eigenvectors,
)

torch.set_num_threads(1)


def features(n: int, channels: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, channels, generator=torch.Generator().manual_seed(seed))


def test_gram_equals_the_product_in_float64():
    rows = features(300, 12)
    expected = rows.numpy().astype(np.float64)
    assert gram(rows).dtype == torch.float64
    np.testing.assert_allclose(gram(rows).numpy(), expected.T @ expected, rtol=1e-13)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**31))
def test_pieces_add_up_to_the_whole(n: int, piece: int, seed: int):
    rows = features(n, 5, seed)
    whole = FeatureSpace(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spaces, "ROWS_PER_CHUNK", piece)
        parts = FeatureSpace(rows)
        torch.testing.assert_close(parts.gram, whole.gram, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(parts.mean, rows.double().mean(0), rtol=1e-12, atol=1e-12)
        assert parts.mean_norm == pytest.approx(float(rows.double().norm(dim=1).mean()))
    assert parts.count == n


def test_centred_gram_is_that_of_shifted_features():
    rows = features(50, 6) + 3
    shift = torch.arange(6, dtype=torch.float64)
    expected = gram(rows.double() - shift)
    torch.testing.assert_close(FeatureSpace(rows).centred_gram(shift), expected, rtol=1e-10, atol=1e-9)


def test_gram_leaves_autocast_and_gradients():
    rows = features(20, 4).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = gram(rows)
    assert not inside.requires_grad
    torch.testing.assert_close(inside, gram(rows.detach()), rtol=0, atol=0)


def test_a_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"\(n, C\), got \(3, 5, 1\)"):
        FeatureSpace(features(3, 5)[..., None])


def test_eigenvectors_are_orthonormal_and_ordered():
    matrix = gram(features(100, 8))
    values, vectors = eigendecomposition(matrix)
    assert torch.equal(values, values.sort(descending=True).values)
    torch.testing.assert_close(vectors.T @ vectors, torch.eye(8, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(matrix @ vectors, vectors * values, rtol=1e-10, atol=1e-9)
    expected = np.linalg.svd(features(100, 8).numpy().astype(np.float64), compute_uv=False) ** 2
    np.testing.assert_allclose(values.numpy(), expected, rtol=1e-10)


def test_rank_deficient_gram_has_no_negative_eigenvalue():
    assert float(eigenspectrum(gram(features(3, 20))).min()) >= 0


def test_k_is_clipped_and_checked():
    matrix = gram(features(10, 4))
    assert leading_eigenvectors(matrix, 9).shape == (4, 4)
    with pytest.raises(ValueError, match="at least 1"):
        leading_eigenvectors(matrix, 0)


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        eigenspectrum(torch.full((3, 3), math.nan))


def test_energy():
    spectrum = torch.tensor([6.0, 3.0, 1.0, 0.0], dtype=torch.float64)
    assert energy_share(spectrum, 1) == pytest.approx(0.6)
    assert energy_share(spectrum, 4) == 1.0
    assert energy_share(torch.zeros(3), 1) is None
    assert [k_for_energy(spectrum, s) for s in (0.5, 0.6, 0.61, 0.9, 0.95, 1.0)] == [1, 1, 2, 2, 3, 3]
    with pytest.raises(ValueError, match="above 0"):
        k_for_energy(spectrum, 0.0)


def test_effective_rank_of_equal_and_of_single_eigenvalues():
    assert effective_rank(torch.ones(7, dtype=torch.float64) * 4) == pytest.approx(7.0)
    assert effective_rank(torch.tensor([5.0, 0.0, 0.0])) == pytest.approx(1.0)
    assert effective_rank(torch.tensor([1.0, 1.0, 0.0])) == pytest.approx(2.0)
    assert effective_rank(torch.zeros(3)) is None


def test_leading_eigenvectors_of_wide_features_are_those_of_the_whole_decomposition():
    torch.manual_seed(0)
    features = torch.randn(400, 300) * torch.linspace(2, 0.1, 300)
    matrix = gram(features)
    values, vectors = eigendecomposition(matrix)
    found = leading_eigenvectors(matrix, 7)
    assert found.shape == (300, 7)
    assert torch.allclose(found.T @ found, torch.eye(7, dtype=found.dtype), atol=1e-12)
    assert torch.allclose((found.T @ vectors[:, :7]).abs(), torch.eye(7, dtype=found.dtype), atol=1e-9)
    assert leading_eigenvectors(matrix, 999).shape == (300, 300)
    assert torch.allclose(eigenspectrum(matrix), values, rtol=1e-10, atol=1e-9 * float(values[0]))
    with pytest.raises(ValueError, match="not finite"):
        leading_eigenvectors(matrix * float("nan"), 7)


def test_energy_in_directions_is_that_of_each_sample_s_part_along_them():
    forget, retain = features(30, 6, 1) + 1, features(80, 6, 2) * torch.arange(1, 7)
    directions = np.linalg.eigh(retain.double().numpy().T @ retain.double().numpy())[1][:, ::-1]
    parts = (forget.double().numpy() @ directions) ** 2
    found = energy_in_directions(FeatureSpace(forget), FeatureSpace(retain), 4)
    np.testing.assert_allclose(found, (parts.sum(0) / parts.sum())[:4], rtol=1e-9)
    assert sum(energy_in_directions(FeatureSpace(forget), FeatureSpace(retain), 99)) == pytest.approx(1)
    assert energy_in_directions(FeatureSpace(torch.zeros(5, 6)), FeatureSpace(retain), 4) == []


@pytest.mark.parametrize("seed", range(4))
def test_the_largest_entry_of_a_principal_direction_is_positive(seed):
    features = torch.randn(50, 6, generator=torch.Generator().manual_seed(seed)) * torch.arange(1.0, 7.0)
    directions, share = spaces.FeatureSpace(features).principal(2)
    _, values, vectors = np.linalg.svd((features - features.mean(0)).double().numpy(), full_matrices=False)
    for found, expected in zip(directions.T.numpy(), vectors, strict=False):
        assert found[np.abs(found).argmax()] > 0
        assert np.allclose(found, expected * np.sign(expected[np.abs(expected).argmax()]), atol=1e-6)
    assert share == pytest.approx((values[:2] ** 2).sum() / (values**2).sum())
