"""Which samples a command means: options for classes, lists and random shares, turned into one selection."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from core.cli.options import number, path
from core.errors import UsageError

if TYPE_CHECKING:
    from core.cli.output import Screen
    from core.data.dataset import Dataset
    from core.models.checkpoint import OpenedModel
    from core.selection import Selection


def add_forget(parser: argparse.ArgumentParser, title: str = "forget set", *, random: bool = True) -> None:
    """Add --forget-class, --forget-samples and, with `random`, --forget-random."""
    group = _add_named(parser, title, "forget", "forget")
    if random:
        group.add_argument(
            "--forget-random", type=number(0, 1, inside=True), metavar="FRACTION",
            help="forget this share of the training images, drawn with --seed",
        )  # fmt: skip


def add_exclude(parser: argparse.ArgumentParser) -> None:
    """Add --exclude-class and --exclude-samples."""
    _add_named(parser, "left out, for a retrained reference", "exclude", "train without")


def _add_named(
    parser: argparse.ArgumentParser, title: str, prefix: str, verb: str
) -> argparse._ArgumentGroup:
    parser.set_defaults(forget_random=None)
    group = parser.add_argument_group(title)
    group.add_argument(
        f"--{prefix}-class", nargs="+", action="extend", default=[], dest="forget_class", metavar="C",
        help=f"class to {verb}, by name or index; several, and repeatable",
    )  # fmt: skip
    group.add_argument(
        f"--{prefix}-samples", type=path, dest="forget_samples", metavar="FILE",
        help=f"list of samples to {verb}: one a line, by index, path or file name",
    )  # fmt: skip
    group.add_argument("--allow-missing", action="store_true", help="pass over lines of the list that match nothing")
    return group


def forget_selection(options: argparse.Namespace, dataset: Dataset, screen: Screen) -> Selection:
    """Return what --forget-… or --exclude-… chooses; empty where no such option is given.

    Raises AppErrors for unknown classes, and lines of a list that match nothing.
    """
    from core.session.forget_sets import named_selection, random_selection

    if options.forget_random is not None:
        return random_selection(dataset, options.forget_random, options.seed)
    return named_selection(
        dataset, options.forget_class, options.forget_samples, allow_missing=options.allow_missing, notice=screen.notice
    )


def with_earlier(model: OpenedModel, asked: Selection, dataset: Dataset, screen: Screen) -> Selection:
    """Return the forget set together with those of the runs that made the model, and say so where there are any.

    Raises InputError or MismatchError where the earlier images cannot be named any more.
    """
    from core.session.chain import chain_of, unknown_requests

    asked.check()
    chain = chain_of(model.path, dataset)
    if chain is None:
        if warning := unknown_requests(model.card, model.path):
            screen.notice(warning)
        return asked
    together, before = chain.joined(asked), int(chain.mask.sum())
    images = f"the {before:,} {'image' if before == 1 else 'images'} it forgot"
    if together.count == before:
        screen.notice(f"This model is the result of an earlier run, and {images} already hold all that is asked for.")
    elif together.count != asked.count:
        screen.notice(f"This model is the result of an earlier run: {images} already stay forgotten and count as well.")
    return together


def check_forget_options(options: argparse.Namespace, *, required: bool) -> None:
    """Raise UsageError for a combination that cannot be meant, before anything is opened."""
    chosen = bool(options.forget_class or options.forget_samples)
    if options.forget_random is not None and chosen:
        raise UsageError(
            "--forget-random cannot be combined with --forget-class or --forget-samples", "Choose one of the two ways"
        )
    if required and not chosen and options.forget_random is None:
        raise UsageError("Nothing to forget was named", "Add --forget-class, --forget-samples or --forget-random")
