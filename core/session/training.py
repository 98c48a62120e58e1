"""Training a model on the bench's data, and the example, whose model is trained at its first start."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.engine.control import Control
from core.errors import InputError, StoppedError
from core.events import Emit, Event, Progress, RunStarted, State, StepMetrics, Tell
from core.files import dumps, models_home, read_json
from core.runs.folder import MODEL, RunFolder
from core.selection import Selection, resolve_classes
from core.session.bench import Bench
from core.session.jobs import create_run, make_train_job
from core.session.running import run

EXAMPLE = Path(__file__).resolve().parents[2] / "resources" / "example" / "recipe.json"


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


@dataclass(frozen=True)
class Example:
    """The example, opened: a model that fits its data, what to forget, and how."""

    bench: Bench
    selection: Selection
    method: str
    preset: str
    seed: int


def open_example(control: Control | None = None, tell: Tell | None = None) -> Example:
    """Open the example; trains its model first where that was not done before.

    Raises StoppedError where `control` ended the training.
    """
    recipe = read_json(EXAMPLE)
    control = control or Control()
    bench = Bench().telling(tell).with_data(recipe["dataset"])
    dataset = bench.dataset
    key = hashlib.sha256(dumps([recipe, dataset.fingerprint])).hexdigest()[:12]
    folder = RunFolder(models_home() / f"example-{recipe['dataset']}-{key}")
    if not (folder.has_result and folder.status().state == State.FINISHED):
        _discard_broken(folder)
        steps = 0

        def emit(event: Event) -> None:
            nonlocal steps
            if isinstance(event, RunStarted):
                steps = event.steps
            if isinstance(event, StepMetrics):
                bench.tell("Training the example's model", event.step, steps)
            elif isinstance(event, Progress):
                bench.tell(event.what, event.done, event.total)

        _, state = train(
            folder.path, bench.on("cpu", "float32", 1), recipe["architecture"], control, emit,
            recipe=recipe["recipe"], seed=recipe["seed"],
        )  # fmt: skip
        if state is not State.FINISHED:
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
