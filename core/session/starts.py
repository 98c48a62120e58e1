"""Where an original's training began, with fresh or with pretrained weights: what its files say, and what users do.

References begin where it began. Weights of a pretrained network may hold what is to be forgotten, so that features come
back even after retraining from the same checkpoint (arXiv 2602.18505).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import AppError, MismatchError
from core.files import file_sha256, read_object
from core.job import Job, StartPart
from core.methods import method_of
from core.models.card import read_card, weights_file
from core.models.hub import HUB_CONFIG, HUB_WEIGHTS
from core.models.starting import read_start
from core.models.trust import NO_TRUST, Trust
from core.runs.folder import MODEL, MODEL_PT, RunFolder
from core.session.bench import original_of

FRESH = "fresh"
"""What is said of a training that did not begin with the weights of a file."""

USER, CARD, JOB = "the user", "the model card", "the job of its training"
"""Who says where a training began."""

PAPER = "arXiv 2602.18505"


def earlier_run(model: Path) -> RunFolder | None:
    """Return the run that made a weights file (or the folder it lies in); None where no run did."""
    folder = RunFolder(model if model.is_dir() else model.parent)
    inside = model.is_dir() or model.name in (MODEL, MODEL_PT)
    return folder if inside and folder.exists and folder.has_result else None


def stated_start(text: str, key: str | None = None, trust: Trust = NO_TRUST) -> StartPart:
    """Return the start that a user states: the word "fresh", or a file (`key`: the entry of it that is the network).

    Raises the AppErrors of reading a model.
    """
    if text == FRESH:
        return StartPart(kind="fresh", said_by=USER)
    path = weights_file(Path(text).expanduser()).resolve()
    start = StartPart(kind="pretrained", path=str(path), sha256=file_sha256(path), key=key or "", said_by=USER)
    read_start(start, trust)  # a file that cannot be read, or holds several networks, is told at once
    return start


def known_start(model: Path) -> StartPart | None:
    """Return where the training of a model began, as the job or the card of it or of its original says; None: unknown.

    A model that this program trained before it could begin with a file's weights began with fresh ones.
    """
    if (folder := earlier_run(model)) is not None:
        job = folder.job()
        if job.kind == "train":
            return replace(start_of(job) or StartPart(kind="fresh"), said_by=JOB)
        return job.start or known_start(Path(original_of(job).path))
    card = read_card(model) if model.exists() else None
    if card is None:
        return None
    if isinstance(said := card.get("start"), Mapping) and said.get("kind") in ("fresh", "pretrained"):
        return _of_card(said, CARD)
    made_here = card.get("kind") == "train" or "recipe" in card
    return StartPart(kind="fresh", said_by=CARD) if made_here else None


def settled_start(stated: StartPart | None, model: Path) -> StartPart | None:
    """Return where a model's training began: as the user states it, else as its files say.

    Where both speak of the same weights, the user's tells where they lie. Raises MismatchError where they differ.
    """
    known = known_start(model)
    if stated is None or known is None:
        return stated or known
    if stated.kind != known.kind or (known.pretrained and stated.weights_id != known.weights_id):
        raise MismatchError(
            f"{model.name} began with {start_words(known)}, as {known.said_by} says, not with {start_words(stated)}",
            "Leave --started-from out, or name the file with those weights",
        )
    return replace(known, path=stated.path)  # a card knows no folder


def start_of(job: Job) -> StartPart | None:
    """Return where the training of a job's original began, or that of the job itself; None where nothing says it."""
    if job.start is not None or job.kind == "train":
        return job.start or StartPart(kind="fresh", said_by=JOB)
    return known_start(Path(original_of(job).path)) if job.model.path else None


def as_told(job: Job, report: Mapping[str, Any] | None, start: StartPart | None = None) -> Job:
    """Return a job with the start of its original as a user says it now, or said it at the check that wrote `report`.

    Raises MismatchError where it is stated now and the original's files say otherwise.
    """
    said = (report or {}).get("start")
    if start is not None:
        start = settled_start(start, Path(original_of(job).path))
    elif start_of(job) is None and isinstance(said, Mapping) and said.get("said_by") == USER:
        start = _of_card(said, USER)
    return job if start is None else replace(job, start=start)


def told_job(folder: RunFolder, start: StartPart | None = None) -> Job:
    """Return the job of a run with the start of its original as `as_told` tells it by the run's report."""
    return as_told(folder.job(), folder.report(), start)


def start_words(start: StartPart | None) -> str:
    """Return what a training began with, in words that follow "began with"."""
    if start is None:
        return "weights that nothing tells of"
    if not start.pretrained:
        return "fresh weights"
    return f"the pretrained weights of {start_name(start) or 'a file'} (SHA-256 {start.sha256[:12]}…)"


def start_name(start: StartPart) -> str:
    """Return the name of the file with a start's weights; of one that many files have, with its folder."""
    path = Path(start.path)
    return f"{path.parent.name}/{path.name}" if path.name in HUB_WEIGHTS and path.parent.name else path.name


def start_card(start: StartPart) -> dict[str, Any]:
    """Return what a card or a report says of a start: the name of its file, without the folders it lies in."""
    pretrained = {"name": start_name(start), "sha256": start.sha256, "key": start.key} if start.pretrained else {}
    return {"kind": start.kind, **pretrained}


def _of_card(said: Mapping[str, Any], said_by: str) -> StartPart:
    """Return the start that `start_card` wrote down."""
    name, sha256, key = (str(said.get(part) or "") for part in ("name", "sha256", "key"))
    return StartPart(kind=said["kind"], path=name, sha256=sha256, key=key, said_by=said_by)


def start_doubts(job: Job, trained: bool, brought: Mapping[str, Path]) -> Iterator[str]:
    """Yield what retrained models must not be read without, for where they and the original began.

    job: the run's, as told. trained: whether some were trained for it. brought: weights of those that users bring.
    """
    start = start_of(job)
    if start is None:
        if trained:
            yield (
                f"Nothing says whether the original began with fresh or with pretrained weights{_hint(job)}. The "
                "retrained models began with fresh ones: if it did not, they are no yardstick for it. Say it with "
                "--started-from: a file, or the word fresh."
            )
    elif start.pretrained and (trained or brought):
        yield (
            f"The original began with {start_words(start)}"
            f"{', and so did the models retrained here' if trained else ''}. Such weights may themselves hold the "
            f"features of what is forgotten, which then come back even after retraining ({PAPER}): being close to a "
            "model retrained from them is no proof that the features are gone."
        )
    for name, path in brought.items():
        theirs = _start_of_file(path)
        if theirs is None or start is None or theirs.weights_id == start.weights_id:
            continue
        yield (
            f"{name}, which was brought as a retrained model, began with {start_words(theirs)}, the original with "
            f"{start_words(start)}: what sets the two apart is not the forgetting alone."
        )


def retraining_doubts(job: Job) -> tuple[str, ...]:
    """Return what a run that trains a new network in place of the original must not be read without; none for others.

    Such a run begins where references do.
    """
    return tuple(start_doubts(job, True, {})) if method_of(job).starts_from == "fresh" else ()


def _start_of_file(path: Path) -> StartPart | None:
    """Return where a model began; None where nothing says it or its card cannot be read."""
    with contextlib.suppress(AppError):
        return known_start(path)
    return None


def _hint(job: Job) -> str:
    """Return what the configuration beside an original lets guess, in words; empty where it says nothing."""
    named = read_object(Path(original_of(job).path).with_name(HUB_CONFIG)).get("_name_or_path")
    return f" ({HUB_CONFIG} names {named}, from which it was loaded once)" if isinstance(named, str) and named else ""
