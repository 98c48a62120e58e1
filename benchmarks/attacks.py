"""What each attack of the full suite finds in models whose answer is known, and what it takes.

    python -m benchmarks.attacks [--quick] [--json]

5,000 images of Fashion-MNIST (with --quick the digits), small CNN, trained until it knows its training images by heart:
the class "Sandal" (of the digits the 3) is left out, and a tenth of the images at random. What is judged is a further
retrained model, held against four others, so an attack should find nothing in it; beside it stand the original, where
it should find something, and the head-only edit. "tells" is what the table of a report says of the attack. Models and
runs are kept under bench-results/attacks, so that a second run trains nothing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.common import arguments, finish, quiet, report

ROOT = Path(__file__).resolve().parents[1] / "bench-results" / "attacks"
IMAGES, EPOCHS, TENTH = 5_000, 25, 0.1
SEEDS = (1, 2, 3, 4)  # of the models that the result is held against
HELD_OUT = 9
MODELS = {"original": "original", "head_only": "head-only", "unlearned": "held out", "retrained": "retrained"}


def main() -> None:
    options = arguments(__doc__ or "")
    os.environ["UNLEARN_STUDIO_HOME"] = str(ROOT / "home")
    figures: dict[str, Any] = {}
    rows = [["forgotten, attack", *MODELS.values(), "tells", "seconds"]]
    for name, found in _checked(options.quick).items():
        figures[name] = found
        rows += [
            [f"{name}, {key}", *(_shown(one["values"][model]) for model in MODELS), one["tells"], one["seconds"]]
            for key, one in found.items()
        ]
    data = "digits" if options.quick else f"{IMAGES:,} images of Fashion-MNIST"
    report(f"Attacks on models whose answer is known, {data}, small-cnn", figures, rows, options)


def _checked(quick: bool) -> dict[str, dict[str, Any]]:
    """Return what came out of the attacks of each forget set, by the attack's key."""
    import numpy as np

    from core.engine.control import Control
    from core.runs.folder import RunFolder
    from core.selection import Selection, resolve_classes
    from core.session.bench import Bench
    from core.session.checking import check
    from core.session.jobs import make_unlearn_job
    from core.session.training import train

    data = "digits" if quick else str(subset())
    kept = ROOT / Path(data).stem
    bench = Bench().on("cpu", threads=1).with_data(data)
    original = RunFolder(kept / "original")
    if not original.has_result:
        train(original.path, bench, "small-cnn", Control(), quiet, recipe={"epochs": EPOCHS})
    bench = bench.with_model(original.path)
    nothing = Selection.empty(bench.dataset.train.labels.numpy(), bench.dataset.classes)
    images = len(bench.dataset.train)
    drawn = np.random.default_rng(1).permutation(images)[: int(TENTH * images)].tolist()
    sets = {
        "one class": nothing.with_classes(resolve_classes(["3" if quick else "5"], bench.dataset.classes)),
        "random images": nothing.with_samples(drawn),
    }
    found = {}
    for name, chosen in sets.items():
        folder = RunFolder(kept / name.replace(" ", "-"))
        finish(folder, make_unlearn_job(bench, chosen, "retrain", seed=HELD_OUT), chosen, bench)
        found[name] = _attacks(check(folder, Control(), quiet, bench, seeds=SEEDS, which="full"), folder)
    return found


def _attacks(report: Mapping[str, Any], folder: Any) -> dict[str, Any]:
    """Return the rows of a report's attacks: values, what each can tell, and the seconds of all models together."""
    from core.files import json_lines
    from core.runs.folder import VERIFY
    from core.verify.table import measure_rows

    seconds: Counter[str] = Counter()
    for record in json_lines(folder.file(VERIFY).read_bytes()):
        seconds[record["measure"]] += record["seconds"]
    taken = {}
    for row in measure_rows(report):
        if row.group == "Attacks" and row.standing is not None:
            took = seconds.get(MEASURED.get(row.key, ""))
            taken[row.key] = {
                "values": {model: row.values[model] for model in MODELS},
                "tells": "yes" if row.standing["informative"] else "no",
                "seconds": "" if took is None else f"{took:.1f}",
            }
    return taken


MEASURED = {
    "membership": "membership attack", "rmia": "RMIA", "sample_vulnerable": "attacks on single samples",
    "neighbour_class": "neighbour class", "relearn": "relearning", "relearn_others": "relearning from other images",
    "quantised_int8": "quantised weights", "prototype": "prototype attack",
}  # fmt: skip
"""Which record of the log a row's time stands in, once for rows that are taken together."""


def subset() -> Path:
    """Return the file with the images to train on and all unseen ones, written where it is missing."""
    import numpy as np

    from core.session.bench import Bench

    path = ROOT / "fashion-mnist.npz"
    if not path.exists():
        data = Bench().with_data("fashion-mnist").dataset
        chosen = np.random.default_rng(0).permutation(len(data.train))[:IMAGES]
        path.parent.mkdir(parents=True, exist_ok=True)
        parts = {"train": data.train, "test": data.test}
        ids = {"train": chosen, "test": np.arange(len(data.test))}
        arrays = {f"x_{name}": np.asarray(part.images[ids[name]]) for name, part in parts.items()}
        labels = {f"y_{name}": np.asarray(part.labels)[ids[name]] for name, part in parts.items()}
        np.savez(path, **arrays, **labels)
    return path


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
