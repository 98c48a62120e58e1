"""Outputs of one model on all training and all test images, and the name they are kept under."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from core.data.batches import ImageStore
from core.data.preprocessing import numbers_of
from core.data.splits import SETS, Splits
from core.engine.outputs import SetOutputs, collect
from core.models.tap import TappedModel


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
    """Pass all images through a network in float32; `progress(done, total)` is told after every chunk, may raise."""
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
