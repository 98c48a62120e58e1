"""What a shell needs to complete subcommands, options, names and files: a script, made from the program's parsers."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

import shtab

from core.cli import COMMANDS, LISTED, parser_of
from core.cli.options import path, target
from core.program import NAME

_FILES = ("FILE", "DIR", "PATH", "FOLDER")  # values of these names are files or folders


def script(shell: str, program: argparse.ArgumentParser) -> str:
    """Return the script for "bash", "zsh" or "fish".

    program: the parser of what stands before a subcommand. Methods, data sets and architectures are offered as they
    are known now, those of plug-ins with them.
    """
    root = argparse.ArgumentParser(prog=NAME, add_help=False)
    for action in program._actions:
        if action.option_strings:
            root._add_action(_completed(action, {}, shell))
    subcommands = root.add_subparsers(metavar="SUBCOMMAND")
    names = _names()
    for name in LISTED:
        summary = COMMANDS[name].summary.partition(". ")[0]
        parser = subcommands.add_parser(name, parents=[parser_of(name)], add_help=False, help=summary)
        for action in parser._actions:
            _completed(action, names | ({"name": names["method"]} if name == "methods" else {}), shell)
    text = shtab.complete(root, shell)
    # Where no subcommand is meant, a path stands in its place: Bash takes files for what the script has no words for.
    return text.replace("\ncomplete -o", "\ncomplete -o default -o") if shell == "bash" else text


def _names() -> dict[str, Sequence[str]]:
    """Return the names that options take, by what their value is stored as."""
    from core.data.named import SOURCES
    from core.methods import methods
    from core.models.architectures import architectures

    return {
        "method": list(methods()),
        "dataset": [source.id for source in SOURCES],
        "arch": [architecture.id for architecture in architectures()],
    }


def _completed(action: argparse.Action, names: Mapping[str, Sequence[str]], shell: str) -> argparse.Action:
    """Say of an option or argument what its values are; returns it."""
    if isinstance(action.choices, dict):  # which shtab takes for subcommands
        action.choices = list(action.choices)
    if action.dest in ("dataset", "arch") and action.dest in names:  # a name, or a file or folder
        words = " ".join(names[action.dest])
        if shell == "bash":
            action.choices = [*names[action.dest], shtab.Choice("file")]
        else:
            action.complete = {  # type: ignore[attr-defined]
                "zsh": f"{{compadd -- {words}; _files}}",
                "fish": f"(string split ' ' '{words}'; __fish_complete_path (commandline -ct))",
            }
    elif known := names.get(action.dest) or getattr(action.type, "names", None):
        action.choices = known
    elif action.type in (path, target) or action.metavar in _FILES:
        action.complete = shtab.FILE  # type: ignore[attr-defined]
    return action
