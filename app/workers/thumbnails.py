"""Thumbnails: made in workers newest request first, kept as pixmaps up to a number of bytes, drawn by whoever asks."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Any

from PySide6.QtCore import QObject, Qt, QThreadPool, QTimer, Signal
from PySide6.QtGui import QImage, QPixmap

from app.workers.jobs import Executor
from core.errors import AppError

log = logging.getLogger(__name__)

Key = Hashable  # what a source knows an image by, such as ("train", 17)
Pixels = Callable[[Any], Any]  # key -> (H, W, C) uint8 array; called in workers
Source = tuple[Pixels, int, float]  # with the side in device pixels, and the screen's pixel ratio

CACHE_BYTES = 96 * 2**20
MOST_WAITING = 600  # requests older than these have scrolled away
WORKERS = 2
AGAIN_MS = 3000  # after which an image that could not be read is asked for again: its folder may be back
TOPIC = "images"  # of what is said of images that cannot be read
_GROWS_FROM = 2.0  # an image enlarged by less is smoothed: its pixels are no use as squares
_FILLS = 0.8  # whole-number enlargement is used where it fills this much of the side


class Thumbnails(Executor):
    """Pixmaps of one size for one source. `get` never blocks: it returns what is there and asks for what is not.

    An image that cannot be read is none for a while, then whoever shows it asks again.
    """

    ready = Signal(object)  # set of keys whose pixmaps have come, or that may be asked for again
    failed = Signal(object)  # the first error of a time in which images cannot be read
    recovered = Signal()  # one of them could be read again, or another source is drawn from
    _arrived = Signal()

    def __init__(self, parent: QObject | None = None, cache_bytes: int = CACHE_BYTES) -> None:
        super().__init__("thumbnails", parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(WORKERS)
        self._cache_bytes = cache_bytes
        self._pixmaps: OrderedDict[Key, QPixmap | None] = OrderedDict()  # None: it cannot be made just now
        self._missing: set[Key] = set()  # images that could not be read when they were last asked for
        self._told = False  # whether that was said
        self._again = QTimer(self, singleShot=True, interval=AGAIN_MS)
        self._again.timeout.connect(self._ask_again)
        self.side = 96  # in logical pixels
        self._source: Source | None = None
        # Images asked for, the newest last. Both threads change it by one call each, and as many starts of `_work` are
        # to come at least: each follows its image, and none that waits is taken out and put back.
        self._waiting: OrderedDict[Key, Source] = OrderedDict()
        self._finished: deque[tuple[Source, Key, QImage | Exception]] = deque()
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def set_source(self, pixels: Pixels | None, side: int, ratio: float = 1.0) -> None:
        """Draw from another source, at `side` logical pixels on a screen of pixel ratio `ratio`; drops all there is."""
        self._waiting.clear()
        self._pool.clear()
        self._pixmaps.clear()
        self._missing.clear()
        self._again.stop()
        self._recover()
        self.side, self._source = side, (pixels, round(side * ratio), ratio) if pixels is not None else None

    def get(self, key: Key) -> QPixmap | None:
        """Return the pixmap of an image, or None and have it made."""
        if key in self._pixmaps:
            self._pixmaps.move_to_end(key)
            return self._pixmaps[key]
        if self._source is not None:
            try:
                self._waiting.move_to_end(key)
            except KeyError:  # it does not wait: a worker may have taken it just now
                self._waiting[key] = self._source
                self._pool.start(self._work)
            if len(self._waiting) > MOST_WAITING:
                self._waiting.popitem(last=False)
        return None

    def close(self) -> None:
        """Drop all requests."""
        self.set_source(None, self.side)

    def wait(self, milliseconds: int) -> bool:
        """Wait for the workers, which take milliseconds unless a disk does not answer."""
        return self._pool.waitForDone(milliseconds)

    def _work(self) -> None:
        try:
            key, source = self._waiting.popitem()  # the newest: most likely what is looked at now
        except KeyError:
            return  # it has scrolled away
        pixels, side, ratio = source
        found: QImage | Exception
        try:
            found = thumbnail(pixels(key), side)
            found.setDevicePixelRatio(ratio)
        except Exception as error:
            found = error
        self._finished.append((source, key, found))
        self._arrived.emit()

    def _deliver(self) -> None:
        """Take in all that has arrived, perhaps with several signals."""
        came: set[Key] = set()
        while self._finished:
            source, key, found = self._finished.popleft()
            if source is self._source:
                if isinstance(found, Exception):
                    self._pixmaps[key] = None
                    self._miss(key, found)
                else:
                    self._pixmaps[key] = QPixmap.fromImage(found)
                    if key in self._missing:
                        self._missing.remove(key)
                        self._recover()
                self._pixmaps.move_to_end(key)
                came.add(key)
                if len(self._pixmaps) > max(1, self._cache_bytes // (4 * source[1] ** 2)):
                    self._pixmaps.popitem(last=False)
        if came:
            self.ready.emit(came)

    def _miss(self, key: Key, error: Exception) -> None:
        self._missing.add(key)
        if not self._told:
            self._told = True
            log.warning("no thumbnail of %r", key, exc_info=error)
            self.failed.emit(error)
        if not self._again.isActive():
            self._again.start()

    def _ask_again(self) -> None:
        for key in self._missing:
            self._pixmaps.pop(key, None)
        self.ready.emit(set(self._missing))

    def _recover(self) -> None:
        if self._told:
            self._told = False
            self.recovered.emit()


def pixels_of(dataset: Any) -> Pixels:
    """Return what gives the pixels of an image of a data set, which is known by its part and its position in it."""
    return lambda key: getattr(dataset, key[0]).images[key[1]].numpy()


def picture(pixels: Callable[[], Any], side: float, ratio: float = 1.0) -> tuple[QPixmap, str]:
    """Return an image that is looked at alone, made at once, or an empty pixmap and the sentence why there is none."""
    try:
        image = thumbnail(pixels(), round(side * ratio))
    except AppError as error:  # its file is gone, or another one
        return QPixmap(), error.text
    image.setDevicePixelRatio(ratio)
    return QPixmap.fromImage(image), ""


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
