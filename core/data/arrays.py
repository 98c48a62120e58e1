"""Read data sets kept as arrays: one .npz file, or the IDX files of MNIST; nothing is ever unpickled."""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.data.classes import check_labels
from core.data.dataset import ImageSet, Loaded
from core.errors import InputError

IDX_FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)

_NPZ_HINT = "It needs x_train and y_train, and x_test and y_test for a test part"
_NPZ_ARRAYS = ("x_train", "y_train", "x_test", "y_test", "classes")
_IDX_NAME = re.compile(
    r"(?P<prefix>.*?)(?P<part>train|t10k|test)[-_.](?P<what>images|labels)[-_.]idx[134][-_]ubyte(?:\.gz)?",
    re.IGNORECASE,
)
_UBYTE = 0x08
_MAX_BYTES = 64 * 2**30  # an IDX header that promises more is damaged

_Named = tuple[str, np.ndarray]  # an array and what messages call it


@dataclass(frozen=True)
class IdxFolder:
    """The IDX files of a folder: training images and labels, and those of the test part where there are any."""

    train: tuple[Path, Path]
    test: tuple[Path, Path] | None


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
    parts = [name for name in ("train", "test") if f"x_{name}" in arrays]
    return _assembled(
        path.stem,
        path.name,
        [((f"x_{name}", arrays[f"x_{name}"]), (f"y_{name}", arrays[f"y_{name}"])) for name in parts],
        _stated_classes(path.name, arrays["classes"]) if "classes" in arrays else None,
        "Renumber the labels, or name all classes in an array called classes",
    )


def find_idx(folder: Path) -> IdxFolder | None:
    """Return the IDX files in `folder`, None where it holds no training images and labels.

    Raises InputError where it holds those of several data sets.
    """
    files: dict[tuple[str, str], dict[str, Path]] = {}
    try:
        entries = sorted(folder.iterdir(), key=lambda p: (p.suffix == ".gz", p.name))  # plain files win
    except OSError:
        return None
    for path in entries:
        match = _IDX_NAME.fullmatch(path.name)
        if match and path.is_file():
            part = "train" if match["part"].lower() == "train" else "test"
            files.setdefault((part, match["what"].lower()), {}).setdefault(match["prefix"], path)
    prefixes = sorted({prefix for (part, _), paths in files.items() if part == "train" for prefix in paths})
    if len(prefixes) > 1:
        raise InputError(
            f"{folder} holds the IDX files of several data sets: {', '.join(repr(p) for p in prefixes)}",
            "Put each data set into a folder of its own",
        )

    def pair(part: str) -> tuple[Path, Path] | None:
        images, labels = (files.get((part, what), {}).get(prefixes[0]) for what in ("images", "labels"))
        return None if images is None or labels is None else (images, labels)

    train = pair("train") if prefixes else None
    return None if train is None else IdxFolder(train, pair("test"))


def load_idx(files: IdxFolder, title: str, classes: tuple[str, ...] | None = None) -> Loaded:
    """Read the parts of `files`; classes are the numbers 0 .. K-1 where no names are given.

    Raises InputError where a file is damaged or images and labels do not belong together.
    """
    pairs = [files.train] if files.test is None else [files.train, files.test]
    return _assembled(
        title,
        str(files.train[0].parent),
        [((images.name, read_idx(images)), (labels.name, read_idx(labels))) for images, labels in pairs],
        None if classes is None else (classes, title),
        "Number the classes from 0 without a gap",
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
                arrays[name] = file[name] if name in _NPZ_ARRAYS else np.empty(0)
    except MemoryError as error:
        raise InputError(f"{path.name} does not fit into memory") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or 'it is no .npz file'}") from error
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError) as error:
        if isinstance(error, ValueError) and "pickle" in str(error).lower():
            what = f"The array {name} in {path.name}" if name else path.name
            raise InputError(
                f"{what} holds Python objects; reading them could run program code, so it was not opened",
                "Save plain number arrays (class names as strings)",
            ) from error
        raise InputError(f"{path.name} is damaged: {error}") from error
    return arrays


def _stated_classes(file: str, classes: np.ndarray) -> tuple[tuple[str, ...], str]:
    """Read class names from the array `classes`: the names, and what messages call their source."""
    if classes.ndim != 1 or classes.dtype.kind != "U" or not len(classes):
        raise InputError(f"{file}: classes must be a list of strings, got {classes.dtype} {classes.shape}")
    names = tuple(str(name) for name in classes)
    if len(set(names)) != len(names):
        raise InputError(f"{file}: classes holds a name twice")
    return names, "classes"


def _assembled(
    title: str, where: str, parts: list[tuple[_Named, _Named]], stated: tuple[tuple[str, ...], str] | None, hint: str
) -> Loaded:
    """Make data of one pair of images and labels (training) or two (and test); error messages begin with `where`."""
    train, *rest = (_part(where, images, labels) for images, labels in parts)
    test = rest[0] if rest else None
    if test is not None and test.images.shape[1:] != train.images.shape[1:]:
        sizes = ["×".join(map(str, part.images.shape[1:])) for part in (train, test)]
        first, second = (images for (images, _), _ in parts)
        raise InputError(f"{where}: {first} holds images of {sizes[0]}, {second} of {sizes[1]}")
    test_labels = np.zeros(0, np.int64) if test is None else test.labels.numpy()
    classes = check_labels(where, train.labels.numpy(), test_labels, stated, hint)
    return Loaded(title=title, classes=classes, train=train, test=test, named=stated is not None)


def _part(where: str, images: _Named, labels: _Named) -> ImageSet:
    x = _as_uint8(f"{where}: {images[0]}", _channels_last(f"{where}: {images[0]}", images[1]))
    y = _as_labels(f"{where}: {labels[0]}", labels[1])
    if len(x) != len(y):
        raise InputError(f"{where}: {images[0]} holds {len(x):,} images, {labels[0]} {len(y):,} labels")
    return ImageSet.of(x, y)


def _channels_last(where: str, x: np.ndarray) -> np.ndarray:
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim != 4:
        raise InputError(f"{where} must be (N, H, W), (N, H, W, C) or (N, C, H, W), got shape {x.shape}")
    if not x.size:
        raise InputError(f"{where} is empty: its shape is {x.shape}")
    if x.shape[3] in (1, 3):
        return x
    if x.shape[1] in (1, 3):
        return x.transpose(0, 2, 3, 1)
    raise InputError(f"{where} must have 1 or 3 channels, first or last, got shape {x.shape}")


def _as_uint8(where: str, x: np.ndarray) -> np.ndarray:
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
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise InputError(f"{where} must be one label an image, got shape {y.shape}")
    if not np.issubdtype(y.dtype, np.integer):
        raise InputError(f"{where} must hold integers, got {y.dtype}", "Class names go into an array called classes")
    return y
