"""List the images of WebDataset shards.

Shards are tar files in which an image (KEY.jpg, KEY.png, ...) has its label beside it (KEY.cls). The cache keeps, by
each shard's stamp, where its images and their names start, and the labels. The names themselves are not kept; they are
read from those places again, which is much faster than a walk through the file.
"""

from __future__ import annotations

import mmap
import os
import re
import tarfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import msgspec
import numpy as np

from core.data.classes import check_labels, read_class_names
from core.data.dataset import Found, Unreadable
from core.data.images import NO_IMAGE, CannotReadError, is_image, reads_heif, why_foreign
from core.data.index import NO_STAMP, SETTLED, SHARDS, ImageFiles, Stamp, checked_size, recall, remember
from core.data.reading import Listing, Parts, find_files
from core.errors import InputError
from core.events import Tell
from core.files import open_regular

CLASS_FILES = ("classes.txt", "classnames.txt")  # beside the shards: a name a line, in the order of the labels

_NUMBER = np.dtype("<i8")
_MOST_HEADER = 1 << 20  # bytes of a member's header: a long name, or what pax notes of it
_LONGEST_NAME = 4096  # characters of a member's name: what a path may have
_LABEL = "cls"
_LARGEST_LABEL = 10**9 - 1
_ENDING = re.compile("[a-z0-9]{1,12}")  # that is counted by itself
_SHARD_HINT = "A shard holds KEY.jpg (or .png, ...) and KEY.cls with the label's number for each image"


@dataclass(frozen=True)
class TarFiles(ImageFiles):
    """Images inside uncompressed tar files, read where they lie. Names start with the shard's."""

    shards: Sequence[Path]  # one an image
    spans: np.ndarray  # (n, 2) int64: where an image starts in its shard, and its bytes

    def stamp(self, position: int) -> Stamp:
        """Return an image's size and its shard's time of change."""
        return checked_size(int(self.spans[position, 1])), self.shards[position].stat().st_mtime_ns

    def read(self, position: int) -> bytes:
        """Return the bytes of one image."""
        start, size = self.spans[position].tolist()
        with open_regular(self.shards[position]) as file:
            file.seek(start)
            data = file.read(size)
        if len(data) != size:
            raise CannotReadError(f"{self.shards[position].name} ends before it")
        return data


class _Member(NamedTuple):
    """An image in a shard: its name, where its header starts, where its bytes start, and how many they are."""

    name: str
    header: int
    start: int
    size: int


class _Bounded:
    """A shard as tarfile reads it. It asks for as many bytes as a header says, and for all where that is negative."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; raises ReadError where they are too many for a header."""
        if not 0 <= size <= _MOST_HEADER:
            raise tarfile.ReadError(f"a header says that it has {size:,} bytes, at most {_MOST_HEADER:,} are read")
        return self._file.read(size)


@dataclass
class _Content:
    """What one shard holds. left_out: a member's name, "" for the shard itself, and why."""

    names: list[str]
    places: np.ndarray  # (n, 3) int64: where an image starts in its shard, its bytes, its label
    left_out: list[tuple[str, str]]
    passed: dict[str, int]  # number of members that are neither images nor labels, by why


class _Shard(msgspec.Struct, forbid_unknown_fields=True):
    """What the cache keeps of one shard: its stamp, and where names and images are."""

    size: int
    changed: int  # nanoseconds
    images: bytes  # (n, 5) little-endian 64-bit integers: where the name starts, its bytes, and the places
    skipped: list[tuple[int, int, str]]  # where the name starts, its bytes, reason
    passed: dict[str, int]

    def content(self, shard: Path) -> _Content:
        """Return what the shard holds, with the names read from their places; raises ValueError where none is there."""
        rows = np.frombuffer(self.images, dtype=_NUMBER).reshape(-1, 5)
        starts, sizes, labels = rows[:, 2:].T
        if (rows < 0).any() or (starts + sizes > self.size).any() or (labels > _LARGEST_LABEL).any():
            raise ValueError("an image outside its shard, or a label that is none")
        with open_regular(shard) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:

            def name(start: int, length: int) -> str:
                if not 0 <= start <= start + length <= len(whole):
                    raise ValueError("a name outside its shard")
                return whole[start : start + length].decode("utf-8", "surrogateescape")

            names = [name(*place) for place in rows[:, :2].tolist()]
            left_out = [(name(*place), why) for *place, why in self.skipped]
            return _Content(names, rows[:, 2:], left_out, self.passed)


class _Remembered(msgspec.Struct, forbid_unknown_fields=True):
    """What the cache keeps of all shards of a data set."""

    version: int = 0
    shards: dict[str, _Shard] = {}  # by a hash of the path


def _version() -> int:
    """Return the version of what is remembered, another one where HEIC images are read."""
    return 6 if reads_heif() else 5


def find_shards(path: Path) -> Parts | None:
    """Return the shards in a folder, directly or in train/ and test/, or the one tar file; else None."""
    return find_files(path, ".tar")


def list_shards(shards: Parts, report: Tell) -> Listing:
    """List the images of all shards in the order of their names; classes are numbered unless a file names them.

    Raises InputError where no image has a label, or labels are not 0 .. K-1; what is damaged is left out.
    """
    old = recall(shards.path, SHARDS, _Remembered)
    old_shards = old.shards if old.version == _version() else {}
    new_shards: dict[str, _Shard] = {}
    root, every = shards.root, shards.every
    names: list[str] = []
    shard_of: list[Path] = []
    places: list[np.ndarray] = []
    left_out: list[Unreadable] = []
    passed = Counter[str]()
    try:
        for number, shard in enumerate(every):
            report("Listing shards", number, len(every))
            key = blake2b(os.fsencode(shard.absolute()), digest_size=16).hexdigest()
            content, entry = _recall_shard(shard, old_shards.get(key)) or _walk_shard(shard, report)
            if entry is not None:
                new_shards[key] = entry
            where = shard.relative_to(root).as_posix()
            names += [f"{where}/{name}" for name in content.names]
            shard_of += [shard] * len(content.names)
            places.append(content.places)
            passed.update(content.passed)
            left_out += [Unreadable(f"{where}/{name}" if name else where, why) for name, why in content.left_out]
    finally:
        if new_shards != old_shards:
            remember(shards.path, SHARDS, _Remembered(_version(), new_shards))
    title = every[0].stem if len(every) == 1 else root.name
    border = sum(map(len, places[: len(shards.train)]))
    if not border:
        raise InputError(f"{title} holds no images with labels", _SHARD_HINT)
    rows = np.concatenate(places)
    labels = (rows[:border, 2], rows[border:, 2])
    file = next((root / name for name in CLASS_FILES if (root / name).is_file()), None)
    stated = None if file is None else (read_class_names(file), file.name)
    return Listing(
        title=title,
        classes=check_labels(title, labels, stated),
        files=TarFiles(root, names, shard_of, rows[:, :2]),
        labels=labels,
        left_out=tuple(left_out),
        found=Found(numbered=stated is None, passed=dict(passed)),
    )


def _recall_shard(shard: Path, entry: _Shard | None) -> tuple[_Content, _Shard] | None:
    """Return what the cache holds of a shard that has not changed since, else None."""
    try:
        if entry is not None and _stamp_of(shard) == (entry.size, entry.changed):
            return entry.content(shard), entry
    except (InputError, OSError, ValueError, IndexError):  # gone meanwhile, or of no use: walked anew, which says so
        pass
    return None


def _walk_shard(shard: Path, report: Tell) -> tuple[_Content, _Shard | None]:
    """List the labelled images of one shard; and the entry for the cache, None where it is damaged or too new."""
    images: dict[str, _Member] = {}
    labels: dict[str, str] = {}
    passed = Counter[str]()
    stamp: Stamp = NO_STAMP
    try:
        stamp = _stamp_of(shard)
        fault = _walk(shard, images, labels, passed, report)
    except MemoryError as error:
        raise InputError(f"Memory ran out while {shard} was listed") from error
    except InputError as error:
        fault = error.message
    except Exception as error:  # headers of any content
        fault = str(error) or type(error).__name__
    reasons = {key: _why_not(member.name, labels.get(key)) for key, member in images.items()}
    kept = [(images[key], int(labels[key])) for key, why in reasons.items() if not why]
    left_out = [(images[key], why) for key, why in reasons.items() if why]
    damage = [("", f"the shard is damaged: {fault}")] if fault else []
    content = _Content(
        [member.name for member, _ in kept],
        np.array([(member.start, member.size, label) for member, label in kept], dtype=_NUMBER).reshape(-1, 3),
        damage + [(member.name, why) for member, why in left_out],
        dict(passed),
    )
    if fault or time.time_ns() - stamp[1] <= SETTLED:
        return content, None
    try:
        with open_regular(shard) as file:
            names = np.array([_name_place(file, member) for member, _ in kept], dtype=_NUMBER).reshape(-1, 2)
            skipped = [(*_name_place(file, member), why) for member, why in left_out]
    except (InputError, OSError, ValueError):  # walked through again the next time
        return content, None
    return content, _Shard(*stamp, np.hstack([names, content.places]).tobytes(), skipped, content.passed)


def _why_not(name: str, label: str | None) -> str:
    """Say why an image is left out, "" where it is not."""
    if why := why_foreign(name):
        return why
    if label is None:
        return "there is no label (.cls) beside it"
    return "" if label.isdecimal() and len(label) <= 9 else f"its label {label!r} is no number"


def _walk(
    shard: Path, images: dict[str, _Member], labels: dict[str, str], passed: Counter[str], report: Tell
) -> str:
    """Fill in `images` and `labels` by key, count other members by why in `passed`; return what is wrong.

    Raises what tarfile does, and nearly anything on a damaged header.
    """
    with open_regular(shard) as file:
        tar: Any = tarfile.TarFile(fileobj=cast("Any", _Bounded(file)))
        number, end = 0, os.fstat(file.fileno()).st_size
        while (member := tar.next()) is not None:
            tar.members.clear()  # which would hold all there are
            if not number % 1000:
                report("Listing shards", 0, 0)
            number += 1
            if not 0 <= member.size <= end:
                raise tarfile.ReadError(f"a header says that its file has {member.size:,} bytes, the shard has {end:,}")
            if tar.offset <= member.offset:
                raise tarfile.ReadError("a header leads back to itself")
            folder, _, name = member.name.rpartition("/")
            stem, dot, suffix = name.partition(".")
            if not member.isreg():
                continue
            if not dot or not stem or len(member.name) > _LONGEST_NAME:
                passed[NO_IMAGE.format("no ending" if len(member.name) <= _LONGEST_NAME else "too long a name")] += 1
                continue
            key, suffix = f"{folder}/{stem}", suffix.lower()
            place = _Member(member.name, member.offset, member.offset_data, member.size)
            if suffix == _LABEL:
                text = tar.extractfile(member)
                labels[key] = text.read(64).decode("ascii", "replace").strip() if text else ""
            elif is_image(f"x.{suffix}") and key not in images:
                images[key] = place
            elif why_foreign(f"x.{suffix}"):
                images[f"{key}.{suffix}"] = place
            elif is_image(f"x.{suffix}"):
                passed["a second image of the same key"] += 1
            else:
                ending = suffix.rpartition(".")[2]
                passed[NO_IMAGE.format(f".{ending}" if _ENDING.fullmatch(ending) else "another ending")] += 1
        file.seek(tar.offset)  # without the end mark, a block of zeros, it was cut: tarfile passes over that
        return "" if file.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE) else "it ends in the middle"


def _name_place(file: BinaryIO, member: _Member) -> tuple[int, int]:
    """Return where a name starts in its tar file, and its bytes; raises ValueError where it stands in two pieces."""
    file.seek(member.header)
    name = member.name.encode("utf-8", "surrogateescape")
    return member.header + file.read(min(member.start - member.header, _MOST_HEADER)).index(name), len(name)


def _stamp_of(shard: Path) -> Stamp:
    """Return size and time of change of a shard; raises OSError."""
    status = shard.stat()
    return status.st_size, status.st_mtime_ns
