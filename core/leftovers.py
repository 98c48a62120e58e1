"""Temporary files and folders: what they are called, so that what a dead process left is known, and goes.

A temporary name is `.WHAT.HOST-PID-DRAW.tmp`: what is being written, the machine and the process that write it, and
what no other process has drawn. A leftover is one whose process is gone: no process of this machine has that number, or
this one has it and drew otherwise. Of another machine, which may share the disk, it is one that nobody has written to
for a day. A number that another program got since then keeps a leftover until that one ends, and never costs a file.

Leftovers go at the next look: all in a folder when a process first writes there (`temporary_name`), those in a run
folder whenever a process works on the run or deletes it, with those of the cache the first time it does, and those
beside runs when these are listed.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import itertools
import os
import platform
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_DRAWN = secrets.token_hex(3)
_COUNT = itertools.count()
_NAME = re.compile(r"\..+\.([0-9a-f]{8})-(\d{1,10})-([0-9a-f]{6})\d+\.tmp", re.DOTALL)
_LONGEST = 180  # characters of what is being written: file systems allow 255 bytes
DAY = 24 * 60 * 60


def temporary_name(path: Path) -> Path:
    """Return the path of a temporary file or folder beside `path`, which is not there yet.

    What dead processes left in that folder goes the first time this one asks.
    """
    clear_once(path.parent)
    name = path.name.encode()[:_LONGEST].decode(errors="ignore")
    return path.with_name(f".{name}.{_HOST}-{os.getpid()}-{_DRAWN}{next(_COUNT)}.tmp")


@contextmanager
def building(path: Path, *, make: bool = True) -> Iterator[Path]:
    """Give a new folder beside `path` to build something in, which may be moved to `path`; what stays in it goes.

    make: whether the folder of `path` is made where it is not there.
    """
    if make:
        path.parent.mkdir(parents=True, exist_ok=True)
    folder = temporary_name(path)
    folder.mkdir()
    try:
        yield folder
    finally:
        remove(folder)


def clear_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders of dead processes in a folder; what cannot be removed stays."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if is_temporary(entry.name) and _is_left(entry):
                remove(Path(entry.path))


def is_temporary(name: str) -> bool:
    """Whether a file name is one that `temporary_name` gives."""
    return name.endswith(".tmp") and _NAME.fullmatch(name) is not None


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all in it; nothing that a link leads to. What cannot be removed stays.

    It is tried twice: a scanner of viruses, or a disk far away, may refuse once.
    """
    for _ in range(2):
        with suppress(OSError):
            if stat.S_ISDIR(path.lstat().st_mode):
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def process_lives(pid: int) -> bool:
    """Whether a process of this machine has the number `pid`."""
    if not 0 < pid < 2**31:
        return False
    if os.name == "nt":
        return _lives_on_windows(pid)
    try:
        os.kill(pid, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def _is_left(entry: os.DirEntry[str]) -> bool:
    found = _NAME.fullmatch(entry.name)
    if found is None:
        return False
    host, pid, drawn = found[1], int(found[2]), found[3]
    if host != _HOST:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > DAY
    return drawn != _DRAWN if pid == os.getpid() else not process_lives(pid)


def _lives_on_windows(pid: int) -> bool:
    """Ask Windows, where `os.kill` would end the process."""
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    handle = kernel.OpenProcess(0x00100000, False, pid)  # SYNCHRONIZE
    if not handle:
        return bool(kernel.GetLastError() == 5)  # access denied: it is somebody else's
    ended = kernel.WaitForSingleObject(handle, 0) == 0
    kernel.CloseHandle(handle)
    return not ended


@functools.cache
def clear_once(folder: Path) -> None:
    """Do as `clear_leftovers`, but only the first time that this process asks: folders of the cache may be large."""
    clear_leftovers(folder)
