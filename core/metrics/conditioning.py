"""Condition numbers of weight matrices, from their singular values in float64.

κ(W) = σ_max / σ_min over all min(m, n) singular values of W (m, n). Where κ is large, small changes of what the layer
receives, or of its gradients, are large ones elsewhere; a projection that unlearning makes ill-conditioned is named as
a cause of drift by SineProject (Garg, Saratchandran, Lucey; arXiv 2511.18444), of the Jacobian of a projector. Here it
is that of the weights of a layer, which is its Jacobian with respect to its input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.metrics.rows import MetricResult
from core.metrics.spaces import one_blas_thread

LARGEST_SIDE = 2048
"""Of the smaller side of a matrix: beyond, singular values take minutes on one thread."""

SINGULAR, TOO_LARGE, NOT_FINITE = "singular: a direction is lost", "too large to be decomposed here", "not finite"
"""Why a matrix has no condition number."""


@dataclass(frozen=True)
class Conditioning(MetricResult):
    """Condition numbers of the last linear layers. value: the largest; None, for a `reason`, where one has none.

    layers: `name`, `rows`, `columns`, and `value` or `reason` of each, the head last.
    """

    value: float | None
    reason: str
    layers: list[dict[str, Any]]


def condition_number(weight: Tensor) -> float | None:
    """Return σ_max / σ_min of a matrix (m, n); None where it is singular to float64, empty or not finite."""
    if not weight.numel() or not bool(torch.isfinite(weight).all()):
        return None
    with one_blas_thread():
        values = torch.linalg.svdvals(weight.detach().cpu().double())
    largest, smallest = float(values[0]), float(values[-1])
    # As matrix rank is decided (Golub and Van Loan): below this a singular value is rounding.
    rounding = largest * max(weight.shape) * torch.finfo(torch.float64).eps
    return largest / smallest if smallest > rounding else None


def measure_conditioning(weights: Mapping[str, Tensor]) -> Conditioning:
    """Measure weights by name, each (m, n) or (m, n, 1, 1)."""
    layers: list[dict[str, Any]] = []
    for name, weight in weights.items():
        matrix = weight.detach().flatten(1)
        value, reason = None, ""
        if min(matrix.shape) > LARGEST_SIDE:
            reason = TOO_LARGE
        elif not bool(torch.isfinite(matrix).all()):
            reason = NOT_FINITE
        elif (value := condition_number(matrix)) is None:
            reason = SINGULAR
        layers.append({"name": name, "rows": len(matrix), "columns": matrix.shape[1], "value": value, "reason": reason})
    without = next((f"{layer['name']}: {layer['reason']}" for layer in layers if layer["reason"]), "")
    values = [layer["value"] for layer in layers if layer["value"] is not None]
    return Conditioning(None if without or not values else max(values), without, layers)
