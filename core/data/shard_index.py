"""Remember what tar shards hold, by size and time of change: where images and their names lie, and their labels.

Names are not kept, as those of folders are not, only where each stands in its shard: they are read from there again,
which takes a small part of the time that walking through a tar file takes.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from core.data.files import Stamp
from core.data.index import FOLDER, SETTLED
from core.files import write_atomic
from core.places import cache_home

SUFFIX = ".shards"

_VERSION = 1  # of what is listed
_COLUMNS = 5  # where the name starts, its bytes, where the image starts, its bytes, label
_NUMBER = np.dtype("<i8")

Place = tuple[int, int]  # where some bytes start in a shard, and how many they are


@dataclass
class ShardListing:
    """What one shard holds, names as in the shard. `skipped`: what was left out and why, "" for the shard itself."""

    names: list[str] = field(default_factory=list)
    spans: list[Place] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


class _Shard(msgspec.Struct, forbid_unknown_fields=True):
    size: int
    changed: int  # nanoseconds
    images: bytes  # (n, _COLUMNS) little-endian 64-bit integers
    skipped: list[tuple[int, int, str]]  # place of the name, reason


class _Remembered(msgspec.Struct, forbid_unknown_fields=True):
    version: int = 0
    shards: dict[str, _Shard] = {}  # by a hash of the name


class ShardIndex:
    """The listings of one data set's shards that are known from the last time, and those that are to be known."""

    def __init__(self, path: Path) -> None:
        """`path`: the folder or the tar file that was opened. What cannot be read is forgotten."""
        self._path = shard_index_file(path)
        self._old = _load(self._path)
        self._new: dict[str, _Shard] = {}

    def recall(self, shard: Path) -> ShardListing | None:
        """Return what `shard` holds where it is as it was, else None."""
        key = _key(shard)
        known = self._old.shards.get(key)
        try:
            if known is None or stamp_of(shard) != (known.size, known.changed):
                return None
            listing = _listing(known, shard)
        except (OSError, ValueError, IndexError):  # gone meanwhile, or nothing of use: listed anew, which says so
            return None
        self._new[key] = known
        return listing

    def remember(
        self,
        shard: Path,
        stamp: Stamp,
        listing: ShardListing,
        images: Sequence[tarfile.TarInfo],
        skipped: Sequence[tarfile.TarInfo],
    ) -> None:
        """Keep a whole listing made when the shard had `stamp`. images, skipped: the members it tells of."""
        try:
            # A shard changed just now may change again within the resolution of its time stamp.
            if stamp != stamp_of(shard) or time.time_ns() - stamp[1] <= SETTLED:
                return
            with shard.open("rb") as file:
                rows = [
                    (*_name_place(file, member), *span, label)
                    for member, span, label in zip(images, listing.spans, listing.labels, strict=True)
                ]
                left_out = [
                    (*_name_place(file, member), why)
                    for member, (_, why) in zip(skipped, listing.skipped, strict=True)
                ]
        except (OSError, ValueError):  # listed again the next time
            return
        self._new[_key(shard)] = _Shard(*stamp, np.array(rows, dtype=_NUMBER).tobytes(), left_out)

    def save(self) -> None:
        """Write what is known now; where that cannot be written, the next opening takes longer."""
        if self._path is None or self._new == self._old.shards:
            return
        with contextlib.suppress(OSError):
            write_atomic(self._path, msgspec.json.encode(_Remembered(_VERSION, self._new)))


def shard_index_file(path: Path) -> Path | None:
    """Return where the listings of the shards opened as `path` are kept; None without a home."""
    try:
        return cache_home() / FOLDER / f"{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]}{SUFFIX}"
    except RuntimeError:  # nobody's home
        return None


def stamp_of(shard: Path) -> Stamp:
    """Return size and time of change of a shard. Raises OSError."""
    status = shard.stat()
    return status.st_size, status.st_mtime_ns


def _key(shard: Path) -> str:
    return hashlib.blake2b(os.fsencode(shard.absolute()), digest_size=16).hexdigest()


def _name_place(file: BinaryIO, member: tarfile.TarInfo) -> Place:
    """Return where a member's name stands in its tar file; raises ValueError where it stands there in two pieces."""
    file.seek(member.offset)
    name = member.name.encode("utf-8", "surrogateescape")
    return member.offset + file.read(member.offset_data - member.offset).index(name), len(name)


def _load(path: Path | None) -> _Remembered:
    if path is not None:
        with contextlib.suppress(OSError, ValueError):  # nothing yet, or nothing of use: written anew
            found = msgspec.json.decode(path.read_bytes(), type=_Remembered)
            if found.version == _VERSION:
                return found
    return _Remembered()


def _listing(known: _Shard, shard: Path) -> ShardListing:
    """Read the names from where they stand; raises ValueError where that is not in the shard."""
    rows = np.frombuffer(known.images, dtype=_NUMBER).reshape(-1, _COLUMNS).tolist()
    with shard.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:

        def name(start: int, length: int) -> str:
            if not 0 <= start <= start + length <= len(content):
                raise ValueError("a name outside its shard")
            return content[start : start + length].decode("utf-8", "surrogateescape")

        return ShardListing(
            names=[name(row[0], row[1]) for row in rows],
            spans=[(row[2], row[3]) for row in rows],
            labels=[row[4] for row in rows],
            skipped=[(name(start, length), why) for start, length, why in known.skipped],
        )
