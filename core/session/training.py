"""Trains originals and retrained references; a training is a run like any other, seen live and resumable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.data.dataset import Dataset
from core.engine.control import Control
from core.errors import AppError, InputError, StoppedError
from core.events import Emit
from core.job import Job
from core.methods.retrain import RETRAIN
from core.models.card import read_card
from core.runs.folder import CARD, FORGET, MODEL, MODEL_PT, RunFolder
from core.selection import Selection, read_forget_csv
from core.session.bench import Bench, DataOptions
from core.session.jobs import create_run, make_train_job
from core.session.references import recipe_of, reference_folder
from core.session.running import run
from core.states import State
from core.verify.numbers import plural


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
    bench: Bench,
    architecture: str,
    control: Control,
    emit: Emit,
    *,
    exclude: Selection | None = None,
    **settings: Any,
) -> tuple[RunFolder, State]:
    """Train a model on the bench's data into the run folder `out`; `settings` are those of `make_train_job`."""
    job = make_train_job(bench, architecture, exclude=exclude, **settings)
    folder = create_run(out, job, exclude, bench.dataset)
    return folder, run(folder, control, emit, bench)


def reference_job(folder: RunFolder, bench: Bench, seed: int) -> tuple[Job, Selection, str]:
    """Describe the retrained reference of a run: its job, what it leaves out, and where its recipe comes from."""
    job, exclude = folder.job(), _forget_set(folder, bench.dataset)
    recipe, source = recipe_of(job)
    bench = replace(bench, options=DataOptions.of(job.data)).on(job.device, job.precision, job.threads)
    made = make_train_job(
        bench, job.model.architecture, exclude=exclude, recipe=recipe, user_code=job.model.user_code, seed=seed
    )
    return made, exclude, source


def known_references(job: Job, seeds: Sequence[int] = range(1, 9)) -> list[Reference]:
    """Return the finished retrained references of a job that are already on disk, by seed."""
    source = recipe_of(job)[1]
    return [Reference(kept, seed, source) for seed in seeds if (kept := reference_folder(job, seed)).has_result]


def train_reference(folder: RunFolder, bench: Bench, seed: int, control: Control, emit: Emit) -> Reference:
    """Train the retrained reference of a run, or return the one on disk; a training that was ended early goes on.

    `bench` holds the run's data. Raises StoppedError where it was stopped before its end: a half-trained reference is
    no reference.
    """
    job, exclude, source = reference_job(folder, bench, seed)
    kept = reference_folder(job, seed)
    if not kept.has_result:
        if not kept.exists:
            create_run(kept.path, job, exclude, bench.dataset)
        state = run(kept, control, emit, bench, resume=True)
        if state is not State.FINISHED:
            _take_back(kept)
            raise StoppedError("The training of the retrained reference was stopped", "Start it again to go on")
    return Reference(kept, seed, source)


def _take_back(folder: RunFolder) -> None:
    """Remove the result of a training that was stopped; its checkpoints stay for the next time."""
    if not folder.has_result:
        return
    for name in (MODEL, MODEL_PT, CARD):
        folder.file(name).unlink(missing_ok=True)
    folder.write_status(replace(folder.status(), state=State.INTERRUPTED.value))


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
    other = (classes, number) != (sorted(job.forget.class_names), job.forget.count) or _forgets_others(weights, job)
    if same_data and number and other:
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


def _forget_set(folder: RunFolder, dataset: Dataset) -> Selection:
    rows = read_forget_csv(folder.file(FORGET))
    return Selection(rows.mask(len(dataset.train)), dataset.train.labels.numpy(), dataset.classes)
