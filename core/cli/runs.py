"""`runs`: the runs of a folder and their states. `kept`: what is kept of a run's forget images, and removing it."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from core.cli.options import path
from core.cli.output import Screen, bytes_text, facts, shown, table, wrapped
from core.errors import RunError
from core.runs.folder import RunFolder, list_runs
from core.session.library import describe_run
from core.verify.numbers import DASH, count, percent, plural

if TYPE_CHECKING:
    from core.session.kept import Removed, Traces

ALL = "all"
"""What --remove takes in place of names: everything that can be removed."""


def declare_runs(parser: argparse.ArgumentParser) -> None:
    """Declare what `runs` takes."""
    parser.add_argument(
        "folder", nargs="?", type=path, metavar="DIR", help="default: where the window keeps its runs"
    )


def run_runs(given: argparse.Namespace, screen: Screen) -> int:
    """List the runs of DIR, newest first."""
    from core.files import runs_home

    folder = given.folder or runs_home()
    folders = [] if not given.folder and not folder.is_dir() else list_runs(folder)
    rows = [describe_run(run) for run in folders]
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


def declare_kept(parser: argparse.ArgumentParser) -> None:
    """Declare what `kept` takes."""
    parser.add_argument("run", type=path, metavar="RUN", help="the folder of a run")
    parser.add_argument(
        "--remove", nargs="+", action="extend", default=[], metavar="ID",
        help="delete these kinds, named as in the first column, or `all` that can be removed",
    )  # fmt: skip


def run_kept(given: argparse.Namespace, screen: Screen) -> int:
    """List what is kept of the run's forget images, or delete what --remove names and list what is left."""
    from core.session.kept import remove_kept, what_is_kept

    folder = RunFolder.open(given.run)
    removed: Removed | None = None
    if given.remove:
        removable = [kind.id for kind in what_is_kept(folder).removable]
        removed = remove_kept(folder, removable if ALL in given.remove else given.remove)
        screen.say(f"Removed {plural(removed.files, 'file')} ({bytes_text(removed.bytes)}).\n")
    traces = what_is_kept(folder)
    screen.say(_kept_text(traces))
    screen.document(_kept_document(folder, traces, removed))
    if removed is not None and removed.failed:
        raise RunError(f"Not deleted: {'; '.join(removed.failed)}", "Check permissions, and close what uses them")
    return 0


def _kept_text(traces: Traces) -> str:
    rows = [
        (kind.id, kind.holds, count(kind.count), bytes_text(kind.bytes), "yes" if kind.removable else "no")
        for kind in traces.kinds
    ]
    blocks = [table(("kept", "what it holds", "files", "size", "removable"), rows, left=2)]
    if traces.removable:
        blocks.append("Without them (`kept RUN --remove ID`):")
        blocks.append(facts([(kind.id, kind.consequence) for kind in traces.removable], "  "))
    if traces.other_runs:
        blocks.append(wrapped(f"Other runs list the same images: {', '.join(traces.other_runs)}."))
    return "\n\n".join(blocks)


def _kept_document(folder: RunFolder, traces: Traces, removed: Removed | None) -> dict[str, Any]:
    return {
        "run": str(folder.path),
        "kinds": [
            {**asdict(kind), "files": [str(path) for path in kind.files]} for kind in traces.kinds
        ],
        "other_runs": list(traces.other_runs),
        "removed": None if removed is None else asdict(removed),
    }  # fmt: skip
