"""The command `suspects`: training images that may not be as they should be, as a list to look through."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import options
from core.cli.output import Loading, Screen, shown, table, wrapped
from core.errors import InputError, UsageError
from core.suspicion import KINDS
from core.text import named
from core.verify.numbers import DASH, count, plural, ratio

_SHOWN = 12  # rows of the table


def declare_suspects(parser: argparse.ArgumentParser) -> None:
    """Declare what `suspects` takes."""
    options.add_model(parser)
    options.add_data(parser)
    group = parser.add_argument_group("suspects")
    group.add_argument(
        "--by", default="label", type=options.one_of(KINDS), metavar="KIND",
        help=f"what speaks against them: {'; '.join(f'{kind}: {words}' for kind, words in KINDS.items())} "
        "(default: label)",
    )  # fmt: skip
    group.add_argument(
        "--count", type=options.number(1, whole=True), metavar="N",
        help="how many are listed (default: those the method takes for wrong)",
    )  # fmt: skip
    group.add_argument(
        "--out", type=options.target, metavar="FILE",
        help="write them as a forget list to look through; delete the rows of images that are as they should be",
    )  # fmt: skip
    group.add_argument(
        "--trigger", type=options.target, metavar="FILE", help="write the patch that was found, for `unlearn --trigger`"
    )
    options.add_machine(parser)
    options.add_trust(parser)


def run_suspects(given: argparse.Namespace, screen: Screen) -> int:
    """List suspects of --dataset as --model sees them."""
    from core.session.proof import weigh
    from core.session.suspects import find_suspects, listed, write_suspects, write_trigger

    if given.trigger and given.by != "trigger":
        raise UsageError("--trigger writes the patch that is looked for with --by trigger", "Add --by trigger")
    loading = Loading(screen)
    bench = options.open_both(given, loading)
    options.tell_notices(bench, screen)
    doubts = weigh(bench, bench.model, bench.outputs(bench.model)).doubts
    found = find_suspects(bench, given.by, loading)
    screen.end_line()
    for doubt in doubts:
        screen.notice(f"warning: {doubt}")
    dataset = bench.dataset
    most = min(given.count or listed(found), len(found.order))
    rows = found.rows(dataset, most)
    screen.say(wrapped(found.sentence))
    if rows:
        screen.say(f"\n{_text(rows)}")
    written: dict[str, str] = {}
    try:
        if given.out and rows:
            write_suspects(given.out, found, dataset, most)
            written["list"] = str(given.out)
        if given.trigger and found.trigger is not None:
            write_trigger(given.trigger, found.trigger)
            written["trigger"] = str(given.trigger)
    except OSError as error:
        what = f"{error.filename} cannot be written: {error.strerror or error}"
        raise InputError(what, "Choose another file") from error
    if "list" in written:
        number = plural(len(rows), "suspect")
        screen.say(f"\n{number} written to {shown(given.out)}. Look through them before you use it.")
    for wanted, name in ((given.out, "list"), (given.trigger, "trigger")):
        if wanted and name not in written:
            screen.notice(f"warning: Nothing was found, so {shown(wanted)} was not written.")
    if "trigger" in written:
        screen.say(f"The patch was written to {shown(given.trigger)}.")
    screen.document({
        "by": found.by, "likely": found.likely, "sentence": found.sentence, "suspects": rows, "warnings": list(doubts),
        "trigger": found.trigger and found.trigger.as_dict(), "written": written,
    })  # fmt: skip
    return 0


def _text(rows: list[dict[str, Any]]) -> str:
    """Lay out the first suspects: which image, its label, the suggested one, and how suspicious it is."""
    cells = [
        [row["path"] or str(row["index"]), named(row["class"]), named(row["suggested"]) if row["suggested"] else DASH,
         ratio(row["suspicion"])]
        for row in rows[:_SHOWN]
    ]  # fmt: skip
    more = f"\nand {count(len(rows) - _SHOWN)} more (--out FILE, or all with --json)" if len(rows) > _SHOWN else ""
    return table(["image", "label", "suggested", "suspicion"], cells, left=3) + more
