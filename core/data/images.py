"""Decode one image file: any mode, any size, upright; say from its header what it is and whether it is whole."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".avif")
)

_ROTATED = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_ORIENTATION = 0x0112
_TRAIL = 64  # bytes; some programs pad a JPEG behind its end mark
_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
_GREY_MODES = frozenset(("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"))


@dataclass(frozen=True)
class Form:
    """What all images are decoded to."""

    size: tuple[int, int]  # (H, W)
    channels: int  # 1 or 3
    interpolation: str = "bilinear"


@dataclass(frozen=True)
class Header:
    """What a file says of its image. size: (H, W) upright, None where not even that can be read; fault: "" if none."""

    size: tuple[int, int] | None
    grey: bool = True
    fault: str = ""


class CannotReadError(Exception):
    """A file cannot be decoded; the text says why."""


_PROBE = Form((1, 1), 3)  # the least work that still reads all of a file


def decode(data: bytes, form: Form) -> np.ndarray:
    """Decode one image file's bytes into (H, W, C) uint8; raises an exception with the reason where that fails."""
    with Image.open(io.BytesIO(data)) as image:
        _check_pixels(image)
        height, width = form.size
        if image.mode in ("L", "RGB"):
            # A JPEG decoder can give a smaller picture for less work; twice the wanted size loses nothing visible.
            image.draft(image.mode, (2 * max(height, width), 2 * max(height, width)))
        image.load()
        upright = _upright(image)
        return _to_array(_fit(_to_eight_bits(upright, form.channels), form), form.channels)


def look(data: bytes) -> Header:
    """Read a file's header and tell whether it would decode, without decoding it where the format allows.

    JPEG and PNG are whole where they end as they must and, in PNG, where all checksums fit; others are decoded.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            # A PNG without this entry so far would be decoded in search of one behind the pixels.
            looked_up = image.format != "PNG" or "exif" in image.info
            rotated = looked_up and _orientation(image) in _ROTATED
            size, grey = ((width, height) if rotated else (height, width)), is_grey(image)
            kind, depth = image.format, image.mode
            fault = _excess(image)
    except Exception as error:  # decoders raise nearly anything on damaged files
        return Header(None, fault=reason_of(error))
    if not fault and (depth.startswith("I") or depth == "F" or not _is_whole(data, kind)):
        try:
            decode(data, _PROBE)
        except Exception as error:
            fault = reason_of(error)
    return Header(size, grey, fault)


def _is_whole(data: bytes, kind: str | None) -> bool:
    if kind == "JPEG":
        return data[-_TRAIL:].rstrip(b"\0\r\n ").endswith(b"\xff\xd9")
    return kind == "PNG" and _chunks_fit(data)


def _chunks_fit(data: bytes) -> bool:
    """Whether a PNG's chunks follow each other up to its end mark, each with the right checksum."""
    position, view = 8, memoryview(data)
    while position + 12 <= len(data):
        length = int.from_bytes(view[position : position + 4], "big")
        end = position + 8 + length
        if end + 4 > len(data) or zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return False
        if view[position + 4 : position + 8] == b"IEND":
            return True
        position = end + 4
    return False


def _orientation(image: Image.Image) -> int | None:
    try:
        found: int | None = image.getexif().get(_ORIENTATION)
    except Exception:  # damaged metadata; the picture itself is fine
        return None
    return found


def _excess(image: Image.Image) -> str:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is None or image.width * image.height <= limit:
        return ""
    return f"{image.width}×{image.height} pixels are more than the limit of {limit:,}"


def _check_pixels(image: Image.Image) -> None:
    if excess := _excess(image):
        raise CannotReadError(excess)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged metadata; the picture itself is fine
        return image


def is_grey(image: Image.Image) -> bool:
    """Whether an image has no colours, as far as its header and palette say."""
    if image.mode in ("P", "PA"):
        palette = np.frombuffer(image.palette.tobytes() if image.palette else b"", dtype=np.uint8)
        colours = palette[: len(palette) // 3 * 3].reshape(-1, 3)
        return bool(len(colours)) and image.palette is not None and image.palette.mode == "RGB" and bool(
            (colours == colours[:, :1]).all()
        )
    return image.mode in _GREY_MODES


def _to_eight_bits(image: Image.Image, channels: int) -> Image.Image:
    """Return the image in mode L or RGB: 16-bit values scaled (Pillow would clip them), alpha laid over white."""
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_scaled(np.asarray(image), image.mode))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        image = Image.alpha_composite(ground, layer)
    wanted = "L" if channels == 1 else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def _scaled(values: np.ndarray, mode: str) -> np.ndarray:
    if mode == "F":
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= 1):  # also refuses NaN
            raise CannotReadError(f"floating-point values from {low:g} to {high:g}, not 0 to 1")
        return np.rint(values * np.float32(255)).astype(np.uint8)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise CannotReadError(f"32-bit values from {low} to {high}, more than 16 bits")
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _fit(image: Image.Image, form: Form) -> Image.Image:
    """Scale so that the image covers the size, then crop at the centre."""
    height, width = form.size
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), method=_RESAMPLING[form.interpolation])


def _to_array(image: Image.Image, channels: int) -> np.ndarray:
    array = np.asarray(image)
    return array[..., None] if channels == 1 else array


def reason_of(error: Exception) -> str:
    """Say in a few words why a file cannot be read or decoded."""
    if isinstance(error, CannotReadError):
        return str(error)
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image, or of an unknown kind"
    if isinstance(error, Image.DecompressionBombError):
        return f"more pixels than the limit of {Image.MAX_IMAGE_PIXELS:,}"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"damaged: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
