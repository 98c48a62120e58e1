"""The one training loop: walks along a plan, one integer at a time, and reports events.

    while step < total:
        obey what the user asked for (pause, stop and keep, discard, checkpoint)
        advance:
            locate the stage and the index in it                  a pure function of the step
            at its start: fresh optimiser, refresh the constants   (U, masks, ...: they belong to the checkpoint)
                          leave it out where it is not needed
            seed by step; take the batch by (seed, stream, epoch)  nothing random has a state
            forward; loss; backward; step
            before a refresh, a rule or the stage's end: are losses and weights finite?   at points fixed by the step
            ask the rule that may end the run
        observe: drain losses, evaluate within the budget, save a checkpoint

A second training loop anywhere in core is a bug: retraining, training and attacks that train all go through here.
"""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import torch

from core import distributed
from core.data.batches import derive_seed, seed_draws
from core.devices import memory_used
from core.engine.control import Control, Interrupted, SharedControl
from core.engine.experiment import Experiment
from core.engine.forward import ForwardPasses
from core.engine.monitor import Monitor
from core.engine.passes import SetPasses
from core.engine.step import Board, Diverged, Stepper, all_finite
from core.engine.timeline import Segment, learning_rate, phase_of
from core.errors import NonFiniteError, ProcessEndedError
from core.events import CheckpointSaved, Event, Log, PhaseChanged, Resources, RunStarted, State, StepMetrics
from core.methods.base import Alternate, Edit, Train
from core.models.weights import round_weights
from core.pace import Pace
from core.selection import mode_of

DRAIN_SECONDS = 0.1
DRAIN_STEPS = 200
HALVINGS = 3  # of the step size after a loss that became infinite, before the run fails

Save = Callable[[dict[str, Any]], tuple[str, int]]  # writes a checkpoint; returns its path in the run folder and bytes


class Engine:
    """Runs one experiment. Iterate over `run()`; afterwards `outcome` says how it ended."""

    def __init__(
        self,
        experiment: Experiment,
        control: Control,
        monitor: Monitor,
        save: Save | None = None,
        checkpoint_seconds: float = 20.0,
    ) -> None:
        self.experiment, self.monitor = experiment, monitor
        self.control = SharedControl(control) if distributed.world_size() > 1 else control
        self.timeline = experiment.timeline
        self.context = SetPasses(experiment, self.control.check)
        self.step = 0  # the place in the plan, which a rule moves on without steps
        self.steps_taken = 0
        self._met_at: int | None = None  # the step after which a rule ended the run; `step` is the plan's last then
        self.outcome = State.RUNNING
        self.lr_scale = 1.0
        self.elapsed = 0.0  # seconds of training and monitoring, pauses left out
        self.samples_seen = 0
        self._save, self._checkpoint_seconds = save, checkpoint_seconds
        self._module = experiment.model.module
        self._start = _copied(self._module.state_dict())  # where a diverged run begins again
        self._forward = ForwardPasses(experiment, self.control.check)
        self._stepper = Stepper(experiment)
        self._board = Board()
        self._segment: Segment | None = None  # the one that stepper and look-ups are set up for
        self._resumed_at: int | None = None
        self._lr = 0.0
        self._pace = Pace()
        self._between = True  # whether weights, optimiser and constants are those of one point between two steps
        self._shared_ripe = False  # of processes that share the run: whether the first found the time ripe
        self._before: tuple[list[torch.Tensor], Counter[str]] | None = None  # what the step at work has changed

    @property
    def last_step(self) -> int:
        """The step that the weights are after: not the plan's last one where a rule ended the run before."""
        return self.step if self._met_at is None else self._met_at

    # -- the loop ------------------------------------------------------------------------------------------------

    def run(self) -> Iterator[Event]:
        """Yield events until the plan ends or the user ends it.

        Raises AppErrors of the run, and Interrupted where it was told to leave: a checkpoint was saved then, unless it
        was amidst a step.
        """
        yield self._started()
        yield from self.monitor.evaluate(self.step, charged=False)
        self._clock = self._drained_at = self._saved_at = time.perf_counter()
        last_phase, amidst = "", False
        while self.step < self.timeline.total:
            try:
                yield from self._obey()
                if self.control.ending:
                    break
                segment, _ = self.timeline.locate(self.step)
                if segment.stage.name != last_phase:
                    last_phase = segment.stage.name
                    yield self._phase(State.RUNNING, segment)
                self.advance()
                yield from self._said()
                yield from self._observe()
            except Interrupted:
                amidst = True
                break
            except Diverged as diverged:
                yield from self._begin_again(diverged.step)
            except ProcessEndedError:
                yield from self._rescue()
                raise
        if self.control.leaving and self.step < self.timeline.total:
            if not amidst:
                with suppress(Diverged):  # the checkpoint before those steps stays the last
                    yield from self._checkpoint()
            raise Interrupted
        try:
            yield from self._drain()
            round_weights(self._module, self.experiment.stored)
            finite = all_finite(self._module)
        except Diverged:  # in steps before a stop or a discard: the last stage ends with a look at its losses
            finite = False
        if self.control.stopping and not finite:
            raise NonFiniteError(
                "The loss had become infinite when the run was stopped, so there is no result to keep",
                "Choose a smaller step size or a gradient clip",
            )
        yield from self.monitor.evaluate(self.last_step, charged=False)
        stopped = self.control.stopping and self.step < self.timeline.total
        self.outcome = State.STOPPED if stopped else State.FINISHED
        if self.control.discarding:
            self.outcome = State.DISCARDED

    def advance(self) -> None:
        """Take one step, or pass over a stage that is left out."""
        segment, index = self.timeline.locate(self.step)
        if isinstance(segment.stage, Edit):
            self._edit(segment.stage)
            return
        if index == 0:
            self._enter(segment)
            if isinstance(segment.stage, Train) and segment.stage.unless and self._ask(segment.stage.unless):
                self.step = segment.last
                return
        part, position = segment.turn(index)
        seed_draws(self.experiment.device, derive_seed(self.experiment.seed, "step", self.step))
        batch = self._forward.batch(part, position, self.step, self.context.aux)
        self._stepper.set_modes(part)
        self._before = self._kept_before()
        out = self._forward.outputs(part, batch, index / segment.steps)
        terms = part.loss(out, batch.whole, self.context.aux, self.experiment.values)
        self._lr = self.lr_scale * learning_rate(part.optimiser, self._progress(part, segment, index))
        self._stepper.take(part, terms, self._lr, batch.share)
        self._board.put(self.step, part.phase, terms)
        self.samples_seen += len(batch)
        self._move_on()
        self._between, self._before = False, None
        self._look(segment, segment.stage, index + 1)
        self._between = True

    def _edit(self, stage: Edit) -> None:
        """Change weights at one go; where several processes do, all take the first one's."""
        self._between = False
        self.context.aux |= self._constants(stage.edit)
        if distributed.world_size() > 1:
            for value in self._module.state_dict().values():
                distributed.broadcast(value)
        self._forward.drop_front()
        self._move_on()
        self._between = True

    def _move_on(self) -> None:
        self.step += 1
        self.steps_taken += 1

    def _constants(self, make: Callable[[SetPasses], dict[str, torch.Tensor] | None]) -> dict[str, torch.Tensor]:
        """Return the constants that a refresh or an edit makes; where several processes do, the first one's.

        All compute them from the same outputs. But eigenvectors of equal inputs may differ between two machines.
        """
        made = make(self.context) or {}
        if distributed.world_size() > 1:
            made = {name: value.clone() for name, value in made.items()}  # a kept one may be a view of something
            for value in made.values():
                distributed.broadcast(value)
        return made

    def _ask(self, rule: Callable[[SetPasses], bool]) -> bool:
        """Return what a rule of a stage says, on all ranks what it says on the first."""
        answer = rule(self.context)
        return distributed.first_says(lambda: answer)

    def _look(self, segment: Segment, stage: Train | Alternate, taken: int) -> None:
        """Do what is due after so many steps of a stage: make constants anew or drop them, ask what may end the run.

        Raises Diverged before anything looks at a network whose losses or weights are not finite.
        """
        ends = taken == segment.steps
        renewed = None if ends else segment.renewed(taken)
        asked = stage.until if ends or segment.asks(taken) else None
        if not (ends or renewed or asked):
            return
        self._board.settle()
        if not all_finite(self._module):
            raise Diverged(self.step - 1)
        if renewed:
            self.context.aux |= self._constants(renewed)
        if asked and self._ask(asked):
            self._met_at, self.step = self.step, self.timeline.total
        if ends:
            for part in segment.parts:
                for name in part.drops:
                    self.context.aux.pop(name, None)

    # -- parts of a step -----------------------------------------------------------------------------------------

    def _enter(self, segment: Segment) -> None:
        """Begin a stage: its constants, and what follows from them."""
        refresh = segment.parts[0].refresh
        if refresh:
            self.context.aux |= self._constants(refresh)
        self._prepare(segment)

    def _prepare(self, segment: Segment) -> None:
        """Set up what follows from the stage and its constants alone; also used on a resume."""
        self._stepper.enter(segment.parts[0], self.context.aux)
        self._segment = segment
        self._forward.enter(segment)

    def _progress(self, part: Train, segment: Segment, index: int) -> float:
        """Return where the middle of a step lies on its schedule, 0..1."""
        if part.optimiser.span == "run":
            return (self.step + 0.5) / self.timeline.total
        return (index + 0.5) / segment.steps

    # -- what the user asked for -----------------------------------------------------------------------------------

    def _obey(self) -> Iterator[Event]:
        self._shared_ripe = self.control.look(self._ripe())
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
                yield self._phase(State.RUNNING, self.timeline.locate(self.step)[0])
        if self.control.take_checkpoint_request():
            yield from self._checkpoint()

    # -- observing -------------------------------------------------------------------------------------------------

    def _observe(self) -> Iterator[Event]:
        ripe = self._ripe() if distributed.world_size() == 1 else self._shared_ripe
        if not ripe and self.step < self.timeline.total:
            return
        now = time.perf_counter()
        self.elapsed += now - self._clock
        self._clock = now
        self._pace.look(self.step, self.elapsed)
        yield from self._drain()
        due = self.monitor.due(self.elapsed) and self.step < self.timeline.total
        if distributed.agreed(due)[0] and all_finite(self._module):
            yield from self.monitor.evaluate(self.step)
            yield self._resources()
        if distributed.agreed(bool(self._save) and time.perf_counter() - self._saved_at >= self._checkpoint_seconds)[0]:
            yield from self._checkpoint()

    def _ripe(self) -> bool:
        """Whether it is time to report losses and to look at the clock for all else."""
        return time.perf_counter() - self._drained_at >= DRAIN_SECONDS or len(self._board) >= DRAIN_STEPS

    def _said(self) -> Iterator[Event]:
        """Report the lines that edits and refreshes put into the log."""
        messages, self.context.messages = self.context.messages, []
        for message in messages:
            yield Log(**self._common(), level="info", code="method", message=message)

    def _drain(self) -> Iterator[Event]:
        """Report the losses of the steps since the last time; raises Diverged where one is not finite."""
        phases = self._board.drain()
        taken = sum(len(steps) for steps, _ in phases.values())
        seconds = max(1e-9, time.perf_counter() - self._drained_at)
        self._drained_at = time.perf_counter()
        for phase, (steps, terms) in phases.items():
            yield StepMetrics(
                **self._common(),
                phase=phase,
                steps=steps,
                terms=terms,
                learning_rate=self._lr,
                samples_per_second=taken / seconds * self._forward.batch_size,
            )

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
        self._module.load_state_dict(self._start)
        self.context.aux = {}
        self.step, self.steps_taken, self._met_at, self._segment, self._resumed_at = 0, 0, None, None, 0
        self._forward.drop_front()  # it belongs to other weights
        self._between = True
        yield Log(
            **self._common(),
            level="warning",
            code="diverged",
            message=f"The loss became infinite at step {step}. Went back to step 0 and halved the step size.",
        )
        yield self._started()

    def _rescue(self) -> Iterator[Event]:
        """Save a checkpoint when another process of the run is gone, where the network is as it was between two steps.

        A GPU may wait for the others for good, and cannot be asked for its weights: there the last checkpoint stays.
        """
        if not self._between or self.experiment.device.type != "cpu":
            return
        if self._before is not None:
            buffers, work = self._before
            for buffer, value in zip(self._module.buffers(), buffers, strict=True):
                buffer.copy_(value)
            self.experiment.work = work
        with suppress(Diverged):
            yield from self._checkpoint()

    def _kept_before(self) -> tuple[list[torch.Tensor], Counter[str]] | None:
        """Return what a step changes before its end, where a lost process may cut it short: for `_rescue`."""
        if distributed.world_size() == 1 or self.experiment.device.type != "cpu":
            return None
        return [buffer.clone() for buffer in self._module.buffers()], self.experiment.work.copy()

    def _checkpoint(self) -> Iterator[Event]:
        if self._board and (self._save or distributed.world_size() > 1):  # all ranks read their losses together
            yield from self._drain()
        if self._save is None:
            return
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
            "steps_taken": self.steps_taken,
            "met_at": self._met_at,
            "weights": _copied(self._module.state_dict()),
            **self._stepper.state(inside=inside),
            "aux": _copied(self.context.aux),
            "lr_scale": self.lr_scale,
            "elapsed": self.elapsed,
            "samples_seen": self.samples_seen,
            "work": dict(self.experiment.work),
            "counted": self._forward.state(),
            "monitor_spent": self.monitor.spent,
        }

    def begin_anew(self) -> None:
        """Report a start at step 0 in place of an earlier attempt that left no checkpoint."""
        self._resumed_at = 0

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state; the run goes on to the same weights as if it had not been interrupted."""
        self._module.load_state_dict(state["weights"])
        self.step, self.lr_scale = state["step"], state["lr_scale"]
        self.elapsed, self.samples_seen = state["elapsed"], state["samples_seen"]
        self.steps_taken = state.get("steps_taken", state["step"])  # checkpoints of earlier versions lack this and work
        self._met_at = state.get("met_at")
        self.experiment.work.update(state.get("work", {}))
        if "counted" in state:
            self._forward.restore(state["counted"])
        self.monitor.spent = state["monitor_spent"]
        self.context.aux = {name: value.to(self.experiment.device) for name, value in state["aux"].items()}
        self._resumed_at = self.step
        if state["optimiser"] is not None:
            self._prepare(self.timeline.locate(self.step)[0])
        self._stepper.restore(state)

    # -- events ------------------------------------------------------------------------------------------------------

    def _common(self) -> dict[str, Any]:
        return {"run": self.experiment.run_id, "step": self.step, "time": time.time()}

    def _started(self) -> RunStarted:
        experiment = self.experiment
        return RunStarted(
            **self._common(),
            method=experiment.method.id,
            steps=self.timeline.total,
            stages=self.timeline.describe(),
            forget_mode=mode_of(experiment.facts.kinds),
            counts=experiment.splits.counts(),
            device=str(experiment.device),
            precision=experiment.precision,
            threads=torch.get_num_threads(),
            processes=distributed.world_size(),
            resumed_at=self._resumed_at,
            host=platform.node(),
        )

    def _phase(self, state: State, segment: Segment | None = None) -> PhaseChanged:
        stage = segment.stage if segment else None
        name, phase = (stage.name, phase_of(stage)) if stage else ("", "")
        return PhaseChanged(**self._common(), state=state.value, stage=name, phase=phase)

    def _resources(self) -> Resources:
        return Resources(
            **self._common(),
            elapsed=self.elapsed,
            remaining=self._pace.left(self.step, self.timeline.total, self.elapsed),
            samples_per_second=self.samples_seen / max(self.elapsed, 1e-9),
            memory_bytes=memory_used(self.experiment.device),
            monitoring_share=self.monitor.spent / max(self.elapsed, 1e-9),
        )

    def _shift_clock(self, seconds: float) -> None:
        """Leave the seconds of a pause or a save out of the measured time."""
        self._clock += seconds
        self._drained_at += seconds


def _copied(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in tensors.items()}
