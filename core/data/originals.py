"""The images of a data set as they are stored: in files or as arrays. From them they are prepared in any way asked for.

Arrays are prepared with Pillow, like files: what torchvision's own data sets hand their transforms are PIL images, too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from core.data.images import Form, channels_to_decode, decode_into, decode_whole, formed, reason_of
from core.data.index import FileIndex, out_of_memory, workers
from core.data.preprocessing import Preprocessing
from core.data.steps import CenterCrop, Resize, Size, size_after
from core.errors import InputError, MismatchError

_GROUP = 16  # images a worker takes at once
LARGEST_SIDE = 224  # images of no stated size are decoded at most this large
_HELD_BYTES = 256 * 2**20  # of decoded images that are tried in several forms

log = logging.getLogger(__name__)


class Originals:
    """The `count` stored images. `load` may be called from several threads at once.

    size: the (H, W) they are taken at where nobody states one; channels: of files 1 where all are grey, else 3;
    digests: (m, 32) uint8, SHA-256 of each image's file, None for arrays; changed: how many are not taken as Pillow
    opens them, but turned as their files say, or laid over white; faults: why files did not decode, by name.
    """

    digests: np.ndarray | None = None
    changed = 0

    def __init__(self, count: int, size: Size, channels: int) -> None:
        self.count, self.size, self.channels = count, size, channels
        self.faults: dict[str, str] = {}

    def sizes(self, *, upright: bool = True) -> Counter[Size]:
        """Return how many images are stored at which (H, W), turned as their files say or not."""
        return Counter({self.size: self.count})

    def form(self, preprocessing: Preprocessing) -> Form:
        """Return what a preparation makes of all images before values are scaled.

        Raises InputError where the images would be of different sizes, MismatchError where they cannot get the number
        of channels.
        """
        steps = preprocessing.steps
        if steps is None:
            return Form(
                preprocessing.size, preprocessing.channels, preprocessing.interpolation, upright=preprocessing.upright
            )
        reached = Counter[Size]()
        for size, count in self.sizes(upright=preprocessing.upright).items():
            reached[size_after(steps, size) or size] += count
        if len(reached) > 1:
            listed = ", ".join(f"{h}×{w} ({count:,} images)" for (h, w), count in reached.most_common(3))
            raise InputError(
                f"The steps {' → '.join(step.words for step in steps) or 'none'} leave images of {len(reached):,} "
                f"different sizes: {listed}{', …' if len(reached) > 3 else ''}",
                'Add a crop to one size ("crop": 224), or resize to height and width ("resize": [224, 224])',
            )
        return Form(next(iter(reached), (1, 1)), preprocessing.channels, steps=steps, upright=preprocessing.upright)

    def load(self, row: int, form: Form, out: np.ndarray, *, again: bool = False) -> str:
        """Decode one image into `out` (H, W, C) uint8; where that fails leave it black and return the reason.

        again: it may be asked for in other forms. Raises InputError where it is no longer what was opened.
        """
        raise NotImplementedError

    def let_go(self) -> None:
        """Keep no decoded images any longer."""

    def image(self, row: int) -> np.ndarray:
        """Return one image as it is stored, upright: (H, W, C) uint8; raises InputError where it cannot be decoded."""
        raise NotImplementedError

    def pixels(self, rows: np.ndarray, form: Form) -> np.ndarray:
        """Return images (n, H, W, C) uint8 of `rows` (n,), prepared in threads: a sample that is asked for often."""
        images = np.empty((len(rows), *form.shape), dtype=np.uint8)

        def work(place: int) -> None:
            self.load(int(rows[place]), form, images[place], again=True)

        with workers() as pool:
            list(pool.map(work, range(len(rows)), chunksize=_GROUP))
        return images


class FileOriginals(Originals):
    """Image files that an index kept."""

    def __init__(self, index: FileIndex) -> None:
        """`index`: what the files were when the data was opened; other content is an error later."""
        self._index, self._positions = index, index.kept
        height, width = index.common_size()
        size = (min(height, LARGEST_SIDE), min(width, LARGEST_SIDE))
        super().__init__(len(self._positions), size, 1 if index.all_grey() else 3)
        self._sizes: dict[bool, Counter[Size]] = {}
        self._held: dict[tuple[int, int, bool], Image.Image] = {}  # decoded images, by row, channels and upright
        self._room = _HELD_BYTES
        self.digests = index.digests[self._positions]
        self.changed = int((index.rows["changed"][self._positions] > 0).sum())

    def sizes(self, *, upright: bool = True) -> Counter[Size]:
        """Return how many images are stored at which (H, W), turned as their files say or not."""
        if upright not in self._sizes:
            self._sizes[upright] = self._index.sizes(self._positions, upright=upright)
        return self._sizes[upright]

    def form(self, preprocessing: Preprocessing) -> Form:
        """Return what a preparation makes of all images before values are scaled; raises InputError, MismatchError."""
        if preprocessing.channels not in (1, 3):
            raise MismatchError(
                f"Image files are read with 1 or 3 channels, the preprocessing is for {preprocessing.channels}"
            )
        return super().form(preprocessing)

    def load(self, row: int, form: Form, out: np.ndarray, *, again: bool = False) -> str:
        """Decode one file into `out`; raises InputError where it is not what was indexed.

        again: the decoded image is held, as far as there is room, until `let_go`.
        """
        whole = form.steps is not None  # without steps it depends on the size how it is decoded
        key = (row, channels_to_decode(form), form.upright)
        source = (self._held.get(key) if whole else None) or self._bytes(row)
        if again and whole and self._room > 0 and isinstance(source, bytes):
            with contextlib.suppress(Exception):  # what decoders raise is told below, memory that ran out, too
                image = source = self._held[key] = decode_whole(source, key[1], upright=form.upright)
                self._room -= image.width * image.height * len(image.getbands())
        try:
            fault = decode_into(out, source, form)
        except MemoryError as error:
            raise out_of_memory(self._index.files.names[int(self._positions[row])]) from error
        if fault:  # it looked whole when it was indexed
            name = self._index.files.names[int(self._positions[row])]
            log.warning("%r cannot be decoded and counts as black: %s", name, fault)
            self.faults[name] = fault
        return fault

    def let_go(self) -> None:
        """Keep no decoded images any longer."""
        self._held.clear()
        self._room = _HELD_BYTES

    def image(self, row: int) -> np.ndarray:
        """Return one file's image upright, grey or in colours; raises InputError where it cannot be decoded."""
        data = self._bytes(row)
        try:
            return np.atleast_3d(np.asarray(decode_whole(data)))
        except Exception as error:  # decoders raise nearly anything on damaged files
            name = self._index.files.names[int(self._positions[row])]
            raise InputError(f"{name} cannot be decoded: {reason_of(error)}") from error

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


class ArrayOriginals(Originals):
    """Images of arrays (m, H, W, C) uint8, all of one size."""

    def __init__(self, images: torch.Tensor) -> None:
        count, height, width, channels = images.shape
        super().__init__(count, (height, width), channels)
        self._images = images

    def form(self, preprocessing: Preprocessing) -> Form:
        """Return what a preparation makes of all images before values are scaled; raises MismatchError.

        Where only a size is stated, images keep theirs: `Preprocessing.apply` changes it.
        """
        if preprocessing.channels != self.channels and {preprocessing.channels, self.channels} != {1, 3}:
            raise MismatchError(
                f"The preparation is for {preprocessing.channels} channels, the images have {self.channels}"
            )
        kept = preprocessing if preprocessing.steps is not None else dataclasses.replace(preprocessing, steps=())
        return super().form(kept)

    def leaves(self, form: Form) -> bool:
        """Whether a form leaves the images as they are."""
        return form.channels == self.channels and all(
            isinstance(step, (Resize, CenterCrop)) and step.size_of(self.size) == self.size
            for step in form.steps or ()
        )

    def held(self, rows: np.ndarray) -> np.ndarray:
        """Return the images `rows` (n,) as they are in the array: (n, H, W, C) uint8, a view where all are."""
        whole = np.array_equal(rows, np.arange(len(self._images)))
        return self._images.numpy() if whole else self._images[torch.from_numpy(rows)].numpy()

    def image(self, row: int) -> np.ndarray:
        """Return one image."""
        return self._images[row].numpy()

    def load(self, row: int, form: Form, out: np.ndarray, *, again: bool = False) -> str:
        """Prepare one image into `out`."""
        pixels = self._images[row].numpy()
        if pixels.shape[2] in (1, 3):
            out[...] = formed(Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels), form)
        else:  # what steps do to a channel does not depend on the others
            single = dataclasses.replace(form, channels=1)
            for channel in range(pixels.shape[2]):
                plane = Image.fromarray(np.ascontiguousarray(pixels[..., channel]))
                out[..., channel] = formed(plane, single)[..., 0]
        return ""


@dataclass(frozen=True, eq=False)
class Stored:
    """Some of the stored images in some order. rows: (n,) int64, their places."""

    originals: Originals
    rows: np.ndarray

    def take(self, ids: np.ndarray | slice) -> Stored:
        """Return some of them."""
        return Stored(self.originals, self.rows[ids])

    def pixels(self, ids: np.ndarray | Sequence[int], preprocessing: Preprocessing) -> torch.Tensor:
        """Return images `ids` (n,) as a preparation makes them before values are scaled: (n, H, W, C) uint8."""
        form = self.originals.form(preprocessing)
        return torch.from_numpy(self.originals.pixels(self.rows[np.asarray(ids)], form))
