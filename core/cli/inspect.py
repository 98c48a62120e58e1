"""`inspect`: says what a file or a folder is: model, data set, run, forget list or report."""

from __future__ import annotations

import argparse

from core.cli import forget, options
from core.cli.output import Screen, facts
from core.cli.progress import Loading
from core.errors import UsageError

SUMMARY = "Say what a file or folder is: model, data set, run, forget list, report or batch file."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `inspect` takes."""
    parser.add_argument("path", metavar="PATH", help="a file, a folder, or the name of a data set")
    options.add_architecture(parser.add_argument_group("model"))
    options.add_data_options(parser.add_argument_group("data"))
    forget.add_chosen(parser)
    near = parser.add_argument_group("what lies near the forget set")
    near.add_argument("--model", default="", metavar="M", help="the model whose features and head are asked as well")
    near.add_argument(
        "--with-similar", default="", metavar="FILE",
        help="write a forget list: the forget set, and kept images that look almost the same",
    )  # fmt: skip
    options.add_trust(parser)
    options.add_output(parser)


def run(given: argparse.Namespace, screen: Screen) -> int:
    """Describe PATH, or where a forget set is named what lies near it in the data."""
    from core.session.inspecting import inspect

    if given.forget_class or given.forget_samples:
        from core.cli.near import run_near

        return run_near(given, screen)
    if given.with_similar or given.model:
        raise UsageError(
            "--model and --with-similar are about a forget set", "Name one with --forget-class or --forget-samples"
        )

    found = inspect(
        given.path, options.data_options(given), arch=options.architecture_option(given),
        trust_pickle=given.trust_pickle, trust_code=given.trust_code, progress=Loading(screen),
    )  # fmt: skip
    screen.end_line()
    screen.say(f"{found.title}\n\n{facts(found.facts)}")
    screen.document(found.as_dict())
    return 0
