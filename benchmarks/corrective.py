"""Wrong labels and poisoned images: how many are found, and what forgetting them gives back, by method.

    python -m benchmarks.corrective [--quick] [--json] [--found] [--images N] [--task noise|trigger]

Fashion-MNIST and a small CNN trained here. In the task "noise" 5 % of the labels are wrong, drawn evenly; in the task
"trigger" 1 % of the images carry a white square of 3 pixels in a corner and are labelled T-shirt. Forgotten are those
among the first 7 % of the candidates of `suspects` that are wrong ("confirmed": by whoever looks at them), all of these
7 % ("candidates"), and 25, 50 and 100 % of what was planted. Held against a network trained on the clean data;
retraining without what was found is one method among the others, for it keeps what was not found. Cells are kept under
bench-results/, so the benchmark resumes; --found takes only what is there. --images trains on so many images.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import finish, machine, quiet, report
from benchmarks.quality_cells import key_of

ROOT = Path(__file__).resolve().parents[1] / "bench-results" / "corrective"
NOISE, CANDIDATES = 0.05, 0.07  # of the images: with wrong labels; taken as candidates
POISONED, TARGET, SQUARE = 0.01, 0, (24, 27)  # of the images; T-shirt; rows and columns of the white square
SHARES = (0.25, 0.5, 1.0)
METHODS = {  # by task; what costs most comes last, so that an early end leaves a table that can be read
    "noise": ("finetune/correction", "finetune/default", "salun", "neggrad-plus", "ssd", "scrub", "retrain"),
    "trigger": ("finetune/default", "salun", "neggrad-plus", "ssd", "ssd/search", "scrub", "retrain"),
}  # fmt: skip
FULL = 60_000


@dataclass(frozen=True)
class Task:
    """A planted fault. planted: positions of the images that should not be as they are."""

    name: str
    images: int
    epochs: int

    @property
    def folder(self) -> Path:
        """Where its data, networks and cells lie."""
        return ROOT / f"{self.name}-{self.images}"


def tasks(images: int) -> list[Task]:
    """Return both tasks; epochs so that the network learns wrong labels by heart, which few epochs leave alone."""
    return [Task("noise", images, 20 if images >= FULL else 40), Task("trigger", images, 10)]


def plant(task: Task) -> np.ndarray:
    """Write the data of a task, as planted and clean, and return which images are planted, (m,) int64."""
    from core.data.sources import open_dataset

    folder = task.folder
    if not (folder / "planted.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        data = open_dataset("fashion-mnist")
        draw = np.random.default_rng(0)
        ids = draw.permutation(len(data.train))[: task.images]
        x, y = np.asarray(data.train.images)[ids], data.train.labels.numpy()[ids]
        test = {"x_test": np.asarray(data.test.images), "y_test": data.test.labels.numpy()}
        np.savez(folder / "clean.npz", x_train=x, y_train=y, **test)
        x, y = x.copy(), y.copy()
        if task.name == "noise":
            planted = np.sort(draw.permutation(len(y))[: round(NOISE * len(y))])
            y[planted] = (y[planted] + draw.integers(1, 10, len(planted))) % 10
        else:
            planted = np.sort(draw.permutation(np.flatnonzero(y != TARGET))[: round(POISONED * len(y))])
            x[planted, slice(*SQUARE), slice(*SQUARE)] = 255
            y[planted] = TARGET
        np.savez(folder / "data.npz", x_train=x, y_train=y, **test)
        np.save(folder / "planted.npy", planted)
    found: np.ndarray = np.load(folder / "planted.npy")
    return found


def trained(task: Task, data: str, tell: Any) -> Any:
    """Return a bench with the network trained on the planted data ("data") or the clean ones, and what it is tried on.

    data: "data" or "clean".
    """
    from core.engine.control import Control
    from core.runs.folder import RunFolder
    from core.session.bench import Bench
    from core.session.running import run
    from core.session.training import train

    planted, own = str(task.folder / "data.npz"), str(task.folder / f"{data}.npz")
    folder = RunFolder(task.folder / f"{data}-{task.epochs}")
    if not folder.has_result:
        tell(f"{task.name}: training on {Path(own).name}, {task.epochs} epochs")
        bench = Bench(None, Bench().with_data(own).dataset).on("cpu", threads=1)
        if folder.exists:
            run(folder, Control(), quiet, bench=bench, resume=True)
        else:
            train(folder.path, bench, "small-cnn", Control(), quiet, recipe={"epochs": task.epochs})
    return Bench().on("cpu", threads=1).open(folder.path, planted)


def lists(task: Task, planted: np.ndarray, bench: Any) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Return what is forgotten by name, and what the search for suspects came to."""
    from core.session.suspects import find_suspects

    drawn = np.random.default_rng(1).permutation(planted)
    shares = {f"{share:.0%} of it": np.sort(drawn[: round(share * len(drawn))]) for share in SHARES}
    figures: dict[str, float] = {}
    if task.name == "noise":
        first = round(CANDIDATES * task.images)
        for by in ("label", "loss"):
            found = find_suspects(bench, by)
            figures[f"found_by_{by}"] = float(np.isin(found.order[:first], planted).sum()) / len(planted)
            if by == "label":
                right = np.load(task.folder / "clean.npz")["y_train"]
                caught = np.intersect1d(found.order[:first], planted)
                figures["suggested_right"] = float((found.suggested[caught] == right[caught]).mean())
                figures["likely"] = found.likely
                figures["likely_wrong"] = float(np.isin(found.order[: found.likely], planted).mean())
                shares = {"confirmed": caught, "candidates": np.sort(found.order[:first]), **shares}
    else:
        found = find_suspects(bench, "trigger")
        figures["found_by_trigger"] = float(np.isin(found.order[: found.likely], planted).sum()) / len(planted)
        figures["strangers"] = found.likely - int(np.isin(found.order[: found.likely], planted).sum())
    return shares, figures


def cell(task: Task, bench: Any, name: str, forget: np.ndarray, method: str, only_found: bool, tell: Any) -> Any:
    """Run one method on one list, or find it again; returns its report, None where it is missing or failed."""
    from core.errors import AppError
    from core.runs.folder import RunFolder
    from core.selection import Selection
    from core.session.jobs import make_unlearn_job

    method, _, preset = method.partition("/")
    named = "-".join(filter(None, (name.split()[0].rstrip("%"), method, preset)))
    dataset = bench.dataset
    chosen = Selection.empty(dataset.train.labels.numpy(), dataset.classes).with_samples(forget)
    chosen = chosen.correcting(trigger=trigger() if task.name == "trigger" else None)
    job = make_unlearn_job(bench, chosen, method, preset=preset, checkpoint_seconds=60)
    folder = RunFolder(task.folder / "cells" / f"{named}-{key_of(job)}")
    report = folder.report() if folder.exists else None
    if report is not None or only_found:
        return report
    tell(f"{task.name}, {name}: {method} {preset}")
    try:
        finish(folder, job, chosen, bench)
    except AppError as error:
        tell(f"  failed: {error}")
        return None
    return folder.report()


def trigger() -> Any:
    """Return the planted trigger."""
    from core.suspicion import Trigger

    square = range(*SQUARE)
    pixels = tuple((row, column, 255) for row in square for column in square)
    return Trigger(target=TARGET, target_name="T-shirt", pixels=pixels)


def measured(task: Task, options: argparse.Namespace, tell: Any) -> dict[str, Any]:
    """Return the figures of a task: those of the search, of the networks, and of every cell."""
    planted = plant(task)
    bench, clean = trained(task, "data", tell), trained(task, "clean", tell)
    forgets, figures = lists(task, planted, bench)
    unseen = evaluation_of(bench)
    figures |= {"original": accuracy_on(bench, unseen), "clean": accuracy_on(clean, unseen)}
    cells: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in forgets}
    for method in METHODS[task.name]:
        for name, forget in forgets.items():
            made = cell(task, bench, name, forget, method, options.found, tell)
            if made is not None:
                cells[name][method] = row_of(made, figures)
    return {**figures, "cells": cells}


def evaluation_of(bench: Any) -> Any:
    """Return which test images numbers are taken on: (m,) int64."""
    import torch

    from core.data.splits import evaluation_half

    return torch.nonzero(evaluation_half(bench.dataset.test)).flatten()


def accuracy_on(bench: Any, ids: Any) -> float:
    """Return the accuracy of a bench's model on some test images, 0..1."""
    test = bench.outputs(bench.model).test
    return float((test.logits[ids].argmax(1) == test.labels[ids]).float().mean())


def row_of(made: dict[str, Any], figures: dict[str, float]) -> dict[str, Any]:
    """Return the figures of a cell; regained: of the accuracy between the original and the clean network."""
    model = made["models"]["unlearned"]
    accuracy = model["retain_test_accuracy"]
    row = {
        "accuracy": accuracy, "regained": (accuracy - figures["original"]) / (figures["clean"] - figures["original"]),
        "given": model["forget_accuracy"], "seconds": made["cost"]["seconds"], "verdict": made["verdict"]["code"],
    }  # fmt: skip
    if model.get("trigger"):
        row |= {"trigger": model["trigger"]["success"], "own_class": model["trigger"]["own_class"]}
        before = made["models"]["original"]["trigger"]
        row["before"] = {"trigger": before["success"], "own_class": before["own_class"]}
    return row


def table(task: Task, found: dict[str, Any]) -> list[list[str]]:
    """Lay out a task: a row a list and method."""
    noise = task.name == "noise"
    rows = [["forgotten", "method", "accuracy, %", *(["regained, %"] if noise else ["trigger, %", "own class, %"]),
             "given label, %", "verdict", "seconds"]]  # fmt: skip

    def percent(value: float) -> str:
        return f"{100 * value:.1f}"

    before = next((row["before"] for cells in found["cells"].values() for row in cells.values() if not noise), {})
    stamped = [percent(before[name]) for name in ("trigger", "own_class") if name in before] or ["", ""]
    rows.append(["", "original", percent(found["original"]), *(["0.0"] if noise else stamped), "", "", ""])
    rows.append(["", "clean data", percent(found["clean"]), *(["100.0"] if noise else ["", ""]), "", "", ""])
    for name, cells in found["cells"].items():
        for method, row in cells.items():
            own = [percent(row["regained"])] if noise else [percent(row["trigger"]), percent(row["own_class"])]
            verdict = row["verdict"].replace("_", " ")
            rows.append([name, method, percent(row["accuracy"]), *own, percent(row["given"]), verdict,
                         f"{row['seconds']:.0f}"])  # fmt: skip
    return rows


def main() -> None:
    """Print a table for each task."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="on 4,000 images; figures are rougher")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    parser.add_argument("--found", action="store_true", help="run no method; take the cells that are there")
    parser.add_argument("--images", type=int, default=FULL, metavar="N", help=f"training images (default: {FULL})")
    parser.add_argument("--task", choices=("noise", "trigger"), help="one task alone")
    options = parser.parse_args()
    os.environ["UNLEARN_STUDIO_HOME"] = str(ROOT / "home")
    found: dict[str, Any] = {}
    for task in tasks(4000 if options.quick else options.images):
        if options.task in (None, task.name):
            found[task.name] = of_task = measured(task, options, lambda text: print(text, file=sys.stderr, flush=True))
            if not options.json:
                said = ", ".join(f"{name} {value:.3f}" for name, value in of_task.items() if name != "cells")
                report(f"{task.name}, {task.images:,} images, {task.epochs} epochs: {said}", {}, table(task, of_task),
                       argparse.Namespace(json=False))  # fmt: skip
    if options.json:
        print(json.dumps({"machine": machine(), "figures": found}, indent=2))


if __name__ == "__main__":
    main()
