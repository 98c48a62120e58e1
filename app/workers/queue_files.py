"""The window's queue on disk: what waits, and which runs belong to a batch, so that both outlast the program.

`queue/`: everything that waits lies in a folder of its own: waiting.json (place in the queue, run folder) and what
makes a run (job.json, forget.csv). A check has no job of its own: it is about a run on disk, and waiting.json holds its
options. The folders of one program lie together under a lock it holds while it lives, so what is not locked was left.

`batches/`: one file for each batch file, named by the hash of its path, lists its runs and their folders. How a run
ended stands in its folder.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import filelock
import msgspec

from core import job as jobs
from core.errors import AppError, InputError, NotFoundError
from core.events import State
from core.files import data_home, prepared, queue_home, read_bytes, read_json, write_atomic, write_json
from core.job import Job
from core.runs.folder import FORGET, JOB, LOCK, TUNING, RunFolder

if TYPE_CHECKING:
    from app.workers.live_run import Check, LiveRun
    from core.data.dataset import Dataset
    from core.selection import Selection
    from core.session.batch import Row

log = logging.getLogger(__name__)

WAITING = "waiting.json"
RECORD_FORMAT = 1
_Kept = TypeVar("_Kept")
_DAMAGED = (AppError, AttributeError, KeyError, TypeError, ValueError)  # of a file that cannot be read


@dataclass(frozen=True)
class Waiting:
    """A run, training or check that waits: its folder in the queue (`entry`), its job, and the run folder it will have.

    A `check` is about the run that is in `folder` already, and `job` is that run's.
    """

    entry: Path
    job: Job
    folder: Path
    place: float
    check: Check | None = None


class QueueStore:
    """Called from the window's thread; what is asked for is done in order. A disk that fails costs the memory of the
    queue, and nothing else.
    """  # noqa: D205

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._folder = queue_home() / uuid.uuid4().hex
        self._left: dict[Path, Path] = {}  # by entry: where what it took over lies if the disk did not let it
        self._lock: filelock.FileLock | None = None  # tells other programs that this one lives

    def put(
        self, run: LiveRun, job: Callable[[], Job], place: float, dataset: Dataset | None, selection: Selection | None,
        tries: Path | None,
    ) -> None:  # fmt: skip
        """Keep a run, a training or a check that waits; `job` is called by the store's thread."""
        entry = self._entry_of(run)
        self._do(lambda: write_waiting(Waiting(entry, job(), run.path, place, run.check), selection, dataset, tries))

    def adopt(self, run: LiveRun, waiting: Waiting) -> tuple[Future[None], Path]:
        """Keep a run that an earlier program left as one of ours; returns its entry, and what ends with that."""
        entry = self._entry_of(run)
        self._left[entry] = waiting.entry
        return self._do(partial(take_over, waiting.entry, entry)), entry

    def order(self, runs: Sequence[LiveRun]) -> None:
        """Note the order of the runs that wait."""
        for place, run in enumerate(runs):
            if run.kept_in is not None:
                self._do(partial(move_waiting, run.kept_in, place))

    def drop(self, run: LiveRun) -> None:
        """Forget a run: it began, or was taken out."""
        if run.kept_in is not None:
            for entry in {run.kept_in, self._left.pop(run.kept_in, run.kept_in)}:
                self._do(partial(drop_waiting, entry))
            run.kept_in = None

    def close(self, seconds: float) -> bool:
        """Finish what was asked for; what still waits is found at the next start. False where that takes longer."""
        if self._pool is None:
            return True
        last = self._pool.submit(self._let_go)
        self._pool.shutdown(wait=False)
        self._pool = None
        return not wait([last], seconds).not_done

    def _entry_of(self, run: LiveRun) -> Path:
        run.kept_in = self._folder / uuid.uuid4().hex
        return run.kept_in

    def _do(self, act: Callable[[], object]) -> Future[None]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="queue")
        return self._pool.submit(self._act, act)

    def _act(self, act: Callable[[], object]) -> None:
        try:
            if self._lock is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._lock = filelock.FileLock(self._folder / LOCK, timeout=0, thread_local=False)
                self._lock.acquire()
            act()
        except Exception:
            log.warning("the queue is not kept on disk", exc_info=True)

    def _let_go(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        _tidy(self._folder)


def write_waiting(
    waiting: Waiting, selection: Selection | None = None, dataset: Dataset | None = None, tries: Path | None = None
) -> None:
    """Write what waits; of a run `selection` is the forget set its job was made with, `tries` its search's file."""
    from core.session.jobs import forget_list

    entry = RunFolder(waiting.entry)
    entry.path.mkdir(parents=True, exist_ok=True)
    if dataset is not None:
        write_json(entry.file(JOB), waiting.job)
        write_atomic(entry.file(FORGET), forget_list(waiting.job, selection, dataset), private=True)
    if tries is not None:
        write_atomic(entry.file(TUNING), read_bytes(tries))
    noted = {"folder": str(waiting.folder), "place": waiting.place, "check": waiting.check}
    write_json(entry.file(WAITING), noted)  # the last: an entry without this file does not count


def take_over(left: Path, entry: Path) -> None:
    """Move an entry another program left; where a third one was quicker, it says so once it is to begin."""
    with contextlib.suppress(FileNotFoundError):
        left.rename(entry)


def move_waiting(entry: Path, place: float) -> None:
    """Write down another place in the queue; an entry that is gone is no error."""
    file = entry / WAITING
    if file.is_file():
        write_json(file, {**read_json(file), "place": place})


def drop_waiting(entry: Path) -> None:
    """Remove an entry from the queue; one that is gone is no error."""
    shutil.rmtree(entry, ignore_errors=True)


class Left(NamedTuple):
    """What programs that ended have left: what waited, and where damaged entries are now."""

    waiting: tuple[Waiting, ...]
    aside: tuple[Path, ...] = ()


def left_waiting() -> Left:
    """Return what waited when programs ended, in order; what another living program has is left alone.

    A damaged entry is put aside. One that cannot be read just now stays for the next start, and so does the check of a
    run whose disk is away. The check of a run that is gone is removed.
    """
    left, aside = [], []
    for room in _left_rooms():
        with contextlib.suppress(OSError):
            for entry in sorted(child for child in room.iterdir() if child.is_dir()):
                try:
                    left.append(_read_entry(entry))
                except _DAMAGED as error:
                    log.warning("%s: %s", entry, error)
                    if (put := _put_away(entry, error)) is not None:
                        aside.append(put)
            _tidy(room)
    return Left(tuple(sorted(left, key=lambda waiting: waiting.place)), tuple(aside))


def _put_away(entry: Path, error: Exception) -> Path | None:
    """Do with an entry what its error asks for, and return where it is now if it was put aside."""
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


def _read_entry(entry: Path) -> Waiting:
    from app.workers.live_run import Check

    noted = read_json(entry / WAITING, _Noted)
    folder, check = Path(noted.folder), None
    if noted.check is not None:
        retrained = {name: Path(path) for name, path in noted.check.retrained.items()}
        check = Check(noted.check.seeds, retrained, noted.check.which)
        try:
            there = folder.parent.is_dir()
        except OSError as error:
            passing = error.errno != errno.ENAMETOOLONG  # such a folder is nowhere
            raise InputError(f"{folder.parent} cannot be looked at") from (error if passing else None)
        if not there:
            raise InputError(f"{folder.parent} is away") from OSError(errno.ENODEV, str(folder.parent))
    job = RunFolder.open(folder).job() if check else jobs.from_dict(read_json(entry / JOB))
    return Waiting(entry, job, folder, noted.place, check)


class _Check(msgspec.Struct):
    """A check as waiting.json holds it."""

    seeds: tuple[int, ...] = ()
    retrained: dict[str, str] = {}
    which: Literal["quick", "full"] = "quick"


class _Noted(msgspec.Struct):
    """waiting.json."""

    folder: str
    place: float
    check: _Check | None = None


def begin_waiting(waiting: Waiting, kept: Path, folder: RunFolder) -> None:
    """Make the run folder of a run that waited in `kept`, or in its own entry where it could not be taken over.

    Raises InputError where that cannot be, NotFoundError where another window has taken it over.
    """
    entry = RunFolder(kept if kept.is_dir() else waiting.entry)
    if not entry.path.is_dir():
        raise NotFoundError("Another window has taken over what waited here", "It is in that window's queue")
    if waiting.check is not None:
        return
    names = [FORGET, *([TUNING] if entry.holds(TUNING) else [])]
    RunFolder.create(folder.path, waiting.job, {name: read_bytes(entry.file(name)) for name in names})
    drop_waiting(entry.path)


def _left_rooms() -> Iterator[Path]:
    rooms: list[Path] = []
    with contextlib.suppress(OSError):
        rooms = sorted(queue_home().iterdir())
    for room in rooms:
        lock = filelock.FileLock(room / LOCK, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except (filelock.Timeout, OSError):
            continue  # its program lives
        lock.release()
        yield room


def _tidy(room: Path) -> None:
    """Remove a program's folder once nothing waits in it."""
    if room.is_dir() and not any(child.is_dir() for child in room.iterdir()):
        with contextlib.suppress(OSError):
            shutil.rmtree(room)


@dataclass(frozen=True)
class RecordedRun:
    """One run of a batch and the folder it has or will have."""

    run: str
    forget: str
    method: str
    seed: int
    folder: Path


@dataclass(frozen=True)
class BatchRecord:
    """The runs of one batch file. `queued`: seconds since the epoch when they were last put into the queue."""

    file: Path
    queued: float
    runs: tuple[RecordedRun, ...]

    def folder_of(self, run: str) -> Path | None:
        """Return the folder a run of the batch has; None where it is not known."""
        return next((recorded.folder for recorded in self.runs if recorded.run == run), None)


def batches_home() -> Path:
    """Return the folder of records."""
    return data_home() / "batches"


def write_record(record: BatchRecord) -> None:
    """Write down which runs a batch has. Raises InputError where that cannot be."""
    place = _place(record.file)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_json(place, {"schema_version": RECORD_FORMAT, **asdict(record)})
    except OSError as error:
        raise InputError(f"{place} cannot be written: {error.strerror or error}") from error


def read_record(file: Path) -> BatchRecord | None:
    """Return what is recorded of a batch file; None where nothing is, or it cannot be read."""
    return _read_record(_place(file))


def records() -> tuple[BatchRecord, ...]:
    """Return all batches recorded, last queued first; what cannot be read is left out."""
    readable = filter(None, map(_read_record, sorted(batches_home().glob("*.json"))))
    return tuple(sorted(readable, key=lambda record: record.queued, reverse=True))


def rows_of(record: BatchRecord, waiting: Sequence[Path] = ()) -> list[Row]:
    """Return a row for each run of a batch, from its folder; `waiting`: folders of runs that wait in the queue."""
    return [_row(run, run.folder in waiting) for run in record.runs]


def _row(run: RecordedRun, waits: bool) -> Row:
    from core.session.batch import Row, with_result

    folder = RunFolder(run.folder)
    blank = Row(run.run, run.forget, run.method, run.seed, "waiting" if waits else "missing")
    if waits or not folder.exists:
        return blank
    try:
        status = folder.status()
        if folder.is_done:
            return with_result(blank, folder, status.state)
    except AppError as error:
        return replace(blank, outcome="failed", error=error.text)
    ends = {State.FAILED.value: "failed", State.INTERRUPTED.value: "interrupted"}
    return replace(blank, outcome=ends.get(status.state, "running"), error=status.error or "")


def _place(file: Path) -> Path:
    name = hashlib.sha256(os.fsencode(file.absolute())).hexdigest()[:24]
    return batches_home() / f"{name}.json"


def _read_record(place: Path) -> BatchRecord | None:
    try:
        return _converted(read_json(place), BatchRecord)
    except _DAMAGED:
        return None


def _converted(document: Any, kind: type[_Kept]) -> _Kept:
    return msgspec.convert(document, prepared(kind), dec_hook=lambda wanted, value: wanted(value))  # paths
