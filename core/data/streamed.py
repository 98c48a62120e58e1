"""Images that do not fit into memory: decoded by threads when asked for, or earlier where the caller announces them.

A row has the same bytes whenever and however it is read, so results computed from a stream are those computed from
images in memory, bit for bit. Threads, not processes: Pillow decodes outside the interpreter's lock, and threads share
the decoded images without a copy.

What was decoded is kept on disk: in a memory-mapped file of uint8 rows, named by the files' hashes and the decoded
form. A row is written as soon as its image is decoded. A second file has the checksum of each row that is valid; it is
written only after the rows have reached the disk, and a process checks a row when it first reads it. So a crash, or a
bit that the disk loses, costs decoding again and never gives a wrong image.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import threading
import warnings
import weakref
import zlib
from collections import OrderedDict
from concurrent.futures import Future
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import Image

from core.data.images import Form
from core.data.index import workers
from core.data.originals import Originals
from core.errors import ParameterError
from core.files import cache_home, write_atomic

AHEAD_BYTES = 512 * 2**20  # decoded images that may wait to be read

_GROUP = 16  # images a worker takes at once

FOLDER = "decoded"  # of the cache
LIMIT_VARIABLE = "UNLEARN_STUDIO_DECODED"  # GB on disk for decoded images of all data sets; 0: none

_LIMIT = 50 * 2**30  # bytes
_DISK_SHARE = 0.5  # of the free disk, at most
_FLUSH_BYTES = 256 * 2**20  # new rows between two notes of what is there
_VERSION = b"decoded 1\n"  # of what `decode` makes of a file; a change here makes all rows anew
ROWS, _SUMS = ".rows", ".sums"
_READY = ".ready"  # of earlier versions, which noted no checksums

log = logging.getLogger(__name__)


class ImageStream:
    """Prepares the m stored images of a data set. Both its parts share one stream and its threads."""

    def __init__(self, originals: Originals, form: Form, *, keep: bool = True) -> None:
        """`keep`: on disk what was decoded, for images that are read more than once."""
        self._originals, self._form = originals, form
        self._cache = DecodedCache.open(originals.digests if keep else None, form)
        self.shape = (originals.count, *form.shape)
        self._pool = workers()
        self._lock = threading.Lock()
        self._ahead: OrderedDict[int, tuple[Future[np.ndarray], int]] = OrderedDict()  # row -> result, place in it
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # damaged metadata
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # our own limit is another

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return images (n, H, W, C) uint8 of `rows` (n,) int64.

        Raises InputError where a file is no longer what was indexed.
        """
        with self._lock:
            pending = {row: self._ahead[row] for row in rows.tolist() if row in self._ahead}
        missing = np.array([row for row in dict.fromkeys(rows.tolist()) if row not in pending], dtype=np.int64)
        if len(missing) == 1 or self._cache.has(missing).all():
            ready: Future[np.ndarray] = Future()
            ready.set_result(self._load(missing))
            pending |= {row: (ready, place) for place, row in enumerate(missing.tolist())}
        else:
            pending |= self._submit(missing)
        images = np.empty((len(rows), *self.shape[1:]), dtype=np.uint8)
        try:
            for target, row in enumerate(rows.tolist()):
                future, place = pending[row]
                images[target] = future.result()[place]
        finally:
            with self._lock:
                for row in rows.tolist():
                    self._ahead.pop(row, None)
        return images

    def prefetch(self, rows: np.ndarray) -> None:
        """Begin to decode `rows` (n,), which will be asked for soon. Beyond AHEAD_BYTES the oldest are dropped."""
        with self._lock:
            missing = np.array([row for row in rows.tolist() if row not in self._ahead], dtype=np.int64)
            self._ahead.update(self._submit(missing))
            while len(self._ahead) * self._form.bytes > AHEAD_BYTES and len(self._ahead) > len(rows):
                self._ahead.popitem(last=False)

    def _submit(self, rows: np.ndarray) -> dict[int, tuple[Future[np.ndarray], int]]:
        """Let workers load `rows`; return by row what will hold it, and its place there."""
        pending = {}
        for start in range(0, len(rows), _GROUP):
            group = rows[start : start + _GROUP]
            future = self._pool.submit(self._load, group)
            pending.update({row: (future, place) for place, row in enumerate(group.tolist())})
        return pending

    def _load(self, rows: np.ndarray) -> np.ndarray:
        """Return images (n, H, W, C) of `rows`, from the cache where it has them; what is decoded goes there."""
        images = np.empty((len(rows), *self.shape[1:]), dtype=np.uint8)
        kept = self._cache.has(rows)
        if kept.any():
            images[kept], kept[kept] = self._cache.read(rows[kept])
        for place in np.flatnonzero(~kept).tolist():
            row = int(rows[place])
            if not self._originals.load(row, self._form, images[place]):
                self._cache.write(row, images[place])
        return images


class StreamedImages:
    """Some images of a stream in some order; indexed like a tensor (n, H, W, C) uint8, which reads them."""

    dtype = torch.uint8
    ndim = 4

    def __init__(self, stream: ImageStream, rows: np.ndarray | None = None) -> None:
        """`rows` (n,) int64: places in the stream; all where left out."""
        self.stream = stream
        self._rows = np.arange(stream.shape[0]) if rows is None else rows
        self.shape = torch.Size((len(self._rows), *stream.shape[1:]))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> torch.Tensor:
        """Return image `index` (H, W, C), or the images of a slice, of positions or of a mask: (n, H, W, C)."""
        rows = self._rows[_on_host(index)]
        return torch.from_numpy(self.stream.read(rows) if rows.ndim else self.stream.read(rows[None])[0])

    def view(self, index: Any) -> StreamedImages:
        """Return the images of a slice, of positions or of a mask, unread."""
        return StreamedImages(self.stream, self._rows[_on_host(index)])

    def prefetch(self, ids: torch.Tensor) -> None:
        """Begin to read the images `ids` (n,) int64, which will be asked for soon."""
        self.stream.prefetch(self._rows[_on_host(ids)])

    @property
    def nbytes(self) -> int:
        """Bytes held in memory at most: what is read ahead, not all images."""
        return min(self.shape.numel(), AHEAD_BYTES)


def _on_host(index: Any) -> Any:
    """Return an index as numpy takes it."""
    return index.cpu().numpy() if isinstance(index, torch.Tensor) else index


class DecodedCache:
    """The decoded images of one data set at one size, as far as they fit. Safe to use from several threads."""

    def __init__(self, path: Path, rows: int, form: Form) -> None:
        """`rows`: number of images there is room for, counted from the first; 0: none is kept. Raises OSError."""
        self._path, self.capacity = path, rows
        self._sums = np.zeros(rows, dtype="<u4")  # a checksum for each row that is there, else 0
        self._checked = np.zeros(rows, dtype=bool)  # rows that this process wrote or found whole
        if not rows:
            return
        self._file: BinaryIO = path.open("r+b" if path.exists() else "w+b", buffering=0)
        if path.stat().st_size < rows * form.bytes:
            self._file.truncate(rows * form.bytes)
        self._map = np.memmap(self._file, dtype=np.uint8, mode="r", shape=(rows, *form.shape))
        path.with_suffix(_READY).unlink(missing_ok=True)
        sums_path = path.with_suffix(_SUMS)
        if sums_path.exists():
            sums = np.fromfile(sums_path, dtype="<u4")[:rows]
            self._sums[: len(sums)] = sums
        self._unsaved = 0
        self._writes = True
        self._lock = threading.Lock()
        weakref.finalize(self, _note, self._file, path, self._sums, close=True)

    @classmethod
    def open(cls, digests: np.ndarray | None, form: Form) -> DecodedCache:
        """Open, or create, the cache of the files with SHA-256 `digests` (n, 32), in this order, decoded to `form`.

        Without digests, of arrays, nothing is kept.
        Caches not used for longest are deleted to keep within the limit. It keeps nothing where there is no room,
        or where it cannot be written.
        """
        if digests is None:
            return cls(Path(), 0, form)
        name = hashlib.sha256(_VERSION + repr(form).encode() + digests.tobytes()).hexdigest()[:32]
        try:
            path = cache_home() / FOLDER / f"{name}{ROWS}"
            cache = cls(path, min(len(digests), _room(path, len(digests) * form.bytes) // form.bytes), form)
            if cache.capacity:
                os.utime(path)  # used now
        except (OSError, RuntimeError) as error:
            log.warning("decoded images are not kept: %s", error)
            return cls(Path(), 0, form)
        return cache

    def has(self, rows: np.ndarray) -> np.ndarray:
        """Return which of `rows` (n,) are in the cache: (n,) bool."""
        ready = np.zeros(len(rows), dtype=bool)
        inside = rows < self.capacity
        ready[inside] = self._sums[rows[inside]] > 0
        return ready

    def read(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return images that are in the cache, (n, H, W, C) uint8, a copy, and which are whole, (n,) bool.

        The others are damaged on the disk, and not in the cache from now on.
        """
        images = np.take(self._map, rows, axis=0)
        whole = np.ones(len(rows), dtype=bool)
        for place in np.flatnonzero(~self._checked[rows]).tolist():
            whole[place] = _sum(images[place]) == self._sums[rows[place]]
        self._checked[rows[whole]] = True
        if not whole.all():
            self._sums[rows[~whole]] = 0
            log.warning("%d decoded images were damaged on the disk and are decoded again", np.count_nonzero(~whole))
        return images, whole

    def write(self, row: int, image: np.ndarray) -> None:
        """Keep one image (H, W, C). Once the disk is full no further ones are kept: they are decoded again instead."""
        if row >= self.capacity or not self._writes:
            return
        data = image.tobytes()
        with self._lock:
            try:
                self._file.seek(row * len(data))
                written = self._file.write(data)
                if written != len(data):
                    raise OSError("the disk is full")
            except OSError as error:
                self._writes = False
                log.warning("no more decoded images are kept: %s", error)
                return
            self._sums[row] = _sum(image)
            self._checked[row] = True
            self._unsaved += len(data)
            due = self._unsaved >= _FLUSH_BYTES
            if due:
                self._unsaved = 0
        if due:
            self.flush()

    def flush(self) -> None:
        """Bring rows to the disk, then record which are valid."""
        _note(self._file, self._path, self._sums)


def _sum(image: np.ndarray) -> int:
    """Return the checksum of an image, never 0."""
    return zlib.crc32(np.ascontiguousarray(image).data) or 1


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
            file.with_suffix(_SUMS).unlink(missing_ok=True)
            taken -= size
    there = bytes_on_disk(path) if path.exists() else 0
    free = shutil.disk_usage(path.parent).free * _DISK_SHARE + there
    return int(max(0, min(wanted, limit - taken, free)))


def bytes_on_disk(path: Path) -> int:
    """Return the bytes a file of rows takes on disk: rows not written yet take none. Raises OSError."""
    status = path.stat()
    blocks: int | None = getattr(status, "st_blocks", None)  # rows not written yet take no place
    return status.st_size if blocks is None else min(status.st_size, 512 * blocks)


def _note(file: BinaryIO, path: Path, sums: np.ndarray, *, close: bool = False) -> None:
    """Bring the rows in `file` to the disk, then write their `sums`, unless `path` was deleted meanwhile."""
    now = sums.copy()  # rows that come while the disk is waited for are noted the next time
    try:
        if now.any() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            os.fsync(file.fileno())
            write_atomic(path.with_suffix(_SUMS), now.tobytes())
    except FileNotFoundError:  # removed by whoever wants no trace of the images
        pass
    except (OSError, ValueError) as error:
        log.warning("decoded images will be decoded again: %s", error)
    finally:
        if close:
            file.close()
