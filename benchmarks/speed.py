"""What a step costs: the engine's against its bare passes, loss and step, for every method; precision on this CPU.

Seconds are of processor time, so that other work on the machine does not count.

python -m benchmarks.speed [--quick] [--json]
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.common import arguments, interleaved, report
from core.data.batches import ImageStore, joined
from core.data.dataset import Dataset, ImageSet
from core.data.preprocessing import Preprocessing
from core.data.splits import Splits
from core.devices import autocast
from core.engine.control import Control
from core.engine.engine import Engine
from core.engine.experiment import Experiment
from core.engine.monitor import Monitor
from core.engine.step import make_optimiser
from core.methods import get_method
from core.methods.base import Facts, Length, Method, Train, parts_of
from core.metrics.spaces import alignment_squared
from core.models.architectures import ModelSpec, build_model
from core.models.tap import TappedModel
from core.parameters import Values, resolve

CPU = torch.device("cpu")


def made_up(samples: int, size: int, channels: int) -> Dataset:
    """Random images in ten classes: a step costs the same on any images."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(samples) % 10
    images = torch.randint(0, 256, (samples, size, size, channels), generator=generator, dtype=torch.uint8)
    preprocessing = Preprocessing((size, size), (0.5,) * channels, (0.25,) * channels)
    part = ImageSet(images, labels)
    return Dataset(
        spec="made up",
        title="Made up",
        classes=tuple("0123456789"),
        train=part,
        test=part,
        preprocessing=preprocessing,
        fingerprint="made up",
    )


def experiment(
    dataset: Dataset, architecture: str, method: str, batch: int, precision: str, plan: Any = None, **values: Any
) -> Experiment:
    """Put a method, with a `plan` of its own if need be, on made-up data."""
    torch.manual_seed(0)
    chosen = get_method(method)
    chosen = replace(chosen, plan=plan) if plan else chosen
    module = build_model(ModelSpec(architecture, 10, dataset.channels, dataset.image_size))
    module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    forget = dataset.train.labels == 3
    return Experiment(
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
    began = time.process_time()
    for _ in range(steps):
        engine.advance()
    return (time.process_time() - began) / steps


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


class BareStep:
    """One step of a method on fixed images: the passes and the loss it needs, one gradient step, and nothing else."""

    def __init__(self, made: Experiment, loss: Loss) -> None:
        self.made, self.loss = made, loss
        (part,) = made.plan
        assert isinstance(part, Train)
        self.part, self.values = part, made.values
        self.teacher = copy.deepcopy(made.model.module).eval().requires_grad_(False)
        self.net = copy.deepcopy(made.model.module)
        self.tap = TappedModel(self.net, 10)
        tuned = self.tap.tuned_parameters(part.tunes)
        self.net.eval().requires_grad_(False)
        for parameter in tuned:
            parameter.requires_grad_(True)
        for module in self.tap.tuned_modules(part.tunes):
            module.train()
        if part.batch_norm == "frozen":
            for module in self.net.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        self.optimiser = make_optimiser(part.optimiser, tuned, CPU)
        sets = {"retain": made.splits.retain_train, "forget": made.splits.forget_train}
        sets["all"] = torch.arange(len(made.splits.labels))
        ids = sets[part.reads][: part.batch]
        first = made.train.batch(ids)
        second = made.train.batch(sets[part.beside][: len(ids)]) if part.beside else None
        self.batch = joined(first, second) if second else first
        self.images, self.labels, self.forget = self.batch.images, self.batch.labels, self.batch.forget
        self.others = (self.labels + 1) % 10  # labels an image may be given
        self.target = torch.softmax(torch.randn(len(self.batch), 10), dim=1)  # looked up, or of another network
        self.basis = torch.linalg.qr(torch.randn(self.tap.feature_dim, 9))[0]
        self.row = torch.randn(self.tap.feature_dim)
        self.noise = torch.randn_like(self.images)
        masks = {name: torch.rand_like(p) < 0.5 for name, p in self.net.named_parameters()}
        self.masks = [(p, masks[name]) for name, p in self.net.named_parameters()] if made.method.id == "salun" else []

    def take(self) -> None:
        """Take the step."""
        self.loss(self).backward()
        if self.part.optimiser.clip > 0:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.part.optimiser.clip)
        before = [p.detach().clone() for p, _ in self.masks]
        for p, mask in self.masks:
            p.grad.mul_(mask)
        self.optimiser.step()
        with torch.no_grad():
            for (p, mask), old in zip(self.masks, before, strict=True):
                p.copy_(torch.where(mask, p, old))
        self.optimiser.zero_grad(set_to_none=True)


Loss = Callable[[BareStep], torch.Tensor]


def kl(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.kl_div(F.log_softmax(logits, dim=1), target, reduction="batchmean")


def classify(bare: BareStep) -> torch.Tensor:
    return F.cross_entropy(bare.net(bare.images), bare.labels)


def relabel(bare: BareStep) -> torch.Tensor:
    return F.cross_entropy(bare.net(bare.images), bare.others)


def ascend(bare: BareStep) -> torch.Tensor:
    return -F.cross_entropy(bare.net(bare.images), bare.labels, reduction="none").clamp(max=10).mean()


def contrast(bare: BareStep) -> torch.Tensor:
    rows = F.cross_entropy(bare.net(bare.images), bare.labels, reduction="none")
    return rows[~bare.forget].mean() - 0.1 * rows[bare.forget].mean()


def match_target(bare: BareStep) -> torch.Tensor:
    return kl(bare.net(bare.images), bare.target)


def match_teacher(bare: BareStep) -> torch.Tensor:
    with torch.no_grad():
        target = torch.softmax(bare.teacher(bare.images), dim=1)
    return kl(bare.net(bare.images), target)


def stay(bare: BareStep) -> torch.Tensor:
    with torch.no_grad():
        target = torch.softmax(bare.teacher(bare.images), dim=1)
    logits = bare.net(bare.images)
    return F.cross_entropy(logits, bare.labels) + kl(logits, target)


def imitate(bare: BareStep) -> torch.Tensor:
    """Two teachers, each asked for all rows."""
    with torch.no_grad():
        good, bad = (torch.softmax(bare.teacher(bare.images), dim=1) for _ in range(2))
    return kl(bare.net(bare.images), torch.where(bare.forget[:, None], bad, good))


def align(bare: BareStep) -> torch.Tensor:
    out = bare.tap(bare.images)
    return 1 - alignment_squared(out.features, bare.basis) + kl(out.logits, bare.target)


def sparse(bare: BareStep) -> torch.Tensor:
    loss = F.cross_entropy(bare.net(bare.images), bare.labels)
    return loss + 1e-4 * torch.stack([p.abs().sum() for p in bare.net.parameters()]).sum()


def shrink(bare: BareStep) -> torch.Tensor:
    images = bare.images.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(F.cross_entropy(bare.teacher(images), bare.labels, reduction="sum"), images)
    with torch.no_grad():
        labels = bare.teacher(images + 0.1 * gradient.sign()).argmax(dim=1)
    return F.cross_entropy(bare.net(bare.images), labels)


def expand(bare: BareStep) -> torch.Tensor:
    out = bare.tap(bare.images)
    return F.cross_entropy(torch.cat([out.logits, (out.features @ bare.row)[:, None]], dim=1), bare.labels)


def impair(bare: BareStep) -> torch.Tensor:
    share = bare.values.noise_share
    count = max(1, round(share / (1 - share) * len(bare.images)))
    images = torch.cat([bare.images, bare.noise.repeat(1 + count // len(bare.noise), 1, 1, 1)[:count]])
    return F.cross_entropy(bare.net(images), bare.labels.repeat(1 + count // len(bare.labels) + 1)[: len(images)])


def smooth(bare: BareStep) -> torch.Tensor:
    clean = bare.images.repeat(bare.values.copies, 1, 1, 1)
    noisy = (clean + torch.randn_like(clean) * bare.values.noise).clamp(-1, 1)
    with torch.no_grad():
        there = bare.net(noisy)
    apart = (bare.net(bare.images).repeat(bare.values.copies, 1) - there).norm(dim=1)
    return (apart / (noisy - clean).flatten(1).norm(dim=1)).mean()


# The step of every method with stages of steps, by method and phase.
LOSSES: dict[tuple[str, str], Loss] = {
    ("retrain", "train"): classify,
    ("finetune", "recover"): classify,
    ("cf-k", "recover"): classify,
    ("eu-k", "recover"): classify,
    ("l1-sparse", "recover"): sparse,
    ("gradient-ascent", "forget"): ascend,
    ("neggrad-plus", "forget"): contrast,
    ("random-labels", "forget"): relabel,
    ("random-labels", "recover"): classify,
    ("salun", "forget"): relabel,
    ("salun", "recover"): classify,
    ("scrub", "forget"): match_target,
    ("scrub", "recover"): stay,
    ("bad-teacher", "forget"): imitate,
    ("delete", "forget"): match_target,
    ("boundary-shrink", "forget"): shrink,
    ("boundary-expand", "forget"): expand,
    ("unsir", "forget"): impair,
    ("unsir", "recover"): classify,
    ("lipschitz", "forget"): smooth,
    ("head-only", "forget"): match_teacher,
    ("muda", "forget"): align,
    ("muda", "recover"): classify,
}
VALUES: dict[str, dict[str, Any]] = {"head-only": {"variant": "distil"}}  # where the defaults take no steps


def seconds_of(step, steps: int) -> float:
    """Seconds one call of `step` takes."""
    began = time.process_time()
    for _ in range(steps):
        step()
    return (time.process_time() - began) / steps


def engine_ratio(architecture: str, dataset: Dataset, batch: int, precision: str, rounds: int, steps: int):
    """Compare the engine's plain training step with the bare one."""
    many = {"epochs": 1000, "lr": 1e-3, "schedule": "constant"}
    made = experiment(dataset, architecture, "finetune", batch, precision, **many)
    engine = Engine(made, Control(), Monitor(made, 0.0))
    bare = experiment(dataset, architecture, "finetune", batch, precision, **many).model.module.train()
    fixed = made.train.batch(made.splits.retain_train[:batch])
    step = bare_step(bare, fixed.images, fixed.labels, precision)
    engine_seconds(engine, steps), seconds_of(step, steps)  # warm up
    return interleaved(lambda: engine_seconds(engine, steps), lambda: seconds_of(step, steps), rounds)


def stages_of(method: Method, values: Values, facts: Facts) -> dict[str, Train]:
    """Return the different stages of steps in a method's plan, by the loss and the set they read; the first of each."""
    parts = [part for stage in method.plan(values, facts) for part in parts_of(stage)]
    return {f"{part.phase}, {part.reads}": part for part in reversed(parts)}


def method_ratio(dataset: Dataset, method: str, phase: str, values: dict[str, Any], rounds: int, steps: int):
    """Compare a method's step in the engine with the passes and the loss it needs, written out by hand."""
    chosen = get_method(method)

    def alone(values: Values, facts: Facts) -> list[Train]:
        stages = stages_of(chosen, values, facts)
        part = next(stage for stage in stages.values() if stage.phase == phase)
        return [replace(part, length=Length(steps=10**6), until=None, refresh_every=0)]  # steps alone, no looks

    values = {"lr": 1e-6, **values}  # both sides stay where they are: numbers that run away take longer
    made = experiment(dataset, "small-cnn", method, 0, "float32", plan=alone, **values)
    engine = Engine(made, Control(), Monitor(made, 0.0))
    step = BareStep(made, LOSSES[method, phase]).take
    engine_seconds(engine, steps), seconds_of(step, steps)  # warm up
    return interleaved(lambda: engine_seconds(engine, steps), lambda: seconds_of(step, steps), rounds)


def precision_speedup(architecture: str, dataset: Dataset, batch: int, rounds: int, steps: int):
    """Compare plain steps in float32 contiguous with bfloat16 channels-last."""
    ids = torch.arange(batch)
    reference = build_model(ModelSpec(architecture, 10, dataset.channels, dataset.image_size)).train()
    made = experiment(dataset, architecture, "finetune", batch, "bfloat16")
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
    rows.append(["every iterative method, float32", "engine, ms", "bare, ms", "ratio"])
    few = max(2, steps // 3)
    for method, phase in LOSSES:
        timed = method_ratio(grey, method, phase, VALUES.get(method, {}), rounds, few)
        add(f"{method.replace('-', '_')}_{phase}_step_ratio", f"  {method}, {phase}", timed)
    figures["largest_step_ratio"] = max(value for name, value in figures.items() if name.endswith("step_ratio"))
    rows.append(["float32 against bfloat16 + channels-last", "float32, ms", "bfloat16, ms", "speed-up"])
    few = max(2, rounds // 2)
    add("speedup_small_cnn_cpu", "small-cnn, batch 128", precision_speedup("small-cnn", grey, 128, rounds, steps))
    add("speedup_resnet18_cpu", "resnet18-cifar, batch 64", precision_speedup("resnet18-cifar", colour, 64, few, 2))
    report("Cost of a step (one thread, medians, both sides in turn in one process)", figures, rows, options)


if __name__ == "__main__":
    main()
