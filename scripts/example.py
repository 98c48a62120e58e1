"""Makes the bundled example anew: its images, its networks, and what is measured of them.

    python -m scripts.example [--out resources/example] [--data-root DIR] [--measure]

From the files of Fashion-MNIST (Debian's package dataset-fashion-mnist, or as core finds and downloads them) the first
images of each class are taken, as many as resources/example/recipe.json says. The original is trained on them, and
retrained models without the class that the example forgets. Then the example's run is made and checked, in a home of
its own, and what was measured of original, head-only edit and retrained models is kept beside the networks. With
--measure the images and networks that ship stay as they are, and are measured anew.

Images come out the same on every machine; weights differ in their last digits where torch or the processor is another
one, so that SHA256SUMS holds what was made last, and a test holds the files to it.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.engine.control import Control
from core.files import cache_home, dumps, file_sha256, read_json, write_json
from core.runs.folder import CARD, EVENTS, JOB, MODEL, STATUS, RunFolder
from core.session.bench import Bench, DataOptions
from core.session.checking import check
from core.session.example import (
    MEASURES,
    ORIGINAL,
    RECIPE,
    RETRAINED,
    SHIPPED,
    SUMS,
    Example,
    example_of,
    open_example,
)
from core.session.jobs import create_run
from core.session.measuring import FULL
from core.session.references import reference_folder
from core.session.running import run
from core.session.training import train
from core.verify.numbers import number
from core.verify.table import COLUMNS, MODELS, verdict_rows

IMAGES = "images"
PARTS = {"train": "train", "t10k": "test"}  # name in the files: part in the recipe
KEPT = (JOB, MODEL, CARD)  # of a training's folder, with its status and the last measurements among its events


def main() -> None:
    """Make everything into --out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--data-root", help="where Fashion-MNIST's files are, if not in a usual place")
    parser.add_argument("--measure", action="store_true", help="keep images and networks; measure them anew")
    given = parser.parse_args()
    recipe = read_json(RECIPE)
    if not given.measure:
        write_images(given.out / IMAGES, recipe, given.data_root)
    with tempfile.TemporaryDirectory(prefix="unlearn-studio-") as home:
        os.environ["UNLEARN_STUDIO_HOME"] = home
        example = open_example() if given.measure else make(Path(home) / ORIGINAL, recipe)
        report = measure(example, Path(home) / "run", given.out)
        if not given.measure:
            keep_networks(example, RunFolder(Path(home) / ORIGINAL), given.out)
    sums = [f"{file_sha256(path)}  {path.relative_to(given.out).as_posix()}" for path in shipped_files(given.out)]
    (given.out / SUMS.name).write_text("\n".join(sums) + "\n")
    print(f"{sum(path.stat().st_size for path in given.out.rglob('*') if path.is_file()):,} bytes in {given.out}\n")
    print(case(report))


def shipped_files(folder: Path) -> list[Path]:
    """Return the files that SHA256SUMS names, in its order."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in (SUMS.name, RECIPE.name))


def write_images(folder: Path, recipe: dict[str, Any], data_root: str | None = None) -> None:
    """Write the first images of each class of Fashion-MNIST as the recipe says, in the files of MNIST."""
    dataset = Bench().with_data("fashion-mnist", DataOptions(data_root=data_root or "")).dataset
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in PARTS.items():
        whole = dataset.train if part == "train" else dataset.test
        images, labels = whole.images.numpy()[..., 0], whole.labels.numpy()
        chosen = first_of_each(labels, recipe["images"][part])
        for what, array in (("images-idx3", images[chosen]), ("labels-idx1", labels[chosen])):
            head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            data = gzip.compress(head + array.astype(np.uint8).tobytes(), 9, mtime=0)
            (folder / f"{name}-{what}-ubyte.gz").write_bytes(data)


def first_of_each(labels: np.ndarray, number: int) -> np.ndarray:
    """Return the positions of the first `number` images of each class, in the order of the files."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:number] for label in np.unique(labels)]))


def make(folder: Path, recipe: dict[str, Any]) -> Example:
    """Train the original into `folder`, and return the example of it."""
    bench = Bench().with_data(recipe["dataset"]).on("cpu", "float32", 1)
    original, _ = train(
        folder, bench, recipe["architecture"], Control(), _ignore, recipe=recipe["recipe"], seed=recipe["seed"]
    )
    return example_of(bench.with_model(original.file(MODEL)), recipe)


def measure(example: Example, folder: Path, out: Path) -> dict[str, Any]:
    """Make the example's run and check it, and write what was measured; return its report.

    Retrained models that are not there yet are trained.
    """
    measured = cache_home() / "measures"
    shutil.rmtree(measured, ignore_errors=True)  # what shipped
    place = create_run(folder, example.job(), example.selection, example.bench.dataset)
    run(place, Control(), _ignore, example.bench)
    report = check(place, Control(), _ignore, example.bench, seeds=example.retrained, which=FULL)
    lines = b"".join(
        dumps({**read_json(file), "seconds": None, "time": None}) + b"\n" for file in sorted(measured.glob("*.json"))
    )
    (out / MEASURES.name).write_bytes(gzip.compress(lines, 9, mtime=0))
    return report


def keep_networks(example: Example, original: RunFolder, out: Path) -> None:
    """Copy what ships of the original and of the retrained models."""
    _keep(original, out / ORIGINAL)
    for seed in example.retrained:
        _keep(reference_folder(example.job(), seed), out / RETRAINED.format(seed=seed))


def _keep(folder: RunFolder, target: Path) -> None:
    """Copy what ships of a training: not how long it took, which is of another machine."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in KEPT:
        shutil.copyfile(folder.file(name), target / name)
    kinds = ("evaluation", "alignment")
    measured = [event for event in folder.events() if event.get("type") in kinds and event["scope"] == "full"]
    (target / EVENTS).write_bytes(b"".join(dumps(event) + b"\n" for event in measured))
    card = read_json(target / CARD)
    write_json(target / STATUS, replace(folder.status(), pid=0, checkpoint=None))
    write_json(target / CARD, {**card, "cost": {**card["cost"], "seconds": None}})


def case(report: dict[str, Any]) -> str:
    """Say what the example shows: the measures of a verdict, model by model, and the verdict."""
    lines = ["measure".ljust(28) + "".join(MODELS[name].rjust(16) for name in COLUMNS)]
    for row in verdict_rows(report):
        decides = " decides" if row.verdict and row.verdict["decides"] else ""
        values = "".join(number(row.values[name], row.unit).rjust(16) for name in COLUMNS)
        lines.append(row.title.ljust(28) + values + decides)
    return "\n".join([*lines, report["verdict"]["sentence"]])


def _ignore(event: object) -> None:
    """Nobody looks on."""


if __name__ == "__main__":
    main()
