"""`compare`: runs side by side."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.options import path
from core.cli.output import Screen, shown, table, wrapped
from core.errors import UsageError

if TYPE_CHECKING:
    from core.verify.comparison import Run


def declare_compare(parser: argparse.ArgumentParser) -> None:
    """Declare what `compare` takes."""
    parser.add_argument("runs", nargs="+", type=path, metavar="RUN", help="folders of finished runs, two or more")
    parser.add_argument(
        "--html", type=path, metavar="FILE", help="write the comparison as one self-contained page"
    )


def run_compare(given: argparse.Namespace, screen: Screen) -> int:
    """Compare the runs' reports."""
    from core.files import write_atomic
    from core.verify.comparison import blocks, compare, render_comparison

    runs = _opened(given.runs)
    comparison = compare(runs)
    for text in comparison["differences"]:
        screen.notice(f"warning: {text}")
    for row in comparison["runs"]:
        code = row["verdict"]["code"] or "not checked"
        screen.say(f"{row['run']}: {row['title']}, seed {row['seed']}, {code}")
    for block in blocks(comparison):
        screen.say(f"\n{block.title}\n")
        screen.say(table(block.header, block.rows))
        if block.note:
            screen.say(wrapped(block.note))
    if given.html:
        write_atomic(given.html, render_comparison(comparison, _title(comparison)).encode())
        screen.say(f"\nPage  {shown(given.html)}")
    screen.document(comparison)
    return 0


def _opened(paths: list[Path]) -> list[Run]:
    """Read the runs' reports and jobs. Raises UsageError for fewer than two, InputError for one without a report."""
    from core.runs.folder import RunFolder
    from core.session.comparing import runs_of

    folders = [RunFolder.open(path) for path in paths]
    if len({folder.path.resolve() for folder in folders}) < max(2, len(folders)):
        raise UsageError("`compare` takes two or more different runs", "Name their folders")
    return runs_of(folders)


def _title(comparison: dict[str, Any]) -> str:
    methods = dict.fromkeys(str(run["title"]) for run in comparison["runs"])
    return " and ".join(methods) if len(methods) < 4 else f"{len(methods)} methods"
