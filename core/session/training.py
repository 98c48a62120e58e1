"""Training: originals, that of the example among them, and retrained references; and which references are on disk."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.data.preprocessing import numbers_of
from core.engine.control import Control
from core.errors import AppError, InputError, StoppedError
from core.events import Emit, Event, Progress, RunStarted, State, StepMetrics, Tell
from core.files import dumps, models_home, read_json, references_home
from core.job import Job
from core.methods.retrain import RETRAIN, assumed_recipe
from core.models.architectures import network_key
from core.models.card import read_card
from core.parameters import resolve
from core.runs.folder import CARD, MODEL, MODEL_PT, RunFolder, list_runs
from core.selection import Selection, resolve_classes
from core.session.bench import Bench, DataOptions
from core.session.chain import original_of
from core.session.forget_sets import run_selection
from core.session.jobs import create_run, make_train_job
from core.session.running import run
from core.verify.numbers import plural

EXAMPLE = Path(__file__).resolve().parents[2] / "resources" / "example" / "recipe.json"
FIRST_ATTACKER = 101
"""Seed of the first reference that RMIA alone attacks with: far from the seeds of those a result is compared with."""


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
        return _cost(self.folder.card(), "seconds")

    @property
    def operations(self) -> float | None:
        """Floating-point operations of its training, from its model card."""
        return _cost(self.folder.card(), "operations")


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
    job, dataset = folder.job(), bench.dataset
    exclude = replace(run_selection(folder, dataset), weights=None)
    recipe, source = recipe_of(job)
    bench = replace(bench, options=DataOptions.of(job.data)).on(job.device, job.precision, job.threads)
    reference = make_train_job(
        bench, job.model.architecture, exclude=exclude, recipe=recipe, user_code=job.model.user_code, seed=seed
    )
    return reference, exclude, source


def known_references(job: Job, seeds: Iterable[int] = range(1, 9)) -> dict[int, RunFolder]:
    """Return the finished retrained references of a job's model and recipe that are already on disk, by seed."""
    return {seed: folder for seed in seeds if (folder := reference_folder(job, seed)).has_result}


def train_reference(folder: RunFolder, bench: Bench, seed: int, control: Control, emit: Emit) -> Reference:
    """Train the retrained reference of a run, or return the one on disk; a training that was ended early goes on.

    `bench` holds the run's data. Raises StoppedError where it was stopped before its end: a half-trained reference is
    no reference.
    """
    job, exclude, source = reference_job(folder, bench, seed)
    place = reference_folder(job, seed)
    if not place.has_result:
        begun = place.exists
        if not begun:
            create_run(place.path, job, exclude, bench.dataset)
        state = run(place, control, emit, bench, resume=begun)
        if state is not State.FINISHED:
            _take_back(place)
            raise StoppedError("The training of the retrained reference was stopped", "Start it again to go on")
    return Reference(place, seed, source)


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


# -- the example: its model is trained by the application itself at first start, in a few seconds --------------------


@dataclass(frozen=True)
class Example:
    """The example, opened: a model that fits its data, what to forget, and how."""

    bench: Bench
    selection: Selection
    method: str
    preset: str
    seed: int


def example_recipe() -> dict[str, Any]:
    """Return the example's recipe as shipped."""
    return read_json(EXAMPLE)


def open_example(control: Control | None = None, tell: Tell | None = None) -> Example:
    """Open the example; trains its model first where that was not done before.

    Raises StoppedError where `control` ended the training.
    """
    recipe = example_recipe()
    control = control or Control()
    bench = Bench().telling(tell).with_data(recipe["dataset"])
    dataset = bench.dataset
    job = make_train_job(
        bench.on("cpu", "float32", 1), recipe["architecture"], recipe=recipe["recipe"], seed=recipe["seed"]
    )
    key = hashlib.sha256(dumps([recipe, dataset.fingerprint])).hexdigest()[:12]
    folder = RunFolder(models_home() / f"example-{recipe['dataset']}-{key}")
    if not (folder.has_result and folder.status().state == State.FINISHED):
        _discard_broken(folder)
        create_run(folder.path, job, None, dataset)
        steps = 0

        def emit(event: Event) -> None:
            nonlocal steps
            if isinstance(event, RunStarted):
                steps = event.steps
            if isinstance(event, StepMetrics):
                bench.tell("Training the example's model", event.step, steps)
            elif isinstance(event, Progress):
                bench.tell(event.what, event.done, event.total)

        if run(folder, control, emit, bench) is not State.FINISHED:
            raise StoppedError("The training of the example's model was stopped")
    bench = bench.with_model(folder.file(MODEL)).telling(None)
    selection = Selection.empty(dataset.train.labels.numpy(), dataset.classes).with_classes(
        resolve_classes([recipe["forget_class"]], dataset.classes)
    )
    return Example(bench, selection, recipe["method"], recipe["preset"], recipe["seed"])


def _discard_broken(folder: RunFolder) -> None:
    """Clear what an interrupted first start left; refuse while another one is at it."""
    if not folder.path.exists():
        return
    if folder.exists and folder.locked:
        raise InputError("The example's model is being trained by another process", "Wait a few seconds and try again")
    shutil.rmtree(folder.path, ignore_errors=True)


# -- references on disk: no data is opened for these ----------------------------------------------------------------


def recipe_of(job: Job) -> tuple[dict[str, Any], str]:
    """Return the recipe a retrained reference should use for a job's model, and where it comes from.

    Parameters on the card that this version does not know are left out.
    """
    original = original_of(job)[0] if job.model.path else None
    card = read_card(original) if original is not None and original.exists() else None
    recipe = (card or {}).get("recipe")
    if isinstance(recipe, Mapping) and recipe:
        names = {parameter.name for parameter in RETRAIN.parameters}
        return {name: value for name, value in recipe.items() if name in names}, "the original's model card"
    images = job.forget.total - job.forget.count
    return assumed_recipe(images), "the preset of this application: the original's own recipe is not known"


def reference_key(job: Job, seed: int) -> str:
    """Return the key of the retrained reference of a job: a hash of data and its preparation, forget set, network,
    recipe and seed. `job` is the reference's own, or an unlearning job whose result is compared with it.
    """  # noqa: D205
    model = job.model
    recipe = job.parameters if job.kind == "train" else _resolved(recipe_of(job)[0])
    parts = (
        job.data.fingerprint, numbers_of(model.preprocessing), job.forget.sha256, network_key(model),
        sorted(recipe.items()), seed,
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


def _resolved(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    return resolve(RETRAIN.parameters, recipe, owner="the recipe")


def reference_folder(job: Job, seed: int) -> RunFolder:
    """Return where the retrained reference of a job lies, or would."""
    return RunFolder(references_home() / reference_key(job, seed))


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
    known = [_cost(folder.card(), "seconds") for folder in trained_references(job).values()]
    taken = [seconds for seconds in known if seconds is not None]
    if taken:
        return sum(taken) / len(taken)
    path = original_of(job)[0]
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


def same_forget_set(one: Job, other: Job) -> bool:
    """Whether two jobs are about the same images of the same data."""
    return one.forget.sha256 == other.forget.sha256 and one.data.fingerprint == other.data.fingerprint


def _cost(card: dict[str, Any] | None, key: str) -> float | None:
    """Return what a card says a training took; None where it does not say, or says nothing that can be."""
    value = ((card or {}).get("cost") or {}).get(key)
    return float(value) if isinstance(value, (int, float)) and value > 0 else None
