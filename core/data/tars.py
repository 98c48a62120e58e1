"""Read WebDataset shards: tar files in which an image (KEY.jpg, KEY.png, ...) has its label beside it (KEY.cls)."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.data.class_order import read_class_names
from core.data.dataset import Unreadable
from core.data.files import Stamp, checked_size
from core.data.folders import TEST_NAMES, TRAIN_NAMES
from core.data.images import SUFFIXES, CannotReadError
from core.data.loaded import DecodeOptions, Loaded, Reporter, no_test_part
from core.data.reading import read_images
from core.data.shard_index import ShardIndex, ShardListing, stamp_of
from core.endings import ending
from core.errors import InputError

CLASS_FILES = ("classes.txt", "classnames.txt")  # beside the shards: a name a line, in the order of the labels

_LABEL = "cls"
_HINT = "A shard holds KEY.jpg (or .png, ...) and KEY.cls with the label's number for each image"


@dataclass(frozen=True)
class Shards:
    """The tar files of the training part, and of the test part where their names say so."""

    root: Path
    path: Path  # as it was opened: the folder, or the one tar file
    train: tuple[Path, ...]
    test: tuple[Path, ...] = ()


@dataclass(frozen=True)
class TarFiles:
    """Images inside uncompressed tar files, read where they lie. Names start with the shard's."""

    root: Path
    names: Sequence[str]
    shards: Sequence[Path]  # one an image
    spans: np.ndarray  # (n, 2) int64: where an image starts in its shard, and its bytes

    def stamp(self, position: int) -> Stamp:
        """Return an image's size and its shard's time of change."""
        return checked_size(int(self.spans[position, 1])), self.shards[position].stat().st_mtime_ns

    def read(self, position: int) -> bytes:
        """Return the bytes of one image."""
        start, size = self.spans[position].tolist()
        with self.shards[position].open("rb") as file:
            file.seek(start)
            data = file.read(size)
        if len(data) != size:
            raise CannotReadError(f"{self.shards[position].name} ends before it")
        return data


@dataclass
class _Listing:
    names: list[str] = field(default_factory=list)
    shards: list[Path] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    skipped: list[Unreadable] = field(default_factory=list)

    def add(self, root: Path, shard: Path, found: ShardListing) -> None:
        """Add what one shard holds."""
        where = shard.relative_to(root).as_posix()
        self.names += [f"{where}/{name}" for name in found.names]
        self.shards += [shard] * len(found.names)
        self.spans += found.spans
        self.labels += found.labels
        self.skipped += [Unreadable(f"{where}/{name}" if name else where, why) for name, why in found.skipped]


def find_shards(path: Path) -> Shards | None:
    """Return the shards in a folder, directly or in train/ and test/, or the one tar file; None where there are none.

    Directly in a folder the words of a file's name (imagenet-val-0003.tar) say which part it belongs to.
    """
    if path.is_file():
        return Shards(path.parent, path, (path,)) if ending(path) == ".tar" else None
    found: dict[str, list[Path]] = {}
    for shard in _tars(path):
        words = re.split("[^a-z]+", shard.stem.lower())
        part = next((name for name in TEST_NAMES if name in words), TRAIN_NAMES[0])
        found.setdefault(part, []).append(shard)
    if not found:
        for name in (*TRAIN_NAMES, *TEST_NAMES):
            shards = _tars(path / name)
            if shards:
                found.setdefault(TRAIN_NAMES[0] if name in TRAIN_NAMES else name, []).extend(shards)
    train = found.get(TRAIN_NAMES[0])
    test = next((found[name] for name in TEST_NAMES if name in found), [])
    return Shards(path, path, tuple(train), tuple(test)) if train else None


def load_shards(shards: Shards, options: DecodeOptions, report: Reporter, *, needs_test: bool = False) -> Loaded:
    """Read all shards in the order of their names; classes are numbered unless a file beside them names them.

    Raises InputError where no image has a label, or labels are not 0 .. K-1; what is damaged is listed instead. With
    `needs_test`, raises NoTestPartError before the images are read where no shard is for testing.
    """
    listing, border, index = _Listing(), 0, ShardIndex(shards.path)
    try:
        for number, shard in enumerate((*shards.train, *shards.test)):
            report("Listing shards", number, len(shards.train) + len(shards.test))
            listing.add(shards.root, shard, index.recall(shard) or _list(shard, index, report))
            border = len(listing.names) if number < len(shards.train) else border
    finally:
        index.save()
    title = shards.train[0].stem if len(shards.train) == 1 and not shards.test else shards.root.name
    if not border:
        raise InputError(f"{title} holds no images with labels", _HINT)
    labels = np.array(listing.labels, dtype=np.int64)
    classes, named = _classes(shards.root, title, labels, border)
    if needs_test and border == len(labels):
        raise no_test_part(title, np.bincount(labels, minlength=len(classes)).tolist())
    spans = np.array(listing.spans, dtype=np.int64).reshape(-1, 2)
    decoded = read_images(TarFiles(shards.root, listing.names, listing.shards, spans), report, options)
    train, test = decoded.parts(listing.names, labels, border)
    if not len(train):
        raise InputError(f"None of the training images in {title} can be read")
    return Loaded(
        title=title,
        classes=classes,
        train=train,
        test=test if len(test) else None,
        named=named,
        photos=True,
        unreadable=(*listing.skipped, *decoded.unreadable),
        root=shards.root,
    )


def _list(shard: Path, index: ShardIndex, report: Reporter) -> ShardListing:
    """List the images of one shard that have a label; remember it where it is whole."""
    found = ShardListing()
    images: dict[str, tarfile.TarInfo] = {}
    labels: dict[str, str] = {}
    stamp, fault = None, ""
    try:
        stamp = stamp_of(shard)
        fault = _walk(shard, images, labels, report)
    except (tarfile.TarError, OSError, EOFError) as error:
        fault = str(error)
    if fault:
        found.skipped.append(("", f"the shard is damaged: {fault}"))
    labelled, unlabelled = [], []
    for key, member in images.items():
        label = labels.get(key)
        if label is None or not label.isdecimal() or len(label) > 9:
            why = "there is no label (.cls) beside it" if label is None else f"its label {label!r} is no number"
            found.skipped.append((member.name, why))
            unlabelled.append(member)
            continue
        labelled.append(member)
        found.names.append(member.name)
        found.spans.append((member.offset_data, member.size))
        found.labels.append(int(label))
    if stamp is not None and not fault:
        index.remember(shard, stamp, found, labelled, unlabelled)
    return found


def _walk(shard: Path, images: dict[str, tarfile.TarInfo], labels: dict[str, str], report: Reporter) -> str:
    """Enter a shard's images and labels by their key; return what is wrong with it. Raises what tarfile does."""
    with tarfile.open(shard, "r:") as tar:
        for number, member in enumerate(tar):
            if not number % 1000:
                report("Listing shards", 0, 0)
            folder, _, name = member.name.rpartition("/")
            stem, dot, suffix = name.partition(".")
            if not member.isreg() or not dot or not stem:
                continue
            key, suffix = f"{folder}/{stem}", suffix.lower()
            if suffix == _LABEL:
                content = tar.extractfile(member)
                labels[key] = content.read(64).decode("ascii", "replace").strip() if content else ""
            elif f".{suffix}" in SUFFIXES and key not in images:
                images[key] = member
        return "" if _ends_at(shard, tar.offset) else "it ends in the middle"  # which tarfile passes over


def _ends_at(shard: Path, offset: int) -> bool:
    """Whether a tar file has its end mark, a block of zeros, where its last readable member ends."""
    with shard.open("rb") as file:
        file.seek(offset)
        return file.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)


def _classes(root: Path, title: str, labels: np.ndarray, border: int) -> tuple[tuple[str, ...], bool]:
    """Return the class names and whether a file gave them."""
    highest = int(labels.max())
    file = next((root / name for name in CLASS_FILES if (root / name).is_file()), None)
    if file is not None:
        names = read_class_names(file)
        if highest >= len(names):
            raise InputError(f"{title}: label {highest} has no name; {file.name} holds {len(names)} names")
        return names, True
    present = np.unique(labels[:border])
    if len(present) != highest + 1:
        gap = next(i for i in range(len(present) + 1) if i >= len(present) or present[i] != i)
        raise InputError(
            f"{title}: labels must be 0 to K-1 without a gap; they reach {highest}, but no training image has "
            f"label {gap}",
            f"Name all classes in a file {CLASS_FILES[0]} beside the shards",
        )
    return tuple(str(i) for i in range(highest + 1)), False


def _tars(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*.tar") if ending(p) == ".tar" and p.is_file()) if folder.is_dir() else []
