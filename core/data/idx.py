"""Read IDX files, MNIST's format, plain or compressed with gzip."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.data.dataset import ImageSet
from core.data.loaded import Loaded
from core.errors import InputError

FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)
_NAME = re.compile(
    r"(?P<prefix>.*?)(?P<part>train|t10k|test)[-_.](?P<what>images|labels)[-_.]idx[134][-_]ubyte(?:\.gz)?",
    re.IGNORECASE,
)
_UBYTE = 0x08
_MAX_BYTES = 64 * 2**30  # a header that promises more is damaged


@dataclass(frozen=True)
class IdxFolder:
    """The IDX files of a folder: training images and labels, and those of the test part where there are any."""

    train: tuple[Path, Path]
    test: tuple[Path, Path] | None


def find_idx(folder: Path) -> IdxFolder | None:
    """Return the IDX files in `folder`, None where it holds no training images and labels.

    Raises InputError where it holds those of several data sets.
    """
    found: dict[tuple[str, str], dict[str, Path]] = {}
    try:
        entries = sorted(folder.iterdir(), key=lambda p: (p.suffix == ".gz", p.name))  # plain files win
    except OSError:
        return None
    for path in entries:
        match = _NAME.fullmatch(path.name)
        if match and path.is_file():
            part = "train" if match["part"].lower() == "train" else "test"
            found.setdefault((part, match["what"].lower()), {}).setdefault(match["prefix"], path)
    prefixes = sorted({p for key, files in found.items() if key[0] == "train" for p in files})
    if len(prefixes) > 1:
        raise InputError(
            f"{folder} holds the IDX files of several data sets: {', '.join(repr(p) for p in prefixes)}",
            "Put each data set into a folder of its own",
        )
    if not prefixes:
        return None
    chosen = {key: files[prefixes[0]] for key, files in found.items() if prefixes[0] in files}
    if ("train", "images") not in chosen or ("train", "labels") not in chosen:
        return None
    test = chosen.get(("test", "images")), chosen.get(("test", "labels"))
    complete = (test[0], test[1]) if test[0] is not None and test[1] is not None else None
    return IdxFolder((chosen["train", "images"], chosen["train", "labels"]), complete)


def load_idx(files: IdxFolder, title: str, classes: tuple[str, ...] | None = None) -> Loaded:
    """Read the parts of `files`; classes are the numbers 0 .. K-1 where no names are given.

    Raises InputError where a file is damaged or images and labels do not belong together.
    """
    train = _read_part(*files.train)
    test = _read_part(*files.test) if files.test else None
    if test is not None and test.images.shape[1:] != train.images.shape[1:]:
        raise InputError(
            f"{files.train[0].parent}: training images are {_shape(train)}, test images {_shape(test)}",
        )
    highest = max(int(part.labels.max()) for part in (train, test) if part is not None and len(part))
    names = classes or tuple(str(i) for i in range(highest + 1))
    if highest >= len(names):
        raise InputError(f"{files.train[1]} holds label {highest}, but there are only {len(names)} classes")
    missing = sorted(set(range(len(names))) - set(np.unique(train.labels).tolist()))
    if missing:
        raise InputError(
            f"{files.train[1]}: labels must be 0 to {len(names) - 1}; no training image has label {missing[0]}",
            "Number the classes from 0 without a gap",
        )
    return Loaded(title=title, classes=names, train=train, test=test, named=classes is not None)


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


def _read_part(images_path: Path, labels_path: Path) -> ImageSet:
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise InputError(f"{images_path} holds no images: its shape is {images.shape}")
    if labels.ndim != 1:
        raise InputError(f"{labels_path} holds no labels: its shape is {labels.shape}")
    if len(images) != len(labels):
        raise InputError(f"{images_path.name} holds {len(images):,} images, {labels_path.name} {len(labels):,} labels")
    if not len(images) or not images.size:
        raise InputError(f"{images_path} holds no images")
    return ImageSet.of(images, labels.astype(np.int64))


def _shape(part: ImageSet) -> str:
    return "×".join(str(side) for side in part.images.shape[1:3])
