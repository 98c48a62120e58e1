"""Read the image files that a source lists: decode them into memory where they fit, else stream them.

Every format finds the `Parts` of a data set. Formats of image files give a `Listing`; `load_listing` reads any of them.
Damaged files are left out before anything is decoded (`core.data.index`). A file that
passes that check and still does not decode keeps its place: its image is black, and it is reported. A stream meets it
in the middle of a run, too late to leave it out without moving all other images, and images in memory must be the same
data: otherwise fingerprint and result would depend on how much memory was free.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from core.data.dataset import Found, ImageSet, Loaded, Unreadable
from core.data.images import CannotReadError, Form, decode_into, look, reason_of
from core.data.index import CHUNK, FileIndex, ImageFiles, in_parallel, open_index
from core.data.originals import FileOriginals, Stored
from core.data.preprocessing import Preprocessing
from core.data.steps import Step
from core.data.streamed import ImageStream, StreamedImages, stated_bytes
from core.errors import InputError, NoTestPartError
from core.events import Tell
from core.files import ending

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing", "val", "valid", "validation")  # the first one there is is used

LARGEST_SIDE = 224  # images of no given size are decoded at most this large
BUDGET_VARIABLE = "UNLEARN_STUDIO_MEMORY"  # GB that decoded images may take; more is streamed

_BUDGET_SHARE = 0.5  # of the free memory: the rest is for the network, its features and the window


@dataclass(frozen=True)
class Parts:
    """Folders or files of a data set opened as `path`: of its training part, and of its test part where it has one."""

    path: Path
    train: tuple[Path, ...]
    test: tuple[Path, ...] = ()


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
    files = files or [(name, file) for name in (*TRAIN_NAMES, *TEST_NAMES) for file in lying_in(path / name)]
    train = tuple(file for part, file in files if part in TRAIN_NAMES)
    test = next((name for name in TEST_NAMES if name in dict(files)), None)
    return Parts(path, train, tuple(file for part, file in files if part == test)) if train else None


def part_of(file: Path) -> str:
    """Return the part a file belongs to by words of its name (imagenet-val-0003.tar): of TEST_NAMES, else "train"."""
    words = re.split("[^a-z]+", file.stem.lower())
    return next((name for name in TEST_NAMES if name in words), TRAIN_NAMES[0])


@dataclass(frozen=True)
class DecodeOptions:
    """What image files are to be decoded to; None: as follows from the files."""

    size: tuple[int, int] | None = None  # (H, W)
    channels: int | None = None  # 1 or 3
    interpolation: str = "bilinear"
    memory_budget: float | None = None  # bytes that all decoded images may take; None: half of the free memory
    steps: tuple[Step, ...] | None = None  # stated ones, which decide the size; None: images are fitted to it
    upright: bool = True
    keep: bool = True  # on disk what is decoded of streamed images


@dataclass(frozen=True, eq=False)
class Listing:
    """The image files of a source, before any of them is read: training images first, then test images.

    labels: (n,) int64, the class of each image; border: number of training images; left_out: files or rows that cannot
    be used, such as those without a label.
    """

    title: str
    classes: tuple[str, ...]
    files: ImageFiles
    labels: np.ndarray
    border: int
    left_out: tuple[Unreadable, ...] = ()
    found: Found = field(default_factory=Found)
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)  # what a table says of each image beside these


def load_listing(listing: Listing, options: DecodeOptions, report: Tell, *, needs_test: bool = False) -> Loaded:
    """Read the images of a listing, all decoded to one size and number of channels.

    Images of another size are scaled to cover it and cropped at the centre. Images that would take more than the
    memory budget when decoded are streamed: read again whenever asked for. Files that cannot be read are left out and
    listed in the result. Raises InputError where no training image can be read, StoppedError where cancelled, and, with
    `needs_test`, NoTestPartError before any image is read where the listing has no test images.
    """
    if needs_test and listing.border == len(listing.labels):
        raise no_test_part(listing.title, listing.labels)
    files = listing.files
    index = open_index(files, report)
    form = _form(index, options)
    images: np.ndarray | StreamedImages
    if len(index.kept) * form.bytes <= _budget(options.memory_budget):
        images, faults = _decode_all(index, form, report)
        originals = FileOriginals(index)
    else:
        originals = FileOriginals(index)
        images, faults = StreamedImages(ImageStream(originals, form, keep=options.keep)), originals.faults
    kept = index.kept
    unreadable = [Unreadable(files.names[position], index.faults[position]) for position in sorted(index.faults)]
    if not len(kept):
        example = f" ({unreadable[0].path}: {unreadable[0].reason})" if unreadable else ""
        raise InputError(f"None of the {len(index):,} images in {files.root} can be read{example}")
    paths = tuple(files.names[i] for i in kept.tolist())
    columns = {name: np.array(values, dtype=object)[kept] for name, values in listing.columns.items()}
    origin = Stored(originals, np.arange(len(kept)))
    both = ImageSet.of(images, listing.labels[kept], paths, index.digests[kept], faults, origin, columns)
    cut = int(np.searchsorted(kept, listing.border))
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


def _form(index: FileIndex, options: DecodeOptions) -> Form:
    """Return what all images are decoded to.

    Without steps or a size asked for it is the most common one, each side at most LARGEST_SIDE; without a number of
    channels it is 1 if all files are grey, else 3.
    """
    originals = FileOriginals(index)
    height, width = index.common_size()
    stated = Preprocessing.unscaled(
        options.channels or originals.channels, options.size or (min(height, LARGEST_SIDE), min(width, LARGEST_SIDE)),
        interpolation=options.interpolation, steps=options.steps, upright=options.upright,
    )  # fmt: skip
    return originals.form(stated)


def prepare_parts(
    parts: Sequence[ImageSet], preprocessing: Preprocessing, memory_budget: float | None, report: Tell
) -> tuple[ImageSet, ...]:
    """Return the parts of a data set prepared anew from what is stored, in memory where they fit, else streamed.

    Raises InputError or MismatchError where the preparation does not fit the images, and where a file has changed.
    """
    origins = [part.stored for part in parts]
    every = {id(stored.originals): stored.originals for stored in origins}
    forms = {key: originals.form(preprocessing) for key, originals in every.items()}
    form = next(iter(forms.values()))
    if len(sizes := {form.size for form in forms.values()}) > 1:
        raise InputError(f"Training and test images would be of different sizes: {sorted(sizes)}")
    fits = sum(map(len, parts)) * form.bytes <= _budget(memory_budget)
    streams = {key: ImageStream(originals, form, keep=not fits) for key, originals in every.items()}
    prepared = []
    for part, stored in zip(parts, origins, strict=True):
        images: torch.Tensor | StreamedImages = StreamedImages(streams[id(stored.originals)], stored.rows)
        if stored.originals.leaves(form):
            images = torch.from_numpy(stored.originals.held(stored.rows))
        elif fits:
            held = torch.empty(images.shape, dtype=torch.uint8)
            for start in range(0, len(part), CHUNK):
                report("Reading images", start, len(part))
                held[start : start + CHUNK] = images[start : start + CHUNK]
            images = held
        prepared.append(dataclasses.replace(part, images=images, faults=stored.originals.faults, origin=stored))
    return tuple(prepared)


def _budget(stated: float | None) -> float:
    """Return the bytes that decoded images may take."""
    return stated_bytes(BUDGET_VARIABLE, _free_memory() * _BUDGET_SHARE) if stated is None else stated


def _decode_all(index: FileIndex, form: Form, report: Tell) -> tuple[np.ndarray, dict[str, str]]:
    """Return the images (m, H, W, C) of the files without a fault, and why some did not decode and are black, by name.

    Files that went or broke since they were indexed get a fault and are left out.
    """
    wanted = index.kept
    images = np.empty((len(wanted), *form.shape), dtype=np.uint8)
    black: dict[str, str] = {}

    def work(row: int) -> str:
        position = int(wanted[row])
        try:
            data, changed = index.read(position)
            if changed:
                if fault := look(data).fault:
                    raise CannotReadError(fault)
                index.digests[position] = np.frombuffer(hashlib.sha256(data).digest(), dtype=np.uint8)
        except Exception as error:  # a reason to leave the image out, never to stop
            return reason_of(error)
        if fault := decode_into(images[row], data, form):
            black[index.files.names[position]] = fault
        return ""

    for row, fault in in_parallel("Reading images", np.arange(len(wanted)), work, report):
        if fault:
            index.faults[int(wanted[row])] = fault
    report("Reading images", len(wanted), len(wanted))
    kept = index.kept
    if len(kept) < len(wanted):
        rows = np.searchsorted(wanted, kept)
        for start in range(0, len(rows), CHUNK):  # closes the gaps in place: a second copy may not fit
            block_rows = rows[start : start + CHUNK]
            images[start : start + len(block_rows)] = images[block_rows]
    return images[: len(kept)], black


def _free_memory() -> float:
    """Return the free bytes of memory, else all of it; infinite where the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return float("inf")
