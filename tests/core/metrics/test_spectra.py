from __future__ import annotations

import numpy as np
import pytest
import torch

from core.metrics.spectra import measure_spectra


def features(n: int, channels: int, seed: int) -> torch.Tensor:
    return torch.randn(n, channels, generator=torch.Generator().manual_seed(seed))


def test_spectra_are_eigenvalues_per_sample():
    forget, retain = features(30, 6, 1), features(80, 6, 2)
    result = measure_spectra(forget, retain, k=2)
    for rows, values in ((forget, result.forget), (retain, result.retain)):
        exact = rows.numpy().astype(np.float64)
        np.testing.assert_allclose(values, np.linalg.eigvalsh(exact.T @ exact / len(exact))[::-1], rtol=1e-9)
    assert (len(result.forget_inside), len(result.forget_outside)) == (2, 4)
    assert sum(result.forget_inside) + sum(result.forget_outside) == pytest.approx(sum(result.forget))
    assert result.forget_norm == pytest.approx(float(forget.norm(dim=1).mean()), rel=1e-6)


def test_a_collapse_shows_in_rank_and_norm():
    direction = torch.zeros(6)
    direction[0] = 1e-3
    result = measure_spectra(direction.repeat(20, 1), features(80, 6, 2), k=6)
    assert result.forget_rank == pytest.approx(1.0)
    assert result.forget_norm == pytest.approx(1e-3)
    assert result.forget_outside == ()


def test_nothing_to_measure():
    some = features(5, 4, 3)
    assert measure_spectra(None, some, k=1) is None
    assert measure_spectra(some[:0], some, k=1) is None
    assert measure_spectra(some * float("nan"), some, k=1) is None
