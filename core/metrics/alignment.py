"""How a network's forget features lie to its retain features: dimensional alignment, and the spectra of both.

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
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from core.metrics.linear_algebra import FeatureSpace, effective_rank, energy_share, k_for_energy

ENERGY_LEVELS = (0.90, 0.95, 0.99)
"""Shares of retain energy at which a value is reported beside the one at k."""


@dataclass(frozen=True)
class Alignment:
    """A dimensional alignment and everything needed to read it."""

    value: float
    k: int
    energy: float  # share of retain energy in the k leading directions
    profile: list[float]  # value at k = 1, 2, ..., C
    floor: float  # sqrt(k / C): root mean square of a random k-dimensional subspace
    sample_energy: float | None  # mean over forget samples of ‖U_kᵀ f‖² / ‖f‖²
    at_energy: dict[str, dict[str, float]]  # "0.90" -> {"k", "value"}

    def as_dict(self) -> dict[str, Any]:
        """Return the contract's keys as plain data."""
        return {**asdict(self), "centred": False}


def sample_energy(features: Tensor, basis: Tensor) -> float | None:
    """Return the mean of ‖Uᵀ f‖² / ‖f‖² over the rows f of `features` ((n, C)), with U = `basis` ((C, k)).

    The companion of DA: it weighs all samples alike, where DA is ruled by the strongest forget direction.
    Zero rows are left out; None where no row has energy.
    """
    rows = features.detach().to(basis)
    total = rows.square().sum(1)
    used = total > 0
    if not bool(used.any()):
        return None
    inside = (rows[used] @ basis).square().sum(1)
    return min(1.0, float((inside / total[used]).mean()))


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
        sample_energy=_sample_energy_in_pieces(forget, vectors[:, :k]),
        at_energy={f"{share:.2f}": _at_energy(profile, spectrum, share) for share in ENERGY_LEVELS},
    )


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


def _at_energy(profile: Tensor, spectrum: Tensor, share: float) -> dict[str, float]:
    k = k_for_energy(spectrum, share)
    return {"k": k, "value": float(profile[k - 1])}


def _sample_energy_in_pieces(forget: FeatureSpace, basis: Tensor) -> float | None:
    shares, counted = 0.0, 0
    for rows in forget.rows():
        with_energy = int((rows.square().sum(1) > 0).sum())
        share = sample_energy(rows, basis)
        if share is not None:
            shares, counted = shares + share * with_energy, counted + with_energy
    return shares / counted if counted else None


@dataclass(frozen=True)
class Spectra:
    """Eigenvalues of uncentred Gram matrices per sample, largest first, with their summaries."""

    retain: list[float]
    forget: list[float]
    retain_rank: float | None  # effective rank
    forget_rank: float | None
    retain_norm: float | None  # mean feature norm
    forget_norm: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists and scalars."""
        return asdict(self)


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
