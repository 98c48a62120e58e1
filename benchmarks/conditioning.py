"""What a sine bound on the last linear layers does to their condition number, and to how far gaps are closed.

    python -m benchmarks.conditioning [--quick] [--json]

MUDA's default with several bounds (0: none) on the digits, class 3, and on the built-in images of Fashion-MNIST, class
bag (with --quick the digits alone); small CNN, two seeds each, held against two retrained models. Everything lies in a
folder of its own that is removed.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.common import arguments, report

CASES = (("digits", "3", {"epochs": 12, "batch": 64}), ("fashion-sample", "bag", {"epochs": 12, "batch": 64}))
BOUNDS = (0.0, 0.5, 1.0, 3.0, 20.0)
SEEDS = (0, 1)
RETRAINED = (1, 2)
COLUMNS = ("condition", "retain", "forget", "probe", "closure JS", "closure probe", "closure NMI")


def main() -> None:
    """Print a row for each data set and bound: means over seeds."""
    options = arguments(__doc__)
    figures: dict[str, Any] = {}
    rows = [["data, bound", *COLUMNS]]
    with tempfile.TemporaryDirectory(prefix="unlearn-studio-") as home:
        os.environ["UNLEARN_STUDIO_HOME"] = home
        for dataset, forgotten, recipe in CASES[: 1 if options.quick else None]:
            found = _case(Path(home) / dataset, dataset, forgotten, recipe)
            figures[dataset] = found
            for name, values in found.items():
                cells = ("–" if values.get(column) is None else f"{values[column]:.3g}" for column in COLUMNS)
                rows.append([f"{dataset}, {name}", *cells])
    report("Condition number of the last linear layers under a sine bound", figures, rows, options)


def _case(place: Path, dataset: str, forgotten: str, recipe: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one data set: of the original, the retrained models, and the results by bound."""
    from core.api import check, open_data, open_model, unlearn
    from core.engine.control import Control
    from core.session.training import train

    bench = open_data(dataset).on("cpu", threads=1)
    train(place / "original", bench, "small-cnn", Control(), lambda event: None, recipe=recipe)
    bench = open_data(dataset, open_model(place / "original", device="cpu", threads=1))
    figures: dict[str, Any] = {}
    for bound in BOUNDS:
        told = []
        for seed in SEEDS:
            folder = unlearn(
                bench, place / f"{bound}-{seed}", classes=[forgotten], settings={"sine_reach": bound}, seed=seed,
                accept_accuracy=True,
            )  # fmt: skip
            told.append(check(folder, bench, seeds=RETRAINED))
        if not figures:
            figures["original"] = _figures(told[0]["models"]["original"])
            figures["retrained"] = _means([_figures(model) for model in told[0]["retrained"].values()])
        rows = [{**_figures(one["models"]["unlearned"]), **_closures(one)} for one in told]
        figures[f"bound {bound:g}"] = _means(rows)
    return figures


def _figures(model: dict[str, Any]) -> dict[str, float | None]:
    return {
        "condition": model["conditioning"]["value"], "retain": model["retain_test_accuracy"],
        "forget": model["forget_test_accuracy"], "probe": model["probe"]["forget"],
    }  # fmt: skip


def _closures(told: dict[str, Any]) -> dict[str, float | None]:
    found = {row["key"]: row["closure"] for row in told["verdict"]["measures"]}
    keys = {"closure JS": "output_distance", "closure probe": "probe", "closure NMI": "nmi"}
    return {name: found.get(key) for name, key in keys.items()}


def _means(rows: list[dict[str, float | None]]) -> dict[str, float | None]:
    """Return the mean of each figure over those that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    had = {name: [row[name] for row in rows if row.get(name) is not None] for name in names}
    return {name: fmean(values) if values else None for name, values in had.items()}


if __name__ == "__main__":
    main()
