"""`runs`: lists the runs of a folder with their states."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import options
from core.cli.output import Screen, shown, table
from core.runs.folder import list_runs
from core.session.library import describe_run
from core.verify.numbers import DASH, count, percent

SUMMARY = "List the runs of a folder: state, method, forget set, accuracies."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `runs` takes."""
    parser.add_argument("folder", nargs="?", default="", metavar="DIR", help="default: where the window keeps its runs")
    options.add_output(parser)


def run(given: argparse.Namespace, screen: Screen) -> int:
    """List the runs of DIR, newest first."""
    from core.places import runs_home

    folder = options.path_option(given.folder) if given.folder else runs_home()
    found = [] if not given.folder and not folder.is_dir() else list_runs(folder)
    rows = [describe_run(one) for one in found]
    if rows:
        header = ("run", "state", "method", "forget set", "retain-test", "forget-test", "verdict", "made")
        screen.say(table(header, map(_cells, rows), left=4))
    else:
        screen.say(f"There are no runs in {shown(folder)}.")
    screen.document(rows)
    return 0


def _cells(row: dict[str, Any]) -> list[str]:
    import datetime

    if row["state"] == "damaged":
        return [row["run"], "damaged", DASH, DASH, DASH, DASH, DASH, DASH]
    state = row["state"]
    if state not in ("finished", "queued") and row["steps"]:
        state += f" at {count(row['step'])} of {count(row['steps'])}"
    return [
        row["run"], state, row["method"], row["forget_text"], percent(row["retain_test_accuracy"]),
        percent(row["forget_test_accuracy"]), (row["verdict"] or DASH).replace("_", " "),
        f"{datetime.datetime.fromtimestamp(row['created']):%Y-%m-%d %H:%M}",
    ]  # fmt: skip
