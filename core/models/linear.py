"""The last linear layers of a network: its head, and a linear layer right before it where there is one."""

from __future__ import annotations

from torch import nn

from core.models.tap import TappedModel, has_weights


def last_linear(model: TappedModel) -> dict[str, nn.Parameter]:
    """Return the weights of the last linear layers by parameter name, the head last; (out, in), or (out, in, 1, 1).

    Before the head stands the last linear layer of the nearest block that mixes channels; a convolution there is none.
    """
    found = {f"{model.head_name}.weight": getattr(model.head, "weight", None)}  # none: of an encoder
    blocks = [(name, block) for name, block in model.blocks[:-1] if has_weights(block)]
    for name, block in blocks[-1:]:
        linear = [(part, module) for part, module in block.named_modules() if isinstance(module, nn.Linear)]
        for part, module in linear[-1:]:
            found = {f"{name}.{part}.weight" if part else f"{name}.weight": module.weight, **found}
    return {name: weight for name, weight in found.items() if isinstance(weight, nn.Parameter)}
