"""Batches the window has queued: which runs belong to one, on disk, so that its table fills and goes on after a close.

One file a batch file, named by its path. A run is known by its folder; what became of it stands there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import AppError, InputError
from core.jsonio import read_json, write_json
from core.places import data_home
from core.runs.folder import RunFolder
from core.session.batch import Row, row_of
from core.session.overview import is_done
from core.states import State

FORMAT = 1


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
        return next((one.path for one in self.runs if one.run == run), None)


def batches_home() -> Path:
    """Return the folder of records."""
    return data_home() / "batches"


def write_record(record: BatchRecord) -> None:
    """Write down which runs a batch has. Raises InputError where that cannot be."""
    document = {
        "schema_version": FORMAT, "file": str(record.file), "queued": record.queued,
        "runs": [asdict(run) for run in record.runs],
    }  # fmt: skip
    try:
        batches_home().mkdir(parents=True, exist_ok=True)
        write_json(_place(record.file), document)
    except OSError as error:
        raise InputError(f"{_place(record.file)} cannot be written: {error.strerror or error}") from error


def read_record(file: Path) -> BatchRecord | None:
    """Return what is recorded of a batch file; None where nothing is, or it cannot be read."""
    try:
        return _read(read_json(_place(file)))
    except (AppError, KeyError, TypeError, ValueError):
        return None


def records() -> tuple[BatchRecord, ...]:
    """Return all batches that still have a run on disk or wait for one, last queued first."""
    found = []
    for path in sorted(batches_home().glob("*.json")):
        try:
            found.append(_read(read_json(path)))
        except (AppError, KeyError, TypeError, ValueError):
            continue
    return tuple(sorted(found, key=lambda record: record.queued, reverse=True))


def rows_of(record: BatchRecord, waiting: Sequence[Path] = ()) -> list[Row]:
    """Return what became of a batch's runs, from their folders; `waiting`: folders of runs that wait in the queue."""
    return [_row(run, run.path in waiting) for run in record.runs]


def unfinished(record: BatchRecord) -> tuple[RecordedRun, ...]:
    """Return the runs without a result."""
    return tuple(run for run in record.runs if not _done(RunFolder(run.path)))


def _row(run: RecordedRun, waits: bool) -> Row:
    folder = RunFolder(run.path)
    blank = Row(run.run, run.forget, run.method, run.seed, "waiting" if waits else "missing")
    if waits or not folder.exists:
        return blank
    try:
        status = folder.status()
        if _done(folder):
            return row_of(folder, run.run, run.forget, run.method, run.seed, status.state)
    except AppError as error:
        return Row(run.run, run.forget, run.method, run.seed, "failed", error.text)
    failed = status.state == State.FAILED.value
    outcome = "failed" if failed else "interrupted" if status.state == State.INTERRUPTED.value else "running"
    return Row(run.run, run.forget, run.method, run.seed, outcome, status.error or "")


def _done(folder: RunFolder) -> bool:
    return folder.exists and is_done(folder)


def _place(file: Path) -> Path:
    name = hashlib.sha256(os.fsencode(file.absolute())).hexdigest()[:24]
    return batches_home() / f"{name}.json"


def _read(document: Any) -> BatchRecord:
    runs = tuple(
        RecordedRun(str(one["run"]), str(one["forget"]), str(one["method"]), int(one["seed"]), str(one["folder"]))
        for one in document["runs"]
    )
    return BatchRecord(Path(document["file"]), float(document["queued"]), runs)
