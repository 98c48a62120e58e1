from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import subspace_angles

from core.metrics import spaces
from core.metrics.spaces import (
    ROWS_PER_CHUNK,
    FeatureSpace,
    alignment_profile,
    alignment_squared,
    gram,
    leading_eigenvectors,
    sample_energy,
)

torch.set_num_threads(1)
float64 = torch.float64


def features(n: int, channels: int, seed: int = 0, dtype: torch.dtype = float64) -> torch.Tensor:
    return torch.randn(n, channels, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def measure_alignment(forget, retain, k: int):
    return spaces.measure_alignment(FeatureSpace.of(forget), FeatureSpace.of(retain), k)


def dimensional_alignment(forget_gram, basis) -> float:
    return float(alignment_profile(forget_gram, basis)[-1])


def orthonormal(channels: int, k: int, seed: int) -> torch.Tensor:
    return torch.linalg.qr(features(channels, k, seed))[0]


def by_svd(forget: np.ndarray, retain: np.ndarray, k: int) -> float:
    """The definition taken literally: features as columns, U from an SVD of the retain features."""
    columns = forget.T @ forget
    u = np.linalg.svd(retain.T, full_matrices=False)[0][:, :k]
    return float(np.linalg.norm(columns @ u @ u.T) / np.linalg.norm(columns))


@pytest.mark.parametrize("angle", [0.0, 0.3, 1.0, math.pi / 2, 2.5])
def test_one_direction_at_an_angle(angle: float):
    forget = torch.tensor([[math.cos(angle), math.sin(angle), 0.0]], dtype=float64) * 7
    basis = torch.eye(3, dtype=float64)[:, :1]
    assert dimensional_alignment(gram(forget), basis) == pytest.approx(abs(math.cos(angle)), abs=1e-14)


def test_two_directions_tell_alignment_from_the_ratio_per_sample():
    forget = torch.tensor([[3.0, 0.0], [0.0, 1.0]], dtype=float64)
    basis = torch.eye(2, dtype=float64)[:, :1]
    assert dimensional_alignment(gram(forget), basis) ** 2 == pytest.approx(81 / 82, abs=1e-14)
    assert sample_energy(FeatureSpace(forget), basis) == pytest.approx(0.5, abs=1e-14)
    assert float(alignment_squared(forget, basis)) == pytest.approx(81 / 82, abs=1e-12)


def test_spanned_is_one_and_orthogonal_is_zero():
    frame = orthonormal(10, 6, 1)
    inside, outside = features(40, 3, 2) @ frame[:, :3].T, features(40, 3, 3) @ frame[:, 3:].T
    assert dimensional_alignment(gram(inside), frame[:, :3]) == pytest.approx(1.0, abs=1e-12)
    assert dimensional_alignment(gram(outside), frame[:, :3]) == pytest.approx(0.0, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(2, 12), st.integers(1, 12), st.integers(0, 2**31))
def test_equals_the_definition_by_svd(n: int, channels: int, k: int, seed: int):
    k = min(k, channels)
    forget, retain = features(n, channels, seed), features(60, channels, seed + 1)
    expected = by_svd(forget.numpy(), retain.numpy(), k)
    u = leading_eigenvectors(gram(retain), k)
    assert dimensional_alignment(gram(forget), u) == pytest.approx(expected, abs=1e-9)
    assert measure_alignment(forget, retain, k).profile[k - 1] == pytest.approx(expected, abs=1e-9)
    assert float(alignment_squared(forget, u, eps=0.0)) == pytest.approx(expected**2, abs=1e-9)  # images may be tiny


def test_orthonormal_frames_agree_with_the_angles_between_subspaces():
    mine, theirs = orthonormal(9, 4, 5), orthonormal(9, 3, 6)
    cosines = np.cos(subspace_angles(mine.numpy(), theirs.numpy()))
    expected = math.sqrt((cosines**2).sum() / 3)  # G of an orthonormal frame of 3 has three eigenvalues 1
    assert dimensional_alignment(gram(theirs.T), mine) == pytest.approx(expected, abs=1e-10)


def test_mean_square_over_random_subspaces_is_k_over_channels():
    forget = gram(features(30, 16, 7) * torch.linspace(0.1, 2, 16, dtype=float64))
    values = [dimensional_alignment(forget, orthonormal(16, 4, 100 + i)) ** 2 for i in range(800)]
    error = np.std(values) / math.sqrt(len(values))
    assert abs(np.mean(values) - 4 / 16) < 4 * error < 0.03


def test_scale_rotation_and_order_change_nothing():
    forget, retain = features(25, 8, 8) + 1.0, features(70, 8, 9) + 0.5
    base = measure_alignment(forget, retain, 3)
    turn = orthonormal(8, 8, 10)
    order = torch.randperm(25, generator=torch.Generator().manual_seed(1))
    for f, r in ((forget * 50, retain * 50), (forget @ turn, retain @ turn), (forget[order], retain.flip(0))):
        again = measure_alignment(f, r, 3)
        np.testing.assert_allclose(again.profile, base.profile, atol=1e-10)
        assert again.sample_energy == pytest.approx(base.sample_energy, abs=1e-10)


def test_measured_alignment_carries_what_is_needed_to_read_it():
    forget, retain = features(25, 8, 8), features(70, 8, 9)
    result = measure_alignment(forget, retain, 3)
    spectrum = np.linalg.eigvalsh(retain.numpy().T @ retain.numpy())[::-1]
    assert (result.k, result.as_dict()["centred"], len(result.profile)) == (3, False, 8)
    assert result.energy == pytest.approx(spectrum[:3].sum() / spectrum.sum())
    assert result.floor == pytest.approx(math.sqrt(3 / 8))
    assert result.value == result.profile[2]
    assert result.profile[-1] == pytest.approx(1.0, abs=1e-12)
    assert list(result.profile) == sorted(result.profile)
    assert result.at_energy["0.99"]["value"] == result.profile[result.at_energy["0.99"]["k"] - 1]
    basis = leading_eigenvectors(gram(retain), 3)
    assert result.sample_energy == pytest.approx(sample_energy(FeatureSpace(forget), basis))
    assert measure_alignment(forget, retain, 99).k == 8
    assert set(result.as_dict()) >= {"value", "k", "energy", "centred", "profile"}


def test_missing_empty_dead_and_infinite_features_have_no_alignment():
    some = features(5, 4)
    for forget, retain in (
        (None, some),
        (some, None),
        (some[:0], some),
        (some, some[:0]),
        (some * 0, some),
        (some, some * 0),
        (some * math.inf, some),
        (some, some * math.nan),
    ):
        assert measure_alignment(forget, retain, 2) is None
    with pytest.raises(ValueError, match="without energy"):
        dimensional_alignment(torch.zeros(4, 4), torch.eye(4)[:, :2])
    assert sample_energy(FeatureSpace(some * 0), torch.eye(4, dtype=float64)) is None


@pytest.mark.parametrize("n", [3, 12])  # the n×n and the C×C side
def test_gradient_of_the_squared_alignment(n: int):
    rows = features(n, 6, 11).requires_grad_()
    basis = orthonormal(6, 2, 12)
    assert torch.autograd.gradcheck(lambda f: alignment_squared(f, basis), (rows,))


@pytest.mark.parametrize("shape", [(4, 64), (300, 16)])
def test_squared_alignment_in_float32_and_under_autocast(shape: tuple[int, int]):
    rows, basis = features(*shape, 13), orthonormal(shape[1], 5, 14)
    exact = float(alignment_squared(rows, basis))
    assert float(alignment_squared(rows.float(), basis)) == pytest.approx(exact, abs=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert float(alignment_squared(rows.float(), basis)) == pytest.approx(exact, abs=1e-5)
    assert float(alignment_squared(rows.to(torch.bfloat16), basis)) == pytest.approx(exact, abs=2e-2)


def test_collapsed_features_give_a_finite_loss_and_gradient():
    rows = torch.zeros(4, 6, requires_grad=True)
    value = alignment_squared(rows, torch.eye(6)[:, :2])
    value.backward()
    assert value.item() == 0.0
    assert torch.equal(rows.grad, torch.zeros(4, 6))


def test_the_mean_energy_of_samples_is_the_same_in_pieces():
    """One mean over all samples: not a mean of the means of pieces, of which the last is smaller."""
    forget = torch.cat([features(ROWS_PER_CHUNK, 4, 21), 5 * features(100, 4, 22) + 3])
    retain = features(50, 4, 23)
    found = measure_alignment(forget, retain, 2)
    basis = leading_eigenvectors(gram(retain), 2)
    shares = (forget @ basis).square().sum(1) / forget.square().sum(1)
    assert found.sample_energy == pytest.approx(float(shares.mean()), abs=1e-12)
    assert abs(float(shares[:ROWS_PER_CHUNK].mean() + shares[ROWS_PER_CHUNK:].mean()) / 2 - found.sample_energy) > 0.01
