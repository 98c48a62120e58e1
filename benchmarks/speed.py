"""What a step costs: the engine's against the bare forward, backward and step of the same batch; precision on this CPU.

python -m benchmarks.speed [--quick] [--json]
"""

from __future__ import annotations

import time
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.common import arguments, interleaved, report
from core.data.batches import ImageStore
from core.data.dataset import Dataset, ImageSet
from core.data.preprocessing import Preprocessing
from core.data.splits import Splits
from core.devices import autocast
from core.engine.control import Control
from core.engine.engine import Engine
from core.engine.monitor import Monitor
from core.engine.setting import Setting
from core.methods import get_method
from core.metrics.alignment import alignment_squared
from core.models.architectures import ModelSpec, build_model
from core.models.tap import TappedModel
from core.parameters import resolve

CPU = torch.device("cpu")


def made_up(samples: int, size: int, channels: int) -> Dataset:
    """Random images in ten classes: a step costs the same on any images."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(samples) % 10
    images = torch.randint(0, 256, (samples, size, size, channels), generator=generator, dtype=torch.uint8)
    preprocessing = Preprocessing((size, size), (0.5,) * channels, (0.25,) * channels)
    part = ImageSet(images, labels)
    return Dataset("made up", "Made up", tuple("0123456789"), part, part, preprocessing, "made up")


def setting(dataset: Dataset, architecture: str, method: str, batch: int, precision: str, **values: Any) -> Setting:
    """Put a method on made-up data."""
    torch.manual_seed(0)
    chosen = get_method(method)
    module = build_model(ModelSpec(architecture, 10, dataset.channels, dataset.image_size))
    module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    forget = dataset.train.labels == 3
    return Setting(
        "bench",
        chosen,
        resolve(chosen.parameters, {**({"batch": batch} if batch else {}), **values}),
        0,
        TappedModel(module, 10),
        Splits.of(dataset, forget),
        ImageStore(dataset.train, dataset.preprocessing, CPU, forget),
        ImageStore(dataset.test, dataset.preprocessing, CPU),
        dataset.classes,
        CPU,
        precision,
    )


def engine_seconds(engine: Engine, steps: int) -> float:
    """Seconds a step of the engine takes."""
    began = time.perf_counter()
    for _ in range(steps):
        engine.advance()
    return (time.perf_counter() - began) / steps


def bare_step(module: nn.Module, images: torch.Tensor, labels: torch.Tensor, precision: str):
    """Return a function that takes one plain training step on a fixed batch."""
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4, fused=True)

    def step() -> None:
        with autocast(CPU, precision):
            logits = module(images)
        F.cross_entropy(logits.float(), labels).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step


def bare_forget_step(made: Setting, precision: str):
    """Return one bare step of MUDA's forget phase: student forward and backward with its losses, teacher looked up."""
    tap = made.model
    optimiser = torch.optim.SGD(tap.module.parameters(), lr=1e-3, momentum=0.9, fused=True)
    ids = made.splits.forget_train[: int(made.values.batch)]
    batch = made.train.batch(ids)
    basis = torch.linalg.qr(torch.randn(tap.feature_dim, 9))[0]
    target = torch.softmax(torch.randn(len(ids), 10), dim=1)

    def step() -> None:
        with autocast(CPU, precision):
            out = tap(batch.images)
        loss = 1 - alignment_squared(out.features.float(), basis)
        loss = loss + F.kl_div(F.log_softmax(out.logits.float(), dim=1), target, reduction="batchmean")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tap.module.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step


def seconds_of(step, steps: int) -> float:
    """Seconds one call of `step` takes."""
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - began) / steps


def engine_ratio(architecture: str, dataset: Dataset, batch: int, precision: str, rounds: int, steps: int):
    """Compare the engine's plain training step with the bare one."""
    many = {"epochs": 1000, "lr": 1e-3, "schedule": "constant"}
    made = setting(dataset, architecture, "finetune", batch, precision, **many)
    engine = Engine(made, Control(), Monitor(made, 0.0))
    bare = setting(dataset, architecture, "finetune", batch, precision, **many).model.module.train()
    fixed = made.train.batch(made.splits.retain_train[:batch])
    step = bare_step(bare, fixed.images, fixed.labels, precision)
    engine_seconds(engine, steps), seconds_of(step, steps)  # warm up
    return interleaved(lambda: engine_seconds(engine, steps), lambda: seconds_of(step, steps), rounds)


def forget_ratio(dataset: Dataset, batch: int, precision: str, rounds: int, steps: int):
    """Compare MUDA's forget step in the engine with the bare cost of the passes it needs."""
    values = {"alternation": "round", "rounds": 1, "forget_epochs": 1000.0, "lr": 1e-3, "schedule": "constant"}
    made = setting(dataset, "small-cnn", "muda", batch, precision, **values)
    engine = Engine(made, Control(), Monitor(made, 0.0))
    step = bare_forget_step(setting(dataset, "small-cnn", "muda", batch, precision, **values), precision)
    engine_seconds(engine, steps), seconds_of(step, steps)
    return interleaved(lambda: engine_seconds(engine, steps), lambda: seconds_of(step, steps), rounds)


def precision_speedup(architecture: str, dataset: Dataset, batch: int, rounds: int, steps: int):
    """Compare plain steps in float32 contiguous with bfloat16 channels-last."""
    ids = torch.arange(batch)
    reference = build_model(ModelSpec(architecture, 10, dataset.channels, dataset.image_size)).train()
    made = setting(dataset, architecture, "finetune", batch, "bfloat16")
    fixed = made.train.batch(ids)
    plain = bare_step(reference, fixed.images.contiguous(), fixed.labels, "float32")
    fast = bare_step(made.model.module.train(), fixed.images, fixed.labels, "bfloat16")
    seconds_of(plain, 2), seconds_of(fast, 2)
    return interleaved(lambda: seconds_of(plain, steps), lambda: seconds_of(fast, steps), rounds)


def main() -> None:
    options = arguments(__doc__ or "")
    torch.set_num_threads(1)
    rounds, steps = (3, 10) if options.quick else (9, 30)
    grey, colour = made_up(4000, 28, 1), made_up(600, 32, 3)
    rows, figures = [["", "engine, ms", "bare, ms", "ratio"]], {}

    def add(name: str, title: str, timed: tuple[float, float, float]) -> None:
        first, second, ratio = timed
        figures[name] = round(ratio, 4)
        rows.append([title, f"{first * 1e3:.2f}", f"{second * 1e3:.2f}", f"{ratio:.3f}"])

    add(
        "engine_step_ratio",
        "small-cnn, batch 128, step",
        engine_ratio("small-cnn", grey, 128, "float32", rounds, steps),
    )
    add(
        "engine_step_ratio_bfloat16",
        "  the same in bfloat16",
        engine_ratio("small-cnn", grey, 128, "bfloat16", rounds, steps),
    )
    add(
        "muda_forget_step_ratio",
        "small-cnn, batch 64, MUDA forget step",
        forget_ratio(grey, 64, "float32", rounds, steps),
    )
    rows.append(["float32 against bfloat16 + channels-last", "float32, ms", "bfloat16, ms", "speed-up"])
    few = max(2, rounds // 2)
    add("speedup_small_cnn_cpu", "small-cnn, batch 128", precision_speedup("small-cnn", grey, 128, rounds, steps))
    add("speedup_resnet18_cpu", "resnet18-cifar, batch 64", precision_speedup("resnet18-cifar", colour, 64, few, 2))
    report("Cost of a step (one thread, medians, both sides in turn in one process)", figures, rows, options)


if __name__ == "__main__":
    main()
