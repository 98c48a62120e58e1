"""The example: a sample of Fashion-MNIST, a network trained on it, and three that never saw the class it forgets.

All of it ships with the program (resources/example, made by scripts/example.py), with what was measured of these
networks, so that nothing has to be trained before the first run, and the run can be held against retraining at once.
"""

from __future__ import annotations

import contextlib
import gzip
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.engine.control import Control
from core.errors import StoppedError
from core.events import Tell
from core.files import RESOURCES, cache_home, dumps, file_sha256, json_lines, models_home, read_json
from core.job import Job
from core.leftovers import building
from core.runs.folder import FORGET, MODEL, RunFolder
from core.selection import Selection, resolve_classes
from core.session.bench import Bench
from core.session.forget_lists import write_forget_list
from core.session.jobs import make_unlearn_job
from core.session.references import reference_folder
from core.verify.measure_log import sealed

SHIPPED = RESOURCES / "example"
RECIPE = SHIPPED / "recipe.json"
MEASURES = SHIPPED / "measures.jsonl.gz"
SUMS = SHIPPED / "SHA256SUMS"
PRECISION = "float32"  # on every machine: its verdict is to be the same everywhere
ORIGINAL, RETRAINED = "original", "retrained-{seed}"  # folders of the networks


@dataclass(frozen=True)
class Example:
    """The example, opened: a model that fits its data, what to forget, how, and what the result is held against."""

    bench: Bench
    selection: Selection
    method: str
    preset: str
    seed: int
    retrained: tuple[int, ...] = ()  # seeds of the retrained models that ship with it

    def job(self, bench: Bench | None = None, **options: Any) -> Job:
        """Describe the example's run, on another bench where one is given; `options` as `make_unlearn_job` has."""
        return make_unlearn_job(
            bench or self.bench, self.selection, self.method, preset=self.preset, seed=self.seed, **options
        )


def open_example(control: Control | None = None, tell: Tell | None = None) -> Example:
    """Open the example; its networks, and what is known of them, are put where those of other runs lie.

    Raises StoppedError where `control` was told to end.
    """
    recipe = read_json(RECIPE)
    bench = Bench().telling(tell).with_data(recipe["dataset"])
    original = RunFolder(models_home() / f"example-{file_sha256(SUMS)[:12]}")
    _put(SHIPPED / ORIGINAL, original)
    bench = bench.with_model(original.file(MODEL)).telling(None).on(precision=PRECISION)
    if control is not None and control.ending:
        raise StoppedError("The example was not opened")
    example = example_of(bench, recipe)
    job = example.job()
    for seed in example.retrained:
        _put(SHIPPED / RETRAINED.format(seed=seed), reference_folder(job, seed), example.selection)
    _put_measures(cache_home() / "measures")
    return example


def example_of(bench: Bench, recipe: Mapping[str, Any]) -> Example:
    """Return the example that a recipe describes, on a bench that holds its model and data."""
    dataset = bench.dataset
    selection = Selection.empty(dataset.train.labels.numpy(), dataset.classes).with_classes(
        resolve_classes([recipe["forget_class"]], dataset.classes)
    )
    return Example(bench, selection, recipe["method"], recipe["preset"], recipe["seed"], tuple(recipe["retrained"]))


def _put(shipped: Path, folder: RunFolder, selection: Selection | None = None) -> None:
    """Put a network that ships with the program where a training would have left it; whole or not at all."""
    if folder.has_result:
        return
    with building(folder.path) as aside:
        place = RunFolder(aside / folder.id)
        place.path.mkdir()
        for file in shipped.iterdir():  # what one of them fails with is told as it is
            shutil.copyfile(file, place.file(file.name))
        if selection is not None:
            write_forget_list(place.file(FORGET), selection)
        with contextlib.suppress(OSError):  # another process has put it there meanwhile
            shutil.rmtree(folder.path, ignore_errors=True)
            place.path.replace(folder.path)


def _put_measures(home: Path) -> None:
    """Add what was measured of the example's networks to the measures that all runs share."""
    home.mkdir(parents=True, exist_ok=True)
    for record in json_lines(gzip.decompress(MEASURES.read_bytes())):
        file = home / f"{record['key']}.json"
        if not file.exists():
            file.write_bytes(dumps(sealed(record)))  # one that is cut off is measured anew
