"""Work for two processes that share it by gloo, as torchrun starts them: what it comes to is compared with one's."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

from benchmarks.ranks import in_float64
from core import distributed
from core.engine import outputs, passes, step
from core.engine.control import Control, Interrupted
from core.engine.engine import Engine
from core.engine.monitor import Monitor, Unwatched
from core.engine.shares import Share, add_up_gradients, as_one_batch
from core.errors import InputError, ProcessEndedError
from core.events import Evaluation, State, StepMetrics
from core.methods import METHODS
from core.session.bench import Bench
from core.session.training import train
from tests.core.methods.cases import Case, case_id, cases
from tests.core.toy import make_experiment, weights

RANKS = 2
LOST_AT = 5  # the step that the second process does not survive
SHARED = [case for case in cases() if METHODS[case.method].shared]


def small_chunks() -> None:
    """Have sets pass in chunks so small that the toy data falls into several: else no pass is divided."""
    outputs.MOST_IMAGES, passes.CHUNK = 16, 8


def everything(folder: Path) -> dict[str, Any]:
    """All that is compared: every case of every method, and the parts of a network that see a whole batch.

    The second process is killed at last.
    """
    small_chunks()
    return {
        "cases": {case_id(case): walked(case) for case in SHARED},
        "uneven": walked(Case("retrain", "class", {"epochs": 2, "batch": 7, "lr": 0.05})),
        "fewer images than ranks": walked(Case("finetune", "class", {"epochs": 0.1, "batch": 1, "lr": 0.01})),
        "networks": {name: passed(name) for name in NETWORKS},
        "left": left(),
        "watched": watched(),
        "refused": refused(),
        "lost": lost(folder),
    }


def walked(case: Case) -> dict[str, Any]:
    """Walk a case to its end in float64, where rounding drives nothing apart: its losses, weights and counts."""
    made = in_float64(make_experiment(case.method, forget=case.mode, **case.values))
    engine = Engine(made, Control(), Unwatched())
    terms: dict[int, dict[str, float | None]] = {}
    for event in engine.run():
        if isinstance(event, StepMetrics):
            for place, step in enumerate(event.steps):
                terms[step] = {name: values[place] for name, values in event.terms.items()}
    return {
        "terms": terms,
        "weights": weights(engine.experiment.model.module),
        "work": dict(engine.experiment.work),
        "samples": engine.samples_seen,
        "step": engine.step,
    }


class Dropping(nn.Module):
    """Dropout of units, of channels and of whole branches, behind a batch norm of maps, before one of features."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5)
        self.plain = nn.BatchNorm1d(5, affine=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.dropout2d(F.relu(self.norm(self.conv(x))), 0.3, self.training)
        branch = torch.empty(len(x), 1, 1, 1).bernoulli_(0.6)
        x = (x + x * branch * torch.rand((len(x), 1, 1, 1)).add(0.5).floor()).mean(dim=(2, 3))
        return self.plain(F.dropout(x, 0.4, self.training))


NETWORKS = ("float32", "channels last", "bfloat16", "fewer rows on the second rank")


def passed(kind: str) -> dict[str, torch.Tensor]:
    """Pass a batch through a network forth and back: outputs, gradients and statistics, as of the whole batch."""
    torch.manual_seed(3)
    network = Dropping().train()
    images = 2 + 3 * torch.randn(7 if kind.startswith("fewer") else 8, 2, 6, 6)
    if kind == "channels last":
        network, images = network.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    share = Share(len(images))
    torch.manual_seed(4)
    with as_one_batch(share), torch.autocast("cpu", torch.bfloat16, enabled=kind == "bfloat16"):
        out = network(images[share.own])
    (out,) = share.gathered([out.float()])
    target = torch.linspace(-1, 1, out.numel()).view_as(out)
    (out * target).sum().square().backward()
    add_up_gradients(list(network.parameters()), share)
    gradients = {f"gradient of {name}": parameter.grad.clone() for name, parameter in network.named_parameters()}
    return {"out": out.detach(), **gradients, **weights(network)}


def left() -> dict[str, Any]:
    """Have the first rank told to leave in a pass over a set, then in a run: what each of both ranks made of it."""
    control = Control()
    engine = Engine(make_experiment("finetune", epochs=2, batch=16), control, Unwatched())
    for _ in range(3):
        engine.advance()
    if distributed.is_first():
        control.leave()
    raised = []
    for act in (lambda: engine.context.outputs("retain"), lambda: list(engine.run())):
        try:
            act()
        except Interrupted:
            raised.append(engine.step)
    return {"first": raised, "second": on_second(raised)}


def watched() -> dict[str, Any]:
    """Run under a monitor that may always look: how many evaluations each rank reports, and those of the start."""
    experiment = make_experiment("finetune", epochs=1, batch=16)
    with distributed.alone():
        alone = Monitor(experiment, 1.0).evaluate(0)
    told = [e for e in Engine(experiment, Control(), Monitor(experiment, 1.0)).run() if isinstance(e, Evaluation)]
    return {"first": len(told), "second": on_second(len(told)), "start": told[:1], "alone": alone[:1]}


def refused() -> str:
    """Have both ranks name what the run is about, differently: what the second says of it."""
    try:
        distributed.require_same({"data": "the same", "job": distributed.rank()})
    except InputError as error:
        said = error.message
    else:
        said = ""
    return str(on_second(said))


def lost(folder: Path) -> str:
    """Kill the second process in the middle of a step of a training: what the first one says of it."""
    steps = iter(range(LOST_AT))

    def die(*given: Any) -> None:
        if next(steps, None) is None and not distributed.is_first():
            os.kill(os.getpid(), signal.SIGKILL)
        add_up_gradients(*given)

    step.add_up_gradients = die
    try:
        training(folder / "run")
    except ProcessEndedError as error:
        return error.text
    return ""


def training(folder: Path) -> State:
    """Train a network on the digits for some steps; returns the state that ended in."""
    bench = Bench().with_data("digits").on("cpu", "float32", 1)
    recipe = {"epochs": 2, "batch": 128, "lr": 0.02}
    return train(folder, bench, "small-cnn", Control(), lambda event: None, recipe=recipe, monitoring_budget=0.0)[1]


def on_second(value: Any) -> Any:
    """Return what a value is on the second rank."""
    told = [None] * RANKS
    dist.all_gather_object(told, value)
    return told[1]
