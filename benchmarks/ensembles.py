"""KLoM of methods: ten unlearned models, each from an original of its own, beside ten retrained ones.

    python -m benchmarks.ensembles [--quick] [--json]

5,000 images of Fashion-MNIST (with --quick the digits), small CNN, as in `benchmarks.attacks`; the class "Sandal" (of
the digits the 3) is forgotten. Ten originals differ in their seed; each method makes each of them forget, and once more
all ten runs start from the first original, as an ensemble usually would. "floor" is one half of the retrained models
against the other, "of 5" as many unlearned ones: what chance alone is of so few models. Models and runs are kept under
bench-results/attacks, so that a second run trains nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmarks.attacks import EPOCHS, ROOT, subset
from benchmarks.common import arguments, finish, quiet, report
from benchmarks.quality_cells import key_of

MODELS = 10
METHODS = ("muda", "finetune", "head-only")


def main() -> None:
    options = arguments(__doc__ or "")
    os.environ["UNLEARN_STUDIO_HOME"] = str(ROOT / "home")
    figures = _measured(options.quick)
    rows = [["runs of, images", "unlearned", "of 5", "floor", "originals"]]
    rows += [
        [f"{name}, {part}", *(_shown(found[key]) for key in ("unlearned", "unlearned_half", "floor", "original"))]
        for name, parts in figures.items()
        for part, found in parts.items()
    ]
    data = "digits" if options.quick else "5,000 images of Fashion-MNIST"
    report(f"KLoM, nats, {MODELS} models a side, {data}, small-cnn, one class", figures, rows, options)


def _measured(quick: bool) -> dict[str, dict[str, Any]]:
    """Return what came out, by method and set of images."""
    from core.engine.control import Control
    from core.runs.folder import RunFolder
    from core.selection import Selection, resolve_classes
    from core.session.bench import Bench
    from core.session.checking import train_reference
    from core.session.ensembles import compare_ensembles
    from core.session.jobs import make_unlearn_job
    from core.session.training import train

    data = "digits" if quick else str(subset())
    kept = ROOT / Path(data).stem / "ensembles"
    bench = Bench().on("cpu", threads=1).with_data(data)
    originals = [RunFolder(kept / f"original-{seed}") for seed in range(MODELS)]
    for seed, folder in enumerate(originals):
        if not folder.has_result:
            train(folder.path, bench, "small-cnn", Control(), quiet, recipe={"epochs": EPOCHS}, seed=seed)
    classes = resolve_classes(["3" if quick else "5"], bench.dataset.classes)
    chosen = Selection.empty(bench.dataset.train.labels.numpy(), bench.dataset.classes).with_classes(classes)
    found: dict[str, dict[str, Any]] = {}
    for method in METHODS:
        ensembles: dict[str, list[RunFolder]] = {"": [], ", one original": []}
        for seed in range(MODELS):
            for shared, runs in ensembles.items():
                on = bench.with_model(originals[0 if shared else seed].path)
                job = make_unlearn_job(on, chosen, method, seed=seed)
                folder = RunFolder(kept / f"{method}-{'one-' if shared else ''}{seed}-{key_of(job)}")
                finish(folder, job, chosen, on)
                runs.append(folder)
        for shared, runs in ensembles.items():
            on = bench.with_model(originals[0].path)
            for seed in range(1, MODELS + 1):
                train_reference(runs[0], on, seed, Control(), quiet)
            said = compare_ensembles(runs, on, range(1, MODELS + 1), {})
            assert said["measure"] == "klom"
            found[method + shared] = said["sets"]
    return found


def _shown(value: dict[str, float] | None) -> str:
    return "–" if value is None else f"{value['mean']:.3f}"


if __name__ == "__main__":
    main()
