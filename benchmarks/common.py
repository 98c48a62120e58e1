"""What every benchmark shares: arguments, the machine in words, a table or one JSON document."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from core.job import Job
    from core.runs.folder import RunFolder
    from core.selection import Selection
    from core.session.bench import Bench


def arguments(description: str, **switches: str) -> argparse.Namespace:
    """Read --quick and --json, and the benchmark's own switches, which are given with their help."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="shorter, for a look; figures are rougher")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    for name, help_text in switches.items():
        parser.add_argument(f"--{name}", action="store_true", help=help_text)
    return parser.parse_args()


def machine() -> dict[str, Any]:
    """Describe the machine in a few words."""
    found: dict[str, Any] = {
        "system": platform.platform(terse=True),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
    }
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        found["torch"] = torch.__version__
        found["threads"] = torch.get_num_threads()
        found["gpu"] = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return found


def report(title: str, figures: dict[str, Any], rows: Sequence[Sequence[str]], options: argparse.Namespace) -> None:
    """Print a table, or with --json the figures."""
    if options.json:
        print(json.dumps({"machine": machine(), "figures": figures}, indent=2))
        return
    print(f"{title}\n")
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))
    print("\n" + ", ".join(f"{key} {value}" for key, value in machine().items() if value is not None))


def quiet(_event: Any) -> None:
    """Take an event of a run or check and tell nothing of it."""


def finish(folder: RunFolder, job: Job, chosen: Selection, bench: Bench) -> None:
    """Do a run, or what is left of it; nothing of one that is done."""
    from core.engine.control import Control
    from core.session.jobs import create_run
    from core.session.running import run

    if not folder.exists:
        create_run(folder.path, job, chosen, bench.dataset)
    run(folder, Control(), quiet, bench=bench, resume=True)


def now(device: torch.device) -> float:
    """Return the seconds of a clock: of processor time for work on the CPU, else by the clock once a GPU is done."""
    import torch

    if device.type == "cpu":
        return time.process_time()
    (torch.cuda if device.type == "cuda" else torch.mps).synchronize()
    return time.perf_counter()


def seconds_of(step: Callable[[], object], steps: int, device: torch.device) -> float:
    """Return the seconds that one call of `step` takes, of so many in a row."""
    began = now(device)
    for _ in range(steps):
        step()
    return (now(device) - began) / steps


def interleaved(first: Callable[[], float], second: Callable[[], float], rounds: int) -> tuple[float, float, float]:
    """Time two things in turn and return the medians in seconds and the median of the ratios first/second.

    In turn and in one process, because timings on a shared machine drift by more than what is measured.
    """
    pairs = []
    for _ in range(rounds):
        pairs.append((first(), second()))
    ratio = statistics.median(a / b for a, b in pairs)
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), ratio


def peak_of(work: Callable[[], Any]) -> float:
    """Return by how many bytes of anonymous memory `work` went above what there was before, at its highest."""
    start, highest, done = anonymous_memory(), 0, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.005):
            highest = max(highest, anonymous_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return float(max(0, highest - start))


def on_ranks(work: Callable[[Path], Any], folder: Path, ranks: int = 2) -> tuple[Any, list[int | None]]:
    """Have processes share what `work`, a function of a module, does, as torchrun starts them; they meet by gloo.

    Return what the first of them gets from it, and how each has ended. `folder`: where that is handed over.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    started = [context.Process(target=_join, args=(rank, ranks, port, work, folder)) for rank in range(ranks)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    import torch

    return torch.load(folder / "rank-0.pt", weights_only=False), [process.exitcode for process in started]


def _join(rank: int, ranks: int, port: int, work: Callable[[Path], Any], folder: Path) -> None:
    import torch

    from core import distributed

    told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks, "MASTER_PORT": port}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", **{name: str(value) for name, value in told.items()}}
    torch.set_num_threads(1)
    with distributed.joined():
        torch.save(work(folder), folder / f"rank-{rank}.pt")


def anonymous_memory() -> int:
    """Return how many bytes of memory this process holds that no file stands behind."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return 1024 * int(fields["RssAnon"].split()[0])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
