"""Read the image files that a source lists: decode them into memory where they fit, else stream them.

Every format finds the `Parts` of a data set. Formats of image files give a `Listing`; `load_listing` reads any of them.
Damaged files are left out before anything is decoded (`core.data.index`). A file that
passes that check and still does not decode keeps its place: its image is black, and it is reported. A stream meets it
in the middle of a run, too late to leave it out without moving all other images, and images in memory must be the same
data: otherwise fingerprint and result would depend on how much memory was free.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike

from core.data.dataset import Found, ImageSet, Loaded, Unreadable
from core.data.index import CHUNK, ImageFiles, open_index
from core.data.originals import ArrayOriginals, FileOriginals, Stored
from core.data.preprocessing import Preprocessing
from core.data.streamed import ImageStream, StreamedImages, stated_bytes
from core.errors import InputError, NoTestPartError
from core.events import Tell
from core.files import ending

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing", "val", "valid", "validation")  # the first one there is is used
PART_NAMES = TRAIN_NAMES + TEST_NAMES

BUDGET_VARIABLE = "UNLEARN_STUDIO_MEMORY"  # GB that decoded images may take; more is streamed

_BUDGET_SHARE = 0.5  # of the free memory: the rest is for the network, its features and the window


@dataclass(frozen=True)
class Parts:
    """Folders or files of a data set opened as `path`: of its training part, and of its test part where it has one."""

    path: Path
    train: tuple[Path, ...]
    test: tuple[Path, ...] = ()

    @classmethod
    def of(cls, path: Path, named: Iterable[tuple[str, Path]]) -> Parts | None:
        """Return files or folders by the names of their parts: all of training, the first test part; None without."""
        found = list(named)
        train = tuple(file for name, file in found if name in TRAIN_NAMES)
        test = next((name for name in TEST_NAMES if name in dict(found)), None)
        return cls(path, train, tuple(file for name, file in found if name == test)) if train else None

    @property
    def every(self) -> tuple[Path, ...]:
        """Those of the training part, then those of the test part."""
        return self.train + self.test

    @property
    def root(self) -> Path:
        """The folder that names of images start from."""
        return self.path.parent if self.path.is_file() else self.path


def find_files(path: Path, suffix: str, *inner: str) -> Parts | None:
    """Return the files with an ending: the one that `path` is, or those in a folder; None where there are none.

    They lie directly in it or in its folders `inner`, where the words of a name say which part a file belongs to, or in
    train/ and test/.
    """
    if path.is_file():
        return Parts(path, (path,)) if ending(path) == suffix else None

    def lying_in(folder: Path) -> list[Path]:
        return sorted(p for p in folder.glob(f"*{suffix}") if ending(p) == suffix and p.is_file())

    files = [(part_of(file), file) for folder in (path, *map(path.joinpath, inner)) for file in lying_in(folder)]
    return Parts.of(path, files or [(name, file) for name in PART_NAMES for file in lying_in(path / name)])


def part_of(file: Path) -> str:
    """Return the part a file belongs to by words of its name (imagenet-val-0003.tar): of TEST_NAMES, else "train"."""
    words = re.split("[^a-z]+", file.stem.lower())
    return next((name for name in TEST_NAMES if name in words), TRAIN_NAMES[0])


@dataclass(frozen=True, eq=False)
class Listing:
    """The image files of a source, before any of them is read: training images first, then test images.

    labels: the class of each training image, and of each test image; left_out: files or rows that cannot be used, such
    as those without a label.
    """

    title: str
    classes: tuple[str, ...]
    files: ImageFiles
    labels: tuple[ArrayLike, ArrayLike]
    left_out: tuple[Unreadable, ...] = ()
    found: Found = field(default_factory=Found)
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)  # what a table says of each image beside these


def load_listing(listing: Listing, report: Tell, *, needs_test: bool = False) -> Loaded:
    """Look at the images of a listing; what is returned reads them when asked, until `prepare_parts` prepares them.

    Files that cannot be read are left out and listed in the result. Raises InputError where no training image can be
    read, StoppedError where cancelled, and, with `needs_test`, NoTestPartError before any image is looked at where the
    listing has no test images.
    """
    parts = [np.asarray(part, np.int64) for part in listing.labels]
    labels, border = np.concatenate(parts), len(parts[0])
    if needs_test and border == len(labels):
        raise no_test_part(listing.title, labels)
    files = listing.files
    index = open_index(files, report)
    kept = index.kept
    unreadable = [Unreadable(files.names[position], index.faults[position]) for position in sorted(index.faults)]
    if not len(kept):
        example = f" ({unreadable[0].path}: {unreadable[0].reason})" if unreadable else ""
        raise InputError(f"None of the {len(index):,} images in {files.root} can be read{example}")
    originals = FileOriginals(index)
    form = originals.form(Preprocessing.unscaled(originals.channels, originals.size))
    both = ImageSet.of(
        StreamedImages(ImageStream(originals, form, keep=False)),
        labels[kept],
        tuple(files.names[i] for i in kept.tolist()),
        index.digests[kept],
        originals.faults,
        Stored(originals, np.arange(len(kept))),
        {name: np.array(values, dtype=object)[kept] for name, values in listing.columns.items()},
    )
    cut = int(np.searchsorted(kept, border))
    if not cut:
        raise InputError(f"None of the training images in {listing.title} can be read")
    return Loaded(
        title=listing.title,
        classes=listing.classes,
        train=both.take(slice(None, cut)),
        test=both.take(slice(cut, None)) if cut < len(kept) else None,
        unreadable=(*listing.left_out, *unreadable),
        root=files.root,
        found=listing.found,
    )


def no_test_part(title: str, labels: np.ndarray) -> NoTestPartError:
    """Build the error for data whose images, with `labels` (n,), are all for training."""
    return NoTestPartError(
        f"{title} has no test images",
        "Set some aside with --test-fraction, for example --test-fraction 0.1",
        np.bincount(labels).tolist(),
    )


def prepare_parts(
    parts: Sequence[ImageSet],
    preprocessing: Preprocessing,
    memory_budget: float | None,
    report: Tell,
    *,
    keep: bool = True,
) -> tuple[ImageSet, ...]:
    """Return the parts of a data set prepared from what is stored, in memory where they fit, else streamed.

    memory_budget: bytes that all of them may take, None: half of the free memory; keep: on disk what is decoded of a
    stream. Raises InputError or MismatchError where the preparation does not fit the images, and where a file is gone
    or has changed.
    """
    origins = [part.stored for part in parts]
    every = {id(stored.originals): stored.originals for stored in origins}
    forms = {key: originals.form(preprocessing) for key, originals in every.items()}
    form = next(iter(forms.values()))
    if len(sizes := {form.size for form in forms.values()}) > 1:
        raise InputError(f"Training and test images would be of different sizes: {sorted(sizes)}")
    count, done = sum(map(len, parts)), 0
    fits = count * form.bytes <= _budget(memory_budget)
    streams = {key: ImageStream(originals, form, keep=keep and not fits) for key, originals in every.items()}
    prepared = []
    for part, stored in zip(parts, origins, strict=True):
        images: torch.Tensor | StreamedImages = StreamedImages(streams[id(stored.originals)], stored.rows)
        if isinstance(stored.originals, ArrayOriginals) and stored.originals.leaves(form):
            images = torch.from_numpy(stored.originals.held(stored.rows))
        elif fits:
            held = torch.empty(images.shape, dtype=torch.uint8)
            for start in range(0, len(part), CHUNK):
                report("Reading images", done + start, count)
                held[start : start + CHUNK] = images[start : start + CHUNK]
            images, done = held, done + len(part)
        prepared.append(dataclasses.replace(part, images=images, faults=stored.originals.faults, origin=stored))
    if done:
        report("Reading images", done, count)
    return tuple(prepared)


def _budget(stated: float | None) -> float:
    """Return the bytes that decoded images may take."""
    return stated_bytes(BUDGET_VARIABLE, free_memory() * _BUDGET_SHARE) if stated is None else stated


def free_memory(*, swap: bool = False) -> float:
    """Return the free bytes of memory, else all of it; infinite where the system does not tell.

    swap: with what the system may put on disk instead.
    """
    wanted = ("MemAvailable:", "SwapFree:") if swap else ("MemAvailable:",)
    try:
        lines = [line.split() for line in Path("/proc/meminfo").read_text().splitlines()]
        if found := [int(line[1]) * 1024 for line in lines if line[0] in wanted]:
            return sum(found)
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return float("inf")
