"""The commands that list: `methods`, `datasets`, `architectures`, the `runs` of a folder, and what is `kept` of one."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from core.cli.options import path
from core.cli.output import Screen, bytes_text, facts, shown, table, wrapped
from core.errors import RunError
from core.files import runs_home
from core.runs.folder import RunFolder, list_runs
from core.session.library import describe_run
from core.verify.numbers import DASH, count, percent, plural

if TYPE_CHECKING:
    from core.methods.base import Method
    from core.session.kept import Traces


def declare_methods(parser: argparse.ArgumentParser) -> None:
    """Declare what `methods` takes."""
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="show one method in full")


def run_methods(given: argparse.Namespace, screen: Screen) -> int:
    """List or show methods."""
    from core.methods import get_method, methods, plugged

    chosen = [get_method(given.name)] if given.name else list(methods().values())
    for left_out in plugged().left_out:
        screen.notice(f"warning: {left_out.text}")
    screen.say("\n\n".join(_in_full(method) if given.name else _in_short(method) for method in chosen))
    if not given.name:
        screen.say("\n`methods NAME` lists the parameters of one.")
    screen.document([_described(method) for method in chosen])
    return 0


def _described(method: Method) -> dict[str, Any]:
    """Return what is declared of a method as plain data."""
    from core.methods import plugged

    return {
        **{name: getattr(method, name) for name in _DECLARED},
        **{name: sorted(getattr(method, name)) for name in ("suits", "needs", "trained_on")},
        "plugin": plugged().origins.get(method.id),
        "search": method.searched,
        "parameters": [{**asdict(p), "title": p.label, "rule": p.rule} for p in method.parameters],
        "presets": [{**asdict(preset), "suits": sorted(preset.suits & method.suits)} for preset in method.presets],
    }


_DECLARED = ("id", "title", "summary", "citation", "status", "starts_from", "honours_weights", "shared", "notes")


def _in_short(method: Method) -> str:
    """Return a method's name, summary, status and presets."""
    from core.methods import plugged

    suits, package = " and ".join(sorted(method.suits)), plugged().origins.get(method.id)
    presets = f"; presets: {', '.join(preset.name for preset in method.presets)}" if method.presets else ""
    origin = f"; from the package {package}" if package else ""
    paragraphs = (method.summary, f"{method.status}; for {suits} forgetting{presets}{origin}")
    return "\n".join([f"{method.id}  {method.title}", *(wrapped(text, "  ") for text in paragraphs)])


def _in_full(method: Method) -> str:
    """Return all that is declared of a method: source, notes, presets and parameters with their defaults."""
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
            values = " ".join(f"{name}={_value(value)}" for name, value in preset.values.items())
            rows += [(preset.name, preset.reason), ("", values or "the defaults")]
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
    from core.data.named import SOURCES

    rows = [
        {
            **{name: getattr(source, name) for name in ("id", "title", "summary", "classes", "channels", "size")},
            "available": source.available(given.data_root),
            "folder": source.find(given.data_root) if source.folders else None,
        }
        for source in SOURCES
    ]
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
    from core.models.settings import SETTINGS

    rows = [
        {**{name: getattr(architecture, name) for name in _BUILT}, "in_channels": None}  # any number
        for architecture in architectures()
    ]
    header = ("name", "architecture", "made for", "smallest")
    cells = ((r["id"], r["title"], " × ".join(map(str, r["default_size"])), str(r["min_size"])) for r in rows)
    screen.say(table(header, cells, left=2))
    screen.say("\nChanged networks are named with settings, as in resnet18:stem=3,stride=2,pool=max:")
    screen.say(facts([(name, f"{setting.help} ({setting.rule})") for name, setting in SETTINGS.items()], "  "))
    screen.document(rows)
    return 0


ALL = "all"
"""What --remove takes in place of names: everything that can be removed."""


def declare_runs(parser: argparse.ArgumentParser) -> None:
    """Declare what `runs` takes."""
    parser.add_argument(
        "folder", nargs="?", type=path, metavar="DIR", help="default: where the window keeps its runs"
    )


def run_runs(given: argparse.Namespace, screen: Screen) -> int:
    """List the runs of DIR, newest first."""
    folder = given.folder or runs_home()
    folders = [] if not given.folder and not folder.is_dir() else list_runs(folder)
    rows = [describe_run(run) for run in folders]
    if rows:
        header = ("run", "state", "method", "forget set", "retain-test", "forget-test", "verdict", "made")
        screen.say(table(header, map(_cells, rows), left=4))
        for row in rows:
            if row["state"] == "interrupted" and row["error"]:
                screen.say(f"{row['run']}: {row['error']}")
    else:
        screen.say(f"There are no runs in {shown(folder)}.")
    screen.document(rows)
    return 0


def _cells(row: dict[str, Any]) -> list[str]:
    """Return the cells of a run in the table of `runs`."""
    import datetime
    import platform

    if row["state"] == "damaged":
        return [row["run"], "damaged", DASH, DASH, DASH, DASH, DASH, DASH]
    state = row["state"]
    if state not in ("finished", "queued") and row["steps"]:
        state += f" at {count(row['step'])} of {count(row['steps'])}"
    if row["host"] and row["host"] != platform.node():
        state += f" on {row['host']}"
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
    parser.add_argument(
        "--sign", type=path, metavar="KEY",
        help="sign the note on what was removed with this SSH key, so that `verify-report --signers` accepts it",
    )  # fmt: skip


def run_kept(given: argparse.Namespace, screen: Screen) -> int:
    """List what is kept of the run's forget images, or delete what --remove names and list what is left."""
    from core.session.kept import remove_kept, what_is_kept
    from core.session.report_files import check_key, sign_removals

    folder, removed = RunFolder.open(given.run), None
    if given.sign is not None:
        check_key(given.sign)
    if given.remove:
        removable = [kind.id for kind in what_is_kept(folder).removable]
        removed = remove_kept(folder, removable if ALL in given.remove else given.remove)
        screen.say(f"Removed {plural(removed.files, 'file')} ({bytes_text(removed.bytes)}).\n")
    if given.sign is not None:
        sign_removals(folder, given.sign)
    traces = what_is_kept(folder)
    screen.say(_kept_text(traces))
    screen.document({"run": str(folder.path), **asdict(traces), "removed": removed})
    if removed is not None and removed.failed:
        raise RunError(f"Not deleted: {'; '.join(removed.failed)}", "Check permissions, and close what uses them")
    return 0


def _kept_text(traces: Traces) -> str:
    """Lay out the kinds of what is kept, and what is lost by removing each."""
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
