"""Image files: where the bytes of encoded images come from, and an index of what they are, kept in the cache.

The index holds hash, size, channels and damage of each image, which is read again where its stamp (size and time of
change) differs. Files of the cache are named by a hash of the data's path and hold no names of images: they must not
tell of images that someone asked to forget.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from PIL import Image

from core.data.dataset import hash_each
from core.data.images import LOOK, NEEDS_HEIF, SWAPPED, CannotReadError, look, reason_of
from core.errors import InputError, OutOfMemoryError
from core.events import Tell
from core.files import cache_home, read_bytes, read_json, write_atomic

FOLDER = "fingerprints"  # of the cache
FILES, SHARDS = ".json", ".shards"  # endings: what images are, and where they lie in shards
CHUNK = 256  # images between two looks at the cancel flag
SETTLED = 5 * 10**9  # nanoseconds after which a further change gives another time; the coarsest systems count in twos

_NUMBER = np.dtype("<i8")
_COLUMNS = ("keys", "sizes", "times", "heights", "widths", "grey", "changed")
_ROW = np.dtype([*((name, _NUMBER) for name in _COLUMNS), ("digests", np.uint8, 32)])

MAX_FILE_BYTES = 2**30  # of an image file: what 178 megapixels of 16 bits a channel take
_MAX_INDEX_BYTES = 16 << 30  # of what the cache holds of a data set: 150 an image

Stamp = tuple[int, int]  # size in bytes, time of change in nanoseconds
NO_STAMP: Stamp = (-1, -1)

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
    changed: bytes = b""
    digests: str = ""  # 64 hexadecimal digits an image, one after another
    faults: dict[int, str] = {}  # by position
    look: int = 0  # version of what was looked for
    listing: str = ""  # hash of all names, where these are the keys of all of them
    check: str = ""  # hash of all of this: a flipped bit in it would make other data

    def checked(self) -> str:
        """Return the hash of what is kept."""
        whole = hashlib.blake2b(digest_size=16)
        for name in _COLUMNS:
            whole.update(getattr(self, name))
        whole.update(repr((self.digests, sorted(self.faults.items()), self.listing)).encode("utf-8", "replace"))
        return whole.hexdigest()

    def rows(self) -> np.ndarray:
        """Return the columns as rows (n,) of _ROW: none where they do not fit together or are of another version."""
        believed = self.look == LOOK and self.check == self.checked()
        rows = np.zeros(len(self.keys) // _NUMBER.itemsize if believed else 0, _ROW)
        try:
            for name in _COLUMNS:
                rows[name] = np.frombuffer(getattr(self, name), _NUMBER, len(rows))
            rows["digests"] = np.frombuffer(bytes.fromhex(self.digests), np.uint8).reshape(len(rows), 32)
        except ValueError:
            return rows[:0]
        return rows


@dataclass(frozen=True)
class ImageFiles:
    """A list of encoded images. `stamp` and `read` may be called from several threads at once.

    root: the folder names are relative to; names: of each image, no name twice.
    """

    root: Path
    names: Sequence[str]

    def stamp(self, position: int) -> Stamp:
        """Return size and time of change; raises CannotReadError or OSError where the image cannot be read."""
        raise NotImplementedError

    def read(self, position: int) -> bytes:
        """Return the bytes of one encoded image; raises CannotReadError or OSError."""
        raise NotImplementedError


@dataclass(frozen=True)
class FolderFiles(ImageFiles):
    """Files below a folder, by relative name; a name may also be a whole path."""

    def stamp(self, position: int) -> Stamp:
        """Return size and time of change of a regular file that is neither empty nor too large."""
        status = os.stat(self._path(position))  # noqa: PTH116  (a Path a file takes longer than the call)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise CannotReadError("not a file")
        return checked_size(status.st_size), status.st_mtime_ns

    def read(self, position: int) -> bytes:
        """Return the bytes of one file."""
        return read_bytes(self._path(position), MAX_FILE_BYTES)

    def _path(self, position: int) -> str:
        return os.path.join(self.root, self.names[position])  # noqa: PTH118  (as above)


def out_of_memory(name: str) -> OutOfMemoryError:
    """Return the error for an image that there was no memory for."""
    what = f"Memory ran out while {name} was decoded"
    return OutOfMemoryError(what, "Close other programs, or make the image smaller")


def checked_size(size: int) -> int:
    """Return the size of an encoded image in bytes; raises CannotReadError where it is 0 or too large."""
    if not size:
        raise CannotReadError("the file is empty")
    if size > MAX_FILE_BYTES:
        raise CannotReadError(f"its {size:,} bytes are more than the limit of {MAX_FILE_BYTES:,}")
    return size


@dataclass(eq=False)
class FileIndex:
    """What was read from n encoded images; those with a fault are left out of the data.

    files: the images, by position; rows: (n,) with the fields keys (hash of the name), sizes (bytes), times
    (nanoseconds, -1 without a file), heights and widths (upright, 0 where unknown), grey (0 or 1), changed (see
    `images.Header`), digests (SHA-256 of the bytes); faults: reasons by position.
    """

    files: ImageFiles
    rows: np.ndarray
    faults: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def digests(self) -> np.ndarray:
        """SHA-256 of each image's bytes: (n, 32) uint8."""
        return self.rows["digests"]

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

    def enter_stamps(self, block: range) -> dict[int, str]:
        """Enter sizes and times of the images `block`; return the faults of those that are not there, by position."""
        stamps: list[Stamp] = []
        faults: dict[int, str] = {}
        for position in block:
            try:
                stamps.append(self.files.stamp(position))
            except Exception as error:  # a reason to leave the image out, never to stop
                stamps.append(NO_STAMP)
                faults[position] = reason_of(error)
        rows = self.rows[block.start : block.stop]
        rows["sizes"], rows["times"] = np.array(stamps, dtype=np.int64).T
        return faults

    def enter_image(self, position: int) -> tuple[str, bool]:
        """Read one image and fill its row; return the fault, "" for none, and whether to keep what was found.

        It is not kept where a file cannot be opened, which may be otherwise tomorrow.
        """
        try:
            data = self.files.read(position)
            header = look(data)
        except MemoryError as error:  # says nothing of the file: left out, it would make other data
            raise out_of_memory(self.files.names[position]) from error
        except Exception as error:  # a reason to leave the image out, never to stop
            return reason_of(error), False
        row = self.rows[position : position + 1]
        row["digests"] = np.frombuffer(hashlib.sha256(data).digest(), dtype=np.uint8)
        if header.size is not None:
            row["heights"], row["widths"] = header.size
            row["grey"], row["changed"] = header.grey, header.changed
        return header.fault, header.fault != NEEDS_HEIF  # it may be installed tomorrow

    def common_size(self) -> tuple[int, int]:
        """Return the most common (H, W); among equals the largest, so that the order of files is no matter."""
        sizes = self.sizes(np.arange(len(self)))
        return max(sizes, key=lambda size: (sizes[size], size[0] * size[1], size), default=(1, 1))

    def sizes(self, positions: np.ndarray, *, upright: bool = True) -> Counter[tuple[int, int]]:
        """Return how many of the images at `positions` (m,) with a readable header are of which (H, W)."""
        rows = self.rows[positions]
        rows = rows[rows["heights"] > 0]
        swapped = (rows["changed"] == SWAPPED) & (not upright)
        heights = np.where(swapped, rows["widths"], rows["heights"])
        widths = np.where(swapped, rows["heights"], rows["widths"])
        return Counter(zip(heights.tolist(), widths.tolist(), strict=True))

    def all_grey(self) -> bool:
        """Whether no image with a readable header has colours."""
        return bool(self.rows["grey"][self.rows["heights"] > 0].all())


def open_index(files: ImageFiles, report: Tell) -> FileIndex:
    """Return the index of `files`, reading only those that are new or have changed since they were last indexed.

    Reports "Looking at images" and raises StoppedError where cancelled; what was read until then is kept in the cache.
    A cache that cannot be read or written costs time, nothing else.
    """
    memory = recall(files.root, FILES, _Remembered)
    old = memory.rows()
    listing = _listing(files.names)
    index = FileIndex(files, np.zeros(len(files.names), _ROW))
    same_names = memory.listing == listing and len(old) == len(index)
    index.rows["keys"] = old["keys"] if same_names else _keys(files.names)
    size = 16 * CHUNK
    blocks = [range(first, min(first + size, len(index))) for first in range(0, len(index), size)]
    with workers() as pool:
        for block, faults in zip(blocks, pool.map(index.enter_stamps, blocks), strict=True):
            report("Looking for changes", block.start, len(index))
            index.faults.update(faults)
    current = _recall_rows(index, old, memory.faults)
    missing = np.flatnonzero(~current)
    try:
        for position, (fault, lasting) in in_parallel("Looking at images", missing, index.enter_image, report):
            current[position] = lasting
            if fault:
                index.faults[position] = fault
    finally:
        unlisted = len(old) == len(index) and not same_names
        if unlisted or len(missing) or len(old) != np.count_nonzero(index.rows["times"] >= 0):  # new, changed, gone
            _save(index, current, listing)
    return index


def cache_file(path: Path, ending: str) -> Path:
    """Return the file of the cache about the data at `path`; raises RuntimeError where this user has no home folder."""
    return cache_home() / FOLDER / f"{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]}{ending}"


def cache_files(path: Path) -> tuple[Path, ...]:
    """Return the files of the cache about data opened as `path`; images of a table or a shard count by its folder."""
    root = path.parent if path.is_file() else path
    return cache_file(root, FILES), cache_file(path, SHARDS)


def recall(path: Path, ending: str, kind: type[Memory]) -> Memory:
    """Return what the cache holds about the data at `path`; an empty `kind` where that is missing or damaged."""
    with contextlib.suppress(InputError, RuntimeError):  # nothing yet, damaged, or nobody's home: made anew
        return read_json(cache_file(path, ending), kind, _MAX_INDEX_BYTES)
    return kind()


def remember(path: Path, ending: str, memory: msgspec.Struct) -> None:
    """Write what is found about the data at `path`; failing to costs time at the next opening, nothing else."""
    with contextlib.suppress(OSError, RuntimeError, UnicodeError):  # a reason may quote bytes that are no text
        write_atomic(cache_file(path, ending), msgspec.json.encode(memory))


def workers() -> ThreadPoolExecutor:
    """Return threads that read and decode: Pillow and hashing work outside the interpreter's lock."""
    return ThreadPoolExecutor(min(8, os.cpu_count() or 1))


def in_parallel(
    what: str, positions: np.ndarray, work: Callable[[int], Result], report: Tell
) -> Iterator[tuple[int, Result]]:
    """Do `work` for `positions` (n,) in threads and yield each with its result, in order; report from block to block.

    Pillow's warnings stay away from the terminal: its limit of pixels is a fault here, damaged metadata no matter.
    """
    with warnings.catch_warnings(), workers() as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)
        for start in range(0, len(positions), CHUNK):
            report(what, start, len(positions))
            block = positions[start : start + CHUNK].tolist()
            yield from zip(block, list(pool.map(work, block)), strict=True)


def _save(index: FileIndex, current: np.ndarray, listing: str) -> None:
    """Write the rows that say what the files are now, `current` (n,) bool, and are settled to the cache."""
    times = index.rows["times"]
    positions = np.flatnonzero((times >= 0) & (time.time_ns() - times > SETTLED) & current)
    rows = index.rows[positions]
    columns: dict[str, Any] = {name: rows[name].tobytes() for name in _COLUMNS}
    faults = {row: index.faults[place] for row, place in enumerate(positions.tolist()) if place in index.faults}
    whole = listing if len(rows) == len(index) else ""
    digests = rows["digests"].tobytes().hex()
    memory = _Remembered(digests=digests, faults=faults, look=LOOK, listing=whole, **columns)
    memory.check = memory.checked()
    remember(index.files.root, FILES, memory)


def _listing(names: Sequence[str]) -> str:
    """Return a hash of all names together."""
    together = "\0".join(names).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(together, digest_size=16).hexdigest()


def _keys(names: Sequence[str]) -> np.ndarray:
    """Return a hash of each name: (n,) int64."""
    return hash_each(name.encode("utf-8", "surrogateescape") for name in names).view(_NUMBER)


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
    current = rows["times"] < 0
    current[positions] = True
    return current
