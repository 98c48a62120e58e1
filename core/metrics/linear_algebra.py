"""Gram matrices of features and their eigendecompositions: the algebra under alignment and spectra.

Everything is computed in float64, because a Gram matrix squares the condition of the features and alignment
reads small eigenvalues beside large ones; float32 is used only for products on devices without float64 (MPS).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.metrics.rows import Rows

ROWS_PER_CHUNK = 8192
"""Rows converted to float64 at once."""

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
    return FeatureSpace(features).gram


class FeatureSpace:
    """The features of one set of samples and what measures need of them, each computed once, at its first use.

    Everything is on the device of the features, in float64 (float32 on MPS).
    """

    def __init__(self, features: Tensor | Rows) -> None:
        """`features`: (n, C) float; raises ValueError for another number of axes."""
        if features.ndim != 2:
            raise ValueError(f"features must be (n, C), got {tuple(features.shape)}")
        self.features = features
        self.count, self.channels = features.shape

    @classmethod
    def of(cls, features: Tensor | Rows | None) -> FeatureSpace | None:
        """Return the space of `features`; None where these are missing, empty or not finite."""
        if features is None or not len(features):
            return None
        space = cls(features)
        return space if bool(torch.isfinite(space.gram).all()) else None

    def rows(self) -> Iterator[Tensor]:
        """Yield the features in pieces (m, C), converted, so that a large set is never held twice."""
        for piece in self.features.detach().split(ROWS_PER_CHUNK):
            yield piece.to(gram_dtype(piece.device))

    @property
    def gram(self) -> Tensor:
        """Fᵀ F, (C, C): the sum of outer products over the samples."""
        return self._sums[0]

    @property
    def mean(self) -> Tensor:
        """The mean feature, (C,); zeros for no samples."""
        return self._sums[1] / max(1, self.count)

    @property
    def mean_norm(self) -> float | None:
        """The mean Euclidean norm of a feature; None for no samples."""
        return float(self._sums[2]) / self.count if self.count else None

    @cached_property
    def eigen(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues (C,), descending, and eigenvectors (C, C), columns, of the Gram matrix."""
        return eigendecomposition(self.gram)

    @cached_property
    def eigenvalues(self) -> Tensor:
        """Eigenvalues (C,), descending, of the Gram matrix; cheaper where nobody has asked for eigenvectors yet."""
        return self.eigen[0] if "eigen" in self.__dict__ else eigenspectrum(self.gram)

    def centred_gram(self, mean: Tensor) -> Tensor:
        """Return the Gram matrix of the features minus `mean` ((C,)), without another pass over them."""
        total, mean = self.mean * self.count, mean.to(self.gram)
        cross = torch.outer(total, mean)
        return self.gram - cross - cross.T + self.count * torch.outer(mean, mean)

    @cached_property
    def _sums(self) -> tuple[Tensor, Tensor, Tensor]:
        """Sums over the samples of outer products (C, C), features (C,) and norms ()."""
        found: list[Tensor] = []
        with torch.no_grad(), torch.autocast(self.features.device.type, enabled=False):
            for rows in self.rows():
                sums = [rows.T @ rows, rows.sum(0), rows.norm(dim=1).sum()]
                found = [total + part for total, part in zip(found, sums, strict=True)] if found else sums
        return found[0], found[1], found[2]


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
