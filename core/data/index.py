"""Index encoded images: hash, size, channels and damage of each, read once and then kept in the cache.

An image is read again where its stamp (size and time of change) differs. Files of the cache are named by a hash of the
data's path and hold no names of images: they must not tell of images that someone asked to forget.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from PIL import Image

from core.data.dataset import hash_each
from core.data.files import ImageFiles, stamps
from core.data.images import LOOK, look, reason_of
from core.events import Tell
from core.files import cache_home, write_atomic

FOLDER = "fingerprints"  # of the cache
FILES, SHARDS = ".json", ".shards"  # endings: what is known of images, and where they lie in shards
CHUNK = 256  # images between two looks at the cancel flag

_SETTLED = 5 * 10**9  # nanoseconds; the coarsest file systems count in twos
_NUMBER = np.dtype("<i8")
_COLUMNS = ("keys", "sizes", "times", "heights", "widths", "grey")
_ROW = np.dtype([*((name, _NUMBER) for name in _COLUMNS), ("digests", np.uint8, 32)])

Memory = TypeVar("Memory", bound=msgspec.Struct)
Result = TypeVar("Result")


class _Remembered(msgspec.Struct, forbid_unknown_fields=True):
    """An index as kept on disk, by column: numbers are little-endian 64-bit integers in base64, which load fast."""

    keys: bytes = b""
    sizes: bytes = b""
    times: bytes = b""
    heights: bytes = b""
    widths: bytes = b""
    grey: bytes = b""
    digests: str = ""  # 64 hexadecimal digits an image, one after another
    faults: dict[int, str] = {}  # by position
    look: int = 0  # version of what was looked for
    listing: str = ""  # hash of all names, where these are the keys of all of them

    def rows(self) -> np.ndarray:
        """Return the columns as rows (n,) of _ROW; raises ValueError where they do not fit together."""
        rows = np.zeros(len(self.keys) // _NUMBER.itemsize, _ROW)
        for name in _COLUMNS:
            rows[name] = np.frombuffer(getattr(self, name), _NUMBER, len(rows))
        rows["digests"] = np.frombuffer(bytes.fromhex(self.digests), np.uint8).reshape(len(rows), 32)
        return rows


@dataclass(eq=False)
class FileIndex:
    """What was read from n encoded images; those with a fault are left out of the data.

    files: the images, by position; rows: (n,) with the fields keys (hash of the name), sizes (bytes), times
    (nanoseconds, -1 without a file), heights and widths (upright, 0 where unknown), grey (0 or 1), digests (SHA-256 of
    the bytes); faults: reasons by position.
    """

    files: ImageFiles
    rows: np.ndarray
    faults: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def digests(self) -> np.ndarray:
        """SHA-256 of each image's bytes: (n, 32) uint8."""
        digests: np.ndarray = self.rows["digests"]
        return digests

    @property
    def kept(self) -> np.ndarray:
        """Positions (m,) int64 of the images without a fault."""
        mask = np.ones(len(self), dtype=bool)
        mask[list(self.faults)] = False
        return np.flatnonzero(mask)

    def read(self, position: int) -> tuple[bytes, bool]:
        """Return the bytes of an image, and whether they are others than those that were looked at."""
        stamp, data = self.files.stamp(position), self.files.read(position)
        row = self.rows[position]
        changed = stamp != (row["sizes"], row["times"]) and hashlib.sha256(data).digest() != row["digests"].tobytes()
        return data, changed

    def common_size(self) -> tuple[int, int]:
        """Return the most common (H, W); among equals the largest, so that the order of files is no matter."""
        rows = self.rows[self.rows["heights"] > 0]
        sizes = Counter(zip(rows["heights"].tolist(), rows["widths"].tolist(), strict=True))
        return max(sizes, key=lambda size: (sizes[size], size[0] * size[1], size), default=(1, 1))

    def all_grey(self) -> bool:
        """Whether no image with a readable header has colours."""
        return bool(self.rows["grey"][self.rows["heights"] > 0].all())


def open_index(files: ImageFiles, report: Tell) -> FileIndex:
    """Return the index of `files`, reading only those that are new or have changed since they were last indexed.

    Reports "Looking at images" and raises StoppedError where cancelled; what was read until then is kept in the cache.
    A cache that cannot be read or written costs time, nothing else.
    """
    path = cache_file(files.root, FILES)
    memory = recall(path, _Remembered)
    try:
        old = memory.rows() if memory.look == LOOK else np.zeros(0, _ROW)
    except ValueError:
        memory, old = _Remembered(), np.zeros(0, _ROW)
    listing = _listing(files.names)
    index = FileIndex(files, np.zeros(len(files.names), _ROW))
    same_names = memory.listing == listing and len(old) == len(index)
    index.rows["keys"] = old["keys"] if same_names else _keys(files.names)
    with quiet(), workers() as pool:
        _stamp(index, pool, report)
        known = _recall_rows(index, old, memory.faults)
        missing = np.flatnonzero(~known)
        try:
            for block, results in in_blocks(pool, "Looking at images", missing, _looker(index), report):
                for position, (fault, lasting) in zip(block, results, strict=True):
                    known[position] = lasting
                    if fault:
                        index.faults[position] = fault
        finally:
            unlisted = len(old) == len(index) and not same_names
            if unlisted or len(missing) or len(old) != np.count_nonzero(index.rows["times"] >= 0):  # new, changed, gone
                _save(index, path, known, listing)
    return index


def cache_file(path: Path, ending: str) -> Path | None:
    """Return the file of the cache about the data at `path`; None where this user has no home folder."""
    try:
        return cache_home() / FOLDER / f"{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]}{ending}"
    except RuntimeError:  # nobody's home
        return None


def cache_files(path: Path) -> tuple[Path, ...]:
    """Return the files of the cache about data opened as `path`; images of a table or a shard count by its folder."""
    root = path.parent if path.is_file() else path
    files = (cache_file(root, FILES), cache_file(path, SHARDS))
    return tuple(file for file in files if file is not None)


def recall(path: Path | None, kind: type[Memory]) -> Memory:
    """Return what a file of the cache holds; an empty `kind` where it is missing or damaged."""
    if path is not None:
        with contextlib.suppress(OSError, ValueError):  # nothing yet, or damaged: written anew
            return msgspec.json.decode(path.read_bytes(), type=kind)
    return kind()


def remember(path: Path | None, memory: msgspec.Struct) -> None:
    """Write a file of the cache; failing to costs time at the next opening, nothing else."""
    if path is not None:
        with contextlib.suppress(OSError):
            write_atomic(path, msgspec.json.encode(memory))


def is_settled(times: np.ndarray) -> np.ndarray:
    """Say which times of change (n,) are old enough that a further change would give another time: (n,) bool."""
    settled: np.ndarray = time.time_ns() - times > _SETTLED
    return settled


def workers() -> ThreadPoolExecutor:
    """Return threads that read and decode: Pillow and hashing work outside the interpreter's lock."""
    return ThreadPoolExecutor(min(8, os.cpu_count() or 1))


def in_blocks(
    pool: ThreadPoolExecutor, what: str, positions: np.ndarray, work: Callable[[int], Result], report: Tell
) -> Iterator[tuple[list[int], list[Result]]]:
    """Do `work` for `positions` (n,) in blocks: report, run a block in `pool`, yield its positions and results."""
    for start in range(0, len(positions), CHUNK):
        report(what, start, len(positions))
        block = positions[start : start + CHUNK].tolist()
        yield block, list(pool.map(work, block))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Pillow's warnings from the terminal: its limit of pixels is a fault here, damaged metadata no matter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)
        yield


def _save(index: FileIndex, path: Path | None, known: np.ndarray, listing: str) -> None:
    """Write the rows that are `known` (n,) bool and settled to the cache."""
    times = index.rows["times"]
    positions = np.flatnonzero((times >= 0) & is_settled(times) & known)
    rows = index.rows[positions]
    columns = {name: rows[name].tobytes() for name in _COLUMNS}
    faults = {row: index.faults[place] for row, place in enumerate(positions.tolist()) if place in index.faults}
    whole = listing if len(rows) == len(index) else ""
    digests = rows["digests"].tobytes().hex()
    remember(path, _Remembered(**columns, digests=digests, faults=faults, look=LOOK, listing=whole))


def _listing(names: Sequence[str]) -> str:
    together = "\0".join(names).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(together, digest_size=16).hexdigest()


def _keys(names: Sequence[str]) -> np.ndarray:
    return hash_each(name.encode("utf-8", "surrogateescape") for name in names).view(_NUMBER)


def _stamp(index: FileIndex, pool: ThreadPoolExecutor, report: Tell) -> None:
    """Enter sizes and times; images that are not there get a negative time and a fault."""
    size = 16 * CHUNK
    blocks = [range(first, min(first + size, len(index))) for first in range(0, len(index), size)]
    results = pool.map(lambda block: stamps(index.files, block), blocks)
    for block, (stamped, errors) in zip(blocks, results, strict=True):
        report("Looking for changes", block.start, len(index))
        rows = index.rows[block.start : block.stop]
        rows["sizes"], rows["times"] = np.array(stamped, dtype=np.int64).T
        index.faults.update({position: reason_of(error) for position, error in errors.items()})


def _recall_rows(index: FileIndex, old: np.ndarray, old_faults: dict[int, str]) -> np.ndarray:
    """Copy the old rows of images whose stamp is the same; return which images need not be read (n,) bool."""
    rows = index.rows
    _, positions, places = np.intersect1d(rows["keys"], old["keys"], return_indices=True)
    same = rows[["sizes", "times"]][positions] == old[["sizes", "times"]][places]
    positions, places = positions[same], places[same]
    rows[positions] = old[places]
    if old_faults:
        for position, place in zip(positions.tolist(), places.tolist(), strict=True):
            if place in old_faults:
                index.faults[position] = old_faults[place]
    known = rows["times"] < 0
    known[positions] = True
    return known


def _looker(index: FileIndex) -> Callable[[int], tuple[str, bool]]:
    """Return a function that reads one image and fills its row.

    It returns the fault, "" for none, and whether to keep the row: a file that cannot be opened may open tomorrow.
    """

    def work(position: int) -> tuple[str, bool]:
        try:
            data = index.files.read(position)
        except Exception as error:  # a reason to leave the image out, never to stop
            return reason_of(error), False
        row = index.rows[position : position + 1]
        row["digests"] = np.frombuffer(hashlib.sha256(data).digest(), dtype=np.uint8)
        header = look(data)
        if header.size is not None:
            row["heights"], row["widths"] = header.size
            row["grey"] = header.grey
        return header.fault, True

    return work
