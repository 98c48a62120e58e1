"""Decode image files into one array: any mode, any size, upright; what cannot be read is named, never fatal."""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from core.data.dataset import Unreadable
from core.data.digests import DigestCache
from core.data.loaded import DecodeOptions, Reporter
from core.errors import InputError

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".avif")
)
LARGEST_SIDE = 224  # images of no given size are decoded at most this large

_MAX_FILE_BYTES = 512 * 2**20
_CHUNK = 128  # files between two looks at the cancel flag
_MEMORY_SHARE = 0.8  # of what is free
_ROTATED = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_ORIENTATION = 0x0112
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


@dataclass(frozen=True, eq=False)
class Decoded:
    """The readable ones of some files. images: (m, H, W, C) uint8; kept: (m,) positions in the list of files."""

    images: np.ndarray
    digests: np.ndarray  # (m, 32) uint8, SHA-256 of each file
    kept: np.ndarray
    unreadable: tuple[Unreadable, ...]


class _CannotReadError(Exception):
    """A file cannot be decoded; the text says why."""


def decode_files(root: Path, names: Sequence[str], report: Reporter, options: DecodeOptions) -> Decoded:
    """Decode the files `names` under `root` to one size and number of channels.

    Where no size is asked for it is the most common one, each side at most LARGEST_SIDE; where no number of channels
    is, it is 1 if all files are grey, else 3. Images of another size are scaled to cover it and cropped at the centre.
    Raises InputError where none can be read or the memory is too small, StoppedError where cancelled.
    """
    with warnings.catch_warnings(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        # Pillow's own limit is enforced below, as an error for that file; its warning would only reach a terminal.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)  # damaged metadata of images that decode
        size, channels = options.size, options.channels
        if size is None or channels is None:
            common, all_grey = _survey(root, names, pool, report)
            size = size or common
            channels = channels or (1 if all_grey else 3)
        return _decode(root, names, Form(size, channels, options.interpolation), pool, report)


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


def _decode(root: Path, names: Sequence[str], form: Form, pool: ThreadPoolExecutor, report: Reporter) -> Decoded:
    shape = (len(names), *form.size, form.channels)
    _check_memory(shape)
    images = np.empty(shape, dtype=np.uint8)
    digests = np.empty((len(names), 32), dtype=np.uint8)
    kept: list[int] = []
    unreadable: list[Unreadable] = []
    cache = DigestCache.open(root)

    def work(position: int) -> str:
        try:
            data, status = _read(root / names[position])
            images[position] = decode(data, form)
            digests[position] = np.frombuffer(cache.digest(names[position], status, data), dtype=np.uint8)
        except Exception as error:  # decoders raise nearly anything on damaged files; each is a reason, none is fatal
            return _reason(error)
        return ""

    for first in _chunks(len(names)):
        report("Reading images", first, len(names))
        block = range(first, min(first + _CHUNK, len(names)))
        for position, reason in zip(block, pool.map(work, block), strict=True):
            if reason:
                unreadable.append(Unreadable(names[position], reason))
            else:
                kept.append(position)
    report("Reading images", len(names), len(names))
    cache.save()
    if not kept:
        example = f" ({unreadable[0].path}: {unreadable[0].reason})" if unreadable else ""
        raise InputError(f"None of the {len(names):,} images in {root} can be read{example}")
    rows = np.array(kept, dtype=np.int64)
    if unreadable:
        for start in range(0, len(rows), _CHUNK):  # closes the gaps in place: a second copy may not fit
            block_rows = rows[start : start + _CHUNK]
            images[start : start + len(block_rows)] = images[block_rows]
        images, digests = images[: len(rows)], digests[rows]
    return Decoded(images, digests, rows, tuple(unreadable))


def _survey(
    root: Path, names: Sequence[str], pool: ThreadPoolExecutor, report: Reporter
) -> tuple[tuple[int, int], bool]:
    """Read the headers: return the most common size, cut to LARGEST_SIDE, and whether all images are grey."""
    sizes: Counter[tuple[int, int]] = Counter()
    grey = True

    def look(name: str) -> tuple[tuple[int, int], bool] | None:
        try:
            if not _is_file(root / name):
                return None
            with Image.open(root / name) as image:
                width, height = image.size
                # A PNG without this entry so far would be decoded in search of one behind the pixels.
                looked_up = image.format != "PNG" or "exif" in image.info
                rotated = looked_up and image.getexif().get(_ORIENTATION) in _ROTATED
                return ((width, height) if rotated else (height, width)), _is_grey(image)
        except Exception:  # the decoding pass says why
            return None

    for first in _chunks(len(names)):
        report("Looking at image sizes", first, len(names))
        for seen in pool.map(look, names[first : first + _CHUNK]):
            if seen is not None:
                sizes[seen[0]] += 1
                grey = grey and seen[1]
    if not sizes:
        return (1, 1), True  # nothing is readable, which the decoding pass reports
    # Among equally common sizes the largest, so that the result does not depend on the order of files.
    height, width = max(sizes, key=lambda s: (sizes[s], s[0] * s[1], s))
    return (min(height, LARGEST_SIDE), min(width, LARGEST_SIDE)), grey


def _read(path: Path) -> tuple[bytes, os.stat_result]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        raise _CannotReadError("not a file")
    if status.st_size > _MAX_FILE_BYTES:
        raise _CannotReadError("the file is too large")
    if not status.st_size:
        raise _CannotReadError("the file is empty")
    return path.read_bytes(), status


def _is_file(path: Path) -> bool:
    return stat.S_ISREG(path.stat().st_mode)


def _check_pixels(image: Image.Image) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise _CannotReadError(f"{image.width}×{image.height} pixels are more than the limit of {limit:,}")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged metadata; the picture itself is fine
        return image


def _is_grey(image: Image.Image) -> bool:
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
            raise _CannotReadError(f"floating-point values from {low:g} to {high:g}, not 0 to 1")
        return np.rint(values * np.float32(255)).astype(np.uint8)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise _CannotReadError(f"32-bit values from {low} to {high}, more than 16 bits")
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


def _check_memory(shape: tuple[int, ...]) -> None:
    needed = int(np.prod(shape, dtype=object))
    free = _free_memory()
    if free is not None and needed > free * _MEMORY_SHARE:
        raise InputError(
            f"{shape[0]:,} images of {shape[1]}×{shape[2]} need {needed / 2**30:.1f} GB of memory, "
            f"{free / 2**30:.1f} GB are free",
            "Give a smaller size with --preprocess, or fewer images",
        )


def _free_memory() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, _CannotReadError):
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


def _chunks(total: int) -> Iterator[int]:
    return iter(range(0, total, _CHUNK))


