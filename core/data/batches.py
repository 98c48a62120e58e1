"""Batches as functions of (seed, stream, epoch, position): order, augmentation and decoding on the device.

Order and augmentation are drawn over the whole training set and looked up by sample id, then filtered ("order with
holes"), so that original, retrained and fine-tuned models see the retain samples in the same relative order with the
same augmentation. Nothing here has a state that a checkpoint would have to hold.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import torch

from core.data.dataset import ImageSet, Unreadable
from core.data.preprocessing import Preprocessing
from core.data.streamed import StreamedImages

AHEAD = 3  # batches that are read ahead of the one in use where images are streamed
DEVICE_SHARE = 1 / 3  # decoded images may take this share of a device's memory, else they stay on the host


@dataclass(frozen=True)
class Batch:
    """One batch on the device. images: (n, C, H, W) float32; labels, ids: (n,) int64; forget, alone: (n,) bool.

    weights: (n,) float32, how much a forget sample counts as its forget list says; 1 for all others.
    alone: forget samples whose class stays; the other forget samples go with their whole class.
    """

    images: torch.Tensor
    labels: torch.Tensor
    ids: torch.Tensor
    forget: torch.Tensor
    weights: torch.Tensor
    alone: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Augmentation:
    """Random crop after zero padding by `pad` pixels, and a random horizontal flip."""

    pad: int = 0
    flip: bool = False

    def __bool__(self) -> bool:
        return self.pad > 0 or self.flip


NO_AUGMENTATION = Augmentation()


def derive_seed(*parts: int | str) -> int:
    """Return a 63-bit seed that depends on every part; near parts give unrelated seeds."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def seed_draws(device: torch.device, seed: int) -> None:
    """Seed what dropout and its kind draw from on this device and on the processor, cheaply enough for every step.

    Draws are those after `torch.manual_seed(seed)`. That one also writes down where it was called from for every kind
    of device that has not been used yet, which costs more than half a millisecond, and keeps these notes until the end.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.init()  # the list of generators is empty before
        index = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[index].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def drawn_since_seeded() -> bool:
    """Return whether anything was drawn from the processor's generator since it was seeded, as dropout does."""
    untouched = torch.Generator().manual_seed(torch.initial_seed()).get_state()
    return not torch.equal(torch.get_rng_state(), untouched)


@lru_cache(maxsize=8)
def permutation(seed: int, stream: str, epoch: int, size: int) -> torch.Tensor:
    """Return the order (size,) in which one epoch of a stream visits the whole training set."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "order", stream, epoch))
    return torch.randperm(size, generator=generator)


@lru_cache(maxsize=4)
def _draws(seed: int, stream: str, epoch: int, size: int, pad: int, device: torch.device) -> torch.Tensor:
    """Row shift, column shift (0..2 pad) and flip (0, 1) of every sample for one epoch: (3, size) int64 on a device."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "augmentation", stream, epoch))
    shifts = torch.randint(0, 2 * pad + 1, (2, size), generator=generator)
    flips = torch.randint(0, 2, (1, size), generator=generator)
    return torch.cat([shifts, flips]).to(device)


def augment(
    images: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, flips: torch.Tensor, pad: int
) -> torch.Tensor:
    """Crop and flip uint8 images (n, H, W, C) in one gather; shifts count from the padded corner."""
    count, height, width, _ = images.shape
    padded = torch.nn.functional.pad(images, (0, 0, pad, pad, pad, pad))
    y = rows[:, None] + torch.arange(height, device=images.device)
    x = torch.arange(width, device=images.device).expand(count, width)
    x = torch.where(flips[:, None].bool(), width - 1 - x, x) + columns[:, None]
    index = torch.arange(count, device=images.device)[:, None, None]
    return padded[index, y[:, :, None], x[:, None, :]]


def joined(*batches: Batch) -> Batch:
    """Return several batches as one, in this order."""
    return Batch(**{f.name: torch.cat([getattr(batch, f.name) for batch in batches]) for f in fields(Batch)})


def rows_of(batch: Batch, rows: torch.Tensor) -> Batch:
    """Return the rows (m,) int64 of a batch."""
    rows = rows.to(batch.labels.device)
    return Batch(**{f.name: getattr(batch, f.name)[rows] for f in fields(Batch)})


class ImageStore:
    """Decoded images and labels, on the device as uint8 where they fit, else on the host, or streamed from files."""

    def __init__(
        self,
        images: ImageSet,
        preprocessing: Preprocessing,
        device: torch.device,
        forget: torch.Tensor | None = None,
        weights: torch.Tensor | None = None,
    ) -> None:
        """`forget`: (n,) bool, the forget set; `weights`: (n,) float, its samples' weights; none: 1."""
        self.preprocessing = preprocessing
        self.device = device
        self._set = images
        self._images = images.images
        self.resident = isinstance(self._images, torch.Tensor) and _fits(self._images, device)
        if isinstance(self._images, torch.Tensor) and self.resident:
            self._images = self._images.to(device)
        self.labels = images.labels.to(device)
        self.forget = (torch.zeros(len(images), dtype=torch.bool) if forget is None else forget).to(device)
        self.weights = (torch.ones(len(images)) if weights is None else weights.float()).to(device)
        self.alone = torch.zeros_like(self.forget)

    def set_alone(self, alone: torch.Tensor) -> None:
        """Set which forget samples go alone, (n,) bool; until then none does."""
        self.alone = alone.to(self.device)

    def __len__(self) -> int:
        return len(self.labels)

    def raw(self, ids: torch.Tensor) -> torch.Tensor:
        """Return uint8 images (n, H, W, C) on the device."""
        if self.resident:
            return self._images[ids.to(self.device)]
        return self._images[ids.cpu()].to(self.device, non_blocking=True)

    def prefetch(self, ids: torch.Tensor) -> None:
        """Begin to read the samples `ids` (n,) int64, which will be needed soon, where images are streamed."""
        if isinstance(self._images, StreamedImages):
            self._images.prefetch(ids)

    @property
    def streamed(self) -> bool:
        """Whether images are decoded when they are read, so that `prefetch` saves time."""
        return isinstance(self._images, StreamedImages)

    @property
    def undecoded(self) -> tuple[Unreadable, ...]:
        """Files that did not decode, of a stream those met so far; their images are black."""
        return self._set.undecoded

    def chunks(self, ids: torch.Tensor, size: int) -> Iterator[Batch]:
        """Return the samples `ids` (n,) int64 in preprocessed batches of `size`; the next one is read meanwhile."""
        parts = ids.split(size)
        for number, part in enumerate(parts):
            batch = self.batch(part)
            if number + 1 < len(parts):
                self.prefetch(parts[number + 1])
            yield batch

    def batch(
        self,
        ids: torch.Tensor,
        augmentation: Augmentation = NO_AUGMENTATION,
        seed: int = 0,
        stream: str = "",
        epoch: int = 0,
    ) -> Batch:
        """Return the samples `ids` (n,) int64 as one preprocessed batch, augmented as their epoch says."""
        images = self.raw(ids)
        if augmentation:
            drawn = _draws(seed, stream, epoch, len(self), augmentation.pad, self.device)
            rows, columns, flips = drawn[:, ids.to(self.device)]
            images = augment(images, rows, columns, flips * augmentation.flip, augmentation.pad)
        return replace(self.unread(ids), images=self.preprocessing.apply(images))

    def unread(self, ids: torch.Tensor) -> Batch:
        """Return the samples `ids` (n,) int64 without images, (n, 0): labels, ids, forget and weights alone."""
        ids = ids.to(self.device)
        images = torch.empty(len(ids), 0, device=self.device)
        return Batch(images, self.labels[ids], ids, self.forget[ids], self.weights[ids], self.alone[ids])


def batches_per_epoch(size: int, batch: int) -> int:
    """Return how many batches hold `size` samples. The last may be smaller, but a single sample joins the one before:
    batch norm has no statistics of one.
    """  # noqa: D205
    whole, rest = divmod(size, max(1, batch))
    return max(1, whole + (rest > (1 if whole else 0)))


def batches_in(epochs: float, size: int, batch: int) -> int:
    """Return how many batches `epochs` passes over `size` samples take, a part of one counting whole."""
    return math.ceil(epochs * batches_per_epoch(size, batch) - 1e-9)  # 0.07 passes of 100 batches are 7, not 8


class Order:
    """The sequence in which a stage visits its set: batches `position` = 0, 1, ... over as many epochs as asked."""

    def __init__(
        self, members: torch.Tensor, total: int, batch: int, seed: int, stream: str, device: torch.device | None = None
    ) -> None:
        """`members`: (m,) int64 ids of the set read; `total`: size of the whole training set.

        An epoch's sequence is copied to `device` as a whole, so that no step has to wait for its ids.
        """
        self._device = device or torch.device("cpu")
        self._is_member = torch.zeros(total, dtype=torch.bool)
        self._is_member[members] = True
        self._total, self._seed, self._stream = total, seed, stream
        self.size = len(members)
        self.batch = min(batch, self.size)
        self.per_epoch = batches_per_epoch(self.size, self.batch)
        self._sequences: dict[int, torch.Tensor] = {}  # of the epoch in use, and of the next one when it is near

    def ids(self, position: int) -> tuple[torch.Tensor, int]:
        """Return the sample ids of batch `position` and the epoch it belongs to. The last one may be smaller."""
        epoch, index = divmod(position, self.per_epoch)
        if epoch not in self._sequences:
            whole = permutation(self._seed, self._stream, epoch, self._total)
            self._sequences = {e: s for e, s in self._sequences.items() if abs(e - epoch) == 1}
            self._sequences[epoch] = whole[self._is_member[whole]].to(self._device)
        end = None if index == self.per_epoch - 1 else (index + 1) * self.batch
        return self._sequences[epoch][index * self.batch : end], epoch


def _fits(images: torch.Tensor, device: torch.device) -> bool:
    """Whether decoded images may lie in the memory of a device."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return images.nbytes <= free * DEVICE_SHARE
