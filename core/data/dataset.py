"""What an opened data set is: decoded images with labels, class names, preprocessing and a fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from core.data.preprocessing import Preprocessing
from core.data.unreadable import Unreadable

if TYPE_CHECKING:
    from core.data.streamed import StreamedTensor

OWN, SET_ASIDE = "own", "set aside"


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images on the CPU, or a stream of them where they do not fit, with labels; `paths` start at the data's root.

    `black`: files that looked whole and did not decode, where the images are held: theirs are black.
    """

    images: torch.Tensor | StreamedTensor  # (n, H, W, C) uint8
    labels: torch.Tensor  # (n,) int64
    paths: tuple[str, ...] | None = None
    black: tuple[Unreadable, ...] = ()

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ValueError(f"images must be (n, H, W, C) uint8, got {tuple(self.images.shape)} {self.images.dtype}")
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(f"labels must be ({len(self.images)},) int64, got {tuple(self.labels.shape)}")
        if self.paths is not None and len(self.paths) != len(self.images):
            raise ValueError(f"{len(self.images)} images have {len(self.paths)} paths")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def undecoded(self) -> tuple[Unreadable, ...]:
        """Files whose images are black because they did not decode; of a stream those that were met so far."""
        return self.black if isinstance(self.images, torch.Tensor) else self.images.undecoded


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set as opened: a training part, a test part, and what is needed to use and to recognise them.

    `fingerprint` is the SHA-256 of images, labels and class names, wherever the files lie. `test_origin` is "own",
    or "set aside" where test images were taken out of the training images: a model opened from a file has then
    seen them before.
    """

    spec: str
    title: str
    classes: tuple[str, ...]
    train: ImageSet
    test: ImageSet
    preprocessing: Preprocessing
    fingerprint: str
    test_origin: str = OWN
    unreadable: tuple[Unreadable, ...] = ()
    root: Path | None = None

    @property
    def listed(self) -> tuple[Unreadable, ...]:
        """Every file to tell of: those left out, then those that count as black, as their reasons say."""
        return self.unreadable + tuple(
            Unreadable(file.path, f"{file.reason}; it counts as black") for file in self.undecoded
        )

    @property
    def undecoded(self) -> tuple[Unreadable, ...]:
        """Files that looked whole and did not decode: their images are black. Of a stream those met so far."""
        return self.train.undecoded + self.test.undecoded

    @property
    def num_classes(self) -> int:
        """Number of classes, those without an image included."""
        return len(self.classes)

    @property
    def channels(self) -> int:
        """Number of image channels: 1 for grey, 3 for colour."""
        return self.train.images.shape[3]

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the stored images, before preprocessing."""
        return self.train.images.shape[1], self.train.images.shape[2]
