"""The window's queue on disk, and which runs belong to a batch, so that both outlast the program.

`batches/`: one file for each batch file, named by the hash of its path, lists its runs and their folders. How a run
ended stands in its folder.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import filelock
import msgspec

from core.errors import AppError, InputError
from core.events import State
from core.files import data_home, prepared, read_json, write_json
from core.job import Job
from core.runs.folder import RunFolder
from core.runs.waiting import (
    UNREADABLE,
    Waiting,
    drop_waiting,
    move_waiting,
    new_entry,
    new_room,
    take_over,
    take_room,
    tidy,
    write_waiting,
)

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun
    from core.session.batch import Row

log = logging.getLogger(__name__)

RECORD_FORMAT = 1
LOCK_SECONDS = 1.0  # to wait for the lock of the own room: another program that looks into it holds it for a moment
_Kept = TypeVar("_Kept")
Files = Callable[[Job], Mapping[str, bytes]]  # what a run folder holds beside its job


class QueueStore:
    """Called from the window's thread; what is asked for is done in order. A disk that fails costs the memory of the
    queue, and nothing else.
    """  # noqa: D205

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._room = new_room()
        self._left: dict[Path, Path] = {}  # by entry: where what it took over lies if the disk did not let it
        self._lock: filelock.BaseFileLock | None = None  # tells other programs that this one lives

    def put(self, run: LiveRun, job: Callable[[], Job], place: float, files: Files | None = None) -> None:
        """Keep a run, training or check that waits, or an interrupted run that is to go on, which has no `files`.

        `job` and `files`, what its folder is to hold beside the job, are called by the store's thread.
        """
        entry, resume = self._entry_of(run), run.makes_model and files is None

        def write() -> None:
            made = job()
            waiting = Waiting(entry, made, run.path, place, run.check, resume, run.chosen and not resume)
            write_waiting(waiting, files(made) if files is not None else None)

        self._do(write)

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

    def close(self, seconds: float, behind: Callable[[Path], object] | None = None) -> bool:
        """Finish what was asked for; what still waits is found at the next start. False where that takes longer.

        `behind` is called with the room, for who is to work through it.
        """
        if self._pool is None:
            return True
        last = self._pool.submit(self._let_go, behind)
        self._pool.shutdown(wait=False)
        self._pool = None
        return not wait([last], seconds).not_done

    def _entry_of(self, run: LiveRun) -> Path:
        run.kept_in = new_entry(self._room)
        return run.kept_in

    def _do(self, act: Callable[[], object]) -> Future[None]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="queue")
        return self._pool.submit(self._act, act)

    def _act(self, act: Callable[[], object]) -> None:
        try:
            if self._lock is None:
                self._lock = take_room(self._room, LOCK_SECONDS)
            act()
        except Exception:
            log.warning("the queue is not kept on disk", exc_info=True)

    def _let_go(self, behind: Callable[[Path], object] | None) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        tidy(self._room)
        if behind is not None and self._room.is_dir():
            try:
                behind(self._room)
            except (AppError, OSError):
                log.warning("nobody goes on with the queue; it is offered at the next start", exc_info=True)


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
    except UNREADABLE:
        return None


def _converted(document: Any, kind: type[_Kept]) -> _Kept:
    return msgspec.convert(document, prepared(kind), dec_hook=lambda wanted, value: wanted(value))  # paths
