"""What a run writes while it goes on, so that a crash loses none of it: events, its status, and checkpoints.

Events are appended, the status is replaced. Checkpoints are written whole or not at all, and read without running code;
the last two are kept.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from core.errors import MismatchError, RunError
from core.events import CheckpointSaved, Event, PhaseChanged, Progress, RunFailed, RunFinished, RunStarted, State
from core.files import check_schema, dumps, open_to_append, replacing
from core.runs.folder import CHECKPOINTS, EVENTS, RunFolder, Status

HEARTBEAT_SECONDS = 1.0
CHECKPOINTS_KEPT = 2
SCHEMA_VERSION = 1  # of a checkpoint


class Recorder:
    """Appends events to events.jsonl and keeps status.json; used by one thread."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._file = open_to_append(folder.file(EVENTS))
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
        """Bring the status up to an event: on disk at once where state or checkpoint changed, else at a beat."""
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
        """Write the status where it is older than a heartbeat."""
        if time.time() - self._status.heartbeat >= HEARTBEAT_SECONDS:
            self._write_status()

    def _write_status(self) -> None:
        """Write the status with the time of now."""
        self._status = replace(self._status, heartbeat=time.time())
        self._folder.write_status(self._status)


def save_checkpoint(folder: RunFolder, state: dict[str, Any]) -> tuple[str, int]:
    """Write a state under its step and drop all but the last two; return its path in the run folder and its bytes.

    Checkpoints of later steps go too: they are of an attempt that diverged, and the run began again from an earlier
    one. Raises RunError where the disk does not take the file: a failed save must not be silent.
    """
    path = folder.file(CHECKPOINTS) / f"step-{state['step']:09d}.pt"
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            torch.save({"schema_version": SCHEMA_VERSION, "job_sha256": folder.job_sha256(), **state}, file)
    except (OSError, RuntimeError) as error:
        raise RunError(
            f"The checkpoint could not be written: {error}", "Free some disk space and resume the run"
        ) from error
    saved = list_checkpoints(folder)
    last = saved.index(path) + 1
    for superseded in (*saved[: max(0, last - CHECKPOINTS_KEPT)], *saved[last:]):
        superseded.unlink(missing_ok=True)
    return f"{CHECKPOINTS}/{path.name}", path.stat().st_size


def list_checkpoints(folder: RunFolder) -> list[Path]:
    """Return the checkpoints of a run, oldest first."""
    return sorted(folder.file(CHECKPOINTS).glob("step-*.pt"))


def load_checkpoint(folder: RunFolder) -> dict[str, Any] | None:
    """Return the newest checkpoint that can be read, or None. Raises MismatchError where it belongs to another job."""
    for path in reversed(list_checkpoints(folder)):
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:  # a damaged file may raise anything; the run goes on from the one before
            continue
        check_schema(state.get("schema_version"), SCHEMA_VERSION, path.name)
        if state.get("job_sha256") != folder.job_sha256():
            raise MismatchError(
                f"{path.name} belongs to another job than job.json", "The job file was changed after the start"
            )
        return state
    return None
