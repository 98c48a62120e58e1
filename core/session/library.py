"""The library of runs: what a run folder's files say of its state, forget set, measures, verdict and report."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import AppError, InputError, MismatchError, NotFoundError
from core.files import file_sha256
from core.job import Job
from core.runs.folder import JOB, RunFolder
from core.verify.closure import look_up
from core.verify.numbers import plural

if TYPE_CHECKING:
    from core.verify.comparison import Run

MEASURES = ("retain_accuracy", "forget_accuracy", "retain_test_accuracy", "forget_test_accuracy")


def describe_run(folder: RunFolder) -> dict[str, Any]:
    """Return a run in short as plain data.

    A run that cannot be read has the reason under `error`, and under `newer` whether a newer version wrote it. One
    damaged folder never costs the list of the others, whatever its files hold.
    """
    row: dict[str, Any] = {"run": folder.id, "path": str(folder.path)}
    try:
        return {**row, **_described(folder)}
    except AppError as error:
        return {**row, "state": "damaged", "error": error.text, "newer": isinstance(error, MismatchError)}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        said = f"One of its files holds something of another kind than it should: {error}"
        return {**row, "state": "damaged", "error": said, "newer": False}


def _described(folder: RunFolder) -> dict[str, Any]:
    job, status, card = folder.job(), folder.status(), folder.card() or {}
    measures = card.get("measures") or {}
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
        **{key: look_up(measures, (key,)) for key in MEASURES},
        "verdict": (check_state(folder)["verdict"] or {}).get("code"),
        "created": folder.file(JOB).stat().st_mtime,
        "error": status.error,
    }


def check_state(folder: RunFolder) -> dict[str, Any]:
    """Return the `verdict` of a run's report (None without one) and whether it was `checked` against a retrained model.

    The report is asked first: the model card does not change once a run has ended, but those of earlier versions hold
    both.
    """
    report: Any = None
    with contextlib.suppress(InputError):  # a damaged report is as none
        report = folder.report()
    card = folder.card() or {}
    verdict = report.get("verdict") if isinstance(report, dict) else card.get("verdict")
    checked = isinstance(report, dict) and bool(report.get("retrained"))
    return {"verdict": verdict, "checked": checked or bool(card.get("checked"))}


def request_lines(job: Job) -> tuple[str, ...]:
    """Return one line a request of a chain, oldest first: what each added, how, and in which run; () without one."""
    return tuple(f"{index}. {request_text(asdict(request))}" for index, request in enumerate(job.requests, start=1))


def request_text(request: Mapping[str, Any]) -> str:
    """Return one request of a chain in words: "class 3, 140 images, by finetune (run first)"."""
    names = ", ".join(request.get("class_names") or ())
    what = f"{'class' if len(request.get('class_names') or ()) == 1 else 'classes'} {names}" if names else "images"
    run = f"run {request['run']}" if request.get("run") else "this run"
    return f"{what}: {plural(int(request.get('count') or 0), 'image')}, by {request.get('method')} ({run})"


def gone(original: str) -> NotFoundError:
    """Return the error to raise where the model that a run started from is no longer there."""
    return NotFoundError(f"The run needs its original model, and {original} is gone", "Put the file back and try again")


def check_resumable(job: Job) -> None:
    """Raise an error that says what is missing where a run cannot go on: its original model is gone or was changed."""
    if job.kind != "unlearn" or not job.model.path:
        return
    original = Path(job.model.path)
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
