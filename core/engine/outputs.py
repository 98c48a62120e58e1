"""Logits and features of sets of images: taken in eval mode, leaving the network bit-identical, named in a cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from core.data.batches import ImageStore
from core.data.preprocessing import numbers_of
from core.data.splits import SETS, Splits
from core.devices import autocast
from core.models.tap import TappedModel, evaluating

MOST_IMAGES = 500
MOST_VALUES = 10_000_000
"""Of a chunk's input, 66 images of 224 x 224: 500 would need 13 GB in a VGG, and long between two looks at a stop."""


@dataclass(frozen=True)
class SetOutputs:
    """What a network gives for one set, on the CPU. logits: (n, K), features: (n, C) float32; labels: (n,) int64.

    layers: pooled outputs (n, C_l) float32 of further tapped blocks, the one nearest to the head last.
    """

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


@dataclass(frozen=True)
class FullOutputs:
    """Logits and features of every training and every test image of a data set."""

    train: SetOutputs
    test: SetOutputs

    def split(self, splits: Splits) -> dict[str, SetOutputs]:
        """Return the outputs of the four sets."""
        return {
            name: subset(self.train if name.endswith("train") else self.test, getattr(splits, name)) for name in SETS
        }


def subset(outputs: SetOutputs, ids: torch.Tensor) -> SetOutputs:
    """Return the rows `ids` (n,) int64 of a set's outputs."""
    return SetOutputs(outputs.logits[ids], outputs.features[ids], outputs.labels[ids])


def collect_full(
    model: TappedModel,
    train: ImageStore,
    test: ImageStore,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> FullOutputs:
    """Pass all images through a network in float32; `progress(done, total)` is called after every chunk, may raise."""
    total, done = len(train) + len(test), 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, total)

    return FullOutputs(
        collect(model, train, torch.arange(len(train)), tick=tick),
        collect(model, test, torch.arange(len(test)), tick=tick),
    )


def cache_name(model_sha256: str, network: str, fingerprint: str, preprocessing: Mapping[str, Any]) -> str:
    """Name the file that holds a model's outputs on a data set; `network` is its `network_key`."""
    parts = (model_sha256, network, numbers_of(preprocessing))
    return f"{names_begin(fingerprint)}{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}.safetensors"


def names_begin(fingerprint: str) -> str:
    """Return what the names of all files of outputs on a data set begin with."""
    return f"{hashlib.sha256(fingerprint.encode()).hexdigest()[:16]}-"
