"""AMUN: the nearest image that is taken for another class, by hand on linear networks, and what is learnt from it."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from core.engine.passes import SetPasses
from core.methods import get_method
from core.methods.amun import (
    IMAGES,
    LABELS,
    MOST_DOUBLINGS,
    NO_SAMPLE,
    WEIGHTS,
    adversarial_images,
    learn_both,
    nearest,
    odds_summed,
    stepped,
    with_adversarial,
)
from core.methods.base import Facts, Networks, StageOutput
from core.models.tap import TappedModel
from core.parameters import resolve
from tests.core.toy import make_engine, make_experiment, rows_of, run_to_end

PARAMETERS = get_method("amun").parameters


def search_in(rows, images, labels, low=0.0, high=1.0, **values):
    """Search on a network whose logits are a fixed linear map of its two pixels: what is found, and passes counted."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(2, len(rows), bias=False))
    net[1].weight.data = torch.tensor(rows)
    counted: list[int] = []
    context = SimpleNamespace(
        model=TappedModel(net, len(rows), input_shape=(1, 1, 2)),
        pixel_range=tuple(torch.full((1, 1, 1), edge) for edge in (low, high)),
        values=resolve(PARAMETERS, values),
        passed=counted.append,
        check=lambda: None,
    )
    images = torch.tensor(images).view(len(labels), 1, 1, 2)
    found, named = nearest(context, rows_of(torch.tensor(labels), images=images))
    return found.flatten(1), named.tolist(), counted


def test_the_odds_lead_where_the_cross_entropy_does_and_do_not_vanish_where_an_image_is_known_for_sure():
    torch.manual_seed(0)
    logits, labels = torch.randn(3, 4, dtype=torch.float64, requires_grad=True), torch.tensor([0, 3, 1])
    (odds,) = torch.autograd.grad(odds_summed(logits, labels=labels), logits)
    (loss,) = torch.autograd.grad(F.cross_entropy(logits, labels, reduction="sum"), logits)
    assert torch.allclose(F.cosine_similarity(odds, loss), torch.ones(3, dtype=torch.float64))
    sure = torch.tensor([[60.0, 0.0, 10.0]], requires_grad=True)
    (odds,) = torch.autograd.grad(odds_summed(sure, labels=torch.tensor([0])), sure)
    (loss,) = torch.autograd.grad(F.cross_entropy(sure, torch.tensor([0])), sure)
    assert loss.abs().max() < 1e-20 and odds[0].tolist() == pytest.approx([-1.0, 0.0, 1.0], abs=1e-4)


def test_a_step_is_a_tenth_of_the_radius_and_ends_at_the_edge_of_the_ball():
    start, span = torch.zeros(1, 1, 1, 2), torch.full((1, 1, 1), 2.0)
    gradient, radius = torch.tensor([3.0, 4.0]).view(1, 1, 1, 2), torch.tensor([0.5])
    once = stepped(start, start, gradient, radius, span)
    assert once.flatten().tolist() == pytest.approx([0.06, 0.08])  # 0.05 of a range of 2, along (3, 4)
    far = stepped(torch.tensor([0.6, 0.8]).view(1, 1, 1, 2), start, gradient, radius, span)
    assert far.flatten().tolist() == pytest.approx([0.6, 0.8])  # half the range away: on the edge already


def test_channels_of_different_ranges_count_alike_in_a_step():
    start, span = torch.zeros(1, 2, 1, 1), torch.tensor([1.0, 2.0]).view(2, 1, 1)
    gradient = torch.tensor([3.0, 2.0]).view(1, 2, 1, 1)  # in shares of the ranges (3, 4)
    once = stepped(start, start, gradient, torch.tensor([0.5]), span)
    assert once.flatten().tolist() == pytest.approx([0.03, 0.04 * 2])


def test_each_radius_has_as_many_steps_as_asked_for():
    """Steps of 0.01 and 0.01, 0.02 and 0.02 end 0.06 away: the fourth is the first across a boundary 0.045 away."""
    half = 0.045 / math.sqrt(2)
    image = [0.5 + half, 0.5 - half]
    found, named, counted = search_in([[1.0, 0.0], [0.0, 1.0]], [image], [0], start=0.1, steps=2)
    assert named == [1] and len(counted) == 5
    assert float((found[0] - torch.tensor(image)).norm()) == pytest.approx(0.06, abs=1e-5)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 3.0)])
def test_the_search_ends_just_across_the_nearest_boundary_whatever_the_preprocessing(low, high):
    """Logits (x, y): from (0.8, 0.2) the boundary is 0.6 / sqrt(2) away; the second image is taken wrongly already."""
    span = high - low
    images = [[low + 0.8 * span, low + 0.2 * span], [low + 0.3 * span, low + 0.4 * span]]
    found, named, counted = search_in([[1.0, 0.0], [0.0, 1.0]], images, [0, 0], low, high, start=0.1, steps=10)
    assert named == [1, 1] and torch.equal(found[1], torch.tensor(images[1]))
    away = (found[0] - torch.tensor(images[0])) / span
    distance = 0.6 / math.sqrt(2)
    assert distance <= float(away.norm()) <= distance + 0.08  # a tenth of the radius 0.8
    assert away.tolist() == pytest.approx([-float(away[1]), float(away[1])], rel=1e-4)
    assert counted[:2] == [2, 1] and sum(counted) == len(counted) + 1
    assert 30 < len(counted) <= 41  # radii 0.1, 0.2, 0.4 and 0.8, ten steps each, and a look after the last


def test_an_image_that_no_radius_moves_across_gets_the_class_next_to_its_own():
    found, named, counted = search_in([[2.0, 2.0], [1.0, 1.0], [0.5, 0.5]], [[0.9, 0.5]], [0], steps=1)
    assert named == [1] and bool(((found >= 0) & (found <= 1)).all())
    assert len(counted) == MOST_DOUBLINGS + 2


def test_adversarial_images_of_the_forget_set_are_taken_for_another_class_by_the_original():
    experiment = make_experiment("amun", forget="sample")
    context = SetPasses(experiment, lambda: None)
    made = adversarial_images(context)
    ids = experiment.splits.forget_train
    given = experiment.train.batch(ids)
    assert made[IMAGES].shape == given.images.shape and torch.equal(made[WEIGHTS], given.weights)
    seen = experiment.model.module.eval()(made[IMAGES]).argmax(dim=1)
    assert torch.equal(seen, made[LABELS]) and not (made[LABELS] == given.labels).any()
    low, high = experiment.pixel_range
    distance = ((made[IMAGES] - given.images) / (high - low)).flatten(1).norm(dim=1)
    assert float(distance.max()) < 2.0 and f"{float(distance.max()):.2g} at most" in context.messages[0]
    assert len(ids) < experiment.work["gradient"] < 100 * len(ids)


def test_only_the_adversarial_rows_behind_a_batch_count_as_forget_rows():
    edge = torch.zeros(1, 1, 1)
    aux = {
        IMAGES: torch.arange(3.0).view(3, 1, 1, 1),
        LABELS: torch.tensor([4, 5, 6]),
        WEIGHTS: torch.tensor([1.0, 2.0, 3.0]),
    }
    read = rows_of(torch.tensor([0, 1]), forget=torch.tensor([True, False]))
    for seed in range(4):
        networks = Networks(None, None, torch.Generator().manual_seed(seed), edge, edge)
        made = with_adversarial(networks, read, aux, resolve(PARAMETERS))
        drawn = made.images[2:].flatten().long()
        assert len(drawn.unique()) == 2 and made.forget.tolist() == [False, False, True, True]
        assert torch.equal(made.labels[2:], aux[LABELS][drawn]) and torch.equal(made.weights[2:], aux[WEIGHTS][drawn])
        assert torch.equal(made.labels[:2], read.labels) and (made.ids[2:] == NO_SAMPLE).all()
    longer = with_adversarial(networks, rows_of(torch.zeros(5, dtype=torch.int64)), aux, resolve(PARAMETERS))
    assert len(longer) == 8


def test_the_loss_weighs_adversarial_images_by_their_share_in_a_mixture():
    torch.manual_seed(0)
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 2])
    batch = rows_of(labels, torch.tensor([False, False, True, True]), torch.tensor([1.0, 1.0, 2.0, 1.0]))
    rows = -logits.double().log_softmax(dim=1)[range(4), labels]
    loss = learn_both(StageOutput(logits, logits), batch, {}, resolve(PARAMETERS), p=0.25)["loss"]
    expected = 0.75 * (rows[0] + rows[1]) / 2 + 0.25 * (2 * rows[2] + rows[3]) / 2
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)
    for own, reads, p in ((False, "retain", 20 / 100), (True, "all", 20 / 120)):
        (stage,) = get_method("amun").plan(resolve(PARAMETERS, {"own_labels": own}), Facts(0, 20, 80, 3))
        assert stage.reads == reads and stage.loss.keywords["p"] == pytest.approx(p)


def test_single_images_become_less_sure_than_by_going_on_with_the_others_alone():
    figures = {}
    for method, values in (("finetune", {"schedule": "cosine"}), ("amun", {})):
        experiment = make_experiment(method, forget="sample", epochs=8, batch=16, lr=0.05, **values)
        engine = make_engine(experiment)
        run_to_end(engine)
        context = SetPasses(experiment, lambda: None)
        figures[method] = float(context.outputs("forget").losses.mean()), context.accuracy("retain")
        assert not {IMAGES, LABELS, WEIGHTS} & set(engine.context.aux)  # they end with the stage
    assert figures["amun"][0] > 1.3 * figures["finetune"][0]
    assert figures["amun"][1] > figures["finetune"][1] - 0.1


def test_it_is_not_offered_for_whole_classes():
    assert get_method("amun").suits == {"sample"}
