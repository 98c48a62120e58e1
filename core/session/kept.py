"""What is kept of a run's forget images on this machine, by kind, in files and bytes; removed on request."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from core import job as jobs
from core.data.index import cache_files
from core.data.named import data_folder, find_source
from core.data.streamed import FOLDER as DECODED
from core.data.streamed import ROWS, bytes_on_disk
from core.engine.outputs import names_begin
from core.errors import AppError, InputError
from core.files import cache_home, dumps_pretty, file_sha256, queue_home, read_json, runs_home
from core.job import Job
from core.runs.folder import (
    CHECKPOINTS,
    EVENTS,
    FORGET,
    JOB,
    REMOVED,
    REMOVED_SIGNATURE,
    REPORT_HTML,
    REPORT_JSON,
    TUNING,
    VERIFY,
    RunFolder,
)
from core.session.near import found_files, looks_file
from core.session.references import jobs_in, references_on_disk, same_forget_set

THUMBNAILS, OUTPUTS, MEASURES = "thumbnails", "outputs", "measures"  # folders of the cache


@dataclass(frozen=True)
class Kept:
    """One kind of what is kept: `holds` says what of the forget images, `consequence` what is lost by removing it."""

    id: str
    title: str
    holds: str
    files: tuple[Path, ...]
    removable: bool = True
    consequence: str = ""
    bytes: int = field(init=False)  # of all files, as far as they can be read

    def __post_init__(self) -> None:
        object.__setattr__(self, "bytes", sum(_size(path) for path in self.files))

    @property
    def count(self) -> int:
        """Number of files."""
        return len(self.files)


@dataclass(frozen=True)
class Traces:
    """All kinds for one run. `other_runs`: names of runs on the same forget set, which keep files of their own."""

    kinds: tuple[Kept, ...]
    other_runs: tuple[str, ...] = ()

    @property
    def removable(self) -> tuple[Kept, ...]:
        """The kinds that are there and can be removed."""
        return tuple(kind for kind in self.kinds if kind.removable and kind.files)


@dataclass(frozen=True)
class Removed:
    """What a removal did; `failed` names files that could not be deleted, with the reason."""

    files: int
    bytes: int
    failed: tuple[str, ...] = ()


def what_is_kept(folder: RunFolder) -> Traces:
    """Count what is on disk of a run's forget images, by kind. Raises InputError where the job cannot be read."""
    job = folder.job()
    kinds = (
        Kept(
            "thumbnails", "Thumbnails", "Small pictures of images of all data sets", _below(cache_home() / THUMBNAILS),
            consequence="They are drawn again when next shown.",
        ),
        Kept(
            "decoded", "Decoded images", "Images of data sets too large for memory, as they are trained on",
            _below(cache_home() / DECODED),
            consequence="They are decoded again when next read.",
        ),
        Kept(
            "outputs", "Outputs and features", "Model outputs for every image, forget images too",
            _cached_outputs(job),
            consequence="The next check takes longer.",
        ),
        Kept(
            "similar", "Looks of images", "What each image shows, in 64 cells, and which images look alike",
            _present(looks_file(job.data.fingerprint), *found_files(job.data.fingerprint)),
            consequence="Looking for similar images takes longer once.",
        ),
        Kept(
            "measures", "Values of single images", "Results of attacks on each forget image, without its name",
            _present(folder.file(VERIFY), *_below(cache_home() / MEASURES)),
            consequence="The next check takes longer.",
        ),
        Kept(
            "fingerprints", "Checksums of image files", "SHA-256 and size of each file, without its name",
            _fingerprints(job),
            consequence="Opening the data again takes longer once.",
        ),
        Kept(
            "checkpoints", "Early checkpoints", "Weights from before the run had forgotten",
            () if folder.file(CHECKPOINTS).is_symlink() else _below(folder.file(CHECKPOINTS)),
            consequence="The run can no longer be resumed.",
        ),
        Kept(
            "forget_list", "Forget list", "Positions and file names of the forget images", _forget_lists(folder, job),
            consequence="The list cannot be opened, nor the run be checked again.",
        ),
        Kept(
            "waiting", "Queued runs", "Positions and file names in their forget lists",
            _waiting_lists(job),
            consequence="Runs that wait with this forget set cannot start.",
        ),
        Kept(
            "report", "Report and event log", "Numbers, class names and hashes, no images",
            _present(*(folder.file(name) for name in (REPORT_HTML, REPORT_JSON, EVENTS, TUNING))),
            removable=False,
        ),
        Kept(
            "data", "Downloaded data set", "The images themselves; delete the folder by hand",
            _downloaded(job),
            removable=False,
        ),
    )  # fmt: skip
    return Traces(tuple(kind for kind in kinds if kind.files or kind.removable), _other_runs(folder, job))


def remove_kept(folder: RunFolder, ids: Collection[str]) -> Removed:
    """Delete the kinds `ids` of a run; model, report and hashes stay, and what was removed is noted in removed.json.

    Raises InputError for a kind that is not removable, or while a process works on the run.
    """
    traces = what_is_kept(folder)
    removable = {kind.id for kind in traces.kinds if kind.removable}
    if refused := sorted(set(ids) - removable):
        raise InputError(f"{', '.join(refused)} cannot be removed", f"Removable are {', '.join(sorted(removable))}")
    chosen = [kind for kind in traces.kinds if kind.id in ids]
    removed, failed, count = 0, [], 0
    with folder.lock():
        folder.clear_leftovers()
        _note(folder, [path for kind in chosen for path in kind.files if path.is_relative_to(folder.path)])
        for path in (path for kind in chosen for path in kind.files):
            try:
                size = _bytes(path)
                path.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                failed.append(f"{path}: {error.strerror or error}")
                continue
            removed, count = removed + size, count + 1
        with contextlib.suppress(OSError):
            folder.file(CHECKPOINTS).rmdir()  # where it is empty
        if "checkpoints" in ids:
            folder.change_status(checkpoint=None)
    return Removed(count, removed, tuple(failed))


def _size(path: Path) -> int:
    try:
        return _bytes(path)
    except OSError:
        return 0


def _bytes(path: Path) -> int:
    return bytes_on_disk(path) if path.suffix == ROWS else path.stat().st_size


def _below(root: Path) -> tuple[Path, ...]:
    return _present(*sorted(root.rglob("*"))) if root.is_dir() else ()


def _present(*paths: Path) -> tuple[Path, ...]:
    """Return those of some paths that are regular files: what a link leads to is not ours to count or remove."""
    return tuple(path for path in paths if path.is_file() and not path.is_symlink())


def _cached_outputs(job: Job) -> tuple[Path, ...]:
    """Outputs of all models on this data, brought ones too, and what a process left that was killed as it wrote."""
    begin = names_begin(job.data.fingerprint)
    return tuple(path for path in _below(cache_home() / OUTPUTS) if path.name.lstrip(".").startswith(begin))


def _fingerprints(job: Job) -> tuple[Path, ...]:
    """Return the files that keep the hashes of a folder of images."""
    if find_source(job.data.spec) is not None:
        return ()
    return _present(*cache_files(Path(job.data.spec)))


def _forget_lists(folder: RunFolder, job: Job) -> tuple[Path, ...]:
    """Return the forget lists of the run and of its retrained references, which list what they were trained without."""
    return _present(folder.file(FORGET), *(reference.file(FORGET) for reference, _ in references_on_disk(job)))


def _waiting_lists(job: Job) -> tuple[Path, ...]:
    """Return the lists of runs in the queue about the same images."""
    lists = []
    for path in sorted(queue_home().glob(f"*/*/{FORGET}")):
        with contextlib.suppress(AppError):  # a damaged entry is removed at the next start
            if same_forget_set(job, jobs.from_dict(read_json(path.with_name(JOB)))):
                lists.append(path)
    return tuple(lists)


def _downloaded(job: Job) -> tuple[Path, ...]:
    """Return the files of a data set that this program has downloaded."""
    source = find_source(job.data.spec)
    folder = source.find(job.data.data_root or None) if source is not None and source.folders else None
    return _below(folder) if folder is not None and folder.is_relative_to(data_folder()) else ()


def _other_runs(folder: RunFolder, job: Job) -> tuple[str, ...]:
    """Return runs that list the same images: those on the same forget set, and later requests that start from it."""
    homes = {runs_home(), folder.path.parent}
    digest = folder.job_sha256()
    return tuple(sorted({
        run.id for home in homes if home.is_dir() for run, other in jobs_in(home)
        if run.path.resolve() != folder.path.resolve() and (same_forget_set(job, other) or digest in other.chain)
    }))  # fmt: skip


def _note(folder: RunFolder, files: list[Path]) -> None:
    """Note in removed.json the hashes of files about to be removed, so that the report still holds without them."""
    today = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    noted = folder.removed()
    for path in files:
        if path.is_file():
            name = path.relative_to(folder.path).as_posix()
            noted[name] = {"sha256": file_sha256(path), "removed": today}
    if files:
        folder.file(REMOVED_SIGNATURE).unlink(missing_ok=True)  # it is one of the earlier note
        folder.write(REMOVED, dumps_pretty(noted))
