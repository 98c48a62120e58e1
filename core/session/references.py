"""Retrained references on disk: which there are for a run's forget set, and what another would cost. Needs no data."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.data.preprocessing import numbers_of
from core.errors import AppError
from core.job import Job
from core.methods import get_method
from core.methods.retrain import assumed_recipe
from core.models.architectures import network_key
from core.models.card import read_card
from core.parameters import resolve
from core.places import references_home
from core.runs.folder import RunFolder, list_runs
from core.session.chain import original_of

FIRST_ATTACKER = 101
"""Seed of the first further reference for RMIA: far from the seeds of retrained models that are judged."""


def recipe_of(job: Job) -> tuple[dict[str, Any], str]:
    """Return the recipe a retrained reference should use for a job's model, and where it comes from.

    What another version wrote into a card and this one does not know is left out.
    """
    original = original_of(job)[0] if job.model.path else None
    card = read_card(original) if original is not None and original.exists() else None
    recipe = (card or {}).get("recipe")
    if isinstance(recipe, Mapping) and recipe:
        known = {parameter.name for parameter in get_method("retrain").parameters}
        return {name: value for name, value in recipe.items() if name in known}, "the original's model card"
    kept = job.forget.total - job.forget.count
    return assumed_recipe(kept), "the preset of this application: the original's own recipe is not known"


def reference_key(job: Job, seed: int) -> str:
    """Name the retrained reference of a job by what determines it: data and how it is prepared, forget set, network,
    recipe and seed. `job`: the reference's own, or one that is held against it.
    """  # noqa: D205
    model = job.model
    recipe = job.parameters if job.kind == "train" else _resolved(recipe_of(job)[0])
    parts = (
        job.data.fingerprint, numbers_of(model.preprocessing), job.forget.sha256, network_key(model),
        sorted(recipe.items()), seed,
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


def _resolved(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    return resolve(get_method("retrain").parameters, recipe, owner="the recipe")


def reference_folder(job: Job, seed: int) -> RunFolder:
    """Return where the retrained reference of a job lies, or would."""
    return RunFolder(references_home() / reference_key(job, seed))


def references_on_disk(job: Job) -> tuple[tuple[RunFolder, Job], ...]:
    """Return the runs in the shared folder of references that left out the same images of the same data, by seed."""
    if not references_home().is_dir():
        return ()
    found = [(run, other) for run, other in jobs_in(references_home()) if same_forget_set(job, other)]
    return tuple(sorted(found, key=lambda pair: pair[1].seed))


def trained_references(job: Job) -> dict[int, RunFolder]:
    """Return the finished references for a job's model and recipe, by seed; none where its card cannot be read.

    Those that RMIA alone was given are left out.
    """
    found = {}
    with contextlib.suppress(AppError):
        for run, other in references_on_disk(job):
            if other.seed < FIRST_ATTACKER and run.has_result and run.id == reference_key(job, other.seed):
                found[other.seed] = run
    return found


def seconds_to_retrain(job: Job) -> float | None:
    """Estimate the training time of one more reference in seconds; None where nothing is known of it.

    From references already trained, else from the original's training time on its card, times the share of images
    that stay. Both are as good as the machine is the same.
    """
    known = [seconds for run in trained_references(job).values() if (seconds := _seconds(run.card())) is not None]
    if known:
        return sum(known) / len(known)
    path = original_of(job)[0]
    if not job.model.path or not path.exists():
        return None
    with contextlib.suppress(Exception):  # a damaged card is no card
        seconds = _seconds(read_card(path))
        if seconds is not None and job.forget.total:
            return seconds * (1 - job.forget.count / job.forget.total)
    return None


def jobs_in(home: Path) -> list[tuple[RunFolder, Job]]:
    """Return the run folders directly in `home` with their jobs; damaged ones are left out."""
    found = []
    for run in list_runs(home):
        with contextlib.suppress(Exception):
            found.append((run, run.job()))
    return found


def same_forget_set(one: Job, other: Job) -> bool:
    """Whether two jobs are about the same images of the same data."""
    return one.forget.sha256 == other.forget.sha256 and one.data.fingerprint == other.data.fingerprint


def _seconds(card: dict[str, Any] | None) -> float | None:
    value = ((card or {}).get("cost") or {}).get("seconds")
    return float(value) if isinstance(value, (int, float)) and value > 0 else None
