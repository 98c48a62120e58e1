"""The library of runs: what a run folder's files say of its state, forget set, measures, verdict and report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Raw, Struct

from core.errors import AppError, InputError, MismatchError, NotFoundError
from core.files import file_sha256, read_json
from core.job import Job
from core.received import located
from core.runs.folder import CARD, JOB, REPORT_JSON, STATUS, RunFolder, Status
from core.verify.numbers import plural

if TYPE_CHECKING:
    from core.verify.comparison import Run

_Kind = TypeVar("_Kind")

MEASURES = ("retain_accuracy", "forget_accuracy", "retain_test_accuracy", "forget_test_accuracy")


class _Measures(Struct):
    """What the list shows of a card's measures."""

    retain_accuracy: float | None = None
    forget_accuracy: float | None = None
    retain_test_accuracy: float | None = None
    forget_test_accuracy: float | None = None


class _Card(Struct):
    """What the list shows of a model card; those of earlier versions hold a verdict, too."""

    measures: _Measures | None = None
    verdict: dict[str, Any] | None = None
    checked: bool = False


class _Report(Struct):
    """What the list shows of report.json; the rest of it, most of a folder's text, is passed over unread."""

    verdict: dict[str, Any] | None = None
    retrained: dict[str, Raw] | None = None


def describe_run(folder: RunFolder, job: Job | None = None) -> dict[str, Any]:
    """Return a run in short as plain data; `job`: the run's, where it was read already.

    A run that cannot be read has the reason under `error`, and under `newer` whether a newer version wrote it. Of one
    whose other files are not what they should be, `damage` says which and why. One damaged folder never costs the list
    of the others, whatever its files hold.
    """
    row: dict[str, Any] = {"run": folder.id, "path": str(folder.path)}
    try:
        return {**row, **_described(folder, job or folder.job())}
    except AppError as error:
        return {**row, "state": "damaged", "error": error.text, "newer": isinstance(error, MismatchError)}


def _described(folder: RunFolder, job: Job) -> dict[str, Any]:
    damage: list[str] = []
    card = _read(folder, CARD, _Card, damage) or _Card()
    checked = _state(card, _read(folder, REPORT_JSON, _Report, damage))
    _read(folder, STATUS, Status, damage)
    status = folder.status()  # an interrupted run's where it cannot be read
    return {
        "state": status.state,
        "job_kind": job.kind,
        "method": job.method if job.kind == "unlearn" else "train",
        "preset": job.preset,
        "architecture": job.model.architecture,
        "data": job.data.spec,
        "forget": job.forget.as_dict(),
        "forget_text": job.forget_text,
        "chain": [asdict(request) for request in job.requests],
        "step": status.step,
        "steps": status.steps,
        "host": status.host,
        **{key: getattr(card.measures, key, None) for key in MEASURES},
        "verdict": _code(checked["verdict"]),
        "created": folder.file(JOB).stat().st_mtime,
        "error": status.error,
        "damage": " ".join(damage) or None,
    }


def check_state(folder: RunFolder) -> dict[str, Any]:
    """Return the `verdict` of a run's report (None without one) and whether it was `checked` against a retrained model.

    The report is asked first: the model card does not change once a run has ended, but those of earlier versions hold
    both. A damaged one is as none.
    """
    return _state(_read(folder, CARD, _Card, []) or _Card(), _read(folder, REPORT_JSON, _Report, []))


def _state(card: _Card, report: _Report | None) -> dict[str, Any]:
    verdict = report.verdict if report is not None else card.verdict
    return {"verdict": verdict, "checked": bool(report is not None and report.retrained) or card.checked}


def _code(verdict: dict[str, Any] | None) -> str | None:
    code = (verdict or {}).get("code")
    return code if isinstance(code, str) else None


def _read(folder: RunFolder, name: str, kind: type[_Kind], damage: list[str]) -> _Kind | None:
    """Return what is wanted of a file in a run folder; None where it is missing, or `damage` says why not."""
    file = folder.file(name)
    if not os.path.lexists(file):
        return None
    try:
        return read_json(file, kind, follow=False)
    except InputError as error:
        damage.append(error.message)
        return None


def request_lines(job: Job) -> tuple[str, ...]:
    """Return one line a request of a chain, oldest first: what each added, how, and in which run; () without one."""
    return tuple(f"{index}. {request_text(asdict(request))}" for index, request in enumerate(job.requests, start=1))


def request_text(request: Mapping[str, Any]) -> str:
    """Return one request of a chain in words: "class 3, 140 images, by finetune (run first)"."""
    names = ", ".join(request.get("class_names") or ())
    what = f"{'class' if len(request.get('class_names') or ()) == 1 else 'classes'} {names}" if names else "images"
    run = f"run {request['run']}" if request.get("run") else "this run"
    how = "corrected by" if request.get("purpose") else "by"
    return f"{what}: {plural(int(request.get('count') or 0), 'image')}, {how} {request.get('method')} ({run})"


def gone(original: str) -> NotFoundError:
    """Return the error to raise where the model that a run started from is no longer there."""
    return NotFoundError(f"The run needs its original model, and {original} is gone", "Put the file back and try again")


def check_resumable(job: Job) -> None:
    """Raise an error where a run cannot go on: its original is gone or was changed, or its method is not installed."""
    if job.plugin is not None:  # asked for alone: methods load torch
        from core.methods import method_of

        method_of(job)
    if job.kind != "unlearn" or not job.model.path:
        return
    original = Path(located(job.model.path, job.model.sha256))
    if not original.is_file():
        raise gone(job.model.path)
    if file_sha256(original) != job.model.sha256:
        raise MismatchError(
            f"{original} was changed since the run began", "Put the original file back to resume, or start a new run"
        )


def runs_of(folders: Sequence[RunFolder]) -> list[Run]:
    """Return the reports and jobs of runs to compare, each under a name of its own.

    Raises InputError for a training, and for a run without a report.
    """
    from core.verify.comparison import Run

    runs: list[Run] = []
    names = [folder.id for folder in folders]
    for folder in folders:
        job, report = folder.job(), folder.report()
        if job.kind != "unlearn":
            raise InputError(f"{folder.path} trained a model, so there is nothing to compare", "Name runs of `unlearn`")
        if report is None:
            raise InputError(f"{folder.path} has no report to compare", "Finish the run, or check it with `verify`")
        name = folder.id if names.count(folder.id) == 1 else f"{folder.path.resolve().parent.name}/{folder.id}"
        if any(name == run.name for run in runs):
            name = str(folder.path)
        runs.append(Run(name, report, asdict(job)))
    return runs
