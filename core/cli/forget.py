"""Which samples a command means: options for classes, lists and random shares, turned into one selection."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from core.cli.options import number, path_option
from core.errors import UsageError

if TYPE_CHECKING:
    from core.cli.output import Screen
    from core.data.dataset import Dataset
    from core.models.checkpoint import OpenedModel
    from core.selection import Selection


def add_forget(parser: argparse.ArgumentParser, *, looking: bool = False) -> None:
    """Add --forget-class, --forget-samples and --forget-random; the last not to commands that are only `looking`."""
    group = parser.add_argument_group("forget set, for what lies near it" if looking else "forget set")
    _add_classes(group, "--forget-class", "class to forget, by name or index; several, and repeatable")
    _add_samples(group, "--forget-samples", "forget list: one sample a line, by index, path or file name")
    if looking:
        parser.set_defaults(forget_random=None)
        return
    group.add_argument(
        "--forget-random", type=number(0, 1, inside=True), metavar="FRACTION",
        help="forget this share of the training images, drawn with --seed",
    )  # fmt: skip


def add_exclude(parser: argparse.ArgumentParser) -> None:
    """Add --exclude-class and --exclude-samples."""
    group = parser.add_argument_group("left out, for a retrained reference")
    _add_classes(group, "--exclude-class", "class to train without, by name or index; several, and repeatable")
    _add_samples(group, "--exclude-samples", "forget list of the samples to train without")


def forget_selection(options: argparse.Namespace, dataset: Dataset, screen: Screen) -> Selection:
    """Return what --forget-… chooses; empty where no such option is given.

    Raises AppErrors for unknown classes, lines of a list that match nothing, and options that exclude each other.
    """
    if options.forget_random is not None:
        from core.session.forget_sets import random_selection

        return random_selection(dataset, options.forget_random, options.seed)
    return _named(options.forget_class, options.forget_samples, options.allow_missing, dataset, screen)


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


def exclude_selection(options: argparse.Namespace, dataset: Dataset, screen: Screen) -> Selection:
    """Return what --exclude-… chooses; empty where no such option is given."""
    return _named(options.exclude_class, options.exclude_samples, options.allow_missing, dataset, screen)


def check_forget_options(options: argparse.Namespace, *, required: bool) -> None:
    """Raise UsageError for a combination that cannot be meant, before anything is opened."""
    chosen = bool(options.forget_class or options.forget_samples)
    if options.forget_random is not None and chosen:
        raise UsageError(
            "--forget-random cannot be combined with --forget-class or --forget-samples", "Choose one of the two ways"
        )
    if required and not chosen and options.forget_random is None:
        raise UsageError("Nothing to forget was named", "Add --forget-class, --forget-samples or --forget-random")


def _add_classes(group: argparse._ActionsContainer, name: str, text: str) -> None:
    group.add_argument(name, nargs="+", action="extend", default=[], metavar="C", help=text)


def _add_samples(group: argparse._ActionsContainer, name: str, text: str) -> None:
    group.add_argument(name, default="", metavar="FILE", help=text)
    group.add_argument("--allow-missing", action="store_true", help="pass over lines of the list that match nothing")


def _named(classes: list[str], file: str, allow_missing: bool, dataset: Dataset, screen: Screen) -> Selection:
    from core.session.forget_sets import named_selection

    path = path_option(file) if file else None
    return named_selection(dataset, classes, path, allow_missing=allow_missing, notice=screen.notice)
