"""How well methods unlearn: every result against retrained models and the head-only control.

    python -m benchmarks.quality [--network NAME] [--data NAME] [--device D] [--only METHOD] [--task NAME] [--tier T]
                                 [--quick] [--json] [--found] [--write] [--check N]

Networks: a small CNN on all of Fashion-MNIST, a ResNet-18 and a small vision transformer on a part of it that two cores
can train on in a night; `--images 0` takes all, and `--data cifar10 --device cuda` other data on a GPU. Tasks: single
classes, two at once, and single images: 10 % and 1 % drawn, 30 drawn, the hardest and the easiest 1 %. Tier A: MUDA's
presets and the strongest baselines on classes, with three seeds for one class, and those that suit them on single
images; tier B: all other methods, one class and 10 % random images. --quick takes the digits, in minutes.

Cells are kept under bench-results/ by what determines them, so the benchmark resumes. --found takes only what is there;
--write puts their rows into docs/quality.csv in the place of those of the same cells, and makes docs/quality.html and
the plot of closures anew from it. --check runs some rows of that file again and exits with 1 where one does not agree.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.common import machine, report
from benchmarks.quality_cells import Cell, Network, Place, Task, single_tasks
from benchmarks.quality_check import check
from benchmarks.quality_page import closure_plot, page, sections
from benchmarks.quality_table import (
    Row,
    as_csv,
    figures,
    identity,
    measured_on,
    merged,
    read_rows,
    rows_of,
    table,
    where_of,
)

DOCS = Path(__file__).resolve().parents[1] / "docs"
VIT = "hf/vit:hidden_size=96,num_hidden_layers=6,num_attention_heads=4,intermediate_size=192,patch_size=4"
NETWORKS = {
    "small-cnn": Network("small-cnn", "small-cnn", 0, {"epochs": 10}, attackers=16),
    "resnet18": Network("resnet18", "resnet18-cifar", 5000, {"epochs": 12}),
    "vit": Network("vit", VIT, 10_000, {"epochs": 20, "optimiser": "adamw", "lr": 1e-3, "weight_decay": 0.05}),
}
QUICK = Network("small-cnn", "small-cnn", 0, {"epochs": 12})
SINGLE = tuple(Task(f"class {number}", (number,)) for number in (5, 2, 1))  # Fashion-MNIST: sandal, pullover, trouser
TWO = Task("two classes", (5, 1))
RANDOM = Task("10 % of the images", share=0.1)
FEW = (
    Task("1 % of the images", share=0.01),
    Task("30 images", count=30),
    Task("hardest 1 %", share=0.01, by="hardest"),
    Task("easiest 1 %", share=0.01, by="easiest"),
)
STRONGEST = ("ct", "msg", "l1-sparse", "eu-k", "salun", "neggrad-plus", "scrub")
OF_CLASSES = ("damp",)  # strong ones that forget whole classes alone
FOR_NIGHTS = ("finetune", "cf-k", "scrub", "salun", "neggrad-plus", "l1-sparse", "eu-k")
FOR_SINGLES = ("finetune", "ct", "msg", "cf-k", "scrub", "neggrad-plus", "l1-sparse")
ABLATIONS = ("alignment-only", "distillation-only")


def main() -> None:
    options = _options()
    places = [_place(name, options) for name in ([options.network] if options.network else NETWORKS)]
    if options.quick:
        places = [Place(QUICK, "digits", options.device, tell=_tell)]
    if options.check:
        if not (known := read_rows(DOCS / "quality.csv")):
            sys.exit("error: docs/quality.csv has no rows yet; --write puts them there")
        sys.exit(check(known, places, cells_of, options.check, options.draw, _tell))
    rows: list[Row] = []
    found: dict[str, dict[str, str]] = {}
    for place in places:
        cells = [
            cell
            for cell in cells_of(place)
            if (not options.only or cell.method == options.only)
            and (not options.task or cell.task.name == options.task)
            and (not options.tier or cell.tier == options.tier)
        ]
        single = single_tasks(cells_of(place))
        made = place.make(cells, single=single, only_found=options.found) if cells else []
        rows += rows_of(made, place)
        for one in made:
            found[measured_on(where_of(one.cell, place))] = _made_on(place, one.report["precision"])
    if not rows:
        sys.exit("error: no cell fits, or none was made yet")
    if options.json:
        by_section = {section.title: figures(section.rows) for section in sections(rows)}
        print(json.dumps({"machine": machine(), "figures": by_section}, indent=2))
    else:
        for section in sections(rows):
            report(section.title, {}, table(section.rows), argparse.Namespace(json=False))
    if options.write:
        write(rows, found)


def full_plan(network: Network) -> list[Cell]:
    """All cells of a network, what matters most first, so that an early end leaves a table that can be read."""
    from core.methods import METHODS

    if network.name != "small-cnn":
        return _night_plan(network)
    presets = [("muda", ""), ("head-only", "mask"), *[(name, "") for name in (*OF_CLASSES, *STRONGEST)],
               ("muda", "reconstruction"), ("muda", "thorough"), ("head-only", "distil")]  # fmt: skip
    ours = {"muda", "head-only", "retrain", *OF_CLASSES, *STRONGEST}
    others = [method for method in METHODS.values() if method.id not in ours]
    cells = [Cell("A", "muda", "", task, seed) for seed in (0, 1, 2) for task in SINGLE]
    cells += [Cell("A", name, preset, task, 0) for name, preset in presets[1:] for task in SINGLE]
    cells += [Cell("B", method.id, "", SINGLE[0], 0) for method in others if "class" in method.suits]
    cells += [Cell("A", "muda", preset, task, 0) for preset in ABLATIONS for task in SINGLE]
    cells += [Cell("A", name, "", RANDOM, 0) for name in ("muda", *STRONGEST)]
    cells += [Cell("A", name, preset, TWO, 0) for name, preset in presets]
    cells += [Cell("B", method.id, "", RANDOM, 0) for method in others if "sample" in method.suits]
    cells += [Cell("A", name, "", task, 0) for name in ("muda", *FOR_SINGLES) for task in FEW]
    drawn = [pair for pair in presets[1:] if pair != ("head-only", "mask")]  # the mask draws nothing
    cells += [Cell("A", name, preset, task, seed) for seed in (1, 2) for name, preset in drawn for task in SINGLE]
    return cells


def _night_plan(network: Network) -> list[Cell]:
    """One class and 10 % random images on a larger network, sized for a night of two cores."""
    baselines = [(name, "") for name in FOR_NIGHTS]
    of_classes, of_images = [("muda", "")], [("muda", "")]
    if network.name == "resnet18":  # the presets that flat networks take
        of_classes.append(("muda", "few-images"))
        of_images.append(("muda", "samples"))
    cells = [Cell("A", *pair, SINGLE[0], 0) for pair in [*of_classes, ("head-only", "mask"), *baselines]]
    return cells + [Cell("A", *pair, RANDOM, 0) for pair in [*of_images, *baselines]]


def quick_plan() -> list[Cell]:
    """Two digits, one seed, MUDA, the control and three baselines."""
    presets = (("muda", ""), ("head-only", "mask"), ("scrub", ""), ("salun", ""), ("eu-k", ""))
    return [Cell("A", n, p, Task(f"class {digit}", (digit,)), 0) for digit in (3, 8) for n, p in presets]


def write(rows: list[Row], made_on: dict[str, dict[str, str]], docs: Path = DOCS) -> None:
    """Put rows into docs/quality.csv, and make the page and the plot beside it anew of all that stands there.

    made_on: what each task's rows rest on. Older rows of a task that rest on another original are left out, and said.
    """
    before, machines = read_rows(docs / "quality.csv"), docs / "quality.json"
    known = json.loads(machines.read_text()) if machines.exists() else {}
    gone = {where for where, entry in made_on.items() if entry["hashes"] != known.get(where, entry)["hashes"]}
    kept = [row for row in before if measured_on(row) not in gone]
    every = merged(kept, rows)
    left = {identity(row) for row in every}
    for where in sorted(gone):
        lost = [row["method"] for row in before if measured_on(row) == where and identity(row) not in left]
        _tell(f"{where}: rests on another original now; not made again and left out: {', '.join(lost) or 'none'}")
    known |= made_on
    machines.write_text(json.dumps(known, indent=2) + "\n")
    (docs / "quality.csv").write_text(as_csv(every))
    (docs / "quality.html").write_text(page(every, known))
    (docs / "images" / "closure.svg").write_text(closure_plot(sections(every)[0].rows))


def cells_of(place: Place) -> list[Cell]:
    return quick_plan() if place.data == "digits" else full_plan(place.network)


def _place(name: str, options: argparse.Namespace) -> Place:
    network = NETWORKS[name]
    if options.images is not None:
        network = replace(network, images=options.images)
    return Place(network, options.data, options.device, tell=_tell)


def _made_on(place: Place, precision: str) -> dict[str, str]:
    """Return the machine in words, and the hashes of data and original that rows rest on."""
    words = ", ".join(f"{key} {value}" for key, value in machine().items() if value is not None)
    bench = place.bench
    return {
        "machine": f"{words}, {precision}",
        "hashes": f"data {bench.dataset.fingerprint} · original {bench.model.sha256}",
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--network", choices=NETWORKS, help="one network (else all)")
    parser.add_argument("--data", metavar="NAME", default="fashion-mnist", help="another data set by name")
    parser.add_argument("--images", metavar="N", type=int, help="training images taken; 0: all (else the network's)")
    parser.add_argument("--device", default="cpu", help="where to compute (default: cpu, on which cells repeat)")
    parser.add_argument("--only", metavar="METHOD", help="only the cells of this method")
    parser.add_argument("--task", metavar="NAME", help="only the cells of this task")
    parser.add_argument("--tier", choices=("A", "B"), help="only the cells of this tier")
    parser.add_argument("--quick", action="store_true", help="digits, in minutes; figures are rougher")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    parser.add_argument("--found", action="store_true", help="run nothing; take the cells that are there")
    parser.add_argument("--write", action="store_true", help="write rows, page and plot into docs/")
    parser.add_argument("--check", metavar="N", type=int, default=0, help="run N rows of docs/quality.csv again")
    parser.add_argument("--draw", metavar="SEED", type=int, help="draw the rows that are checked with this seed")
    return parser.parse_args()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
