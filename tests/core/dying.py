"""A process that dies at one of its calls to the disk, without a process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from core import leftovers

CALLS = ("open", "fsync", "replace", "rename", "mkdir", "unlink", "rmdir")  # those of `os` that change the disk, or may
DEAD = 2**31 - 2  # above the largest number that systems give to a process


class Died(BaseException):
    """Raised in the place of a call; nothing that is done on the way out reaches the disk."""


@contextmanager
def dying(at: int, error: Callable[[], BaseException] = Died) -> Iterator[list[str]]:
    """Raise `error` before call number `at` (from 0) of CALLS; gives the list of calls made.

    After Died all further calls fail, too, and what was written is that of a process that is gone.
    """
    made: list[str] = []

    def counted(name, call):
        def replaced(*given, **named):
            died = len(made) > at and error is Died
            if name == "open" and not given[1] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
                return call(*given, **named)
            made.append(name)
            if died or len(made) == at + 1:
                raise error()
            return call(*given, **named)

        return replaced

    with pytest.MonkeyPatch.context() as patched:
        for name in CALLS:
            patched.setattr(os, name, counted(name, getattr(os, name)))
        if error is Died:
            patched.setattr(os, "getpid", lambda: DEAD)
        yield made


def lives(at: int, act: Callable[[], object], error: Callable[[], BaseException] = Died) -> bool:
    """Whether `act` comes to its end with a fault at its call number `at`, because it makes fewer."""
    leftovers.clear_once.cache_clear()  # as in a process of its own
    with dying(at, error) as made:
        try:
            act()
        except Died:
            return False
        except Exception:
            if len(made) <= at:
                raise
            return False
    return len(made) <= at
