"""Outputs of a network: logits and features of sets of images, in memory or in a file that is mapped into memory.

They are taken in eval mode, which leaves the network bit-identical. The file is a safetensors file of train_logits,
train_features, test_logits and test_features, float32, whose metadata has the SHA-256 of each: a process checks them
before it first uses a file, which takes as long as reading it from a fast disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from core import distributed
from core.data.batches import Batch, ImageStore
from core.data.dataset import Dataset
from core.data.preprocessing import numbers_of
from core.data.splits import SETS, Splits
from core.devices import autocast
from core.files import cache_home, replacing, write_atomic
from core.models.tap import SetOutputs, TappedModel, evaluating

MOST_IMAGES = 500
MOST_VALUES = 10_000_000
"""Of a chunk's input, 66 images of 224 x 224: 500 would need 13 GB in a VGG, and long between two looks at a stop."""

LARGEST_CACHE = 512 * 2**20
"""Bytes of a file that is kept; larger outputs are taken again each time."""

PIECE = 8
"""Chunks whose outputs are written together: whole chunks, so that results do not depend on the number."""

WHAT = ("logits", "features")  # tables of each part in a file

Count = Callable[[int, int], object]


def chunk_size(store: ImageStore) -> int:
    """Return how many of a store's images are passed through a network at once where no gradient is needed."""
    height, width = store.preprocessing.size
    values = store.preprocessing.channels * height * width
    return max(1, min(MOST_IMAGES, MOST_VALUES // values))


@dataclass(frozen=True)
class Deal:
    """Which chunks of `total` samples, `size` each, this process passes through a network: on several each its turn.

    Chunks stay those of one process, so outputs are bit for bit the same whoever takes them. Where there are fewer than
    ranks, every rank takes them all.
    """

    total: int
    size: int

    @property
    def chunks(self) -> int:
        """Number of chunks; one, of no samples, where there are none."""
        return max(1, -(-self.total // self.size))

    @property
    def divided(self) -> bool:
        """Whether each rank takes some of the chunks; always false in one process."""
        return 1 < distributed.world_size() <= self.chunks

    def rounds(self, store: ImageStore, ids: torch.Tensor) -> Iterator[tuple[int, Batch | None, int]]:
        """Yield turn after turn the number of the own chunk, the chunk, and how many samples all ranks take in it.

        In the last turns there may be none for this rank; it takes part in them nevertheless.
        """
        ranks = distributed.world_size() if self.divided else 1
        parts = ids.split(self.size)
        own = range(distributed.rank() if self.divided else 0, self.chunks, ranks)
        batches = store.chunks(torch.cat([parts[number] for number in own]), self.size)
        for first in range(0, self.chunks, ranks):
            number = first + own.start
            count = sum(len(part) for part in parts[first : first + ranks])
            yield number, next(batches) if number < self.chunks else None, count

    def together(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return what all ranks have of a set, (total, …), from the own chunks' rows."""
        if not self.divided:
            return torch.cat(list(parts))
        whole = parts[0].new_empty((self.total, *parts[0].shape[1:]))
        for part, number in zip(parts, range(distributed.rank(), self.chunks, distributed.world_size()), strict=True):
            whole[number * self.size : number * self.size + len(part)] = part
        self.exchange(whole)
        return whole

    def exchange(self, whole: torch.Tensor) -> None:
        """Fill in, in place, the chunks of a set that other ranks have taken. whole: (total, …), contiguous."""
        for number, rows in enumerate(whole.split(self.size)) if self.divided else ():
            distributed.broadcast(rows, number % distributed.world_size())


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
    deal = Deal(len(ids), chunk_size(store))
    with evaluating(model.module):
        for _, batch, count in deal.rounds(store, ids):
            if batch is not None:
                images, n = batch.images, len(batch.images)
                with autocast(store.device, precision):
                    # Networks that share a width among heads cannot take a batch of none.
                    out = model(images if n else images.new_zeros(1, *images.shape[1:]))
                logits.append(out.logits[:n].float().cpu())
                features.append(out.features[:n].float().cpu())
                layers.append([layer[:n].float().cpu() for layer in out.layers])
            if tick:
                tick(count)
    return SetOutputs(
        deal.together(logits),
        deal.together(features),
        store.labels[ids.to(store.device)].cpu(),
        tuple(deal.together(group) for group in zip(*layers, strict=True)),
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
    progress: Count | None = None,
) -> FullOutputs:
    """Pass all images through a network in float32; `progress(done, total)` is called after every chunk, may raise."""
    tick = _counting(progress, len(train) + len(test)) if progress else None
    return FullOutputs(
        collect(model, train, torch.arange(len(train)), tick=tick),
        collect(model, test, torch.arange(len(test)), tick=tick),
    )


def _counting(progress: Count, total: int) -> Callable[[int], None]:
    """Return what is called after each chunk with its size, and tells how much of `total` is done."""
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        progress(done, total)

    return tick


def cache_name(model_sha256: str, network: str, fingerprint: str, preprocessing: Mapping[str, Any]) -> str:
    """Name the file that holds a model's outputs on a data set; `network` is its `network_key`."""
    parts = (model_sha256, network, numbers_of(preprocessing))
    return f"{names_begin(fingerprint)}{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}.safetensors"


def names_begin(fingerprint: str) -> str:
    """Return what the names of all files of outputs on a data set begin with."""
    return f"{hashlib.sha256(fingerprint.encode()).hexdigest()[:16]}-"


# -- kept in a file -----------------------------------------------------------------------------------------------


def outputs_file(sha256: str, network: str, dataset: Dataset) -> Path:
    """Return where the outputs of a model (hash of its file, `network_key`) on a data set are kept."""
    return outputs_path(sha256, network, dataset.fingerprint, dataset.preprocessing.to_dict())


def outputs_path(sha256: str, network: str, fingerprint: str, preprocessing: Mapping[str, Any]) -> Path:
    """Return the same from what a job says of its data, which need not be open."""
    return cache_home() / "outputs" / cache_name(sha256, network, fingerprint, preprocessing)


def kept_features(path: Path, part: str, ids: torch.Tensor) -> torch.Tensor | None:
    """Return the features (m, C) of the samples `ids` of a part, "train" or "test", from a file of outputs.

    None where there is no such file, it is damaged, or it holds fewer samples.
    """
    tables = _tables(path)
    try:
        return None if tables is None else tables[f"{part}_features"][ids]
    except (KeyError, IndexError):
        return None


def kept_outputs(
    path: Path, network: Callable[[], TappedModel], images: tuple[ImageStore, ImageStore], progress: Count
) -> FullOutputs:
    """Return a network's outputs on training and test images: those in the file `path`, else taken now and kept there.

    `network` builds it, where it is needed. Outputs are taken in float32, so that they do not depend on who asks first.
    `progress(done, total)` may raise to interrupt; an unfinished file is removed. Several processes take them together
    and in memory, unless the first one has the file.
    """
    train, test = images
    outputs = mapped_outputs(path, train, test)
    if distributed.world_size() > 1:
        if distributed.first_says(lambda: outputs is not None):
            with distributed.alone():  # another machine may have another cache
                return outputs or collect_full(network(), train, test, progress=progress)
        outputs = collect_full(network(), train, test, progress=progress)
        if distributed.is_first():
            keep_outputs(path, outputs)
    if outputs is not None:
        return outputs
    tap = network()
    try:
        return stream_outputs(tap, train, test, path, progress)
    except OSError:  # a cache that cannot be written costs memory, not results
        return collect_full(tap, train, test, progress=progress)


def keep_outputs(path: Path, outputs: FullOutputs) -> None:
    """Keep outputs that were taken anyway in the file `path`, where `kept_outputs` finds them; not above the limit."""
    parts = (("train", outputs.train), ("test", outputs.test))
    tables = {
        f"{part}_{what}": rows.float().cpu().contiguous()
        for part, taken in parts
        for what, rows in zip(WHAT, (taken.logits, taken.features), strict=True)
    }
    if sum(rows.nbytes for rows in tables.values()) <= LARGEST_CACHE:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs a pass, not results
            write_atomic(path, save(tables, {name: _sha256(name, rows) for name, rows in tables.items()}), private=True)


def mapped_outputs(path: Path, train: ImageStore, test: ImageStore) -> FullOutputs | None:
    """Return the outputs that a file holds, mapped into memory; None where there is none for these images."""
    tables = _tables(path)
    if tables is None or tables.keys() != {f"{part}_{what}" for part in ("train", "test") for what in WHAT}:
        return None
    outputs = FullOutputs(
        SetOutputs(tables["train_logits"], tables["train_features"], train.labels.cpu()),
        SetOutputs(tables["test_logits"], tables["test_features"], test.labels.cpu()),
    )
    complete = len(outputs.train.logits) == len(train) and len(outputs.test.logits) == len(test)
    return outputs if complete else None


def _tables(path: Path) -> dict[str, torch.Tensor] | None:
    """Return the tables in a file of outputs, mapped into memory; None without one, or where it is damaged.

    A damaged file is removed. What this process has checked once is not checked again while the file is the same.
    """
    if not path.is_file():
        return None
    try:
        stamp = _stamp(path)
        with safe_open(path, framework="pt") as file:
            hashes = file.metadata() or {}
            tables = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        if _checked.get(path) != stamp:
            for name, rows in tables.items():
                if hashes.get(name) != _sha256(name, rows):
                    raise ValueError(f"{name} is damaged")
            _checked[path] = stamp
    except (OSError, SafetensorError, ValueError):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        return None
    return tables


_checked: dict[Path, tuple[int, ...]] = {}  # files of outputs whose hashes this process has found right, as they were


def _stamp(path: Path) -> tuple[int, ...]:
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _sha256(name: str, rows: torch.Tensor) -> str:
    """Return the hash of a table (n, m) float32 and of what it is."""
    digest = _hash_of(name, rows.shape)
    digest.update(rows.numpy().data)
    return digest.hexdigest()


def _hash_of(name: str, shape: Sequence[int]) -> Any:
    """Return the hash that the rows of a table go into one after the other."""
    return hashlib.sha256(f"{name} {tuple(shape)}\n".encode())


def stream_outputs(
    model: TappedModel, train: ImageStore, test: ImageStore, path: Path, progress: Count
) -> FullOutputs:
    """Pass all images through a network once, write its outputs to `path`, and return them mapped into memory.

    A file above LARGEST_CACHE bytes is gone with the process. `progress(done, total)` is called after every chunk and
    may raise to interrupt; an unfinished file is removed. Raises OSError where it cannot be written.
    """
    parts = (("train", train), ("test", test))
    widths = dict(zip(WHAT, (model.num_classes, model.feature_dim), strict=True))
    shapes = {f"{part}_{what}": (len(store), width) for part, store in parts for what, width in widths.items()}
    hashes = {name: _hash_of(name, shape) for name, shape in shapes.items()}
    _, offsets, size = _header(shapes, hashes)
    tick = _counting(progress, len(train) + len(test))
    with replacing(path, private=True) as temporary, temporary.open("r+b") as file:
        file.truncate(size)
        for part, store in parts:
            for ids in torch.arange(len(store)).split(PIECE * chunk_size(store)):
                outputs = collect(model, store, ids, tick=tick)
                for what, rows in zip(WHAT, (outputs.logits, outputs.features), strict=True):
                    name, data = f"{part}_{what}", rows.numpy().tobytes()
                    hashes[name].update(data)
                    file.seek(offsets[name] + 4 * rows.shape[1] * int(ids[0]))
                    file.write(data)
        file.seek(0)
        file.write(_header(shapes, hashes)[0])  # as long as before: it has the hashes now
    mapped = mapped_outputs(path, train, test)
    if mapped is None:
        raise FileNotFoundError(path)
    if size > LARGEST_CACHE:
        with contextlib.suppress(OSError):  # the mapping keeps it where the system allows that
            path.unlink()
    return mapped


def _header(shapes: dict[str, tuple[int, int]], hashes: dict[str, Any]) -> tuple[bytes, dict[str, int], int]:
    """Return the file's first bytes, where each table of float32 begins, and the file's size."""
    entries: dict[str, Any] = {"__metadata__": {name: digest.hexdigest() for name, digest in hashes.items()}}
    position = 0
    for name, shape in shapes.items():
        end = position + 4 * shape[0] * shape[1]
        entries[name] = {"dtype": "F32", "shape": shape, "data_offsets": (position, end)}
        position = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # safetensors aligns what follows
    first = 8 + len(text)
    offsets = {name: first + entries[name]["data_offsets"][0] for name in shapes}
    return len(text).to_bytes(8, "little") + text, offsets, first + position
