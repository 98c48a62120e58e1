"""Planning: what a run would take before it is started, beside retraining, and which methods suit a forget set."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from core.devices import autocast, set_threads
from core.engine.experiment import block_shares
from core.engine.timeline import Timeline
from core.errors import AppError, InputError
from core.events import StagePart
from core.files import cache_home, convert, read_json, write_json
from core.job import Purpose
from core.methods import get_method, methods, plugged
from core.methods.base import GROUPS, WHOLE, Edit, Method, Stage, Train, parts_of
from core.methods.retrain import RETRAIN
from core.models.tap import blocks_tuned
from core.parameters import resolve
from core.runs.recorder import CHECKPOINTS_KEPT
from core.selection import Selection
from core.session.bench import Bench
from core.session.jobs import preset_values, purpose_of, require_data

# A training step is a forward and a backward pass; backward costs about two forward passes.
FORWARD_SHARE = 1 / 3
MEASURED_BATCHES = (8, 64)  # two sizes: a step costs something by itself and something per sample
MEASURED_STEPS, MEASURED_SECONDS = 6, 1.0  # per size, whichever ends first
LOSS_SHARE = 0.5  # of a step's own cost comes on top for losses, metrics and data in the engine (benchmarks/speed)
PACE_RANGE = (0.2, 20.0)  # a run that was paused by the system's sleep teaches nothing beyond
REPORT_BYTES = 4_000_000  # report, card, events: small beside weights
# Of method cards: what is meant to forget comes first, and its group with it.
ORDER = ("reconstruction", "baseline", "control", "reference")
COMMENDED: dict[Purpose, tuple[str, ...]] = {"labels": ("finetune", "scrub"), "trigger": ("salun", "scrub")}
"""Methods that come first for a correction, by its purpose, as `benchmarks.corrective` ranks them."""


@dataclass(frozen=True)
class Choice:
    """A method with whether it suits a forget set; `reason` says why not. `package`: where it comes from one.

    corrects: it is commended for a correction, which this forget set is.
    """

    method: Method
    suits: bool
    reason: str = ""
    package: str = ""
    corrects: bool = False


@dataclass(frozen=True)
class StepCost:
    """Measured on a device: seconds of a training step by itself and per sample; bytes of activations per sample.

    `work`: each building block's share of a pass, in the order data takes; empty where it is not known.
    """

    step_seconds: float
    sample_seconds: float
    activation_bytes: int
    work: tuple[float, ...] = ()

    def of(self, batch: int) -> float:
        """Return the seconds of one training step on so many samples."""
        return self.step_seconds + self.sample_seconds * batch

    def tuned_share(self, tunes: str) -> float:
        """Return the share of a pass that lies in the blocks a stage trains ("all", "head", "last-N", "last-P%")."""
        if tunes == "all" or not self.work:
            return 1.0
        return sum(self.work[-blocks_tuned(tunes, len(self.work)) :])


@dataclass(frozen=True)
class Estimate:
    """What one run would take. `seconds` is None where nothing was measured yet; bytes are rough.

    `training_seconds` are those of optimiser steps and edits alone, by the measured step time: what methods are
    compared by. `seconds` adds monitoring, measuring the result, and what earlier runs taught.
    """

    steps: int
    stages: tuple[StagePart, ...]
    seconds: float | None
    memory_bytes: int
    disk_bytes: int
    disk_free: int | None
    explain: tuple[str, ...]
    plain_seconds: float | None = None  # from the step time alone, before what earlier runs taught
    pace_key: str = ""
    training_seconds: float | None = None

    def share_of(self, retraining: float | None) -> float | None:
        """Return training time as a share of retraining's (seconds); None where either is not known."""
        return self.training_seconds / retraining if retraining and self.training_seconds is not None else None


def choices(bench: Bench, selection: Selection | None) -> tuple[Choice, ...]:
    """Return all methods in the order to show them for a model and a forget set: by group, those that do not suit last.

    Groups come in the order of their most commended method, and of GROUPS among equals; before them those that are
    commended for a correction, where the forget set is one.
    """
    kinds = (selection.kinds if selection is not None else frozenset()) or WHOLE
    purpose = purpose_of(bench, selection)
    first = COMMENDED.get(purpose, ())
    options = []
    for method in methods().values():
        reason = "" if kinds <= method.suits else f"Works on {method.forgets} only."
        if purpose == "encoder" and not method.takes_encoders:
            reason = "Needs a network that names classes."
        suits = not reason
        package = plugged().origins.get(method.id)
        corrects = suits and method.id in first
        options.append(Choice(method, suits, reason, "" if package is None else str(package), corrects))
    best = {group: len(ORDER) for group in GROUPS}
    for choice in options:
        if choice.suits:
            best[choice.method.group] = min(best[choice.method.group], ORDER.index(choice.method.status))

    def position(choice: Choice) -> tuple[int, ...]:
        group, method = choice.method.group, choice.method
        place = first.index(method.id) if choice.corrects else len(first)
        return not choice.suits, place, best[group], GROUPS.index(group), ORDER.index(method.status)

    return tuple(sorted(options, key=position))


def estimate(
    bench: Bench,
    selection: Selection,
    method_id: str,
    values: Mapping[str, Any],
    *,
    monitoring_budget: float = 0.1,
    runs_folder: Path | None = None,
    measure: bool = True,
) -> Estimate:
    """Estimate one run. The step time is measured once per architecture, input, device and precision, then cached.

    `measure=False` takes what is cached only: while a run is going a measurement would disturb it and be wrong.

    Call it in the executor of the device. Raises the AppErrors of values, forget set and device.
    """
    method = get_method(method_id)
    checked = resolve(method.parameters, values, owner=method.id)
    facts = require_data(method, checked, selection, bench.dataset, purpose_of(bench, selection))
    plan = tuple(method.plan(checked, facts))
    sizes = {"retain": facts.retain, "forget": facts.forget, "all": facts.retain + facts.forget}
    layout = Timeline(plan, sizes)
    cost = step_cost(bench, measure=measure)
    plain = training = None
    if cost is not None:
        images = len(bench.dataset.train) + len(bench.dataset.test)
        ends = cost.sample_seconds * FORWARD_SHARE * images  # the result is measured on all images
        training = _training_seconds(layout, sizes, cost)
        plain = ends + training / (1 - min(monitoring_budget, 0.9))
    pace_key = f"{method.id}-{_machine_key(bench)}"
    weights = 4 * bench.model.parameters
    copies = round(method.copies(checked, facts) * weights)  # constants: in memory, and in each checkpoint
    return Estimate(
        steps=layout.total,
        stages=tuple(layout.describe()),
        seconds=None if plain is None else plain * pace(pace_key),
        memory_bytes=_memory(plan, weights, bench, cost) + copies,
        # A checkpoint also holds momentum, and a new one is written before an old one goes.
        disk_bytes=(CHECKPOINTS_KEPT + 1) * (2 * weights + copies) + 2 * weights + REPORT_BYTES,
        disk_free=free_disk(runs_folder) if runs_folder is not None else None,
        explain=method.explain(checked, facts) if method.explain is not None else (),
        plain_seconds=plain,
        pace_key=pace_key,
        training_seconds=training,
    )


def retraining_seconds(bench: Bench, selection: Selection) -> float | None:
    """Return the training time of a retrained model by the original's recipe.

    None where no step was measured yet, and for an encoder, which is not retrained here.
    """
    if purpose_of(bench, selection) == "encoder":
        return None
    values = preset_values(bench, selection, RETRAIN.id)
    return estimate(bench, selection, RETRAIN.id, values, measure=False).training_seconds


def shares_of_retraining(bench: Bench, selection: Selection) -> dict[str, float | None]:
    """Return training time with the recommended preset as a ratio of retraining's, by id of each method that suits.

    None stands for a method that cannot be planned for this model and forget set, and for all of them while no training
    step was measured on this device.
    """
    whole = retraining_seconds(bench, selection)
    shares: dict[str, float | None] = {}
    for method in (choice.method.id for choice in choices(bench, selection) if choice.suits):
        shares[method] = None
        with contextlib.suppress(AppError):  # such as a head without weight rows: its start says why
            values = preset_values(bench, selection, method)
            shares[method] = estimate(bench, selection, method, values, measure=False).share_of(whole)
    return shares


def step_cost(bench: Bench, *, measure: bool = True) -> StepCost | None:
    """Return what a training step costs; measured in a second or two where it is not known yet.

    None where it was cancelled or the device could not take it.
    """
    path = cache_home() / "step-times" / f"cost-{_machine_key(bench)}.json"
    with contextlib.suppress(InputError):  # none yet, or a damaged one
        return convert(read_json(path), StepCost, path.name)
    if not measure:
        return None
    try:
        cost = _measure(bench)
    except RuntimeError:  # out of memory, or an operation the device lacks: an estimate must not stop anyone
        return None
    if cost is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, asdict(cost))
    return cost


def pace(key: str) -> float:
    """Return how much longer runs of this kind took than their step time alone says; 1.0 where there were none."""
    try:
        return float(read_json(_pace_file(key))["ratio"])
    except (InputError, KeyError, TypeError, ValueError):
        return 1.0


def learn(planned: Estimate, seconds: float) -> None:
    """Remember how long a finished run took in fact, so that the next estimate of its kind is closer."""
    if not planned.plain_seconds or not planned.pace_key or seconds <= 0:
        return
    low, high = PACE_RANGE
    ratio = min(max(seconds / planned.plain_seconds, low), high)
    path = _pace_file(planned.pace_key)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"ratio": ratio})


def free_disk(folder: Path) -> int | None:
    """Return the free bytes where `folder` is or would be made; None where the system does not say."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return None


def _pace_file(key: str) -> Path:
    """Return the file that holds how runs of one kind went."""
    return cache_home() / "step-times" / f"pace-{key}.json"


def _machine_key(bench: Bench) -> str:
    """Name what decides how long a step takes; sets the number of threads, which is part of it."""
    spec, size, device = bench.model.spec, bench.dataset.preprocessing.size, bench.place
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    facts = (
        spec.architecture, spec.num_classes, spec.in_channels, tuple(size), name, bench.precision,
        set_threads(bench.threads),
    )  # fmt: skip
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def _training_seconds(layout: Timeline, sizes: Mapping[str, int], cost: StepCost) -> float:
    """Return the seconds of all steps, edits and refreshed constants of a plan; sizes: of the sets, in images."""
    total = 0.0
    front = ""  # whose activations are cached
    for segment in layout.segments:
        if isinstance(segment.stage, Edit):
            total += cost.sample_seconds * (segment.stage.gradients + FORWARD_SHARE * segment.stage.looks)
        for part in segment.parts:
            batch = min(part.batch, max(1, sizes[part.reads])) * (1 if part.beside is None else 2)
            step = cost.of(batch) * _passes(part, cost) + LOSS_SHARE * cost.step_seconds
            step += FORWARD_SHARE * cost.sample_seconds * batch * part.copies
            total += segment.steps / len(segment.parts) * step
        cached = segment.parts[0].tunes if segment.parts and segment.parts[0].cached else ""
        if cached and cached != front:  # what stands before the trained blocks is computed once for all samples
            sets = [(part, which) for part in segment.parts for which in (part.reads, part.beside) if which is not None]
            read = sum(sizes[which] * part.share for part, which in sets)
            samples = min(read, float(sizes["all"]))
            total += cost.sample_seconds * FORWARD_SHARE * (1 - cost.tuned_share(cached)) * samples
        front = cached
    return total


def _passes(part: Train, cost: StepCost) -> float:
    """Return the cost of a step of a stage as a share of one that trains the whole network.

    Gradients end where the trained blocks begin. The original and an untrained network are passed in each step,
    but the original once only on what never changes (as in core.engine.forward).
    """
    share = cost.tuned_share(part.tunes)
    passes = FORWARD_SHARE * (share if part.cached else 1.0) + (1 - FORWARD_SHARE) * share
    kept = part.cached or (part.reads == "forget" and part.beside is None)
    if part.balance is not None:  # back once more for each further gradient
        passes += (1 - FORWARD_SHARE) * share * (len(part.balance.terms) - 1)
    passes += FORWARD_SHARE * (part.teacher_passes + ("teacher" in part.needs and not kept))
    return passes + FORWARD_SHARE * ("untrained" in part.needs)


def _memory(plan: tuple[Stage, ...], weights: int, bench: Bench, cost: StepCost | None) -> int:
    """Return the bytes that a plan takes at its largest batch; weights: bytes of the network."""
    parts = [part for stage in plan for part in parts_of(stage)]
    batch = max((part.batch for part in parts), default=0)
    teacher = any("teacher" in part.needs or part.teacher_passes for part in parts)
    apart = max((len(part.balance.terms) for part in parts if part.balance is not None), default=0)
    copies = 4 + teacher + apart  # weights, gradients, momentum, the start, gradients of terms that are balanced
    images = bench.dataset.train.images.nbytes + bench.dataset.test.images.nbytes
    return copies * weights + images + batch * (cost.activation_bytes if cost else 0)


def _measure(bench: Bench) -> StepCost | None:
    """Time a few training steps on random images of two batch sizes, and count the bytes the layers put out."""
    spec, (height, width), device = bench.model.spec, bench.dataset.preprocessing.size, bench.place
    with torch.random.fork_rng(devices=[]):
        network = bench.network(bench.model)
        module = network.module
        resolved = bench.precision_for(module)
        optimiser = torch.optim.SGD(module.parameters(), lr=0.0, momentum=0.9)

        def step(images: torch.Tensor, labels: torch.Tensor) -> float:
            began = time.perf_counter()
            with autocast(device, resolved):
                logits = module(images)
            F.cross_entropy(logits.float(), labels).backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            return time.perf_counter() - began

        small, large = MEASURED_BATCHES
        seconds: dict[int, float] = {}
        for batch in MEASURED_BATCHES:
            images = torch.rand(batch, height, width, spec.in_channels, device=device).permute(0, 3, 1, 2)
            labels = torch.zeros(batch, dtype=torch.int64, device=device)
            times: list[float] = []
            began = time.perf_counter()
            while len(times) < MEASURED_STEPS and (len(times) < 2 or time.perf_counter() - began < MEASURED_SECONDS):
                if bench.cancelled():
                    return None
                times.append(step(images, labels))
            seconds[batch] = min(times[1:])  # the first step also warms up
        activations = _activation_bytes(module, images)
        work = block_shares(network, images)
    per_sample = max(seconds[large] - seconds[small], 0.0) / (large - small)
    return StepCost(max(seconds[small] - small * per_sample, 0.0), per_sample, activations // large, work)


def _activation_bytes(module: nn.Module, images: torch.Tensor) -> int:
    """Return the bytes that the layers' outputs for a batch and their gradients take."""
    total = 0

    def count(_module: nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal total
        if isinstance(output, torch.Tensor):
            total += output.numel() * output.element_size()

    hooks = [leaf.register_forward_hook(count) for leaf in module.modules() if not list(leaf.children())]
    try:
        with torch.no_grad():
            module(images)
    finally:
        for hook in hooks:
            hook.remove()
    return 2 * total  # kept for the backward pass, and their gradients
