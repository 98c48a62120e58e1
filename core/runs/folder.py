"""The run folder: where a job, its events and status, its result and report lie on disk."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import filelock

from core import job as jobs
from core.errors import InputError, MismatchError, NotFoundError
from core.events import ACTIVE, State
from core.files import (
    CARD_NAME,
    WEIGHTS_NAME,
    convert,
    file_sha256,
    json_lines,
    read_json,
    read_object,
    require_place,
    write_json,
)
from core.job import Job

JOB, FORGET, EVENTS, STATUS = "job.json", "forget.csv", "events.jsonl", "status.json"
MODEL, MODEL_PT, CARD = WEIGHTS_NAME, "model.pt", CARD_NAME
REPORT_HTML, REPORT_JSON, CHECKPOINTS, LOCK = "report.html", "report.json", "checkpoints", ".lock"
LOCK_SECONDS = 0.3  # to wait for a lock: another program that asks `locked` holds it for a moment
TUNING = "tuning.json"  # tries of a search for settings, written before the job, whose values it chooses
VERIFY, REMOVED, SIGNATURE = "verify.jsonl", "removed.json", "report.json.sig"
REMOVED_SIGNATURE = "removed.json.sig"
OWN_FILES = (
    JOB, FORGET, EVENTS, STATUS, MODEL, MODEL_PT, CARD, REPORT_HTML, REPORT_JSON, VERIFY, REMOVED, SIGNATURE,
    REMOVED_SIGNATURE,
)  # fmt: skip
_LEFTOVERS = (  # temporary names of files that are replaced whole (`files.replacing`), and those of earlier versions
    *(f".{name}.????????.tmp" for name in (*OWN_FILES, TUNING)),
    f"{CHECKPOINTS}/.step-*.????????.tmp",
    *(f".{Path(name).stem}.????????{Path(name).suffix}" for name in (MODEL, MODEL_PT)),
    f"{CHECKPOINTS}/step-*.tmp",
)


@dataclass(frozen=True)
class Status:
    """status.json: where a run stands. `heartbeat` is seconds since the epoch."""

    state: str
    pid: int
    heartbeat: float
    step: int = 0
    steps: int = 0
    checkpoint: str | None = None
    error: str | None = None


class RunFolder:
    """Paths, status, events and lock of one run."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @property
    def id(self) -> str:
        """The run's name: its folder's."""
        return self.path.name

    @property
    def exists(self) -> bool:
        """True where the folder holds a job."""
        try:
            return self.file(JOB).is_file()
        except OSError:  # a path that no disk can have
            return False

    def file(self, name: str) -> Path:
        """Return the path of one of the folder's files."""
        return self.path / name

    @classmethod
    def wanted(cls, path: Path | str, *, resume: bool = False) -> RunFolder:
        """Return the folder of a run to make, or to `resume`. InputError where it holds a run, without `resume`."""
        folder = cls(path)
        require_place(folder.path)
        if folder.exists and not resume:
            raise InputError(f"{folder.path} already holds a run", "Choose another folder, or resume it with --resume")
        return folder

    @classmethod
    def create(cls, path: Path | str, job: Job) -> RunFolder:
        """Make the folder and write the job first. Raises InputError where it already holds a run or a stray file."""
        folder = cls.wanted(path)
        for name in OWN_FILES:
            if folder.file(name).exists():  # a model of the user's may be called like this
                raise InputError(f"{folder.file(name)} exists, and a run would replace it", "Choose another folder")
        if any(folder.file(CHECKPOINTS).glob("*")):  # a run drops all but its last two, and they go with the run
            raise InputError(
                f"{folder.file(CHECKPOINTS)} holds other files, and a run would delete them", "Choose another folder"
            )
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            write_json(folder.file(JOB), job)
        except OSError as error:
            raise InputError(
                f"{folder.path} cannot be used as a run folder: {error.strerror}",
                "Choose a folder that can be written to",
            ) from error
        folder.write_status(Status("queued", os.getpid(), time.time()))
        return folder

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """Return an existing run folder; raises NotFoundError where there is no job in it."""
        folder = cls(path)
        if not folder.exists:
            raise NotFoundError(f"{folder.path} is not a run folder: it has no {JOB}")
        return folder

    def job(self) -> Job:
        """Read the job. Raises InputError where it is damaged, MismatchError where a newer version wrote it."""
        return jobs.from_dict(read_json(self.file(JOB)))

    def job_sha256(self) -> str:
        """Return the SHA-256 of the job file, by which cards and chains name the job."""
        return file_sha256(self.file(JOB))

    def status(self) -> Status:
        """Return the run's status. A run whose state is active but which no process holds is `interrupted`.

        Raises MismatchError where a newer version wrote a state that this one does not know.
        """
        status = self._read_status()
        if (state := State.named(status.state)) is None:
            raise MismatchError(
                f"The run was written by a newer version: this one knows no state {status.state!r}",
                "Update Unlearn Studio to open it",
            )
        if state in ACTIVE and not self.locked:  # its process died
            return replace(status, state=State.INTERRUPTED.value)
        return status

    def write_status(self, status: Status) -> None:
        """Replace status.json atomically."""
        write_json(self.file(STATUS), status)

    def events(self) -> list[dict[str, Any]]:
        """Return the recorded events in order, without those of steps that a resume took again.

        A last line cut off by a crash is dropped; a damaged line elsewhere is skipped.
        """
        return effective(self.read_events())

    def read_events(self) -> list[dict[str, Any]]:
        """Return every recorded event as it stands in the file."""
        path = self.file(EVENTS)
        if not path.is_file():
            return []
        return json_lines(path.read_bytes())

    def report(self) -> dict[str, Any] | None:
        """Return report.json, or None where there is none yet."""
        return read_json(self.file(REPORT_JSON)) if self.file(REPORT_JSON).is_file() else None

    def card(self) -> dict[str, Any] | None:
        """Return the model card, or None where there is none yet."""
        return read_json(self.file(CARD)) if self.file(CARD).is_file() else None

    def removed(self) -> dict[str, dict[str, str]]:
        """Return the files removed on request: name -> {"sha256", "removed"}; empty where none was."""
        return read_object(self.file(REMOVED))

    @property
    def has_result(self) -> bool:
        """True where the unlearned model is on disk."""
        return self.file(MODEL).is_file()

    @property
    def is_done(self) -> bool:
        """True where the run has ended with a result, so that resuming it changes nothing."""
        return self.has_result and self.status().state in (State.FINISHED, State.STOPPED)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process. The system frees the lock when the process ends in any way.

        Raises InputError where another process holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.file(LOCK), timeout=LOCK_SECONDS, thread_local=False)
        try:
            lock.acquire(poll_interval=LOCK_SECONDS / 10)
        except filelock.Timeout:
            raise InputError(f"{self.path} is in use by another process", "Wait for it to end, or stop it") from None
        try:
            yield
        finally:
            lock.release()

    @property
    def locked(self) -> bool:
        """True while a process works on the run."""
        path = self.file(LOCK)
        if not path.exists():
            return False
        probe = filelock.FileLock(path, timeout=0, thread_local=False)
        try:
            probe.acquire()
        except filelock.Timeout:
            return True
        except OSError:
            return False
        probe.release()
        return False

    def delete(self) -> None:
        """Remove the run's files, and the folder where nothing else is in it.

        Raises InputError while a process works on it.
        """
        if self.locked:
            raise InputError(f"{self.path} is in use", "Stop the run first")
        shutil.rmtree(self.file(CHECKPOINTS), ignore_errors=True)
        self.clear_leftovers()
        for name in (*OWN_FILES, TUNING, LOCK):
            self.file(name).unlink(missing_ok=True)
        with suppress(OSError):  # other files may lie in it: `--out .` is allowed
            self.path.rmdir()

    def clear_leftovers(self) -> None:
        """Remove files that a killed process had begun to write. Call it only while no other process uses the run."""
        for pattern in _LEFTOVERS:
            for path in self.path.glob(pattern):
                with suppress(OSError):
                    path.unlink()

    def size(self) -> int:
        """Return the size of all files in the folder, in bytes."""
        return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())

    def _read_status(self) -> Status:
        """Return what status.json says; an interrupted run where it is missing or damaged."""
        try:
            return convert(read_json(self.file(STATUS)), Status, STATUS)
        except InputError:
            return Status(State.INTERRUPTED.value, 0, 0.0)


def effective(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events without those a resume took back: of steps after the one a later `run_started` resumed at."""
    kept: list[dict[str, Any]] = []
    for event in events:
        resumed_at = event.get("resumed_at") if event.get("type") == "run_started" else None
        if isinstance(resumed_at, int):
            kept = [
                e
                for e in kept
                if e.get("type") == "log"
                or (e.get("step", 0) <= resumed_at and e.get("type") not in ("run_finished", "run_failed"))
            ]
        kept.append(event)
    return kept


def list_runs(folder: Path | str) -> list[RunFolder]:
    """Return the run folders in `folder` (itself, or its direct children), newest first."""
    root = Path(folder)
    if RunFolder(root).exists:
        return [RunFolder(root)]
    if not root.is_dir():
        raise NotFoundError(f"There is no folder {root}")
    runs = [RunFolder(child) for child in root.iterdir() if child.is_dir() and RunFolder(child).exists]
    return sorted(runs, key=lambda run: run.file(JOB).stat().st_mtime, reverse=True)
