"""How well methods unlearn: every result against retrained models and the head-only control.

    python -m benchmarks.quality [--quick] [--json]

Fashion-MNIST (or with --quick the digits), a small CNN trained here, one class forgotten at a time. Every cell is a
run of its own under bench-results/, made once and found again by what determines it, so the benchmark resumes.
"""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import arguments, report

ROOT = Path(__file__).resolve().parents[1] / "bench-results" / "quality"


@dataclass(frozen=True)
class Plan:
    """What is compared: data, classes to forget, methods with presets and seeds, and the recipe of the original."""

    dataset: str
    recipe: dict[str, Any]
    classes: tuple[str, ...]
    methods: tuple[tuple[str, str], ...]
    seeds: tuple[int, ...]
    references: tuple[int, ...]


METHODS = (("muda", "default"), ("muda", "thorough"), ("finetune", "default"), ("head-only", "distil"))
FULL = Plan("fashion-mnist", {"epochs": 10}, ("sandal", "pullover", "trouser"), METHODS, (0,), (1, 2, 3))
QUICK = Plan("digits", {"epochs": 12}, ("3", "8"), METHODS, (0,), (1, 2, 3))


def main() -> None:
    options = arguments(__doc__ or "")
    plan = QUICK if options.quick else FULL
    os.environ["UNLEARN_STUDIO_HOME"] = str(ROOT / "home")
    reports = collect(plan, quiet=options.json)
    rows, figures = tabulate(reports)
    report(f"Unlearning one class of {plan.dataset}: means over {', '.join(plan.classes)}", figures, rows, options)


def collect(plan: Plan, quiet: bool) -> dict[str, list[dict[str, Any]]]:
    """Run what is missing and return the reports by method and preset."""
    from core.engine.control import Control
    from core.runs.folder import RunFolder
    from core.selection import Selection, resolve_classes
    from core.session.checking import check
    from core.session.jobs import create_run, make_unlearn_job
    from core.session.opening import DataOptions, open_data, open_pair
    from core.session.running import run
    from core.session.training import train

    def tell(event: Any) -> None:
        if not quiet and event.type in ("run_started", "run_failed"):
            print(f"  {event.run}: {event.type}", flush=True)

    base = ROOT / plan.dataset
    original = RunFolder(base / "original")
    dataset = open_data(plan.dataset)
    if not original.has_result:
        options: dict[str, Any] = {"recipe": plan.recipe, "seed": 0, "device": "cpu", "threads": 1}
        train(original.path, dataset, DataOptions(), "small-cnn", Control(), tell, **options)
    pair = open_pair(original.path, plan.dataset)
    found: dict[str, list[dict[str, Any]]] = {}
    for forgotten in plan.classes:
        chosen = Selection.empty(dataset.train.labels.numpy(), dataset.classes)
        chosen = chosen.with_classes(resolve_classes([forgotten], dataset.classes))
        for method, preset in plan.methods:
            for seed in plan.seeds:
                job = make_unlearn_job(
                    pair, chosen, method, preset=preset, seed=seed, device="cpu", threads=1, checkpoint_seconds=60
                )
                folder = RunFolder(base / f"{method}-{preset}-{forgotten}-{seed}-{_key(job)}")
                if not folder.exists:
                    create_run(folder.path, job, chosen, dataset)
                run(folder, Control(), tell, pair=pair, resume=True)
                made = folder.report()
                if made is None or len(made["retrained"]) < len(plan.references):
                    made = check(folder, Control(), tell, pair=pair, seeds=plan.references)
                name = method if preset == "default" else f"{method}/{preset}"
                found.setdefault(name, []).append(made)
    return found


def tabulate(reports: dict[str, list[dict[str, Any]]]) -> tuple[list[list[str]], dict[str, Any]]:
    """Return the table and the figures: one row a method, and original, retrained and head-only beside them."""
    rows = [["", "retain", "forget", "probe", "F1", "NMI", "DA", "JS to retrained", "closure JS/probe/NMI/DA", "time"]]
    every = [made for group in reports.values() for made in group]
    for title, pick in (
        ("Original", lambda made: [made["models"]["original"]]),
        ("Retrained", lambda made: list(made["retrained"].values())),
        ("Head-only edit (control)", lambda made: [made["models"]["head_only"]]),
    ):
        rows.append(_row(title, [measures for made in every for measures in pick(made)]))
    figures: dict[str, Any] = {}
    for name, group in reports.items():
        measured = [made["models"]["unlearned"] for made in group]
        closure = {key: _mean([made["closure"].get(key) for made in group]) for key in _closure_keys(group)}
        share = _mean([made["cost"]["share_of_retraining"] for made in group])
        drop = _mean(
            [
                made["models"]["original"]["retain_test_accuracy"] - made["models"]["unlearned"]["retain_test_accuracy"]
                for made in group
            ]
        )
        figures[name] = {
            "retain_drop": drop,
            "forget_test_accuracy": _mean([m["forget_test_accuracy"] for m in measured]),
            "closure": closure,
            "time_share": share,
            "verdicts": [made["verdict"]["code"] for made in group],
        }
        rows.append(_row(name, measured, closure, share))
    return rows, figures


def _row(
    title: str, measured: list[dict[str, Any]], closure: dict[str, Any] | None = None, share: Any = None
) -> list[str]:
    distance = [(m.get("distances") or {}).get("forget_test", {}).get("js_to_retrained") for m in measured]
    cells = [
        title,
        _text([m["retain_test_accuracy"] for m in measured], "{:.1%}"),
        _text([m["forget_test_accuracy"] for m in measured], "{:.1%}"),
        _text([(m["probe"] or {}).get("forget") for m in measured], "{:.1%}"),
        _text([(m["probe"] or {}).get("f1") for m in measured], "{:.3f}"),
        _text([m["nmi"] for m in measured], "{:.3f}"),
        _text([(m["dimensional_alignment"] or {}).get("value") for m in measured], "{:.3f}"),
        _text(distance, "{:.3f}"),
    ]
    shown = [closure.get(key) for key in _SHOWN] if closure else []
    cells.append(" / ".join("–" if value is None else f"{value:.2f}" for value in shown))
    cells.append("" if share is None else f"{share:.1%}")
    return cells


_SHOWN = ("output_distance", "probe", "nmi", "dimensional_alignment")


def _closure_keys(group: list[dict[str, Any]]) -> list[str]:
    return sorted({key for made in group for key in made["closure"]})


def _mean(values: list[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return round(statistics.mean(present), 4) if present else None


def _text(values: list[float | None], form: str) -> str:
    mean = _mean(values)
    return "–" if mean is None else form.format(mean)


def _key(job: Any) -> str:
    from core.job import to_dict
    from core.jsonio import dumps

    kept = {name: value for name, value in to_dict(job).items() if name not in ("libraries", "app_version")}
    import hashlib

    return hashlib.sha256(dumps(kept)).hexdigest()[:8]


if __name__ == "__main__":
    main()
