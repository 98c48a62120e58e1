"""Forward passes that only read: logits and features of a set in eval mode, leaving the network bit-identical."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from core.data.batches import ImageStore
from core.devices import autocast
from core.models.tap import TappedModel

MOST_IMAGES = 500
MOST_VALUES = 10_000_000
"""Of a chunk's input, 66 images of 224 x 224: 500 would need 13 GB in a VGG, and long without a word."""


@dataclass(frozen=True)
class SetOutputs:
    """What a network says of one set, on the CPU. logits: (n, K), features: (n, C) float32; labels: (n,) int64."""

    logits: torch.Tensor
    features: torch.Tensor
    labels: torch.Tensor
    layers: tuple[torch.Tensor, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)


def chunk_size(store: ImageStore) -> int:
    """Return how many of a store's images are passed through a network at once where no gradient is needed."""
    height, width = store.preprocessing.size
    values = store.preprocessing.channels * height * width
    return max(1, min(MOST_IMAGES, MOST_VALUES // values))


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a network into eval mode and every part of it back into the mode it was in; no gradients."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def gradients_to(module: nn.Module, wanted: Iterable[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Let gradients flow to these parameters of a network and no others for a while; yields them in its order.

    A stage may have frozen some, and with none gradients reach what is put in. Every flag is put back.
    """
    chosen = {id(parameter) for parameter in wanted}
    flags = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    try:
        for parameter, _ in flags:
            parameter.requires_grad_(id(parameter) in chosen)
        with torch.enable_grad():
            yield [parameter for parameter, _ in flags if parameter.requires_grad]
    finally:
        for parameter, flag in flags:
            parameter.requires_grad_(flag)


def collect(
    model: TappedModel,
    store: ImageStore,
    ids: torch.Tensor,
    precision: str = "float32",
    tick: Callable[[int], None] | None = None,
) -> SetOutputs:
    """Pass the samples `ids` (n,) int64 of a store through a network once, in chunks; `tick(done)` after each.

    `tick` may raise to interrupt. Chunks have a size fixed by the images', so results do not depend on who asks.
    """
    logits, features, layers = [], [], []
    with evaluating(model.module):
        for batch in store.chunks(ids, chunk_size(store)):
            with autocast(store.device, precision):
                out = model(batch.images)
            logits.append(out.logits.float().cpu())
            features.append(out.features.float().cpu())
            layers.append([layer.float().cpu() for layer in out.layers])
            if tick:
                tick(len(batch))
    if not logits:
        return SetOutputs(torch.empty(0, 0), torch.empty(0, 0), torch.empty(0, dtype=torch.int64))
    return SetOutputs(
        torch.cat(logits),
        torch.cat(features),
        store.labels[ids.to(store.device)].cpu(),
        tuple(torch.cat(group) for group in zip(*layers, strict=True)),
    )
