"""Eigenspectra of retain and forget features, and of forget features split on and off the retain space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.metrics.linear_algebra import accumulated, effective_rank, eigendecomposition, eigenspectrum


@dataclass(frozen=True)
class Spectra:
    """Eigenvalues of uncentred Gram matrices per sample, largest first, with their summaries."""

    retain: tuple[float, ...]
    forget: tuple[float, ...]
    forget_inside: tuple[float, ...]  # of forget features projected on the k leading retain directions
    forget_outside: tuple[float, ...]  # of the rest
    k: int
    retain_rank: float | None  # effective rank
    forget_rank: float | None
    retain_norm: float | None  # mean feature norm
    forget_norm: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists and scalars."""
        return {
            "retain": list(self.retain), "forget": list(self.forget),
            "forget_inside": list(self.forget_inside), "forget_outside": list(self.forget_outside),
            "k": self.k,
            "retain_rank": self.retain_rank, "forget_rank": self.forget_rank,
            "retain_norm": self.retain_norm, "forget_norm": self.forget_norm,
        }


def measure_spectra(
    forget_features: Tensor | None, retain_features: Tensor | None, *, k: int
) -> Spectra | None:
    """Measure the spectra of forget ((n, C)) and retain ((m, C)) features, split at `k` retain directions.

    The effective rank and mean norm of the forget set tell a collapse (all forget features in one retain
    direction, or near zero) from forgetting: alignment alone calls both 1. None where a set is missing, empty
    or not finite.
    """
    sums = accumulated(forget_features, retain_features)
    if sums is None:
        return None
    forget, retain = sums
    forget_gram, retain_gram = forget.gram / forget.count, retain.gram / retain.count
    if not bool(torch.isfinite(forget_gram).all() and torch.isfinite(retain_gram).all()):
        return None
    k = min(max(1, k), retain.channels)
    retain_values, vectors = eigendecomposition(retain_gram)
    forget_values = eigenspectrum(forget_gram)
    inside = vectors[:, :k]
    outside = vectors[:, k:]
    return Spectra(
        retain=tuple(retain_values.tolist()),
        forget=tuple(forget_values.tolist()),
        forget_inside=tuple(eigenspectrum(inside.T @ forget_gram @ inside).tolist()),
        forget_outside=tuple(eigenspectrum(outside.T @ forget_gram @ outside).tolist()),
        k=k,
        retain_rank=effective_rank(retain_values),
        forget_rank=effective_rank(forget_values),
        retain_norm=retain.mean_norm,
        forget_norm=forget.mean_norm,
    )
