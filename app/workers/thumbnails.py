"""Thumbnails: made in workers newest request first, kept as pixmaps up to a number of bytes, drawn by whoever asks."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Any

from PySide6.QtCore import QObject, Qt, QThreadPool, Signal
from PySide6.QtGui import QImage, QPixmap

from app.workers.jobs import Executor

log = logging.getLogger(__name__)

Key = Hashable  # what a source knows an image by, such as ("train", 17)
Pixels = Callable[[Any], Any]  # key -> (H, W, C) uint8 array; called in workers

CACHE_BYTES = 96 * 2**20
MOST_WAITING = 600  # requests older than these have scrolled away
WORKERS = 2
_GROWS_FROM = 2.0  # an image enlarged by less is smoothed: its pixels are no use as squares
_FILLS = 0.8  # whole-number enlargement is used where it fills this much of the side


class Thumbnails(Executor):
    """Pixmaps of one size for one source. `get` never blocks: it returns what is there and asks for what is not."""

    ready = Signal(object)  # set of keys whose pixmaps have come
    _arrived = Signal()

    def __init__(self, parent: QObject | None = None, cache_bytes: int = CACHE_BYTES) -> None:
        super().__init__("thumbnails", parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(WORKERS)
        self._cache_bytes = cache_bytes
        self._pixmaps: OrderedDict[Key, QPixmap | None] = OrderedDict()  # None: it cannot be made
        self._pixels: Pixels | None = None
        self.side, self._ratio = 96, 1.0  # in logical pixels
        self._generation = 0
        # Shared with the workers, under the lock.
        self._lock = threading.Lock()
        self._waiting: OrderedDict[Key, None] = OrderedDict()
        self._busy = 0
        self._finished: deque[tuple[int, Key, QImage | None]] = deque()
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def set_source(self, pixels: Pixels | None, side: int, ratio: float = 1.0) -> None:
        """Draw from another source, at `side` logical pixels on a screen of pixel ratio `ratio`; drops all there is."""
        with self._lock:
            self._generation += 1
            self._waiting.clear()
            self._pixels, self.side, self._ratio = pixels, side, ratio
        self._pixmaps.clear()

    def get(self, key: Key) -> QPixmap | None:
        """Return the pixmap of an image, or None and have it made."""
        if key in self._pixmaps:
            self._pixmaps.move_to_end(key)
            return self._pixmaps[key]
        if self._pixels is not None:
            self._request(key)
        return None

    def waiting(self) -> int:
        """How many requests no worker has taken yet."""
        with self._lock:
            return len(self._waiting)

    def close(self) -> None:
        """Drop all requests."""
        self.set_source(None, self.side)

    def wait(self, milliseconds: int) -> bool:
        """Wait for the workers, which take milliseconds unless a disk does not answer."""
        return self._pool.waitForDone(milliseconds)

    def _request(self, key: Key) -> None:
        with self._lock:
            self._waiting[key] = None
            self._waiting.move_to_end(key)
            if len(self._waiting) > MOST_WAITING:
                self._waiting.popitem(last=False)
            start = self._busy < WORKERS
            self._busy += start
        if start:
            self._pool.start(self._work)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy -= 1
                    return
                key, _ = self._waiting.popitem()  # the newest: most likely what is looked at now
                pixels, generation, side, ratio = self._pixels, self._generation, self.side, self._ratio
            image = None
            try:
                if pixels is not None:
                    image = thumbnail(pixels(key), round(side * ratio))
                    image.setDevicePixelRatio(ratio)
            except Exception:
                log.warning("no thumbnail of %r", key, exc_info=True)
            with self._lock:
                first = not self._finished
                self._finished.append((generation, key, image))
            if first:  # one signal for all that arrives before the window looks
                self._arrived.emit()

    def _deliver(self) -> None:
        with self._lock:
            finished = list(self._finished)
            self._finished.clear()
        current = [(key, image) for generation, key, image in finished if generation == self._generation]
        most = self._cache_bytes // (4 * round(self.side * self._ratio) ** 2)
        for key, image in current:
            self._pixmaps[key] = QPixmap.fromImage(image) if image is not None else None
            self._pixmaps.move_to_end(key)
            if len(self._pixmaps) > max(1, most):
                self._pixmaps.popitem(last=False)
        if current:
            self.ready.emit({key for key, _ in current})

    def kept(self) -> list[QPixmap]:
        """The pixmaps there are."""
        return [pixmap for pixmap in self._pixmaps.values() if pixmap is not None]


def pixels_of(dataset: Any) -> Pixels:
    """Return what gives the pixels of an image of a data set, which is known by its part and its position in it."""
    return lambda key: getattr(dataset, key[0]).images[key[1]].numpy()


def thumbnail(pixels: Any, side: int) -> QImage:
    """Scale an image (H, W, C) uint8 to fit a square of `side` device pixels; small ones keep their pixels as squares.

    One channel is grey, three are colour; of more the first three are shown, of two the first.
    """
    height, width, channels = pixels.shape
    colour = channels >= 3
    data = pixels[:, :, : 3 if colour else 1].tobytes()
    kind = QImage.Format.Format_RGB888 if colour else QImage.Format.Format_Grayscale8
    image = QImage(data, width, height, width * (3 if colour else 1), kind).copy()  # the copy owns its bytes
    factor = side / max(height, width)
    whole = int(factor)
    if whole >= _GROWS_FROM and whole >= factor * _FILLS:
        factor = whole
    smooth = Qt.TransformationMode.SmoothTransformation
    mode = Qt.TransformationMode.FastTransformation if factor >= _GROWS_FROM else smooth
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return image.scaled(*size, Qt.AspectRatioMode.IgnoreAspectRatio, mode)
