"""The window's queue on disk: what waits, and which runs belong to a batch, so that both outlast the program.

`queue/`: everything that waits lies in a folder of its own: waiting.json (place in the queue, run folder) and what
makes a run (job.json, forget.csv). A check has no job of its own: it is about a run on disk, and waiting.json holds its
options. The folders of one program lie together under a lock it holds while it lives, so what is not locked was left.

`batches/`: one file for each batch file, named by the hash of its path, lists its runs and their folders. How a run
ended stands in its folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import filelock
import msgspec

from core import job as jobs
from core.errors import AppError, InputError, NotFoundError
from core.events import State
from core.files import data_home, queue_home, read_json, write_atomic, write_json
from core.job import Job
from core.runs.folder import FORGET, JOB, LOCK, TUNING, RunFolder

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun
    from core.data.dataset import Dataset
    from core.selection import Selection
    from core.session.batch import Row

log = logging.getLogger(__name__)

WAITING = "waiting.json"
RECORD_FORMAT = 1
_Kept = TypeVar("_Kept")
_DAMAGED = (AppError, AttributeError, KeyError, TypeError, ValueError)  # of a file that cannot be read


@dataclass(frozen=True)
class Check:
    """The options of a check that waits: seeds of retrained models, models the user brought, and the suite."""

    seeds: tuple[int, ...] = ()
    retrained: Mapping[str, Path] = field(default_factory=dict)
    which: str = "quick"


@dataclass(frozen=True)
class Waiting:
    """A run, training or check that waits: its folder in the queue (`entry`), its job, and the run folder it will have.

    A `check` is about the run that is in `folder` already, and `job` is that run's.
    """

    entry: Path
    job: Job
    folder: Path
    place: float
    tries: Path | None = None  # of the search that gave the job its settings
    check: Check | None = None


class WaitingRoom:
    """The part of the queue that belongs to this program; the lock on it tells other programs that this one lives."""

    def __init__(self) -> None:
        self.folder = queue_home() / uuid.uuid4().hex
        self._lock: filelock.FileLock | None = None

    def entry(self) -> Path:
        """Return a new folder's path for something that waits; nothing is written yet."""
        return self.folder / uuid.uuid4().hex

    def put(self, waiting: Waiting, selection: Selection | None = None, dataset: Dataset | None = None) -> None:
        """Write what waits; of a run `selection` is the forget set its job was made with. Raises InputError."""
        from core.selection import Selection
        from core.session.forget_lists import write_forget_list
        from core.session.jobs import all_requests

        noted: dict[str, Any] = {"folder": str(waiting.folder), "place": waiting.place}
        with _written(waiting.entry):
            self._lock_folder()
            waiting.entry.mkdir(parents=True, exist_ok=True)
            if dataset is None:
                noted["check"] = waiting.check
            else:
                chosen = selection or Selection.empty(dataset.train.labels.numpy(), dataset.classes)
                if waiting.job.chain:
                    chosen = all_requests(Path(waiting.job.model.path), chosen, dataset)
                write_json(waiting.entry / JOB, waiting.job)
                write_forget_list(waiting.entry / FORGET, chosen, dataset.train.paths)
                noted["tries"] = str(waiting.tries or "")
            write_json(waiting.entry / WAITING, noted)  # the last: an entry without this file does not count

    def adopt(self, waiting: Waiting, entry: Path) -> None:
        """Take over what another program left. Raises NotFoundError where a third one was quicker."""
        self._lock_folder()
        try:
            waiting.entry.rename(entry)
        except FileNotFoundError as error:
            raise taken_over() from error

    def close(self) -> None:
        """Release the lock, so that the next start finds what still waits."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        _tidy(self.folder)

    def _lock_folder(self) -> None:
        if self._lock is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = filelock.FileLock(self.folder / LOCK, timeout=0, thread_local=False)
            self._lock.acquire()


class QueueStore:
    """Called from the window's thread; what is asked for is done in order. A disk that fails costs the memory of the
    queue, and nothing else.
    """  # noqa: D205

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._room = WaitingRoom()

    def put(
        self, run: LiveRun, job: Callable[[], Job], place: float, dataset: Dataset | None, selection: Selection | None,
        tries: Path | None, check: Check | None,
    ) -> None:  # fmt: skip
        """Keep a run, a training or a check that waits; `job` is called by the store's thread."""
        entry = run.kept_in = self._room.entry()
        self._do(lambda: self._room.put(Waiting(entry, job(), run.path, place, tries, check), selection, dataset))

    def adopt(self, run: LiveRun, waiting: Waiting) -> tuple[Future[None], Path]:
        """Keep a run that an earlier program left as one of ours; returns its entry, and what ends with that."""
        entry = run.kept_in = self._room.entry()
        return self._do(self._room.adopt, waiting, entry), entry

    def order(self, runs: Sequence[LiveRun]) -> None:
        """Note the order of the runs that wait."""
        for place, run in enumerate(runs):
            if run.kept_in is not None:
                self._do(move_waiting, run.kept_in, float(place))

    def drop(self, run: LiveRun) -> None:
        """Forget a run: it began, or was taken out."""
        if run.kept_in is not None:
            self._do(drop_waiting, run.kept_in)
            run.kept_in = None

    def close(self, seconds: float) -> bool:
        """Finish what was asked for; what still waits is found at the next start. False where that takes longer."""
        if self._pool is None:
            return True
        last = self._pool.submit(self._room.close)  # after what was asked for, which may still need the room
        self._pool.shutdown(wait=False)
        self._pool = None
        return not wait([last], seconds).not_done

    def _do(self, act: Callable[..., object], *args: Any) -> Future[None]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="queue")
        return self._pool.submit(_logged, act, *args)


def _logged(act: Callable[..., object], *args: Any) -> None:
    try:
        act(*args)
    except NotFoundError as error:
        log.info("%s", error.text)
    except Exception:
        log.warning("the queue is not kept on disk", exc_info=True)


def taken_over() -> NotFoundError:
    """Return the error for a run that waits no longer, because another window has started it."""
    return NotFoundError("Another window has taken over what waited here", "It is in that window's queue")


def move_waiting(entry: Path, place: float) -> None:
    """Write down another place in the queue; an entry that is gone is no error."""
    if not (entry / WAITING).is_file():
        return
    noted = read_json(entry / WAITING)
    write_json(entry / WAITING, {**noted, "place": place})


def drop_waiting(entry: Path) -> None:
    """Remove an entry from the queue; one that is gone is no error."""
    shutil.rmtree(entry, ignore_errors=True)


def left_waiting() -> tuple[Waiting, ...]:
    """Return what programs left in the queue when they ended, in its order.

    Entries that cannot be read are removed, and so is the check of a run that is gone.
    """
    left = []
    for room in _left_rooms():
        for entry in sorted(child for child in room.iterdir() if child.is_dir()):
            try:
                left.append(_read_entry(entry))
            except _DAMAGED:
                drop_waiting(entry)
        _tidy(room)
    return tuple(sorted(left, key=lambda waiting: waiting.place))


def _read_entry(entry: Path) -> Waiting:
    noted = read_json(entry / WAITING)
    folder, place = Path(noted["folder"]), float(noted["place"])
    if asked := noted.get("check"):
        return Waiting(entry, RunFolder.open(folder).job(), folder, place, check=_converted(asked, Check))
    tries = Path(noted["tries"]) if noted.get("tries") else None
    return Waiting(entry, jobs.from_dict(read_json(entry / JOB)), folder, place, tries)


def keep_tries(tries: Path, folder: RunFolder) -> None:
    """Copy a search's file into the folder of a run that is about to be made; the job names it by its hash."""
    folder.path.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tries, folder.file(TUNING))


def begin_waiting(waiting: Waiting, kept: Path, folder: RunFolder) -> None:
    """Make the run folder of a run that waited in `kept`, or in its own entry where it could not be taken over.

    Raises InputError where that cannot be, NotFoundError where another window has taken it over.
    """
    entry = kept if kept.is_dir() else waiting.entry
    if not entry.is_dir():
        raise taken_over()
    if waiting.check is not None:
        return
    try:
        listed = (entry / FORGET).read_bytes()
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"The forget list of the run that waited is gone: {why}") from error
    if waiting.tries is not None and waiting.tries.is_file():
        keep_tries(waiting.tries, folder)
    RunFolder.create(folder.path, waiting.job)
    write_atomic(folder.file(FORGET), listed)
    drop_waiting(entry)


def _left_rooms() -> Iterator[Path]:
    for room in sorted(queue_home().iterdir()) if queue_home().is_dir() else ():
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
    folder: str

    @property
    def path(self) -> Path:
        """The run folder."""
        return Path(self.folder)


@dataclass(frozen=True)
class BatchRecord:
    """The runs of one batch file. `queued`: seconds since the epoch when they were last put into the queue."""

    file: Path
    queued: float
    runs: tuple[RecordedRun, ...]

    @property
    def title(self) -> str:
        """The batch file's name."""
        return self.file.name

    def folder_of(self, run: str) -> Path | None:
        """Return the folder a run of the batch has; None where it is not known."""
        return next((recorded.path for recorded in self.runs if recorded.run == run), None)


def batches_home() -> Path:
    """Return the folder of records."""
    return data_home() / "batches"


def write_record(record: BatchRecord) -> None:
    """Write down which runs a batch has. Raises InputError where that cannot be."""
    with _written(_place(record.file)):
        batches_home().mkdir(parents=True, exist_ok=True)
        write_json(_place(record.file), {"schema_version": RECORD_FORMAT, **asdict(record)})


def read_record(file: Path) -> BatchRecord | None:
    """Return what is recorded of a batch file; None where nothing is, or it cannot be read."""
    return _read_record(_place(file))


def records() -> tuple[BatchRecord, ...]:
    """Return all batches recorded, last queued first; what cannot be read is left out."""
    readable = filter(None, map(_read_record, sorted(batches_home().glob("*.json"))))
    return tuple(sorted(readable, key=lambda record: record.queued, reverse=True))


def rows_of(record: BatchRecord, waiting: Sequence[Path] = ()) -> list[Row]:
    """Return a row for each run of a batch, from its folder; `waiting`: folders of runs that wait in the queue."""
    return [_row(run, run.path in waiting) for run in record.runs]


def _row(run: RecordedRun, waits: bool) -> Row:
    from core.session.batch import Row, with_result

    folder = RunFolder(run.path)
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
    return msgspec.convert(document, kind, dec_hook=lambda wanted, value: wanted(value))  # paths


@contextlib.contextmanager
def _written(path: Path) -> Iterator[None]:
    """Turn a disk that cannot be written to into an InputError that names `path`."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
