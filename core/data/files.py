"""Where the bytes of encoded images come from: a folder, or archives; every image has a name and a stamp."""

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
NO_STAMP: Stamp = (-1, -1)


class ImageFiles(Protocol):
    """A list of encoded images. `stamp` and `read` may be called from several threads at once."""

    @property
    def root(self) -> Path:
        """The folder names are relative to; the cache of what was learnt about the files is named after it."""

    @property
    def names(self) -> Sequence[str]:
        """The name of each image; no name twice."""

    def stamp(self, position: int) -> Stamp:
        """Return size and time of change; raises CannotReadError or OSError where the image cannot be read."""

    def read(self, position: int) -> bytes:
        """Return the bytes of one encoded image; raises CannotReadError or OSError."""


@dataclass(frozen=True)
class FolderFiles:
    """Files below a folder, by relative name; a name may also be a whole path."""

    root: Path
    names: Sequence[str]

    def stamp(self, position: int) -> Stamp:
        """Return size and time of change of a regular file that is neither empty nor too large."""
        status = os.stat(self._path(position))  # noqa: PTH116  (a Path a file takes longer than the call)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise CannotReadError("not a file")
        return checked_size(status.st_size), status.st_mtime_ns

    def read(self, position: int) -> bytes:
        """Return the bytes of one file."""
        with open(self._path(position), "rb") as file:  # noqa: PTH123  (as above)
            return file.read()

    def _path(self, position: int) -> str:
        return os.path.join(self.root, self.names[position])  # noqa: PTH118  (as above)


def stamps(files: ImageFiles, block: range) -> tuple[list[Stamp], dict[int, Exception]]:
    """Return the stamps of the images `block`, NO_STAMP where one cannot be read, and the errors by position."""
    stamped: list[Stamp] = []
    errors: dict[int, Exception] = {}
    for position in block:
        try:
            stamped.append(files.stamp(position))
        except Exception as error:  # a reason to leave the image out, never to stop
            stamped.append(NO_STAMP)
            errors[position] = error
    return stamped, errors


def checked_size(size: int) -> int:
    """Return the size of an encoded image in bytes; raises CannotReadError where it is 0 or too large."""
    if not size:
        raise CannotReadError("the file is empty")
    if size > MAX_FILE_BYTES:
        raise CannotReadError("the file is too large")
    return size
