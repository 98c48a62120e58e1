"""The runs known: those in the folder of runs and those opened from elsewhere, read in a job and kept in short."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, Signal

from app.workers.run_history import Moments
from core.errors import AppError, MismatchError
from core.events import ACTIVE, Evaluation, RunStarted, State, from_line
from core.files import without_ending
from core.runs.folder import CARD, EVENTS, FORGET, JOB, MODEL, REPORT_JSON, STATUS, RunFolder, list_runs
from core.runs.following import pieces

if TYPE_CHECKING:
    from app.services.shell import Services
    from app.workers.run_controller import RunController
    from core.job import Job

log = logging.getLogger(__name__)

DAMAGED, NEWER, DELETING = "damaged", "newer", "deleting"  # rows that are no run one can work with, now or at all
_MOST_POINTS = 80  # of a sparkline, one a pixel
_READ = (JOB, STATUS, REPORT_JSON, CARD, EVENTS, MODEL, FORGET)  # files that a row tells of
Point = TypeVar("Point")
Stamp = tuple[Any, ...]
Spark = tuple[float | None, ...]  # accuracies over the evaluations of a run; None: not measured


@dataclass(frozen=True)
class RunRow:
    """One run in short. Accuracies are 0..1 on unseen images (forget images for sample forgetting)."""

    path: Path
    state: str
    method: str = ""
    kind: str = "unlearn"
    seed: int | None = None
    forget_text: str = ""
    retain_accuracy: float | None = None
    forget_accuracy: float | None = None
    verdict: str = ""
    created: float = 0.0  # seconds since the epoch
    step: int = 0
    steps: int = 0
    spark_retain: Spark = ()
    spark_forget: Spark = ()
    has_model: bool = False
    has_list: bool = False  # the list of its forget images
    preset: str = ""
    model: str = ""  # the original's name; the architecture of a training
    model_tip: str = ""
    data: str = ""
    forget_set: tuple[str, str] = ("", "")  # hashes of the data and of which of its images are to be forgotten
    error: str = ""
    host: str = ""  # the machine it is on, where that is not this one
    damage: str = ""  # which of its files cannot be read and why, though it is a run
    stamp: Stamp = field(default=(), compare=False)  # of its files: unchanged means read already

    @property
    def has_report(self) -> bool:
        """Whether it ended with a result and a report on it, so that it can be compared."""
        return self.kind == "unlearn" and self.state in (State.FINISHED.value, State.STOPPED.value)

    @property
    def resumable(self) -> bool:
        """Whether it can go on: it was cut off, or failed for a reason that may be over by now, as on a full disk."""
        return self.state in (State.INTERRUPTED.value, State.FAILED.value)

    @property
    def readable(self) -> bool:
        """Whether there is a run to open: it is not damaged, not of a newer version, and nobody is deleting it."""
        return self.state not in (DAMAGED, NEWER, DELETING)

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.path.name


class RunLibrary(QObject):
    """`rows` is replaced as a whole; `changed` says so. Runs of this window's controller are not probed on disk."""

    changed = Signal()
    first_read = Signal()

    def __init__(self, services: Services, controller: RunController) -> None:
        super().__init__(services.project)
        self._context, self._controller = services, controller
        self.rows: tuple[RunRow, ...] = ()
        self._found: tuple[RunRow, ...] = ()  # the rows as they were read
        self.deleting: frozenset[Path] = frozenset()
        self._was_read = False
        self._again = False
        self._reading = False
        # A run's worker writes its folder, so there may be none yet when it starts; once it goes there is.
        for told in (controller.turned, controller.run_ended, services.project.run_changed):
            told.connect(self.refresh)

    def refresh(self, *_: object) -> None:
        """Read what changed on disk; a second call while reading reads once more afterwards."""
        if self._reading:
            self._again = True
            return
        self._reading, self._again = True, False
        controller = self._controller
        known_here = (*controller.queue, *([controller.current] if controller.current else []))
        mine = {run.path for run in known_here if run.makes_model}  # a check leaves its run what it is
        others = [Path(path).absolute() for path in self._context.window_state.recent("run")]
        known = {row.path: row for row in self._found}
        self._context.jobs.submit(read_rows, self._context.runs_folder(), others, mine, known).then(
            self._read, self._context.notifications.error, finished=self._finished
        )

    def set_deleting(self, paths: Collection[Path], on: bool = True) -> None:
        """Note that runs are being deleted, or no longer are: meanwhile nothing can be done with them."""
        self.deleting = self.deleting | set(paths) if on else self.deleting - set(paths)
        self._show()

    def drop(self, paths: Collection[Path]) -> None:
        """Take runs that were deleted out of the list, and look for what else has changed."""
        self._found = tuple(row for row in self._found if row.path not in paths)
        self._show()
        self.refresh()

    def _read(self, rows: tuple[RunRow, ...]) -> None:
        self._found = rows
        self._show()
        if not self._was_read:
            self._was_read = True
            self.first_read.emit()

    def _show(self) -> None:
        rows = tuple(replace(row, state=DELETING) if row.path in self.deleting else row for row in self._found)
        if rows != self.rows:
            self.rows = rows
            self.changed.emit()

    def _finished(self) -> None:
        self._reading = False
        if self._again:
            self.refresh()


def read_rows(folder: Path, others: list[Path], mine: set[Path], known: dict[Path, RunRow]) -> tuple[RunRow, ...]:
    """Return the runs in `folder` and the `others`, newest first; what is unchanged is not read again."""
    found = [*(list_runs(folder) if folder.is_dir() else ()), *(run for run in map(RunFolder, others) if run.exists)]
    runs = {run.path: run for run in found}
    rows = [_row_or_none(run, path in mine, known.get(path)) for path, run in runs.items()]
    return tuple(sorted((row for row in rows if row is not None), key=lambda row: row.created, reverse=True))


def _row_or_none(run: RunFolder, mine: bool, known: RunRow | None) -> RunRow | None:
    stamp = _stamp(run, mine)
    if known is not None and known.stamp == stamp and known.state not in ACTIVE:  # those may die: only the lock tells
        return known
    try:
        row = _row(run, mine, stamp)
    except Exception as error:  # files may come and go while they are read
        log.info("%s could not be read", run.path, exc_info=True)
        row = RunRow(run.path, DAMAGED, error=str(error), created=_created(stamp), stamp=stamp)
    return row if run.exists else None


def _row(run: RunFolder, mine: bool, stamp: Stamp) -> RunRow:
    from core.session.library import describe_run

    created = _created(stamp)
    try:
        job = run.job()
    except AppError as error:
        if mine:  # it is just being written
            return RunRow(run.path, State.PREPARING.value, stamp=stamp)
        state = NEWER if isinstance(error, MismatchError) else DAMAGED
        return RunRow(run.path, state, error=error.text, created=created, stamp=stamp)
    if mine:  # its lock is held by this process or about to be taken: no probing
        return RunRow(run.path, "", created=created, stamp=stamp, **_of_job(job))
    about = describe_run(run, job)
    if about["state"] == DAMAGED:
        state = NEWER if about["newer"] else DAMAGED
        return RunRow(run.path, state, error=about["error"], created=created, stamp=stamp)
    sample = job.forget.mode == "sample"
    retain, forget = _sparks(run, sample)
    return RunRow(
        run.path, about["state"], **_of_job(job),
        retain_accuracy=last_of(retain, about["retain_test_accuracy"]),
        forget_accuracy=last_of(forget, about["forget_accuracy" if sample else "forget_test_accuracy"]),
        verdict=about["verdict"] or "", created=created, step=about["step"], steps=about["steps"],
        spark_retain=retain, spark_forget=forget, has_model=run.has_result, has_list=run.file(FORGET).is_file(),
        host=about["host"] if about["host"] != platform.node() else "", error=about["error"] or "",
        damage=about["damage"] or "", stamp=stamp,
    )  # fmt: skip


def _of_job(job: Job) -> dict[str, Any]:
    """Return the fields of a row that its job tells."""
    from app.services.run_words import describe_forget

    file = Path(job.model.path)
    name = file.parent.name if file.name == MODEL else without_ending(file)  # all trained models' files have one name
    name = "example" if re.fullmatch("example-[0-9a-f]{12}", name) else name  # its folder is named by its contents
    return {
        "method": job.method if job.kind == "unlearn" else "train", "kind": job.kind, "seed": job.seed,
        "forget_text": describe_forget(job), "preset": job.preset,
        "model": name or job.model.architecture, "data": Path(job.data.spec).name,
        "forget_set": (job.data.fingerprint, job.forget.sha256),
        "model_tip": " · ".join(part for part in (job.model.architecture, job.model.path) if part),
    }  # fmt: skip


def _stamp(run: RunFolder, mine: bool) -> Stamp:
    """Return what changes whenever one of the files changes that a row is read from."""
    folder, parts = str(run.path), [None] * len(_READ)
    for number, name in enumerate(_READ):
        with contextlib.suppress(OSError):
            stat = os.stat(f"{folder}/{name}")  # noqa: PTH116 - thousands of them every other second
            parts[number] = (stat.st_mtime_ns, stat.st_size)  # type: ignore[call-overload]
    return mine, *parts


def _created(stamp: Stamp) -> float:
    """Return when the job was written, in seconds since the epoch."""
    return stamp[1][0] / 1e9 if stamp[1] else 0.0


_DRAWN = (b'{"type":"evaluation"', b'{"type":"run_started"')  # how lines begin that sparklines are drawn from


def _sparks(run: RunFolder, sample: bool) -> tuple[Spark, Spark]:
    found = Moments()
    for lines, _ in pieces(run):
        for event in map(from_line, [line for line in lines.split(b"\n") if line.startswith(_DRAWN)]):
            if isinstance(event, RunStarted) and event.resumed_at is not None:
                found.cut(event.resumed_at)
            elif isinstance(event, Evaluation) and event.scope != "full":
                found.add([event])
    shown: list[Evaluation] = thinned(found)
    return (tuple(one.retain_test_accuracy for one in shown),
            tuple(one.forget_accuracy if sample else one.forget_test_accuracy for one in shown))  # fmt: skip


def thinned(points: list[Point]) -> list[Point]:
    """Return what a sparkline draws of some points: the first, the last, and as many between as it has pixels for."""
    if len(points) <= _MOST_POINTS:
        return points
    step = (len(points) - 1) / (_MOST_POINTS - 1)
    return [points[round(i * step)] for i in range(_MOST_POINTS)]


def last_of(spark: Spark, value: float | None = None) -> float | None:
    """Return `value` where it is known, else the last one of a sparkline."""
    return value if value is not None else next((v for v in reversed(spark) if v is not None), None)
