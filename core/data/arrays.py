"""Read data sets kept as arrays: an .npz file, .npy files, or the IDX files of MNIST; nothing is ever unpickled."""

from __future__ import annotations

import gzip
import io
import math
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from core.data.classes import MOST_NAMES, check_labels, several_labels
from core.data.dataset import Found, ImageSet, Loaded
from core.data.reading import PART_NAMES, TEST_NAMES, TRAIN_NAMES, Parts, free_memory
from core.errors import AppError, InputError, first_few
from core.events import Tell
from core.files import open_regular

IDX_FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)

_HINT = "It needs x_train and y_train, and x_test and y_test for a test part"
_NPY_HINT = "Name them x_train.npy and y_train.npy, and x_test.npy and y_test.npy for a test part"
# What arrays are called: a word for what they hold, beside one for their part where they belong to one.
_IMAGE_WORDS = ("x", "images", "image", "imgs", "data", "inputs", "pixels")
_LABEL_WORDS = ("y", "labels", "label", "targets", "target")
_UNNAMED = re.compile(r"arr_\d+")
_CLASSES = "classes"
_MOST_CHANNELS = 64
_IDX_NAME = re.compile(
    r"(?P<prefix>.*?)(?P<part>train|t10k|test)[-_.](?P<what>images|labels)[-_.]idx[134][-_]ubyte(?:\.gz)?",
    re.IGNORECASE,
)
_WHAT = ("images", "labels")
_UBYTE = 0x08
_PIECE = 1 << 20  # bytes read at once: what a compressed file unpacks to is held once
_HEADER_BYTES = 10_000  # of an .npy file, as numpy has it
_MAGIC, _PICKLE, _ZIP = b"\x93NUMPY", b"\x80", b"PK"  # first bytes of an array, of objects, of an archive

MOST_TIMES = 250
"""Times that compressed arrays may be as large as their file, beyond FREELY: drawings in black on white reach 200."""

FREELY = 256 << 20
"""Bytes that a compressed file may unpack to, however small it is: a machine that trains networks has them."""


def find_npz(path: Path) -> Parts | None:
    """Return an .npz file, None where `path` is none."""
    return Parts(path, (path,)) if path.suffix.lower() == ".npz" and path.is_file() else None


def load_npz(files: Parts, report: Tell) -> Loaded:
    """Read images and labels of a training part and, where present, of a test part, and classes (names).

    Arrays are called x_train and y_train, or alike (`images`, `labels`, `test_images`, ...). Images are (N, H, W),
    (N, H, W, C) or (N, C, H, W), uint8 or floating point in 0..1; labels are integers 0 .. K-1, or one-hot. Raises
    InputError naming the file, the array and what is wrong with it.
    """
    path = files.path
    with open_regular(path) as file, _reading(path.name):
        start = file.read(len(_MAGIC))
        if start == _MAGIC:
            raise InputError(f"{path.name} holds a single array, not an .npz archive", _HINT)
        if start.startswith(_PICKLE):
            raise _holds_objects(path.name)
        size = file.seek(0, io.SEEK_END)
        with zipfile.ZipFile(file) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

            def read(name: str) -> np.ndarray:
                member, where = members[name], f"The array {name} in {path.name}"
                packed = min(member.compress_size, size)
                with _reading(where), archive.open(member) as opened:
                    return _read_npy(where, opened, packed, plain=member.compress_type == zipfile.ZIP_STORED)

            if members and all(_UNNAMED.fullmatch(name) for name in members):
                raise InputError(
                    f"The arrays in {path.name} have no names ({first_few(members, 12)}), so nothing says which holds "
                    "what",
                    "Save them as np.savez(file, x_train=..., y_train=...)",
                )
            return _load(path.stem, path.name, {name: name for name in members}, read, _HINT)


def find_npy(path: Path) -> Parts | None:
    """Return the .npy files of images and labels in a folder, or beside the .npy file `path`; None without a pair."""
    folder = path.parent if path.suffix.lower() == ".npy" and path.is_file() else path
    try:
        files = {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() == ".npy"}
    except OSError:
        return None
    if not any(_what(stem) for stem in files):
        return None
    return Parts(folder, tuple(files.values()))


def load_npy(files: Parts, report: Tell) -> Loaded:
    """Read the .npy files of a folder like the arrays of an .npz file. Raises InputError as `load_npz` does."""
    by_stem = {file.stem: file for file in files.train}

    def read(stem: str) -> np.ndarray:
        path = by_stem[stem]
        with open_regular(path) as file, _reading(path.name):
            start = file.read(len(_MAGIC))
            if start.startswith(_ZIP):
                raise InputError(f"{path.name} is an .npz archive, not a single array", "Rename it to end in .npz")
            if start.startswith(_PICKLE):
                raise _holds_objects(path.name)
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            return _read_npy(path.name, file, size, plain=True)

    title = files.path.name
    return _load(title, title, {stem: file.name for stem, file in by_stem.items()}, read, _NPY_HINT)


def _load(
    title: str, where: str, names: Mapping[str, str], read: Callable[[str], np.ndarray], hint: str
) -> Loaded:
    """Read the arrays that hold images, labels and class names; names: of all arrays, with what messages call each."""
    pairs, notices = _pairs(names, where, hint)
    arrays = {names[name]: read(name) for pair in pairs for name in pair}
    stated = _stated_classes(where, read(_CLASSES)) if _CLASSES in names else None
    return assemble(title, where, arrays, stated, notices)


def _what(name: str) -> tuple[str, str] | None:
    """Return what an array holds ("images" or "labels") and its part (a word of a folder, or ""); None for neither."""
    words = re.split(r"[_\-. ]+", name.lower())
    parts = [word for word in words if word in PART_NAMES]
    kinds = [word for word in words if word not in parts]
    if len(parts) > 1 or len(kinds) != 1:
        return None
    kind = "images" if kinds[0] in _IMAGE_WORDS else "labels" if kinds[0] in _LABEL_WORDS else ""
    return (kind, parts[0] if parts else "") if kind else None


def _pairs(names: Mapping[str, str], where: str, hint: str) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """Return the names of images and labels of the training part and of the test part, and what people should know.

    names: of all arrays, with what messages call each. Raises InputError where a part is missing or several fit.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for name in names:
        if (what := _what(name)) is not None:
            found.setdefault(what[1], {}).setdefault(what[0], []).append(name)
    train = next((part for part in (*TRAIN_NAMES, "") if part in found), None)
    test = next((part for part in TEST_NAMES if part in found), None)
    if train is None or "images" not in found[train]:
        listed = first_few(sorted(names.values()), 30) or "nothing"
        raise InputError(f"{where} has no array x_train; it holds {listed}", hint)
    pairs = []
    for part in [train] if test is None else [train, test]:
        kinds = found[part]
        for kind in ("images", "labels"):
            if len(kinds.get(kind, ())) > 1:
                raise InputError(f"{where} has several arrays of {kind}: {', '.join(kinds[kind])}", hint)
            if kind not in kinds:
                other = names[next(iter(kinds.values()))[0]]
                listed = first_few(sorted(names.values()), 30)
                raise InputError(f"{where} has {other} but no {kind} with it; it holds {listed}", hint)
        pairs.append((kinds["images"][0], kinds["labels"][0]))
    unused = [name for part in found if part not in (train, test) for kind in found[part].values() for name in kind]
    said = f"{where}: not used are {', '.join(names[name] for name in unused)}; {names[pairs[-1][0]]} is."
    return pairs, (said,) if unused else ()


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


def load_idx(files: Parts, report: Tell, title: str = "", classes: tuple[str, ...] = ()) -> Loaded:
    """Read IDX files; classes are the numbers 0 .. K-1 where no names are given.

    Raises InputError where a file is damaged or images and labels do not belong together.
    """
    arrays = {path.name: read_idx(path) for path in files.every}
    return assemble(title or files.path.name, str(files.path), arrays, (classes, title) if classes else None)


def read_idx(path: Path) -> np.ndarray:
    """Read one IDX file of unsigned bytes; raises InputError naming the file where it is damaged."""
    with open_regular(path) as file, _reading(str(path), "cannot be read"):
        packed, plain = file.seek(0, io.SEEK_END), path.suffix != ".gz"
        file.seek(0)
        opened = file if plain else gzip.GzipFile(fileobj=file)
        head = opened.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] != _UBYTE or not 1 <= head[3] <= 4:
            raise InputError(f"{path} is no IDX file of unsigned bytes")
        raw_shape = opened.read(4 * head[3])
        if len(raw_shape) < 4 * head[3]:
            raise InputError(f"{path} ends within its header")
        shape = tuple(int(side) for side in np.frombuffer(raw_shape, dtype=">u4"))
        if plain:
            packed -= len(head) + len(raw_shape)
        return _read_rest(str(path), opened, math.prod(shape), packed, plain=plain).reshape(shape)


def _read_npy(where: str, file: Any, packed: int, *, plain: bool) -> np.ndarray:
    """Read one array as `np.save` writes it; packed: bytes it takes on disk; plain: as they are, not compressed.

    Raises InputError beginning with `where`, and whatever numpy does on a damaged header.
    """
    head = file.read(len(_MAGIC) + 2)
    if not head.startswith(_MAGIC):
        raise InputError(f"{where} is damaged or no .npy file")
    first = head[-2] == 1  # version 1, whose header is shorter
    length = file.read(2 if first else 4)
    if (count := int.from_bytes(length, "little")) > _HEADER_BYTES:
        raise InputError(f"{where} is damaged: its header has {count:,} bytes, at most {_HEADER_BYTES:,} are read")
    header = io.BytesIO(length + file.read(count))
    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    shape, by_column, dtype = read(header, max_header_size=_HEADER_BYTES)
    if dtype.hasobject:
        raise _holds_objects(where)
    if min(shape, default=0) < 0 or not dtype.itemsize:
        raise InputError(f"{where} is damaged: its shape is {shape}, of {dtype}")
    if plain:
        packed -= len(head) + header.tell()
    data = _read_rest(where, file, math.prod(shape) * dtype.itemsize, packed, plain=plain)
    return data.view(dtype).reshape(shape, order="F" if by_column else "C")


def _read_rest(where: str, file: Any, wanted: int, packed: int, *, plain: bool) -> np.ndarray:
    """Read the `wanted` bytes that a header promises, to the file's end: (wanted,) uint8. Nothing is set aside before
    it is known that the `packed` bytes on disk can hold them, and the memory, too.
    """  # noqa: D205
    if plain and wanted > packed:
        raise _truncated(where, packed, wanted)
    if not plain and wanted > max(FREELY, MOST_TIMES * packed):
        raise InputError(
            f"{where} promises {wanted:,} bytes in {packed:,}: beyond {FREELY:,} bytes, at most {MOST_TIMES} times as "
            "many as there are on disk are unpacked",
            "Save it without compression",
        )
    if wanted > (free := free_memory(swap=True)):
        raise InputError(f"{where} does not fit into memory: it takes {wanted:,} bytes, and {int(free):,} are free")
    data, place = np.empty(wanted, np.uint8), 0
    while place < wanted:
        piece = file.read(min(_PIECE, wanted - place))
        if not piece:
            raise _truncated(where, place, wanted)
        data[place : place + len(piece)] = np.frombuffer(piece, np.uint8)
        place += len(piece)
    if file.read(1):  # at the end of a compressed file this also compares its checksum
        raise InputError(f"{where} is damaged: it holds more than the {wanted:,} bytes its header promises")
    return data


def _truncated(where: str, there: int, wanted: int) -> InputError:
    return InputError(f"{where} is truncated: {there:,} of the {wanted:,} bytes its header promises")


def _holds_objects(where: str) -> InputError:
    return InputError(
        f"{where} holds Python objects; reading them could run program code, so it was not opened",
        "Save plain number arrays (class names as strings)",
    )


@contextmanager
def _reading(where: str, what: str = "is damaged") -> Iterator[None]:
    """Turn whatever is raised on a damaged file into InputError: `where` it was, and `what` of it."""
    try:
        yield
    except AppError:
        raise
    except MemoryError as error:
        raise InputError(f"{where} does not fit into memory") from error
    except Exception as error:  # archives and headers raise nearly anything where they are damaged
        said = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{where} {what}: {said}") from error


def _stated_classes(file: str, classes: np.ndarray) -> tuple[tuple[str, ...], str]:
    """Read class names from the array `classes`: the names, and what messages call their source."""
    if classes.ndim != 1 or classes.dtype.kind != "U" or not len(classes):
        raise InputError(f"{file}: classes must be a list of strings, got {classes.dtype} {classes.shape}")
    if len(classes) > MOST_NAMES:
        raise InputError(f"{file}: classes holds {len(classes):,} names, and at most {MOST_NAMES:,} are read")
    names = tuple(str(name) for name in classes)
    if len(set(names)) != len(names):
        raise InputError(f"{file}: classes holds a name twice")
    return names, "classes"


def assemble(
    title: str,
    where: str,
    arrays: Mapping[str, np.ndarray],
    stated: tuple[tuple[str, ...], str] | None = None,
    notices: tuple[str, ...] = (),
) -> Loaded:
    """Make data of training images and labels, and of test images and labels where there are any, in this order.

    arrays: by the name that messages use behind `where`. stated: see `check_labels`. Raises InputError for arrays
    of another shape or type, or that do not belong together.
    """
    parts: list[ImageSet] = []
    columns = list(arrays.items())
    for (images, x), (labels, y) in zip(columns[::2], columns[1::2], strict=True):
        if y.ndim == 2 and y.shape[1] > 1:
            y = _from_one_hot(f"{where}: {labels}", y)
            notices += (f"{labels} in {where} is one-hot: the place of the 1 is taken for the label.",)
        x, y = _as_images(f"{where}: {images}", x), _as_labels(f"{where}: {labels}", y)
        if len(x) != len(y):
            raise InputError(f"{where}: {images} holds {len(x):,} images, {labels} {len(y):,} labels")
        parts.append(ImageSet.of(x, y))
    sizes = ["×".join(map(str, part.images.shape[1:])) for part in parts]
    if len(set(sizes)) > 1:
        raise InputError(f"{where}: {columns[0][0]} holds images of {sizes[0]}, {columns[2][0]} of {sizes[1]}")
    classes = check_labels(where, [part.labels.numpy() for part in parts], stated)
    found = Found(numbered=stated is None, notices=notices)
    return Loaded(title, classes, parts[0], parts[1] if len(parts) > 1 else None, found=found)


def _as_images(where: str, x: np.ndarray) -> np.ndarray:
    """Return an array of images as (n, H, W, C) uint8; raises InputError where it is none."""
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim != 4:
        raise InputError(f"{where} must be (N, H, W), (N, H, W, C) or (N, C, H, W), got shape {x.shape}")
    if not x.size:
        raise InputError(f"{where} is empty: its shape is {x.shape}")
    if _channels_first(where, x.shape):
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


def _channels_first(where: str, shape: tuple[int, ...]) -> bool:
    """Whether channels stand before height and width: 1 or 3 of them, else the one number that is below both others.

    Raises InputError where the shape does not tell.
    """
    _, first, _, last = shape
    if last in (1, 3):
        return False
    if first in (1, 3):
        return True
    fewer = min(first, last)
    if first == last or fewer > _MOST_CHANNELS or fewer >= shape[2]:
        raise InputError(
            f"{where} must have its channels first or last, and fewer of them than pixels a side, got shape {shape}"
        )
    return first < last


def _from_one_hot(where: str, y: np.ndarray) -> np.ndarray:
    """Return the labels (n,) of one-hot rows (n, K); raises InputError for rows with several labels or shares."""
    if y.dtype.kind not in "biuf" or not np.isin(y, (0, 1)).all():
        raise InputError(f"{where} must be one label an image, got shape {y.shape} with other values than 0 and 1")
    per_image = y.sum(axis=1)
    if (per_image > 1).any():
        raise several_labels(f"{where} gives {int((per_image > 1).sum()):,} images several labels")
    if (per_image == 0).any():
        raise InputError(f"{where} gives {int((per_image == 0).sum()):,} images no label", "Leave these images out")
    return y.argmax(axis=1)


def _as_labels(where: str, y: np.ndarray) -> np.ndarray:
    """Return an array of labels as (n,) integers; raises InputError where it is none."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise InputError(f"{where} must be one label an image, got shape {y.shape}")
    if not np.issubdtype(y.dtype, np.integer):
        raise InputError(f"{where} must hold integers, got {y.dtype}", "Class names go into an array called classes")
    return y
