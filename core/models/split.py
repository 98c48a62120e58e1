"""A pass cut in two before a block: a frozen front is then computed once, and only the tail in every step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from core.models.tap import Output, TappedModel

_TOLERANCE = 1e-4  # relative; in float32 both ways differ by rounding at most


class SplitModel:
    """`front(images)` gives the input of block `at`; `tail(h)` computes an Output from such input.

    In the tail the blocks before `at` return their input unchanged, and block `at` gets `h` as its input. That is
    right for networks that pass data from block to block, and wrong where a later part uses the output of an earlier
    one; `holds` tells which. Where code between the blocks needs outputs of the right shapes (a transformer adds
    position embeddings to its patches), `holds` finds that out, and the skipped blocks return zeros of these shapes.
    """

    def __init__(self, model: TappedModel, at: int) -> None:
        """`at`: index into `model.blocks`; 1 or more."""
        blocks = model.blocks
        self._model = model
        self._skipped = [block for _, block in blocks[:at]]
        self._first = blocks[at][1]
        self._shapes: dict[nn.Module, torch.Size] = {}  # of one image's output, for blocks that must keep theirs

    def front(self, images: Tensor) -> Tensor:
        """Return the activations (n, ...) that the tail begins with."""

        def arrived(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            raise _ArrivedError(inputs)

        try:
            with self._first.register_forward_pre_hook(arrived):
                self._model.module(images)
        except _ArrivedError as reached:
            if len(reached.inputs) == 1 and isinstance(reached.inputs[0], Tensor):
                return reached.inputs[0]
            raise ValueError("the block takes more than one tensor") from None
        raise ValueError("the block is not part of the forward pass")

    def tail(self, activations: Tensor, image_shape: torch.Size) -> Output:
        """Return the outputs for activations (n, ...); `image_shape` (c, h, w) of the images they were made from."""
        stand_in = torch.zeros((len(activations), *image_shape), device=activations.device)  # layers may write into it
        with ExitStack() as patches:
            for block in self._skipped:
                patches.enter_context(_skipped(block, self._shapes.get(block)))
            patches.enter_context(self._first.register_forward_pre_hook(lambda module, inputs: (activations,)))
            return self._model(stand_in)

    def holds(self, images: Tensor) -> bool:
        """Whether front and tail together give the outputs of the whole network for these images (n, c, h, w)."""
        try:
            with torch.no_grad():
                whole = self._model(images)
                shapes = self._measured(images)
                activations = self.front(images)
        except (ValueError, RuntimeError):
            return False
        for self._shapes in ({}, shapes):
            try:
                with torch.no_grad():
                    parts = self.tail(activations, images.shape[1:])
            except (ValueError, RuntimeError, TypeError, IndexError, AttributeError):
                continue  # the network does more between its blocks than hand data on
            # Both: the logits of a head that was never trained may be all zero.
            if _agree(whole.logits, parts.logits) and _agree(whole.features, parts.features):
                return True
        return False

    def _measured(self, images: Tensor) -> dict[nn.Module, torch.Size]:
        shapes: dict[nn.Module, torch.Size] = {}

        def note(block: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if isinstance(output, Tensor) and inputs and output.shape != getattr(inputs[0], "shape", None):
                shapes[block] = output.shape[1:]

        with ExitStack() as hooks:
            for block in self._skipped:
                hooks.enter_context(block.register_forward_hook(note))
            self.front(images)
        return shapes


def split_for(model: TappedModel, tunes: str) -> SplitModel | None:
    """Return the network cut before its tuned part ("head" or "last-N" blocks); None where nothing is before it."""
    if tunes == "all":
        return None
    at = len(model.blocks) - len(model.tuned_modules(tunes))
    return SplitModel(model, at) if at > 0 else None


class _ArrivedError(Exception):
    """Carries the block's inputs out of the forward pass, so that the rest is not computed."""

    def __init__(self, inputs: tuple[Any, ...]) -> None:
        super().__init__()
        self.inputs = inputs


def _agree(whole: Tensor, parts: Tensor) -> bool:
    scale = whole.abs().max().clamp_min(1e-6)
    return whole.shape == parts.shape and bool((whole - parts).abs().max() <= _TOLERANCE * scale)


@contextmanager
def _skipped(block: nn.Module, shape: torch.Size | None) -> Iterator[None]:
    """Make a block return its first input, or zeros of `shape` for each image, for a while."""

    def forward(*inputs: Any, **_: Any) -> Any:
        return inputs[0] if shape is None else inputs[0].new_zeros((len(inputs[0]), *shape))

    block.forward = forward
    try:
        yield
    finally:
        del block.forward  # the class's own again
