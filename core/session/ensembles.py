"""Runs that differ in their seed, as one ensemble beside an ensemble of retrained models: KLoM's many-model mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core.data.splits import Splits, stratified
from core.engine.outputs import FullOutputs
from core.errors import InputError, MismatchError
from core.job import Job, StartPart
from core.metrics.klom import FEWEST_MODELS, Margins, klom, margin_distance
from core.metrics.membership import log_odds
from core.runs.folder import MODEL, RunFolder
from core.session.bench import Bench, original_of
from core.session.forget_sets import run_selection
from core.session.jobs import decides
from core.session.references import reference_folder, reference_key
from core.session.starts import told_job

SAMPLES = 1000
"""Images of each set at most: their mean has settled long before."""

SETS = ("forget_train", "retain_train", "unseen")


def ensembles_in(folders: Sequence[RunFolder]) -> list[list[RunFolder]]:
    """Return those of some runs that are ensembles, two or more that differ in nothing but seed and original.

    Raises InputError where the card of an original is damaged, so that its retrained models are not known.
    """
    found: dict[str, list[RunFolder]] = {}
    for folder in folders:
        found.setdefault(_kind(told_job(folder)), []).append(folder)
    return [runs for runs in found.values() if len(runs) > 1]


def require_ensemble(
    folders: Sequence[RunFolder], seeds: Sequence[int], brought: Mapping[str, Path], start: StartPart | None = None
) -> list[Job]:
    """Return the jobs of runs that are an ensemble beside retrained models; nothing is opened or measured for that.

    seeds, brought: the retrained models. start: where the originals' training began, as the user says. Raises
    MismatchError where runs are not of one kind, InputError where they are of encoders, whose images have no margins,
    or where there is no retrained model.
    """
    jobs = [told_job(folder, start) for folder in folders]
    if not jobs[0].model.num_classes:
        raise InputError("Encoders name no class, so their images have no margins", "Compare features with `verify`")
    if len({_kind(job) for job in jobs}) > 1:
        raise MismatchError(
            "These runs differ in more than their seed and their original, so they are no ensemble",
            "Name runs of one method with the same settings, on the same data and forget set",
        )
    if not seeds and not brought:
        raise InputError(
            "There is no retrained model that the ensemble could be held against",
            "Bring retrained models: --retrained train trains them, as many as --seeds says",
        )
    return jobs


def compare_ensembles(
    folders: Sequence[RunFolder], bench: Bench, seeds: Sequence[int], brought: Mapping[str, Path]
) -> dict[str, Any]:
    """Return how far the results of runs lie from retrained models, as two ensembles, by set of images.

    folders: checked runs of one method that differ in their seed, and in their original where there are several.
    seeds, brought: the retrained models. Under `sets` stand, for each of SETS, mean and 95th percentile over its images
    of `unlearned` (against the retrained models), `floor` (one half of the retrained models against the other),
    `unlearned_half` (as many models as the floor has) and, where there are as many originals, `original`.
    `measure` is "klom", or "margin_distance" where either side has fewer than FEWEST_MODELS; `note` says so, and that
    runs of one original vary less than retrained models do. Raises what `require_ensemble` does.
    """
    jobs = require_ensemble(folders, seeds, brought)
    first = jobs[0]
    bench = bench.for_job(first)
    images, splits = bench.laid_out(replace(run_selection(folders[0], bench.dataset), weights=None))
    own = partial(bench.open_beside, arch=first.model.builder)

    def margins(paths: Sequence[Path], what: str) -> dict[str, Margins]:
        models = [own(path) for path in paths]
        rows = [_margins(bench.outputs(model, f"Measuring {what}", images), splits) for model in models]
        return {name: np.stack([row[name] for row in rows]) for name in SETS}

    originals = list(dict.fromkeys(original_of(job).path for job in jobs))
    unlearned = margins([folder.file(MODEL) for folder in folders], "the unlearned models")
    retrained = margins(
        [*(reference_folder(first, seed).file(MODEL) for seed in seeds), *brought.values()], "the retrained models"
    )
    before = margins([Path(path) for path in originals if Path(path).is_file()], "the originals") if len(
        originals
    ) >= FEWEST_MODELS else None  # fmt: skip
    numbers = len(folders), len(retrained[SETS[0]])
    enough = min(numbers) >= FEWEST_MODELS
    return {
        "measure": "klom" if enough else "margin_distance",
        "unlearned_models": numbers[0], "retrained_models": numbers[1], "originals": len(originals),
        "fewest_models": FEWEST_MODELS, "note": _note(numbers, len(originals)),
        "sets": {
            name: _of_set(unlearned[name], retrained[name], None if before is None else before[name], enough)
            for name in SETS
        },
    }  # fmt: skip


def _kind(job: Job) -> str:
    """Return what runs of one ensemble share: all that decides their results but seed and original.

    The originals have begun alike and had one recipe, because retrained models are trained as they were.
    """
    parts = decides(job) | {"parameters": sorted(job.parameters.items()), "retrained": reference_key(job, seed=0)}
    return repr(sorted((name, value) for name, value in parts.items() if name not in ("model", "seed")))


def _margins(full: FullOutputs, splits: Splits) -> dict[str, Margins]:
    """Return the margins of one model on each of SETS, by name."""
    ids = {
        "forget_train": (full.train, stratified(splits.labels, splits.forget_train, SAMPLES, seed=0)),
        "retain_train": (full.train, stratified(splits.labels, splits.retain_train, SAMPLES, seed=0)),
        "unseen": (full.test, stratified(splits.test_labels, splits.unseen, SAMPLES, seed=0)),
    }
    return {name: log_odds(part.logits[rows], part.labels[rows]) for name, (part, rows) in ids.items()}


def _of_set(
    unlearned: Margins, retrained: Margins, original: Margins | None, enough: bool
) -> dict[str, dict[str, float] | None]:
    measure: Callable[[Margins, Margins], Margins] = klom if enough else margin_distance

    def told(one: Margins, other: Margins) -> dict[str, float]:
        values = measure(one, other)
        return {"mean": float(values.mean()), "p95": float(np.quantile(values, 0.95))}

    half = len(retrained) // 2
    halves = retrained[:half], retrained[half:]
    return {
        "unlearned": told(unlearned, retrained),
        "unlearned_half": told(unlearned[:half], halves[1]) if half else None,
        "floor": told(*halves) if half else None,
        "original": None if original is None else told(original, retrained),
    }


def _note(numbers: tuple[int, int], originals: int) -> str:
    """Say what the numbers of models do to the value."""
    said = []
    if min(numbers) < FEWEST_MODELS:
        said.append(
            f"KLoM needs {FEWEST_MODELS} models a side, better 100; there are {numbers[0]} unlearned and {numbers[1]} "
            "retrained ones. What stands here is the Wasserstein distance of their margins, and not KLoM."
        )
    if originals < numbers[0]:
        share = "one original" if originals == 1 else f"{originals} originals"
        said.append(
            f"The {numbers[0]} runs start from {share}: they vary less than retrained models, which raises the value "
            "whatever was forgotten."
        )
    return " ".join(said)
