"""Read data sets kept as arrays: one .npz file, or the IDX files of MNIST; nothing is ever unpickled."""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from core.data.classes import check_labels
from core.data.dataset import Found, ImageSet, Loaded
from core.data.reading import Parts
from core.errors import InputError

IDX_FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)

_NPZ_HINT = "It needs x_train and y_train, and x_test and y_test for a test part"
_NPZ_PARTS = ("x_train", "y_train", "x_test", "y_test")
_IDX_NAME = re.compile(
    r"(?P<prefix>.*?)(?P<part>train|t10k|test)[-_.](?P<what>images|labels)[-_.]idx[134][-_]ubyte(?:\.gz)?",
    re.IGNORECASE,
)
_WHAT = ("images", "labels")
_UBYTE = 0x08
_MAX_BYTES = 64 * 2**30  # an IDX header that promises more is damaged


def find_npz(path: Path) -> Parts | None:
    """Return an .npz file, None where `path` is none."""
    return Parts(path, (path,)) if path.suffix.lower() == ".npz" and path.is_file() else None


def load_npz(path: Path) -> Loaded:
    """Read x_train, y_train and, where present, x_test, y_test and classes (names).

    Images are (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels, uint8 or floating point in 0..1;
    labels are integers 0 .. K-1. Raises InputError naming the file, the array and what is wrong with it.
    """
    arrays = _read_npz(path)
    for name in ("x_train", "y_train"):
        if name not in arrays:
            names = ", ".join(sorted(arrays)) or "nothing"
            raise InputError(f"{path.name} has no array {name}; it holds {names}", _NPZ_HINT)
    if ("x_test" in arrays) != ("y_test" in arrays):
        lacks, has = ("y_test", "x_test") if "x_test" in arrays else ("x_test", "y_test")
        raise InputError(f"{path.name} has {has} but no {lacks}", _NPZ_HINT)
    return assemble(
        path.stem,
        path.name,
        {name: arrays[name] for name in _NPZ_PARTS if name in arrays},
        _stated_classes(path.name, arrays["classes"]) if "classes" in arrays else None,
    )


def find_idx(folder: Path) -> Parts | None:
    """Return the IDX files in `folder`, images then labels of each part; None where it has no training part.

    Raises InputError where it holds those of several data sets.
    """
    files: dict[tuple[str, str, str], Path] = {}  # by prefix, part and what they hold
    try:
        entries = sorted(folder.iterdir(), key=lambda p: (p.suffix == ".gz", p.name))  # plain files win
    except OSError:
        return None
    for path in entries:
        match = _IDX_NAME.fullmatch(path.name)
        if match and path.is_file():
            part = "train" if match["part"].lower() == "train" else "test"
            files.setdefault((match["prefix"], part, match["what"].lower()), path)
    prefixes = sorted({prefix for prefix, part, _ in files if part == "train"})
    if len(prefixes) > 1:
        raise InputError(
            f"{folder} holds the IDX files of several data sets: {', '.join(repr(p) for p in prefixes)}",
            "Put each data set into a folder of its own",
        )
    train, test = (
        tuple(files[prefix, part, what] for prefix in prefixes for what in _WHAT if (prefix, part, what) in files)
        for part in ("train", "test")
    )
    return Parts(folder, train, test if len(test) == len(_WHAT) else ()) if len(train) == len(_WHAT) else None


def load_idx(files: Parts, title: str, classes: tuple[str, ...] | None = None) -> Loaded:
    """Read IDX files; classes are the numbers 0 .. K-1 where no names are given.

    Raises InputError where a file is damaged or images and labels do not belong together.
    """
    return assemble(
        title,
        str(files.path),
        {path.name: read_idx(path) for path in (*files.train, *files.test)},
        None if classes is None else (classes, title),
    )


def read_idx(path: Path) -> np.ndarray:
    """Read one IDX file of unsigned bytes; raises InputError naming the file where it is damaged."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] != _UBYTE or not 1 <= head[3] <= 4:
                raise InputError(f"{path} is no IDX file of unsigned bytes")
            raw_shape = file.read(4 * head[3])
            if len(raw_shape) < 4 * head[3]:
                raise InputError(f"{path} ends within its header")
            shape = tuple(int(side) for side in np.frombuffer(raw_shape, dtype=">u4"))
            wanted = int(np.prod(shape, dtype=object))
            if wanted > _MAX_BYTES:
                raise InputError(f"{path} is damaged: its header promises {wanted:,} bytes")
            # At most what the header promises: a small compressed file must not fill the memory.
            data = file.read(wanted)
            if file.read(1):  # at the end of a compressed file this also compares its checksum
                raise InputError(f"{path} is damaged: it holds more than the {wanted:,} bytes its header promises")
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    except MemoryError as error:
        raise InputError(f"{path} does not fit into memory") from error
    if len(data) < wanted:
        raise InputError(f"{path} is truncated: {len(data):,} of {wanted:,} bytes")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a file by name. Arrays with other names are left empty: messages only list their names."""
    arrays = {}
    name = ""
    try:
        opened = np.load(path, allow_pickle=False)
        if not isinstance(opened, np.lib.npyio.NpzFile):
            raise InputError(f"{path.name} holds a single array, not an .npz archive", _NPZ_HINT)
        with opened as file:
            for name in file.files:
                arrays[name] = file[name] if name in (*_NPZ_PARTS, "classes") else np.empty(0)
    except MemoryError as error:
        raise InputError(f"{path.name} does not fit into memory") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or 'it is no .npz file'}") from error
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError) as error:
        if isinstance(error, ValueError) and "pickle" in str(error).lower():
            if not name and not _begins_as_objects(path):  # numpy takes whatever it does not know for a pickle
                raise InputError(f"{path.name} is damaged or no .npz file", _NPZ_HINT) from error
            what = f"The array {name} in {path.name}" if name else path.name
            raise InputError(
                f"{what} holds Python objects; reading them could run program code, so it was not opened",
                "Save plain number arrays (class names as strings)",
            ) from error
        raise InputError(f"{path.name} is damaged: {error}") from error
    return arrays


def _begins_as_objects(path: Path) -> bool:
    """Return whether a file begins as a pickle of protocol 2 or later, or as an array saved by itself."""
    with path.open("rb") as file:
        return file.read(6).startswith((b"\x80", b"\x93NUMPY"))


def _stated_classes(file: str, classes: np.ndarray) -> tuple[tuple[str, ...], str]:
    """Read class names from the array `classes`: the names, and what messages call their source."""
    if classes.ndim != 1 or classes.dtype.kind != "U" or not len(classes):
        raise InputError(f"{file}: classes must be a list of strings, got {classes.dtype} {classes.shape}")
    names = tuple(str(name) for name in classes)
    if len(set(names)) != len(names):
        raise InputError(f"{file}: classes holds a name twice")
    return names, "classes"


def assemble(
    title: str,
    where: str,
    arrays: Mapping[str, np.ndarray],
    stated: tuple[tuple[str, ...], str] | None = None,
) -> Loaded:
    """Make data of training images and labels, and of test images and labels where there are any, in this order.

    arrays: by the name that messages use behind `where`. stated: see `check_labels`. Raises InputError for arrays
    of another shape or type, or that do not belong together.
    """
    parts: list[ImageSet] = []
    columns = list(arrays.items())
    for (images, x), (labels, y) in zip(columns[::2], columns[1::2], strict=True):
        x, y = _as_images(f"{where}: {images}", x), _as_labels(f"{where}: {labels}", y)
        if len(x) != len(y):
            raise InputError(f"{where}: {images} holds {len(x):,} images, {labels} {len(y):,} labels")
        parts.append(ImageSet.of(x, y))
    sizes = ["×".join(map(str, part.images.shape[1:])) for part in parts]
    if len(set(sizes)) > 1:
        raise InputError(f"{where}: {columns[0][0]} holds images of {sizes[0]}, {columns[2][0]} of {sizes[1]}")
    classes = check_labels(where, [part.labels.numpy() for part in parts], stated)
    return Loaded(title, classes, parts[0], parts[1] if len(parts) > 1 else None, found=Found(numbered=stated is None))


def _as_images(where: str, x: np.ndarray) -> np.ndarray:
    """Return an array of images as (n, H, W, C) uint8; raises InputError where it is none."""
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim != 4:
        raise InputError(f"{where} must be (N, H, W), (N, H, W, C) or (N, C, H, W), got shape {x.shape}")
    if not x.size:
        raise InputError(f"{where} is empty: its shape is {x.shape}")
    if x.shape[3] not in (1, 3):
        if x.shape[1] not in (1, 3):
            raise InputError(f"{where} must have 1 or 3 channels, first or last, got shape {x.shape}")
        x = x.transpose(0, 2, 3, 1)
    if x.dtype == np.uint8:
        return x
    if not np.issubdtype(x.dtype, np.floating):
        raise InputError(f"{where} must be uint8, or floating point in 0..1, got {x.dtype}")
    low, high = float(x.min()), float(x.max())  # either is NaN where any value is
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"{where} holds values that are infinite or not a number")
    if low < 0 or high > 1:
        raise InputError(
            f"{where} holds floating-point values from {low:g} to {high:g}; they must lie in 0..1",
            "Store the images before normalisation, or as uint8",
        )
    images = np.empty(x.shape, dtype=np.uint8)
    for start in range(0, len(x), 1024):  # in chunks: a float copy of the whole may not fit
        images[start : start + 1024] = np.rint(x[start : start + 1024] * x.dtype.type(255))
    return images


def _as_labels(where: str, y: np.ndarray) -> np.ndarray:
    """Return an array of labels as (n,) integers; raises InputError where it is none."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise InputError(f"{where} must be one label an image, got shape {y.shape}")
    if not np.issubdtype(y.dtype, np.integer):
        raise InputError(f"{where} must hold integers, got {y.dtype}", "Class names go into an array called classes")
    return y
