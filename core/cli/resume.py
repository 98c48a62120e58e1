"""`resume`: goes on with an interrupted run, to the same result as if it had not been interrupted."""

from __future__ import annotations

import argparse

from core.cli import options
from core.cli.interrupts import stop_on_interrupt
from core.cli.output import Screen
from core.cli.running import run_to_end

SUMMARY = "Go on with an interrupted run, from its last checkpoint, to the same result as if it had not been."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `resume` takes."""
    parser.add_argument("run", metavar="RUN", help="the run folder")
    options.add_trust(parser)
    options.add_output(parser)


def run(given: argparse.Namespace, screen: Screen) -> int:
    """Resume the run; one that has a result is shown and left as it is."""
    from core.engine.control import Control
    from core.runs.folder import RunFolder
    from core.session.library import check_resumable, is_done

    folder = RunFolder.open(options.path_option(given.run))
    if not is_done(folder):
        check_resumable(folder.job())
    control = Control()
    with stop_on_interrupt(control):
        return run_to_end(
            folder, control, screen, resume=True, trust_pickle=given.trust_pickle, trust_code=given.trust_code
        )
