"""Writes events and status of a run while it runs: events are appended, the status replaced, so a crash loses none."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from core.errors import RunError
from core.events import CheckpointSaved, Event, PhaseChanged, Progress, RunFailed, RunFinished, RunStarted
from core.jsonio import dumps
from core.runs.folder import EVENTS, RunFolder, Status
from core.states import State

HEARTBEAT_SECONDS = 1.0


class Recorder:
    """Appends events to events.jsonl and keeps status.json; used by one thread."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        path = folder.file(EVENTS)
        _end_last_line(path)
        self._file: IO[bytes] = path.open("ab")
        self._status = Status(State.PREPARING.value, os.getpid(), time.time())
        self._write_status()

    def record(self, event: Event) -> None:
        """Write one event; progress is for the screen only. Raises RunError where the disk does not take it."""
        if isinstance(event, Progress):
            self._beat()
            return
        try:
            self._file.write(dumps(event) + b"\n")
            self._file.flush()
            if isinstance(event, CheckpointSaved | RunFinished | RunFailed):
                os.fsync(self._file.fileno())
        except OSError as error:
            raise RunError(
                f"{EVENTS} cannot be written: {error.strerror}", "Free some disk space and resume the run"
            ) from error
        self._follow(event)

    def close(self) -> None:
        """Close the event log."""
        self._file.close()

    def _follow(self, event: Event) -> None:
        old, changes = self._status, dict[str, Any]()
        if isinstance(event, RunStarted):
            changes = {"state": State.RUNNING.value, "steps": event.steps}
        elif isinstance(event, PhaseChanged | RunFinished):
            changes = {"state": event.state}
        elif isinstance(event, CheckpointSaved):
            changes = {"checkpoint": event.path}
        elif isinstance(event, RunFailed):
            changes = {"state": State.FAILED.value, "error": event.error}
        self._status = new = replace(old, step=event.step, **changes)
        if (new.state, new.checkpoint) != (old.state, old.checkpoint):
            self._write_status()
        else:
            self._beat()

    def _beat(self) -> None:
        if time.time() - self._status.heartbeat >= HEARTBEAT_SECONDS:
            self._write_status()

    def _write_status(self) -> None:
        self._status = replace(self._status, heartbeat=time.time())
        self._folder.write_status(self._status)


def _end_last_line(path: Path) -> None:
    """Cut off a last line that a killed process left unfinished, so that what is appended starts a line of its own."""
    if not path.is_file():
        return
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end < len(data):
        with path.open("r+b") as file:
            file.truncate(end)
