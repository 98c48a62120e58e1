"""Weights rounded to few bits, as a network is deployed with them: what was learnt in small steps may not survive."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

BITS = (8, 4)
"""Widths that networks are deployed with."""


def quantise(module: nn.Module, bits: int) -> None:
    """Round the weights of linear and convolutional layers in place to 2^bits − 1 levels, symmetric about 0.

    Each output channel has its own scale, its largest weight over the largest level; biases, norms and outputs of
    layers stay float32. This is plain rounding to the nearest level, without data, what deployment tools begin with.
    """
    level = 2 ** (bits - 1) - 1
    for layer in module.modules():
        axis = 1 if isinstance(layer, _ConvTransposeNd) else 0
        names = ["weight"] if isinstance(layer, (nn.Linear, _ConvNd)) else ["in_proj_weight"]
        names = names if isinstance(layer, (nn.Linear, _ConvNd, nn.MultiheadAttention)) else []
        for weight in (getattr(layer, name, None) for name in names):
            if not isinstance(weight, nn.Parameter):
                continue
            with torch.no_grad():
                others = [dim for dim in range(weight.dim()) if dim != axis]
                scale = weight.detach().float().abs().amax(dim=others).div(level).clamp_min(1e-12)
                zero = torch.zeros_like(scale, dtype=torch.int32)
                rounded = torch.fake_quantize_per_channel_affine(weight.float(), scale, zero, axis, -level, level)
                weight.copy_(rounded)
