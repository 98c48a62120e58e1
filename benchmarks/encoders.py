"""Forgetting a class in an encoder without a head, held against encoders retrained without it.

    python -m benchmarks.encoders [--quick] [--json]

The encoders are the small CNNs of `benchmarks.quality` on all of Fashion-MNIST (with --quick on the digits), original
and three retrained ones for each class, with their heads taken off: so they have learnt from labels, and it is known
what a training without the class makes of them. MUDA forgets with its preset for encoders. Everything is kept under
bench-results/quality, so that a second run trains nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common import arguments, finish, quiet, report
from benchmarks.quality import NETWORKS, QUICK, SINGLE
from benchmarks.quality_cells import REFERENCE_SEEDS, Place, Task, key_of

HEADS = ("head.", "fc.")
MEASURES: dict[str, Callable[[dict[str, Any]], float | None]] = {
    "DA": lambda of: of["dimensional_alignment"]["value"],
    "probe, forget": lambda of: of["probe"]["forget"],
    "probe, retain": lambda of: of["probe"]["retain"],
    "NMI": lambda of: of["clustering"]["nmi"],
    "class means": lambda of: of["class_means"]["forget"],
    "CKA": lambda of: ((of.get("geometry") or {}).get("to_retrained") or {}).get("cka"),
}


def main() -> None:
    options = arguments(__doc__ or "")
    place = Place(QUICK, "digits") if options.quick else Place(NETWORKS["small-cnn"], "fashion-mnist")
    tasks = [Task(f"class {digit}", (digit,)) for digit in (3, 8)] if options.quick else SINGLE
    figures = {task.name: _measured(place, task) for task in tasks}
    rows = [["class, encoder", *MEASURES]]
    rows += [
        [f"{name}, {model}", *("–" if value is None else f"{value:.3f}" for value in values.values())]
        for name, models in figures.items()
        for model, values in models.items()
    ]
    report(f"Encoders of a small CNN, {place.source_name}, one class", figures, rows, options)


def _measured(place: Place, task: Task) -> dict[str, dict[str, float | None]]:
    """Return the measures of the original, the unlearned and the retrained encoders."""
    from core.engine.control import Control
    from core.files import write_json
    from core.runs.folder import MODEL, RunFolder
    from core.session.bench import Bench, DataOptions
    from core.session.checking import check
    from core.session.jobs import make_unlearn_job

    chosen, home = place.selection(task), place.folder / "encoders"
    home.mkdir(exist_ok=True)
    prepared = place.bench.dataset.preprocessing.to_dict()
    write_json(home / "preprocessing.json", {name: value for name, value in prepared.items() if name != "source"})
    retrained = {
        f"seed {seed}": _without_head(place.reference(chosen, seed).file(MODEL), home / f"{task.name} {seed}.pt")
        for seed in REFERENCE_SEEDS
    }
    original = _without_head(place.folder / "original" / MODEL, home / "original.pt")
    data = DataOptions(preprocess_file=str(home / "preprocessing.json"))
    bench = Bench().open(original, place.data, data).on(place.device, threads=1)
    job = make_unlearn_job(bench, chosen, "muda")
    folder = RunFolder(home / f"{task.name}-{key_of(job)}")
    finish(folder, job, chosen, bench)
    found = check(folder, Control(), quiet, bench, retrained=retrained)
    models = {name: found["models"][name] for name in ("original", "unlearned")}
    models |= {f"retrained, {name}": of for name, of in found["retrained"].items()}
    return {name: {key: read(of) for key, read in MEASURES.items()} for name, of in models.items()}


def _without_head(whole: Path, file: Path) -> Path:
    """Write a network's weights without those of its head, as the file of an encoder."""
    import torch

    from core.models.weights import read_weights

    tensors = read_weights(whole).tensors
    torch.save({name: value for name, value in tensors.items() if not name.startswith(HEADS)}, file)
    return file


if __name__ == "__main__":
    main()
