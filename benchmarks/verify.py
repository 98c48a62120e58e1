"""What the quick suite costs, and how its memory grows with the number of images.

    python -m benchmarks.verify [--quick] [--json]

Fashion-MNIST, small CNN, class "sandal" (with --quick the digits, class 3): the head-only edit held against three
retrained models. References and the original are those of benchmarks.quality, trained where they are missing; the run
is kept under bench-results/verify. Memory is measured in processes of their own. Whether verdicts are right is
benchmarks.calibration's.
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
from pathlib import Path
from typing import Any

from benchmarks.common import peak_of, report
from benchmarks.quality import SETTINGS, SINGLE
from benchmarks.quality_cells import ROOT as QUALITY

ROOT = QUALITY.parent / "verify"
SEEDS = (1, 2, 3)  # of the retrained models
SIZES = (10_000, 20_000, 40_000, 80_000)
QUICK_SIZES = (5_000, 10_000)


def main() -> None:
    options = _arguments()
    if options.prepare:
        _prepare(options.prepare, Path(options.home))
        return
    if options.home:
        print(json.dumps({"megabytes": _memory_in(Path(options.home)) / 2**20}))
        return
    dataset = SETTINGS[options.quick][0]
    os.environ["UNLEARN_STUDIO_HOME"] = str(QUALITY / "home")
    figures: dict[str, Any] = _cost(_run(options.quick))
    rows = [[f"quick suite, {figures['models']} models", "seconds"]]
    rows.append(["all of it", f"{figures['quick_suite_seconds']:.1f}"])
    rows.append(["processor time", f"{figures['quick_suite_cpu_seconds']:.1f}"])
    rows.append(["of it passing images", f"{figures['pass_seconds']:.1f}"])
    sizes = QUICK_SIZES if options.quick else SIZES
    figures["memory"] = {str(size): _memory_at(size) for size in sizes}
    for size, memory in figures["memory"].items():
        rows.append([f"memory at {int(size):,} images", f"{memory['megabytes']:.0f} MB"])
    first, last = (figures["memory"][str(size)]["megabytes"] for size in (sizes[0], sizes[-1]))
    figures["bytes_per_image"] = round((last - first) * 2**20 / (sizes[-1] - sizes[0]))
    rows.append(["memory per further image", f"{figures['bytes_per_image']} bytes"])
    report(f"Verification on {dataset}: cost of the quick suite, memory", figures, rows, options)


def _arguments() -> Any:
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter, for a look; figures are rougher")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    parser.add_argument("--prepare", type=int, help=argparse.SUPPRESS)  # a run on so many images, into --home
    parser.add_argument("--home", help=argparse.SUPPRESS)  # alone: check that run and tell the memory it took
    return parser.parse_args()


def _run(quick: bool) -> Any:
    """Make the run that is checked and its references, or find them; returns its folder."""
    from core.engine.control import Control
    from core.runs.folder import RunFolder
    from core.selection import Selection, resolve_classes
    from core.session.bench import Bench
    from core.session.checking import train_reference
    from core.session.jobs import create_run, make_unlearn_job
    from core.session.running import run
    from core.session.training import train

    def tell(event: Any) -> None:
        return None

    name, recipe = SETTINGS[quick]
    forgotten = ["3"] if quick else list(SINGLE[0].classes)
    original = RunFolder(QUALITY / name / "original")
    bench = Bench().on("cpu", threads=1).with_data(name)
    if not original.has_result:
        train(original.path, bench, "small-cnn", Control(), tell, recipe=recipe)
    bench = bench.with_model(original.path)
    dataset = bench.dataset
    chosen = Selection.empty(dataset.train.labels.numpy(), dataset.classes)
    chosen = chosen.with_classes(resolve_classes(forgotten, dataset.classes))
    folder = RunFolder(ROOT / name / "head-only-edit")
    if not folder.exists:
        create_run(folder.path, make_unlearn_job(bench, chosen, "head-only"), chosen, dataset)
    run(folder, Control(), tell, bench=bench, resume=True)
    for seed in SEEDS:
        train_reference(folder, bench, seed, Control(), tell)
    return folder


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
            check(copy, Control(), tell, seeds=SEEDS)
            seconds, worked = time.perf_counter() - began, time.process_time() - worked
        finally:
            os.environ["UNLEARN_STUDIO_HOME"] = home
    return {
        "quick_suite_seconds": round(seconds, 1),
        "quick_suite_cpu_seconds": round(worked, 1),  # what it would take on a machine with nothing else to do
        "pass_seconds": round(sum(last - first for first, last in passing.values()), 1),
        "models": 2 + len(SEEDS),
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
