"""Projections of features, folded into the head: plain weights that survive every export.

A linear head gives W x + b of features x: (C,). With features projected first it gives W (P x) + b = (W P) x + b, so
the edited weight W P says exactly what a network with the projection built in would say. The same holds for a
convolution of one by one pixel, position by position. What stands before the head does not change.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from core.errors import RunError
from core.methods.base import Context

CHECKED = 64  # images that show whether a head is linear: a layer that is not differs on the first
TOLERANCE = 1e-3  # of the largest logit; float32 and TF32 stay below


def head_weight(context: Context) -> nn.Parameter:
    """Return the head's weight, (K, C) or (K, C, 1, 1). Raises RunError for a head that is no linear map of features.

    The class does not tell: heads that normalise their input or their weight may inherit from a linear layer.
    """
    head = context.model.head
    weight, bias = getattr(head, "weight", None), getattr(head, "bias", None)
    error = RunError(
        f"The head {context.model.head_name} is not a linear map of features, so a projection cannot be folded into it",
        "Choose another method for this network",
    )
    features = context.features("all", limit=CHECKED).to(context.device)
    if not isinstance(weight, nn.Parameter) or weight.shape[1] != features.shape[1]:
        raise error
    expected = F.linear(features, weight.detach().flatten(1), bias)
    with torch.no_grad():
        given = head(features if weight.ndim == 2 else features[:, :, None, None]).flatten(1)
    if given.shape != expected.shape or (given - expected).abs().max() > TOLERANCE * expected.abs().max():
        raise error
    return weight


def fold(weight: nn.Parameter, projection: torch.Tensor) -> None:
    """Replace the weight W by W P, computed in float64. projection: (C, C), which maps features to features."""
    folded = weight.detach().flatten(1).double() @ projection.to(weight.device, torch.float64)
    with torch.no_grad():
        weight.copy_(folded.reshape(weight.shape))


def complement(directions: torch.Tensor) -> torch.Tensor:
    """Return the orthogonal projection that drops directions. directions: (C, k) with orthonormal columns -> (C, C)."""
    return torch.eye(len(directions), dtype=directions.dtype, device=directions.device) - directions @ directions.T
