"""What an opened data set is: images, labels, class names, preprocessing, fingerprint; and what a reader hands over."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from core.data.preprocessing import Preprocessing
from core.data.steps import Size
from core.errors import first_few
from core.text import visible

if TYPE_CHECKING:
    from core.data.originals import Stored
    from core.data.streamed import StreamedImages

OWN, SET_ASIDE = "own", "set aside"


@dataclass(frozen=True)
class Unreadable:
    """A file that was left out of the data set, or whose image is black, and why."""

    path: str
    reason: str
    files: int = 1  # it stands for; a folder, or a link to one, counts as none

    @property
    def text(self) -> str:
        """Path and reason on one line; characters of the path that are not drawn are written out."""
        return f"{visible(self.path)}: {self.reason}"


@dataclass(frozen=True, eq=False)
class ImageSet:
    """The images of one part (training or test) with their labels, from the reader to the batches.

    Images that do not fit into memory are a stream, which is indexed like the tensor. Raises ValueError where shapes
    or types do not fit together.
    """

    images: torch.Tensor | StreamedImages  # (n, H, W, C) uint8, on the CPU
    labels: torch.Tensor  # (n,) int64
    paths: tuple[str, ...] | None = None  # relative to the root of the data set
    digests: np.ndarray | None = None  # (n, 32) uint8: SHA-256 of each source file, where every image has its own
    faults: Mapping[str, str] = field(default_factory=dict)  # why files did not decode, by path; grows with a stream
    origin: Stored | None = None  # what they were prepared from; None: arrays that are as they were stored
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)  # (n,) texts: what a table says beside the label

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ValueError(f"images must be (n, H, W, C) uint8, got {tuple(self.images.shape)} {self.images.dtype}")
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(f"labels must be ({len(self.images)},) int64, got {tuple(self.labels.shape)}")
        if self.paths is not None and len(self.paths) != len(self.images):
            raise ValueError(f"{len(self.images)} images have {len(self.paths)} paths")

    @classmethod
    def of(cls, images: np.ndarray | StreamedImages, labels: ArrayLike, *rest: Any, **more: Any) -> ImageSet:
        """Make a set of what a reader has: arrays (n, H, W, C) uint8 and (n,) of whole numbers, copied if need be.

        rest, more: the other fields.
        """
        pixels = torch.from_numpy(np.require(images, None, ["C", "W"])) if isinstance(images, np.ndarray) else images
        return cls(pixels, torch.from_numpy(np.require(labels, np.int64, ["C", "W"])), *rest, **more)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, ids: np.ndarray | slice) -> ImageSet:
        """Return the samples `ids` (m,), in that order: of a slice a view, of a stream still unread."""
        paths = None if self.paths is None else tuple(self.paths[i] for i in np.arange(len(self))[ids].tolist())
        digests = None if self.digests is None else self.digests[ids]
        images = self.images[ids] if isinstance(self.images, torch.Tensor) else self.images.view(ids)
        origin = None if self.origin is None else self.origin.take(ids)
        columns = {name: values[ids] for name, values in self.columns.items()}
        return ImageSet(images, self.labels[ids], paths, digests, self.faults, origin, columns)

    @property
    def stored(self) -> Stored:
        """The images as they are stored, whatever they were prepared to."""
        from core.data.originals import ArrayOriginals, Stored

        if self.origin is not None:
            return self.origin
        assert isinstance(self.images, torch.Tensor)  # what is streamed has an origin
        return Stored(ArrayOriginals(self.images), np.arange(len(self)))

    @property
    def undecoded(self) -> tuple[Unreadable, ...]:
        """Files whose images are black because they did not decode; of a stream, those met so far."""
        if not self.faults or self.paths is None:
            return ()
        return tuple(Unreadable(path, self.faults[path]) for path in self.paths if path in self.faults)


@dataclass(frozen=True)
class Found:
    """What a reader found beside images and labels.

    numbered: labels only number the classes, so that a number without images may be an output without any; every: the
    names of all classes in their order where some have no image; passed: number of files that are no images of this
    data, by why they are passed over; notices: what people should know of how the data was read, in sentences.
    """

    numbered: bool = False
    every: tuple[str, ...] = ()
    passed: Mapping[str, int] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a reader hands over, before class order, test part and preprocessing are settled; test: None without one."""

    title: str
    classes: tuple[str, ...]
    train: ImageSet
    test: ImageSet | None = None
    unreadable: tuple[Unreadable, ...] = ()
    root: Path | None = None  # of image files
    found: Found = field(default_factory=Found)


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset(Loaded):
    """A data set as opened: a training part, a test part, and what is needed to use and to recognise them.

    `fingerprint` is the SHA-256 of images, labels and class names, wherever the files lie. `test_origin` is "own",
    or "set aside" where test images were taken out of the training images: a model opened from a file may have been
    trained on them.
    """

    test: ImageSet
    spec: str
    preprocessing: Preprocessing
    fingerprint: str
    test_origin: str = OWN
    as_read: Dataset | None = field(default=None, repr=False)  # with its own classes, where a model's list took over

    @property
    def listed(self) -> tuple[Unreadable, ...]:
        """All files to report: those left out, then those that count as black, which their reasons say."""
        return self.unreadable + tuple(
            Unreadable(file.path, f"{file.reason}; it counts as black") for file in self.undecoded
        )

    @property
    def files(self) -> dict[str, int]:
        """Number of files there are, by what became of them: "used", else why not; empty where images are no files."""
        if self.train.paths is None:
            return {}
        counts = {"used": len(self.train) + len(self.test), **self._reasons, **self.found.passed}
        return {what: number for what, number in counts.items() if number}

    @property
    def imageless(self) -> tuple[str, ...]:
        """Classes without a training image: outputs that the network has all the same."""
        counts = torch.bincount(self.train.labels, minlength=self.num_classes).tolist()
        return tuple(name for name, number in zip(self.classes, counts, strict=True) if not number)

    @property
    def notices(self) -> tuple[str, ...]:
        """What people should know of how the data was read, in sentences."""
        names = self.imageless
        if not names:
            return self.found.notices
        listed = first_few(map(repr, names), 12)
        what = "class has" if len(names) == 1 else "classes have"
        return *self.found.notices, f"{len(names)} {what} no training image, only an output: {listed}."

    @property
    def left_out(self) -> str:
        """How many images are left out and why, in a sentence; "" where none is."""
        reasons = self._reasons
        count = reasons.total()
        if not count:
            return ""
        why = "; ".join(f"{number:,} × {reason}" for reason, number in reasons.most_common(3) if number)
        of = f" of {len(self.train) + len(self.test) + count:,}"
        return f"{count:,}{of} images are left out: {why}{'; …' if len(reasons) > 3 else ''}. `inspect` lists them."

    @property
    def said(self) -> tuple[str, ...]:
        """All that people are told before a run, and find in job and report: the notices, and what is left out."""
        return *self.notices, *filter(None, [self.left_out])

    @property
    def _reasons(self) -> Counter[str]:
        """How many files are left out, by why."""
        reasons = Counter[str]()
        for file in self.unreadable:
            reasons[file.reason] += file.files
        return reasons

    @property
    def undecoded(self) -> tuple[Unreadable, ...]:
        """Files of both parts whose images are black because they did not decode; of a stream, those met so far."""
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
    def stored_sizes(self) -> Counter[Size]:
        """How many images are stored at which (H, W), whatever they are prepared to."""
        both = (self.train.stored.originals, self.test.stored.originals)
        return sum((originals.sizes() for originals in dict.fromkeys(both)), Counter())

    @property
    def stored_channels(self) -> int:
        """Number of channels that images are stored with; of files 1 where all are grey, else 3."""
        return self.train.stored.originals.channels

    @property
    def preparation(self) -> str:
        """How these images are prepared, on one line for people, and who says so."""
        changed = self.train.stored.originals.changed
        return self.preprocessing.words_for(self.stored_sizes, self.stored_channels, changed)

    def prepared(self, ids: np.ndarray, preprocessing: Preprocessing) -> torch.Tensor:
        """Return training images `ids` (n,) under another preparation: (n, C, H, W) float32, network input.

        They are read again from their files, or taken from the arrays as they were stored. Raises InputError where
        the preparation leaves images of different sizes or a file is gone, MismatchError where channels do not fit.
        """
        pixels = self.train.stored.pixels(ids, preprocessing)
        return preprocessing.of_size((pixels.shape[1], pixels.shape[2])).apply(pixels)

    def preview(self, index: int, preprocessing: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
        """Return training image `index` as it is stored and as a network sees it: (H, W, C) uint8 each.

        The second has the size and colours of the input, with mean and std taken back. Raises InputError and
        MismatchError like `prepared`.
        """
        stored = self.train.stored
        seen = self.prepared(np.array([index]), preprocessing)[0]
        mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (preprocessing.mean, preprocessing.std))
        levels = ((seen * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
        return stored.originals.image(int(stored.rows[index])), levels.permute(1, 2, 0).numpy()

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images as they were decoded, before values are scaled."""
        return self.train.images.shape[1], self.train.images.shape[2]


def hash_each(pieces: Iterable[bytes]) -> np.ndarray:
    """Return a hash of each piece, the same on every machine: (n,) uint64."""
    digests = b"".join(hashlib.blake2b(piece, digest_size=8).digest() for piece in pieces)
    return np.frombuffer(digests, dtype="<u8")
