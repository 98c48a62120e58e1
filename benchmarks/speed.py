"""What a step costs in the engine against its bare passes, loss and step, for every method; and what a whole job costs
against the plain loop that a reader would write.

The job is fine-tuning from the same weights: by `benchmarks/plain.py`, eager and in float32 over a DataLoader, and by
the engine in the precision that this machine is given, without the monitor, whose tenth `benchmarks.monitor` measures.
Both end with an accuracy on unseen images, which is printed.

Seconds are of processor time, so that other work on the machine does not count.

python -m benchmarks.speed [--quick] [--json] [--jobs] [--library]
"""  # noqa: D205

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.common import arguments, interleaved, report, seconds_of
from benchmarks.library import compared
from benchmarks.plain import CPU, FORGET, MOMENTUM, WEIGHT_DECAY, Job, digits, fine_tune, products, timed
from core.data.batches import ImageStore, joined
from core.data.dataset import Dataset, ImageSet
from core.data.preprocessing import Preprocessing
from core.data.splits import Splits
from core.devices import autocast, choose_precision
from core.engine.control import Control
from core.engine.engine import Engine
from core.engine.experiment import Experiment
from core.engine.monitor import Monitor, Unwatched
from core.engine.outputs import collect
from core.engine.step import make_optimiser
from core.methods import get_method
from core.methods.base import Facts, Length, Method, Train, parts_of
from core.metrics.accuracy import accuracy
from core.metrics.spaces import alignment_squared
from core.models.architectures import ModelSpec, build_model
from core.models.tap import TappedModel
from core.parameters import Values, resolve


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
    dataset: Dataset, architecture: str, method: str, batch: int, precision: str, plan: Any = None,
    device: torch.device = CPU, **values: Any,
) -> Experiment:  # fmt: skip
    """Put a method, with a `plan` of its own if need be, on made-up data."""
    torch.manual_seed(0)
    chosen = get_method(method)
    chosen = replace(chosen, plan=plan) if plan else chosen
    module = build_model(ModelSpec(architecture, 10, dataset.channels, dataset.image_size))
    module = module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    forget = dataset.train.labels == 3
    return Experiment(
        "bench",
        chosen,
        resolve(chosen.parameters, {**({"batch": batch} if batch else {}), **values}),
        0,
        TappedModel(module, 10),
        Splits.of(dataset, forget),
        ImageStore(dataset.train, dataset.preprocessing, device, forget),
        ImageStore(dataset.test, dataset.preprocessing, device),
        dataset.classes,
        device,
        precision,
    )


def engine_seconds(engine: Engine, steps: int) -> float:
    """Seconds a step of the engine takes."""
    return seconds_of(engine.advance, steps, engine.experiment.device)


def bare_step(module: nn.Module, images: torch.Tensor, labels: torch.Tensor, precision: str):
    """Return a function that takes one plain training step on a fixed batch."""
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4, fused=True)

    def step() -> None:
        with autocast(images.device, precision):
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
        device = made.device
        self.optimiser = make_optimiser(part.optimiser, tuned, device)
        sets = {"retain": made.splits.retain_train, "forget": made.splits.forget_train}
        sets["all"] = torch.arange(len(made.splits.labels))
        ids = sets[part.reads][: part.batch]
        first = made.train.batch(ids)
        second = made.train.batch(sets[part.beside][: len(ids)]) if part.beside else None
        self.batch = joined(first, second) if second else first
        self.images, self.labels, self.forget = self.batch.images, self.batch.labels, self.batch.forget
        self.others = (self.labels + 1) % 10  # labels an image may be given
        # Of another network, or looked up.
        self.target = torch.softmax(torch.randn(len(self.batch), 10, device=device), dim=1)
        self.basis = torch.linalg.qr(torch.randn(self.tap.feature_dim, 9))[0].to(device)
        self.row = torch.randn(self.tap.feature_dim, device=device)
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


def engine_ratio(
    architecture: str, dataset: Dataset, batch: int, precision: str, rounds: int, steps: int, device: torch.device = CPU
):
    """Compare the engine's plain training step with the bare one."""
    many = {"epochs": 1000, "lr": 1e-3, "schedule": "constant"}
    made = experiment(dataset, architecture, "finetune", batch, precision, device=device, **many)
    engine = Engine(made, Control(), Monitor(made, 0.0))
    bare = experiment(dataset, architecture, "finetune", batch, precision, device=device, **many).model.module.train()
    fixed = made.train.batch(made.splits.retain_train[:batch])
    step = bare_step(bare, fixed.images, fixed.labels, precision)
    engine_seconds(engine, steps), seconds_of(step, steps, device)  # warm up
    return interleaved(lambda: engine_seconds(engine, steps), lambda: seconds_of(step, steps, device), rounds)


def stages_of(method: Method, values: Values, facts: Facts) -> dict[str, Train]:
    """Return the different stages of steps in a method's plan, by the loss and the set they read; the first of each."""
    parts = [part for stage in method.plan(values, facts) for part in parts_of(stage)]
    return {f"{part.phase}, {part.reads}": part for part in reversed(parts)}


def method_ratio(
    dataset: Dataset, method: str, phase: str, values: dict[str, Any], rounds: int, steps: int,
    device: torch.device = CPU,
):  # fmt: skip
    """Compare a method's step in the engine with the passes and the loss it needs, written out by hand."""
    chosen = get_method(method)

    def alone(values: Values, facts: Facts) -> list[Train]:
        stages = stages_of(chosen, values, facts)
        part = next(stage for stage in stages.values() if stage.phase == phase)
        return [replace(part, length=Length(steps=10**6), until=None, refresh_every=0)]  # steps alone, no looks

    values = {"lr": 1e-6, **values}  # both sides stay where they are: numbers that run away take longer
    made = experiment(dataset, "small-cnn", method, 0, "float32", plan=alone, device=device, **values)
    engine = Engine(made, Control(), Monitor(made, 0.0))
    step = BareStep(made, LOSSES[method, phase]).take
    engine_seconds(engine, steps), seconds_of(step, steps, device)  # warm up
    return interleaved(lambda: engine_seconds(engine, steps), lambda: seconds_of(step, steps, device), rounds)


def engine_fine_tune(
    job: Job, precision: str, state: Mapping[str, torch.Tensor], device: torch.device = CPU
) -> float:
    """Do a job in the engine, from images as they were read to its accuracy, which is returned; nobody monitors it."""
    made = experiment(
        job.dataset, job.architecture, "finetune", job.batch, precision, device=device, epochs=job.epochs,
        min_steps=0, lr=job.lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY, schedule="cosine",
    )  # fmt: skip
    made.model.module.load_state_dict(state)
    engine = Engine(made, Control(), Unwatched())
    for _ in engine.run():
        pass
    stay = torch.nonzero(job.dataset.test.labels != FORGET).flatten()
    outputs = collect(made.model, made.test, stay)
    return accuracy(outputs.logits, outputs.labels) or 0.0


class Against(NamedTuple):
    """The same job in the plain loop and in the engine: seconds, their ratio, and accuracies on unseen images."""

    plain: float
    engine: float
    ratio: float
    plain_accuracy: float
    engine_accuracy: float


def against_plain(job: Job, precision: str, rounds: int, device: torch.device = CPU) -> Against:
    """Do a job in turn by the plain loop in eager float32 and by the engine, from the same weights."""
    torch.manual_seed(0)
    spec = ModelSpec(job.architecture, 10, job.dataset.channels, job.dataset.image_size)
    state = build_model(spec).state_dict()
    pairs: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for _ in range(rounds):
        net = build_model(spec)
        net.load_state_dict(state)
        net.to(device)
        torch.manual_seed(0)
        plain = timed(partial(fine_tune, net, job, device), device)
        pairs.append((plain, timed(partial(engine_fine_tune, job, precision, state, device), device)))
    ratio = statistics.median(plain[0] / engine[0] for plain, engine in pairs)
    seconds = [statistics.median(pair[side][0] for pair in pairs) for side in (0, 1)]
    return Against(seconds[0], seconds[1], ratio, pairs[-1][0][1], pairs[-1][1][1])


LIMITS = {"small_cnn": 1.8, "resnet18": 2.5}  # of the speed-up, on processors with instructions for bfloat16
LIMIT_FLOAT32 = 1.3  # on others
LIBRARY_SIDES = ("library", "engine")


def plain_jobs(quick: bool) -> list[tuple[str, Job, int]]:
    """Return the jobs with the names of their figures and how often both sides do them."""
    small, large = digits(28, 1), digits(32, 3, 320 if quick else 0)
    return [
        ("small_cnn", Job("small-cnn", small, 2 if quick else 8, 128, 0.05), 1 if quick else 5),
        ("resnet18", Job("resnet18-cifar", large, 1 if quick else 4, 128, 0.05), 1 if quick else 2),
    ]


def main() -> None:
    options = arguments(
        __doc__ or "",
        jobs="only whole jobs against the plain loop, not what a step costs",
        library="also beside a public unlearning library, which is installed into a temporary environment",
    )
    torch.set_num_threads(1)
    rows: list[list[str]] = []
    figures: dict[str, Any] = {}
    if not options.jobs:
        steps_against_bare(options.quick, rows, figures)
    jobs_against_plain(options.quick, rows, figures)
    if options.library:
        jobs_beside_library(options.quick, rows, figures)
    report("Cost of steps and jobs (one thread, medians, both sides in turn in one process)", figures, rows, options)


def steps_against_bare(quick: bool, rows: list[list[str]], figures: dict[str, Any]) -> None:
    """Add what a step of every method costs in the engine, against the bare passes and loss it needs."""
    rounds, steps = (3, 10) if quick else (9, 30)
    grey = made_up(4000, 28, 1)
    rows.append(["a step", "engine, ms", "bare, ms", "ratio"])

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


def jobs_against_plain(quick: bool, rows: list[list[str]], figures: dict[str, Any]) -> None:
    """Add what whole jobs cost in the plain loop and in the engine, with their accuracies."""
    precision = choose_precision("auto", CPU, convolutional=True)
    rows.append([f"a fine-tuning job, plain loop against engine ({precision})", "plain, s", "engine, s", "speed-up"])
    for name, job, turns in plain_jobs(quick):
        done = against_plain(job, precision, turns)
        figures[f"speedup_{name}_cpu"] = round(done.ratio, 4)
        figures |= {f"plain_accuracy_{name}": done.plain_accuracy, f"engine_accuracy_{name}": done.engine_accuracy}
        limit = LIMITS[name] if precision == "bfloat16" else LIMIT_FLOAT32
        title = f"  {job.architecture}, batch {job.batch}, {job.epochs} epochs, limit {limit}"
        rows.append([title, f"{done.plain:.2f}", f"{done.engine:.2f}", f"{done.ratio:.2f}"])
        told = f"    accuracy, unseen: {100 * done.plain_accuracy:.1f} % and {100 * done.engine_accuracy:.1f} %"
        rows.append([told, "", "", "" if done.ratio >= limit else "not met"])
    first, second, bound = products(precision, 9)
    figures["product_ratio_cpu"] = round(bound, 4)
    rows.append(["  a large matrix product alone", f"{first:.3f}", f"{second:.3f}", f"{bound:.2f}"])


def jobs_beside_library(quick: bool, rows: list[list[str]], figures: dict[str, Any]) -> None:
    """Add what a public unlearning library takes for fine-tuning and SCRUB, and the engine for the same passes."""
    found = compared(quick)
    figures["library"] = found
    if why := found.get("missing"):
        rows.append([f"no public library: {why}", "", "", ""])
        return
    title = f"{found['library']}, without its pins of versions, float32; engine {found['precision']}"
    rows.append([title, "library, s", "engine, s", "speed-up"])
    for method in ("finetune", "scrub"):
        one = found[method]
        seconds = (f"{one[side]:.2f}" for side in ("library_seconds", "engine_seconds", "speedup"))
        rows.append([f"  {method}, small-cnn", *seconds])
        told = (" and ".join(f"{100 * share:.1f} %" for share in one[f"{side}_accuracies"]) for side in LIBRARY_SIDES)
        rows.append([f"    accuracy, unseen, what stays and what goes: {', '.join(told)}", "", "", ""])


if __name__ == "__main__":
    main()
