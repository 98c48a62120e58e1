"""`architectures`: the network designs known by name."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import options
from core.cli.output import Screen, table

SUMMARY = "List the architectures known by name. Your own is given as FILE.py:FACTORY."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `architectures` takes."""
    options.add_output(parser)


def run(given: argparse.Namespace, screen: Screen) -> int:
    """List the registry."""
    from core.models.architectures import architectures

    rows: list[dict[str, Any]] = [
        {
            "id": one.id,
            "title": one.title,
            "summary": one.summary,
            "family": one.family,
            "default_size": list(one.default_size),
            "min_size": one.min_size,
            "in_channels": None if one.in_channels is None else list(one.in_channels),
        }
        for one in architectures()
    ]
    header = ("name", "architecture", "made for", "smallest")
    cells = ((r["id"], r["title"], " × ".join(map(str, r["default_size"])), str(r["min_size"])) for r in rows)
    screen.say(table(header, cells, left=2))
    screen.document(rows)
    return 0
