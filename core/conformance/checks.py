"""What must hold for every method, whoever wrote it: the checks that `python -m` runs, and the repository's tests.

Each check takes a `Trial`, which walks one setting of a method on the toy data once for all of them, and raises
`BrokenError`, an AssertionError, with a sentence on what does not hold.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from core.conformance.toy import make_engine, make_experiment, run_to_end, same, trained_net, weights
from core.data.batches import Batch
from core.engine.control import Control
from core.engine.engine import Engine
from core.engine.experiment import Experiment
from core.engine.monitor import Unwatched
from core.engine.timeline import Timeline
from core.errors import ParameterError
from core.events import Evaluation, Event, State, StepMetrics
from core.methods import get_method
from core.methods.base import Alternate, Edit, Method, Stage, Train
from core.methods.card import faults
from core.parameters import Parameter, resolve

LONGEST = 10_000  # steps of a plan on the toy data's 80 images
LEG = 3  # steps that a resumed run goes, where it does not go to the end
MOST_PLACES = 60  # of a long run at which it is resumed and stopped, evenly spread

SEED, IDENTITY = "another seed gives other weights", "a step size of zero changes no parameter"
Holds = Literal["yes", "no", "either"]


class BrokenError(AssertionError):
    """A check does not hold; the text says what was found."""


class Case(NamedTuple):
    """A method with settings on a kind of forget set: "class", "sample" or "mixed".

    never: of SEED and IDENTITY what its nature rules out, and must not hold; open: what need not be told.
    """

    method: str | Method
    mode: str
    values: dict[str, Any]
    never: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()

    def demands(self, what: str) -> Holds:
        """Return whether a demand must hold, must not, or either."""
        return "either" if what in self.open else "no" if what in self.never else "yes"


class Straight(NamedTuple):
    """A case walked step by step: all that a checkpoint keeps, before the first step and after each."""

    states: list[dict[str, Any]]
    timeline: Timeline

    @property
    def kept(self) -> list[dict[str, torch.Tensor]]:
        """The weights in each."""
        return [state["weights"] for state in self.states]


class Watched(NamedTuple):
    """A case run to its end under a monitor: the engine, its teacher's weights at the start, and its events."""

    engine: Engine
    teacher: dict[str, torch.Tensor]
    events: list[Event]


@dataclass
class Trial:
    """One case on the toy data; what several checks read is made once, and none changes it."""

    case: Case
    seen: dict[str, str] = field(default_factory=dict)  # by check that cannot be made here: why

    @property
    def method(self) -> Method:
        """The method."""
        return get_method(self.case.method) if isinstance(self.case.method, str) else self.case.method

    def experiment(self, method: Method | None = None, **changed: Any) -> Experiment:
        """Return a fresh setting of the case. `method` in place of its own; `changed`: other values, or the seed."""
        chosen = self.case.method if method is None else method
        return make_experiment(chosen, forget=self.case.mode, **{**self.case.values, **changed})

    def engine(self, control: Control | None = None, **changed: Any) -> Engine:
        """Return an engine that nobody watches: that a monitor changes nothing is held where the case is repeated."""
        return Engine(self.experiment(**changed), control or Control(), Unwatched())

    @cached_property
    def straight(self) -> Straight:
        """The case walked step by step."""
        engine = self.engine()
        states = [engine.state()]
        while engine.step < engine.timeline.total:
            engine.advance()
            states.append(engine.state())
        return Straight(states, engine.timeline)

    @cached_property
    def watched(self) -> Watched:
        """The case run under a monitor."""
        engine = make_engine(self.experiment())
        teacher = weights(engine.experiment.teacher.module) if engine.experiment.teacher else {}
        return Watched(engine, teacher, run_to_end(engine))


def require(holds: object, what: str) -> None:
    """Raise BrokenError where something does not hold."""
    if not holds:
        raise BrokenError(what)


def require_as(demand: Holds, holds: bool, what: str) -> None:
    """Raise BrokenError where something holds that must not, or does not hold that must."""
    if demand != "either" and holds is not (demand == "yes"):
        raise BrokenError(f"It does not hold that {what}" if demand == "yes" else f"It holds that {what}, and must not")


# --- of one case ---------------------------------------------------------------------------------------------------


def ends_finite_and_leaves_the_teacher_alone(trial: Trial) -> None:
    """The run finishes, with finite weights and losses, and the frozen original is what it was."""
    engine, teacher, events = trial.watched
    require(engine.outcome is State.FINISHED and engine.step == engine.timeline.total, "The run does not finish")
    for name, value in weights(engine.experiment.model.module).items():
        require(torch.isfinite(value).all(), f"{name} holds numbers that are not finite")
    losses = [loss for event in events if isinstance(event, StepMetrics) for loss in event.terms["loss"]]
    require(all(loss is not None and math.isfinite(loss) for loss in losses), "A loss is not finite")
    require(isinstance(events[1], Evaluation), "The run does not begin with an evaluation")
    if engine.experiment.teacher:
        require(same(teacher, weights(engine.experiment.teacher.module)), "The frozen original was changed")


def resumes_to_identical_weights(trial: Trial) -> None:
    """A run that is resumed after any step comes to the same weights, bit for bit.

    With a negative control: every optimiser step changes weights, so equality cannot come from a frozen model. From
    every third place a resumed run goes to the end, from those between for three steps at least. So of anything that a
    checkpoint forgets between two steps, whatever they are, one of the runs begins after the first and passes the
    second; of a plan of more than MOST_PLACES steps that holds for the places that are tried.
    """
    states, timeline = trial.straight
    for before, after in itertools.pairwise(states[1:]):
        if not isinstance(timeline.locate(before["step"])[0].stage, Edit):  # one may find nothing to change
            require(not same(before["weights"], after["weights"]), f"Step {after['step']} changes no weight")
    by_step = {state["step"]: state["weights"] for state in states}
    for place, state in enumerate(_spread(states[1:]), start=1):
        torch.manual_seed(place)  # global random state at a resume is anything
        resumed = trial.engine()
        resumed.restore(copy.deepcopy(state))  # an optimiser goes on in what it is given
        until = timeline.total if place % LEG == 0 else min(state["step"] + LEG, timeline.total)
        while resumed.step < until:
            resumed.advance()
        end = weights(resumed.experiment.model.module)
        require(same(by_step[resumed.step], end), f"A run resumed after step {state['step']} comes to other weights")


def repeats_with_a_seed(trial: Trial) -> None:
    """The same seed gives the same weights, bit for bit, watched by a monitor or not. Steps go by the seed."""
    first = trial.straight.kept[-1]
    again = weights(trial.watched.engine.experiment.model.module)
    require(same(first, again), "The same seed gives other weights")
    other = trial.engine(seed=7)
    run_to_end(other)
    differs = not same(first, weights(other.experiment.model.module))
    require_as(trial.case.demands(SEED), differs, SEED)


def zero_step_size_is_the_identity(trial: Trial) -> None:
    """With a step size of zero no parameter changes."""
    if not any(parameter.name == "lr" for parameter in trial.method.parameters):
        trial.seen["zero_step_size_is_the_identity"] = "it has no step size called lr"
        return
    engine = trial.engine(lr=0.0)
    before = {name: value.detach().clone() for name, value in engine.experiment.model.module.named_parameters()}
    run_to_end(engine)
    after = {name: value.detach() for name, value in engine.experiment.model.module.named_parameters()}
    require_as(trial.case.demands(IDENTITY), same(before, after), IDENTITY)


def stops_at_every_step(trial: Trial) -> None:
    """A stop is honoured after any step, and keeps the model of that step.

    Each run begins one step before the one it is to stop after, by what a checkpoint there would keep.
    """
    states, timeline = trial.straight
    for before, after in _spread(list(itertools.pairwise(states))):
        control = Control()
        engine = trial.engine(control)
        if before["step"]:
            engine.restore(copy.deepcopy(before))
        advance = engine.advance

        def counted(
            engine: Engine = engine, advance: Callable[[], Any] = advance, control: Control = control,
            last: int = after["step"],
        ) -> None:  # fmt: skip
            advance()
            if engine.step >= last:
                control.stop()

        engine.advance = counted  # type: ignore[method-assign, assignment]
        run_to_end(engine)
        require(engine.step == after["step"], f"Told to stop after step {after['step']}, it stops at {engine.step}")
        kept = weights(engine.experiment.model.module)
        require(same(after["weights"], kept), f"Stopped after step {after['step']}, it keeps other weights")
        ended = State.STOPPED if after["step"] < timeline.total else State.FINISHED
        require(engine.outcome is ended, f"Stopped after step {after['step']}, it ends as {engine.outcome}")


def plan_is_pure_and_finite(trial: Trial) -> None:
    """Planning twice gives the same stages, of some steps and not too many, and touches no weight."""
    experiment = trial.experiment()
    again = experiment.method.plan(experiment.values, experiment.facts)
    require([s.name for s in again] == [s.name for s in experiment.plan], "Planning twice gives other stages")
    total = experiment.timeline.total
    require(0 < total < LONGEST, f"The plan has {total} steps on 80 images")
    require(same(weights(experiment.model.module), weights(trained_net())), "Planning changes weights")


class NoWaiting(TorchDispatchMode):
    """Notes what would make a GPU wait: a number read from a tensor, or rows picked by a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Note the operation, and do it."""
        name = func.overloadpacket.__name__
        picks = name in ("index", "index_put", "index_put_") and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        if picks or name in ("_local_scalar_dense", "item", "nonzero", "masked_select", "is_nonzero", "equal"):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def no_loss_makes_a_gpu_wait(trial: Trial) -> None:
    """No loss reads a number from a tensor or picks rows by a mask: either makes a GPU wait at every step."""
    experiment = trial.experiment()
    watch, losses = NoWaiting(), 0

    def watched(part: Train) -> Train:
        def loss(*given: Any) -> Any:
            nonlocal losses
            losses += 1
            with watch:
                return part.loss(*given)

        return replace(part, loss=loss)

    if all(isinstance(stage, Edit) for stage in experiment.plan):
        trial.seen["no_loss_makes_a_gpu_wait"] = "a one-shot edit has no loss"
        return
    run_to_end(Engine(_with_parts(trial, watched), Control(), Unwatched()))
    require(losses, "No loss was asked for")
    require(not watch.found, f"A loss makes a GPU wait: {', '.join(sorted(set(watch.found)))}")


def no_loss_looks_at_images(trial: Trial) -> None:
    """A loss does without images, some of which other processes hold where several share a run.

    Not so where its stage prepares batches: then every process has them all.
    """
    if not trial.method.shared:
        trial.seen["no_loss_looks_at_images"] = "it runs in one process only"
        return

    def blind(part: Train) -> Train:
        def loss(out: Any, batch: Batch, *given: Any) -> Any:
            return part.loss(out, replace(batch, images=batch.images.to("meta")), *given)

        return replace(part, loss=loss) if part.prepare is None else part

    made = _with_parts(trial, blind)
    run_to_end(Engine(made, Control(), Unwatched()))
    require(same(trial.straight.kept[-1], weights(made.model.module)), "Without images a loss gives other weights")


def _with_parts(trial: Trial, change: Callable[[Train], Train]) -> Experiment:
    """Return the experiment of a trial with every stage of steps changed."""
    experiment = trial.experiment()

    def changed(stage: Stage) -> Stage:
        if isinstance(stage, Alternate):
            return replace(stage, parts=tuple(change(part) for part in stage.parts))
        return change(stage) if isinstance(stage, Train) else stage

    plan = [changed(stage) for stage in experiment.plan]
    return trial.experiment(replace(experiment.method, plan=lambda values, facts: plan))


CHECKS: tuple[Callable[[Trial], None], ...] = (
    plan_is_pure_and_finite,
    ends_finite_and_leaves_the_teacher_alone,
    resumes_to_identical_weights,
    repeats_with_a_seed,
    zero_step_size_is_the_identity,
    stops_at_every_step,
    no_loss_makes_a_gpu_wait,
    no_loss_looks_at_images,
)
"""Of one case."""


# --- of the record -------------------------------------------------------------------------------------------------


def declares_a_complete_card(method: Method) -> None:
    """The record holds all that cards, forms, plans and documents are made of."""
    require(not (wrong := faults(method)), "; ".join(wrong))


def refuses_every_invalid_value(method: Method) -> None:
    """Every parameter refuses what its rule refuses, by its name and with the value."""
    for parameter, value in ((p, v) for p in method.parameters for v in invalid_values(p)):
        try:
            resolve(method.parameters, {parameter.name: value})
        except ParameterError as error:
            told = parameter.name in str(error) and repr(value) in str(error)
            require(told, f"{parameter.name} refuses {value!r} without saying so: {error}")
        else:
            raise BrokenError(f"{parameter.name} takes {value!r}, and must be {parameter.rule}")


def invalid_values(parameter: Parameter) -> list[Any]:
    """Return values just outside of what a parameter allows, and such of other types."""
    bad: list[Any] = ["not a value", None]
    if parameter.kind in ("int", "float"):
        bad += [math.nan, math.inf]
        if parameter.low is not None:
            bad.append(parameter.low if parameter.low_open else parameter.low - 1)
        if parameter.high is not None:
            bad.append(parameter.high + 1)
        if parameter.kind == "int":
            bad.append((parameter.low or 0) + 1.5)
    return bad


RECORD_CHECKS: tuple[Callable[[Method], None], ...] = (declares_a_complete_card, refuses_every_invalid_value)
"""Of a method's record."""


def cases_of(method: Method, values: dict[str, Any]) -> Iterator[Case]:
    """Yield the cases on which a method of others is checked: each kind of forget set that it suits, and both together.

    A plan that edits weights at one go need not draw anything, and changes them whatever the step size is.
    """
    kinds = [mode for mode in ("class", "sample") if mode in method.suits]
    for mode in [*kinds, *(["mixed"] if len(kinds) == 2 else [])]:
        case = Case(method, mode, values)
        edits = any(isinstance(stage, Edit) for stage in Trial(case).experiment().plan)
        yield case._replace(open=frozenset({SEED, IDENTITY}) if edits else frozenset())


def _spread(places: Sequence[Any]) -> Sequence[Any]:
    """Return at most MOST_PLACES of `places`, evenly spread, the first and the last among them."""
    if len(places) <= MOST_PLACES:
        return places
    return [places[round(n * (len(places) - 1) / (MOST_PLACES - 1))] for n in range(MOST_PLACES)]
