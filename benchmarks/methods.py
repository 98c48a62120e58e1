"""What a step of each iterative method costs in the engine, against the bare cost of the passes it needs.

    python -m benchmarks.methods [--quick] [--json]

For the longest stage of each method, the passes of a few steps are noted (which network, how many images, backward to
weights, to images or not at all) and then done bare: forward, cross-entropy, backward, one optimiser step. Both sides
take turns in one process; the ratio is what batching, losses, look-ups and bookkeeping add.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.common import arguments, report
from benchmarks.speed import CPU, experiment, made_up
from core.devices import autocast
from core.engine.control import Control
from core.engine.engine import Engine
from core.engine.experiment import Experiment
from core.engine.monitor import Unwatched
from core.engine.timeline import Segment
from core.methods import METHODS
from core.methods.base import Method
from core.models.split import SplitModel, split_for

STEPS = 12  # in one turn, at least; a whole number of rounds where stages take turns


@dataclass(frozen=True)
class Pass:
    """One call of a network. `back`: "weights", "images" or "" for none; `tail`: from cached activations on."""

    images: int
    back: str
    tail: bool


def main() -> None:
    options = arguments(__doc__ or "")
    torch.set_num_threads(1)
    data = made_up(6000 if options.quick else 20000, 28, 1)
    rows, figures = [["", "stage", "engine, ms", "bare, ms", "ratio"]], {}
    for method in METHODS.values():
        values = _values(method)
        made = experiment(data, "small-cnn", method.id, values.pop("batch", 0), "float32", **values)
        engine = Engine(made, Control(), Unwatched())
        segment = _longest(engine)
        if segment is None:
            continue  # a one-shot edit takes no steps
        first, second, ratio = _compare(engine, segment, 3 if options.quick else 9)
        figures[method.id] = round(ratio, 3)
        name = segment.stage.name
        rows.append([method.id, name[:28], f"{first * 1e3:.2f}", f"{second * 1e3:.2f}", f"{ratio:.3f}"])
    figures["largest_ratio"] = max(figures.values())
    report("Cost of a step of each iterative method (one thread, medians of turns)", figures, rows, options)


def _values(method: Method) -> dict[str, Any]:
    values = dict(method.preset("").values)
    if method.id == "head-only":
        values["variant"] = "distil"  # the edit takes no steps
    return values


def _longest(engine: Engine) -> Segment | None:
    """Advance to the longest stage of steps and return it."""
    stages = [segment for segment in engine.timeline.segments if segment.parts]
    if not stages:
        return None
    longest = max(stages, key=lambda segment: segment.steps)
    if longest.steps <= STEPS:  # short ones of a kind follow each other: taken as one
        longest = dataclasses.replace(
            longest, first=stages[0].first, steps=stages[-1].last - stages[0].first
        )
    while engine.step < longest.first:
        engine.advance()
    engine.advance()  # its constants and caches are made before the first step
    return longest


def _compare(engine: Engine, segment: Segment, turns: int) -> tuple[float, float, float]:
    """Return the medians of seconds a step, engine and bare, and the median of their ratios."""
    cycle = len(segment.parts)
    steps = max(cycle, STEPS // cycle * cycle)
    steps = min(steps, (segment.steps - 2) // cycle * cycle)
    _go_on(engine, segment, cycle)
    noted = _note(engine, cycle)
    bare = _bare(engine.experiment, segment, noted)
    pairs: list[tuple[float, float]] = []
    while len(pairs) < turns:
        _go_on(engine, segment, steps)
        pairs.append((_seconds(lambda: _step(engine, segment), steps), _seconds(bare, steps // cycle * cycle, cycle)))
    ratio = statistics.median(a / b for a, b in pairs)
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), ratio


def _go_on(engine: Engine, segment: Segment, steps: int) -> None:
    """Step back where the stage ends too soon: batches repeat, and cost the same."""
    if engine.step + steps >= segment.last:
        engine.step = segment.first + 1


def _step(engine: Engine, segment: Segment) -> None:
    _go_on(engine, segment, 0)  # a method may end its run early, where its goal is reached
    engine.advance()


def _note(engine: Engine, steps: int) -> list[list[Pass]]:
    """Take some steps and return the passes of each."""
    made, noted = engine.experiment, []
    networks = [made.model.module, *([made.teacher.module] if made.teacher else [])]
    calls: list[Pass] = []

    def note(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        learns = module is made.model.module and any(p.requires_grad for p in module.parameters())
        back = (
            "" if not torch.is_grad_enabled() else "weights" if learns else "images" if inputs[0].requires_grad else ""
        )
        tail = bool(engine.experiment.work) and engine.experiment.work.total() > seen and _was_tail(engine, before)
        calls.append(Pass(len(inputs[0]), back, tail))

    hooks = [network.register_forward_pre_hook(note) for network in networks]
    for _ in range(steps):
        calls.clear()
        before, seen = dict(engine.experiment.work), engine.experiment.work.total()
        engine.advance()
        untrained = engine.experiment.work["forward"] - before.get("forward", 0)
        known = sum(call.images for call in calls if not call.back and call.images)
        if untrained > known:
            calls.append(Pass(untrained - known, "", tail=False))  # the network with fresh weights
        noted.append(list(calls))
    for hook in hooks:
        hook.remove()
    return noted


def _was_tail(engine: Engine, before: dict[str, int]) -> bool:
    passes = engine.experiment.work.items()
    return any(kind.startswith("tail:") and count > before.get(kind, 0) for kind, count in passes)


def _bare(made: Experiment, segment: Segment, noted: list[list[Pass]]) -> Callable[[], None]:
    """Return a function that does the noted passes of one step after the other, with one optimiser step each."""
    module = made.model.module
    part = segment.parts[0]
    weights = made.model.tuned_parameters(part.tunes)
    optimiser = torch.optim.SGD(weights, lr=1e-5, momentum=0.9, weight_decay=5e-4, fused=True)
    most = max(call.images for calls in noted for call in calls)
    batch = made.train.batch(torch.arange(most))
    apart = len(part.balance.terms) if part.balance is not None else 1  # gradients that a step takes of one pass
    split = split_for(made.model, part.tunes) if part.cached else None
    cached = _front(split, batch.images) if split else None

    def once() -> None:
        for calls in noted:
            for call in calls:
                images, labels = batch.images[: call.images], batch.labels[: call.images]
                if not call.back:
                    with torch.no_grad(), autocast(CPU, made.precision):
                        module(images)
                    continue
                if call.back == "images":
                    images = images.detach().requires_grad_()
                with autocast(CPU, made.precision):
                    if call.tail and split is not None and cached is not None:
                        logits = split.tail(cached[: call.images], images.shape[1:]).logits
                    else:
                        logits = module(images)
                loss = F.cross_entropy(logits.float(), labels)
                if call.back == "images":
                    torch.autograd.grad(loss, images)
                else:
                    for _ in range(apart - 1):
                        loss.backward(retain_graph=True)
                    loss.backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    return once


def _front(split: SplitModel, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return split.front(images)


def _seconds(call: Callable[[], None], steps: int, cycle: int = 1) -> float:
    began = time.perf_counter()
    for _ in range(steps // cycle):
        call()
    return (time.perf_counter() - began) / steps


if __name__ == "__main__":
    main()
