"""Dimensional alignment: how much of the forget features' energy lies in the leading retain eigenspace.

With features as rows of F (n, C), G_f = F_fᵀ F_f and U_k the k leading eigenvectors of G_r = F_rᵀ F_r:

    DA(D_f | D_r) = ‖G_f U_k U_kᵀ‖_F / ‖G_f‖_F        in [0, 1]; high = forget features in the retain space

Source: Seo, Kim, Han, "Revisiting Machine Unlearning with Dimensional Alignment", arXiv 2407.17710.
The ratio and the loss −DA² are documented; k, centring and the layer are not, and are choices of this project:
k = number of retain classes, not centred, the features the classifier head receives. A value says nothing
without its k, the share of retain energy in those k directions and whether features were centred, so
`Alignment` carries them all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.metrics.linear_algebra import FeatureSpace, eigendecomposition, energy_share, k_for_energy

ENERGY_LEVELS = (0.90, 0.95, 0.99)
"""Shares of retain energy at which a value is reported beside the one at k."""


@dataclass(frozen=True)
class Alignment:
    """A dimensional alignment and everything needed to read it."""

    value: float
    k: int
    energy: float  # share of retain energy in the k leading directions
    centred: bool
    profile: tuple[float, ...]  # value at k = 1, 2, ..., C
    floor: float  # sqrt(k / C): root mean square of a random k-dimensional subspace
    sample_energy: float | None  # mean over forget samples of ‖U_kᵀ f‖² / ‖f‖²
    at_energy: dict[str, dict[str, float]]  # "0.90" -> {"k", "value"}

    def as_dict(self) -> dict[str, Any]:
        """Return the contract's keys as plain data."""
        return {
            "value": self.value, "k": self.k, "energy": self.energy, "centred": self.centred,
            "profile": list(self.profile), "floor": self.floor, "sample_energy": self.sample_energy,
            "at_energy": self.at_energy,
        }


def dimensional_alignment(forget_gram: Tensor, basis: Tensor) -> float:
    """Return DA of a forget Gram matrix ((C, C)) with the span of orthonormal columns `basis` ((C, k)).

    Raises ValueError where the forget features have no energy: the ratio is not defined then.
    """
    return float(_profile(forget_gram, basis)[-1])


def alignment_profile(forget_gram: Tensor, retain_gram: Tensor) -> Tensor:
    """Return DA for k = 1, 2, …, C as a (C,) tensor, from the forget and retain Gram matrices, (C, C) each.

    ‖G U_k U_kᵀ‖² is the sum of ‖G u_j‖² over j ≤ k, so one product and a cumulated sum give all k.
    Raises ValueError where the forget features have no energy.
    """
    return _profile(forget_gram, eigendecomposition(retain_gram)[1])


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


def measure_alignment(
    forget: FeatureSpace | None,
    retain: FeatureSpace | None,
    k: int | None = None,
    *,
    num_retain_classes: int,
    centred: bool = False,
) -> Alignment | None:
    """Measure DA of forget with retain features of the same network.

    `k` is the number of leading retain directions; by default the number of retain classes; clipped to 1..C.
    `centred` subtracts the retain mean from both sets first; the signal nearly vanishes then.
    None where a space is None or without energy; never NaN.
    """
    if forget is None or retain is None:
        return None
    offset = retain.mean if centred else torch.zeros_like(retain.mean)
    forget_gram = forget.centred_gram(offset) if centred else forget.gram
    if not (float(forget_gram.square().sum()) > 0 and float(retain.gram.norm()) > 0):
        return None
    spectrum, vectors = eigendecomposition(retain.centred_gram(offset)) if centred else retain.eigen
    k = min(max(1, num_retain_classes if k is None else k), retain.channels)
    profile = _profile(forget_gram, vectors)
    energy = energy_share(spectrum, k)
    return Alignment(
        value=float(profile[k - 1]),
        k=k,
        energy=1.0 if energy is None else energy,
        centred=centred,
        profile=tuple(profile.tolist()),
        floor=math.sqrt(k / retain.channels),
        sample_energy=_sample_energy_in_pieces(forget, offset, vectors[:, :k]),
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


def _profile(forget_gram: Tensor, basis: Tensor) -> Tensor:
    total = forget_gram.square().sum()
    if not float(total) > 0:
        raise ValueError("forget features without energy have no alignment")
    inside = (forget_gram @ basis.to(forget_gram)).square().sum(0).cumsum(0)
    return (inside / total).sqrt().clamp(0.0, 1.0)


def _at_energy(profile: Tensor, spectrum: Tensor, share: float) -> dict[str, float]:
    k = k_for_energy(spectrum, share)
    return {"k": k, "value": float(profile[k - 1])}


def _sample_energy_in_pieces(forget: FeatureSpace, offset: Tensor, basis: Tensor) -> float | None:
    shares, counted = 0.0, 0
    for piece in forget.rows():
        rows = piece - offset
        with_energy = int((rows.square().sum(1) > 0).sum())
        share = sample_energy(rows, basis)
        if share is not None:
            shares, counted = shares + share * with_energy, counted + with_energy
    return shares / counted if counted else None
