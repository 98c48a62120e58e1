"""A runner with scripted events: what a real run reports, without a model, and stepped by the test."""

from __future__ import annotations

import base64
import queue
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from core.engine.control import Control
from core.events import (
    AlignmentMeasured,
    CheckpointSaved,
    Evaluation,
    Event,
    FeatureMap,
    FeaturesMoved,
    Log,
    PhaseChanged,
    Progress,
    Resources,
    RunFailed,
    RunFinished,
    RunStarted,
    SpectrumMeasured,
    State,
    StepMetrics,
    pack_points,
)
from core.files import dumps
from core.job import DataPart, ForgetPart, Job, ModelPart
from core.runs.folder import EVENTS, FORGET, RunFolder, Status
from tests.finished import excuse


def job(mode: str = "class", method: str = "muda", **changes: Any) -> Job:
    forget = ForgetPart(
        mode=mode, classes=(3,) if mode == "class" else (), class_names=("3",) if mode == "class" else (),
        count=100, total=1000, sha256="f" * 64,
    )  # fmt: skip
    given: dict[str, Any] = {
        "model": ModelPart(architecture="small-cnn", num_classes=10, in_channels=1, input_size=(8, 8), sha256="m" * 64),
        "data": DataPart(spec="digits", fingerprint="d" * 64),
        "forget": forget, "method": method, "parameters": {"batch": 64},
    }  # fmt: skip
    return Job(**{**given, **changes})


def _zeros(count: int) -> str:
    """Return numbers of a map's plane, as an event holds them."""
    return base64.b64encode(bytes(4 * count)).decode()


class Script:
    """Events of one run, by name."""

    def __init__(self, run: str, steps: int = 100, mode: str = "class") -> None:
        self.run, self.steps, self.mode = run, steps, mode

    def common(self, step: int = 0) -> dict[str, Any]:
        return {"run": self.run, "step": step, "time": time.time()}

    def preparing(self, detail: str = "Opening model and data") -> Event:
        return PhaseChanged(**self.common(), state="preparing", detail=detail)

    def progress(self, what: str, done: int, total: int, step: int = 0) -> Event:
        return Progress(**self.common(step), what=what, done=done, total=total)

    def started(self, resumed_at: int | None = None) -> Event:
        half = self.steps // 2
        stages = [
            {"name": "forget, round 1 of 2", "phase": "forget", "first": 0, "last": half},
            {"name": "recover, round 1 of 2", "phase": "recover", "first": half, "last": self.steps},
        ]
        return RunStarted(**self.common(resumed_at or 0), method="muda", steps=self.steps, stages=stages,
                          forget_mode=self.mode, counts={}, device="cpu", precision="float32", threads=1,
                          resumed_at=resumed_at)  # fmt: skip

    def state(self, state: State, step: int = 0) -> Event:
        return PhaseChanged(**self.common(step), state=state.value)

    def losses(self, step: int, count: int = 1) -> Event:
        steps = list(range(step - count, step))
        terms = {"loss": [1.0 / (s + 1) for s in steps], "alignment": [0.5 / (s + 1) for s in steps]}
        return StepMetrics(**self.common(step), phase="forget", steps=steps, terms=terms, learning_rate=0.1,
                           samples_per_second=1000.0)  # fmt: skip

    def evaluation(self, step: int, retain: float = 0.97, forget: float = 0.5, scope: str = "subset") -> Event:
        sample = self.mode == "sample"
        return Evaluation(
            **self.common(step), scope=scope, retain_accuracy=0.99, forget_accuracy=forget,
            retain_test_accuracy=retain, forget_test_accuracy=None if sample else forget,
            counts={"retain_test": 540} | ({} if sample else {"forget_test": 60}),
            forget_losses=[0.1 * step, 0.2, 0.3] if sample else [], unseen_losses=[0.2, 0.4, 0.1] if sample else [],
        )  # fmt: skip

    def alignment(self, step: int, value: float = 0.9, scope: str = "subset") -> Event:
        return AlignmentMeasured(**self.common(step), scope=scope, value=value, k=9, energy=0.96, centred=False,
                                 profile=[value * j / 16 for j in range(1, 17)], floor=0.75)  # fmt: skip

    def spectrum(self, step: int, scope: str = "subset") -> Event:
        values = [1.0 / (j + 1) ** 2 for j in range(16)]
        forget = [v / (step + 1) for v in values]
        return SpectrumMeasured(**self.common(step), scope=scope, retain=values, forget=forget, retain_rank=3.0,
                                forget_rank=1.5, forget_norm=1.0, retain_norm=1.0)  # fmt: skip

    def mapped(self, step: int) -> list[Event]:
        """What a feature map is told: six points at the start, of which the last two, to be forgotten, move up."""
        points = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [4, 0], [5, 0]], float)
        moved = points + np.array([[0, 0]] * 4 + [[0, step / 10]] * 2)
        laid = FeatureMap(**self.common(0), counts={"retain_test": 4, "forget_test": 2}, ids=list(range(6)),
                          labels=["a", "a", "b", "b", "c", "c"], channels=16, centre=_zeros(16), axes=_zeros(32),
                          radius=1.0, points=pack_points(points), share=0.5)  # fmt: skip
        energy = [0.25, 0.25, *[0.0] * 7, *[step / 1000] * 2]
        now = FeaturesMoved(**self.common(step), points=pack_points(moved), share=0.4, forget_energy=energy)
        return [now] if step else [laid, now]

    def measured(self, step: int, forget: float = 0.5, scope: str = "subset") -> list[Event]:
        found = [self.evaluation(step, forget=forget, scope=scope), self.spectrum(step, scope)]
        return found if self.mode == "sample" else [*found, self.alignment(step, scope=scope)]

    def resources(self, step: int, remaining: float = 60.0) -> Event:
        return Resources(**self.common(step), elapsed=5.0, remaining=remaining, samples_per_second=1234.0,
                         memory_bytes=700_000_000, monitoring_share=0.05)  # fmt: skip

    def checkpoint(self, step: int) -> Event:
        return CheckpointSaved(**self.common(step), path=f"checkpoints/step-{step:09d}.pt", bytes=1000, seconds=0.1)

    def log(self, message: str, code: str = "", step: int = 0) -> Event:
        return Log(**self.common(step), level="warning", message=message, code=code)

    def finished(self, state: State = State.FINISHED, step: int | None = None) -> Event:
        return RunFinished(**self.common(self.steps if step is None else step), state=state.value, seconds=12.0)

    def failed(self, error: str = "The loss became infinite at step 5.", hint: str = "Choose a smaller step size."):
        return RunFailed(**self.common(5), error=error, hint=hint, details="Traceback …")

    def whole(self, every: int = 10) -> list[Event]:
        """A run from its preparation to its end."""
        events = [self.preparing(), *self.measured(0, 0.98, "full"), self.started(), *self.measured(0, 0.98)]
        for step in range(every, self.steps + 1, every):
            events += [self.losses(step, every), *self.measured(step, 0.98 * (1 - step / self.steps)),
                       self.resources(step)]  # fmt: skip
        return [*events, *self.measured(self.steps, 0.0, "full"), self.finished()]


class Stepped:
    """Work for a run thread that does what the test tells it, in order: events, a raise, or the end.

    `give` hands over events; they are emitted by the run thread. `Control` is obeyed between them: stop, leave and
    discard end the work with the state they mean.
    """

    def __init__(self) -> None:
        self._orders: queue.Queue[Any] = queue.Queue()
        self.control: Control | None = None

    def give(self, *events: Event) -> None:
        self._orders.put(list(events))

    def fail(self, error: BaseException) -> None:
        self._orders.put(error)

    def end(self, result: Any = State.FINISHED) -> None:
        self._orders.put((result,))

    def __call__(self, control: Control, emit) -> Any:
        self.control = control
        while True:
            if control.discarding:
                return State.DISCARDED
            if control.stopping:
                return State.STOPPED
            if control.leaving:
                return State.INTERRUPTED
            try:
                order = self._orders.get(timeout=0.005)
            except queue.Empty:
                continue
            if isinstance(order, BaseException):
                raise order
            if isinstance(order, tuple):
                return order[0]
            for event in order:
                emit(event)


def write_run(path: Path, job: Job, events: Iterable[Event], state: str = "finished", step: int = 0) -> RunFolder:
    """A run folder on disk with these events."""
    folder = RunFolder.create(path, job, {FORGET: b"index,class\n"})
    excuse(folder)
    events = list(events)
    append_events(folder, events)
    folder.write_status(Status(state, 0, 0.0, step or max((e.step for e in events), default=0), 100))
    return folder


def append_events(folder: RunFolder, events: Iterable[Event]) -> None:
    with folder.file(EVENTS).open("ab") as file:
        for event in events:
            if not isinstance(event, Progress):
                file.write(dumps(event) + b"\n")
