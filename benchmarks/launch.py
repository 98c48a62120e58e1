"""How soon a run takes its first steps, by what starts it: this process, a warm process of its own, a cold one.

python -m benchmarks.launch [--quick] [--json]

Seconds from the start of the example's run to its first losses, with model and data open in this process, as in the
window, and what was measured of the original on disk. A warm process has loaded what a run needs while nobody waited;
it opens model and data itself.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.common import arguments, report
from core.engine.control import Control
from core.events import Event, StepMetrics
from core.job import Launcher
from core.launch import children, launch
from core.session.example import Example, open_example
from core.session.jobs import create_run

WAYS = {"thread": "thread", "warm": "process", "cold": "process"}
SETTLE_SECONDS = 6.0  # that a warm process has before it is asked for a run


def main() -> None:
    """Start runs in turn and print when their first losses came."""
    options = arguments((__doc__ or "").splitlines()[0])
    home = tempfile.TemporaryDirectory()
    os.environ["UNLEARN_STUDIO_HOME"] = home.name
    example = open_example()
    rounds, taken = 2 if options.quick else 7, {way: list[float]() for way in WAYS}
    _first_losses(example, Path(home.name) / "first", "thread")  # measures the original, as the window has by then
    for number in range(rounds):
        for way in WAYS:
            if way == "warm":
                children.keep_warm()
                time.sleep(SETTLE_SECONDS)
            taken[way].append(_first_losses(example, Path(home.name) / f"{way}-{number}", WAYS[way]))
    medians = {f"first_losses_{way}_seconds": round(statistics.median(times), 3) for way, times in taken.items()}
    later = statistics.median(warm - here for warm, here in zip(taken["warm"], taken["thread"], strict=True))
    figures = {**medians, "warm_later_than_thread_seconds": round(later, 3)}
    rows = [("started by", "first losses, s", "from", "to")]
    rows += [
        (way, f"{statistics.median(times):.2f}", f"{min(times):.2f}", f"{max(times):.2f}")
        for way, times in taken.items()
    ]
    report(f"First losses of the example's run, {rounds} starts each, in turn", figures, rows, options)


def _first_losses(example: Example, path: Path, launcher: str) -> float:
    """Start the example's run and return the seconds until its first losses; the run is discarded then."""
    folder = create_run(path, example.job(launcher=launcher), example.selection, example.bench.dataset)
    control, seen = Control(), list[float]()

    def emit(event: Event) -> None:
        if isinstance(event, StepMetrics):
            seen.append(time.perf_counter())
            control.discard()

    began = time.perf_counter()
    launch(folder, control, emit, example.bench, launcher=Launcher.parse(launcher))
    return seen[0] - began


if __name__ == "__main__":
    main()
