"""Decode one image file of any mode and size; tell size, colour and damage from its header."""

from __future__ import annotations

import functools
import io
import math
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, features

from core.data.steps import Grayscale, Size, Step
from core.errors import InputError

_PORTABLE = (".ppm", ".pgm", ".pbm", ".pnm")
_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".jp2", *_PORTABLE)
)
_HEIF_SUFFIXES = frozenset((".heic", ".heif", ".hif"))
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")
_FOREIGN_SUFFIXES = frozenset(
    (
        ".jxl", ".psd", ".svg", ".tga", ".ico", ".apng", ".j2k", ".jpx", ".exr", ".hdr",
        ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw",
    )
)  # fmt: skip
NEEDS_HEIF = 'HEIC images are read with an extra: pip install "unlearn-studio[heif]"'
_NEEDS_AVIF = "AVIF images are read with Pillow 11.3 or newer: pip install -U Pillow"

LOOK = 4  # version of what `look` finds out; what an older one found is looked at anew

_ROTATED = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_ORIENTATION = 0x0112
_TRAIL = 64  # bytes; some programs pad a JPEG behind its end mark
_START = 1024  # bytes of compressed pixels that a look decodes: a damaged table or stream shows there
_UNPACKED = 64 * 1024  # bytes of them at most
_DEFLATE_RATIO = 1032  # times that deflate can shrink at most (zlib's technical notes)
_STRIP = 1 << 20  # pixels that are worked on at once where each step takes a copy
_SMALL = 1 << 20  # pixels of an image that is decoded without asking for room: threads hold few of them
_FREELY = 16 << 20  # pixels that a file may have however small it is
_PIXELS_A_BYTE = 100_000  # beyond these: an empty page as a fax writes it has 40,000
_PLAIN = ("1", "L", "P", "RGB")  # modes that become L or RGB without a copy of more than a byte a channel
_BYTES_A_PIXEL, _BYTES_OF_OTHERS = 6, 12  # that decoding takes at most, of plain modes and of all others
_COEFFICIENTS = 6  # bytes a pixel that a progressive JPEG takes at its full size before a pixel of it is known
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type


@dataclass(frozen=True)
class Form:
    """What all images are decoded to: by stated steps, or (None) scaled to cover the size and cropped at the centre."""

    size: tuple[int, int]  # (H, W)
    channels: int  # 1 or 3
    interpolation: str = "bilinear"
    steps: tuple[Step, ...] | None = None
    upright: bool = True  # turned as the file says and laid over white; else as `Image.open(file).convert("RGB")`

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of each image."""
        return (*self.size, self.channels)

    @property
    def bytes(self) -> int:
        """Bytes that one image takes."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """What a file's header says. size: (H, W) upright, None where it cannot be read; fault: what is wrong, or "".

    changed: whether it is turned or laid over white when it is decoded; SWAPPED where that swaps height and width.
    """

    size: tuple[int, int] | None
    grey: bool = True
    fault: str = ""
    changed: int = field(default=0, compare=False)


CHANGED, SWAPPED = 1, 2


IN_FLIGHT = 1 << 30
"""Bytes of images that are decoded at once: one photograph of 100 megapixels, or as many small ones as threads want."""


class _Room:
    """Lets threads take as many bytes together as there are; what is larger than all of them goes alone."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = threading.Condition()

    @contextmanager
    def taking(self, wanted: int) -> Iterator[None]:
        """Wait until there is room for so many bytes, and take it while the block runs."""
        wanted = min(wanted, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()


_ROOM = _Room(IN_FLIGHT)


@contextmanager
def _room_for(image: Image.Image, whole: Size) -> Iterator[None]:
    """Take the room that decoding an open image needs; whole: its (H, W) before it was asked for fewer pixels."""
    pixels, of_all = image.width * image.height, math.prod(whole)
    if of_all <= _SMALL:
        yield
        return
    wanted = pixels * (_BYTES_A_PIXEL if image.mode in _PLAIN else _BYTES_OF_OTHERS)
    if image.info.get("progressive"):
        wanted += of_all * _COEFFICIENTS
    with _ROOM.taking(wanted):
        yield


class CannotReadError(Exception):
    """A file cannot be decoded; the text says why."""


NO_IMAGE = "no image ({})"
"""Why a file with this ending is passed over."""


def is_image(name: str) -> bool:
    """Whether a file is an image that can be read here, by the ending of its name."""
    suffix = suffix_of(name)
    return suffix in _SUFFIXES or (suffix in _HEIF_SUFFIXES and reads_heif())


def why_foreign(name: str) -> str:
    """Say why an image of this name is not read: it is named among what is left out; "" for what is no such image."""
    suffix = suffix_of(name)
    if suffix in _HEIF_SUFFIXES:
        return "" if reads_heif() else NEEDS_HEIF
    return f"{suffix[1:].upper()} images are not read; save it as PNG or JPEG" if suffix in _FOREIGN_SUFFIXES else ""


@functools.cache
def reads_heif() -> bool:
    """Whether HEIC images can be read here, which an optional package does; from then on Pillow can."""
    if find_spec("pillow_heif") is None:
        return False
    import pillow_heif

    pillow_heif.register_heif_opener()
    return True


def _opened(source: io.BytesIO) -> Image.Image:
    """Open an image; raises CannotReadError where what reads its kind is not installed.

    Pillow refuses one of more than twice the pixels from which on it warns.
    """
    start = bytes(source.getbuffer()[4:12])
    if start[:4] == b"ftyp" and start[4:] in _HEIF_BRANDS:
        if not reads_heif():
            raise CannotReadError(NEEDS_HEIF)
    elif start[:4] == b"ftyp" and start[4:] in _AVIF_BRANDS and not features.check("avif"):
        raise CannotReadError(_NEEDS_AVIF)
    image = Image.open(source)
    pixels, size = image.width * image.height, len(source.getbuffer())
    if pixels > max(_FREELY, _PIXELS_A_BYTE * size):
        raise CannotReadError(f"damaged: {size:,} bytes cannot be {image.width}×{image.height} pixels")
    return image


def decode(source: bytes | Image.Image, form: Form) -> np.ndarray:
    """Decode one image file's bytes, or what they were decoded to, into (H, W, C) uint8 in a form.

    Raises an exception with the reason where that fails.
    """
    if isinstance(source, Image.Image):
        return formed(source, form)
    # A JPEG decoder can give a smaller picture for less work; twice the wanted size loses nothing visible.
    largest = 2 * max(form.size) if form.steps is None else None
    with _decoded(source, channels_to_decode(form), largest, upright=form.upright) as image:
        return formed(image, form)


def decode_whole(
    data: bytes, channels: int | None = None, largest: int | None = None, *, upright: bool = True
) -> Image.Image:
    """Decode one image file's bytes into mode L or RGB for 1 or 3 channels, None: as it has colours or not.

    largest: a side from which on fewer pixels are enough; upright: turned as the file says, and laid over white where
    it is transparent. Raises an exception with the reason where that fails.
    """
    with _decoded(data, channels, largest, upright=upright) as image:
        return image


@contextmanager
def _decoded(data: bytes, channels: int | None, largest: int | None, *, upright: bool) -> Iterator[Image.Image]:
    """Give what `decode_whole` returns, and keep the room it takes while the block runs."""
    with _opened(io.BytesIO(data)) as image:
        channels = channels or (1 if is_grey(image) else 3)
        whole = (image.height, image.width)
        if largest is not None and image.mode in ("L", "RGB"):
            image.draft(image.mode, (largest, largest))
        with _room_for(image, whole):
            if upright:
                yield _to_eight_bits(_upright(image), channels)
            else:
                image.load()
                coloured = image.convert("RGB")
                yield coloured.convert("L") if channels == 1 else coloured


def channels_to_decode(form: Form) -> int:
    """Return the channels to decode to: steps that make an image grey need its colours until then."""
    return 3 if any(isinstance(step, Grayscale) for step in form.steps or ()) else form.channels


def formed(image: Image.Image, form: Form) -> np.ndarray:
    """Return an image of mode L or RGB as (H, W, C) uint8 in a form; raises CannotReadError where steps lead elsewhere.

    With steps it is to the last bit what torchvision's transforms of these names make of it.
    """
    if form.steps is None:
        image = _fit(image, form)
    for step in form.steps or ():
        image = step.done(image)
    wanted = "L" if form.channels == 1 else "RGB"
    pixels = np.atleast_3d(np.asarray(image if image.mode == wanted else image.convert(wanted)))
    if pixels.shape != form.shape:
        raise CannotReadError(f"{pixels.shape[1]}×{pixels.shape[0]} pixels after its preparation, unlike the others")
    return pixels


def decode_into(row: np.ndarray, source: bytes | Image.Image, form: Form) -> str:
    """Do what `decode` does into `row` (H, W, C) uint8; where that fails leave it black and return the reason."""
    try:
        row[...] = decode(source, form)
    except MemoryError:  # says nothing of the file
        raise
    except Exception as error:  # decoders raise nearly anything on damaged files
        row[...] = 0
        return reason_of(error)
    return ""


def look(data: bytes) -> Header:
    """Read a file's header and check whether it would decode, without decoding all of it where the format allows.

    JPEG and PNG count as undamaged where they end as they must, their first pixels decode and, in PNG, all checksums
    fit; other formats are decoded. A file that passes and still does not decode is reported when it is read, see
    `core.data.reading`.
    """
    header = Header(None)
    try:
        buffer = io.BytesIO(data)
        with _opened(buffer) as image:
            width, height = image.size
            # A PNG without this entry so far would be decoded in search of one behind the pixels.
            looked_up = image.format != "PNG" or "exif" in image.info
            turned = _orientation(image) if looked_up else 1
            rotated = turned in _ROTATED
            size, grey = ((width, height) if rotated else (height, width)), is_grey(image)
            changed = SWAPPED if rotated else CHANGED if turned != 1 or image.has_transparency_data else 0
            header = Header(size, grey, changed=changed)
            if fault := _further_pages(image):
                return replace(header, fault=fault)
            deep = image.mode.startswith("I") or image.mode == "F"
            if not deep and _looks_whole(image, buffer, data):
                return header
        return replace(header, size=_decoded_size(data))
    except MemoryError:  # says nothing of the file
        raise
    except Exception as error:  # decoders raise nearly anything on damaged files
        return replace(header, fault=reason_of(error))


def _decoded_size(data: bytes) -> tuple[int, int]:
    """Decode all of a file and return its upright (H, W), which not every header tells."""
    with _opened(io.BytesIO(data)) as image, _room_for(image, (image.height, image.width)):
        upright = _upright(image)
        _to_eight_bits(upright, 3)  # values out of range show here
        return upright.height, upright.width


def _looks_whole(image: Image.Image, buffer: io.BytesIO, data: bytes) -> bool:
    """Whether an open JPEG or PNG seems undamaged. `buffer` is what it reads from; it may be truncated here."""
    if image.format == "JPEG":
        ends = data[-_TRAIL:].rstrip(b"\0\r\n ").endswith(b"\xff\xd9")
        return ends and _begins_to_decode(image, buffer, len(data))
    return image.format == "PNG" and _chunks_fit(data)


def _begins_to_decode(image: Image.Image, buffer: io.BytesIO, size: int) -> bool:
    """Whether the tables and first pixels of an open JPEG decode, at an eighth of its size to save work."""
    whole = (image.height, image.width)
    image.draft(image.mode, (1, 1))
    if (cut := buffer.tell() + _START) < size:  # it was read up to its pixels
        buffer.truncate(cut)
    try:
        with _room_for(image, whole):
            image.load()
    except MemoryError:
        raise
    except Exception as error:
        return isinstance(error, OSError) and "truncated" in str(error)  # all there was of it decoded
    return True


def _chunks_fit(data: bytes) -> bool:
    """Whether a PNG's chunks reach up to its end mark, each with the right checksum, and can hold all pixels."""
    position, view, first, stored = 8, memoryview(data), b"", 0
    while position + 12 <= len(data):
        length = int.from_bytes(view[position : position + 4], "big")
        end = position + 8 + length
        if end + 4 > len(data) or zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return False
        kind = bytes(view[position + 4 : position + 8])
        if kind == b"IDAT":
            first, stored = first or bytes(view[position + 8 : end][:_START]), stored + length
        elif kind == b"IEND":
            return _pixels_fit(data, first, stored)
        position = end + 4
    return False


def _pixels_fit(data: bytes, first: bytes, stored: int) -> bool:
    """Whether `stored` compressed bytes can be all pixels of a PNG, and the `first` of them decompress."""
    width, height, depth, colours = struct.unpack_from(">IIBB", data, 16)
    needed = height * (width * depth * _PNG_CHANNELS.get(colours, 1) + 7) // 8
    if stored * _DEFLATE_RATIO < needed:
        return False
    try:
        unpacked = zlib.decompressobj().decompress(first, _UNPACKED)
    except zlib.error:
        return False
    return stored > len(first) or len(unpacked) >= min(needed, _UNPACKED)


def _orientation(image: Image.Image) -> int:
    """Return how an image has to be turned to stand upright, as EXIF numbers it; 1: not at all."""
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # damaged metadata; the picture itself is fine
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _further_pages(image: Image.Image) -> str:
    """Say that a TIFF has several pages of one size, of which only the first would be read; "" where it has not."""
    pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    if pages == 1:
        return ""
    size = image.size
    image.seek(1)
    further = image.size
    image.seek(0)
    if further != size:  # a small picture of the first
        return ""
    return f"{pages} pages of one size; give them as channels of an array (.npz, N×H×W×C), or as files of their own"


def _upright(image: Image.Image) -> Image.Image:
    """Decode all of an image and turn it as its metadata says."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged metadata; the picture itself is fine
        return image


def is_grey(image: Image.Image) -> bool:
    """Whether an image has no colours, as far as its header and palette say."""
    if image.mode in ("P", "PA"):
        if image.palette is None or image.palette.mode != "RGB":
            return False
        palette = np.frombuffer(image.palette.tobytes(), dtype=np.uint8)
        colours = palette[: len(palette) // 3 * 3].reshape(-1, 3)
        return len(colours) > 0 and bool((colours == colours[:, :1]).all())
    return Image.getmodebase(image.mode) == "L"


def _to_eight_bits(image: Image.Image, channels: int) -> Image.Image:
    """Return the image in mode L or RGB: 16-bit values scaled (Pillow would clip them), alpha laid over white."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        scaled = _scaled(values, image.mode)
        if isinstance(clear := image.info.get("transparency"), int):  # the value of a PNG's that is transparent
            scaled[values == clear] = 255
        image = Image.fromarray(scaled)
    wanted = "L" if channels == 1 else "RGB"
    if image.has_transparency_data:
        return _over_white(image, wanted)
    return image if image.mode == wanted else image.convert(wanted)


def _over_white(image: Image.Image, mode: str) -> Image.Image:
    """Return an image in a mode without alpha, laid over white: by strips, since each step takes a copy."""
    result = Image.new(mode, image.size)
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):
        layer = image.crop((0, top, image.width, min(top + rows, image.height))).convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        result.paste(Image.alpha_composite(ground, layer).convert(mode), (0, top))
    return result


def _scaled(values: np.ndarray, mode: str) -> np.ndarray:
    """Return values of 16 bits or of 0..1 as uint8; raises CannotReadError where they are of another range."""
    if mode == "F":
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= 1):  # also refuses NaN
            raise CannotReadError(f"floating-point values from {low:g} to {high:g}, not 0 to 1")
        return _by_strips(values, lambda strip: np.rint(strip * np.float32(255)))
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise CannotReadError(f"32-bit values from {low} to {high}, more than 16 bits")
    return _by_strips(values, lambda strip: (strip.astype(np.uint32) + 128) // 257)


def _by_strips(values: np.ndarray, work: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return what `work` makes of values (H, W) as uint8: by strips, since each step takes a copy."""
    result = np.empty(values.shape, np.uint8)
    rows = max(1, _STRIP // values.shape[1])
    for top in range(0, len(values), rows):
        result[top : top + rows] = work(values[top : top + rows])
    return result


def _fit(image: Image.Image, form: Form) -> Image.Image:
    """Scale so that the image covers the size, then crop at the centre."""
    height, width = form.size
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), method=Image.Resampling[form.interpolation.upper()])


def suffix_of(name: str) -> str:
    """Return the ending of a file's name in lower case, "" for none; a Path takes ten times as long."""
    place = name.rfind(".")
    return name[place:].lower() if place > 0 else ""


def reason_of(error: Exception) -> str:
    """Say in a few words why a file cannot be read or decoded."""
    if isinstance(error, CannotReadError):
        return str(error)
    if isinstance(error, InputError):
        return reason_of(error.__cause__) if isinstance(error.__cause__, OSError) else error.message.rstrip(".")
    if isinstance(error, UnidentifiedImageError):
        return "not an image, or of an unknown kind"
    if isinstance(error, Image.DecompressionBombError):
        return f"more pixels than the limit of {2 * (Image.MAX_IMAGE_PIXELS or 0):,}"
    if isinstance(error, MemoryError):
        return "memory ran out"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"damaged: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
