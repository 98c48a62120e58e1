"""The run folder: where a job, its events and status, its result and report lie on disk."""

from __future__ import annotations

import os
import platform
import re
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import filelock

from core import distributed
from core import job as jobs
from core.errors import InputError, MismatchError, NotFoundError
from core.events import ACTIVE, ENDED, Count, Event, Number, RunFinished, State, from_line, read_lines
from core.files import (
    CARD_NAME,
    WEIGHTS_NAME,
    clear_cache_leftovers,
    convert,
    dumps,
    dumps_pretty,
    file_sha256,
    open_regular,
    open_to_append,
    read_bytes,
    read_json,
    require_place,
    sync_folder,
    write_atomic,
)
from core.job import Job
from core.leftovers import DAY, building, clear_leftovers, is_temporary, process_lives, remove
from core.runs import shapes

JOB, FORGET, EVENTS, STATUS = "job.json", "forget.csv", "events.jsonl", "status.json"
MODEL, MODEL_PT, CARD = WEIGHTS_NAME, "model.pt", CARD_NAME
REPORT_HTML, REPORT_JSON, CHECKPOINTS, LOCK = "report.html", "report.json", "checkpoints", ".lock"
_LAST_LINE = 1 << 20  # bytes of the event log in which the run's end is looked for
LOG_LIMIT = 1 << 36  # bytes of an event log: a run of some days writes more than any text has
LOCK_SECONDS = 0.3  # to wait for a lock: another program that asks `locked` holds it for a moment
TUNING = "tuning.json"  # tries of a search for settings, written before the job, whose values it chooses
VERIFY, REMOVED, SIGNATURE = "verify.jsonl", "removed.json", "report.json.sig"
ASKED = "asked.jsonl"  # what other processes ask of the run while it goes
REMOVED_SIGNATURE = "removed.json.sig"
OWN_FILES = (
    JOB, FORGET, EVENTS, STATUS, MODEL, MODEL_PT, CARD, REPORT_HTML, REPORT_JSON, VERIFY, REMOVED, SIGNATURE,
    REMOVED_SIGNATURE, ASKED,
)  # fmt: skip
MADE = {"unlearn": (MODEL, MODEL_PT, CARD, REPORT_JSON, REPORT_HTML), "train": (MODEL, CARD)}
"""What a run of each kind has made once it has ended with a result, in the order in which it is written."""

# Temporary names of earlier versions: of files that were replaced whole.
_EARLIER = re.compile(
    rf"\.({'|'.join(map(re.escape, (*OWN_FILES, TUNING)))}|step-\d+\.pt)\.\w{{8}}\.tmp"
    rf"|\.model\.\w{{8}}\.(pt|safetensors)|step-\d+\.tmp"
)


@dataclass(frozen=True)
class Status:
    """status.json: where a run stands. `heartbeat` is seconds since the epoch; `host`: of the machine it is on."""

    state: str
    pid: int
    heartbeat: Number
    step: Count = 0
    steps: Count = 0
    checkpoint: str | None = None
    error: str | None = None
    host: str = ""

    @property
    def elsewhere(self) -> str:
        """The name of the machine it is on, where that is not this one."""
        return self.host if self.host != platform.node() else ""


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
        return self.holds(JOB)

    def holds(self, name: str) -> bool:
        """Whether a regular file of this name is in the folder; a link in it may lead anywhere and counts for none."""
        try:
            return stat.S_ISREG(os.lstat(f"{self.path}/{name}").st_mode)  # of thousands of runs: no Path is made
        except (OSError, ValueError):  # ValueError: a path that no disk can have
            return False

    def file(self, name: str) -> Path:
        """Return the path of one of the folder's files."""
        return self.path / name

    @classmethod
    def wanted(cls, path: Path | str, *, resume: bool = False) -> RunFolder:
        """Return the folder of a run to make, or to `resume`. InputError where it holds a run, without `resume`.

        One that was never started is in nobody's way. Of several processes that share the run only the first, which
        makes it, looks.
        """
        folder = cls(path)
        if not distributed.is_first():
            return folder
        require_place(folder.path)
        if folder.exists and not resume and not folder.never_started:
            raise InputError(f"{folder.path} already holds a run", "Choose another folder, or resume it with --resume")
        return folder

    @classmethod
    def create(cls, path: Path | str, job: Job, files: Mapping[str, bytes] | None = None) -> RunFolder:
        """Make the folder of a run with its job and the `files` that belong to it, such as the forget list, by name.

        Where the job's file is among them, it is written as it is: its hash is what other files name the job by.
        All of it is there, or nothing: a new folder is filled aside and then renamed; in one that is there the job is
        written last. Raises InputError where the folder already holds a run or a stray file, or cannot be written.
        """
        folder = cls.wanted(path)
        clear_leftovers(folder.path)
        folder._clear_start()
        for name in OWN_FILES:
            if os.path.lexists(folder.file(name)):  # a model of the user's may be called like this
                raise InputError(f"{folder.file(name)} exists, and a run would replace it", "Choose another folder")
        saved = folder.file(CHECKPOINTS)
        if saved.is_symlink() or any(saved.glob("*")):  # a run drops all but its last two, and they go with the run
            raise InputError(
                f"{saved} holds other files, and a run would delete them", "Choose another folder"
            )
        try:
            if folder.path.is_dir():
                try:
                    folder._begin(job, files or {})
                except OSError:
                    folder._remove_start()
                    raise
            else:
                with building(folder.path) as aside:
                    cls(aside)._begin(job, files or {})
                    aside.rename(folder.path)
                sync_folder(folder.path.parent)
        except OSError as error:
            raise InputError(
                f"{folder.path} cannot be used as a run folder: {error.strerror}",
                "Choose a folder that can be written to",
            ) from error
        return folder

    def _begin(self, job: Job, files: Mapping[str, bytes]) -> None:
        """Write what makes a run: its status, the files that belong to it, and last the job."""
        self.write_status(Status(State.QUEUED.value, os.getpid(), time.time(), host=platform.node()))
        for name, data in files.items():
            if name != JOB:
                self.write(name, data)
        self.write(JOB, files.get(JOB) or dumps_pretty(job))

    @property
    def never_started(self) -> bool:
        """Whether a run was made that nobody began: its process ended before, or before it left the forget list."""
        if not self.exists or self.locked or self.holds(MODEL) or self.checkpoints():
            return False
        status = self._read_status()
        if status.state == State.QUEUED:
            return _abandoned(status)
        if self.holds(FORGET) or FORGET in self.removed() or not self.job().forget.count:
            return False
        return not any(event.get("type") == "run_started" for event in self.read_events())

    def _clear_start(self) -> None:
        """Remove what a start that came to nothing has left: of a run never started, or of one that had no job yet.

        In the second case the status, which is written first, tells these files from a user's.
        """
        status = self._read_status()
        begun = self.holds(STATUS) and status.state == State.QUEUED and _abandoned(status)
        if self.never_started if self.exists else begun and not self.locked:
            self._remove_start()

    def _remove_start(self) -> None:
        for name in (FORGET, EVENTS, STATUS, JOB):  # in this order what is left is found again if this ends midway
            remove(self.file(name))

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """Return an existing run folder; raises NotFoundError where there is no job in it."""
        folder = cls(path)
        if not folder.exists:
            raise NotFoundError(f"{folder.path} is not a run folder: it has no {JOB}")
        return folder

    def job(self) -> Job:
        """Read the job. Raises InputError where it is damaged, MismatchError where a newer version wrote it."""
        return jobs.from_dict(read_json(self.file(JOB), follow=False))

    def job_sha256(self) -> str:
        """Return the SHA-256 of the job file, by which cards and chains name the job."""
        return file_sha256(self.file(JOB))

    def status(self) -> Status:
        """Return the run's status.

        `interrupted` are a run whose state is active but which no process holds, one that nobody has begun, and one
        that has ended but lacks what it made; of the last two `error` says so. Raises MismatchError where a newer
        version wrote a state that this one does not know.
        """
        status = self._read_status()
        if (state := State.named(status.state)) is None:
            raise MismatchError(
                f"The run was written by a newer version: this one knows no state {status.state!r}",
                "Update Unlearn Studio to open it",
            )
        interrupted, error = False, status.error
        if state in ACTIVE:
            interrupted = not self.locked  # its process died
        elif state is State.QUEUED and self.never_started:
            interrupted, error = True, "The run was never started: resume it, or delete it."
        elif state in ENDED and (missing := self.missing()):
            named = " and ".join(missing)
            again = "resume it to have these written again"
            if state is State.STOPPED and MODEL in missing:  # nothing else holds the weights it had then
                again = "resumed, it goes on from its last checkpoint to its end"
            interrupted, error = True, f"The run has ended, but lacks {named}: {again}."
        return replace(status, state=State.INTERRUPTED.value, error=error) if interrupted else status

    def write(self, name: str, data: bytes) -> None:
        """Replace one of the folder's files atomically; a list of people is for the user's eyes only.

        Raises FileNotFoundError where the folder is gone: one that was moved away is not made anew.
        """
        write_atomic(self.file(name), data, private=name == FORGET, make=False)

    def write_status(self, status: Status) -> None:
        """Replace status.json atomically."""
        self.write(STATUS, dumps_pretty(status))

    def change_status(self, **changes: Any) -> None:
        """Write status.json with `changes` to what it says, whatever readers take the run for."""
        self.write_status(replace(self._read_status(), **changes))

    def append(self, event: Event) -> None:
        """Add an event to the log of a run that no process works on. Raises OSError where the disk does not take it."""
        with open_to_append(self.file(EVENTS)) as file:
            file.write(dumps(event) + b"\n")

    def events(self) -> list[dict[str, Any]]:
        """Return the recorded events in order, without those of steps that a resume took again.

        A last line cut off by a crash is dropped; a damaged line elsewhere is skipped.
        """
        return effective(self.read_events())

    def read_events(self) -> list[dict[str, Any]]:
        """Return every recorded event as it stands in the file."""
        return self._events()[0]

    def damaged_events(self) -> int:
        """Return how many lines of the log hold no event and are passed over."""
        return self._events()[1]

    def _events(self) -> tuple[list[dict[str, Any]], int]:
        path = self.file(EVENTS)
        return read_lines(read_bytes(path, LOG_LIMIT, follow=False)) if path.exists() else ([], 0)

    def report(self) -> dict[str, Any] | None:
        """Return report.json, proven to be a `shapes.Report`; None where there is none yet.

        Raises InputError naming what in it is damaged, as `card` and `removed` do.
        """
        return self._proven(REPORT_JSON, shapes.Report)

    def card(self) -> dict[str, Any] | None:
        """Return the model card, proven to be a `shapes.Card`; None where there is none yet."""
        return self._proven(CARD, shapes.Card)

    def removed(self) -> dict[str, dict[str, str]]:
        """Return the files removed on request: name -> {"sha256", "removed"}; empty where none was."""
        return self._proven(REMOVED, dict[str, shapes.RemovedFile]) or {}

    def _proven(self, name: str, kind: Any) -> dict[str, Any] | None:
        path = self.file(name)
        return read_proven(path, kind) if path.exists() else None

    @property
    def has_result(self) -> bool:
        """True where the unlearned model is on disk."""
        return self.holds(MODEL)

    def missing(self) -> list[str]:
        """Return the names of what a run that has ended should have made and is not there, nor removed on request."""
        names = [name for name in MADE["unlearn"] if not self.holds(name)]
        if not names:
            return []
        made, removed = MADE[self.job().kind], self.removed()
        return [name for name in names if name in made and name not in removed]

    @property
    def is_done(self) -> bool:
        """True where the run has ended with a result and lacks nothing of it, so that resuming it changes nothing."""
        return self.has_result and self.status().state in ENDED

    @property
    def finished(self) -> bool:
        """True where the run has taken all its steps and lacks nothing of its result."""
        return self.is_done and self.status().state == State.FINISHED

    def ending(self) -> RunFinished | None:
        """Return how a run with a result has ended, whatever else of it is missing; None where it has not.

        A process that died as it wrote the last files leaves the end in the event log, and the status as it was.
        """
        if not self.has_result:
            return None
        end, status = self._last_event(), self._read_status()
        if not isinstance(end, RunFinished):
            end = RunFinished(run=self.id, step=status.step, time=status.heartbeat, state=status.state, seconds=0.0)
        same = end.model_sha256 in ("", file_sha256(self.file(MODEL), follow=False))
        return end if same and State.named(end.state) in ENDED else None

    def checkpoints(self) -> list[Path]:
        """Return the run's checkpoints, oldest first; none where their folder is a link, which may lead anywhere."""
        folder = self.file(CHECKPOINTS)
        if folder.is_symlink():
            return []
        return sorted(path for path in folder.glob("step-*.pt") if self.holds(f"{CHECKPOINTS}/{path.name}"))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run for this process. The system frees the lock when the process ends in any way.

        Raises InputError where another process holds it.
        """
        lock = filelock.FileLock(self.file(LOCK), timeout=LOCK_SECONDS, thread_local=False)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(poll_interval=LOCK_SECONDS / 10)
        except filelock.Timeout:
            raise InputError(f"{self.path} is in use by another process", "Wait for it to end, or stop it") from None
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be worked in: {error.strerror or error}", "Check the disk and permissions"
            ) from error
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
        self.clear_leftovers()
        for name in (CHECKPOINTS, *OWN_FILES[1:], TUNING, LOCK, JOB):  # the job last: until then it is a run to delete
            remove(self.file(name))
        if self.exists:
            raise InputError(f"{self.file(JOB)} cannot be removed", "Check permissions, and close what uses it")
        with suppress(OSError):  # other files may lie in it: `--out .` is allowed
            self.path.rmdir()

    def clear_leftovers(self) -> None:
        """Remove files that killed processes had begun to write, in the cache, too.

        Call it only while no other process uses the run.
        """
        clear_cache_leftovers()
        for folder in (self.path, self.file(CHECKPOINTS)):
            if folder != self.path and folder.is_symlink():
                continue
            clear_leftovers(folder)
            for path in folder.glob("*.*"):
                if _EARLIER.fullmatch(path.name):
                    remove(path)

    def _last_event(self) -> Event | None:
        """Return the event in the last line of the log; None where there is none, or it is damaged."""
        if not self.holds(EVENTS):
            return None
        with open_regular(self.file(EVENTS), follow=False) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_LINE))
            lines = file.read().split(b"\n")
        return from_line(lines[-2]) if len(lines) > 1 else None  # what stands behind the last line break is cut off

    def _read_status(self) -> Status:
        """Return what status.json says; an interrupted run where it is missing or damaged."""
        try:
            return read_json(self.file(STATUS), Status, follow=False)
        except InputError:
            return Status(State.INTERRUPTED.value, 0, 0.0)


def _abandoned(status: Status) -> bool:
    """Whether the process that made a run is gone; of another machine's it is, once a day has passed."""
    if status.elsewhere:
        return time.time() - status.heartbeat > DAY
    return not process_lives(status.pid)


def read_proven(path: Path, kind: Any) -> dict[str, Any]:
    """Return a file of a run folder as plain data with all it holds, once it fits a declared structure.

    Raises InputError naming file and place where it does not, or cannot be read.
    """
    content: dict[str, Any] = read_json(path, follow=False)
    convert(content, kind, str(path))
    return content


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
    clear_leftovers(root)
    runs = [RunFolder(child) for child in root.iterdir() if not is_temporary(child.name)]
    return sorted((run for run in runs if run.exists), key=lambda run: _made(run), reverse=True)


def _made(run: RunFolder) -> float:
    """Return when a run's job was written; 0 where it is gone."""
    with suppress(OSError):
        return run.file(JOB).stat().st_mtime
    return 0.0
