"""How the work of a forward pass is spread over a network's building blocks, counted in multiplications."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

from core.models.tap import TappedModel, has_weights, hooked


def block_shares(model: TappedModel, images: torch.Tensor) -> tuple[float, ...]:
    """Return each block's share (0..1, they sum to 1) of the multiplications, in the order of `model.blocks()`.

    Blocks without weights to multiply by (a normalisation on its own) are left out, as "last-N" leaves them out.

    images: (n, c, h, w), of any content. Counted are layers that apply one weight to many places (convolutions and
    linear layers), for these are nearly all of the work: outputs × weights per output channel. A layer in no block
    counts with the first one. Empty where nothing was counted.
    """
    blocks = [set(map(id, block.modules())) for _, block in model.blocks() if has_weights(block)]
    counted = [0.0] * len(blocks)

    def count(layer: nn.Module, _inputs: Any, output: Any) -> None:
        weight = getattr(layer, "weight", None)
        if not isinstance(output, torch.Tensor) or not isinstance(weight, torch.Tensor) or weight.ndim < 2:
            return
        place = next((number for number, members in enumerate(blocks) if id(layer) in members), 0)
        counted[place] += output.numel() * weight.numel() / weight.shape[0]

    with ExitStack() as hooks, torch.no_grad():
        for layer in model.module.modules():
            if not list(layer.children()):
                hooks.enter_context(hooked(layer.register_forward_hook(count)))
        model.module(images)
    total = sum(counted)
    return tuple(part / total for part in counted) if total else ()
