"""Where the bytes of image files come from: a folder, or archives; each file has a name and a stamp."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
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
class Stamps:
    """Stamps of files in a row; of one that has none both numbers are -1, and `errors` says why, by position."""

    sizes: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    errors: dict[int, Exception] = field(default_factory=dict)

    def add(self, stamp: Stamp) -> None:
        """Enter the next file's stamp."""
        self.sizes.append(stamp[0])
        self.times.append(stamp[1])

    def fail(self, position: int, error: Exception) -> None:
        """Enter that the next file has none."""
        self.add((-1, -1))
        self.errors[position] = error


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

    def stamps(self, block: range) -> Stamps:
        """Return the stamps of `block`, as `stamp` does. Of 100,000 files each call counts."""
        start, look, is_file = os.path.join(self.root, ""), os.stat, stat.S_ISREG  # noqa: PTH118
        found = Stamps()
        for position in block:
            name = self.names[position]
            try:
                whole = name[:1] in ("/", "\\") or name[1:2] == ":"
                status = look(self._path(position) if whole else start + name)
                size = status.st_size
                if is_file(status.st_mode) and 0 < size <= MAX_FILE_BYTES:
                    found.sizes.append(size)
                    found.times.append(status.st_mtime_ns)
                else:
                    found.add(self.stamp(position))
            except Exception as error:  # each is a reason, none is fatal
                found.fail(position, error)
        return found

    def read(self, position: int) -> bytes:
        """Return the bytes of one file."""
        with open(self._path(position), "rb") as file:  # noqa: PTH123
            return file.read()

    def _path(self, position: int) -> str:
        return os.path.join(self.root, self.names[position])  # noqa: PTH118  (as above; a name may be a whole path)


def stamps(files: ImageFiles, block: range) -> Stamps:
    """Return the stamps of `block`, and why files have none."""
    if isinstance(files, FolderFiles):
        return files.stamps(block)
    found = Stamps()
    for position in block:
        try:
            found.add(files.stamp(position))
        except Exception as error:  # each is a reason, none is fatal
            found.fail(position, error)
    return found


def checked_size(size: int) -> int:
    """Return the size of a file; raises CannotReadError where it holds nothing or too much."""
    if not size:
        raise CannotReadError("the file is empty")
    if size > MAX_FILE_BYTES:
        raise CannotReadError("the file is too large")
    return size
