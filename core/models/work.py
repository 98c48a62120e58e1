"""What passes through a network cost, in floating-point operations of convolutions and matrix products.

Time depends on the machine and on what else runs there; operations do not, so costs of methods are compared by both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from core.models.split import split_for
from core.models.tap import TappedModel, evaluating, gradients_to, has_weights

# Kinds of passes. Beside these two: "step:<tunes>" forward through the whole network and back to what is tuned, and
# where the front is cached "front:<tunes>" once without gradient and "tail:<tunes>" forward and back in every step.
FORWARD = "forward"  # the whole network, no gradient
GRADIENT = "gradient"  # the whole network and back to all weights, outside of a step


def operations(passes: Mapping[str, int], model: TappedModel, images: torch.Tensor) -> float:
    """Return the floating-point operations of all `passes`: by kind, how many images went through.

    images: (n, c, h, w), of any content, n ≥ 1, to count a pass with. The network and its modes stay as they are.
    """
    with evaluating(model.module):
        return sum(count * _of_kind(model, images, kind) for kind, count in passes.items() if count) / len(images)


def _of_kind(model: TappedModel, images: torch.Tensor, kind: str) -> float:
    what, _, tunes = kind.partition(":")
    if what == FORWARD:
        return _count(lambda: model(images))
    if what in (GRADIENT, "step"):
        return _trained(model, images, tunes or "all")
    split = split_for(model, tunes)
    assert split is not None  # it was cut there when the images were counted
    front = _count(lambda: split.front(images))
    return front if what == "front" else _trained(model, images, tunes) - front


def _trained(model: TappedModel, images: torch.Tensor, tunes: str) -> float:
    """Operations forward through the whole network and back to the weights that are tuned."""
    with gradients_to(model.module, model.tuned_parameters(tunes)) as weights:
        return _count(lambda: torch.autograd.grad(model(images).logits.sum(), weights, allow_unused=True))


def _count(call: Callable[[], object]) -> float:
    return float(_counted(call).get_total_flops())


def _counted(call: Callable[[], object]) -> FlopCounterMode:
    """Run a computation and return the operations of its convolutions and matrix products, by module.

    Attention is computed step by step meanwhile: torch does not count all of its fused kernels.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            call()
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return counter


def block_shares(model: TappedModel, images: torch.Tensor) -> tuple[float, ...]:
    """Return each block's share (0..1, they sum to 1) of a forward pass's operations, in the order of `model.blocks()`.

    Blocks without weights to multiply by (a normalisation on its own) are left out, as "last-N" leaves them out.
    Operations in no block count with the first one. Empty where the pass multiplies nothing.

    images: (n, c, h, w), of any content.
    """
    with torch.no_grad():
        counter = _counted(lambda: model.module(images))
    root, by_module = type(model.module).__name__, counter.get_flop_counts()
    counts = [sum(by_module[f"{root}.{name}"].values()) for name, block in model.blocks() if has_weights(block)]
    total = counter.get_total_flops()
    counts[0] += total - sum(counts)
    return tuple(count / total for count in counts) if total else ()
