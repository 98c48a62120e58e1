"""Retrained references: the recipe they are trained by, where they lie, which are on disk, and those a user brings."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from core.data.preprocessing import numbers_of
from core.errors import AppError, InputError
from core.files import references_home
from core.job import Job
from core.methods.retrain import RETRAIN
from core.models.architectures import network_key
from core.models.card import read_card
from core.parameters import resolve
from core.runs.folder import MODEL, RunFolder, list_runs
from core.session.bench import original_of
from core.session.jobs import recipe_for
from core.session.starts import start_of
from core.verify.numbers import mean, plural

FIRST_ATTACKER = 101
"""Seed of the first reference that RMIA alone attacks with: far from the seeds of those a result is compared with."""


def recipe_of(job: Job) -> tuple[dict[str, Any], str]:
    """Return the recipe a retrained reference should use for a job's model, and where it comes from."""
    original = Path(original_of(job).path) if job.model.path else None
    card = read_card(original) if original is not None and original.exists() else None
    return recipe_for(card, job.forget.total - job.forget.count)


def reference_key(job: Job, seed: int) -> str:
    """Return the key of the retrained reference of a job: a hash of data and its preparation, forget set, network,
    recipe, the pretrained weights it begins with where there are any, and seed. `job` is the reference's own, or an
    unlearning job whose result is compared with it.
    """  # noqa: D205
    model = job.model
    recipe: Mapping[str, Any] = job.parameters
    if job.kind != "train":
        recipe = resolve(RETRAIN.parameters, recipe_of(job)[0], owner="the recipe")
    recipe = {name: value for name, value in recipe.items() if (name, value) != ("canaries", 0)}  # as before there were
    start = start_of(job)
    untaught = recipe.get("canaries") and job.forget.classes  # those trained before had canaries of left-out classes
    parts = (
        job.data.fingerprint, numbers_of(model.preprocessing), job.forget.sha256, network_key(model),
        sorted(recipe.items()), seed, *([start.weights_id] if start is not None and start.pretrained else []),
        *(["no canary is labelled as a class that is left out"] if untaught else []),
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


def reference_folder(job: Job, seed: int) -> RunFolder:
    """Return where the retrained reference of a job lies, or would."""
    return RunFolder(references_home() / reference_key(job, seed))


def known_references(job: Job, seeds: Iterable[int] = range(1, 9)) -> dict[int, RunFolder]:
    """Return the finished retrained references of a job's model and recipe that are already on disk, by seed."""
    return {seed: folder for seed in seeds if _finished(folder := reference_folder(job, seed))}


def _finished(folder: RunFolder) -> bool:
    """Whether a training has ended; not one whose folder is damaged."""
    with contextlib.suppress(AppError):
        return folder.finished
    return False


def references_on_disk(job: Job) -> tuple[tuple[RunFolder, Job], ...]:
    """Return the references on disk that left out the same images of the same data as a job, by seed."""
    if not references_home().is_dir():
        return ()
    same = [(folder, other) for folder, other in jobs_in(references_home()) if same_forget_set(job, other)]
    return tuple(sorted(same, key=lambda pair: pair[1].seed))


def trained_references(job: Job) -> dict[int, RunFolder]:
    """Return the finished references for a job's model and recipe, by seed; none where its card cannot be read.

    References for RMIA alone are left out.
    """
    seeds = dict.fromkeys(other.seed for _, other in references_on_disk(job) if other.seed < FIRST_ATTACKER)
    with contextlib.suppress(AppError):
        return known_references(job, seeds)
    return {}


def seconds_to_retrain(job: Job) -> float | None:
    """Estimate the training time of one more reference in seconds; None where nothing tells it.

    From references already trained, else from the original's training time on its card, times the share of images
    that stay. Both are of the machine that trained them.
    """
    seconds = mean_cost(trained_references(job).values(), "seconds")
    if seconds is not None:
        return seconds
    path = Path(original_of(job).path)
    if not job.model.path or not path.exists():
        return None
    with contextlib.suppress(Exception):  # a damaged card is no card
        seconds = _cost(read_card(path), "seconds")
        if seconds is not None and job.forget.total:
            return seconds * (1 - job.forget.count / job.forget.total)
    return None


def jobs_in(home: Path) -> list[tuple[RunFolder, Job]]:
    """Return the run folders directly in `home` with their jobs; damaged ones are left out."""
    pairs = []
    for folder in list_runs(home):
        with contextlib.suppress(Exception):
            pairs.append((folder, folder.job()))
    return pairs


def same_forget_set(job: Job, other: Job) -> bool:
    """Whether two jobs are about the same images of the same data."""
    return job.forget.sha256 == other.forget.sha256 and job.data.fingerprint == other.data.fingerprint


def mean_cost(references: Iterable[RunFolder], key: str) -> float | None:
    """Return the mean of what trainings cost ("seconds" or "operations"), as their cards say; None where none does."""
    return mean(_cost(folder.card(), key) for folder in references)


def _cost(card: dict[str, Any] | None, key: str) -> float | None:
    """Return what a card says a training took; None where it does not say, or says nothing that can be."""
    value = ((card or {}).get("cost") or {}).get(key)
    return float(value) if isinstance(value, (int, float)) and value > 0 else None


def reference_from(path: Path, job: Job) -> Path:
    """Return the weights of a reference a user brings: a file, or the folder `train` wrote.

    Raises InputError where there are none, or where their card says that they were not retrained, or without other
    images than `job` forgets.
    """
    weights = path / MODEL if path.is_dir() else path
    if not weights.exists():
        raise InputError(f"There is no retrained model at {path}")
    card = read_card(weights)
    retrained = card and (card.get("kind") == "train" or card.get("method") == RETRAIN.id)
    if card and card.get("kind") == "unlearn" and not retrained:
        raise InputError(
            f"{path} is the result of unlearning ({card.get('method')}): it was not retrained",
            "Bring a model that was trained from scratch without the forget set, or have one trained",
        )
    if not card or not retrained:
        return weights
    forgotten = card.get("forgotten") or {}
    if forgotten.get("count") == 0:
        raise InputError(f"{path} was trained on all images: it is an original, not a retrained reference")
    same_data = (card.get("dataset") or {}).get("fingerprint") == job.data.fingerprint
    classes, number = sorted(forgotten.get("classes") or ()), int(forgotten.get("count") or 0)
    differs = (classes, number) != (sorted(job.forget.class_names), job.forget.count) or _forgets_others(weights, job)
    if same_data and number and differs:
        names = f" ({', '.join(classes)})" if classes else ""
        raise InputError(
            f"{path} was trained without {plural(number, 'image')}{names}, which are not those the run forgets",
            "Bring a model that was trained without the run's forget set, or have one trained",
        )
    return weights


def _forgets_others(weights: Path, job: Job) -> bool:
    """Whether weights lie in a run folder whose job says that it forgot as many, but other images."""
    try:
        forgotten = RunFolder.open(weights.parent).job().forget
    except (AppError, OSError):
        return False  # an exported file: only its card tells
    return bool(forgotten.sha256) and forgotten.sha256 != job.forget.sha256
