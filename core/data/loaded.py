"""What a reader of one format hands over before class order, test part and preprocessing are settled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from core.data.dataset import ImageSet, Unreadable
from core.errors import NoTestPartError, StoppedError

ProgressCallback = Callable[[str, int, int], object]  # what, done, total (0 where the total is not known)


@dataclass(frozen=True, eq=False)
class Loaded:
    """Both parts as read; `test` is None where the source has no test images."""

    title: str
    classes: tuple[str, ...]
    train: ImageSet
    test: ImageSet | None
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
