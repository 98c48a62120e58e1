"""What must hold for every registered method, on class and on sample forgetting."""

from __future__ import annotations

import copy
import functools
import itertools
import math
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import core.methods
from core.engine.control import Control
from core.engine.engine import Engine
from core.engine.monitor import Unwatched
from core.engine.timeline import Timeline
from core.errors import ParameterError
from core.events import Evaluation, Event, State, StepMetrics
from core.methods import METHODS
from core.methods.base import Alternate, Edit, Train
from core.parameters import resolve
from tests.core.invalid_values import invalid_values
from tests.core.methods.cases import IDENTITY, SEED, Case, case_id, cases
from tests.core.toy import make_engine, make_experiment, run_to_end, same, trained_net, weights

CASES = cases()


def _engine(case, control=None, **changed):
    """An engine that nobody watches: that a monitor does not change where it ends is held where it is repeated."""
    experiment = make_experiment(case.method, forget=case.mode, **{**case.values, **changed})
    return Engine(experiment, control or Control(), Unwatched())


class Straight(NamedTuple):
    """A case walked step by step: all that a checkpoint keeps, before the first step and after each."""

    states: list[dict[str, Any]]
    timeline: Timeline

    @property
    def kept(self) -> list[dict[str, torch.Tensor]]:
        return [state["weights"] for state in self.states]


@functools.cache
def straight(number: int) -> Straight:
    """Walk the case of this number once for all tests that hold something against it; none changes what it reads."""
    return walk(CASES[number])


def walk(case: Case) -> Straight:
    engine = _engine(case)
    states = [engine.state()]
    while engine.step < engine.timeline.total:
        engine.advance()
        states.append(engine.state())
    return Straight(states, engine.timeline)


Watched = tuple[Engine, dict[str, torch.Tensor], list[Event]]
EVERY_CASE = pytest.mark.parametrize("number", range(len(CASES)), ids=[case_id(case) for case in CASES])


@functools.cache
def watched(number: int) -> Watched:
    """Run the case of this number once under a monitor, for all tests that read it."""
    return watch(CASES[number])


def watch(case: Case) -> Watched:
    """Run a case to its end under a monitor; its teacher's weights at the start, and its events."""
    engine = make_engine(make_experiment(case.method, forget=case.mode, **case.values))
    teacher = weights(engine.experiment.teacher.module) if engine.experiment.teacher else {}
    return engine, teacher, run_to_end(engine)


@EVERY_CASE
def test_ends_with_finite_values_and_leaves_the_teacher_alone(number):
    ends_with_finite_values_and_leaves_the_teacher_alone(*watched(number))


def ends_with_finite_values_and_leaves_the_teacher_alone(engine, teacher, events):
    assert engine.outcome is State.FINISHED
    assert engine.step == engine.timeline.total
    assert all(bool(torch.isfinite(v).all()) for v in weights(engine.experiment.model.module).values())
    losses = [x for e in events if isinstance(e, StepMetrics) for x in e.terms["loss"]]
    assert all(math.isfinite(loss) for loss in losses)
    assert isinstance(events[1], Evaluation)
    if engine.experiment.teacher:
        assert same(teacher, weights(engine.experiment.teacher.module))


LEG = 3  # steps


@EVERY_CASE
def test_resumes_from_every_step_to_identical_weights(number):
    """With a negative control: every optimiser step changes weights, so equality cannot come from a frozen model.

    From every third step a resumed run goes to the end, from those between to the third step at least. So of anything
    a checkpoint forgets between two steps, whatever they are, one of the runs begins after the first and passes the
    second.
    """
    resumes_from_every_step_to_identical_weights(CASES[number], *straight(number))


def resumes_from_every_step_to_identical_weights(case, states, timeline):
    total = timeline.total
    for before, after in itertools.pairwise(states[1:]):
        if not isinstance(timeline.locate(before["step"])[0].stage, Edit):  # one may find nothing to change
            assert not same(before["weights"], after["weights"])
    by_step = {state["step"]: state["weights"] for state in states}
    for place, state in enumerate(states[1:], start=1):
        torch.manual_seed(place)  # global random state at a resume is anything
        resumed = _engine(case)
        resumed.restore(copy.deepcopy(state))  # an optimiser goes on in what it is given
        until = total if place % LEG == 0 else min(state["step"] + LEG, total)
        while resumed.step < until:
            resumed.advance()
        assert same(by_step[resumed.step], weights(resumed.experiment.model.module)), f"resume after step {place}"


@EVERY_CASE
def test_repeats_with_a_seed_and_differs_with_another(number):
    """Looked at by a monitor, too, it comes to the weights of the one that was walked step by step."""
    case = CASES[number]
    first = straight(number).kept[-1]
    assert same(first, weights(watched(number)[0].experiment.model.module))
    other = _engine(case, seed=7)
    run_to_end(other)
    assert same(first, weights(other.experiment.model.module)) is (SEED in case.never)


@EVERY_CASE
def test_zero_step_size_is_the_identity_on_parameters(number):
    case = CASES[number]
    if not any(p.name == "lr" for p in METHODS[case.method].parameters):
        pytest.skip("a one-shot edit has no step size")
    engine = _engine(case, lr=0.0)
    before = {n: p.detach().clone() for n, p in engine.experiment.model.module.named_parameters()}
    run_to_end(engine)
    after = {n: p.detach() for n, p in engine.experiment.model.module.named_parameters()}
    assert same(before, after) is (IDENTITY not in case.never)


@EVERY_CASE
def test_stop_is_honoured_at_every_step_and_keeps_the_model_of_that_step(number):
    """Each run begins one step before the one it is to stop after, by what a checkpoint there would keep."""
    states, timeline = straight(number)
    for before, after in itertools.pairwise(states):
        control = Control()
        engine = _engine(CASES[number], control)
        if before["step"]:
            engine.restore(copy.deepcopy(before))
        advance = engine.advance

        def counted(engine=engine, advance=advance, control=control, last=after["step"]):
            advance()
            if engine.step >= last:
                control.stop()

        engine.advance = counted  # type: ignore[method-assign]
        run_to_end(engine)
        assert engine.step == after["step"]
        assert same(after["weights"], weights(engine.experiment.model.module))
        assert engine.outcome is (State.STOPPED if after["step"] < timeline.total else State.FINISHED)


@EVERY_CASE
def test_plan_is_pure_and_finite(number):
    case = CASES[number]
    experiment = make_experiment(case.method, forget=case.mode, **case.values)
    again = METHODS[case.method].plan(experiment.values, experiment.facts)
    assert [s.name for s in again] == [s.name for s in experiment.plan]
    assert 0 < experiment.timeline.total < 10_000
    assert same(weights(experiment.model.module), weights(trained_net()))


class NoWaiting(TorchDispatchMode):
    """Notes what would make a GPU wait: a number read from a tensor, or rows picked by a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        picks = name in ("index", "index_put", "index_put_") and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        if picks or name in ("_local_scalar_dense", "item", "nonzero", "masked_select", "is_nonzero", "equal"):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


@EVERY_CASE
def test_no_loss_makes_a_gpu_wait(number):
    case = CASES[number]
    experiment = make_experiment(case.method, forget=case.mode, **case.values)
    watch, losses = NoWaiting(), 0

    def watched(part):
        def loss(*given):
            nonlocal losses
            losses += 1
            with watch:
                return part.loss(*given)

        return replace(part, loss=loss)

    def seen(stage):
        if isinstance(stage, Alternate):
            return replace(stage, parts=tuple(watched(part) for part in stage.parts))
        return watched(stage) if isinstance(stage, Train) else stage

    plan = [seen(stage) for stage in experiment.plan]
    if all(isinstance(stage, Edit) for stage in plan):
        pytest.skip("a one-shot edit has no loss")
    method = replace(experiment.method, plan=lambda values, facts: plan)
    run_to_end(Engine(make_experiment(method, forget=case.mode, **case.values), Control(), Unwatched()))
    assert losses and not watch.found


def test_the_watch_sees_what_waits():
    rows, chosen = torch.rand(4), torch.tensor([True, False, True, False])
    for waits in (lambda: bool(chosen.all()), lambda: rows[chosen], lambda: rows.sum().item(), chosen.nonzero):
        with NoWaiting() as watch:
            waits()
        assert watch.found


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda m: m.id)
def test_declares_a_complete_card(method):
    assert method.title and method.summary.endswith((".", "!"))
    assert len({p.name for p in method.parameters}) == len(method.parameters)
    for parameter in method.parameters:
        assert parameter.help.endswith("."), parameter.name
        assert parameter.parse(parameter.default) == parameter.default
    for preset in method.presets:
        assert preset.reason
        resolve(method.parameters, preset.values)
    for kinds in ({"class"}, {"sample"}, {"class", "sample"}):
        if kinds <= method.suits:
            assert method.preset("", kinds) in method.presets


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda m: m.id)
def test_refuses_every_invalid_value_by_name(method):
    taken = []
    for parameter, value in ((p, v) for p in method.parameters for v in invalid_values(p)):
        try:
            resolve(method.parameters, {parameter.name: value})
        except ParameterError as error:
            assert parameter.name in str(error)
            assert repr(value) in str(error)
        else:
            taken.append((parameter.name, value))
    assert not taken


def test_no_id_is_registered_twice():
    assert list(METHODS) == [method.id for method in core.methods._ALL]


def test_reports_all_wrong_parameters_at_once_with_the_nearest_name():
    with pytest.raises(ParameterError) as caught:
        resolve(METHODS["muda"].parameters, {"lrr": 1, "rounds": -1, "mask": "none of them"}, owner="muda")
    text = str(caught.value)
    assert "did you mean lr" in text and "rounds must be" in text and "mask must be" in text
