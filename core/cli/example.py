"""`example`: the bundled example without a window, from training its model to the checked checkpoint."""

from __future__ import annotations

import argparse
import time

from core.cli.options import path
from core.cli.output import Screen
from core.cli.progress import Loading
from core.cli.running import run_to_end, stop_on_interrupt
from core.verify.numbers import duration


def declare_example(parser: argparse.ArgumentParser) -> None:
    """Declare what `example` takes."""
    group = parser.add_argument_group("run")
    group.add_argument("--out", type=path, metavar="DIR", help="the run folder (else one in the folder of runs)")
    group.add_argument("--resume", action="store_true", help="go on with the run that DIR already holds")


def run_example(given: argparse.Namespace, screen: Screen) -> int:
    """Run the example into --out."""
    import datetime

    from core.engine.control import Control
    from core.files import runs_home
    from core.runs.folder import MODEL, MODEL_PT, RunFolder
    from core.session.exporting import read_back_run
    from core.session.jobs import make_unlearn_job
    from core.session.training import open_example
    from core.session.tuning import ready_run

    began = time.monotonic()
    name = f"example-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    folder = RunFolder.wanted(given.out or runs_home() / name, resume=given.resume)
    control = Control()
    with stop_on_interrupt(control):
        example = open_example(control, Loading(screen))
        screen.end_line()
        screen.say(f"The example: {example.selection.describe()}")
        job = make_unlearn_job(
            example.bench, example.selection, example.method, preset=example.preset, seed=example.seed
        )
        folder, _ = ready_run(folder, job, example.selection, example.bench, control)
        code = run_to_end(folder, control, screen, example.bench, resume=given.resume)
    screen.say()
    for file in (MODEL, MODEL_PT):
        screen.say(f"{file}: {read_back_run(folder, file, example.bench).sentence}")
    screen.say(f"The whole example took {duration(time.monotonic() - began)}.")
    return code
