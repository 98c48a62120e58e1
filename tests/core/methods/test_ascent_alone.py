"""Gradient ascent: the loss rises, steps are clipped, and the run ends where its goal is reached."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from core.engine.passes import SetPasses
from core.methods import get_method
from core.methods.ascent import ascend, ascending
from core.methods.base import Facts, StageOutput
from core.methods.goals import GOALS, judges_by_unseen
from core.parameters import resolve
from tests.core.toy import make_engine, make_experiment, rows_of, run_to_end, weights

PARAMETERS = get_method("gradient-ascent").parameters
LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 8.0, 0.0], [1.0, 1.0, 1.0]])
LABELS = torch.tensor([0, 0, 2])


def test_the_loss_is_minus_the_cross_entropy_and_weighs_samples():
    weight = torch.tensor([1.0, 0.5, 2.0])
    out = StageOutput(LOGITS, LOGITS)
    loss = ascend(out, rows_of(LABELS, True, weight), {}, resolve(PARAMETERS))["loss"]
    rows = -torch.log_softmax(LOGITS.double(), 1)[torch.arange(3), LABELS]
    assert float(loss) == pytest.approx(-float((rows * weight).mean()), rel=1e-6)


def test_an_image_above_the_ceiling_pulls_no_further():
    logits = LOGITS.clone().requires_grad_(True)
    ascend(StageOutput(logits, logits), rows_of(LABELS), {}, resolve(PARAMETERS, {"ceiling": 5.0}))["loss"].backward()
    assert F.cross_entropy(LOGITS[1:2], LABELS[1:2]) > 5
    assert torch.count_nonzero(logits.grad[1]) == 0
    assert (logits.grad[[0, 2]].abs().sum(dim=1) > 0).all()
    moved = (logits - logits.grad).detach()
    assert F.cross_entropy(moved[[0, 2]], LABELS[[0, 2]]) > F.cross_entropy(LOGITS[[0, 2]], LABELS[[0, 2]])


@pytest.mark.parametrize("mode", ["class", "sample"])
def test_the_forget_loss_rises_more_than_the_retain_loss(mode):
    experiment = make_experiment("gradient-ascent", forget=mode, goal="none", epochs=3, lr=0.02, batch=8)
    context = SetPasses(experiment, lambda: None)
    before = {name: context.outputs(name).losses.mean() for name in ("forget", "retain")}
    run_to_end(make_engine(experiment))
    rise = {name: context.outputs(name).losses.mean() - before[name] for name in before}
    assert rise["forget"] > 0.05
    assert rise["forget"] > rise["retain"]


def test_a_step_is_no_longer_than_clip_and_step_size_allow():
    experiment = make_experiment("gradient-ascent", goal="none", epochs=1, batch=64, lr=0.1, clip=0.25, momentum=0.0)
    before = weights(experiment.model.module)
    engine = make_engine(experiment)
    engine.advance()
    after = dict(experiment.model.module.named_parameters())
    moved = torch.cat([(after[n].detach() - before[n]).flatten() for n in after]).norm()
    assert float(moved) == pytest.approx(0.1 * 0.25, rel=1e-3)


def test_it_stops_at_the_first_look_after_its_goal():
    goal = 0.25
    fixed = {"epochs": 60, "checks": 3, "lr": 0.05, "batch": 8, "stop_accuracy": goal}
    experiment = make_experiment("gradient-ascent", **fixed)
    engine = make_engine(experiment)
    run_to_end(engine)
    context = SetPasses(experiment, lambda: None)
    taken = engine.samples_seen
    assert context.accuracy("forget") <= goal
    assert engine.step == engine.timeline.total and 0 < taken < 60 * len(experiment.splits.forget_train)
    earlier = make_experiment("gradient-ascent", **{**fixed, "goal": "none"})
    again = make_engine(earlier)
    look = max(1, round(len(earlier.splits.forget_train) // 8 / 3))
    seen = SetPasses(earlier, lambda: None)
    while again.samples_seen < taken:
        if again.step and again.step % look == 0:
            assert seen.accuracy("forget") > goal  # every look before found it not reached
        again.advance()
    assert all(torch.equal(a, b) for a, b in zip(*map(_values, (experiment, earlier)), strict=True))


def _values(experiment):
    return weights(experiment.model.module).values()


def test_the_goal_for_single_images_is_the_accuracy_on_unseen_ones():
    experiment = make_experiment(
        "gradient-ascent", forget="sample", goal="unseen accuracy", epochs=60, lr=0.05, batch=8, checks=4
    )
    engine = make_engine(experiment)
    context = SetPasses(experiment, lambda: None)
    goal = context.accuracy("unseen")  # of the original: the network's own falls along with the forget set's
    run_to_end(engine)
    assert context.accuracy("forget") <= goal < 1
    assert engine.samples_seen < 60 * len(experiment.splits.forget_train)


@pytest.mark.parametrize(("epochs", "batch", "checks", "steps"), [(2, 10, 1, 4), (2.5, 10, 5, 5), (1, 500, 3, 1)])
def test_a_stage_has_the_steps_of_the_passes_asked_for(epochs, batch, checks, steps):
    values = resolve(PARAMETERS, {"epochs": epochs, "batch": batch, "checks": checks})
    (stage,) = ascending(values, Facts(20, 0, 60, 4))
    assert stage.length.steps_over(20, batch) == steps and stage.until_every <= steps


@pytest.mark.parametrize(
    ("classes", "singles", "goals"),
    [(9, 0, ()), (0, 9, ("unseen accuracy",)), (9, 9, ("forget accuracy", "unseen accuracy"))],
)
def test_unseen_images_are_looked_at_where_a_goal_for_single_images_needs_them(classes, singles, goals):
    facts = Facts(classes, singles, 40, 4)
    judged = [goal for goal in GOALS if judges_by_unseen(resolve(PARAMETERS, {"goal": goal}), facts)]
    assert tuple(judged) == goals
    corrective = replace(facts, purpose="labels")
    assert not any(judges_by_unseen(resolve(PARAMETERS, {"goal": goal}), corrective) for goal in GOALS)


def test_in_a_correction_single_images_go_as_far_as_whole_classes():
    values = {"goal": "unseen accuracy", "stop_accuracy": 0.4, "epochs": 60, "lr": 0.05, "batch": 8, "checks": 4}
    experiment = replace(make_experiment("gradient-ascent", forget="sample", **values), purpose="labels")
    context = SetPasses(experiment, lambda: None)
    assert context.accuracy("unseen") > 0.5
    run_to_end(make_engine(experiment))
    assert context.accuracy("forget") <= 0.4
    told = get_method("gradient-ascent").explain(experiment.values, experiment.facts)
    assert told[0].startswith("Stops where accuracy on the forget set is at or below 40.0 %")
