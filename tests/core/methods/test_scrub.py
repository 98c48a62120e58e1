"""SCRUB: max steps raise the divergence, min steps hold the rest, and rewinding picks the pass that forgot enough."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from core.engine.passes import SetPasses
from core.events import Log
from core.methods import get_method
from core.methods.base import Edit, Facts, StageOutput
from core.methods.losses import divergence
from core.methods.scrub import (
    done,
    error_in_mix,
    leave,
    nearest_snapshot,
    plan,
    rewind,
    stay,
    unseen_error,
    wrong_enough,
)
from core.parameters import resolve
from tests.core.toy import make_engine, make_experiment, rows_of, run_to_end, same, trained_net, weights

PARAMETERS = get_method("scrub").parameters
REWOUND = {"epochs": 4, "max_epochs": 3, "rewind": True, "batch": 16, "forget_batch": 4, "lr": 0.05}


def rows(seed, count=5, classes=4):
    generator = torch.Generator().manual_seed(seed)
    logits, teacher = torch.randn(2, count, classes, generator=generator)
    batch = rows_of(torch.arange(count) % classes, True, torch.rand(count, generator=generator) + 0.5)
    return StageOutput(logits, logits, teacher=teacher), batch


def test_losses_against_closed_forms_in_float64():
    out, batch = rows(0)
    values = resolve(PARAMETERS, {"temperature": 4.0, "ce_weight": 0.7, "kl_weight": 0.3})
    p, q = (F.softmax(x.double() / 4, dim=1) for x in (out.teacher, out.logits))
    kl = 16 * (p * (p / q).log()).sum(dim=1)
    ce = -F.log_softmax(out.logits.double(), 1)[torch.arange(5), batch.labels]
    assert float(leave(out, batch, {}, values)["loss"]) == pytest.approx(-float((kl * batch.weights).mean()), rel=1e-5)
    terms = stay(out, batch, {}, values)
    assert float(terms["loss"]) == pytest.approx(float(0.7 * ce.mean() + 0.3 * kl.mean()), rel=1e-5)


def test_a_max_step_really_raises_the_divergence_from_the_original_on_the_forget_set():
    experiment = make_experiment("scrub", batch=64, forget_batch=64, lr=0.05, momentum=0.0)
    engine = make_engine(experiment)
    assert engine.timeline.locate(0)[0].stage.phase == "forget"

    def gap():
        batch = experiment.train.batch(experiment.splits.forget_train)
        with torch.no_grad():
            student = experiment.model.module.eval()(batch.images)
        return float(divergence(student, experiment.teacher(batch.images).logits).mean())

    before = gap()
    engine.advance()
    assert before == pytest.approx(0, abs=1e-6)
    assert gap() > 1e-4
    assert not same(weights(experiment.model.module), weights(trained_net()))
    assert same(weights(experiment.teacher.module), weights(trained_net()))  # the teacher is the one that stays


def test_max_passes_come_first_and_a_min_pass_ends_the_run():
    plan = make_experiment("scrub", epochs=4, max_epochs=2).plan
    assert [s.phase for s in plan] == ["forget", "recover", "forget", "recover", "recover", "recover"]
    assert {s.reads for s in plan if s.phase == "forget"} == {"forget"}
    assert [s.phase for s in make_experiment("scrub", epochs=1, max_epochs=5).plan] == ["forget", "recover"]


def test_the_class_is_forgotten_and_the_others_are_kept():
    experiment = make_experiment("scrub", epochs=5, max_epochs=3, batch=16, forget_batch=8, lr=0.05)
    context = SetPasses(experiment, lambda: None)
    before, kept = context.accuracy("forget"), context.accuracy("retain")
    run_to_end(make_engine(experiment))
    assert context.accuracy("forget") < before / 3
    assert context.accuracy("retain") > kept - 0.05


# -- a goal ----------------------------------------------------------------------------------------------------------

GOAL = {"goal": "forget accuracy", "epochs": 6, "max_epochs": 6, "batch": 16, "forget_batch": 4, "lr": 0.05}


def walked(**values):
    """The stages in which a run to its goal took a step, and the engine."""
    engine = make_engine(make_experiment("scrub", **{**GOAL, **values}))
    names = []
    while engine.step < engine.timeline.total:
        segment, _ = engine.timeline.locate(engine.step)
        seen = engine.samples_seen
        engine.advance()
        if engine.samples_seen > seen and segment.stage.name not in names:
            names.append(segment.stage.name)
    return names, engine


def test_a_run_ends_at_its_goal_and_the_second_pass_is_the_first_to_end_it():
    names, _ = walked(stop_accuracy=1.0, max_drop=1.0)
    assert names == ["max, pass 1 of 6", "min, pass 1 of 6", "min, pass 2 of 6"]  # wrong enough: no second max pass


def test_passes_go_on_until_the_class_is_forgotten_and_the_others_are_recovered():
    _, engine = walked(stop_accuracy=0.05, max_drop=0.05)
    context = SetPasses(engine.experiment, lambda: None)
    untouched = SetPasses(make_experiment("scrub"), lambda: None)
    assert context.accuracy("forget") <= 0.05
    assert context.accuracy("retain") >= untouched.accuracy("retain") - 0.05
    names, _ = walked(stop_accuracy=0.0, max_drop=0.0, lr=0.0)  # nothing is ever forgotten: all passes, with max
    assert len(names) == 12


def test_while_the_class_is_forgotten_passes_only_recover(monkeypatch):
    monkeypatch.setattr(SetPasses, "accuracy", lambda self, which, limit=None: 0.0 if which == "classes" else found)
    found = 0.9
    assert len(walked()[0]) == 3
    found_at_start = iter([0.9])  # the original's; from then on less, so that the others never count as recovered
    monkeypatch.setattr(
        SetPasses, "accuracy", lambda self, which, limit=None: 0.0 if which == "classes" else next(found_at_start, 0.5)
    )
    assert walked()[0] == ["max, pass 1 of 6", *(f"min, pass {number} of 6" for number in range(1, 7))]


def test_a_run_to_a_goal_resumes_from_every_step_to_identical_weights():
    values = {"stop_accuracy": 1.0, "max_drop": 1.0}
    engine = make_engine(make_experiment("scrub", **{**GOAL, **values}))
    states = []
    while engine.step < engine.timeline.total:
        states.append(engine.state())
        engine.advance()
    final = weights(engine.experiment.model.module)
    for state in states:
        resumed = make_engine(make_experiment("scrub", **{**GOAL, **values}))
        resumed.restore(state)
        while resumed.step < resumed.timeline.total:
            resumed.advance()
        assert same(final, weights(resumed.experiment.model.module)), f"resume at step {state['step']}"


def test_rewinding_looks_at_all_passes_whatever_the_goal():
    plan = make_experiment("scrub", forget="sample", **REWOUND, goal="forget accuracy").plan
    assert all(stage.until is None and stage.unless is None for stage in plan if not isinstance(stage, Edit))


def test_the_preset_of_single_images_goes_back_and_that_of_classes_ends_at_its_goal():
    method = get_method("scrub")
    for kind, facts, most in (("sample", Facts(0, 6000, 54000, 10), 10), ("class", Facts(6000, 0, 54000, 10), 5)):
        stages = plan(resolve(PARAMETERS, method.preset("", {kind}).values), facts)
        upward = [stage for stage in stages if stage.phase == "forget"]
        assert {stage.length.steps_over(6000, stage.batch) for stage in upward} == {most}
        ends = [stage.until for stage in stages if stage.phase == "recover"]
        assert isinstance(stages[-1], Edit) is (kind == "sample")
        assert ends == ([None] * 6 if kind == "sample" else [None, *[done] * 5])


# -- rewinding -------------------------------------------------------------------------------------------------------


def test_the_goal_counts_classes_that_no_single_image_has_as_well():
    labels = torch.tensor([0, 0, 1, 3])
    logits = F.one_hot(torch.tensor([0, 1, 1, 3]), 4).float()
    context = SimpleNamespace(
        num_classes=4, labels=lambda which: {"singles": torch.tensor([0, 0, 1])}[which],
        outputs=lambda which: {"unseen": SimpleNamespace(logits=logits, labels=labels)}[which],
    )  # fmt: skip
    assert unseen_error(context) == pytest.approx((2 * 0.5 + 0) / 3)


def test_the_goal_is_the_error_in_the_class_mix_of_the_forget_set():
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2])
    said = torch.tensor([0, 0, 0, 1, 1, 0, 2, 2])  # errors: 1/4, 1/2, 0
    logits = F.one_hot(said, 4).float()
    assert error_in_mix(logits, labels, torch.tensor([3, 1, 0, 0])) == pytest.approx((3 * 0.25 + 0.5) / 4)
    assert error_in_mix(logits, labels, torch.tensor([0, 5, 0, 7])) == pytest.approx(0.5)  # no image of class 3
    assert error_in_mix(logits, labels, torch.tensor([0, 0, 0, 9])) is None


def test_the_nearest_error_wins_and_the_latest_of_equals():
    assert nearest_snapshot({1: 0.5, 2: 0.11, 3: 0.02}, 0.1) == 2
    assert nearest_snapshot({1: 0.0, 2: 0.0, 3: 0.3}, 0.05) == 2
    assert nearest_snapshot({1: 0.2, 2: 0.0}, 0.1) == 2


def test_rewinding_brings_back_the_whole_network_of_the_pass_it_names():
    experiment = make_experiment("scrub", forget="sample", **REWOUND)
    engine = make_engine(experiment)
    context = SetPasses(experiment, lambda: None)
    after: dict[int, dict[str, torch.Tensor]] = {}
    errors: dict[int, float] = {}
    while not isinstance(engine.timeline.locate(engine.step)[0].stage, Edit):
        segment, _ = engine.timeline.locate(engine.step)
        engine.advance()
        if segment.stage.phase == "recover" and engine.step == segment.last:
            after[len(after) + 1] = weights(experiment.model.module)
            errors[len(after)] = 1 - context.accuracy("forget")
    mix = torch.bincount(context.labels("forget"), minlength=4)
    goal = error_in_mix(context.outputs("unseen").logits, context.labels("unseen"), mix)
    chosen = nearest_snapshot(errors, goal)
    assert chosen != 4 and len(set(errors.values())) > 1  # otherwise this shows nothing
    engine.advance()
    assert same(weights(experiment.model.module), after[chosen])
    assert not same(after[chosen], after[4])


def test_snapshots_take_what_the_method_says_they_do():
    """It goes into the estimate of disk and memory; batch-norm statistics come on top."""
    experiment = make_experiment("scrub", forget="sample", **REWOUND)
    engine = make_engine(experiment)
    most = 0
    while engine.step < engine.timeline.total:
        constants = engine.context.aux.items()
        most = max(most, sum(value.nbytes for name, value in constants if name.startswith("snapshot/")))
        engine.advance()
    parameters = sum(p.nbytes for p in experiment.model.module.parameters())
    state = sum(value.nbytes for value in weights(experiment.model.module).values())
    said = experiment.method.copies(experiment.values, experiment.facts)
    assert said == 3
    assert said * parameters < most <= said * (state + 8)


def test_the_log_says_which_pass_was_kept():
    events = run_to_end(make_engine(make_experiment("scrub", forget="sample", **REWOUND)))
    assert any(isinstance(e, Log) and "Kept: pass" in e.message for e in events)


def test_whole_classes_are_never_rewound():
    experiment = make_experiment("scrub", rewind=True)
    assert not any(isinstance(s, Edit) for s in experiment.plan)
    assert any("No rewinding" in line for line in experiment.method.explain(experiment.values, experiment.facts))


@pytest.mark.parametrize(
    ("right", "kept"),
    [
        ((0.0, 0.08, 0.3), 2),  # two have forgotten the class: the nearer one of them
        ((0.3, 0.08, 0.0), 2),
        ((0.0, 0.3, 0.3), 1),  # one has
        ((0.5, 0.4, 0.3), 3),  # none has: the one that came nearest to it
        ((0.4, 0.3, 0.3), 2),
    ],
)
def test_beside_classes_a_pass_that_has_forgotten_them_is_kept(right, kept):
    errors, said = (0.6, 0.1, 0.5), []  # a tenth of the unseen images is wrong
    unseen = torch.zeros(10, dtype=torch.int64)
    now = {"classes": right[-1], "singles": 1 - errors[-1]}
    context = SimpleNamespace(
        values=resolve(PARAMETERS, {"epochs": 3, "stop_accuracy": 0.1}),
        facts=Facts(5, 5, 40, 2),
        num_classes=2,
        aux={f"snapshot/{n}/{name}": torch.tensor(float(values[n - 1]))
             for name, values in (("error", errors), ("classes", right)) for n in (1, 2)},
        labels=lambda which: unseen,
        outputs=lambda which: SimpleNamespace(
            logits=F.one_hot((torch.arange(10) == 0).long(), 2).float(), labels=unseen
        ),
        accuracy=lambda which, limit=None: now[which],
        say=said.append,
        model=SimpleNamespace(module=SimpleNamespace(load_state_dict=lambda state: None)),
    )  # fmt: skip
    rewind(context)
    assert said[0].endswith(f"Kept: pass {kept}.")


def test_beside_classes_a_rewound_run_leaves_max_passes_out_once_the_forget_set_is_wrong_enough():
    values = {"epochs": 3, "max_epochs": 3, "rewind": True, "goal": "forget accuracy"}
    stages = plan(resolve(PARAMETERS, values), Facts(9, 9, 40, 4))
    upward = [stage for stage in stages if stage.phase == "forget"]
    assert [stage.unless for stage in upward] == [None, wrong_enough, wrong_enough]
    assert isinstance(stages[-1], Edit)
    corrective = Facts(0, 9, 40, 4, 0, "labels")
    assert not any(isinstance(stage, Edit) for stage in plan(resolve(PARAMETERS, values), corrective))
    assert get_method("scrub").explain(resolve(PARAMETERS, values), corrective)[1].startswith(
        "No rewinding: no image is to be given its label."
    )
    stages = plan(resolve(PARAMETERS, {**values, "goal": "none"}), Facts(9, 9, 40, 4))
    assert all(stage.unless is None for stage in stages if stage.phase == "forget")


@pytest.mark.parametrize(("right", "enough"), [(0.1, True), (0.11, False)])
def test_in_a_correction_images_are_wrong_enough_at_the_number_and_not_where_unseen_ones_are(right, enough):
    context = SimpleNamespace(
        values=resolve(PARAMETERS, {"stop_accuracy": 0.1}), facts=Facts(0, 9, 40, 4, 0, "trigger"),
        accuracy=lambda which: {"singles": right}[which],
    )  # fmt: skip
    assert wrong_enough(context) is enough
