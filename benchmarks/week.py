"""A week in one window: 200 short runs, a folder of 2,000 runs, and the log of a run that told a million events.

What the window holds (memory, threads, timers, handles, widgets) after the tenth run and after the last; the processor
time until a folder of runs is listed; what a long log takes to open. A turn is what the window's thread does between
two looks at its events: while it lasts, nothing moves. Each part runs in a process of its own, on a home of its own.

python -m benchmarks.week [--quick] [--json]
"""

from __future__ import annotations

import base64
import gc
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common import anonymous_memory, arguments, report
from benchmarks.gui import own_part, waited_for_a_core

ROOT = Path(__file__).resolve().parents[1]
SETTLED = 10  # runs after which the window must not grow
PERIOD = 10  # milliseconds between two ticks of the watch
PATIENCE = 900.0  # seconds until what never comes is given up
LIMITS = {  # what must hold
    "growth_percent": 5.0, "list_cpu_seconds": 2.0, "open_cpu_seconds": 5.0, "open_mb": 600.0, "turn_ms": 100.0,
}  # fmt: skip
PARTS = {"runs": "200 short runs", "folders": "2,000 run folders", "log": "a log of a million events"}
MIX = {  # how many lines of a log are of a kind, in a thousand: as a training of an hour wrote them
    "step_metrics": 360, "evaluation": 129, "alignment": 129, "spectrum": 129, "features_moved": 127, "resources": 126,
}  # fmt: skip
CHANNELS, POINTS = 16, 200  # of a feature, and of the feature map


def main() -> None:
    options = arguments(__doc__ or "")
    sizes = {"runs": 30, "folders": 200, "log": 50_000} if options.quick else \
            {"runs": 200, "folders": 2000, "log": 1_000_000}  # fmt: skip
    figures: dict[str, Any] = {}
    rows = [["", "found", "limit"]]
    for part, size in sizes.items():
        figures |= _in_a_process(part, size)
    rows += _table(figures, sizes)
    report("A week in one window", figures, rows, options)


def _table(figures: dict[str, Any], sizes: dict[str, int]) -> list[list[str]]:
    count = sizes["runs"]
    rows = []
    for name, (then, now) in figures["held"].items():
        limit = f"≤ {LIMITS['growth_percent']:g} % more" if name == "memory, MB" else "no more"
        rows.append([f"{name} after {SETTLED} runs and after {count:,}", f"{then:,} → {now:,}", limit])
    for name, key, limit in (
        ("longest turn during the runs, ms", "runs_turn_ms", "turn_ms"),
        (f"{sizes['folders']:,} folders: processor seconds more until Runs shows them", "list_cpu_seconds",
         "list_cpu_seconds"),
        ("processor seconds of a start until Runs is shown, without a run", "empty_cpu_seconds", ""),
        ("longest turn, ms", "list_turn_ms", "turn_ms"),
        ("a look at what has changed, ms of a worker", "look_ms", ""),
        (f"{sizes['log']:,} events: processor seconds until they are drawn", "open_cpu_seconds", "open_cpu_seconds"),
        ("the same by the clock, with whatever else the machine does", "open_seconds", ""),
        ("size of the log, MB", "log_mb", ""), ("memory more than before, MB", "open_mb", "open_mb"),
        ("longest turn, ms", "open_turn_ms", "turn_ms"), ("longest turn of a walk over the steps, ms", "walk_turn_ms",
                                                          "turn_ms"),
    ):  # fmt: skip
        rows.append([name, f"{figures[key]:,.4g}", f"≤ {LIMITS[limit]:g}" if limit else ""])
    return rows


def _in_a_process(part: str, size: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="unlearn-week-") as home:
        environment = {**os.environ, "UNLEARN_STUDIO_HOME": home}
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
        code = f"from benchmarks import week; week.measure({part!r}, {size})"
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode or not done.stdout.strip():
        raise SystemExit(f"{PARTS[part]}: the window ended with {done.returncode}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def measure(part: str, size: int) -> None:
    """Do one part in this process and print its figures; the home is the one that the environment names."""
    print(json.dumps({"runs": short_runs, "folders": many_folders, "log": long_log}[part](size)), flush=True)
    os._exit(0)


# ---- the window, and how long its thread is busy in one go


class Window:
    """A window without a screen, 1280 x 720; with `bare` PyTorch is not loaded, which goes on by itself elsewhere."""

    def __init__(self, bare: bool = False) -> None:
        from app.bootstrap import Options, Session, create_application

        self.app = create_application()
        self.session = Session(self.app, Options())
        self.context: Any = self.session.context
        self.session.window.resize(1280, 720)
        loaded: list[bool] = []
        self.session.loaded.connect(lambda: loaded.append(True))
        if bare:
            self.session._load = lambda: loaded.append(True)  # type: ignore[method-assign]
        self.session.show()
        self.wait(lambda: bool(loaded) and self.context.device_jobs.active() == 0)

    def wait(self, done: Callable[[], bool]) -> None:
        """Let the event loop run until something holds, and everything that follows from it is drawn."""
        from PySide6.QtCore import QEventLoop, QTimer

        end, held = time.monotonic() + PATIENCE, False
        loop, timer = QEventLoop(), QTimer()

        def look() -> None:
            nonlocal held
            held = held or done()  # which may be over again before the loop has ended
            if held or time.monotonic() > end:
                loop.quit()

        timer.timeout.connect(look)
        timer.start(PERIOD)
        loop.exec()
        timer.stop()
        if not held:
            raise SystemExit("what was waited for did not come")

    def rest(self, seconds: float = 0.3) -> None:
        """Let the event loop run for a while."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() >= end)

    @contextmanager
    def watched(self) -> Iterator[list[float]]:
        """Note the window's own part of how late each tick of a 10 ms timer comes, in ms; see `benchmarks.gui`."""
        from PySide6.QtCore import QElapsedTimer, Qt, QTimer

        late, clock, thread = [0.0], QElapsedTimer(), threading.get_native_id()
        waited = [waited_for_a_core(thread) or 0.0]
        timer = QTimer()
        timer.setTimerType(Qt.TimerType.PreciseTimer)

        def tick() -> None:
            now = waited_for_a_core(thread) or 0.0
            late.append(own_part(max(0.0, clock.nsecsElapsed() / 1e6 - PERIOD), now - waited[0]))
            waited[0] = now
            clock.restart()

        timer.timeout.connect(tick)
        clock.start()
        timer.start(PERIOD)
        try:
            yield late
        finally:
            timer.stop()


# ---- short runs, one after the other


def short_runs(count: int) -> dict[str, Any]:
    """Do short runs in one window as its user would: start, look at Verify and at Runs, and start the next one."""
    import torch

    from core.session.jobs import make_unlearn_job

    torch.set_num_threads(1)
    window = Window()
    context, controller = window.context, window.context.run_controller
    _open_small(window)
    bench, selection = context.project.bench, context.project.selection
    for page in ("forget", "export"):
        context.show_page(page)
        window.rest()
    then: dict[str, float] = {}
    with window.watched() as late:
        for number in range(count):
            job = make_unlearn_job(bench, selection, "finetune", settings={"epochs": 2, "min_steps": 0}, seed=number)
            run = controller.start(job, bench, selection)
            context.project.set_run(run)
            context.show_page("unlearn")
            window.wait(lambda run=run: run.ended)  # type: ignore[misc]
            if run.state != "finished":
                raise SystemExit(f"run {number} ended as {run.state}: {run.error}")
            for page in ("verify", "runs"):
                context.show_page(page)
                window.wait(lambda: context.jobs.active() == 0)
            if number + 1 == SETTLED:
                window.rest()
                then, late[:] = held(), [0.0]
    window.rest(1.0)
    now = held()
    return {"held": {name: [then[name], now[name]] for name in now}, "runs_turn_ms": round(max(late), 1)}


def _open_small(window: Window) -> None:
    """Open a small data set and a network trained on it, and choose one of its classes."""
    import numpy as np
    from sklearn.datasets import load_digits

    from core.files import data_home

    context = window.context
    digits = load_digits()
    images, labels = (digits.images * 15).astype(np.uint8), digits.target.astype(np.int64)
    file = data_home() / "small.npz"
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(file, x_train=images[:600], y_train=labels[:600], x_test=images[1500:], y_test=labels[1500:])
    context.opening.open_data(str(file))
    window.wait(lambda: context.project.dataset is not None and context.jobs.active() == 0)
    bench = _bench(context)
    trained = context.run_controller.start_training(bench, "mlp", recipe={"epochs": 30})
    window.wait(lambda: trained.ended)
    context.opening.open_model(trained.folder.file("model.safetensors"))
    window.wait(lambda: context.project.ready and context.jobs.active() == 0 and context.device_jobs.active() == 0)
    context.project.set_selection(context.project.selection.with_classes([3]))


def _bench(context: Any) -> Any:
    from core.session.bench import Bench

    return Bench(None, context.project.dataset, context.project.data_options).on("cpu", threads=1)


def held() -> dict[str, float]:
    """Return what this process holds on to."""
    import shiboken6
    from PySide6.QtCore import QCoreApplication, QEvent, QTimer
    from PySide6.QtWidgets import QApplication

    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    timers = [one for one in gc.get_objects() if type(one) is QTimer and shiboken6.isValid(one)]
    return {
        "memory, MB": round(anonymous_memory() / 1e6, 1),
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "timers": len(timers),
        "file handles": len(list(Path("/proc/self/fd").iterdir())) - 1,  # that of this look
        "widgets": len(QApplication.allWidgets()),
    }


# ---- a folder of many runs


def many_folders(count: int) -> dict[str, Any]:
    """List many runs: processor time from the start of the process, as that of a window whose folder is empty."""
    from core.files import runs_home

    if count:
        empty = _in_a_process("folders", 0)
        copy_runs(runs_home(), count)
    spent = time.process_time() - IMPORTED
    window = Window(bare=True)
    context = window.context
    with window.watched() as late:
        context.show_page("runs")
        window.wait(lambda: len(context.run_library.rows) == count and (count or context.jobs.active() == 0))
        listed = time.process_time() - spent
        window.wait(lambda: context.jobs.active() == 0)
        window.rest()
        if not count:
            return {"list_cpu_seconds": listed}
        for _ in range(3):
            context.run_library.refresh()
            window.wait(lambda: context.jobs.active() == 0)
    began = time.thread_time()
    from app.services.run_library import read_rows

    read_rows(context.runs_folder(), [], set(), {row.path: row for row in context.run_library.rows})
    return {
        "list_cpu_seconds": round(listed - empty["list_cpu_seconds"], 2),
        "empty_cpu_seconds": round(empty["list_cpu_seconds"], 2),
        "list_turn_ms": round(max(late), 1), "look_ms": round(1e3 * (time.thread_time() - began), 1),
    }  # fmt: skip


IMPORTED = time.process_time()  # what the process had taken before it began with a part


def copy_runs(home: Path, count: int) -> None:
    """Do one run of the example and put so many copies of its folder, without the networks."""
    home.mkdir(parents=True)
    first = home.parent / "first"
    code = ("import sys, torch; torch.set_num_threads(1); from pathlib import Path;"
            "from core.engine.control import Control; from core.session.example import open_example;"
            "from core.session.jobs import create_run; from core.session.running import run;"
            "example = open_example();"
            "folder = create_run(Path(sys.argv[1]), example.job(), example.selection, example.bench.dataset);"
            "run(folder, Control(), lambda event: None, example.bench)")  # fmt: skip
    with tempfile.TemporaryDirectory() as elsewhere:  # what opening leaves in the caches is not the list's
        environment = {**os.environ, "UNLEARN_STUDIO_HOME": elsewhere}
        subprocess.run([sys.executable, "-c", code, str(first)], cwd=ROOT, env=environment, check=True)
    for number in range(count):
        folder = home / f"run-{number:04}"
        shutil.copytree(first, folder, ignore=shutil.ignore_patterns("*.pt", "checkpoints"))
        for name in ("model.safetensors", "model.pt"):
            (folder / name).write_bytes(b"")
    shutil.rmtree(first)


# ---- a long log


def long_log(count: int) -> dict[str, Any]:
    """Open a run with a long log, until its curves are drawn; then walk over its steps."""
    from core.files import runs_home
    from core.runs.folder import EVENTS

    window = Window()
    folder = runs_home() / "long"
    write_log(folder, count)
    context = window.context
    context.show_page("unlearn")
    context.opening.open_run(_short(folder))
    window.wait(lambda: context.project.run is not None and context.jobs.active() == 0)
    window.rest(1.0)
    before, began, spent = anonymous_memory(), time.perf_counter(), time.process_time()
    with window.watched() as late:
        context.opening.open_run(folder)
        window.wait(lambda: context.project.run.path == folder)
        window.rest(0.1)
        took, spent = time.perf_counter() - began, time.process_time() - spent
        window.wait(lambda: context.jobs.active() == 0)
        window.rest(0.5)
    grown = anonymous_memory() - before
    page = window.session.window.page("unlearn")
    steps = page.run_view.plots.recorded_steps
    with window.watched() as walked:
        for share in (0.0, 0.3, 0.6, 0.9):
            page.run_view.plots.show_until(steps[int(share * (len(steps) - 1))])
            window.rest(0.2)
        page.run_view.plots.show_until(None)
        window.rest(0.5)
    return {
        "open_seconds": round(took, 2), "open_cpu_seconds": round(spent, 2), "open_mb": round(grown / 1e6, 1),
        "open_turn_ms": round(max(late), 1),
        "walk_turn_ms": round(max(walked), 1), "log_mb": round((folder / EVENTS).stat().st_size / 1e6, 1),
    }  # fmt: skip


def _short(long: Path) -> Path:
    """Return a run like a long one that has told little: what the page itself takes is no part of the log's."""
    short = long.with_name("short")
    shutil.copytree(long, short, ignore=shutil.ignore_patterns("events.jsonl"))
    return short


def write_log(folder: Path, count: int) -> None:
    """Write a finished run whose log has so many lines."""
    from core import events as ev
    from core.files import dumps
    from core.job import DataPart, ForgetPart, Job, ModelPart
    from core.runs.folder import EVENTS, RunFolder, Status

    drawn = random.Random(1)
    steps = count * 7 * MIX["step_metrics"] // 1000
    job = Job(
        model=ModelPart(architecture="small-cnn", num_classes=10, in_channels=1, input_size=(8, 8)),
        data=DataPart(spec="digits"), method="finetune",
        forget=ForgetPart(mode="class", classes=(3,), class_names=("3",), count=100, total=1000),
    )  # fmt: skip
    made = RunFolder.create(folder, job)
    kinds = [kind for kind, share in MIX.items() for _ in range(share)]
    drawn.shuffle(kinds)
    points = ev.pack_points(_random_points())
    stages = [{"name": "recover", "phase": "recover", "first": 0, "last": steps}]
    with made.file(EVENTS).open("wb") as file:
        for event in (
            ev.RunStarted(run=folder.name, step=0, time=0.0, method="finetune", steps=steps, stages=stages,
                          forget_mode="class", counts={}, device="cpu", precision="float32", threads=1),
            ev.FeatureMap(run=folder.name, step=0, time=0.0, counts={"retain_test": POINTS - 20, "forget_test": 20},
                          ids=list(range(POINTS)), labels=["3"] * POINTS, channels=CHANNELS,
                          centre=_zeros(CHANNELS), axes=_zeros(2 * CHANNELS), radius=1.0, points=points,
                          share=0.5),
        ):  # fmt: skip
            file.write(dumps(event) + b"\n")
        step = 0
        for number in range(count - 3):
            kind = kinds[number % len(kinds)]
            about = {"run": folder.name, "step": step, "time": 1.8e9 + number}
            if kind == "step_metrics":
                told = list(range(step, step + 7))
                step += 7
                event = ev.StepMetrics(**about, phase="recover", steps=told, learning_rate=0.01,
                                       terms={"loss": [drawn.random() for _ in told]},
                                       samples_per_second=3800.0)  # fmt: skip
            else:
                event = _measured(kind, about, drawn, points)
            file.write(dumps(event) + b"\n")
        end = ev.RunFinished(run=folder.name, step=steps, time=1.9e9, state="finished", seconds=9e4)
        file.write(dumps(end) + b"\n")
    made.write_status(Status("finished", 1, 1.9e9, steps, steps))


def _measured(kind: str, about: dict[str, Any], drawn: random.Random, points: str) -> Any:
    from core import events as ev

    some = [drawn.random() for _ in range(CHANNELS)]
    if kind == "evaluation":
        return ev.Evaluation(**about, scope="subset", retain_accuracy=some[0], forget_accuracy=some[1],
                             retain_test_accuracy=some[2], forget_test_accuracy=some[3], retain_loss=some[4],
                             forget_loss=some[5], counts={"retain_test": 540, "forget_test": 60},
                             forget_predictions={str(number): some[number] for number in range(10)})  # fmt: skip
    if kind == "alignment":
        return ev.AlignmentMeasured(**about, scope="subset", value=some[0], k=9, energy=0.96, centred=False,
                                    profile=some, floor=0.75)  # fmt: skip
    if kind == "spectrum":
        return ev.SpectrumMeasured(**about, scope="subset", retain=some, forget=some, retain_rank=3.0, forget_rank=1.5,
                                   forget_norm=1.0, retain_norm=1.0)  # fmt: skip
    if kind == "features_moved":
        return ev.FeaturesMoved(**about, points=points, share=0.4, forget_energy=some)
    return ev.Resources(**about, elapsed=5.0, remaining=60.0, samples_per_second=3800.0, memory_bytes=700_000_000,
                        monitoring_share=0.05)  # fmt: skip


def _zeros(count: int) -> str:
    """Return so many numbers as a feature map holds them."""
    return base64.b64encode(bytes(4 * count)).decode()


def _random_points() -> Any:
    import numpy as np

    return np.random.default_rng(1).normal(size=(POINTS, 2))


if __name__ == "__main__":
    main()
