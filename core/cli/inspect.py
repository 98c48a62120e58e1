"""`inspect`: says what a file or a folder is: model, data set, run, forget list or report."""

from __future__ import annotations

import argparse

from core.cli import options
from core.cli.output import Screen, facts
from core.cli.progress import Loading

SUMMARY = "Say what a file or folder is: model, data set, run, forget list or report."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `inspect` takes."""
    parser.add_argument("path", metavar="PATH", help="a file, a folder, or the name of a data set")
    options.add_architecture(parser.add_argument_group("model"))
    options.add_data_options(parser.add_argument_group("data"))
    options.add_trust(parser)
    options.add_output(parser)


def run(given: argparse.Namespace, screen: Screen) -> int:
    """Describe PATH."""
    from core.session.inspecting import inspect

    found = inspect(
        given.path, options.data_options(given), arch=options.architecture_option(given),
        trust_pickle=given.trust_pickle, trust_code=given.trust_code, progress=Loading(screen),
    )  # fmt: skip
    screen.end_line()
    screen.say(f"{found.title}\n\n{facts(found.facts)}")
    screen.document(found.as_dict())
    return 0
