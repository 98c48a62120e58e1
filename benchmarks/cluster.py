"""A batch of twelve runs on a cluster of two workers beside the same batch one by one: what differs in a bit.

python -m benchmarks.cluster [--quick] [--json]

A small network on the digits, three methods, two forget sets, two seeds, each result checked against a retrained model
that runs with the same forget set share. On the cluster a worker is killed once half of the runs have ended. --quick:
four runs. Seconds are by the clock; a run here takes less than its process takes to start.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import arguments, report
from core.engine.control import Control
from core.launch.cluster import run_on_cluster
from core.models.trust import NO_TRUST
from core.session.batch import BatchRun, csv_text, grouped
from core.session.batch_file import read_batch
from core.session.bench import Bench
from core.session.training import train

BATCH = """
model = "original"
dataset = "digits"
seeds = "1-2"
device = "cpu"
precision = "float32"
threads = 1
retrained = "1"
accept_accuracy = true
{forgets}
{methods}"""
METHODS = {"finetune": "set = { epochs = 1 }\n", "muda": "", "scrub": ""}
FORGET = '[[forget]]\nname = "class-{0}"\nclasses = ["{0}"]\n\n'


def main() -> None:
    """Do the batch both ways and print what differs."""
    options = arguments((__doc__ or "").splitlines()[0])
    with tempfile.TemporaryDirectory() as folder:
        few = (("3",), ("finetune", "muda"))
        figures = compare(Path(folder), *(few if options.quick else (("3", "5"), tuple(METHODS))))
    rows = [("", "one by one", "cluster of two")]
    rows += [("runs with a result", *(str(figures[f"{way}_finished"]) for way in ("serial", "cluster")))]
    rows += [("seconds", *(f"{figures[f'{way}_seconds']:.0f}" for way in ("serial", "cluster")))]
    rows += [("workers killed", "", str(figures["workers_killed"]))]
    rows += [("rows that differ in a bit", "", str(figures["rows_that_differ"]))]
    report(f"A batch of {figures['runs']} runs", figures, rows, options)


def compare(folder: Path, classes: Sequence[str], methods: Sequence[str]) -> dict[str, Any]:
    """Do a batch of two seeds one by one and on a cluster that loses a worker; returns the figures."""
    os.environ["UNLEARN_STUDIO_HOME"] = str(folder / "home-serial")
    train(folder / "original", Bench().with_data("digits").on("cpu", "float32", 1), "small-cnn", Control(),
          lambda event: None, recipe={"epochs": 4})  # fmt: skip
    text = BATCH.format(
        forgets="".join(FORGET.format(name) for name in classes),
        methods="".join(f'[[method]]\nid = "{name}"\n{METHODS[name]}\n' for name in methods),
    )
    (folder / "batch.toml").write_text(text)
    serial, seconds = _timed(folder, "serial", lambda going: [going.step(n, _nobody) for n in range(len(going.items))])
    os.environ["UNLEARN_STUDIO_HOME"] = str(folder / "home-cluster")  # nothing that was measured is found again
    killed: list[int] = []

    def told(row: object, host: str) -> None:
        ended = sum(one.outcome != "waiting" for one in cluster_run.rows)
        if not killed and ended >= len(cluster_run.rows) // 2:
            killed.append(kill_a_worker())

    cluster_run = BatchRun(read_batch(folder / "batch.toml"), folder / "cluster", Control())
    began = time.perf_counter()
    run_on_cluster(cluster_run, "dask://local/2", NO_TRUST, Control(), told)
    cluster_seconds = time.perf_counter() - began
    differ = sum(_of(one) != _of(other) for one, other in zip(serial.rows, cluster_run.rows, strict=True))
    return {
        "runs": len(serial.rows),
        "rows_that_differ": differ + (_table(serial) != _table(cluster_run)),
        "workers_killed": len(killed),
        "serial_finished": sum(row.outcome == "finished" for row in serial.rows),
        "cluster_finished": sum(row.outcome == "finished" for row in cluster_run.rows),
        "serial_seconds": round(seconds, 1),
        "cluster_seconds": round(cluster_seconds, 1),
    }


def kill_a_worker() -> int:
    """Kill a worker of the cluster that this process has started; returns its process."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            mine = int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid()
            command = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if mine and b"spawn_main" in command and b"resource_tracker" not in command:
            os.kill(int(stat.parent.name), signal.SIGKILL)
            return int(stat.parent.name)
    raise SystemExit("no worker was found to kill")


def _timed(folder: Path, name: str, work: Callable[[BatchRun], object]) -> tuple[BatchRun, float]:
    going = BatchRun(read_batch(folder / "batch.toml"), folder / name, Control())
    began = time.perf_counter()
    work(going)
    return going, time.perf_counter() - began


def _of(row: Any) -> tuple[Any, ...]:
    """Return what of a row does not depend on the clock."""
    return row.run, row.forget, row.method, row.seed, row.outcome, row.measures, row.verdict, row.error


def _table(going: BatchRun) -> list[str]:
    """Return the table of means over seeds without its times."""
    lines = [line.split(",") for line in csv_text(grouped(going.rows)).splitlines()]
    timed = [index for index, name in enumerate(lines[0]) if name.startswith("seconds")]
    return [",".join(cell for index, cell in enumerate(line) if index not in timed) for line in lines]


def _nobody(event: object) -> None:
    """Tell nobody."""


if __name__ == "__main__":
    main()
