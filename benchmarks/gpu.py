"""What cannot be tried without a GPU, in one command for a machine that has one; writes a page with its name.

Every method against its result on the processor; how often the host waits for the device in a step; memory back after a
run; a step against its bare passes, and a whole job against the plain loop; memory formats, precisions and compiling;
out of memory, and half the batch after it; two GPUs where there are.

python -m benchmarks.gpu [--device cuda:0|mps|cpu] [--only PART …] [--quick] [--json] [--out FILE]

`--device cpu` is a dry run: it goes through the same code, and says nothing of any GPU. The exit code is 0 where all
that was tried holds, 1 where something does not, and 3 where there is no GPU.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from benchmarks.common import machine, seconds_of
from benchmarks.plain import Job, digits
from benchmarks.speed import (
    LOSSES,
    VALUES,
    against_plain,
    bare_step,
    engine_ratio,
    made_up,
    method_ratio,
)
from core.api import unlearn
from core.conformance.checks import NoWaiting
from core.conformance.toy import ToyNet, make_engine, make_experiment, run_to_end, toy_dataset, trained_net, weights
from core.devices import choose_device, choose_precision, free_memory, memory_used
from core.engine.control import Control
from core.engine.engine import Engine
from core.engine.monitor import Unwatched
from core.errors import AppError, OutOfMemoryError
from core.events import State
from core.methods import METHODS
from core.methods.base import Method, parts_of
from core.models.architectures import ModelSpec, build_model
from core.session.bench import Bench
from core.session.training import train
from core.version import VERSION

ROOT = Path(__file__).resolve().parents[1]

SHORT = {"epochs": 1, "rounds": 2, "max_epochs": 1, "min_steps": 1, "relearn_min_steps": 2, "samples": 20,
         "noise_images": 6, "noise_steps": 3, "batch": 16, "forget_batch": 8}  # fmt: skip
"""Parameters of a short run on the toy data, for the methods that have them."""

CLOSE = 0.02
"""Largest distance of the weights from the processor's, as a share of how far these moved, in float32 without TF32."""

WAITS = 0.1
"""Most waits of the host in a step: losses are drained once in many steps."""

KEPT = 1 << 20
"""Bytes of the device's memory that may be held after a run and were not before."""

NEAR_BARE = 1.15
"""Most that a step may take beside its bare passes."""

REMARK = re.compile(r"batch=(\d+)")


@dataclass
class Part:
    """What one part came to: a table, figures for programs, and whether it holds (None: nothing is demanded)."""

    title: str
    header: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def demand(self, holds: bool, what: str) -> str:
        """Note what does not hold; returns the word for the row."""
        if not holds:
            self.broken.append(what)
        return "holds" if holds else "does not hold"


@dataclass(frozen=True)
class Place:
    """Where it is tried, and whether in short."""

    device: torch.device
    quick: bool

    @property
    def dry(self) -> bool:
        """Whether this is the processor, so that nothing is learnt of a GPU."""
        return self.device.type == "cpu"

    def seconds(self, step: Callable[[], object], steps: int) -> float:
        """Return the seconds one call takes."""
        return seconds_of(step, steps, self.device)


def short(method: Method, **more: Any) -> dict[str, Any]:
    """Return the values of a short run of a method."""
    names = {parameter.name for parameter in method.parameters}
    return {name: value for name, value in {**SHORT, **more}.items() if name in names}


# --- parts ---------------------------------------------------------------------------------------------------------


def methods(place: Place) -> Part:
    """Run every method here and on the processor, from the same weights, and hold the weights against each other."""
    part = Part("Every method against the processor", ["method", "distance", "other seed", ""])
    part.notes.append(
        f"Distance of the weights from the processor's, as a share of how far these moved; limit {100 * CLOSE:g} %. "
        "Where batches are altered by noise drawn on the device, which gives other numbers than the processor's, the "
        "limit is how far another seed lies."
    )
    for method in METHODS.values():
        mode = "class" if "class" in method.suits else "sample"

        def end(device: torch.device, seed: int = 0, method: Method = method, mode: str = mode) -> torch.Tensor:
            made = make_experiment(
                method, without_dropout(), forget=mode, device=device, seed=seed, **short(method)
            )
            torch.manual_seed(0)
            engine = make_engine(made)
            run_to_end(engine)
            assert engine.outcome is State.FINISHED
            return flat(made.model.module)

        with exact():
            processor, here, other = end(torch.device("cpu")), end(place.device), end(torch.device("cpu"), seed=7)
        moved = (processor - flat(without_dropout())).norm().item() or 1.0
        distance, spread = ((one - processor).norm().item() / moved for one in (here, other))
        made = make_experiment(method, forget=mode, **short(method))
        noisy = any(train.prepare is not None for stage in made.plan for train in parts_of(stage))
        limit = max(CLOSE, spread) if noisy else CLOSE
        word = part.demand(distance <= limit, f"{method.id} comes to other weights ({distance:.3g})")
        part.rows.append([method.id, f"{100 * distance:.3f} %", f"{100 * spread:.1f} %" if noisy else "", word])
        part.figures[method.id] = distance
    return part


def waits(place: Place) -> Part:
    """Count the host's waits for the device in steps of every method with steps, after the first ones."""
    part = Part("Waits of the host in a step", ["method", "operations that wait", "waits", ""])
    steps = 5 if place.quick else 20
    part.notes.append(
        f"Of {steps} steps within a pass, after its first two; at most {WAITS:g} a step. The first column counts "
        "operations that read a number from a tensor or pick rows by a mask, the second what CUDA itself reports."
    )
    data = toy_dataset(train=800)
    for method in METHODS.values():
        mode = "class" if "class" in method.suits else "sample"
        values = short(method, batch=8, forget_batch=8, min_steps=steps + 5, goal="none")
        made = make_experiment(method, forget=mode, device=place.device, data=data, **values)
        engine = Engine(made, Control(), Unwatched())
        long = next((one for one in engine.timeline.segments if one.parts and one.steps >= steps + 3), None)
        if long is None:
            continue
        while engine.step < long.first + 2:
            engine.advance()
        with reported(place) as told, NoWaiting() as watch:
            for _ in range(steps):
                engine.advance()
        asked, found = len(watch.found) / steps, None if told is None else len(told) / steps
        most = max(asked, found or 0.0)
        word = part.demand(most <= WAITS, f"{method.id} waits {most:.2f} times a step")
        part.rows.append([method.id, f"{asked:.2f}", "" if found is None else f"{found:.2f}", word])
        part.figures[method.id] = most
    return part


def memory(place: Place) -> Part:
    """Run MUDA and SCRUB three times each and look at what the device holds before and after."""
    part = Part("Memory back after a run", ["method", "before, MB", "highest, MB", "after, MB", ""])
    if place.dry:
        part.notes.append("The processor's resident memory, of which nothing is demanded.")
    for name in ("muda", "scrub"):
        method = METHODS[name]

        def once(method: Method = method) -> None:
            run_to_end(make_engine(make_experiment(method, device=place.device, **short(method))))

        once()
        gc.collect()
        free_memory(place.device)
        before = memory_used(place.device)
        if place.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(place.device)
        for _ in range(1 if place.quick else 3):
            once()
        highest = torch.cuda.max_memory_allocated(place.device) if place.device.type == "cuda" else 0
        free_memory(place.device)
        after = memory_used(place.device)
        word = "" if place.dry else part.demand(after - before <= KEPT, f"{name} keeps {after - before:,} bytes")
        sizes = (f"{size / 1e6:.1f}" if size else "" for size in (before, highest, after))
        part.rows.append([name, *sizes, word])
        part.figures[name] = after - before
    return part


def speed(place: Place) -> Part:
    """Set the engine's step beside its bare passes, and a job beside the plain loop."""
    part = Part("Speed", ["", "engine", "bare or plain", "ratio", ""])
    precision = choose_precision("auto", place.device, convolutional=True)
    grey = made_up(600 if place.quick else 4000, 28, 1)
    rounds, steps = (1, 2) if place.quick else (7, 50)
    timed = engine_ratio("small-cnn", grey, 128, precision, rounds, steps, place.device)
    _add_step(part, place, f"small-cnn, batch 128, {precision}", timed)
    if not place.quick:
        colour = made_up(2000, 32, 3)
        timed = engine_ratio("resnet18-cifar", colour, 128, precision, rounds, 2 if place.dry else steps, place.device)
        _add_step(part, place, f"resnet18-cifar, batch 128, {precision}", timed)
        for name, phase in LOSSES:
            timed = method_ratio(grey, name, phase, VALUES.get(name, {}), 3, 20, place.device)
            _add_step(part, place, f"{name}, {phase}", timed)
    jobs = [Job("small-cnn", digits(28, 1, 200 if place.quick else 0), 1 if place.quick else 8, 64, 0.05)]
    if not (place.quick or place.dry):
        jobs.append(Job("resnet18-cifar", digits(32, 3), 8, 128, 0.05))
    for job in jobs:
        done = against_plain(job, precision, 1 if place.quick else 3, place.device)
        accuracies = f"accuracy {100 * done.plain_accuracy:.1f} and {100 * done.engine_accuracy:.1f} %"
        title = f"{job.architecture}, a fine-tuning job against the plain float32 loop"
        seconds = (f"{done.engine:.2f} s", f"{done.plain:.2f} s", f"{done.ratio:.2f} × faster")
        part.rows.append([title, *seconds, accuracies])
        part.figures[f"job {job.architecture}"] = done.ratio
    return part


def _add_step(part: Part, place: Place, name: str, timed: tuple[float, float, float]) -> None:
    engine, bare, ratio = timed
    told = f"a step of {name} takes {ratio:.2f} × its bare passes"
    word = "" if place.dry else part.demand(ratio <= NEAR_BARE, told)
    part.rows.append([name, f"{1e3 * engine:.2f} ms", f"{1e3 * bare:.2f} ms", f"{ratio:.3f}", word])
    part.figures[name] = ratio


def choices(place: Place) -> Part:
    """Time a bare step in every memory format and precision, as it is and compiled."""
    part = Part("Memory format, precision, compiling", ["", "as it is, ms", "compiled, ms"])
    architecture, size, channels = ("small-cnn", 28, 1) if place.quick else ("resnet18-cifar", 32, 3)
    data, batch, steps = made_up(256, size, channels), 64 if place.quick or place.dry else 128, 1 if place.dry else 20
    images = torch.rand(batch, channels, size, size, device=place.device)
    labels = torch.arange(batch, device=place.device) % 10
    precisions = ["float32", "bfloat16", *(["float16"] if place.device.type == "cuda" else [])]
    auto = choose_precision("auto", place.device, convolutional=True)
    part.notes.append(
        f"{architecture}, batch {batch}. auto takes {auto} and channels last for networks with convolutions."
    )
    if place.quick:
        part.notes.append("Not compiled, which takes a minute.")
    for precision in precisions:
        for name, order in (("contiguous", torch.contiguous_format), ("channels last", torch.channels_last)):
            cells = []
            for compiled in (False, True):
                net = build_model(ModelSpec(architecture, 10, channels, data.image_size)).to(place.device)
                net = net.train().to(memory_format=order)  # type: ignore[call-overload]
                step = bare_step(net, images.contiguous(memory_format=order), labels, precision)
                try:
                    if compiled and place.quick:
                        raise NotImplementedError
                    if compiled:
                        net.compile()
                    step(), step()
                    cells.append(f"{1e3 * place.seconds(step, steps):.2f}")
                except NotImplementedError:
                    cells.append("")
                except Exception as error:  # a compiler that is missing, an operation the device lacks
                    cells.append(f"{type(error).__name__}: {str(error).splitlines()[0][:60]}")
            part.rows.append([f"{precision}, {name}", *cells])
            part.figures[f"{precision} {name}"] = cells
    return part


def out_of_memory(place: Place) -> Part:
    """Start a run whose batch does not fit, take the batch that its error offers until one fits, and look at memory.

    On CUDA the process is allowed so much memory that a quarter of the batch fits; elsewhere a network that refuses
    larger batches stands in for it.
    """
    part = Part("Out of memory, and half the batch", ["batch", "what came of it", "held after, MB"])
    batch = 64 if place.quick else 1024
    with tempfile.TemporaryDirectory(prefix="gpu-") as folder, patch.dict("os.environ", UNLEARN_STUDIO_HOME=folder):
        bench = Bench(device=str(place.device), precision="float32", threads=1).with_data("digits")
        train(Path(folder) / "original", bench, "small-cnn", Control(), lambda event: None, recipe={"epochs": 1})
        bench = bench.with_model(Path(folder) / "original")
        free_memory(place.device)
        before = memory_used(place.device)
        asked = batch
        while asked:
            settings = {"epochs": 0.2, "min_steps": 2, "batch": asked}
            said = ""
            try:
                with limited(place, batch // 4):
                    unlearn(
                        bench, Path(folder) / f"run-{asked}", classes=["3"], method="finetune", settings=settings,
                        accept_accuracy=True,
                    )  # fmt: skip
            except OutOfMemoryError as error:
                said = error.text
            free_memory(place.device)
            held = memory_used(place.device) - before
            part.rows.append([str(asked), said or "finished", f"{held / 1e6:.1f}"])
            part.figures[str(asked)] = said or "finished"
            if not place.dry:
                part.demand(held <= KEPT, f"{held:,} bytes are held after batch {asked}")
            offered = REMARK.search(said)
            if not said:
                break
            part.demand(offered is not None and int(offered[1]) == asked // 2, f"the error offers no half of {asked}")
            asked = int(offered[1]) if offered and int(offered[1]) < asked else 0
    part.demand(bool(part.rows) and part.rows[-1][1] == "finished" and len(part.rows) > 1, "no smaller batch finished")
    return part


def two(place: Place) -> Part:
    """Take the same run in one process and on two GPUs, or in a dry run two processes, and compare."""
    part = Part("Two GPUs", ["processes", "seconds", "retain accuracy, unseen", "forget accuracy, unseen"])
    there = torch.cuda.device_count() if place.device.type == "cuda" else 0
    if there < 2 and (not place.dry or place.quick):
        part.notes.append(f"Not tried{' in a quick dry run' if place.dry else ': this machine has no two GPUs'}.")
        return part
    device = ["--device", "cpu"] if place.dry else []
    with tempfile.TemporaryDirectory(prefix="gpu-") as folder, patch.dict("os.environ", UNLEARN_STUDIO_HOME=folder):
        common = [sys.executable, "main.py"]
        original = str(Path(folder) / "original")
        data = ["--dataset", "digits"]
        _command([*common, "train", *data, "--arch", "small-cnn", "--recipe", "epochs=4", "--out", original, *device])
        found: dict[str, list[float]] = {}
        for name, on in (("one", []), ("two", ["--on", "torchrun 2"])):
            out = Path(folder) / name
            began = time.perf_counter()
            said = _command([
                *common, "unlearn", "--model", original, *data, "--forget-class", "3", "--method", "finetune", "--set",
                "epochs=4", "--out", str(out), "--precision", "float32", *device, *on,
            ])  # fmt: skip
            seconds = time.perf_counter() - began
            if said:
                part.broken.append(f"{name} processes: {said}")
                part.rows.append([name, said, "", ""])
                continue
            measures = json.loads((out / "report.json").read_text())["models"]["unlearned"]
            found[name] = [measures["retain_test_accuracy"], measures["forget_test_accuracy"]]
            part.rows.append([name, f"{seconds:.1f}", *(f"{100 * share:.1f} %" for share in found[name])])
        if len(found) == 2:
            apart = max(abs(one - other) for one, other in zip(found["one"], found["two"], strict=True))
            part.demand(apart <= 0.01, f"accuracies lie {100 * apart:.1f} points apart")
            part.figures["apart"] = apart
    return part


PARTS: dict[str, Callable[[Place], Part]] = {
    "methods": methods, "waits": waits, "memory": memory, "speed": speed, "choices": choices, "oom": out_of_memory,
    "two": two,
}  # fmt: skip


# --- what parts share ----------------------------------------------------------------------------------------------


def without_dropout() -> nn.Module:
    """Return the network that knows the toy data, without dropout, whose draws differ between devices."""
    net = ToyNet(dropout=0.0)
    net.load_state_dict(weights(trained_net()))
    return net


def flat(module: nn.Module) -> torch.Tensor:
    """Return all parameters and statistics as one vector on the processor, float64."""
    return torch.cat([value.detach().cpu().double().flatten() for value in module.state_dict().values()])


@contextlib.contextmanager
def exact() -> Iterator[None]:
    """Compute in whole float32 on CUDA: no TF32, whose ten bits hide what is compared."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@contextlib.contextmanager
def reported(place: Place) -> Iterator[list[Any] | None]:
    """Give the list of waits that CUDA reports meanwhile; None on devices that report none."""
    if place.device.type != "cuda":
        yield None
        return
    torch.cuda.synchronize(place.device)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield told
        finally:
            torch.cuda.set_sync_debug_mode("default")


@contextlib.contextmanager
def limited(place: Place, fitting: int) -> Iterator[None]:
    """Let no larger training batch than `fitting` go through a network, for want of memory or as if for want of it."""
    if place.device.type == "cuda":
        total = torch.cuda.get_device_properties(place.device).total_memory
        net = build_model(ModelSpec("small-cnn", 10, 1, (8, 8))).to(place.device).train()
        torch.cuda.reset_peak_memory_stats(place.device)
        images = torch.rand(fitting, 1, 8, 8, device=place.device)
        bare_step(net, images, torch.zeros(fitting, dtype=torch.int64, device=place.device), "float32")()
        needed = torch.cuda.max_memory_allocated(place.device)
        del net, images
        free_memory(place.device)
        torch.cuda.set_per_process_memory_fraction(min(1.0, 1.5 * needed / total), place.device)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, place.device)
        return
    call = nn.Conv2d.forward

    def refuse(self: nn.Conv2d, images: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled() and len(images) > fitting:
            raise torch.OutOfMemoryError("out of memory: a dry run")
        return call(self, images)

    with patch.object(nn.Conv2d, "forward", refuse):
        yield


def _command(arguments: list[str]) -> str:
    """Run a command of the program; returns what it says where it fails, "" where it does not."""
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stderr.strip().splitlines()
    return "" if not done.returncode else next((line for line in lines if line.startswith("error:")), lines[-1])


# --- the page ------------------------------------------------------------------------------------------------------


def page(place: Place, parts: Sequence[Part]) -> str:
    """Return the page: the machine's name, each part as a table, and what does not hold."""
    about = ", ".join(f"{key} {value}" for key, value in {**machine(), "program": VERSION}.items() if value is not None)
    broken = [what for part in parts for what in part.broken]
    name = torch.cuda.get_device_name(place.device) if place.device.type == "cuda" else place.device.type
    lines = [f"# {'A dry run on a processor' if place.dry else name}", "", f"{about}.", ""]
    if place.dry:
        lines += ["A dry run goes through the code of `benchmarks/gpu.py` and says nothing of any GPU.", ""]
    lines += [f"{len(broken)} broken: {'; '.join(broken)}." if broken else "All that was tried holds.", ""]
    for part in parts:
        lines += [f"## {part.title}", "", *(f"{note}\n" for note in part.notes)]
        if part.rows:
            header = list(part.header)
            lines += [_line(header), _line(["---"] * len(header)), *(_line(row) for row in part.rows), ""]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the parts, write the page and print it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="cuda:N or mps; cpu: a dry run")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="shorter, for a look; figures are rougher")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    parser.add_argument("--out", type=Path, help="the page; default: bench-results/gpu-NAME.md")
    given = parser.parse_args(arguments)
    try:
        device = choose_device(given.device)
    except AppError as error:
        sys.stderr.write(f"error: {error.text}\n")
        return error.exit_code
    if device.type == "cpu" and given.device == "auto":
        sys.stderr.write("error: This machine has no GPU. Run it on one that has, or try the code with --device cpu.\n")
        return 3
    place = Place(device, given.quick)
    parts = {}
    for name in given.only:
        sys.stderr.write(f"{name} …\n")
        try:
            parts[name] = PARTS[name](place)
        except Exception as error:  # a part that fails is told on the page, and the others are tried
            parts[name] = Part(name, [], broken=[f"{name} failed: {type(error).__name__}: {error}"])
    text = page(place, list(parts.values()))
    title = "dry-run" if place.dry else re.sub(r"\W+", "-", text.splitlines()[0][2:]).strip("-").lower()
    out = given.out or ROOT / "bench-results" / f"gpu-{title}.md"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    broken = [what for part in parts.values() for what in part.broken]
    if given.json:
        figures = {name: part.figures for name, part in parts.items()}
        print(json.dumps({"machine": machine(), "figures": {**figures, "broken": broken}}, indent=2))
    else:
        print(f"{text}\nWritten to {out}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
