"""How well methods unlearn: every result against retrained models and the head-only control.

    python -m benchmarks.quality [--quick] [--json] [--found] [--only METHOD] [--write]

Fashion-MNIST (or with --quick the digits) and a small CNN trained here. Tier A: MUDA's presets and five baselines on
three single classes with three seeds, two classes at once and 10 % random images; tier B: all other methods, one class
and 10 % random images, one seed. Cells are kept under bench-results/ by what determines them, so the benchmark resumes;
all of it takes about three hours of two cores. --found takes only what is there; --write puts the tables into
docs/methods.md and the plot beside it, with --only the rows of that method in place of theirs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import machine, report
from benchmarks.quality_cells import ROOT, Cell, ForgetSet, Made, make
from benchmarks.quality_table import closure_plot, figures, groups, markdown, merged, parse, rows

SETTINGS: dict[bool, tuple[str, dict[str, Any]]] = {
    False: ("fashion-mnist", {"epochs": 10}),
    True: ("digits", {"epochs": 12}),
}  # data and the original's recipe, by --quick
DOCS = Path(__file__).resolve().parents[1] / "docs"
SINGLE = tuple(ForgetSet(name, (name,)) for name in ("sandal", "pullover", "trouser"))
TWO = ForgetSet("two classes", ("sandal", "trouser"))
RANDOM = ForgetSet("random 10 %", share=0.1)
STRONGEST = ("scrub", "salun", "neggrad-plus", "l1-sparse", "eu-k")
ABLATIONS = ("alignment-only", "distillation-only")
SECTIONS = (
    ("One class", lambda cell: len(cell.forget.classes) == 1),
    ("Two classes at once", lambda cell: len(cell.forget.classes) == 2),
    ("Random images, 10 %", lambda cell: not cell.forget.classes),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="digits, in under three minutes; figures are rougher")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    parser.add_argument("--found", action="store_true", help="run nothing; take the cells that are there")
    parser.add_argument("--only", metavar="METHOD", help="only the cells of this method")
    parser.add_argument("--write", action="store_true", help="write tables and plot into docs/")
    options = parser.parse_args()
    os.environ["UNLEARN_STUDIO_HOME"] = str(ROOT / "home")
    dataset, recipe = SETTINGS[options.quick]
    cells = quick_plan() if options.quick else full_plan()
    if options.only:
        cells = [cell for cell in cells if cell.method == options.only]
        if not cells:
            parser.error(f"no cell has the method {options.only}")
    made = make(cells, dataset, recipe, _tell, only_found=options.found)
    found = groups(made, lambda cell: len(cell.forget.classes) == 1)
    if options.json:
        _json(made)
    else:
        for title, wanted in SECTIONS:
            section = groups(made, wanted)
            if section:
                report(f"{dataset}: {title.lower()}", {}, rows(section), argparse.Namespace(json=False))
    if not options.quick:
        (ROOT / "closure.svg").write_text(closure_plot(rows(found)))
        (ROOT / "quality.json").write_text(json.dumps({"machine": machine(), "figures": _all_figures(made)}, indent=2))
    if options.write:
        write(made, kept=bool(options.only))


def full_plan() -> list[Cell]:
    """All cells, what matters most first, so that an early end leaves a table that can be read."""
    from core.methods import METHODS

    presets = [("muda", ""), ("head-only", "mask"), *[(name, "") for name in STRONGEST], ("muda", "reconstruction"),
               ("muda", "thorough"), ("head-only", "distil")]  # fmt: skip
    ours = {"muda", "head-only", "retrain", *STRONGEST}
    others = [method for method in METHODS.values() if method.id not in ours]
    cells = [Cell("A", "muda", "", forget, seed) for seed in (0, 1, 2) for forget in SINGLE]
    cells += [Cell("A", name, preset, forget, 0) for name, preset in presets[1:] for forget in SINGLE]
    cells += [Cell("B", method.id, "", SINGLE[0], 0) for method in others if "class" in method.suits]
    cells += [Cell("A", "muda", preset, forget, 0) for preset in ABLATIONS for forget in SINGLE]
    cells += [Cell("A", name, "", RANDOM, 0) for name in ("muda", *STRONGEST)]
    cells += [Cell("A", name, preset, TWO, 0) for name, preset in presets]
    cells += [Cell("B", method.id, "", RANDOM, 0) for method in others if "sample" in method.suits]
    drawn = [pair for pair in presets[1:] if pair != ("head-only", "mask")]  # the mask draws nothing
    cells += [Cell("A", name, preset, forget, seed) for seed in (1, 2) for name, preset in drawn for forget in SINGLE]
    return cells


def quick_plan() -> list[Cell]:
    """Two digits, one seed, MUDA, the control and three baselines."""
    presets = (("muda", ""), ("head-only", "mask"), ("scrub", ""), ("salun", ""), ("eu-k", ""))
    return [Cell("A", n, p, ForgetSet(digit, (digit,)), 0) for digit in ("3", "8") for n, p in presets]


def write(made: list[Made], *, kept: bool = False) -> None:
    """Put the tables into docs/methods.md between its marks, and the plot into docs/images.

    kept: other rows that stand there stay.
    """
    page = DOCS / "methods.md"
    begin, end = "<!-- quality: begin -->\n", "<!-- quality: end -->\n"
    text = page.read_text()
    if begin not in text or end not in text:
        sys.exit(
            f"error: {page.name} has no marks for the tables. Put {begin.strip()} and {end.strip()} where they go."
        )
    head, rest = text.split(begin)
    between, tail = rest.split(end)
    there = dict(part.strip().split("\n\n", 1) for part in between.split("### ")[1:]) if kept else {}
    tables = {}
    for title, wanted in SECTIONS:
        section = rows(groups(made, wanted))
        if title in there:
            section = merged(parse(there[title]), section)
        if section:
            tables[title] = section
    sections = [f"### {title}\n\n{markdown(table)}\n" for title, table in tables.items()]
    page.write_text(head + begin + "\n" + "\n".join(sections) + "\n" + end + tail)
    (DOCS / "images" / "closure.svg").write_text(closure_plot(tables[SECTIONS[0][0]]))


def _all_figures(made: list[Made]) -> dict[str, Any]:
    found = figures(groups(made, SECTIONS[0][1]))
    found["two_classes"] = figures(groups(made, SECTIONS[1][1]))
    found["random"] = figures(groups(made, SECTIONS[2][1]))
    return found


def _json(made: list[Made]) -> None:
    print(json.dumps({"machine": machine(), "figures": _all_figures(made)}, indent=2))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
