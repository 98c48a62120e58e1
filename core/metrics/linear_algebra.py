"""Gram matrices of features and their eigendecomposition: the algebra under alignment and spectra.

Everything is computed in float64, because a Gram matrix squares the condition of the features and alignment
reads small eigenvalues beside large ones; float32 is used only for products on devices without float64 (MPS).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

ROWS_PER_CHUNK = 8192
"""Rows converted to float64 at once, so that a large feature matrix is never held twice."""

_WIDE = 256
"""Channels from which it pays to compute leading eigenvectors alone."""

_ENERGY_SLACK = 1e-12
"""Rounding left in a cumulated energy share: a share of 1 must be reached at k = C."""


def gram_dtype(device: torch.device) -> torch.dtype:
    """Return the widest floating type `device` multiplies: float64, or float32 on MPS."""
    return torch.float32 if device.type == "mps" else torch.float64


def gram(features: Tensor) -> Tensor:
    """Return Fᵀ F of `features` ((n, C) float) as a (C, C) matrix on the same device.

    Float64, or float32 on MPS. The sum, not the mean: it is not divided by n.
    """
    accumulator = GramAccumulator(features.shape[1])
    accumulator.add(features)
    return accumulator.gram


class GramAccumulator:
    """Sums Gram matrix, feature sum and norms over batches, equal to those of all batches together."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.count = 0
        self._gram: Tensor | None = None
        self._sum: Tensor | None = None
        self._norms: Tensor | None = None

    def add(self, features: Tensor) -> None:
        """Add a batch of features, (n, C) float; raises ValueError for another shape."""
        if features.ndim != 2 or features.shape[1] != self.channels:
            raise ValueError(f"features must be (n, {self.channels}), got {tuple(features.shape)}")
        with torch.no_grad(), torch.autocast(features.device.type, enabled=False):
            for rows in features.detach().split(ROWS_PER_CHUNK):
                self._add_rows(rows.to(gram_dtype(rows.device)))
        self.count += features.shape[0]

    @property
    def gram(self) -> Tensor:
        """The (C, C) sum of outer products so far; zeros before the first batch."""
        if self._gram is None:
            return torch.zeros(self.channels, self.channels, dtype=torch.float64)
        return self._gram

    @property
    def mean(self) -> Tensor:
        """The (C,) mean feature; zeros before the first batch."""
        if self._sum is None:
            return torch.zeros(self.channels, dtype=torch.float64)
        return self._sum / max(1, self.count)

    @property
    def mean_norm(self) -> float | None:
        """The mean Euclidean norm of a feature; None before the first batch."""
        return None if self._norms is None or not self.count else float(self._norms) / self.count

    def centred_gram(self, mean: Tensor) -> Tensor:
        """Return the Gram matrix of the features minus `mean` ((C,)), without another pass over them."""
        total, mean = self.mean.to(self.gram) * self.count, mean.to(self.gram)
        cross = torch.outer(total, mean)
        return self.gram - cross - cross.T + self.count * torch.outer(mean, mean)

    def _add_rows(self, rows: Tensor) -> None:
        product, total, norms = rows.T @ rows, rows.sum(0), rows.norm(dim=1).sum()
        self._gram = product if self._gram is None else self._gram + product
        self._sum = total if self._sum is None else self._sum + total
        self._norms = norms if self._norms is None else self._norms + norms


def accumulated(*sets: Tensor | None) -> tuple[GramAccumulator, ...] | None:
    """Return the sums of each set of features, all as wide as the last ((n, C)); None where one is missing or empty."""
    there = [features for features in sets if features is not None and len(features)]
    if len(there) < len(sets):
        return None
    found = tuple(GramAccumulator(there[-1].shape[1]) for _ in there)
    for sums, features in zip(found, there, strict=True):
        sums.add(features)
    return found


def eigendecomposition(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Return eigenvalues ((C,), descending, clipped at 0) and eigenvectors ((C, C), columns) of a Gram.

    Computed on the processor in float64 on one thread, which beats a GPU at these sizes and keeps results the
    same on all devices. The result lies on `gram`'s device, in its dtype. Raises ValueError where `gram` holds NaN
    or infinities.
    """
    matrix = _finite_matrix(gram)
    with one_blas_thread():
        values, vectors = np.linalg.eigh(matrix)
    descending = torch.from_numpy(values[::-1].copy()), torch.from_numpy(vectors[:, ::-1].copy())
    return descending[0].clamp_min(0.0).to(gram), descending[1].to(gram)


def leading_eigenvectors(gram: Tensor, k: int) -> Tensor:
    """Return the `k` leading eigenvectors of a (C, C) Gram matrix as orthonormal columns, (C, k).

    `k` is clipped to C; raises ValueError where it is below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    channels = len(gram)
    if channels < _WIDE:
        return eigendecomposition(gram)[1][:, :k].contiguous()
    from scipy.linalg import eigh  # wide features: the leading ones alone, in a third of the time

    with one_blas_thread():
        vectors = eigh(_finite_matrix(gram), subset_by_index=[max(0, channels - k), channels - 1])[1]
    return torch.from_numpy(vectors[:, ::-1].copy()).to(gram)


def eigenspectrum(gram: Tensor) -> Tensor:
    """Return the eigenvalues of a (C, C) Gram matrix, (C,), largest first, rounding below zero clipped."""
    matrix = _finite_matrix(gram)
    with one_blas_thread():
        values = np.linalg.eigvalsh(matrix)  # a third of the time it takes with vectors
    return torch.from_numpy(values[::-1].copy()).clamp_min(0.0).to(gram)


def energy_share(spectrum: Tensor, k: int) -> float | None:
    """Return the share (0..1) of the energy of `spectrum` ((C,), descending) in its first `k` values.

    None for a spectrum without energy.
    """
    total = float(spectrum.sum())
    return min(1.0, float(spectrum[:k].sum()) / total) if total > 0 else None


def k_for_energy(spectrum: Tensor, share: float) -> int:
    """Return the smallest k whose leading values hold at least `share` of the energy of `spectrum` ((C,)).

    1 for a spectrum without energy; raises ValueError where `share` is not in (0, 1].
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"the energy share must be above 0 and at most 1, got {share}")
    total = float(spectrum.sum())
    if total <= 0:
        return 1
    shares = spectrum.cumsum(0) / total
    return min(int((shares < share - _ENERGY_SLACK).sum()) + 1, len(spectrum))


def effective_rank(spectrum: Tensor) -> float | None:
    """Return exp of the entropy of the normalised eigenvalues ((C,)): 1 for one direction, C for equal ones.

    None for a spectrum without energy. Source: Roy and Vetterli, "The effective rank", EUSIPCO 2007.
    """
    total = float(spectrum.sum())
    if total <= 0:
        return None
    shares = spectrum.to(torch.float64 if spectrum.device.type != "mps" else torch.float32) / total
    return math.exp(float(torch.special.entr(shares).sum()))


def _finite_matrix(gram: Tensor) -> np.ndarray:
    if not bool(torch.isfinite(gram).all()):
        raise ValueError("the Gram matrix holds values that are not finite")
    return gram.detach().cpu().to(torch.float64).numpy()


@cache
def _thread_controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()  # finding the loaded libraries takes milliseconds, so only once


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep a small decomposition on one thread: on a busy machine two threads make it many times slower."""
    with _thread_controller().limit(limits=1, user_api="blas"):
        yield
