"""What a run writes while it goes on, so that a crash loses none of it: events, its status, and checkpoints.

Events are appended, the status is replaced. Checkpoints are written whole or not at all, and read without running code;
the last two are kept. Each ends with the SHA-256 of what stands before, as the comment of the zip archive it is.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any, BinaryIO

import torch

from core.errors import InputError, MismatchError, RunError, behind_torch
from core.events import CheckpointSaved, Event, Log, PhaseChanged, Progress, RunFailed, RunFinished, RunStarted, State
from core.files import check_schema, dumps, open_regular, open_to_append, replacing
from core.leftovers import remove
from core.runs.folder import CHECKPOINTS, EVENTS, STATUS, RunFolder, Status

HEARTBEAT_SECONDS = 1.0
PROGRESS_SECONDS = 0.5
CHECKPOINTS_KEPT = 2
SCHEMA_VERSION = 1  # of a checkpoint
_SEAL = b"sha256:"  # what a zip archive's comment begins with
_HINT = "Free some disk space and resume the run"


class Recorder:
    """Appends events to events.jsonl and keeps status.json; used by one thread.

    All methods raise RunError where the disk does not take what is written, or the folder is gone.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._started: RunStarted | None = None
        self._beaten = self._progressed = 0.0  # by a clock that nobody sets
        self._going_on = ""  # what the last progress written tells of
        self._file = self._opened()
        self._status = Status(State.PREPARING.value, os.getpid(), time.time(), host=platform.node())
        try:
            self._write_status()
        except RunError:
            self._file.close()
            raise

    def record(self, event: Event) -> None:
        """Write one event; of progress what is new, and the rest twice a second.

        The end of a run changes its status only with `conclude`, once all is on disk that the run leaves.
        """
        if isinstance(event, Progress):
            if event.what == self._going_on and time.monotonic() - self._progressed < PROGRESS_SECONDS:
                self._beat()
                return
            self._going_on, self._progressed = event.what, time.monotonic()
        if isinstance(event, RunStarted):
            self._started = event
        self._mend(event)
        self._append(event)
        self._follow(event)

    def conclude(self, state: State) -> None:
        """Write the state a run has ended in: the last that it writes."""
        self._status = replace(self._status, state=state.value)
        self._write_status()

    def close(self) -> None:
        """Close the event log."""
        self._file.close()

    def _opened(self) -> BinaryIO:
        try:
            return open_to_append(self._folder.file(EVENTS))
        except OSError as error:
            raise _unwritten(EVENTS, error) from error

    def _append(self, event: Event) -> None:
        try:
            self._file.write(dumps(event) + b"\n")
            self._file.flush()
            if isinstance(event, CheckpointSaved | RunFinished | RunFailed):
                os.fsync(self._file.fileno())
        except OSError as error:
            raise _unwritten(EVENTS, error) from error

    def _mend(self, event: Event) -> None:
        """Begin the log anew where somebody removed or replaced the file, and say so in it."""
        path = self._folder.file(EVENTS)
        try:
            if os.path.samestat(path.lstat(), os.fstat(self._file.fileno())):
                return
        except OSError:
            self._require_folder()
        self._file.close()
        self._file = self._opened()
        text = f"{EVENTS} was removed while the run went on: what it held is lost, and it begins anew here."
        lost = Log(run=event.run, step=event.step, time=event.time, level="warning", message=text, code="log_lost")
        for again in (lost, self._started):
            if again is not None and again is not event:
                self._append(again)

    def _require_folder(self) -> None:
        if not self._folder.path.is_dir():
            raise RunError(
                f"{self._folder.path} was removed or moved while the run went on, so nothing more of it can be written",
                "Resume it where it is now, or start it again",
            )

    def _follow(self, event: Event) -> None:
        """Bring the status up to an event: on disk at once where state or checkpoint changed, else at a beat."""
        old, changes = self._status, dict[str, Any]()
        if isinstance(event, RunStarted):
            changes = {"state": State.RUNNING.value, "steps": event.steps}
        elif isinstance(event, PhaseChanged):
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
        """Write the status where it is older than a heartbeat; one that the disk does not take is no reason to end."""
        if time.monotonic() - self._beaten >= HEARTBEAT_SECONDS:
            self._beaten = time.monotonic()
            self._require_folder()
            with suppress(RunError):
                self._write_status()

    def _write_status(self) -> None:
        """Write the status with the time of now."""
        self._require_folder()
        self._status = replace(self._status, heartbeat=time.time())
        try:
            self._folder.write_status(self._status)
        except OSError as error:
            raise _unwritten(STATUS, error) from error
        self._beaten = time.monotonic()


class NoRecorder(Recorder):
    """Writes nothing: of the processes that share a run only the first one writes."""

    def __init__(self) -> None:
        pass

    def record(self, event: Event) -> None:
        """Leave it to the first process."""

    def conclude(self, state: State) -> None:
        """Leave it to the first process."""

    def close(self) -> None:
        """Close nothing."""


def _unwritten(name: str, error: OSError) -> RunError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    hint = _HINT if full else "Check the disk and its permissions, then resume the run"
    return RunError(f"{name} cannot be written: {error.strerror or error}", hint)


# --- checkpoints --------------------------------------------------------------------------------------------------


def save_checkpoint(folder: RunFolder, state: dict[str, Any], job_sha256: str) -> tuple[str, int]:
    """Write a state under its step and drop all but the last two; return its path in the run folder and its bytes.

    `job_sha256` is that of the job the run began with. Checkpoints of later steps go too: they are of an attempt that
    diverged, and the run began again from an earlier one. Raises RunError where the disk does not take the file: a
    failed save must not be silent.
    """
    path = folder.file(CHECKPOINTS) / f"step-{state['step']:09d}.pt"
    try:
        if path.parent.is_symlink():
            raise OSError(f"{path.parent} is a link, and nothing is written through it")
        path.parent.mkdir(exist_ok=True)
        with replacing(path, make=False) as temporary, temporary.open("w+b") as file:
            torch.save({"schema_version": SCHEMA_VERSION, "sealed": True, "job_sha256": job_sha256, **state}, file)
            _seal(file)
    except (OSError, RuntimeError) as error:
        reason = behind_torch(error)
        words = getattr(reason, "strerror", None) or reason
        raise RunError(f"The checkpoint could not be written: {words}", _HINT) from error
    saved = folder.checkpoints()
    last = saved.index(path) + 1
    for superseded in (*saved[: max(0, last - CHECKPOINTS_KEPT)], *saved[last:]):
        remove(superseded)
    return f"{CHECKPOINTS}/{path.name}", path.stat().st_size


def load_checkpoint(folder: RunFolder, job_sha256: str) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the newest checkpoint that is whole, or None; and the names of those that are not, newest first.

    Raises MismatchError where it belongs to another job than that with the hash `job_sha256`, or a newer version wrote
    it.
    """
    damaged = []
    for path in reversed(folder.checkpoints()):
        try:
            with open_regular(path, follow=False) as file:
                sealed = _check_seal(file)
                state = torch.load(file, map_location="cpu", weights_only=True)
            if not isinstance(state, dict) or not isinstance(state.get("step"), int):
                raise InputError(f"{path.name} holds no state of a run")
            check_schema(state.get("schema_version"), SCHEMA_VERSION, path.name)
            if state.get("sealed") and not sealed:
                raise InputError(f"{path.name} has lost its hash")
        except MismatchError:
            raise
        except Exception:  # a damaged file may raise anything; the run goes on from the one before
            damaged.append(path.name)
            continue
        if state.get("job_sha256") != job_sha256:
            raise MismatchError(
                f"{path.name} belongs to another job than job.json", "The job file was changed after the start"
            )
        for superseded in folder.checkpoints()[: -CHECKPOINTS_KEPT - len(damaged)]:
            remove(superseded)  # a process that died, or a disk, kept it from going when it was due
        return state, damaged
    return None, damaged


def _seal(file: BinaryIO) -> None:
    """Give a zip archive the SHA-256 of its bytes as its comment, whose length is the last thing in it so far."""
    digest = _digest(file, file.seek(0, os.SEEK_END) - 2)
    comment = _SEAL + digest.encode()
    file.seek(-2, os.SEEK_END)
    file.write(len(comment).to_bytes(2, "little") + comment)


def _check_seal(file: BinaryIO) -> bool:
    """Whether an archive ends with a hash, as those of earlier versions do not; InputError where it is not its own."""
    length = len(_SEAL) + 64
    end = file.seek(0, os.SEEK_END) - length
    file.seek(max(0, end))
    comment = file.read()
    sealed = comment.startswith(_SEAL)
    if sealed and comment[len(_SEAL) :].decode() != _digest(file, end - 2):
        raise InputError("The hash is that of other bytes")
    file.seek(0)
    return sealed


def _digest(file: BinaryIO, length: int) -> str:
    """Return the SHA-256 of the first `length` bytes of a file in hexadecimal."""
    file.seek(0)
    digest = hashlib.sha256()
    while length > 0 and (piece := file.read(min(length, 1 << 20))):
        digest.update(piece)
        length -= len(piece)
    return digest.hexdigest()
