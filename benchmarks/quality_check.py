"""Runs some rows of the quality benchmark again and says whether they agree with what stands in its file."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmarks.quality_cells import Cell, Place, Tell, single_tasks
from benchmarks.quality_table import MEASURES, OF_MODELS, PER_SAMPLE, Row, identity, rows_of, where_of

ALLOWED = {
    "retain": 0.01, "forget": 0.02, "probe": 0.02, "F1": 0.02, "NMI": 0.02, "DA": 0.05, "JS": 0.03, "attack": 0.02,
    "RMIA": 0.02, "vulnerable": 0.03, "operations": 0.01,
}  # fmt: skip
"""How far a measure may lie from the row where weights are not the same bits: another machine rounds otherwise."""


def check(
    rows: Sequence[Row], places: Sequence[Place], cells_of: Callable[[Place], list[Cell]], number: int,
    draw: int | None, tell: Tell,
) -> int:  # fmt: skip
    """Run `number` drawn rows again, with the originals and references that are there or are trained; 0 if all agree.

    draw: the seed of the draw; one is made up and said where it is None.
    """
    draw = random.SystemRandom().randrange(10**6) if draw is None else draw
    of_method = [row for row in rows if row["method"] not in OF_MODELS]
    known = {}
    for place in places:
        again = replace(place, cells="cells-again")
        for cell in cells_of(place):
            known[*where_of(cell, place).values(), cell.method, cell.preset, str(cell.seed)] = (again, cell)
    fitting = [row for row in of_method if identity(row) in known]
    chosen = random.Random(draw).sample(fitting, min(number, len(fitting)))
    tell(f"{len(chosen)} of {len(fitting)} rows, drawn with seed {draw}")
    apart = 0
    for row in chosen:
        place, cell = known[identity(row)]
        shutil.rmtree(place.described(cell)[2].path, ignore_errors=True)
        made = place.make([cell], single=single_tasks(cells_of(place)))
        again = next((r for r in rows_of(made, place) if identity(r) == identity(row)), None)
        differences = ["it could not be run"] if again is None else differences_of(row, again)
        same = again is not None and again["weights"] == row["weights"]
        apart += bool(differences)
        how = "; ".join(differences) or ("the same bits" if same else "agrees, with other bits")
        print(f"{place.network.name}, {cell.title}, {cell.task.name}, seed {cell.seed}: {how}", flush=True)
    print(f"{len(chosen) - apart} of {len(chosen)} rows agree")
    return 1 if apart or not chosen else 0


def differences_of(row: Row, again: Row) -> list[str]:
    """Say which measures of a row lie further from the same row, run again, than rounding explains."""
    found = []
    for name in [*MEASURES, *PER_SAMPLE, "operations"]:
        if not row[name] or not again[name]:
            if bool(row[name]) != bool(again[name]):
                found.append(f"{name} is there in one of them only")
        elif abs(float(row[name]) - float(again[name])) > ALLOWED[name]:
            found.append(f"{name} was {row[name]} and is {again[name]}")
    return found
