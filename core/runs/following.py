"""A run's event log as it grows: read from where the last look ended, whole lines only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from core.events import Event, RunStarted, from_line, from_lines
from core.files import end_of_lines, open_regular
from core.runs.folder import EVENTS, RunFolder, Status

_PIECE = 1 << 16  # bytes read at a time: what becomes of more does not stay in a processor's cache
_LONGEST = 8 << 20  # bytes of a line


@dataclass(frozen=True)
class Look:
    """Events read at one time; `offset`: where to read on."""

    events: list[Event]
    offset: int
    status: Status | None = None


def read_new(folder: RunFolder, offset: int = 0) -> Look:
    """Return what was appended after `offset`, whole lines only."""
    status, found = folder.status(), list(looks(folder, offset))
    return Look([event for look in found for event in look.events], found[-1].offset if found else offset, status)


def looks(folder: RunFolder, offset: int = 0) -> Iterator[Look]:
    """Yield the events of a piece of the log after the other; whole lines only.

    Damaged lines and events of a newer version are left out. A long run's log is many megabytes: by pieces, a thread
    that reads it lets others work, and steps become arrays before the next ones are read.
    """
    for lines, end in pieces(folder, offset):
        yield Look(from_lines(lines), end)


def pieces(folder: RunFolder, offset: int = 0) -> Iterator[tuple[bytes, int]]:
    """Yield the lines of a run's log from `offset` on, some at a time, and where in the file they end.

    A last line without its end is still being written and left for the next time. Raises InputError where the log is
    no regular file or cannot be read.
    """
    path = folder.file(EVENTS)
    if not os.path.lexists(path):
        return
    with open_regular(path, follow=False) as file:
        file.seek(offset)
        rest = b""
        while data := file.read(_PIECE):
            end = data.rfind(b"\n") + 1
            lines = rest + data[:end] if end else b""
            rest = data[end:] if end else rest + data
            offset += len(data)
            if len(rest) > _LONGEST:  # no event: what is left of it is a damaged line
                rest = b""
            yield lines, offset - len(rest)


def log_end(folder: RunFolder) -> int:
    """Return where what a run tells from now on begins in its event log, in bytes.

    That is behind its last whole line: who writes on cuts off one that a killed process left unfinished. Raises as
    `pieces` does.
    """
    path = folder.file(EVENTS)
    if not os.path.lexists(path):
        return 0
    with open_regular(path, follow=False) as file:
        return end_of_lines(file)


def last_start(folder: RunFolder) -> RunStarted | None:
    """Return the last start that a run's log tells of; of a log of a million events, too, only those are read."""
    last = None
    for lines, _ in pieces(folder):
        for line in lines.splitlines() if b'"run_started"' in lines else ():
            if b'"run_started"' in line and isinstance(event := from_line(line), RunStarted):
                last = event
    return last
