"""Faults done to the program, one at each call that writes to the disk, and at random moments; what survives them.

    python -m benchmarks.faults [--all | --seconds S --seed N … | --only WORDS] [--json]

A run, a training, a check, a batch, an export and so on are begun again and again in children of one process, each time
with one fault: killed, half a write, a full, faulty or forbidding disk, signals, a clock set back, a folder that goes.
It is survived where what is told afterwards is true, nothing that came before is harmed, and the work can be gone on
with and ends as it does unharmed: the same weights bit for bit, the same files, none left lying.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.common import report
from benchmarks.fault_cases import CASES, Case
from benchmarks.fault_place import LostError, NotPossibleError, Place, preload, working_folder
from benchmarks.fault_scenarios import SCENARIOS, Scenario
from benchmarks.fault_trials import KINDS, Point, Trials, named

LEAST = 5  # faults of a sample, however long they take
SAMPLED = 3  # scenarios of a sample: each takes a second or two before its first fault


class Tally:
    """What was tried and survived, by kind and column; what was lost, by the name that does it again."""

    def __init__(self) -> None:
        self.tried: Counter[tuple[str, str]] = Counter()
        self.lost: dict[str, str] = {}
        self.lost_of: Counter[tuple[str, str]] = Counter()
        self.not_tried = 0

    def add(self, kind: str, column: str, name: str, why: str | None) -> None:
        """Count one; `why` it was lost."""
        self.tried[kind, column] += 1
        if why is not None:
            self.lost[name] = why
            self.lost_of[kind, column] += 1

    def rows(self) -> list[list[str]]:
        """Return the table: survived of tried, a row a kind, a column a scenario."""
        columns = list(dict.fromkeys(column for _, column in self.tried))
        rows = [["fault", *columns, "all"]]
        kinds = {**{kind: how.title for kind, how in KINDS.items()}, "case": "another fault"}
        for kind, title in [*kinds.items(), ("", "all")]:
            cells = [self._cell(kind, column) for column in (*columns, "")]
            if any(cells):
                rows.append([title, *cells])
        return rows

    def _cell(self, kind: str, column: str) -> str:
        def chosen(counts: Counter[tuple[str, str]]) -> int:
            return sum(n for (k, c), n in counts.items() if (k == kind or not kind) and (c == column or not column))

        tried, lost = chosen(self.tried), chosen(self.lost_of)
        return f"{tried - lost}/{tried}" if tried else ""


def main() -> None:
    options = _arguments()
    try:
        preload("benchmarks.faults")
    except NotPossibleError as reason:
        sys.exit(f"nothing was tried: {reason}")
    tally, began = Tally(), time.monotonic()
    with working_folder() as temporary:
        trials = Trials(Place(Path(temporary)))
        try:
            chosen = _chosen(options, trials)
            for number, what in enumerate(chosen, start=1):
                _do(what, trials, tally)
                if number % 100 == 0:
                    spent = time.monotonic() - began
                    _tell(f"{number} of {len(chosen)} done in {spent:.0f} s, {len(tally.lost)} lost")
                enough = sum(tally.tried.values()) >= LEAST and time.monotonic() - began > options.seconds
                if options.seconds and enough:
                    break
        except KeyboardInterrupt:
            _tell("stopped; what was done so far:")
    tried = sum(tally.tried.values())
    figures: dict[str, Any] = {
        "faults": tried,
        "survived": tried - len(tally.lost),
        "lost": tally.lost,
        "not_reached": tally.not_tried,
        "seed": options.seed,
        "seconds": round(time.monotonic() - began, 1),
    }
    report(f"Faults survived of those tried: {figures['survived']} of {tried}", figures, tally.rows(), options)
    if tally.lost:
        sys.exit(1)


def _do(what: Point | Case, trials: Trials, tally: Tally) -> None:
    """Do one fault and count it."""
    kind, column = (what.kind, _column(what.scenario)) if isinstance(what, Point) else ("case", "cases")
    why: str | None = None
    try:
        if isinstance(what, Point):
            trials.do(what)
        else:
            what.act(trials)
    except NotPossibleError:
        tally.not_tried += 1
        return
    except LostError as reason:
        why = str(reason)
    except Exception as error:
        why = f"the look at what was left failed: {type(error).__name__}: {error}"
    if why is not None:
        _tell(f"lost: --only {what.name}: {why}")
    tally.add(kind, column, what.name, why)


def _column(scenario: Scenario) -> str:
    return scenario.name.partition("-")[0]


def _chosen(options: argparse.Namespace, trials: Trials) -> list[Point | Case]:
    """Return the faults to do, in the order they are done: mixed, so that a part of them is a sample of all."""
    if [*options.only.split("/"), "", ""][2].isdigit():
        return [named(options.only)]
    parts = [_drawn(random.Random(seed), options, trials) for seed in options.seed]
    return [what for turn in itertools.zip_longest(*parts) for what in turn if what is not None]


def _drawn(draw: random.Random, options: argparse.Namespace, trials: Trials) -> list[Point | Case]:
    """Return the faults that are asked for; for a sample, those of a few scenarios."""
    beginnings = {one.name: [f"{one.name}/{kind}/" for kind in KINDS] for one in SCENARIOS}
    asked = [name for name, them in beginnings.items() if any(options.only in b or b in options.only for b in them)]
    scenarios = [one for one in SCENARIOS if one.name in asked]
    if options.seconds:
        scenarios = draw.sample(SCENARIOS, SAMPLED)
    points = [point for scenario in scenarios for kind in KINDS for point in trials.points(scenario, kind, draw)]
    every: list[Point | Case] = [*points, *CASES]
    chosen = [what for what in every if options.only in what.name]
    draw.shuffle(chosen)
    return chosen


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--all", action="store_true", help="do every fault there is (an hour)")
    what.add_argument("--seconds", type=float, default=0, metavar="S", help="a random sample for so long")
    what.add_argument("--only", default="", metavar="WORDS", help="one by its name, or those whose names hold this")
    parser.add_argument(
        "--seed", type=int, nargs="+", default=[0], metavar="N", help="of what is drawn at random; of several, in turn"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    return parser.parse_args()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
