"""Runs, trainings and checks in the window's queue, on disk, so that they are there after the program has ended.

Each waits in a folder of its own: waiting.json with its place and its run folder, and what makes a run: job.json and
forget.csv. A check has no job of its own: it is about a run that is on disk, and waiting.json says what to hold it
against. The folders of one program lie together, under a lock it holds while it lives: what no program holds was left.
"""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import filelock

from core import job as jobs
from core.data.dataset import Dataset
from core.errors import AppError, InputError, NotFoundError
from core.files import write_atomic
from core.job import Job
from core.jsonio import read_json, write_json
from core.places import data_home
from core.runs.folder import FORGET, JOB, LOCK, RunFolder
from core.selection import Selection, write_forget_list
from core.session.chain import all_requests
from core.session.searches import keep_tries

WAITING = "waiting.json"


@dataclass(frozen=True)
class Check:
    """What a check that waits is to do: seeds of retrained models, models the user brought, and the suite."""

    seeds: tuple[int, ...] = ()
    retrained: Mapping[str, Path] = field(default_factory=dict)
    which: str = "quick"


@dataclass(frozen=True)
class Waiting:
    """One run that waits: where it is kept, what it is, and the folder it will have.

    A `check` is about the run in `folder`, and `job` is that run's.
    """

    entry: Path
    job: Job
    folder: Path
    place: float
    tries: Path | None = None  # of the search that gave the job its settings
    check: Check | None = None


class WaitingRoom:
    """Where one program keeps its waiting runs; others see that it lives by the lock it holds."""

    def __init__(self) -> None:
        self.folder = waiting_home() / uuid.uuid4().hex
        self._lock: filelock.FileLock | None = None

    def entry(self) -> Path:
        """Return where another run may be kept; nothing is made yet."""
        return self.folder / uuid.uuid4().hex

    def put(self, waiting: Waiting, selection: Selection, dataset: Dataset) -> None:
        """Write a run that waits; `selection` is what its job was made with. Raises InputError."""
        if waiting.job.chain:
            selection = all_requests(Path(waiting.job.model.path), selection, dataset)
        try:
            self._take()
            waiting.entry.mkdir(parents=True, exist_ok=True)
            write_json(waiting.entry / JOB, jobs.to_dict(waiting.job))
            write_forget_list(waiting.entry / FORGET, selection, dataset.train.paths)
            tries = str(waiting.tries) if waiting.tries else ""
            # Last: an entry without it is none.
            write_json(waiting.entry / WAITING, {"folder": str(waiting.folder), "place": waiting.place, "tries": tries})
        except OSError as error:
            raise InputError(f"{waiting.entry} cannot be written: {error.strerror or error}") from error

    def put_check(self, entry: Path, folder: Path, check: Check, place: float) -> None:
        """Write a check that waits. Raises InputError."""
        asked = {
            "seeds": list(check.seeds),
            "retrained": {name: str(path) for name, path in check.retrained.items()},
            "which": check.which,
        }
        try:
            self._take()
            entry.mkdir(parents=True, exist_ok=True)
            write_json(entry / WAITING, {"folder": str(folder), "place": place, "check": asked})
        except OSError as error:
            raise InputError(f"{entry} cannot be written: {error.strerror or error}") from error

    def adopt(self, waiting: Waiting, entry: Path) -> None:
        """Take over a run another program left. Raises NotFoundError where a third one was quicker."""
        self._take()
        try:
            waiting.entry.rename(entry)
        except FileNotFoundError as error:
            raise taken_over() from error

    def close(self) -> None:
        """Let go, so that what still waits is found at the next start."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        _tidy(self.folder)

    def _take(self) -> None:
        if self._lock is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = filelock.FileLock(self.folder / LOCK, timeout=0, thread_local=False)
            self._lock.acquire()


def waiting_home() -> Path:
    """Return the folder of runs that wait."""
    return data_home() / "queue"


def taken_over() -> NotFoundError:
    """Return the error of a run that waited and waits no longer: each may be started by one window only."""
    return NotFoundError("Another window has taken over what waited here", "It is in that window's queue")


def move_waiting(entry: Path, place: float) -> None:
    """Note another place in the queue; one that is gone is no error."""
    if not (entry / WAITING).is_file():
        return
    noted = read_json(entry / WAITING)
    write_json(entry / WAITING, {**noted, "place": place})


def drop_waiting(entry: Path) -> None:
    """Forget a run that waited; one that is gone is no error."""
    shutil.rmtree(entry, ignore_errors=True)


def left_waiting() -> tuple[Waiting, ...]:
    """Return the runs and checks that programs left when they ended, in their order; what cannot be read is removed,
    and so is the check of a run that is gone.
    """  # noqa: D205
    found = []
    for room in _left_rooms():
        for entry in sorted(child for child in room.iterdir() if child.is_dir()):
            try:
                found.append(_read(entry))
            except (AppError, AttributeError, KeyError, TypeError, ValueError):
                drop_waiting(entry)
        _tidy(room)
    return tuple(sorted(found, key=lambda one: one.place))


def _read(entry: Path) -> Waiting:
    noted = read_json(entry / WAITING)
    folder, place = Path(noted["folder"]), float(noted["place"])
    if asked := noted.get("check"):
        retrained = {str(name): Path(path) for name, path in asked["retrained"].items()}
        check = Check(tuple(int(seed) for seed in asked["seeds"]), retrained, str(asked["which"]))
        return Waiting(entry, RunFolder.open(folder).job(), folder, place, check=check)
    tries = Path(noted["tries"]) if noted.get("tries") else None
    return Waiting(entry, jobs.from_dict(read_json(entry / JOB)), folder, place, tries)


def begin_waiting(entry: Path, job: Job, path: Path, tries: Path | None = None) -> RunFolder:
    """Make the run folder of a run that waited in `entry`. Raises InputError where that cannot be."""
    if not entry.is_dir():
        raise taken_over()
    try:
        listed = (entry / FORGET).read_bytes()
    except OSError as error:
        raise InputError(f"The forget list of the run that waited is gone: {error.strerror or error}") from error
    if tries is not None and tries.is_file():
        keep_tries(tries, RunFolder(path))
    folder = RunFolder.create(path, job)
    write_atomic(folder.file(FORGET), listed)
    return folder


def waiting_lists() -> tuple[Path, ...]:
    """Return the forget lists of all runs that wait, here and elsewhere."""
    return tuple(sorted(path for path in waiting_home().glob(f"*/*/{FORGET}") if path.is_file()))


def _left_rooms() -> Iterator[Path]:
    for room in sorted(waiting_home().iterdir()) if waiting_home().is_dir() else ():
        lock = filelock.FileLock(room / LOCK, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except (filelock.Timeout, OSError):
            continue  # its program lives
        lock.release()
        yield room


def _tidy(room: Path) -> None:
    """Remove a room in which nothing waits."""
    if room.is_dir() and not any(child.is_dir() for child in room.iterdir()):
        with contextlib.suppress(OSError):
            shutil.rmtree(room)
