"""Forward passes that only read: logits and features of a set in eval mode, leaving the network bit-identical."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from core.data.batches import ImageStore
from core.devices import autocast
from core.models.tap import TappedModel, evaluating

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
