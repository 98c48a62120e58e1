"""Images that do not fit into memory: decoded by threads when asked for, or earlier where the caller announces them.

A row has the same bytes whenever and however it is read, so results computed from a stream are those computed from
images in memory, bit for bit. Threads, not processes: Pillow decodes outside the interpreter's lock, and threads share
the decoded images without a copy.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections import OrderedDict
from concurrent.futures import Future
from typing import Any

import numpy as np
import torch

from core.data.dataset import Unreadable
from core.data.decoded_cache import DecodedCache
from core.data.images import Form, decode_into, reason_of
from core.data.index import FileIndex, workers
from core.errors import InputError

AHEAD_BYTES = 512 * 2**20  # decoded images that may wait to be read

_GROUP = 16  # images a worker takes at once

log = logging.getLogger(__name__)


class ImageStream:
    """Decodes the m files that an index kept. Both parts of a data set share one stream and its threads."""

    def __init__(self, index: FileIndex, form: Form) -> None:
        """`index`: what the files were when the data was opened; other content is an error later."""
        self._index, self._form = index, form
        self._positions = index.kept
        self._cache = DecodedCache.open(index.digests[self._positions], form)
        self.shape = (len(self._positions), *form.shape)
        self._pool = workers()
        self._lock = threading.Lock()
        self._ahead: OrderedDict[int, tuple[Future[np.ndarray], int]] = OrderedDict()  # row -> result, place in it
        self.undecoded: dict[int, Unreadable] = {}  # by row; their images are black
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # damaged metadata

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return images (n, H, W, C) uint8 of `rows` (n,) int64.

        Raises InputError where a file is no longer what was indexed.
        """
        with self._lock:
            pending = {row: self._ahead[row] for row in rows.tolist() if row in self._ahead}
        missing = np.array([row for row in dict.fromkeys(rows.tolist()) if row not in pending], dtype=np.int64)
        if len(missing) == 1 or (self._cache is not None and self._cache.has(missing).all()):
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
        pending = {}
        for start in range(0, len(rows), _GROUP):
            group = rows[start : start + _GROUP]
            future = self._pool.submit(self._load, group)
            pending.update({row: (future, place) for place, row in enumerate(group.tolist())})
        return pending

    def _load(self, rows: np.ndarray) -> np.ndarray:
        images = np.empty((len(rows), *self.shape[1:]), dtype=np.uint8)
        kept = np.zeros(len(rows), dtype=bool) if self._cache is None else self._cache.has(rows)
        if self._cache is not None and kept.any():
            images[kept] = self._cache.read(rows[kept])
        for place in np.flatnonzero(~kept).tolist():
            row = int(rows[place])
            data = self._bytes(row)
            if fault := decode_into(images[place], data, self._form):  # it looked whole when it was indexed
                name = self._index.files.names[int(self._positions[row])]
                log.warning("%r cannot be decoded and counts as black: %s", name, fault)
                self.undecoded[row] = Unreadable(name, fault)
            elif self._cache is not None:
                self._cache.write(row, images[place])
        return images

    def _bytes(self, row: int) -> bytes:
        """Return a file's bytes; raises InputError where they are not those that were indexed."""
        position = int(self._positions[row])
        name = self._index.files.names[position]
        try:
            data, changed = self._index.read(position)
        except Exception as error:
            raise InputError(
                f"{name} was there when the data was opened and cannot be read now: {reason_of(error)}",
                "Put the file back, or open the data again without it",
            ) from error
        if changed:
            what = f"{name} has changed since the data was opened"
            raise InputError(what, "Put the file back as it was, or open the data again")
        return data


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

    @property
    def undecoded(self) -> tuple[Unreadable, ...]:
        """Files that could not be decoded when asked for, so far; their images are black."""
        faults = self.stream.undecoded
        return tuple(faults[row] for row in self._rows.tolist() if row in faults) if faults else ()


def _on_host(index: Any) -> Any:
    return index.cpu().numpy() if isinstance(index, torch.Tensor) else index
