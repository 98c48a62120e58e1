"""Trains originals and retrained references; a training is a run like any other, seen live and resumable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.data.dataset import Dataset
from core.engine.control import Control
from core.engine.states import State
from core.errors import InputError, StoppedError
from core.job import Job
from core.models.checkpoint import read_card
from core.places import references_home
from core.runs.folder import FORGET, MODEL, RunFolder
from core.selection import Selection, read_forget_csv
from core.session.chain import original_of
from core.session.jobs import create_run, make_train_job, reference_key
from core.session.opening import DataOptions
from core.session.running import Emit, run


@dataclass(frozen=True)
class Reference:
    """A retrained model: where its run lies, its seed, and where its recipe comes from."""

    folder: RunFolder
    seed: int
    recipe_source: str  # "the original's model card" or "preset"

    @property
    def model(self) -> Path:
        """The reference's weights."""
        return self.folder.file(MODEL)

    @property
    def seconds(self) -> float | None:
        """Training time, from its model card."""
        return self._cost("seconds")

    @property
    def operations(self) -> float | None:
        """Floating-point operations of its training, from its model card."""
        return self._cost("operations")

    def _cost(self, key: str) -> float | None:
        return ((self.folder.card() or {}).get("cost") or {}).get(key)


def train(
    out: Path | str,
    dataset: Dataset,
    options: DataOptions,
    architecture: str,
    control: Control,
    emit: Emit,
    *,
    exclude: Selection | None = None,
    trust_code: bool = False,
    **settings: Any,
) -> tuple[RunFolder, State]:
    """Train a model into the run folder `out`; `settings` are those of `make_train_job`."""
    job = make_train_job(dataset, options, architecture, exclude=exclude, **settings)
    folder = create_run(out, job, exclude, dataset)
    return folder, run(folder, control, emit, dataset=dataset, trust_code=trust_code)


def recipe_of(job: Job) -> tuple[dict[str, Any], str]:
    """Return the recipe a retrained reference should use for a job's model, and where it comes from."""
    original = original_of(job)[0] if job.model.path else None
    card = read_card(original) if original is not None and original.exists() else None
    recipe = (card or {}).get("recipe")
    if recipe:
        return dict(recipe), "the original's model card"
    return {}, "the preset of this application: the original's own recipe is not known"


def reference_job(folder: RunFolder, dataset: Dataset, seed: int) -> tuple[Job, Selection, str]:
    """Describe the retrained reference of a run."""
    return reference_job_of(folder.job(), _forget_set(folder, dataset), dataset, seed)


def reference_job_of(job: Job, exclude: Selection, dataset: Dataset, seed: int) -> tuple[Job, Selection, str]:
    """Describe the retrained reference of a job that may have no folder yet; `exclude` is its forget set."""
    recipe, source = recipe_of(job)
    options = DataOptions.of(job.data)
    known: dict[str, Any] = {"seed": seed, "device": job.device, "precision": job.precision, "threads": job.threads}
    made = make_train_job(
        dataset,
        options,
        job.model.architecture,
        exclude=exclude,
        recipe=_plain(recipe),
        user_code=job.model.user_code,
        **known,
    )
    return made, exclude, source


def find_references(folder: RunFolder, dataset: Dataset, seeds: Sequence[int] = range(1, 9)) -> list[Reference]:
    """Return the finished retrained references of a run that are already on disk, by seed."""
    return known_references(folder.job(), _forget_set(folder, dataset), dataset, seeds)


def known_references(
    job: Job, exclude: Selection, dataset: Dataset, seeds: Sequence[int] = range(1, 9)
) -> list[Reference]:
    """Return the finished retrained references for a job's forget set that are already on disk, by seed."""
    found = []
    for seed in seeds:
        training, _, source = reference_job_of(job, exclude, dataset, seed)
        kept = RunFolder(references_home() / reference_key(training, seed))
        if kept.has_result:
            found.append(Reference(kept, seed, source))
    return found


def train_reference(
    folder: RunFolder, dataset: Dataset, seed: int, control: Control, emit: Emit, *, trust_code: bool = False
) -> Reference:
    """Train the retrained reference of a run, or return the one on disk; an interrupted training goes on.

    Raises StoppedError where it was stopped before its end: a half-trained reference is no reference.
    """
    job, exclude, source = reference_job(folder, dataset, seed)
    kept = RunFolder(references_home() / reference_key(job, seed))
    if not kept.has_result:
        if not kept.exists:
            create_run(kept.path, job, exclude, dataset)
        state = run(kept, control, emit, dataset=dataset, resume=True, trust_code=trust_code)
        if state is not State.FINISHED:
            if kept.exists:
                kept.delete()
            raise StoppedError("The training of the retrained reference was stopped", "Start it again to go on")
    return Reference(kept, seed, source)


def reference_from(path: Path, job: Job) -> Path:
    """Return the weights of a reference a user brings: a file, or the folder `train` wrote. Raises InputError."""
    weights = path / MODEL if path.is_dir() else path
    if not weights.exists():
        raise InputError(f"There is no retrained model at {path}")
    card = read_card(weights)
    if card and card.get("kind") == "train":
        forgotten = (card.get("forgotten") or {}).get("count")
        if forgotten == 0:
            raise InputError(f"{path} was trained on all images: it is an original, not a retrained reference")
    return weights


def _forget_set(folder: RunFolder, dataset: Dataset) -> Selection:
    rows = read_forget_csv(folder.file(FORGET))
    return Selection(rows.mask(len(dataset.train)), dataset.train.labels.numpy(), dataset.classes)


def _plain(recipe: Mapping[str, Any]) -> dict[str, Any]:
    from core.methods import get_method

    known = {p.name for p in get_method("retrain").parameters}
    return {name: value for name, value in recipe.items() if name in known}
