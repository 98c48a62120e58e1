"""`methods`, `datasets`, `architectures`: what the program knows by name."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from core.cli.options import path
from core.cli.output import Screen, facts, table, wrapped
from core.verify.numbers import count

if TYPE_CHECKING:
    from core.methods.base import Method


def declare_methods(parser: argparse.ArgumentParser) -> None:
    """Declare what `methods` takes."""
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="show one method in full")


def run_methods(given: argparse.Namespace, screen: Screen) -> int:
    """List or show methods."""
    from core.methods import METHODS, get_method

    chosen = [get_method(given.name)] if given.name else list(METHODS.values())
    if given.name:
        screen.say(_in_full(chosen[0]))
    else:
        screen.say("\n\n".join(_in_short(method) for method in chosen))
        screen.say("\n`methods NAME` lists the parameters of one.")
    screen.document([describe_method(method) for method in chosen])
    return 0


def describe_method(method: Method) -> dict[str, Any]:
    """Return what is declared of a method as plain data."""
    return {
        **{name: getattr(method, name) for name in _DECLARED},
        **{name: sorted(getattr(method, name)) for name in ("suits", "needs", "trained_on")},
        "search": [asdict(searched) for searched in method.searched],
        "parameters": [{**asdict(p), "title": p.label, "rule": p.rule} for p in method.parameters],
        "presets": [{**asdict(preset), "suits": sorted(preset.suits & method.suits)} for preset in method.presets],
    }


_DECLARED = ("id", "title", "summary", "citation", "status", "starts_from", "honours_weights", "notes")


def _in_short(method: Method) -> str:
    lines = [f"{method.id}  {method.title}", wrapped(method.summary, "  ")]
    suits = " and ".join(sorted(method.suits))
    presets = ", ".join(preset.name for preset in method.presets)
    facts_line = f"{method.status}; for {suits} forgetting" + (f"; presets: {presets}" if presets else "")
    lines.append(wrapped(facts_line, "  "))
    return "\n".join(lines)


def _in_full(method: Method) -> str:
    blocks = [_in_short(method)]
    if method.citation:
        blocks.append(f"Source: {method.citation}")
    uses = "used" if method.honours_weights else "not used"
    searched = ", ".join(s.name for s in method.searched) or "nothing"
    blocks.append(f"Weights of a forget list: {uses}. --tune varies: {searched}.")
    if method.notes:
        blocks.append("\n".join(wrapped(note, "  ") for note in method.notes))
    if method.presets:
        rows = []
        for preset in method.presets:
            rows.append((preset.name, preset.reason))
            values = " ".join(f"{name}={_value(value)}" for name, value in preset.values.items())
            rows.append(("", values or "the defaults"))
        blocks.append("Presets (--preset NAME)\n" + facts(rows, "  "))
    if method.parameters:
        rows = [
            (f"{p.name}={_value(p.default)}", f"{p.help} ({p.rule}{f', {p.unit}' if p.unit else ''})")
            for p in method.parameters
        ]
        blocks.append("Parameters (--set NAME=VALUE)\n" + facts(rows, "  "))
    return "\n\n".join(blocks)


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def declare_datasets(parser: argparse.ArgumentParser) -> None:
    """Declare what `datasets` takes."""
    parser.add_argument("--data-root", type=path, metavar="DIR", help="where they are looked for first")


def run_datasets(given: argparse.Namespace, screen: Screen) -> int:
    """List the catalogue."""
    from core.data.sources import catalogue

    rows: list[dict[str, Any]] = []
    for source in catalogue():
        folder = source.find(given.data_root) if source.folders else None
        rows.append({
            **{name: getattr(source, name) for name in ("id", "title", "summary", "classes", "channels", "size")},
            "available": source.available(given.data_root),
            "folder": str(folder) if folder else None,
        })  # fmt: skip
    header = ("name", "data set", "on this machine", "classes", "channels", "size")
    cells = (
        (r["id"], f"{r['title']}. {r['summary']}", "yes" if r["available"] else "no", count(r["classes"]),
         str(r["channels"]), " × ".join(map(str, r["size"])))
        for r in rows
    )  # fmt: skip
    screen.say(table(header, cells, left=3))
    screen.document(rows)
    return 0


_BUILT = ("id", "title", "summary", "family", "default_size", "min_size")


def declare_architectures(parser: argparse.ArgumentParser) -> None:
    """Declare what `architectures` takes."""


def run_architectures(given: argparse.Namespace, screen: Screen) -> int:
    """List the registry."""
    from core.models.architectures import architectures

    rows: list[dict[str, Any]] = [
        {
            **{name: getattr(architecture, name) for name in _BUILT},
            "in_channels": None,  # any number
        }
        for architecture in architectures()
    ]
    header = ("name", "architecture", "made for", "smallest")
    cells = ((r["id"], r["title"], " × ".join(map(str, r["default_size"])), str(r["min_size"])) for r in rows)
    screen.say(table(header, cells, left=2))
    screen.document(rows)
    return 0
