"""Follows the event log of a run that another process may still be writing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.events import Event, from_dict
from core.files import json_lines
from core.runs.folder import EVENTS, RunFolder, Status, effective


@dataclass(frozen=True)
class Look:
    """Events read at one time. `offset`: where to read on; `restarted`: events read before are void, these are all."""

    events: list[Event] = field(default_factory=list)
    offset: int = 0
    status: Status | None = None
    restarted: bool = False


def read_all(folder: RunFolder) -> Look:
    """Return all recorded events but those of steps that a resume took again, and where the log ends."""
    events, offset = _read(folder, 0)
    return Look(_typed(effective(events)), offset, folder.status())


def read_new(folder: RunFolder, offset: int) -> Look:
    """Return what was appended after `offset`, whole lines only.

    Where a resume took steps again, or the file became shorter, everything is read anew (`restarted`).
    """
    status = folder.status()
    path = folder.file(EVENTS)
    size = path.stat().st_size if path.is_file() else 0
    if size < offset:
        return _again(folder, status)
    if size == offset:
        return Look([], offset, status)
    events, end = _read(folder, offset)
    if any(event.get("type") == "run_started" and event.get("resumed_at") is not None for event in events):
        return _again(folder, status)
    return Look(_typed(events), end, status)


def _again(folder: RunFolder, status: Status) -> Look:
    whole = read_all(folder)
    return Look(whole.events, whole.offset, status, restarted=True)


def _read(folder: RunFolder, offset: int) -> tuple[list[dict[str, Any]], int]:
    path = folder.file(EVENTS)
    if not path.is_file():
        return [], 0
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read()
    end = data.rfind(b"\n") + 1  # a last line without its end is still being written
    return json_lines(data[:end]), offset + end


def _typed(events: list[dict[str, Any]]) -> list[Event]:
    return [event for event in map(from_dict, events) if event is not None]
