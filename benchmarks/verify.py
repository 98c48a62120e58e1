"""Whether verdicts are right, what the quick suite costs, and how its memory grows with the number of images.

    python -m benchmarks.verify [--quick] [--json]

Fashion-MNIST, small CNN, class "sandal" (with --quick the digits, class 3): a further retrained model, the head-only
edit and the original, each held against three retrained models. References and the original are those of
benchmarks.quality, trained where they are missing; results are kept under bench-results/verify. Memory is measured in
processes of their own.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import peak_of, report
from benchmarks.quality_cells import REFERENCE_SEEDS
from benchmarks.quality_cells import ROOT as QUALITY

ROOT = QUALITY.parent / "verify"


@dataclass(frozen=True)
class Plan:
    """What verdicts are given on: a data set, how its original is trained, and the class that is forgotten."""

    dataset: str
    recipe: dict[str, Any]
    forget: str


FULL, QUICK = Plan("fashion-mnist", {"epochs": 10}, "sandal"), Plan("digits", {"epochs": 12}, "3")
SIZES = (10_000, 20_000, 40_000, 80_000)
QUICK_SIZES = (5_000, 10_000)
EXPECTED = {"further retrained": "close", "head-only edit": "hidden", "original": "not"}


def main() -> None:
    options = _arguments()
    if options.prepare:
        _prepare(options.prepare, Path(options.home))
        return
    if options.home:
        print(json.dumps({"megabytes": _memory_in(Path(options.home)) / 2**20}))
        return
    plan = QUICK if options.quick else FULL
    os.environ["UNLEARN_STUDIO_HOME"] = str(QUALITY / "home")
    rows = [["", "verdict", "expected", "seconds"]]
    figures: dict[str, Any] = {"verdicts": {}}
    runs = _runs(plan)
    for name, folder in runs.items():
        made, seconds = _checked(folder)
        code = made["verdict"]["code"]
        figures["verdicts"][name] = {"code": code, "sentence": made["verdict"]["sentence"]}
        rows.append([name, code, EXPECTED[name], f"{seconds:.1f}"])
    figures |= _cost(runs["head-only edit"])
    rows.append([f"quick suite, {figures['models']} models", "", "", f"{figures['quick_suite_seconds']:.1f}"])
    rows.append(["– processor time", "", "", f"{figures['quick_suite_cpu_seconds']:.1f}"])
    rows.append(["– of it passing images", "", "", f"{figures['pass_seconds']:.1f}"])
    sizes = QUICK_SIZES if options.quick else SIZES
    figures["memory"] = {str(size): _memory_at(size) for size in sizes}
    for size, found in figures["memory"].items():
        rows.append([f"memory at {int(size):,} images", f"{found['megabytes']:.0f} MB", "", ""])
    first, last = (figures["memory"][str(size)]["megabytes"] for size in (sizes[0], sizes[-1]))
    figures["bytes_per_image"] = round((last - first) * 2**20 / (sizes[-1] - sizes[0]))
    rows.append(["memory per further image", f"{figures['bytes_per_image']} bytes", "", ""])
    report(f"Verification on {plan.dataset}: verdicts, cost of the quick suite, memory", figures, rows, options)


def _arguments() -> Any:
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter, for a look; figures are rougher")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    parser.add_argument("--prepare", type=int, help=argparse.SUPPRESS)  # a run on so many images, into --home
    parser.add_argument("--home", help=argparse.SUPPRESS)  # alone: check that run and tell the memory it took
    return parser.parse_args()


def _runs(plan: Plan) -> dict[str, Any]:
    """Make the three runs whose verdict is known, or find them."""
    from core.engine.control import Control
    from core.runs.folder import RunFolder
    from core.selection import Selection, resolve_classes
    from core.session.bench import Bench
    from core.session.jobs import create_run, make_unlearn_job
    from core.session.running import run
    from core.session.training import train

    def tell(event: Any) -> None:
        return None

    original = RunFolder(QUALITY / plan.dataset / "original")
    dataset = Bench().with_data(plan.dataset).dataset
    if not original.has_result:
        train(
            original.path, Bench(None, dataset).on("cpu", threads=1), "small-cnn", Control(), tell, recipe=plan.recipe
        )
    bench = Bench().open(original.path, plan.dataset)
    chosen = Selection.empty(dataset.train.labels.numpy(), dataset.classes)
    chosen = chosen.with_classes(resolve_classes([plan.forget], dataset.classes))
    wanted: dict[str, tuple[str, dict[str, Any]]] = {
        "further retrained": ("retrain", {"seed": max(REFERENCE_SEEDS) + 1}),
        "head-only edit": ("head-only", {}),
        "original": ("finetune", {"settings": {"lr": 1e-7, "epochs": 0.01, "min_steps": 0}}),
    }
    found = {}
    for name, (method, settings) in wanted.items():
        folder = RunFolder(ROOT / plan.dataset / name.replace(" ", "-"))
        if not folder.exists:
            job = make_unlearn_job(bench.on("cpu", threads=1), chosen, method, **settings)
            create_run(folder.path, job, chosen, dataset)
        run(folder, Control(), tell, bench=bench, resume=True)
        found[name] = folder
    return found


def _checked(folder: Any) -> tuple[dict[str, Any], float]:
    from core.engine.control import Control
    from core.session.checking import check

    began = time.perf_counter()
    return check(folder, Control(), lambda event: None, seeds=REFERENCE_SEEDS), time.perf_counter() - began


def _cost(folder: Any) -> dict[str, Any]:
    """Time the quick suite with references there and nothing else: no outputs and no measures are kept."""
    from core.engine.control import Control
    from core.events import Progress
    from core.runs.folder import RunFolder
    from core.session.checking import check

    passing: dict[str, tuple[float, float]] = {}

    def tell(event: Any) -> None:
        if isinstance(event, Progress) and event.what.startswith(("Measuring the", "Measuring retrained")):
            first, _ = passing.get(event.what, (time.perf_counter(), 0.0))
            passing[event.what] = (first, time.perf_counter())

    home = os.environ["UNLEARN_STUDIO_HOME"]
    with tempfile.TemporaryDirectory() as temporary:
        fresh = Path(temporary)
        (fresh / "data").mkdir()
        (fresh / "data" / "references").symlink_to(Path(home) / "data" / "references")
        copy = RunFolder(fresh / "run")
        shutil.copytree(folder.path, copy.path, ignore=shutil.ignore_patterns("verify.jsonl", ".lock"))
        os.environ["UNLEARN_STUDIO_HOME"] = str(fresh)
        try:
            began, worked = time.perf_counter(), time.process_time()
            check(copy, Control(), tell, seeds=REFERENCE_SEEDS)
            seconds, worked = time.perf_counter() - began, time.process_time() - worked
        finally:
            os.environ["UNLEARN_STUDIO_HOME"] = home
    return {
        "quick_suite_seconds": round(seconds, 1),
        "quick_suite_cpu_seconds": round(worked, 1),  # what it would take on a machine with nothing else to do
        "pass_seconds": round(sum(last - first for first, last in passing.values()), 1),
        "models": 2 + len(REFERENCE_SEEDS),
    }


def _memory_at(size: int) -> dict[str, float]:
    """Return the memory of a check on `size` training images, measured in a process that has done nothing else."""
    with tempfile.TemporaryDirectory() as home:
        for arguments in (["--prepare", str(size), "--home", home], ["--home", home]):
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.verify", *arguments],
                capture_output=True, text=True, check=True, cwd=QUALITY.parents[1],
            )  # fmt: skip
        return json.loads(done.stdout.splitlines()[-1])


def _prepare(size: int, home: Path) -> None:
    """Make a run and a retrained reference on `size` made-up training images."""
    os.environ["UNLEARN_STUDIO_HOME"] = str(home)
    import numpy as np

    from core.engine.control import Control
    from core.selection import Selection
    from core.session.bench import Bench
    from core.session.checking import train_reference
    from core.session.jobs import create_run, make_unlearn_job
    from core.session.running import run
    from core.session.training import train

    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for part, count in (("train", size), ("test", 2000)):
        y = np.arange(count) % 10
        images = generator.integers(0, 60, (count, 12, 12), dtype=np.uint8)
        arrays[f"x_{part}"], arrays[f"y_{part}"] = images + (y * 19).astype(np.uint8)[:, None, None], y
    np.savez(home / "images.npz", **arrays)
    bench = Bench().on("cpu", threads=1).with_data(str(home / "images.npz"))
    dataset, recipe = bench.dataset, {"epochs": 0}  # how good the networks are makes no difference to memory
    train(home / "original", bench, "small-cnn", Control(), lambda event: None, recipe=recipe)
    bench = bench.with_model(home / "original")
    chosen = Selection.empty(dataset.train.labels.numpy(), dataset.classes).with_classes([3])
    folder = create_run(home / "run", make_unlearn_job(bench, chosen, "head-only"), chosen, dataset)
    run(folder, Control(), lambda event: None, bench=bench)
    train_reference(folder, bench, 1, Control(), lambda event: None)
    shutil.rmtree(home / "cache")


def _memory_in(home: Path) -> float:
    """Check the run in `home`; return the bytes it took above what model, data and libraries take."""
    os.environ["UNLEARN_STUDIO_HOME"] = str(home)
    import sklearn.cluster
    import sklearn.linear_model
    import sklearn.svm  # noqa: F401  (so that what they take is there before)

    from core.engine.control import Control
    from core.runs.folder import RunFolder
    from core.session.bench import Bench
    from core.session.checking import check

    bench = Bench().open(home / "original", str(home / "images.npz"))
    gc.collect()
    return peak_of(lambda: check(RunFolder(home / "run"), Control(), lambda event: None, bench=bench, seeds=(1,)))


if __name__ == "__main__":
    main()
