"""What a reader of one format hands over before class order, test part and preprocessing are settled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.data.streamed import StreamedImages
from core.data.unreadable import Unreadable
from core.errors import NoTestPartError, StoppedError

ProgressCallback = Callable[[str, int, int], None]  # what, done, total (0 where the total is not known)


@dataclass(frozen=True, eq=False)
class Part:
    """One part (training or test) as read."""

    images: np.ndarray | StreamedImages  # (n, H, W, C) uint8
    labels: np.ndarray  # (n,) int64
    paths: tuple[str, ...] | None = None
    digests: np.ndarray | None = None  # (n, 32) uint8: SHA-256 of each source file, where there is one a sample
    black: tuple[Unreadable, ...] = ()  # files of this part that did not decode, where images are held

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, ids: np.ndarray) -> Part:
        """Return the samples `ids`, in that order."""
        paths = None if self.paths is None else tuple(self.paths[i] for i in ids.tolist())
        digests = None if self.digests is None else self.digests[ids]
        images = self.images.view(ids) if isinstance(self.images, StreamedImages) else self.images[ids]
        taken = set(paths or ()) if self.black else set()
        black = tuple(file for file in self.black if file.path in taken)
        return Part(images, self.labels[ids], paths, digests, black)


@dataclass(frozen=True, eq=False)
class Loaded:
    """Both parts as read; `test` is None where the source has no test images."""

    title: str
    classes: tuple[str, ...]
    train: Part
    test: Part | None
    named: bool = True  # False: the class names are only the numbers 0, 1, ...
    photos: bool = False  # files a person collected, so ImageNet preprocessing is the likelier guess
    unreadable: tuple[Unreadable, ...] = ()
    root: Path | None = None


@dataclass(frozen=True)
class DecodeOptions:
    """What image files are decoded to; what is None follows from the files."""

    size: tuple[int, int] | None = None  # (H, W)
    channels: int | None = None  # 1 or 3
    interpolation: str = "bilinear"
    photo_size: tuple[int, int] | None = None  # of colour photographs, where nothing asks for a size
    memory_budget: float | None = None  # bytes that all decoded images may take; None: half of the free memory


def no_test_part(title: str, class_counts: Iterable[int]) -> NoTestPartError:
    """Build the error for data without test images."""
    return NoTestPartError(
        f"{title} has no test images",
        "Set some aside with --test-fraction, for example --test-fraction 0.1",
        class_counts,
    )


class Reporter:
    """Tells how far the reading has come and ends it where the user cancelled."""

    def __init__(
        self, progress: ProgressCallback | None = None, cancelled: Callable[[], bool] | None = None
    ) -> None:
        self._progress = progress
        self._cancelled = cancelled

    def __call__(self, what: str, done: int, total: int) -> None:
        """Report; raises StoppedError where the user cancelled."""
        if self._cancelled is not None and self._cancelled():
            raise StoppedError("Opening the data was cancelled")
        if self._progress is not None:
            self._progress(what, done, total)
