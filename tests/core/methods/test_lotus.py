"""LoTUS: a temperature that follows accuracy, drawn labels for the images to keep, and a bound at which runs end."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from core.engine.passes import SetPasses
from core.methods import get_method
from core.methods.base import Facts, StageOutput
from core.methods.goals import UNSEEN
from core.methods.lotus import GAPS, gumbel_noise, imitate, look, smoothed, undershot
from core.parameters import resolve
from tests.core.toy import make_engine, make_experiment, rows_of, run_to_end, same, weights

PARAMETERS = get_method("lotus").parameters
AUX = {GAPS: torch.tensor([0.5, 0.25]), "forget_classes": torch.tensor([1, 3])}


def test_targets_are_noisy_outputs_of_the_original_over_the_temperature_of_each_images_kind():
    """By hand: six images, of which the first two go with their class, the third alone, and three stay."""
    generator = torch.Generator().manual_seed(0)
    logits, teacher = torch.randn(2, 6, 5, generator=generator)
    forget = torch.tensor([True, True, True, False, False, False])
    alone = torch.tensor([False, False, True, False, False, False])
    weights = torch.tensor([2.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    batch = rows_of(torch.zeros(6, dtype=torch.int64), forget, weights, alone)
    out = StageOutput(logits, logits, teacher=teacher)
    torch.manual_seed(4)
    noisy = (teacher - torch.empty(6, 5).exponential_().log()).double()
    student = logits.double().log_softmax(dim=1)
    kept = [0, 2, 4]  # classes that stay

    def entropy(row: int, target: torch.Tensor, classes: list[int]) -> float:
        return -sum(float(share * student[row, k]) for share, k in zip(target, classes, strict=True))

    def smooth(row: int, gap: float, classes: list[int]) -> float:
        powers = [math.exp(noisy[row, k] / math.exp(3.0 * gap)) for k in classes]
        return entropy(row, torch.tensor([power / sum(powers) for power in powers]), classes)

    for hide, classes in (("forget classes", kept), ("nothing", [0, 1, 2, 3, 4])):
        torch.manual_seed(4)
        terms = imitate(out, batch, AUX, resolve(PARAMETERS, {"alpha": 3.0, "hide": hide}), p=0.2)
        gone = (2 * smooth(0, 0.5, classes) + smooth(1, 0.5, classes) + smooth(2, 0.25, [0, 1, 2, 3, 4])) / 3
        stays = -sum(float(student[row, int(noisy[row].argmax())]) for row in (3, 4, 5)) / 3
        assert float(terms["loss"]) == pytest.approx(0.8 * stays + 0.2 * gone, rel=1e-5)
        assert float(terms["drawn labels"]) == pytest.approx(stays, rel=1e-5)


def test_in_a_correction_the_label_in_the_data_is_hidden_and_the_bound_is_nothing():
    logits, teacher = torch.randn(2, 2, 5, generator=torch.Generator().manual_seed(0))
    alone = torch.tensor([False, True])
    batch = rows_of(torch.tensor([1, 2]), True, alone=alone)
    for hide, gone in (("forget classes", (1, 2, 3)), ("nothing", ())):
        torch.manual_seed(4)
        noisy = teacher + gumbel_noise(teacher)
        torch.manual_seed(4)
        values = resolve(PARAMETERS, {"alpha": 3.0, "hide": hide})
        terms = imitate(StageOutput(logits, logits, teacher=teacher), batch, AUX, values, p=1.0, corrective=True)
        of_class, single = noisy[0].clone() / math.exp(1.5), noisy[1].clone() / math.exp(0.75)
        of_class[[c for c in (1, 3) if c in gone]] = single[[c for c in (2,) if c in gone]] = float("-inf")
        student = logits.log_softmax(dim=1)
        wanted = -float((torch.stack([of_class, single]).softmax(1) * student).sum()) / 2
        assert float(terms["loss"]) == pytest.approx(wanted, rel=1e-5)
    experiment = replace(make_experiment("lotus", forget="sample"), purpose="labels")
    context = SetPasses(experiment, lambda: None)
    found = look(context)
    assert UNSEEN not in found and float(found[GAPS][1]) == pytest.approx(context.accuracy("singles")) != 0
    (stage,) = experiment.plan
    assert stage.until is None and not experiment.method.reads_unseen(experiment.values, experiment.facts)
    assert "given the label in the data, with the label in the data hidden" in experiment.method.explain(
        experiment.values, experiment.facts
    )[0]


def test_labels_are_drawn_as_often_as_the_original_says():
    torch.manual_seed(0)
    teacher = torch.tensor([[0.0, 1.0, -1.0]]).expand(20_000, 3)
    drawn = (teacher + gumbel_noise(teacher)).argmax(dim=1).bincount(minlength=3) / len(teacher)
    assert torch.allclose(drawn, teacher[0].softmax(dim=0), atol=0.015)


def test_a_large_temperature_makes_targets_even_and_a_row_is_never_hidden_as_a_whole():
    noisy, none = torch.tensor([[4.0, 0.0, -2.0]]), torch.zeros(1, 3, dtype=torch.bool)
    assert torch.allclose(smoothed(noisy, torch.tensor([1e9]), none), torch.full((1, 3), 1 / 3))
    hidden = torch.tensor([[True, False, False]])
    assert smoothed(noisy, torch.tensor([1.0]), hidden).tolist()[0] == pytest.approx([0, 0.8808, 0.1192], abs=1e-4)
    assert torch.equal(smoothed(noisy, torch.tensor([1.0]), ~none), noisy.softmax(dim=1))


@pytest.mark.parametrize("forget", ["class", "sample", "mixed"])
def test_gaps_are_to_nothing_for_classes_and_to_the_originals_accuracy_on_unseen_images_for_single_ones(forget):
    experiment = make_experiment("lotus", forget=forget)
    context = SetPasses(experiment, lambda: None)
    facts = experiment.facts
    context.aux = look(context)
    singles = context.accuracy("singles") - context.accuracy("unseen") if facts.single_images else 0.0
    classes = context.accuracy("classes") if facts.class_images else 0.0
    assert context.aux[GAPS].tolist() == pytest.approx([classes, singles])
    assert classes + abs(singles) > 0.01
    if facts.single_images:  # the bound stays the original's, whatever the network has become
        context.aux[UNSEEN] = torch.tensor(0.125)
        assert float(look(context)[GAPS][1]) == pytest.approx(context.accuracy("singles") - 0.125)


def test_a_run_ends_after_the_pass_that_leaves_single_images_below_the_bound():
    context = SetPasses(make_experiment("lotus", forget="sample"), lambda: None)
    for gap, ends in ((-0.0101, True), (-0.0099, False), (0.3, False)):
        context.aux = {GAPS: torch.tensor([0.0, gap])}
        assert undershot(context) is ends
    experiment = make_experiment("lotus", forget="sample", epochs=30, batch=8, retain_share=0.5, alpha=40.0, lr=0.3)
    engine = make_engine(experiment)
    steps = [step for event in run_to_end(engine) if event.type == "step_metrics" for step in event.steps]
    a_pass = experiment.timeline.total // 30
    assert len(steps) < 30 * a_pass and len(steps) % a_pass == 0


@pytest.mark.parametrize(("above", "steps"), [(-0.02, 0), (0.02, 2)])
def test_no_step_is_taken_where_the_original_lies_below_the_bound_already(above, steps):
    """As published: the bound is looked at before the first pass, too."""
    experiment = make_experiment("lotus", forget="sample", epochs=1, batch=8, retain_share=0.2)
    before, engine = weights(experiment.model.module), make_engine(experiment)
    known = SetPasses(experiment, lambda: None).accuracy("singles")
    engine.context.aux[UNSEEN] = torch.tensor(known - above)
    run_to_end(engine)
    assert engine.steps_taken == steps and same(before, weights(experiment.model.module)) is (steps == 0)


@pytest.mark.parametrize(("share", "p"), [(1.0, 0.2), (0.5, 20 / 60)])
def test_forget_rows_weigh_as_much_as_their_set_has_of_what_is_read(share, p):
    for purpose in ("", "labels"):
        facts = Facts(0, 20, 80, 5, 0, purpose)
        (stage,) = get_method("lotus").plan(resolve(PARAMETERS, {"retain_share": share}), facts)
        assert stage.loss.keywords == {"p": pytest.approx(p), "corrective": purpose == "labels"}


def test_whole_classes_have_no_bound_to_fall_below():
    method = get_method("lotus")
    for facts, ends in ((Facts(10, 0, 90, 5), False), (Facts(10, 5, 85, 5), False), (Facts(0, 5, 95, 5), True)):
        (stage,) = method.plan(resolve(PARAMETERS), facts)
        assert (stage.until is not None) is ends is bool(stage.until_every)
        assert method.reads_unseen(resolve(PARAMETERS), facts) is (facts.single_images > 0)


def test_the_class_is_forgotten_and_the_others_are_held():
    experiment = make_experiment("lotus", epochs=30, batch=16, retain_share=1.0, lr=0.05)
    context = SetPasses(experiment, lambda: None)
    before, kept = context.accuracy("forget"), context.accuracy("retain")
    run_to_end(make_engine(experiment))
    assert context.accuracy("forget") <= 0.1 < before
    assert context.accuracy("retain") > kept - 0.1
