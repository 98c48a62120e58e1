"""DELETE: the target is the original without the class; only forget images are read, and only classes are forgotten."""

from __future__ import annotations

import pytest
import torch

from core.engine.passes import SetPasses
from core.methods import get_method
from core.methods.base import StageOutput
from core.methods.distillation import imitate_without_the_class
from core.parameters import resolve
from tests.core.toy import make_engine, make_experiment, rows_of, run_to_end, weights

PARAMETERS = get_method("delete").parameters


def made(count=4, classes=5):
    generator = torch.Generator().manual_seed(0)
    logits, teacher = torch.randn(2, count, classes, generator=generator)
    weight = torch.rand(count, generator=generator) + 0.5
    labels = torch.tensor([1, 1, 3, 3])
    batch = rows_of(labels, True, weight)
    return StageOutput(logits, logits, teacher=teacher), batch


@pytest.mark.parametrize("mask", ["true class", "forget classes"])
def test_the_loss_equals_the_divergence_from_softmax_with_the_class_at_minus_1e10(mask):
    out, batch = made()
    teacher = out.teacher.double().clone()
    if mask == "true class":
        teacher[torch.arange(4), batch.labels] = -1e10
    else:
        teacher[:, [1, 3]] = -1e10
    target, student = torch.softmax(teacher, dim=1), torch.log_softmax(out.logits.double(), dim=1)
    rows = torch.special.xlogy(target, target).sum(dim=1) - (target * student).sum(dim=1)
    aux = {"forget_classes": torch.tensor([1, 3])}
    loss = imitate_without_the_class(out, batch, aux, resolve(PARAMETERS, {"mask": mask}))["loss"]
    assert float(loss) == pytest.approx(float((rows * batch.weights).mean()), rel=1e-5)


def test_it_reads_no_image_to_keep_and_leaves_batch_norm_statistics_alone():
    experiment = make_experiment("delete", epochs=2, batch=8)
    assert {stage.reads for stage in experiment.plan} == {"forget"}
    before = weights(experiment.model.module)
    run_to_end(make_engine(experiment))
    after = weights(experiment.model.module)
    assert torch.equal(before["block1.1.running_mean"], after["block1.1.running_mean"])
    assert not torch.equal(before["block1.0.weight"], after["block1.0.weight"])
    moving = make_experiment("delete", epochs=2, batch=8, batch_norm="train")
    run_to_end(make_engine(moving))
    assert not torch.equal(before["block1.1.running_mean"], weights(moving.model.module)["block1.1.running_mean"])


def test_the_class_is_forgotten_and_its_images_go_where_the_original_ranked_them():
    experiment = make_experiment("delete", epochs=30, batch=8, lr=0.02)
    context = SetPasses(experiment, lambda: None)
    before = context.outputs("forget").logits
    before[:, 1] = float("-inf")
    second = before.argmax(dim=1)
    assert context.accuracy("forget") > 0.5
    run_to_end(make_engine(experiment))
    assert context.accuracy("forget") < 0.1
    assert (context.outputs("forget").logits.argmax(dim=1) == second).float().mean() > 0.7


def test_it_is_not_offered_for_single_images():
    assert get_method("delete").suits == {"class"}
