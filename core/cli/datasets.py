"""`datasets`: the data sets known by name, and whether they are on this machine."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import options
from core.cli.output import Screen, table
from core.verify.numbers import count

SUMMARY = "List the data sets known by name. Your own images are named by path instead."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `datasets` takes."""
    parser.add_argument("--data-root", default="", metavar="DIR", help="where they are looked for first")
    options.add_output(parser)


def run(given: argparse.Namespace, screen: Screen) -> int:
    """List the catalogue."""
    from core.data.sources import catalogue

    root = options.path_option(given.data_root) if given.data_root else None
    rows: list[dict[str, Any]] = []
    for source in catalogue():
        found = source.find(root) if source.folders else None
        rows.append(
            {
                "id": source.id,
                "title": source.title,
                "summary": source.summary,
                "classes": source.classes,
                "channels": source.channels,
                "size": list(source.size),
                "available": source.available(root),
                "folder": str(found) if found else None,
            }
        )
    header = ("name", "data set", "on this machine", "classes", "channels", "size")
    cells = (
        (r["id"], f"{r['title']}. {r['summary']}", "yes" if r["available"] else "no", count(r["classes"]),
         str(r["channels"]), " × ".join(map(str, r["size"])))
        for r in rows
    )  # fmt: skip
    screen.say(table(header, cells, left=3))
    screen.document(rows)
    return 0
