"""Keep decoded images on disk: a memory-mapped file of uint8 rows, named by the files' hashes and the decoded form.

A row is written as soon as its image is decoded. A second file says which rows are valid; it is written only after the
rows have reached the disk, so a crash can cost decoding again but never give a wrong image.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import threading
import weakref
from pathlib import Path
from typing import BinaryIO

import numpy as np

from core.data.images import Form
from core.errors import ParameterError
from core.files import cache_home, write_atomic

FOLDER = "decoded"  # of the cache
LIMIT_VARIABLE = "UNLEARN_STUDIO_DECODED"  # GB on disk for decoded images of all data sets; 0: none

_LIMIT = 50 * 2**30  # bytes
_DISK_SHARE = 0.5  # of the free disk, at most
_FLUSH_BYTES = 256 * 2**20  # new rows between two notes of what is there
_VERSION = b"decoded 1\n"  # of what `decode` makes of a file; a change here makes all rows anew
ROWS, _READY = ".rows", ".ready"

log = logging.getLogger(__name__)


class DecodedCache:
    """The decoded images of one data set at one size, as far as they fit. Safe to use from several threads."""

    def __init__(self, path: Path, rows: int, form: Form) -> None:
        """`rows`: number of images there is room for, counted from the first. Raises OSError."""
        self._path, self._ready_path = path, path.with_suffix(_READY)
        self._row_bytes = form.bytes
        self.capacity = rows
        self._file: BinaryIO = path.open("r+b" if path.exists() else "w+b", buffering=0)
        if path.stat().st_size < rows * self._row_bytes:
            self._file.truncate(rows * self._row_bytes)
        self._map = np.memmap(self._file, dtype=np.uint8, mode="r", shape=(rows, *form.shape))
        self._ready = np.zeros(rows, dtype=bool)
        if self._ready_path.exists():
            bits = np.unpackbits(np.frombuffer(self._ready_path.read_bytes(), dtype=np.uint8))[:rows]
            self._ready[: len(bits)] = bits
        self._unsaved = 0
        self._writes = True
        self._lock = threading.Lock()
        weakref.finalize(self, _note, self._file, path, self._ready_path, self._ready, close=True)

    @classmethod
    def open(cls, digests: np.ndarray, form: Form) -> DecodedCache | None:
        """Open, or create, the cache of the files with SHA-256 `digests` (n, 32), in this order, decoded to `form`.

        Caches not used for longest are deleted to keep within the limit. Returns None where there is no room, or the
        cache cannot be written.
        """
        name = hashlib.sha256(_VERSION + repr(form).encode() + digests.tobytes()).hexdigest()[:32]
        try:
            path = cache_home() / FOLDER / f"{name}{ROWS}"
            rows = min(len(digests), _room(path, len(digests) * form.bytes) // form.bytes)
            if not rows:
                return None
            cache = cls(path, rows, form)
            os.utime(path)  # used now
        except (OSError, RuntimeError) as error:
            log.warning("decoded images are not kept: %s", error)
            return None
        return cache

    def has(self, rows: np.ndarray) -> np.ndarray:
        """Return which of `rows` (n,) are in the cache: (n,) bool."""
        ready = np.zeros(len(rows), dtype=bool)
        inside = rows < self.capacity
        ready[inside] = self._ready[rows[inside]]
        return ready

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return images that are in the cache: (n, H, W, C) uint8, a copy."""
        return np.take(self._map, rows, axis=0)

    def write(self, row: int, image: np.ndarray) -> None:
        """Keep one image (H, W, C). Once the disk is full no further ones are kept: they are decoded again instead."""
        if row >= self.capacity or not self._writes:
            return
        data = np.ascontiguousarray(image).tobytes()
        with self._lock:
            try:
                self._file.seek(row * self._row_bytes)
                written = self._file.write(data)
                if written != len(data):
                    raise OSError("the disk is full")
            except OSError as error:
                self._writes = False
                log.warning("no more decoded images are kept: %s", error)
                return
            self._ready[row] = True
            self._unsaved += len(data)
            due = self._unsaved >= _FLUSH_BYTES
            if due:
                self._unsaved = 0
        if due:
            self.flush()

    def flush(self) -> None:
        """Bring rows to the disk, then record which are valid."""
        _note(self._file, self._path, self._ready_path, self._ready)


def stated_bytes(variable: str, otherwise: float) -> float:
    """Return the bytes that an environment variable states in GB, `otherwise` where it is not set.

    Raises ParameterError where it is no number.
    """
    stated = os.environ.get(variable)
    try:
        return max(0.0, float(stated)) * 2**30 if stated else otherwise
    except ValueError:
        raise ParameterError([f"{variable} must be a number of GB, got {stated!r}"]) from None


def _room(path: Path, wanted: int) -> int:
    """Return how many of the `wanted` bytes `path` may take, after deleting caches not used for longest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    limit = stated_bytes(LIMIT_VARIABLE, _LIMIT)
    files = sorted((p for p in path.parent.glob(f"*{ROWS}") if p != path), key=lambda p: p.stat().st_mtime)
    taken = sum(bytes_on_disk(p) for p in files)
    for file in files:
        if taken + wanted <= limit:
            break
        size = bytes_on_disk(file)
        with contextlib.suppress(OSError):  # still open in another process, on some systems
            file.unlink()
            file.with_suffix(_READY).unlink(missing_ok=True)
            taken -= size
    there = bytes_on_disk(path) if path.exists() else 0
    free = shutil.disk_usage(path.parent).free * _DISK_SHARE + there
    return int(max(0, min(wanted, limit - taken, free)))


def bytes_on_disk(path: Path) -> int:
    """Return the bytes a file of rows takes on disk: rows not written yet take none. Raises OSError."""
    status = path.stat()
    blocks: int | None = getattr(status, "st_blocks", None)  # rows not written yet take no place
    return status.st_size if blocks is None else min(status.st_size, 512 * blocks)


def _note(file: BinaryIO, path: Path, ready_path: Path, ready: np.ndarray, *, close: bool = False) -> None:
    """Bring the rows in `file` to the disk, then write which are `ready`, unless `path` was deleted meanwhile."""
    now = ready.copy()  # rows that come while the disk is waited for are noted the next time
    try:
        if now.any() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            os.fsync(file.fileno())
            write_atomic(ready_path, np.packbits(now).tobytes())
    except FileNotFoundError:  # removed by whoever wants no trace of the images
        pass
    except (OSError, ValueError) as error:
        log.warning("decoded images will be decoded again: %s", error)
    finally:
        if close:
            file.close()
