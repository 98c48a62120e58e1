"""`batch`: several forget sets, methods and seeds as one queue, from a TOML file; results as one table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.cli import options
from core.cli.options import path, target
from core.cli.output import Loading, RunProgress, Screen, facts, shown, table
from core.cli.running import stop_on_interrupt
from core.errors import UsageError
from core.text import named
from core.verify.numbers import DASH, count, duration, percent, plural

if TYPE_CHECKING:
    from core.engine.control import Control
    from core.session.batch import BatchRun, Row


def declare_batch(parser: argparse.ArgumentParser) -> None:
    """Declare what `batch` takes."""
    parser.add_argument("file", type=path, metavar="FILE", help="the batch file (TOML); the guide shows one")
    parser.add_argument(
        "--csv", type=target, metavar="FILE", help="write means over seeds as CSV, a row a method and forget set"
    )
    parser.add_argument(
        "--out", required=True, type=target, metavar="DIR", help="a folder for the run folders and batch.json"
    )
    parser.add_argument(
        "--on", default="", metavar="CLUSTER",
        help="do the runs beside each other on a cluster of Dask: dask://HOST:PORT of a scheduler, or dask://local/N "
        "(workers on this machine)",
    )  # fmt: skip
    parser.add_argument(
        "--only", type=options.number(1, whole=True), metavar="N",
        help="do the Nth run alone, as an array of jobs does; the same command without it makes the table of all",
    )  # fmt: skip
    options.add_table(parser)
    options.add_trust(parser)


def run_batch(given: argparse.Namespace, screen: Screen) -> int:
    """Do all runs of FILE."""
    from core.files import write_atomic
    from core.session.batch import HEADER, BatchRun, csv_text, grouped, results_block
    from core.session.batch_file import read_batch
    from core.verify.shown import write_tables

    options.check_table(given)
    batch = read_batch(given.file)
    if given.on and given.only is not None:
        raise UsageError("--only is for one process, and --on for a cluster", "Use one of them")
    if given.only is not None and given.only > (total := len(batch.items())):
        raise UsageError(f"There is no run {given.only}: the batch has {plural(total, 'run')}")
    with stop_on_interrupt(screen) as control:
        going = BatchRun(
            batch, given.out, control, options.bench_option(given, Loading(screen), lambda: control.ending)
        )
        options.tell_notices(going.bench, screen)
        options.tell_proof(going.bench, screen)
        if given.on:
            _on_cluster(going, given, control, screen)
        else:
            _one_by_one(going, given.only, control, screen)
        going.write()
    groups, document = grouped(going.rows), going.document()
    screen.say(f"\n{rows_text(going.rows)}\n")
    if len(groups) < len(going.rows):
        screen.say(f"Means over seeds\n\n{table(HEADER, [group.cells() for group in groups], left=2)}\n")
    outcomes = ", ".join(f"{count(number)} {outcome}" for outcome, number in document["counts"].items() if number)
    screen.say(facts([("Runs", f"{plural(len(going.rows), 'run')}: {outcomes}"), ("Folder", shown(given.out))]))
    if given.csv is not None:
        write_atomic(given.csv, csv_text(groups).encode())
        screen.say(f"CSV     {shown(given.csv)}")
    if given.table is not None:
        write_tables(given.table, [results_block(groups)])
        screen.say(f"Table   {shown(given.table)}")
    screen.document(document)
    return going.exit_code(given.only)


def _one_by_one(going: BatchRun, only: int | None, control: Control, screen: Screen) -> None:
    """Do the runs of a batch one after the other, or one alone."""
    total = len(going.items)
    for number, item in enumerate(going.items):
        if control.ending:
            break
        if only not in (None, number + 1):
            continue
        screen.say(f"\n[{count(number + 1)} of {count(total)}] {named(item.name)}")
        row = going.step(number, RunProgress(screen))
        screen.end_line()
        if row.outcome == "failed":
            screen.notice(f"{item.name} failed: {row.error}")
        elif row.outcome == "skipped":
            screen.say("already finished; skipped")


def _on_cluster(going: BatchRun, given: argparse.Namespace, control: Control, screen: Screen) -> None:
    """Do the runs of a batch on a cluster, and say of each that ends where it ran."""
    from core.launch.cluster import run_on_cluster

    total, done = len(going.items), 0

    def told(row: Row, host: str) -> None:
        nonlocal done
        done += 1
        where = f" on {host}" if host else ""
        screen.say(f"[{count(done)} of {count(total)}] {named(row.run)}: {row.outcome}{where}")
        if row.outcome == "failed":
            screen.notice(f"{row.run} failed: {row.error}")

    run_on_cluster(going, given.on, going.bench.trust, control, told)


def rows_text(rows: Sequence[Row]) -> str:
    """Lay out the runs of a batch, one a line."""
    from core.session.batch import SHOWN

    def line(row: Row) -> list[str]:
        values = [percent((row.measures or {}).get(key)) for key, _ in SHOWN]
        return [row.run, row.outcome, *values, duration(row.seconds), (row.verdict or DASH).replace("_", " ")]

    header = ["run", "outcome", *(title for _, title in SHOWN), "time", "verdict"]
    return table(header, map(line, rows), left=2)
