"""The command that runs the bundled example: from its images to the verdict, without a window."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

from core.cli import options
from core.cli.output import Loading, RunProgress, Screen, table, wrapped
from core.cli.running import run_to_end, stop_on_interrupt
from core.errors import StoppedError
from core.runs.folder import MODEL, MODEL_PT, RunFolder
from core.verify.lanes import Lane, contradicted, lanes_of_report
from core.verify.numbers import DASH, count, duration, percent
from core.verify.table import MODELS


def declare_example(parser: argparse.ArgumentParser) -> None:
    """Declare what `example` takes."""
    group = parser.add_argument_group("run")
    group.add_argument(
        "--out", type=options.target, metavar="DIR", help="the run folder (else one in the folder of runs)"
    )
    group.add_argument("--resume", action="store_true", help="go on with the run that DIR already holds")


def run_example(given: argparse.Namespace, screen: Screen) -> int:
    """Run the bundled example into --out, hold it against its retrained models, and read its checkpoints back."""
    import datetime

    from core.engine.control import Interrupted
    from core.files import runs_home
    from core.session.checking import check
    from core.session.example import open_example
    from core.session.exporting import read_back_run
    from core.session.measuring import FULL
    from core.session.running import ready_run

    began = time.monotonic()
    name = f"example-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    folder = RunFolder.wanted(given.out or runs_home() / name, resume=given.resume)
    with stop_on_interrupt(screen) as control:
        example = open_example(control, Loading(screen))
        screen.end_line()
        screen.say(f"The example: {example.selection.describe()}")
        folder, _ = ready_run(folder, example.job(), example.selection, example.bench, control)

        def check_it() -> None:
            check(folder, control, RunProgress(screen), example.bench, seeds=example.retrained, which=FULL)

        try:
            code = run_to_end(folder, control, screen, example.bench, resume=given.resume, then=check_it)
        except Interrupted:
            raise StoppedError("The check was stopped", "The run is kept; `verify` goes on with the check") from None
    if code == 0:
        screen.say(f"\n{lanes_text(folder.report() or {})}")
    screen.say()
    for file in (MODEL, MODEL_PT):
        screen.say(f"{file}: {read_back_run(folder, file, example.bench).sentence}")
    screen.say(f"The whole example took {duration(time.monotonic() - began)}.")
    return code


def lanes_text(report: Mapping[str, Any]) -> str:
    """Lay out head-only edit, unlearned and retrained model side by side, with what follows from it, and the verdict.

    For a report on whole classes with retrained models and relearning.
    """
    lanes = lanes_of_report(report)
    rows = [
        [f"Accuracy on {', '.join(report.get('forget_classes') or ())}", *(percent(lane.accuracy) for lane in lanes)],
        ["Found again by a linear probe", *(percent(lane.probe) for lane in lanes)],
        ["Training images until it is back", *(_until_back(lane) for lane in lanes)],
    ]
    claim = "Accuracy 0 does not mean forgotten." if contradicted(lanes) else ""
    text = table(["", *(MODELS[lane.model] for lane in lanes)], rows)
    sentence = (report.get("verdict") or {}).get("sentence") or ""
    return "\n\n".join(filter(None, [text, wrapped(f"{claim} {sentence}".strip())]))


def _until_back(lane: Lane) -> str:
    if lane.images is None:
        return DASH if lane.most_images is None else f"over {count(lane.most_images)}"
    return count(lane.images)
