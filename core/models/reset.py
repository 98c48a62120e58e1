"""Fresh weights for a network or a part of it, drawn from a seed of their own."""

from __future__ import annotations

import torch
from torch import nn


def reinitialise(module: nn.Module, seed: int) -> None:
    """Give every layer of `module` the weights it would start training with; buffers of norms start anew too.

    Layers draw as their class does on construction (`reset_parameters`). Parameters that stand in a module without
    such a rule (a class token, position embeddings, layer scales) are drawn from a normal distribution with the mean
    and spread they have now. The global random state stays as it is; the same seed gives the same weights.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for part in module.modules():
            reset = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
            if reset is not None:
                reset()
                continue
            for parameter in part.parameters(recurse=False):
                drawn = torch.randn(parameter.shape, dtype=torch.float32)
                spread = float(parameter.float().std(unbiased=False))
                parameter.copy_(drawn * spread + float(parameter.float().mean()))
