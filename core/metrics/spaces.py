"""Feature spaces: Gram matrices of features, their eigendecompositions, and what is read of both: alignment, spectra.

Everything is computed in float64, because a Gram matrix squares the condition of the features and alignment reads small
eigenvalues beside large ones; float32 is used only for products on devices without float64 (MPS).

Alignment is how much of the forget features' energy lies in the leading retain eigenspace. With features
as rows of F (n, C), G_f = F_fᵀ F_f and U_k the k leading eigenvectors of G_r = F_rᵀ F_r:

    DA(D_f | D_r) = ‖G_f U_k U_kᵀ‖_F / ‖G_f‖_F        in [0, 1]; high = forget features in the retain space

Source: Seo, Kim, Han, "Revisiting Machine Unlearning with Dimensional Alignment", arXiv 2407.17710.
The ratio and the loss −DA² are documented; k, centring and the layer are not, and are choices of this project:
k = number of retain classes, not centred, the features the classifier head receives. A value says nothing
without its k and the share of retain energy in those k directions, so `Alignment` carries them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.metrics.rows import ROWS_PER_CHUNK, MetricResult, Rows

ENERGY_LEVELS = (0.90, 0.95, 0.99)
"""Shares of retain energy at which a value is reported beside the one at k."""

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

    def principal(self, count: int) -> tuple[Tensor, float]:
        """Return the `count` principal directions, (C, min(count, C)), and the share of the variance in the first two.

        The sign of each direction is fixed by its largest entry, so that the same features give the same picture.
        """
        variances, directions = eigendecomposition(self.centred_gram(self.mean))
        directions = directions[:, :count]
        signs = directions.gather(0, directions.abs().argmax(0, keepdim=True)).sign()
        total = float(variances.sum())
        return directions * signs, float(variances[:2].sum()) / total if total > 0 else 0.0

    @cached_property
    def _sums(self) -> tuple[Tensor, Tensor, Tensor]:
        """Sums over the samples of outer products (C, C), features (C,) and norms ()."""
        totals: list[Tensor] = []
        with torch.no_grad(), torch.autocast(self.features.device.type, enabled=False):
            for rows in self.rows():
                sums = [rows.T @ rows, rows.sum(0), rows.norm(dim=1).sum()]
                totals = [total + part for total, part in zip(totals, sums, strict=True)] if totals else sums
        return totals[0], totals[1], totals[2]


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


# --- alignment and spectra ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Alignment(MetricResult):
    """A dimensional alignment and everything needed to read it."""

    value: float
    k: int
    energy: float  # share of retain energy in the k leading directions
    profile: list[float]  # value at k = 1, 2, ..., C
    floor: float  # sqrt(k / C): root mean square of a random k-dimensional subspace
    sample_energy: float | None  # mean over forget samples of ‖U_kᵀ f‖² / ‖f‖²
    at_energy: dict[str, dict[str, float]]  # "0.90" -> {"k", "value"}
    centred: bool = False


@dataclass(frozen=True)
class Spectra(MetricResult):
    """Eigenvalues of uncentred Gram matrices per sample, largest first, with their summaries."""

    retain: list[float]
    forget: list[float]
    retain_rank: float | None  # effective rank
    forget_rank: float | None
    retain_norm: float | None  # mean feature norm
    forget_norm: float | None


def measure_alignment(forget: FeatureSpace | None, retain: FeatureSpace | None, k: int) -> Alignment | None:
    """Measure DA of forget with the `k` leading directions (clipped to 1..C) of retain features of the same network.

    None where a space is None or without energy; never NaN.
    """
    if forget is None or retain is None:
        return None
    if not (float(forget.gram.square().sum()) > 0 and float(retain.gram.norm()) > 0):
        return None
    spectrum, vectors = retain.eigen
    k = min(max(1, k), retain.channels)
    profile = alignment_profile(forget.gram, vectors)
    energy = energy_share(spectrum, k)
    return Alignment(
        value=float(profile[k - 1]),
        k=k,
        energy=1.0 if energy is None else energy,
        profile=profile.tolist(),
        floor=math.sqrt(k / retain.channels),
        sample_energy=sample_energy(forget, vectors[:, :k]),
        at_energy=_at_energy(profile, spectrum),
    )


def alignment_profile(forget_gram: Tensor, basis: Tensor) -> Tensor:
    """Return DA of a forget Gram matrix ((C, C)) with the first 1, …, k of orthonormal columns `basis` ((C, k)): (k,).

    ‖G U_k U_kᵀ‖² is the sum of ‖G u_j‖² over j ≤ k, so one product and a cumulated sum give all k.
    Raises ValueError where the forget features have no energy: the ratio is not defined then.
    """
    total = forget_gram.square().sum()
    if not float(total) > 0:
        raise ValueError("forget features without energy have no alignment")
    inside = (forget_gram @ basis.to(forget_gram)).square().sum(0).cumsum(0)
    return (inside / total).sqrt().clamp(0.0, 1.0)


def _at_energy(profile: Tensor, spectrum: Tensor) -> dict[str, dict[str, float]]:
    """Return, by share of retain energy, the k that reaches it and the alignment there."""
    ks = {f"{share:.2f}": k_for_energy(spectrum, share) for share in ENERGY_LEVELS}
    return {share: {"k": k, "value": float(profile[k - 1])} for share, k in ks.items()}


def sample_energy(forget: FeatureSpace, basis: Tensor) -> float | None:
    """Return the mean of ‖Uᵀ f‖² / ‖f‖² over the features f of a set, with U = `basis` ((C, k)).

    The companion of DA: it weighs all samples alike, where DA is ruled by the strongest forget direction.
    Features without energy are left out; None where none has energy.
    """
    shares, counted = 0.0, 0
    for rows in forget.rows():
        total = rows.square().sum(1)
        used = total > 0
        count = int(used.sum())
        if count:
            inside = (rows[used] @ basis).square().sum(1)
            shares += min(1.0, float((inside / total[used]).mean())) * count
            counted += count
    return shares / counted if counted else None


def energy_in_directions(forget: FeatureSpace, retain: FeatureSpace, count: int) -> list[float]:
    """Return the share (0..1) of the forget features' energy in each of the `count` leading retain directions.

    That is u_jᵀ G_f u_j / tr G_f; over all C directions the shares sum to 1. Empty for features without energy.
    """
    total = float(forget.gram.trace())
    if not total > 0:
        return []
    leading = retain.eigen[1][:, :count]
    shares: list[float] = ((forget.gram @ leading) * leading).sum(0).clamp_min(0.0).div(total).tolist()
    return shares


def alignment_influence(forget: FeatureSpace, retain: FeatureSpace, k: int) -> NDArray[np.float64]:
    """Return each forget sample's influence on DA at `k`, (n,): the derivative of DA by the sample's weight.

    With G = Σ wᵢ fᵢ fᵢᵀ, P = U Uᵀ, A = ‖G P‖², B = ‖G‖², DA = √(A/B): dA/dwᵢ = 2 fᵢᵀ G P fᵢ, dB/dwᵢ = 2 fᵢᵀ G fᵢ. The
    sum of squared influences is the variance that the bootstrap over forget samples has in the limit (infinitesimal
    jackknife; Efron, "The jackknife, the bootstrap and other resampling plans", 1982). The retain basis is held fixed.
    Raises ValueError for features without energy.
    """
    basis = retain.eigen[1][:, :k]
    total = forget.gram
    inside = total @ basis
    a, b = float(inside.square().sum()), float(total.square().sum())
    if not (a > 0 and b > 0):
        raise ValueError("forget features without energy have no alignment")
    value = (a / b) ** 0.5
    parts = []
    for rows in forget.rows():
        da = 2 * ((rows @ inside) * (rows @ basis)).sum(1)
        db = 2 * ((rows @ total) * rows).sum(1)
        parts.append((0.5 * value * (da / a - db / b)).cpu().numpy())
    return np.concatenate(parts)


def alignment_squared(features: Tensor, basis: Tensor, eps: float = 1e-12) -> Tensor:
    """Return DA² of a batch of features ((n, C)) with a constant orthonormal `basis` ((C, k)), a 0-d tensor.

    Differentiable in `features`; L_DA = −DA². Goes through the smaller of the n×n and C×C products (both have
    the same Frobenius norm) and leaves any autocast region: a float16 Gram matrix overflows. `eps` keeps
    features that collapse to zero from dividing by zero. No gradient passes through the eigendecomposition
    that made `basis`.
    """
    with torch.autocast(features.device.type, enabled=False):
        rows = features if features.dtype in (torch.float32, torch.float64) else features.float()
        basis = basis.detach().to(rows)
        n, channels = rows.shape
        inside = rows @ basis
        if n < channels:
            product = rows @ rows.T
            aligned = (inside * (product @ inside)).sum()
        else:
            product = rows.T @ rows
            aligned = (rows.T @ inside).square().sum()
        return aligned / (product.square().sum() + eps)


def measure_spectra(forget: FeatureSpace | None, retain: FeatureSpace | None) -> Spectra | None:
    """Measure the spectra of forget and retain features of the same network.

    The effective rank and mean norm of the forget set tell a collapse (all forget features in one retain
    direction, or near zero) from forgetting: alignment alone calls both 1. None where either space is None.
    """
    if forget is None or retain is None:
        return None
    retain_values, forget_values = retain.eigenvalues / retain.count, forget.eigenvalues / forget.count
    return Spectra(
        retain=retain_values.tolist(),
        forget=forget_values.tolist(),
        retain_rank=effective_rank(retain_values),
        forget_rank=effective_rank(forget_values),
        retain_norm=retain.mean_norm,
        forget_norm=forget.mean_norm,
    )


# --- decompositions on the processor ------------------------------------------------------------------------------


def _finite_matrix(gram: Tensor) -> np.ndarray:
    """Return a Gram matrix as a float64 array; raises ValueError where it is not finite."""
    if not bool(torch.isfinite(gram).all()):
        raise ValueError("the Gram matrix holds values that are not finite")
    return gram.detach().cpu().to(torch.float64).numpy()


@cache
def _thread_controller() -> Any:
    """Return what limits the threads of the loaded libraries."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()  # finding the loaded libraries takes milliseconds, so only once


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep a small decomposition on one thread: on a busy machine two threads make it many times slower."""
    with _thread_controller().limit(limits=1, user_api="blas"):
        yield
