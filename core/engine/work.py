"""What a run computes, counted in images through parts of the network and in floating-point operations.

Time depends on the machine and on what else runs there; operations do not, so costs of methods are compared by both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from core.data.batches import ImageStore
from core.engine.outputs import evaluating, gradients_to
from core.methods.base import trainable
from core.models.split import split_for
from core.models.tap import TappedModel, has_weights

FORWARD = "forward"  # the whole network, no gradient
GRADIENT = "gradient"  # the whole network and back to all weights, outside of a step


class Work:
    """Images that passed, by kind: FORWARD, GRADIENT, "step:<tunes>", "front:<tunes>" or "tail:<tunes>".

    A step passes forward through the whole network and back to what it tunes; where the front is cached, images pass
    through "front" once without gradient and through "tail" forward and back in every step.
    """

    def __init__(self, counts: dict[str, int] | None = None) -> None:
        self.counts: Counter[str] = Counter(counts or {})

    def add(self, kind: str, images: int) -> None:
        """Count images."""
        self.counts[kind] += images

    def operations(self, model: TappedModel, store: ImageStore) -> float:
        """Return the floating-point operations of all counted passes; convolutions and matrix products, as torch counts
        them. The network and its modes stay as they are.
        """  # noqa: D205
        images = store.batch(torch.arange(min(2, len(store)))).images
        with evaluating(model.module):
            return sum(count * _each(model, images, kind) for kind, count in self.counts.items() if count)


def _each(model: TappedModel, images: torch.Tensor, kind: str) -> float:
    """Operations of one image."""
    what, _, tunes = kind.partition(":")
    if what == FORWARD:
        return _count(lambda: model(images)) / len(images)
    if what in (GRADIENT, "step"):
        return _trained(model, images, tunes or "all") / len(images)
    split = split_for(model, tunes)
    assert split is not None  # it was cut there when the images were counted
    if what == "front":
        return _count(lambda: split.front(images)) / len(images)
    return (_trained(model, images, tunes) - _count(lambda: split.front(images))) / len(images)


def _trained(model: TappedModel, images: torch.Tensor, tunes: str) -> float:
    """Forward through the whole network and back to the weights that are tuned."""
    with gradients_to(model.module, trainable(model, tunes)) as weights:
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
