"""Two processes that share a run against one: how far apart their losses and results are, and how fast they are.

    python -m benchmarks.ranks [--quick] [--json]

Each method runs on the digits on one process and on two (gloo, one thread each), in float32 and in float64. Rounding
alone drives two float32 runs apart: a unit that is 0 in one and not quite in the other changes a gradient, and large
steps make that grow. In float64 they stay together as long as both do the same. Rows marked * take steps so small that
little grows; there 1e-4 in the losses of the first 50 steps and 0.3 points of every final accuracy have to be kept in
float32. Then steps are timed on one process and on two, at the same batch. "exchanging" and "gathering" (of outputs and
of statistics) hold the wait for the other process; "processor time" is what both take together beside one, which other
programs on the machine hardly change.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.common import arguments, on_ranks, report
from benchmarks.speed import experiment, made_up
from core import distributed
from core.data.batches import Batch
from core.data.splits import SETS
from core.engine.control import Control
from core.engine.engine import Engine
from core.engine.experiment import Experiment
from core.engine.monitor import Unwatched
from core.engine.outputs import collect_full
from core.events import StepMetrics
from core.methods import METHODS
from core.metrics.accuracy import accuracy
from core.parameters import Values
from core.selection import Selection
from core.session.bench import Bench
from core.session.jobs import make_train_job, make_unlearn_job
from core.session.training import train

WARM = 2  # steps before the clock
LOOKED_AT = 50  # first steps whose losses are compared
CLOSE, POINTS = 1e-4, 0.3  # what two processes must keep on gentle settings
FORGET = "3"
TRAIN = {"epochs": 6, "batch": 128, "lr": 0.005}
GENTLE: dict[str, dict[str, Any]] = {
    "train": TRAIN,
    "muda": {},
    "scrub": {},
    "finetune": {"lr": 0.01},
}
EXCHANGES = ("all_gather", "all_reduce", "broadcast")
TIMED = (("small-cnn", 128, 100), ("resnet18-cifar", 128, 4))  # network, batch, steps


class Case(NamedTuple):
    """A method on a network; `gentle`: with the settings that are held to the limits."""

    method: str
    network: str
    settings: dict[str, Any]
    gentle: bool = False


def cases(quick: bool) -> list[Case]:
    """The four that are held to limits, with batch norm and without, then every method as it is offered."""
    held = [Case(name, net, GENTLE[name], True) for net in ("small-cnn", "mlp") for name in GENTLE]
    offered = [Case(name, "small-cnn", {}) for name, method in METHODS.items() if method.shared and name != "retrain"]
    return held if quick else [*held, *offered, Case("retrain", "small-cnn", TRAIN)]


def main() -> None:
    options = arguments(__doc__ or "")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for network in ("small-cnn", "mlp"):
            train(folder / network, _bench(), network, Control(), lambda event: None, recipe={"epochs": 12}, seed=0)
        compared = _compare(folder, cases(options.quick), options)
        timed = _time(folder, 1 if options.quick else 3, options)
    if not options.json:
        print()
    held = [figures for figures in compared.values() if figures["gentle"]]
    largest = {name: max(figures[name] for figures in held) for name in ("losses", "points")}
    if largest["losses"] > CLOSE or largest["points"] > POINTS:
        raise SystemExit(f"two processes are further from one than allowed: {largest}")
    if options.json:
        report("", {"methods": compared, "speed": timed}, [], options)


def _compare(folder: Path, chosen: list[Case], options: argparse.Namespace) -> dict[str, Any]:
    """Run every case on one process and on two and print how far they are apart."""
    two = on_ranks(partial(_all, chosen), folder)[0]
    rows = [["", "steps", "losses apart", "in float64", "points apart", "in float64"]]
    figures = {}
    for case, shared in zip(chosen, two, strict=True):
        one = _both(case, folder)
        single, double = (_apart(*pair) for pair in zip(shared, one, strict=True))
        title = f"{case.method}, {case.network}{' *' if case.gentle else ''}"
        figures[title] = {
            "gentle": case.gentle, "steps": len(one[0]["losses"]), "losses": single[0], "points": single[1],
            "losses_float64": double[0], "points_float64": double[1],
        }  # fmt: skip
        numbers = (f"{single[0]:.0e}", f"{double[0]:.0e}", f"{single[1]:.2f}", f"{double[1]:.2f}")
        rows.append([title, str(len(one[0]["losses"])), *numbers])
    if not options.json:
        report(f"Two processes against one: losses of the first {LOOKED_AT} steps, final accuracies", {}, rows, options)
    return figures


def _all(chosen: list[Case], folder: Path) -> list[tuple[dict[str, Any], ...]]:
    return [_both(case, folder) for case in chosen]


def _both(case: Case, folder: Path) -> tuple[dict[str, Any], ...]:
    """Run a case to its end in float32 and in float64."""
    return walked(_experiment(case, folder)), walked(in_float64(_experiment(case, folder)))


def walked(made: Experiment) -> dict[str, Any]:
    """Run an experiment to its end: its losses by step, and the accuracies of the result, 0..1."""
    losses: dict[int, float] = {}
    for event in Engine(made, Control(), Unwatched()).run():
        if isinstance(event, StepMetrics):
            losses |= zip(event.steps, event.terms["loss"], strict=True)
    sets = collect_full(made.model, made.train, made.test).split(made.splits)
    found = {name: accuracy(sets[name].logits, sets[name].labels) for name in SETS}
    return {"losses": losses, "accuracies": {name: share for name, share in found.items() if share is not None}}


def in_float64(made: Experiment) -> Experiment:
    """Have the networks of an experiment compute in float64; losses are taken of float32 outputs, as ever."""
    for network in (made.model, made.teacher):
        if network is not None:
            network.module.double().register_forward_pre_hook(_doubled_input)  # of images that a method makes
    for store in (made.train, made.test):
        store.batch = partial(_doubled, store.batch)  # type: ignore[method-assign]
    return made


def _doubled_input(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return tuple(images.double() for images in inputs)


def _doubled(read: Callable[..., Batch], *given: Any, **options: Any) -> Batch:
    batch = read(*given, **options)
    return replace(batch, images=batch.images.double())


def _apart(run: dict[str, Any], other: dict[str, Any]) -> tuple[float, float]:
    """Return the largest difference of losses in the first steps, and of final accuracies in points."""
    steps = [step for step in range(LOOKED_AT) if step in other["losses"]]
    losses = max((abs(run["losses"][step] - other["losses"][step]) for step in steps), default=0.0)
    points = max(abs(run["accuracies"][name] - share) for name, share in other["accuracies"].items())
    return losses, 100 * points


def _bench() -> Bench:
    return Bench().on("cpu", "float32", 1).with_data("digits")


def _experiment(case: Case, folder: Path) -> Experiment:
    """Put a case on the digits, as a run of it does."""
    bench = _bench()
    chosen = Selection.empty(bench.dataset.train.labels.numpy(), bench.dataset.classes)
    if case.method == "train":
        job = make_train_job(bench, case.network, recipe=case.settings, seed=0)
    else:
        chosen = chosen.with_classes([bench.dataset.classes.index(FORGET)])
        bench = bench.with_model(folder / case.network / "model.pt")
        job = make_unlearn_job(bench, chosen, case.method, settings=case.settings, seed=0)
    return bench.experiment(job, Values(job.parameters), *bench.laid_out(chosen))


# -- speed -----------------------------------------------------------------------------------------------------------


def _time(folder: Path, turns: int, options: argparse.Namespace) -> dict[str, Any]:
    """Time steps of training on one process and on two, and print what two gain and what exchanging takes."""
    rows = [["", "batch", "one, ms", "two, ms", "efficiency", "processor time", "exchanging", "gathering"]]
    figures = {}
    for network, batch, steps in TIMED:
        pairs = []
        for _ in range(turns):
            one = _seconds(network, batch, steps, folder)
            pairs.append((one, on_ranks(partial(_seconds, network, batch, steps), folder)[0]))
        one, two = min((one for one, _ in pairs), key=_step), min((two for _, two in pairs), key=_step)
        efficiency, work = one["step"] / (2 * two["step"]), 2 * two["work"] / one["work"]
        exchanging, outputs = (two[name] / two["step"] for name in ("exchanging", "all_gather"))
        figures[network] = {"one": one, "two": two, "efficiency": efficiency, "processor_time": work}
        numbers = (f"{one['step'] * 1e3:.1f}", f"{two['step'] * 1e3:.1f}", f"{efficiency:.2f}", f"{work:.2f} x")
        rows.append([network, str(batch), *numbers, f"{100 * exchanging:.0f} %", f"{100 * outputs:.0f} %"])
    if not options.json:
        print()
        title = "A step of training at the same batch, one thread a process (fastest quarter of steps)"
        report(title, {}, rows, options)
    return figures


def _step(timed: dict[str, float]) -> float:
    return timed["step"]


def _seconds(network: str, batch: int, steps: int, folder: Path) -> dict[str, float]:
    """Seconds a step takes, and how many of them go into each kind of exchange, with the wait for the other process."""
    torch.set_num_threads(1)
    data = made_up(batch * (WARM + steps), 32, 3)
    engine = Engine(experiment(data, network, "retrain", batch, "float32", epochs=1), Control(), Unwatched())
    advance, taken = engine.advance, list[dict[str, float]]()

    def timed() -> None:
        spent.clear()
        began, worked = time.perf_counter(), time.process_time()
        advance()
        worked = time.process_time() - worked
        taken.append({"step": time.perf_counter() - began, "work": worked, **spent})

    engine.advance = timed  # type: ignore[method-assign]
    with _exchanges_timed() as spent:
        for _ in engine.run():
            pass
    fastest = sorted(taken[WARM:], key=_step)[: max(1, steps // 4)]  # the others waited for other programs
    names = ("step", "work", *EXCHANGES)
    means = {name: sum(step.get(name, 0.0) for step in fastest) / len(fastest) for name in names}
    means["work"] = statistics.median(step["work"] for step in taken[WARM:])
    return {**means, "exchanging": sum(means[name] for name in EXCHANGES)}


@contextmanager
def _exchanges_timed() -> Iterator[Counter[str]]:
    """Count the seconds that each kind of exchange takes meanwhile."""
    spent: Counter[str] = Counter()
    real = {name: getattr(distributed, name) for name in EXCHANGES}

    def timed(name: str, *given: Any) -> Any:
        began = time.perf_counter()
        try:
            return real[name](*given)
        finally:
            spent[name] += time.perf_counter() - began

    for name in real:
        setattr(distributed, name, partial(timed, name))
    try:
        yield spent
    finally:
        for name, function in real.items():
            setattr(distributed, name, function)


if __name__ == "__main__":
    main()
