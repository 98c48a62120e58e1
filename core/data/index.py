"""Look at image files once: hash, size, channels and what is wrong with them, remembered by size and time of change."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from core.data.files import ImageFiles, Stamp, stamps
from core.data.images import LOOK, look, reason_of
from core.data.loaded import Reporter
from core.files import write_atomic
from core.places import cache_home

FOLDER = "fingerprints"  # of the cache
CHUNK = 256  # files between two looks at the cancel flag

SETTLED = 5 * 10**9  # nanoseconds; the coarsest file systems count in twos
_DIGEST_BYTES = 32
_NUMBER = np.dtype("<i8")


class _Remembered(msgspec.Struct, forbid_unknown_fields=True):
    """The index as kept on disk, a column a fact; numbers as little-endian 64-bit integers in base64, which are fast.

    Files are named by a hash of their path: it must not keep the names of images that someone asked to forget.
    """

    keys: bytes = b""
    sizes: bytes = b""
    times: bytes = b""
    heights: bytes = b""
    widths: bytes = b""
    grey: bytes = b""
    digests: str = ""  # 64 hexadecimal digits a file, one after another
    faults: dict[str, str] = {}  # by position
    look: int = 0  # version of what was looked for
    listing: str = ""  # hash of all names, where these are the keys of all of them

    def __len__(self) -> int:
        return len(self.keys) // _NUMBER.itemsize

    def columns(self) -> list[bytes]:
        return [self.keys, self.sizes, self.times, self.heights, self.widths, self.grey]

    def is_sound(self) -> bool:
        lengths = {len(column) for column in self.columns()}
        whole = lengths == {_NUMBER.itemsize * len(self)} and len(self.digests) == 2 * _DIGEST_BYTES * len(self)
        return whole and self.look == LOOK


@dataclass(eq=False)
class FileIndex:
    """What is known of each of n files; a file with a fault is left out of the data."""

    keys: np.ndarray  # (n,) int64, hash of the name
    sizes: np.ndarray  # (n,) int64, bytes
    times: np.ndarray  # (n,) int64, nanoseconds
    heights: np.ndarray  # (n,) int64, upright; 0 where unknown
    widths: np.ndarray  # (n,) int64
    grey: np.ndarray  # (n,) bool
    digests: np.ndarray  # (n, 32) uint8, SHA-256 of the content
    faults: dict[int, str] = field(default_factory=dict)

    @classmethod
    def empty(cls, keys: np.ndarray) -> FileIndex:
        """Return an index that knows nothing of the files `keys` (n,)."""
        n = len(keys)
        sizes, times, heights, widths = (np.zeros(n, dtype=np.int64) for _ in range(4))
        digests = np.zeros((n, _DIGEST_BYTES), dtype=np.uint8)
        return cls(keys, sizes, times, heights, widths, np.zeros(n, dtype=bool), digests)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def kept(self) -> np.ndarray:
        """Positions (m,) int64 of the files without a fault."""
        mask = np.ones(len(self), dtype=bool)
        mask[list(self.faults)] = False
        return np.flatnonzero(mask)

    def stamp(self, position: int) -> Stamp:
        """Return size and time of change of a file as it was looked at."""
        return int(self.sizes[position]), int(self.times[position])

    def common_size(self) -> tuple[int, int]:
        """Return the most common (H, W); among equals the largest, so that the order of files is no matter."""
        known = self.heights > 0
        sizes = Counter(zip(self.heights[known].tolist(), self.widths[known].tolist(), strict=True))
        return max(sizes, key=lambda size: (sizes[size], size[0] * size[1], size), default=(1, 1))

    def all_grey(self) -> bool:
        """Whether no file with a readable header has colours."""
        return bool(self.grey[self.heights > 0].all())


def open_index(files: ImageFiles, report: Reporter) -> FileIndex:
    """Return what is known of `files`; those that are new or changed since the last time are read and looked at.

    Reports "Looking at images" and raises StoppedError where cancelled; what was found until then is remembered.
    A cache that cannot be read or written costs time, nothing else.
    """
    old = _load(_path(files.root))
    listing = _listing(files.names)
    known_keys = np.frombuffer(old.keys, dtype=_NUMBER) if old.listing == listing else None
    index = FileIndex.empty(_keys(files.names) if known_keys is None else known_keys)
    with quiet(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        _stamp(index, files, pool, report)
        known = _recall(index, old)
        missing = np.flatnonzero(~known)
        done = known.copy()
        try:
            for start in range(0, len(missing), CHUNK):
                report("Looking at images", start, len(missing))
                block = missing[start : start + CHUNK].tolist()
                done[_look_at(index, files, block, pool)] = True
        finally:
            unlisted = old.listing != listing and len(old) == len(index)
            if unlisted or len(missing) or len(old) != np.count_nonzero(index.times >= 0):  # new, changed or gone
                _save(index, files.root, done, listing)
    return index


def _save(index: FileIndex, root: Path, known: np.ndarray, listing: str) -> None:
    """Remember the part of an index that is `known` (n,) bool."""
    path = _path(root)
    if path is None:
        return
    # A file changed just now may change again within the resolution of its time stamp.
    lasting = (index.times >= 0) & (time.time_ns() - index.times > SETTLED)
    rows = np.flatnonzero(lasting & known)
    faults = {str(new): index.faults[old] for new, old in enumerate(rows.tolist()) if old in index.faults}
    numbers = [index.keys, index.sizes, index.times, index.heights, index.widths, index.grey]
    keys, sizes, times, heights, widths, grey = (column[rows].astype(_NUMBER).tobytes() for column in numbers)
    digests = index.digests[rows].tobytes().hex()
    whole = listing if len(rows) == len(index) else ""
    remembered = _Remembered(keys, sizes, times, heights, widths, grey, digests, faults, LOOK, whole)
    with contextlib.suppress(OSError):
        write_atomic(path, msgspec.json.encode(remembered))


def _path(root: Path) -> Path | None:
    try:
        return cache_home() / FOLDER / f"{hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:32]}.json"
    except RuntimeError:  # nobody's home
        return None


def _load(path: Path | None) -> _Remembered:
    if path is None:
        return _Remembered()
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Remembered)
        if found.is_sound():
            bytes.fromhex(found.digests)
            return found
    except (OSError, ValueError):  # nothing yet, or nothing of use: written anew
        pass
    return _Remembered()


def _listing(names: Sequence[str]) -> str:
    together = "\0".join(names).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(together, digest_size=16).hexdigest()


def _keys(names: Sequence[str]) -> np.ndarray:
    blake = hashlib.blake2b
    hashes = b"".join([blake(name.encode("utf-8", "surrogateescape"), digest_size=8).digest() for name in names])
    return np.frombuffer(hashes, dtype=_NUMBER)


def _stamp(index: FileIndex, files: ImageFiles, pool: ThreadPoolExecutor, report: Reporter) -> None:
    """Enter sizes and times; those of files that are not there are negative, with the fault."""
    size = 16 * CHUNK
    blocks = [range(first, min(first + size, len(index))) for first in range(0, len(index), size)]
    for block, found in zip(blocks, pool.map(lambda block: stamps(files, block), blocks), strict=True):
        report("Looking for changes", block.start, len(index))
        span = slice(block.start, block.stop)
        index.sizes[span], index.times[span] = found.sizes, found.times
        index.faults.update({position: reason_of(error) for position, error in found.errors.items()})


def _recall(index: FileIndex, old: _Remembered) -> np.ndarray:
    """Copy what is remembered of files with the same stamp; return which need not be looked at (n,) bool."""
    known = index.times < 0  # not there
    if not len(old):
        return known
    keys, sizes, times, heights, widths, grey = (np.frombuffer(column, dtype=_NUMBER) for column in old.columns())
    if len(keys) == len(index) and np.array_equal(keys, index.keys):
        rows = np.arange(len(index))
    else:
        order = np.argsort(keys, kind="stable")
        rows = order[np.minimum(np.searchsorted(keys[order], index.keys), len(keys) - 1)]
    same = (keys[rows] == index.keys) & (sizes[rows] == index.sizes) & (times[rows] == index.times) & ~known
    rows = rows[same]
    index.heights[same], index.widths[same], index.grey[same] = heights[rows], widths[rows], grey[rows] != 0
    digests = np.frombuffer(bytes.fromhex(old.digests), dtype=np.uint8).reshape(-1, _DIGEST_BYTES)
    index.digests[same] = digests[rows]
    if old.faults:
        for position, row in zip(np.flatnonzero(same).tolist(), rows.tolist(), strict=True):
            if fault := old.faults.get(str(row)):
                index.faults[position] = fault
    return known | same


def _look_at(index: FileIndex, files: ImageFiles, block: list[int], pool: ThreadPoolExecutor) -> list[int]:
    """Fill in the rows `block`; return those to remember: a file that could not be read may be readable tomorrow."""

    def work(position: int) -> tuple[str, bool]:
        try:
            data = files.read(position)
        except Exception as error:  # each is a reason, none is fatal
            return reason_of(error), False
        index.digests[position] = np.frombuffer(hashlib.sha256(data).digest(), dtype=np.uint8)
        header = look(data)
        if header.size is not None:
            index.heights[position], index.widths[position] = header.size
            index.grey[position] = header.grey
        return header.fault, True

    found = list(zip(block, pool.map(work, block), strict=True))
    index.faults.update({position: fault for position, (fault, _) in found if fault})
    return [position for position, (_, lasting) in found if lasting]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Pillow's warnings from the terminal: its limit of pixels is a fault here, damaged metadata no matter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)
        yield
