"""Boundary Shrink and Expand: the nearest class that stays, and an extra class that is never part of the network."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from core.data.batches import Batch
from core.engine.passes import SetPasses
from core.methods import get_method
from core.methods.base import Networks, StageOutput
from core.methods.boundary import adversarial, extra_row, nearest_wrong, toward_extra, toward_labels
from core.methods.common import forgotten_classes
from core.models.tap import TappedModel
from core.parameters import resolve
from tests.core.toy import CLASSES, make_engine, make_experiment, rows_of, run_to_end, weights

VALUES = resolve(get_method("boundary-shrink").parameters, {"adversarial_step": 0.1})
NO_CLASSES = {"forget_classes": torch.empty(0, dtype=torch.int64)}


def linear(rows) -> TappedModel:
    """A network whose logits are a fixed linear map of its two pixels."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(2, len(rows), bias=False))
    net[1].weight.data = torch.tensor(rows)
    return TappedModel(net, len(rows), input_shape=(1, 1, 2))


def networks(teacher, low=0.0, high=1.0) -> Networks:
    low, high = (torch.full((1, 1, 1), edge) for edge in (low, high))
    return Networks(teacher, teacher, torch.Generator(), low, high)


def batch_of(images, labels) -> Batch:
    n = len(labels)
    images, labels = torch.tensor(images).view(n, 1, 1, 2), torch.tensor(labels)
    return rows_of(labels, images=images)


def test_the_step_goes_up_the_loss_by_its_share_of_the_range_and_stays_within():
    """Logits (x, y), true class 0: the gradient of the loss is (-p, +p), so x falls and y rises."""
    teacher = linear([[1.0, 0.0], [0.0, 1.0]])
    moved = adversarial(networks(teacher), batch_of([[0.5, 0.5], [0.05, 0.95]], [0, 0]), 0.1).flatten(1)
    assert torch.allclose(moved, torch.tensor([[0.4, 0.6], [0.0, 1.0]]))
    wide = adversarial(networks(teacher, -2.0, 2.0), batch_of([[0.5, 0.5]], [0]), 0.1).flatten(1)
    assert torch.allclose(wide, torch.tensor([[0.1, 0.9]]))
    assert all(p.grad is None for p in teacher.module.parameters())


def test_the_nearest_class_is_where_the_step_leads_and_never_the_true_one():
    """At (0.5, 0.45) class 2 (0.4) is behind class 1 (0.45); after the step (0.4, 0.55) class 1 leads."""
    teacher = linear([[1.0, 0.0], [0.0, 1.0], [0.4, 0.4]])
    crossing = nearest_wrong(networks(teacher), batch_of([[0.5, 0.45]], [0]), NO_CLASSES, VALUES)
    assert crossing.labels.tolist() == [1]
    # So far inside that the step does not cross: published code keeps the true label, which teaches it again.
    inside = batch_of([[1.0, 0.0], [1.0, 0.0]], [0, 0])
    assert teacher(adversarial(networks(teacher), inside, 0.1)).logits.argmax(1).tolist() == [0, 0]
    assert nearest_wrong(networks(teacher), inside, NO_CLASSES, VALUES).labels.tolist() == [2, 2]
    other_forgotten = {"forget_classes": torch.tensor([0, 2])}
    assert nearest_wrong(networks(teacher), inside, other_forgotten, VALUES).labels.tolist() == [1, 1]


def test_the_original_is_passed_for_labels_alone_and_all_of_it_counts_as_work():
    """Twice a step: for the gradient to the images, which costs a forward pass more, and for the nearest class."""
    experiment = make_experiment("boundary-shrink", epochs=1, batch=8)
    rows: list[int] = []
    experiment.teacher.module.register_forward_hook(lambda module, inputs, output: rows.append(len(output)))
    run_to_end(make_engine(experiment))
    images = len(experiment.splits.forget_train)
    assert sum(rows) == 2 * images
    assert experiment.work["forward"] == 3 * images and experiment.work["step:all"] == images


def test_only_labels_change():
    teacher = linear([[1.0, 0.0], [0.0, 1.0]])
    given = batch_of([[0.5, 0.45]], [0])
    made = nearest_wrong(networks(teacher), given, NO_CLASSES, VALUES)
    for field in dataclasses.fields(Batch):
        same = torch.equal(getattr(given, field.name), getattr(made, field.name))
        assert same is (field.name != "labels"), field.name


def test_both_losses_are_cross_entropies_and_weigh_their_images():
    torch.manual_seed(0)
    logits, features = torch.randn(3, CLASSES), torch.randn(3, 5)
    batch = dataclasses.replace(batch_of([[0.0, 0.0]] * 3, [1, 2, 1]), weights=torch.tensor([0.0, 1.0, 2.0]))
    rows = F.cross_entropy(logits, batch.labels, reduction="none")
    loss = toward_labels(StageOutput(logits, features), batch, {}, VALUES)["loss"]
    assert float(loss) == pytest.approx(float((rows[1] + 2 * rows[2]) / 3), rel=1e-6)
    row = torch.randn(5)
    extra = features @ row
    expected = torch.logsumexp(torch.cat([logits, extra[:, None]], 1), 1) - extra
    loss = toward_extra(StageOutput(logits, features), batch, {"extra_row": row}, VALUES)["loss"]
    assert float(loss) == pytest.approx(float((expected[1] + 2 * expected[2]) / 3), rel=1e-6)


def test_shrink_gives_the_forgotten_class_to_classes_that_stay():
    experiment = make_experiment("boundary-shrink", epochs=20.0, batch=8, lr=0.02)
    context = SetPasses(experiment, lambda: None)
    assert forgotten_classes(context)["forget_classes"].tolist() == [1]
    before = context.accuracy("forget"), context.accuracy("retain")
    run_to_end(make_engine(experiment))
    context = SetPasses(experiment, lambda: None)
    assert context.accuracy("forget") <= 0.1 < before[0]
    assert context.accuracy("retain") > before[1] - 0.2


def test_expand_lowers_the_true_class_and_the_network_has_no_extra_class():
    experiment = make_experiment("boundary-expand", epochs=20.0, batch=8, lr=0.02)
    shapes = {name: value.shape for name, value in weights(experiment.model.module).items()}
    context = SetPasses(experiment, lambda: None)
    before = context.outputs("forget").losses.mean(), context.accuracy("forget")
    run_to_end(make_engine(experiment))
    context = SetPasses(experiment, lambda: None)
    assert float(context.outputs("forget").losses.mean()) > 1.5 * float(before[0])
    assert context.accuracy("forget") < before[1] / 2
    assert {name: value.shape for name, value in weights(experiment.model.module).items()} == shapes
    assert context.outputs("forget").logits.shape[1] == CLASSES


def test_the_extra_row_is_fixed_by_the_seed_and_as_large_as_a_new_layers():
    rows = [extra_row(SetPasses(make_experiment("boundary-expand", seed=s), lambda: None)) for s in (0, 0, 1)]
    one, same, other = (row["extra_row"] for row in rows)
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert one.shape == (10,) and float(one.abs().max()) <= 1 / math.sqrt(10) < 2 * float(one.abs().max())
