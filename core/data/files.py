"""Where the bytes of image files come from: a folder, or archives; each file has a name and a stamp."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.data.images import CannotReadError

MAX_FILE_BYTES = 512 * 2**20

Stamp = tuple[int, int]  # size in bytes, time of change in nanoseconds


class ImageFiles(Protocol):
    """A list of encoded images. Names are relative to `root`; both methods may be called from several threads."""

    @property
    def root(self) -> Path:
        """The folder that what is known of these files is remembered by."""

    @property
    def names(self) -> Sequence[str]:
        """One name a file, each once."""

    def stamp(self, position: int) -> Stamp:
        """Return size and time of change; raises CannotReadError or OSError where it cannot be read."""

    def read(self, position: int) -> bytes:
        """Return the bytes of one file; raises CannotReadError or OSError."""


@dataclass(frozen=True)
class FolderFiles:
    """Files below a folder, by relative name."""

    root: Path
    names: Sequence[str]

    def stamp(self, position: int) -> Stamp:
        """Return size and time of change of a regular file that is neither empty nor too large."""
        status = os.stat(self._path(position))  # noqa: PTH116  (a Path a file takes longer than the call)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise CannotReadError("not a file")
        return checked_size(status.st_size), status.st_mtime_ns

    def stamps(self, block: range) -> list[Stamp | Exception]:
        """Return what `stamp` does for each of `block`, or what it would raise. Of 100,000 files each call counts."""
        start, look = os.path.join(self.root, ""), os.stat  # noqa: PTH118
        found: list[Stamp | Exception] = []
        for position in block:
            name = self.names[position]
            try:
                whole = name[:1] in ("/", "\\") or name[1:2] == ":"
                status = look(self._path(position) if whole else start + name)
                plain = stat.S_ISREG(status.st_mode) and 0 < status.st_size <= MAX_FILE_BYTES
                found.append((status.st_size, status.st_mtime_ns) if plain else self.stamp(position))
            except Exception as error:  # each is a reason, none is fatal
                found.append(error)
        return found

    def read(self, position: int) -> bytes:
        """Return the bytes of one file."""
        with open(self._path(position), "rb") as file:  # noqa: PTH123
            return file.read()

    def _path(self, position: int) -> str:
        return os.path.join(self.root, self.names[position])  # noqa: PTH118  (as above; a name may be a whole path)


def stamps(files: ImageFiles, block: range) -> list[Stamp | Exception]:
    """Return the stamp of each file of `block`, or why it has none."""
    if isinstance(files, FolderFiles):
        return files.stamps(block)
    found: list[Stamp | Exception] = []
    for position in block:
        try:
            found.append(files.stamp(position))
        except Exception as error:  # each is a reason, none is fatal
            found.append(error)
    return found


def checked_size(size: int) -> int:
    """Return the size of a file; raises CannotReadError where it holds nothing or too much."""
    if not size:
        raise CannotReadError("the file is empty")
    if size > MAX_FILE_BYTES:
        raise CannotReadError("the file is too large")
    return size
