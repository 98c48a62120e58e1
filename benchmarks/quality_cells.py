"""Cells of the quality benchmark: one method with one preset and seed on one forget set, run once and found again.

A cell is a run folder under bench-results/quality/, named by what determines it: the job and the source of its method.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1] / "bench-results" / "quality"
REFERENCE_SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class ForgetSet:
    """What is forgotten: whole classes by name, or a random share of the training images."""

    name: str
    classes: tuple[str, ...] = ()
    share: float = 0.0

    @property
    def mode(self) -> str:
        """What kind of forget set it is: "class" or "sample"."""
        return "class" if self.classes else "sample"


@dataclass(frozen=True)
class Cell:
    """One run. `preset` "": the one that suits the forget set."""

    tier: str
    method: str
    preset: str
    forget: ForgetSet
    seed: int

    @property
    def title(self) -> str:
        """Method and, where it is not the default one, preset."""
        return f"{self.method}/{self.preset}" if self.preset else self.method


@dataclass(frozen=True)
class Made:
    """A cell with the content of its report."""

    cell: Cell
    report: dict[str, Any]


def make(
    cells: list[Cell], dataset_name: str, recipe: dict[str, Any], tell: Callable[[str], None], *, only_found: bool
) -> list[Made]:
    """Run what is missing, or with `only_found` leave it out, and return the cells with their reports."""
    from core.engine.control import Control
    from core.errors import AppError
    from core.runs.folder import RunFolder
    from core.session.bench import Bench
    from core.session.checking import check
    from core.session.jobs import create_run, make_unlearn_job
    from core.session.running import run
    from core.session.training import train

    base = ROOT / dataset_name
    original = RunFolder(base / "original")
    dataset = Bench().with_data(dataset_name).dataset
    if not original.has_result:
        train(original.path, Bench(None, dataset).on("cpu", threads=1), "small-cnn", Control(), _quiet, recipe=recipe)
    bench = Bench().open(original.path, dataset_name)
    made: list[Made] = []
    for number, cell in enumerate(cells, 1):
        chosen = _selection(cell.forget, dataset)
        job = make_unlearn_job(
            bench.on("cpu", threads=1),
            chosen,
            cell.method,
            preset=cell.preset,
            seed=cell.seed,
            checkpoint_seconds=60,
        )
        name = f"{cell.method}-{cell.preset or 'preset'}-{cell.forget.name}-{cell.seed}-{_key(job)}"
        folder = RunFolder(base / "cells" / name)
        report = folder.report() if folder.exists else None
        complete = report is not None and len(report["retrained"]) >= len(REFERENCE_SEEDS)
        if not complete:
            if only_found:
                continue
            tell(f"{number} of {len(cells)}: {cell.title}, {cell.forget.name}, seed {cell.seed}")
            try:
                if not folder.exists:
                    create_run(folder.path, job, chosen, dataset)
                run(folder, Control(), _quiet, bench=bench, resume=True)
                report = check(folder, Control(), _quiet, bench=bench, seeds=REFERENCE_SEEDS)
            except AppError as error:
                tell(f"  failed: {error}")  # a method that breaks down here is missing from the table, and said so
                continue
        assert report is not None
        made.append(Made(cell, report))
    return made


def _selection(forget: ForgetSet, dataset: Any) -> Any:
    from core.session.forget_sets import named_selection, random_selection

    return named_selection(dataset, forget.classes) if forget.classes else random_selection(dataset, forget.share, 0)


def _key(job: Any) -> str:
    """What determines a cell: the job without what the machine adds, and the source of the method."""
    from dataclasses import asdict

    from core.methods import get_method

    kept = {name: value for name, value in asdict(job).items() if name not in ("libraries", "app_version")}
    source = inspect.getsource(sys.modules[get_method(job.method).plan.__module__])
    text = json.dumps(kept, sort_keys=True, default=str)  # a file's metadata come in another order every time
    return hashlib.sha256((text + source).encode()).hexdigest()[:10]


def _quiet(_event: Any) -> None:
    """Nothing is told of single events."""
