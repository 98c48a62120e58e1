"""Thumbnails: made in workers newest request first, kept as pixmaps up to a number of bytes, drawn by whoever asks."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from functools import partial
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
        self._requests = 0
        self._latest: dict[Key, int] = {}  # number of the latest request for an image, until it is there
        self._finished: deque[tuple[Pixels, Key, QImage | None]] = deque()
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def set_source(self, pixels: Pixels | None, side: int, ratio: float = 1.0) -> None:
        """Draw from another source, at `side` logical pixels on a screen of pixel ratio `ratio`; drops all there is."""
        self._pool.clear()
        self._latest.clear()
        self._pixmaps.clear()
        self._pixels, self.side, self._ratio = pixels, side, ratio

    def get(self, key: Key) -> QPixmap | None:
        """Return the pixmap of an image, or None and have it made."""
        if key in self._pixmaps:
            self._pixmaps.move_to_end(key)
            return self._pixmaps[key]
        if self._pixels is not None:
            self._requests += 1
            self._latest[key] = self._requests
            work = partial(self._work, self._pixels, key, self._requests, self.side, self._ratio)
            self._pool.start(work, self._requests)  # the newest first: most likely what is looked at now
        return None

    def close(self) -> None:
        """Drop all requests."""
        self.set_source(None, self.side)

    def wait(self, milliseconds: int) -> bool:
        """Wait for the workers, which take milliseconds unless a disk does not answer."""
        return self._pool.waitForDone(milliseconds)

    def _work(self, pixels: Pixels, key: Key, request: int, side: int, ratio: float) -> None:
        if self._latest.get(key) != request or request <= self._requests - MOST_WAITING:
            return  # it came or was asked for again meanwhile, or has scrolled away
        image = None
        try:
            image = thumbnail(pixels(key), round(side * ratio))
            image.setDevicePixelRatio(ratio)
        except Exception:
            log.warning("no thumbnail of %r", key, exc_info=True)
        self._finished.append((pixels, key, image))
        self._arrived.emit()

    def _deliver(self) -> None:
        """Take in all that has arrived, perhaps with several signals."""
        came: set[Key] = set()
        most = self._cache_bytes // (4 * round(self.side * self._ratio) ** 2)
        while self._finished:
            pixels, key, image = self._finished.popleft()
            if pixels is self._pixels:
                self._latest.pop(key, None)
                self._pixmaps[key] = QPixmap.fromImage(image) if image is not None else None
                self._pixmaps.move_to_end(key)
                came.add(key)
                if len(self._pixmaps) > max(1, most):
                    self._pixmaps.popitem(last=False)
        if came:
            self.ready.emit(came)


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
