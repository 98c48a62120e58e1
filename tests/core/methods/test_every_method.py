"""What must hold for every registered method, on class and on sample forgetting."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import core.methods
from core.engine.control import Control
from core.errors import ParameterError
from core.events import Evaluation, State, StepMetrics
from core.methods import METHODS
from core.methods.base import Alternate, Edit, Train
from core.parameters import resolve
from tests.core.invalid_values import invalid_values
from tests.core.methods.cases import IDENTITY, SEED, case_id, cases
from tests.core.toy import make_engine, make_experiment, run_to_end, same, trained_net, weights

CASES = cases()


def _engine(case, control=None):
    return make_engine(make_experiment(case.method, forget=case.mode, **case.values), control)


def _final(case):
    engine = _engine(case)
    run_to_end(engine)
    return weights(engine.experiment.model.module)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_ends_with_finite_values_and_leaves_the_teacher_alone(case):
    engine = _engine(case)
    teacher = weights(engine.experiment.teacher.module) if engine.experiment.teacher else {}
    events = run_to_end(engine)
    assert engine.outcome is State.FINISHED
    assert engine.step == engine.timeline.total
    assert all(bool(torch.isfinite(v).all()) for v in weights(engine.experiment.model.module).values())
    losses = [x for e in events if isinstance(e, StepMetrics) for x in e.terms["loss"]]
    assert all(math.isfinite(loss) for loss in losses)
    assert isinstance(events[1], Evaluation)
    if engine.experiment.teacher:
        assert same(teacher, weights(engine.experiment.teacher.module))


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_resumes_from_every_step_to_identical_weights(case):
    """With a negative control: every optimiser step changes weights, so equality cannot come from a frozen model."""
    states = []
    engine = _engine(case)
    for _ in range(engine.timeline.total):
        engine.advance()
        states.append(engine.state())
    final = weights(engine.experiment.model.module)
    for earlier, later in itertools.pairwise(states):
        if not isinstance(engine.timeline.locate(earlier["step"])[0].stage, Edit):  # one may find nothing to change
            assert not same(earlier["weights"], later["weights"])
    for number, state in enumerate(states):
        torch.manual_seed(number)  # global random state at a resume is anything
        resumed = _engine(case)
        resumed.restore(state)
        while resumed.step < resumed.timeline.total:
            resumed.advance()
        assert same(final, weights(resumed.experiment.model.module)), f"resume after step {number + 1}"


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_repeats_with_a_seed_and_differs_with_another(case):
    first = _final(case)
    assert same(first, _final(case))
    other = make_engine(make_experiment(case.method, forget=case.mode, seed=7, **case.values))
    run_to_end(other)
    assert same(first, weights(other.experiment.model.module)) is (SEED in case.never)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_zero_step_size_is_the_identity_on_parameters(case):
    if not any(p.name == "lr" for p in METHODS[case.method].parameters):
        pytest.skip("a one-shot edit has no step size")
    engine = make_engine(make_experiment(case.method, forget=case.mode, **{**case.values, "lr": 0.0}))
    before = {n: p.detach().clone() for n, p in engine.experiment.model.module.named_parameters()}
    run_to_end(engine)
    after = {n: p.detach() for n, p in engine.experiment.model.module.named_parameters()}
    assert same(before, after) is (IDENTITY not in case.never)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_stop_is_honoured_at_every_step_and_keeps_the_model_of_that_step(case):
    straight = _engine(case)
    kept = [weights(straight.experiment.model.module)]
    for _ in range(straight.timeline.total):
        straight.advance()
        kept.append(weights(straight.experiment.model.module))
    for at in range(straight.timeline.total):
        control = Control()
        engine = _engine(case, control)
        advance = engine.advance

        def counted(engine=engine, advance=advance, control=control, at=at):
            advance()
            if engine.step >= at + 1:
                control.stop()

        engine.advance = counted  # type: ignore[method-assign]
        run_to_end(engine)
        assert engine.step == at + 1
        assert same(kept[at + 1], weights(engine.experiment.model.module))
        assert engine.outcome is (State.STOPPED if at + 1 < straight.timeline.total else State.FINISHED)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_plan_is_pure_and_finite(case):
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


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_no_loss_makes_a_gpu_wait(case):
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
    run_to_end(make_engine(make_experiment(method, forget=case.mode, **case.values)))
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


@pytest.mark.parametrize(
    ("method", "parameter", "value"),
    [(m, p, v) for m in METHODS.values() for p in m.parameters for v in invalid_values(p)],
    ids=lambda x: getattr(x, "id", getattr(x, "name", repr(x))),
)
def test_refuses_every_invalid_value_by_name(method, parameter, value):
    with pytest.raises(ParameterError) as caught:
        resolve(method.parameters, {parameter.name: value})
    assert parameter.name in str(caught.value)
    assert repr(value) in str(caught.value)


def test_no_id_is_registered_twice():
    assert list(METHODS) == [method.id for method in core.methods._ALL]


def test_reports_all_wrong_parameters_at_once_with_the_nearest_name():
    with pytest.raises(ParameterError) as caught:
        resolve(METHODS["muda"].parameters, {"lrr": 1, "rounds": -1, "mask": "none of them"}, owner="muda")
    text = str(caught.value)
    assert "did you mean lr" in text and "rounds must be" in text and "mask must be" in text
