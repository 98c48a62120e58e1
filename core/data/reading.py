"""Read image files into memory where they fit, else hand over a stream that decodes them when they are asked for.

Which files are left out is settled by looking at them, before anything is decoded. A file that looked whole and does
not decode keeps its place: its image is black, and it is reported. A stream learns of it in the middle of a run, too
late to leave it out without moving all others, and images held in memory must be the same data: were it left out of
them, fingerprint and result would depend on how much memory was free.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.data.dataset import ImageSet, Unreadable
from core.data.decoded_cache import DecodedCache
from core.data.files import ImageFiles
from core.data.images import CannotReadError, Form, decode_into, look, reason_of
from core.data.index import CHUNK, FileIndex, open_index, quiet
from core.data.loaded import DecodeOptions, Reporter
from core.data.streamed import ImageStream, StreamedImages
from core.errors import InputError, ParameterError

PHOTO_SIDE = 64
LARGEST_SIDE = 224  # images of no given size are decoded at most this large
BUDGET_VARIABLE = "UNLEARN_STUDIO_MEMORY"  # GB that decoded images may take; more is streamed

_BUDGET_SHARE = 0.5  # of the free memory: the rest is for the network, its features and the window


@dataclass(frozen=True, eq=False)
class Decoded:
    """The readable ones of some files. images: (m, H, W, C) uint8; kept: (m,) positions in the list of files.

    black: reasons by position of kept files that did not decode, where images are held.
    """

    images: np.ndarray | StreamedImages
    digests: np.ndarray  # (m, 32) uint8, SHA-256 of each file
    kept: np.ndarray
    unreadable: tuple[Unreadable, ...]
    black: dict[int, str] = field(default_factory=dict)

    def parts(self, names: Sequence[str], labels: np.ndarray, border: int) -> tuple[ImageSet, ImageSet]:
        """Divide at file `border` into a training and a test part; names, labels: of all files, (n,)."""
        cut = int(np.searchsorted(self.kept, border))
        found = []
        for span in (slice(None, cut), slice(cut, None)):
            kept = self.kept[span]
            rows = self.images.view(span) if isinstance(self.images, StreamedImages) else self.images[span]
            black = tuple(Unreadable(names[i], self.black[i]) for i in kept.tolist() if i in self.black)
            paths = tuple(names[i] for i in kept.tolist())
            found.append(ImageSet.of(rows, labels[kept], paths, self.digests[span], black))
        return found[0], found[1]


def read_images(files: ImageFiles, report: Reporter, options: DecodeOptions) -> Decoded:
    """Read `files` as images of one size and number of channels.

    Where no size is asked for it is the most common one, each side at most LARGEST_SIDE; where no number of channels
    is, it is 1 if all files are grey, else 3. Images of another size are scaled to cover it and cropped at the centre.
    Images that would take more than the memory budget when decoded are streamed: read again whenever asked for.
    Raises InputError where none can be read, StoppedError where cancelled.
    """
    index = open_index(files, report)
    height, width = index.common_size()
    channels = options.channels or (1 if index.all_grey() else 3)
    size = options.size or (min(height, LARGEST_SIDE), min(width, LARGEST_SIDE))
    if options.size is None and options.photo_size is not None and are_photos(size, channels):
        size = options.photo_size
    form = Form(size, channels, options.interpolation)
    kept = index.kept
    needed = len(kept) * form.size[0] * form.size[1] * form.channels
    budget = memory_budget() if options.memory_budget is None else options.memory_budget
    images: np.ndarray | StreamedImages
    black: dict[int, str] = {}
    if needed <= budget:
        images, kept, black = _decode_all(files, index, form, report)
    else:
        digests = index.digests[kept]
        stamps = np.stack([index.sizes[kept], index.times[kept]], axis=1)
        cache = DecodedCache.open(digests, form)
        images = StreamedImages(ImageStream(files, kept, digests, stamps, form, cache))
    unreadable = tuple(Unreadable(files.names[i], index.faults[i]) for i in sorted(index.faults))
    if not len(kept):
        example = f" ({unreadable[0].path}: {unreadable[0].reason})" if unreadable else ""
        raise InputError(f"None of the {len(index):,} images in {files.root} can be read{example}")
    return Decoded(images, index.digests[kept], kept, unreadable, black)


def are_photos(size: tuple[int, int], channels: int) -> bool:
    """Whether image files of this size (H, W) are taken for photographs, seen by ImageNet-like networks."""
    return channels == 3 and min(size) >= PHOTO_SIDE


def memory_budget() -> float:
    """Return how many bytes decoded images may take.

    As the variable UNLEARN_STUDIO_MEMORY says, in GB, else half of what is free. Raises ParameterError where the
    variable is no number.
    """
    stated = os.environ.get(BUDGET_VARIABLE)
    if stated:
        try:
            return max(0.0, float(stated)) * 2**30
        except ValueError:
            raise ParameterError([f"{BUDGET_VARIABLE} must be a number of GB, got {stated!r}"]) from None
    free = _free_memory()
    return float("inf") if free is None else free * _BUDGET_SHARE


def _decode_all(
    files: ImageFiles, index: FileIndex, form: Form, report: Reporter
) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Return images (m, H, W, C), their positions (m,), and the reasons of those that are black, by position.

    Files that went or broke since they were looked at get a fault and are left out.
    """
    wanted = index.kept
    images = np.empty((len(wanted), *form.size, form.channels), dtype=np.uint8)
    black: dict[int, str] = {}

    def work(row: int) -> str:
        position = int(wanted[row])
        try:
            data = files.read(position)
            if files.stamp(position) != index.stamp(position):  # changed since it was looked at
                if fault := look(data).fault:
                    raise CannotReadError(fault)
                index.digests[position] = np.frombuffer(hashlib.sha256(data).digest(), dtype=np.uint8)
        except Exception as error:  # each is a reason, none is fatal
            return reason_of(error)
        if fault := decode_into(images[row], data, form):
            black[position] = fault
        return ""

    good: list[int] = []
    with quiet(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for first in range(0, len(wanted), CHUNK):
            report("Reading images", first, len(wanted))
            block = range(first, min(first + CHUNK, len(wanted)))
            for row, fault in zip(block, pool.map(work, block), strict=True):
                if fault:
                    index.faults[int(wanted[row])] = fault
                else:
                    good.append(row)
    report("Reading images", len(wanted), len(wanted))
    if len(good) == len(wanted):
        return images, wanted, black
    rows = np.array(good, dtype=np.int64)
    for start in range(0, len(rows), CHUNK):  # closes the gaps in place: a second copy may not fit
        block_rows = rows[start : start + CHUNK]
        images[start : start + len(block_rows)] = images[block_rows]
    return images[: len(rows)], wanted[rows], black


def _free_memory() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
