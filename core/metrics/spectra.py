"""Eigenspectra of retain and forget features, with effective ranks and mean norms."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from core.metrics.linear_algebra import FeatureSpace, effective_rank


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
