from __future__ import annotations

import numpy as np
import pytest
import torch

from core.metrics.spaces import FeatureSpace, measure_spectra


def features(n: int, channels: int, seed: int) -> torch.Tensor:
    return torch.randn(n, channels, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("with_vectors", [False, True])  # eigenvectors that alignment asked for are used
def test_spectra_are_eigenvalues_per_sample(with_vectors):
    forget, retain = features(30, 40, 1), features(80, 40, 2)
    spaces = FeatureSpace(forget), FeatureSpace(retain)
    if with_vectors:
        assert len(spaces[1].eigen[1]) == 40
    result = measure_spectra(*spaces)
    for rows, values in ((forget, result.forget), (retain, result.retain)):
        exact = rows.numpy().astype(np.float64)
        expected = np.linalg.eigvalsh(exact.T @ exact / len(exact))[::-1]
        np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12 * expected[0])
    assert result.forget_norm == pytest.approx(float(forget.norm(dim=1).mean()), rel=1e-6)


def test_a_collapse_shows_in_rank_and_norm():
    direction = torch.zeros(6)
    direction[0] = 1e-3
    result = measure_spectra(FeatureSpace(direction.repeat(20, 1)), FeatureSpace(features(80, 6, 2)))
    assert result.forget_rank == pytest.approx(1.0)
    assert result.forget_norm == pytest.approx(1e-3)


def test_nothing_to_measure():
    some = features(5, 4, 3)
    space = FeatureSpace.of(some)
    assert space is not None
    for missing in (None, some[:0], some * float("nan")):
        assert FeatureSpace.of(missing) is None
        assert measure_spectra(FeatureSpace.of(missing), space) is None
        assert measure_spectra(space, FeatureSpace.of(missing)) is None
