"""Runs at a glance, from their files alone: state, forget set, measures, and whether files are still what they were."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.errors import AppError, InputError, MismatchError, NotFoundError
from core.files import file_sha256
from core.job import Job
from core.jsonio import read_json
from core.runs.folder import JOB, REPORT_JSON, RunFolder
from core.verify.numbers import count, plural

MEASURES = ("retain_accuracy", "forget_accuracy", "retain_test_accuracy", "forget_test_accuracy")


def describe_run(folder: RunFolder) -> dict[str, Any]:
    """Return a run in short as plain data; one that cannot be read says why under `error`, and under `newer` whether a
    newer version wrote it.
    """  # noqa: D205
    row: dict[str, Any] = {"run": folder.id, "path": str(folder.path)}
    try:
        job, status, card = folder.job(), folder.status(), folder.card() or {}
    except AppError as error:
        return {**row, "state": "damaged", "error": error.text, "newer": isinstance(error, MismatchError)}
    measures = card.get("measures") or {}
    return {
        **row,
        "state": status.state,
        "job_kind": job.kind,
        "method": job.method if job.kind == "unlearn" else "train",
        "preset": job.preset,
        "architecture": job.model.architecture,
        "data": job.data.spec,
        "forget": {"mode": job.forget.mode, "classes": list(job.forget.class_names), "count": job.forget.count},
        "forget_text": forget_text(job),
        "chain": [asdict(request) for request in job.requests],
        "step": status.step,
        "steps": status.steps,
        **{key: measures.get(key) for key in MEASURES},
        "verdict": (check_state(folder)["verdict"] or {}).get("code"),
        "created": folder.file(JOB).stat().st_mtime,
        "error": status.error,
    }


def check_state(folder: RunFolder) -> dict[str, Any]:
    """Return what a run's report came to: `verdict` (None without a report), and whether it was `checked` against a
    retrained model. The report holds both, not the model card, which does not change once a run has ended; a card of
    an earlier version may hold them, too.
    """  # noqa: D205
    report: Any = None
    with contextlib.suppress(InputError):  # a damaged report is as none
        report = folder.report()
    card = folder.card() or {}
    verdict = report.get("verdict") if isinstance(report, dict) else card.get("verdict")
    checked = isinstance(report, dict) and bool(report.get("retrained"))
    return {"verdict": verdict, "checked": checked or bool(card.get("checked"))}


def is_done(folder: RunFolder) -> bool:
    """Return whether a run has ended with a result, so that resuming it changes nothing."""
    return folder.has_result and folder.status().state in ("finished", "stopped")


def forget_text(job: Job) -> str:
    """Return the forget set of a job in a few words: "class 3 (140 of 1,437)"."""
    forget = job.forget
    if forget.mode == "none":
        return "nothing"
    names = ", ".join(forget.class_names)
    what = f"{'class' if len(forget.class_names) == 1 else 'classes'} {names}" if names else "single images"
    more = " and single images" if forget.mode == "mixed" else ""
    chain = f", {len(job.requests)} requests" if job.requests else ""
    return f"{what}{more} ({count(forget.count)} of {count(forget.total)}{chain})"


def request_lines(job: Job) -> tuple[str, ...]:
    """Return one line a request of a chain, oldest first: what each added, how, and in which run; () without one."""
    return tuple(f"{index}. {request_text(asdict(one))}" for index, one in enumerate(job.requests, start=1))


def request_text(request: Mapping[str, Any]) -> str:
    """Return one request of a chain in words: "class 3, 140 images, by finetune (run first)"."""
    names = ", ".join(request.get("class_names") or ())
    what = f"{'class' if len(request.get('class_names') or ()) == 1 else 'classes'} {names}" if names else "images"
    run = f"run {request['run']}" if request.get("run") else "this run"
    return f"{what}: {plural(int(request.get('count') or 0), 'image')}, by {request.get('method')} ({run})"


def check_report_files(path: Path) -> tuple[Path, dict[str, str]]:
    """Compute the SHA-256 of every file a report names; `path` is report.json, report.html or their folder.

    Returns report.json's path and the hashes; files that were removed on request are left out, where what was noted
    of them is what the report says. Raises InputError where there is no report, or it names no files, and
    MismatchError naming each file that was changed, is missing, or lies elsewhere.
    """
    if path.is_dir():
        path = path / REPORT_JSON
    if not path.is_file():
        raise NotFoundError(f"There is no report {path}", "Name the report.json of a run folder")
    report = path.with_suffix(".json") if path.suffix.lower() in (".html", ".htm") else path
    if not report.is_file():
        raise NotFoundError(f"There is no {report.name} beside {path}", "Its hashes stand in that file")
    content = read_json(report)
    stated = content.get("files") if isinstance(content, dict) else None
    if not isinstance(stated, dict) or not stated:
        raise InputError(f"{report} is no report of a run: it names no files with their hashes")
    hashes, wrong = {}, []
    removed = RunFolder(report.parent).removed()
    for name, wanted in stated.items():
        file = report.parent / name
        if Path(name).name != name:  # a report may not make anyone read files elsewhere
            wrong.append(f"{name!r} is no file beside the report")
        elif not file.is_file() and (removed.get(name) or {}).get("sha256") == wanted:
            continue
        elif not file.is_file():
            wrong.append(f"{name} is missing")
        else:
            hashes[name] = file_sha256(file)
            if hashes[name] != wanted:
                wrong.append(f"{name} is not what the report was written about")
    if wrong:
        raise MismatchError(f"{report}: {'; '.join(wrong)}", "Do not rely on this report")
    return report, hashes


def check_resumable(job: Job) -> None:
    """Raise an error that says what is missing where a run cannot go on: its original model is gone or was changed."""
    if job.kind != "unlearn" or not job.model.path:
        return
    original = Path(job.model.path)
    if not original.is_file():
        raise NotFoundError(f"The run needs its original model, and {original} is gone", "Put the file back to resume")
    if file_sha256(original) != job.model.sha256:
        raise MismatchError(
            f"{original} was changed since the run began", "Put the original file back to resume, or start a new run"
        )
