"""The one training loop: walks along a plan, one integer at a time, and reports events.

    while step < total:
        obey what the user asked for (pause, stop and keep, discard, checkpoint)
        advance:
            locate the stage and the index in it                  a pure function of the step
            at its start: fresh optimiser, refresh the constants   (U, masks, ...: they belong to the checkpoint)
                          leave it out where it is not needed
            seed by step; take the batch by (seed, stream, epoch)  nothing random has a state
            forward; loss; backward; step
            where something looks at the network next: are losses and weights finite?    points depend on the step alone
            ask the rule that may end the run
        observe: drain losses, evaluate within the budget, save a checkpoint

A second training loop anywhere in core is a bug: retraining, training and attacks that train all go through here.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from core.data.batches import derive_seed
from core.devices import memory_used, seed_draws
from core.engine.context import EngineContext
from core.engine.control import Control, Interrupted
from core.engine.layout import Segment, learning_rate
from core.engine.monitor import Monitor
from core.engine.setting import Setting
from core.engine.step import Board, Diverged, Drained, WeightMask, all_finite, fill_gradients, make_optimiser
from core.engine.supply import Supply
from core.errors import NonFiniteError
from core.events import CheckpointSaved, Event, Log, PhaseChanged, Resources, RunStarted, StepMetrics
from core.methods.base import Alternate, Aux, Edit, Train
from core.selection import mode_of
from core.states import State

DRAIN_SECONDS = 0.1
DRAIN_STEPS = 200
HALVINGS = 3  # of the step size after a loss that became infinite, before the run fails

Save = Callable[[dict[str, Any]], tuple[str, int]]  # writes a checkpoint; returns its path in the run folder and bytes


class Engine:
    """Runs one setting. Iterate over `run()`; afterwards `outcome` says how it ended."""

    def __init__(
        self,
        setting: Setting,
        control: Control,
        monitor: Monitor,
        save: Save | None = None,
        checkpoint_seconds: float = 20.0,
    ) -> None:
        self.setting, self.control, self.monitor = setting, control, monitor
        self.layout = setting.layout
        self.context = EngineContext(setting, control.check)
        self.step = 0
        self.aux: Aux = {}
        self.outcome = State.RUNNING
        self.lr_scale = 1.0
        self.elapsed = 0.0  # seconds of training and monitoring, pauses left out
        self.samples_seen = 0
        self._save, self._checkpoint_seconds = save, checkpoint_seconds
        self._start = _copied(setting.model.module.state_dict())  # where a diverged run begins again
        self._board = Board()
        self._supply = Supply(setting, control.check)
        self._optimiser: torch.optim.Optimizer | None = None
        self._mask: WeightMask | None = None
        self._segment: Segment | None = None
        self._mode: tuple[str, str] | None = None  # batch norm and tuned part that train and eval modes are set for
        self._norms = [m for m in setting.model.module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        self._scaler = torch.amp.GradScaler(setting.device.type) if setting.precision == "float16" else None
        self._resumed_at: int | None = None
        self._lr = 0.0

    # -- the loop ------------------------------------------------------------------------------------------------

    def run(self) -> Iterator[Event]:
        """Yield events until the plan ends or the user ends it; raises AppErrors of the run."""
        yield self._started()
        yield from self.monitor.evaluate(self.step, charged=False)
        self._clock = self._drained_at = self._saved_at = time.perf_counter()
        last_phase = ""
        while self.step < self.layout.total:
            yield from self._obey()
            if self.control.ending:
                break
            segment, _ = self.layout.locate(self.step)
            if segment.stage.name != last_phase:
                last_phase = segment.stage.name
                yield self._phase(State.RUNNING, segment)
            try:
                self.advance()
            except Interrupted:
                break
            except Diverged as diverged:
                yield from self._begin_again(diverged.step)
                continue
            yield from self._said()
            yield from self._observe()
        scale = self.lr_scale
        yield from self._drain()
        if self.control.stopping and (self.lr_scale != scale or not self._finite()):
            raise NonFiniteError(
                "The loss had become infinite when the run was stopped, so there is no result to keep",
                "Choose a smaller step size or a gradient clip",
            )
        yield from self.monitor.evaluate(self.step, charged=False)
        self.outcome = (
            State.DISCARDED
            if self.control.discarding
            else State.STOPPED
            if self.control.stopping and self.step < self.layout.total
            else State.FINISHED
        )

    def advance(self) -> None:
        """Take one step, or pass over a stage that is left out."""
        segment, index = self.layout.locate(self.step)
        if isinstance(segment.stage, Edit):
            self.aux = {**self.aux, **(segment.stage.edit(self.context) or {})}
            self.context.aux = self.aux
            self._supply.forget_front()
            self.step += 1
            return
        if index == 0:
            self._enter(segment)
            if isinstance(segment.stage, Train) and segment.stage.unless and segment.stage.unless(self.context):
                self.step = segment.last
                return
        part, position = segment.turn(index)
        seed_draws(self.setting.device, derive_seed(self.setting.seed, "step", self.step))
        batch = self._supply.batch(part, position, self.step, self.aux)
        self._set_mode(part)
        out = self._supply.outputs(part, batch, index / segment.steps)
        terms = part.loss(out, batch, self.aux, self.setting.values)
        self._optimise(part, segment, index, terms["loss"])
        self._board.put(self.step, part.phase, terms)
        self.samples_seen += len(batch)
        self.step += 1
        self._look(segment, segment.stage, index + 1)

    def _look(self, segment: Segment, stage: Train | Alternate, taken: int) -> None:
        """Do what is due after so many steps of a stage: make constants anew, ask the rule that may end the run.

        Raises Diverged before anything looks at a network whose losses or weights are not finite.
        """
        ends = taken == segment.steps
        renewed = None if ends else segment.renewed(taken)
        asked = stage.until if ends or segment.asks(taken) else None
        if not (ends or renewed or asked):
            return
        self._board.settle()
        if not self._finite():
            raise Diverged(self.step - 1)
        if renewed:
            self.aux = {**self.aux, **renewed(self.context)}
            self.context.aux = self.aux
        if asked and asked(self.context):
            self.step = self.layout.total

    def _finite(self) -> bool:
        return all_finite(self.setting.model.module)

    # -- parts of a step -----------------------------------------------------------------------------------------

    def _enter(self, segment: Segment) -> None:
        """Begin a stage: what it trains, a fresh optimiser, its constants."""
        first = segment.parts[0]
        kept = {name: value for name, value in self.aux.items() if _kept(name, first.keeps)}
        self.context.aux = kept
        self.aux = {**kept, **(first.refresh(self.context) if first.refresh else {})}  # interrupted: nothing changed
        self.context.aux = self.aux
        self._prepare(segment)

    def _prepare(self, segment: Segment) -> None:
        """Set up what follows from the stage and the constants alone; also used on a resume."""
        first = segment.parts[0]
        chosen = self.setting.model.tuned_parameters(first.tunes)
        identities = {id(parameter) for parameter in chosen}
        for parameter in self.setting.model.module.parameters():
            parameter.requires_grad_(id(parameter) in identities)
        self._optimiser = make_optimiser(first.optimiser, chosen, self.setting.device)
        self._mask = WeightMask(self.setting.model.module, self.aux) if any("mask/" in n for n in self.aux) else None
        self._segment = segment
        self._supply.enter(segment)

    def _optimise(self, part: Train, segment: Segment, index: int, loss: torch.Tensor) -> None:
        assert self._optimiser is not None
        span = part.optimiser.span == "run"
        progress = (self.step + 0.5) / self.layout.total if span else (index + 0.5) / segment.steps
        self._lr = learning_rate(part.optimiser, progress) * self.lr_scale
        for group in self._optimiser.param_groups:
            group["lr"] = self._lr
        (self._scaler.scale(loss) if self._scaler else loss).backward()
        fill_gradients(self._optimiser)
        if self._scaler:
            self._scaler.unscale_(self._optimiser)
        if part.optimiser.clip > 0:
            parameters = [p for group in self._optimiser.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, part.optimiser.clip)
        if self._mask:
            self._mask.before()
        if self._scaler:
            self._scaler.step(self._optimiser)
            self._scaler.update()
        else:
            self._optimiser.step()
        if self._mask:
            self._mask.after()
        self._optimiser.zero_grad(set_to_none=True)

    def _set_mode(self, part: Train) -> None:
        """Train mode for what is tuned; everything else, and batch norm where the stage says so, keeps to eval mode."""
        if self._mode == (part.batch_norm, part.tunes):
            return
        self.setting.model.module.eval()
        for module in self.setting.model.tuned_modules(part.tunes):
            module.train()
        if part.batch_norm == "frozen":
            for norm in self._norms:
                norm.eval()
        self._mode = (part.batch_norm, part.tunes)

    # -- what the user asked for -----------------------------------------------------------------------------------

    def _obey(self) -> Iterator[Event]:
        if self.control.paused:
            yield from self._drain()
            yield from self._checkpoint()
            yield self._phase(State.PAUSED)
            began = time.perf_counter()
            while self.control.paused:
                self.control.wait(0.1)
                if self.control.take_checkpoint_request():
                    yield from self._checkpoint()
            self._shift_clock(time.perf_counter() - began)
            if not self.control.ending:
                yield self._phase(State.RUNNING, self.layout.locate(self.step)[0])
        if self.control.take_checkpoint_request():
            yield from self._drain()
            yield from self._checkpoint()

    # -- observing -------------------------------------------------------------------------------------------------

    def _observe(self) -> Iterator[Event]:
        now = time.perf_counter()
        if now - self._drained_at < DRAIN_SECONDS and len(self._board) < DRAIN_STEPS and self.step < self.layout.total:
            return
        self.elapsed += now - self._clock
        self._clock = now
        yield from self._drain()
        if self.monitor.due(self.elapsed) and self.step < self.layout.total and self._finite():
            yield from self.monitor.evaluate(self.step)
            yield self._resources()
        if self._save and time.perf_counter() - self._saved_at >= self._checkpoint_seconds:
            yield from self._checkpoint()

    def _said(self) -> Iterator[Event]:
        """Pass on what edits and refreshes said of themselves."""
        said, self.context.said = self.context.said, []
        for message in said:
            yield Log(**self._common(), level="info", code="method", message=message)

    def _drain(self) -> Iterator[Event]:
        try:
            groups = self._board.drain()
        except Diverged as diverged:
            yield from self._begin_again(diverged.step)
            return
        steps = sum(len(group.steps) for group in groups)
        seconds = max(1e-9, time.perf_counter() - self._drained_at)
        self._drained_at = time.perf_counter()
        for group in groups:
            yield self._step_metrics(group, steps / seconds)

    def _begin_again(self, step: int) -> Iterator[Event]:
        """After a loss that is not finite: back to the start with half the step size, at most HALVINGS times.

        To the start and not to the latest checkpoint, whose place depends on the clock: so a repetition or a resume
        of the job comes to the same weights.
        """
        self._board = Board()
        self.lr_scale /= 2
        if self.lr_scale < 0.5**HALVINGS:
            raise NonFiniteError(
                f"The loss became infinite at step {step}, also with {2**HALVINGS} times smaller steps",
                "Choose a smaller step size or a gradient clip",
            )
        self.setting.model.module.load_state_dict(self._start)
        self.step, self.aux, self._segment, self._resumed_at = 0, {}, None, 0
        self._supply = Supply(self.setting, self.control.check)  # what it holds belongs to other weights
        yield Log(
            **self._common(),
            level="warning",
            code="diverged",
            message=f"The loss became infinite at step {step}. Went back to step 0 and halved the step size.",
        )
        yield self._started()

    def _checkpoint(self) -> Iterator[Event]:
        if self._save is None:
            return
        if self._board:
            yield from self._drain()
        began = time.perf_counter()
        path, size = self._save(self.state())
        self._saved_at = time.perf_counter()
        self._shift_clock(self._saved_at - began)
        yield CheckpointSaved(**self._common(), path=path, bytes=size, seconds=self._saved_at - began)

    # -- checkpoints -------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return what cannot be recomputed: step, weights, optimiser, constants. No random state: there is none."""
        inside = self._segment is not None and self._segment.first < self.step < self._segment.last
        return {
            "step": self.step,
            "weights": _copied(self.setting.model.module.state_dict()),
            "optimiser": copy.deepcopy(self._optimiser.state_dict()) if inside and self._optimiser else None,
            "aux": _copied(self.aux),
            "scaler": self._scaler.state_dict() if self._scaler else None,
            "lr_scale": self.lr_scale,
            "elapsed": self.elapsed,
            "samples_seen": self.samples_seen,
            "work": dict(self.setting.work),
            "monitor_spent": self.monitor.spent,
        }

    def begin_anew(self) -> None:
        """Say in the events that an earlier attempt, which left no checkpoint, is taken back."""
        self._resumed_at = 0

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state; the run goes on to the same weights as if it had not been interrupted."""
        self.setting.model.module.load_state_dict(state["weights"])
        self.step, self.lr_scale = state["step"], state["lr_scale"]
        self.elapsed, self.samples_seen = state["elapsed"], state["samples_seen"]
        self.setting.work.update(state.get("work", {}))  # none in checkpoints of earlier versions
        self.monitor.spent = state["monitor_spent"]
        self.aux = {name: value.to(self.setting.device) for name, value in state["aux"].items()}
        self.context.aux = self.aux
        self._resumed_at = self.step
        if self._scaler and state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])
        if state["optimiser"] is not None:
            self._prepare(self.layout.locate(self.step)[0])
            assert self._optimiser is not None
            self._optimiser.load_state_dict(state["optimiser"])

    # -- events ------------------------------------------------------------------------------------------------------

    def _common(self) -> dict[str, Any]:
        return {"run": self.setting.run_id, "step": self.step, "time": time.time()}

    def _started(self) -> RunStarted:
        setting = self.setting
        return RunStarted(
            **self._common(),
            method=setting.method.id,
            steps=self.layout.total,
            stages=self.layout.describe(),
            forget_mode=mode_of(setting.facts.kinds),
            counts=setting.splits.counts(),
            device=str(setting.device),
            precision=setting.precision,
            threads=torch.get_num_threads(),
            resumed_at=self._resumed_at,
        )

    def _phase(self, state: State, segment: Segment | None = None) -> PhaseChanged:
        stage = segment.stage if segment else None
        phase = "" if stage is None else "alternate" if isinstance(stage, Alternate) else stage.phase
        return PhaseChanged(**self._common(), state=state.value, stage=stage.name if stage else "", phase=phase)

    def _step_metrics(self, group: Drained, steps_per_second: float) -> StepMetrics:
        return StepMetrics(
            **self._common(),
            phase=group.phase,
            steps=group.steps,
            terms=group.terms,
            learning_rate=self._lr,
            samples_per_second=steps_per_second * self._supply.batch_size,
        )

    def _resources(self) -> Resources:
        done = max(1, self.step)
        return Resources(
            **self._common(),
            elapsed=self.elapsed,
            remaining=self.elapsed / done * (self.layout.total - self.step),
            samples_per_second=self.samples_seen / max(self.elapsed, 1e-9),
            memory_bytes=memory_used(self.setting.device),
            monitoring_share=self.monitor.spent / max(self.elapsed, 1e-9),
        )

    def _shift_clock(self, seconds: float) -> None:
        """Leave a pause or a save out of the time that counts."""
        self._clock += seconds
        self._drained_at += seconds


def _kept(name: str, keeps: tuple[str, ...]) -> bool:
    return name in keeps or any(name.startswith(prefix) for prefix in keeps if prefix.endswith("/"))


def _copied(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in tensors.items()}
