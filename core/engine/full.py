"""Outputs of one model on all training and all test images, taken once and kept by what determines them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.data.batches import ImageStore
from core.data.preprocessing import numbers_of
from core.data.splits import SETS, Splits
from core.engine.outputs import SetOutputs, collect
from core.models.tap import TappedModel

LARGEST_CACHE = 512 * 2**20  # bytes of one cached file; larger outputs are taken anew


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
    precision: str = "float32",
    progress: Callable[[int, int], None] | None = None,
    cache: Path | None = None,
) -> FullOutputs:
    """Pass all images through a network, or read the result of an earlier pass from `cache`.

    `progress(done, total)` is called after every chunk and may raise to interrupt.
    """
    if cache is not None and (kept := _read(cache, train, test)) is not None:
        return kept
    total, done = len(train) + len(test), 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, total)

    outputs = FullOutputs(
        collect(model, train, torch.arange(len(train)), precision, tick),
        collect(model, test, torch.arange(len(test)), precision, tick),
    )
    if cache is not None:
        _write(cache, outputs)
    return outputs


def cache_name(
    model_sha256: str, network: str, fingerprint: str, preprocessing: Mapping[str, Any], precision: str
) -> str:
    """Name the file that holds a model's outputs on a data set; `network` is its `network_key`."""
    parts = (model_sha256, network, numbers_of(preprocessing), precision)
    return f"{names_begin(fingerprint)}{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}.safetensors"


def names_begin(fingerprint: str) -> str:
    """Return what the names of all files of outputs on a data set begin with."""
    return f"{hashlib.sha256(fingerprint.encode()).hexdigest()[:16]}-"


def _read(path: Path, train: ImageStore, test: ImageStore) -> FullOutputs | None:
    if not path.is_file():
        return None
    from safetensors.torch import load_file

    try:
        kept = load_file(path)
        outputs = FullOutputs(
            SetOutputs(kept["train_logits"], kept["train_features"], train.labels.cpu()),
            SetOutputs(kept["test_logits"], kept["test_features"], test.labels.cpu()),
        )
    except Exception:  # a damaged cache file is taken anew
        path.unlink(missing_ok=True)
        return None
    fits = len(outputs.train.logits) == len(train) and len(outputs.test.logits) == len(test)
    return outputs if fits else None


def _write(path: Path, outputs: FullOutputs) -> None:
    tensors = {
        "train_logits": outputs.train.logits,
        "train_features": outputs.train.features,
        "test_logits": outputs.test.logits,
        "test_features": outputs.test.features,
    }
    if sum(t.nbytes for t in tensors.values()) > LARGEST_CACHE:
        return
    from safetensors.torch import save

    from core.files import write_atomic

    try:
        write_atomic(path, save({name: t.contiguous() for name, t in tensors.items()}))
    except OSError:
        return  # a cache that cannot be written costs time, not results
