"""What waits for its turn, on disk: runs, trainings and checks, so that they outlast the program that queued them.

Everything that waits lies in a folder of its own, its entry: waiting.json (place in the queue, run folder) and what
makes a run (job.json, forget.csv). A check has no job of its own: it is about a run on disk, and waiting.json holds its
options. So is an interrupted run that is to go on. The entries of one program lie together, in a room, under a lock it
holds while it lives, so what is not locked was left. A room called BEHIND is worked through by a process without a
window (`core.launch.queue`), which calls an entry GOING while it is at it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import filelock
import msgspec

from core import job as jobs
from core.errors import AppError, InputError, NotFoundError
from core.files import data_home, queue_home, read_bytes, read_json, write_atomic, write_json
from core.job import Job, StartPart
from core.runs.folder import FORGET, JOB, LOCK, TUNING, RunFolder

log = logging.getLogger(__name__)

WAITING = "waiting.json"
BEHIND, GOING = "behind-", "going-"
ATTEMPTS = 10  # to make and lock a room that others remove
UNREADABLE = (AppError, AttributeError, KeyError, TypeError, ValueError)  # of a file that cannot be read


class Check(msgspec.Struct, frozen=True):
    """The options of a check: seeds of retrained models, models the user brought, by name, the suite, and a start."""

    seeds: tuple[int, ...] = ()
    retrained: dict[str, str] = {}
    which: Annotated[str, msgspec.Meta(pattern="^(quick|full)$")] = "quick"
    start: StartPart | None = None  # where the original's training began, as the user says

    @property
    def brought(self) -> dict[str, Path]:
        """The models the user brought, by name."""
        return {name: Path(path) for name, path in self.retrained.items()}


@dataclass(frozen=True)
class Waiting:
    """A run, training or check that waits: its folder in the queue (`entry`), its job, and the run folder it will have.

    A `check` is about the run that is in `folder` already, and `job` is that run's; `resume`: so is an interrupted run
    that is to go on. chosen: whether the user set up the job, and so chose the machine it may name.
    """

    entry: Path
    job: Job
    folder: Path
    place: float
    check: Check | None = None
    resume: bool = False
    chosen: bool = True


class _Noted(msgspec.Struct):
    """waiting.json."""

    folder: str
    place: float
    check: Check | None = None
    resume: bool = False
    chosen: bool = True


# --- entries --------------------------------------------------------------------------------------------------------


def write_waiting(waiting: Waiting, files: Mapping[str, bytes] | None = None) -> None:
    """Write what waits; `files`: what a run's folder is to hold beside its job, which it has where it will be made."""
    entry = RunFolder(waiting.entry)
    entry.path.mkdir(parents=True, exist_ok=True)
    if waiting.check is None and not waiting.resume:
        write_json(entry.file(JOB), waiting.job)
        for name, data in (files or {}).items():
            write_atomic(entry.file(name), data, private=name == FORGET)
    # The last: an entry without this file does not count.
    noted = _Noted(str(waiting.folder), waiting.place, waiting.check, waiting.resume, waiting.chosen)
    write_json(entry.file(WAITING), noted)


def read_waiting(entry: Path) -> Waiting:
    """Read what waits in an entry. Raises AppErrors, and NotFoundError where the run it is about is gone."""
    noted = read_json(entry / WAITING, _Noted)
    folder, about = Path(noted.folder), noted.check is not None or noted.resume
    if about:
        try:
            there = folder.parent.is_dir()
        except OSError as error:
            passing = error.errno != errno.ENAMETOOLONG  # such a folder is nowhere
            raise InputError(f"{folder.parent} cannot be looked at") from (error if passing else None)
        if not there:
            raise InputError(f"{folder.parent} is away") from OSError(errno.ENODEV, str(folder.parent))
    job = RunFolder.open(folder).job() if about else jobs.from_dict(read_json(entry / JOB))
    return Waiting(entry, job, folder, noted.place, noted.check, noted.resume, noted.chosen)


def take_over(left: Path, entry: Path) -> None:
    """Move an entry another program left; where a third one was quicker, it says so once it is to begin."""
    with contextlib.suppress(FileNotFoundError):
        left.rename(entry)


def move_waiting(entry: Path, place: float) -> None:
    """Write down another place in the queue; an entry that is gone is no error."""
    file = entry / WAITING
    if file.is_file():
        write_json(file, {**read_json(file), "place": place})


def claimed(waiting: Sequence[Waiting]) -> tuple[Waiting, ...]:
    """Take these out of the queue, and return those that no other process was quicker with."""
    taken = []
    for one in waiting:
        with contextlib.suppress(FileNotFoundError):
            drop_waiting(one.entry.rename(one.entry.with_name(f"{GOING}{one.entry.name}")))
            taken.append(one)
    return tuple(taken)


def drop_waiting(entry: Path) -> None:
    """Remove an entry from the queue; one that is gone is no error."""
    shutil.rmtree(entry, ignore_errors=True)


def begin_waiting(waiting: Waiting, kept: Path, folder: RunFolder) -> None:
    """Make the run folder of a run that waited in `kept`, or in its own entry where it could not be taken over.

    Raises InputError where that cannot be, NotFoundError where another process has taken it over.
    """
    entry = RunFolder(kept if kept.is_dir() else waiting.entry)
    if not entry.path.is_dir():
        raise NotFoundError("Another process has taken over what waited here", "Runs shows it once it has begun")
    if waiting.check is None and not waiting.resume:
        needed = [FORGET] if waiting.job.forget.count else []  # a training may leave out nothing
        names = dict.fromkeys([*needed, *(name for name in (FORGET, TUNING) if entry.holds(name))])
        RunFolder.create(folder.path, waiting.job, {name: read_bytes(entry.file(name)) for name in names})
        drop_waiting(entry.path)


def free_place(base: Path, taken: Collection[Path] = ()) -> Path:
    """Return a path for a run folder, numbered where it is `taken` or there already."""
    path, number = base, 1
    while path in taken or path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}")
    return path


# --- rooms ----------------------------------------------------------------------------------------------------------


def new_room() -> Path:
    """Return the path of a room for the entries of this program."""
    return queue_home() / uuid.uuid4().hex


def new_entry(room: Path) -> Path:
    """Return the path of an entry in a room."""
    return room / uuid.uuid4().hex


def lock_of(room: Path, seconds: float = 0) -> filelock.BaseFileLock:
    """Return the lock of a room, not taken yet; it is waited for `seconds`."""
    return filelock.FileLock(room / LOCK, timeout=seconds, thread_local=False)


def entries_in(room: Path) -> list[Path]:
    """Return the entries of a room; none where it cannot be looked into."""
    with contextlib.suppress(OSError):
        return sorted(child for child in room.iterdir() if child.is_dir())
    return []


def take_room(room: Path, seconds: float) -> filelock.BaseFileLock:
    """Make a room and return its lock, taken; where another program looks into it, that is waited for `seconds`.

    Who finds a room empty removes it, so it may be gone again before it is locked. Raises OSErrors.
    """
    lock = lock_of(room, seconds)
    for attempt in range(ATTEMPTS):
        room.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
            break
        except FileNotFoundError:
            if attempt == ATTEMPTS - 1:
                raise
    return lock


def tidy(room: Path) -> None:
    """Remove a room once nothing waits in it; one that a program holds stays."""
    with contextlib.suppress(OSError), lock_of(room) as lock:
        if not entries_in(room):
            if os.name == "nt":
                lock.release()  # a file that is open, here or in another program, cannot be removed there
            shutil.rmtree(room)


class Left(NamedTuple):
    """What programs that ended have left: what waited, where damaged entries are now, and what goes on without them.

    `behind` waits for a process that works through it; `going` are the folders of runs that such a process is at.
    """

    waiting: tuple[Waiting, ...] = ()
    aside: tuple[Path, ...] = ()
    behind: tuple[Waiting, ...] = ()
    going: frozenset[Path] = frozenset()


def left_waiting() -> Left:
    """Return what waited when programs ended, in order; what another window that lives has is left alone.

    A damaged entry is put aside. One that cannot be read just now stays for the next start, and so does the check of a
    run whose disk is away. The check of a run that is gone is removed, and what was to go on and has ended.
    """
    waiting, aside, behind, going = list[Waiting](), list[Path](), list[Waiting](), set[Path]()
    for room, lives in _rooms():
        for entry in entries_in(room):
            try:
                one = read_waiting(entry)
                ended = one.resume and RunFolder(one.folder).is_done
            except UNREADABLE as error:
                if not lives and (put := _put_away(entry, error)) is not None:
                    aside.append(put)
                continue
            if ended:
                drop_waiting(entry)
            elif (lives and entry.name.startswith(GOING)) or (one.resume and RunFolder(one.folder).locked):
                going |= set() if one.check is not None else {one.folder}
            else:
                (behind if lives else waiting).append(one)
        if not lives:
            tidy(room)
    return Left(_in_order(waiting), tuple(aside), _in_order(behind), frozenset(going))


def next_waiting(room: Path, seen: Collection[Path] = ()) -> Waiting | None:
    """Return what is to be worked on next in a room, but for entries `seen`; None where nothing is, or can be read."""
    readable = []
    for entry in entries_in(room):
        if not entry.name.startswith(GOING) and entry not in seen:
            with contextlib.suppress(*UNREADABLE):
                readable.append(read_waiting(entry))
    return next(iter(_in_order(readable)), None)


def _in_order(waiting: list[Waiting]) -> tuple[Waiting, ...]:
    return tuple(sorted(waiting, key=lambda one: one.place))


def _put_away(entry: Path, error: Exception) -> Path | None:
    """Do with an entry what its error asks for, and return where it is now if it was put aside."""
    log.warning("%s: %s", entry, error)
    missing = isinstance(error.__cause__, FileNotFoundError)
    if isinstance(error, NotFoundError) or (missing and not os.path.lexists(entry / WAITING)):
        drop_waiting(entry)  # the check of a run that is gone; an entry that was never whole
        return None
    if isinstance(error.__cause__, OSError) and not missing:  # a passing one, for all that is known
        return None
    aside = damaged_home() / entry.name
    try:
        aside.parent.mkdir(parents=True, exist_ok=True)
        entry.rename(aside)
    except OSError:
        return None
    return aside


def damaged_home() -> Path:
    """Return the folder of what waited and cannot be read."""
    return data_home() / "queue-damaged"


def _rooms() -> Iterator[tuple[Path, bool]]:
    """Yield the rooms that no window works with, and whether a process without one does."""
    rooms: list[Path] = []
    with contextlib.suppress(OSError):
        rooms = sorted(queue_home().iterdir())
    for room in rooms:
        lock, lives = lock_of(room), False
        try:
            lock.acquire()
            lock.release()
        except filelock.Timeout:
            lives = True
        except OSError:
            continue
        if not lives or room.name.startswith(BEHIND):
            yield room, lives
