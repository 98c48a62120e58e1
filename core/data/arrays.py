"""Read a data set from one .npz file of arrays, never unpickling anything."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from core.data.dataset import ImageSet
from core.data.loaded import Loaded
from core.errors import InputError

_HINT = "It needs x_train and y_train, and x_test and y_test for a test part"


def load_npz(path: Path) -> Loaded:
    """Read x_train, y_train and, where present, x_test, y_test and classes (names).

    Images are (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels, uint8 or floating point in 0..1;
    labels are integers 0 .. K-1. Raises InputError naming the file, the array and what is wrong with it.
    """
    arrays = _read(path)
    for name in ("x_train", "y_train"):
        if name not in arrays:
            held = ", ".join(sorted(arrays)) or "nothing"
            raise InputError(f"{path.name} has no array {name}; it holds {held}", _HINT)
    if ("x_test" in arrays) != ("y_test" in arrays):
        lacks, has = ("y_test", "x_test") if "x_test" in arrays else ("x_test", "y_test")
        raise InputError(f"{path.name} has {has} but no {lacks}", _HINT)
    train = _part(path, arrays, "train")
    test = _part(path, arrays, "test") if "x_test" in arrays else None
    if test is not None and test.images.shape[1:] != train.images.shape[1:]:
        raise InputError(f"{path.name}: x_train holds images of {_size(train)}, x_test of {_size(test)}")
    names = _class_names(path, arrays)
    classes = _check_labels(path, train, test, names)
    return Loaded(title=path.stem, classes=classes, train=train, test=test, named=names is not None)


def _read(path: Path) -> dict[str, np.ndarray]:
    arrays = {}
    name = ""
    try:
        opened = np.load(path, allow_pickle=False)
        if not isinstance(opened, np.lib.npyio.NpzFile):
            raise InputError(f"{path.name} holds a single array, not an .npz archive", _HINT)
        with opened as file:
            for name in file.files:
                if name in ("x_train", "y_train", "x_test", "y_test", "classes"):
                    arrays[name] = file[name]
                else:
                    arrays[name] = np.empty(0)  # only its name is shown, where something is missing
    except MemoryError as error:
        raise InputError(f"{path.name} does not fit into memory") from error
    except ValueError as error:
        if "pickle" in str(error).lower():
            what = f"The array {name} in {path.name}" if name else path.name
            raise InputError(
                f"{what} holds Python objects; reading them could run program code, so it was not opened",
                "Save plain number arrays (class names as strings)",
            ) from error
        raise InputError(f"{path.name} is damaged: {error}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or 'it is no .npz file'}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError) as error:
        raise InputError(f"{path.name} is damaged: {error}") from error
    return arrays


def _part(path: Path, arrays: dict[str, np.ndarray], name: str) -> ImageSet:
    where = f"{path.name}: x_{name}"
    images = _as_uint8(where, _channels_last(where, arrays[f"x_{name}"]))
    labels = _labels(f"{path.name}: y_{name}", arrays[f"y_{name}"])
    if len(images) != len(labels):
        raise InputError(f"{where} holds {len(images):,} images, y_{name} {len(labels):,} labels")
    return ImageSet.of(images, labels)


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
        return np.ascontiguousarray(x)
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


def _labels(where: str, y: np.ndarray) -> np.ndarray:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise InputError(f"{where} must be one label an image, got shape {y.shape}")
    if not np.issubdtype(y.dtype, np.integer):
        raise InputError(f"{where} must hold integers, got {y.dtype}", "Class names go into an array called classes")
    return y.astype(np.int64)


def _class_names(path: Path, arrays: dict[str, np.ndarray]) -> tuple[str, ...] | None:
    if "classes" not in arrays:
        return None
    classes = arrays["classes"]
    if classes.ndim != 1 or classes.dtype.kind != "U" or not len(classes):
        raise InputError(f"{path.name}: classes must be a list of strings, got {classes.dtype} {classes.shape}")
    names = tuple(str(name) for name in classes)
    if len(set(names)) != len(names):
        raise InputError(f"{path.name}: classes holds a name twice")
    return names


def _check_labels(path: Path, train: ImageSet, test: ImageSet | None, names: tuple[str, ...] | None) -> tuple[str, ...]:
    lowest = min(int(p.labels.min()) for p in (train, test) if p is not None)
    highest = max(int(p.labels.max()) for p in (train, test) if p is not None)
    if lowest < 0:
        raise InputError(f"{path.name}: labels must be 0 or more, got {lowest}")
    if names is not None:
        if highest >= len(names):
            raise InputError(f"{path.name}: label {highest} has no name; classes holds {len(names)} names")
        return names
    present = np.unique(train.labels)
    if len(present) != highest + 1:
        gap = next(i for i in range(len(present) + 1) if i >= len(present) or present[i] != i)
        raise InputError(
            f"{path.name}: labels must be 0 to K-1 without a gap; they reach {highest}, "
            f"but no training image has label {gap}",
            "Renumber the labels, or name all classes in an array called classes",
        )
    return tuple(str(i) for i in range(highest + 1))


def _size(part: ImageSet) -> str:
    return "×".join(str(side) for side in part.images.shape[1:])
