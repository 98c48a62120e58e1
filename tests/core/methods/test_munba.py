"""MUNBa: a bargain solved in closed form, and a step along what two gradients agree on."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from core.conformance.checks import NoWaiting
from core.data.batches import derive_seed
from core.engine.passes import SetPasses
from core.methods import get_method
from core.methods.base import Facts, StageOutput
from core.methods.munba import bargained, propose
from core.methods.relabelling import wrong_labels
from core.parameters import resolve
from tests.core.toy import make_engine, make_experiment, rows_of, run_to_end, weights

PARAMETERS = get_method("munba").parameters
PLAIN = {"optimiser": "sgd", "momentum": 0.0, "weight_decay": 0.0, "schedule": "constant", "clip": 0.0}


def test_the_bargain_is_the_nash_solution_and_gives_each_direction_the_same_share():
    generator = torch.Generator().manual_seed(0)
    for scale in (1.0, 1e-3, 1e3):
        pair = torch.randn(2, 6, generator=generator, dtype=torch.float64) * torch.tensor([[1.0], [scale]])
        products = pair @ pair.T
        share = bargained(products)
        assert bool((share > 0).all())
        assert torch.allclose(products @ share, 1 / share)
        assert float((share @ pair).norm()) == pytest.approx(math.sqrt(2))
    # By hand: lengths 2 and 1 at 60 degrees.
    share = bargained(torch.tensor([[4.0, 1.0], [1.0, 1.0]]))
    assert share.tolist() == pytest.approx([1 / (2 * math.sqrt(1.5)), 1 / math.sqrt(1.5)])


def test_gradients_that_are_small_bargain_too():
    small = torch.tensor([[1e-10, 0.0], [0.0, 1e-8]], dtype=torch.float64)  # lengths 1e-5 and 1e-4, at right angles
    assert bargained(small).tolist() == pytest.approx([1e5, 1e4])


@pytest.mark.parametrize(
    "products", [[[1.0, -1.0], [-1.0, 1.0]], [[0.0, 0.0], [0.0, 2.0]], [[2.0, 0.0], [0.0, 0.0]], [[0.0] * 2] * 2]
)
def test_without_a_solution_forgetting_counts_a_tenth(products):
    with NoWaiting() as watch:
        share = bargained(torch.tensor(products))
    assert share.tolist() == pytest.approx([1.0, 0.1]) and not watch.found


def test_forgetting_is_the_loss_on_wrong_labels_and_keeping_that_on_true_ones():
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(4, 3, generator=generator), torch.tensor([1, 1, 0, 2])
    batch = rows_of(labels, torch.tensor([True, True, False, False]), torch.tensor([3.0, 1.0, 1.0, 1.0]))
    allowed = torch.tensor([[False, False, True], [True, False, True], [True, False, False]])
    aux = {"draws": torch.tensor([0.2, 0.9, 0.5, 0.5]), "allowed": allowed}
    assert wrong_labels(labels, batch.ids, aux)[:2].tolist() == [0, 2]
    surprise = -logits.double().log_softmax(dim=1)
    terms = propose(StageOutput(logits, logits), batch, aux, resolve(PARAMETERS))
    assert float(terms["forgetting"]) == pytest.approx(float(3 * surprise[0, 0] + surprise[1, 2]) / 2, rel=1e-6)
    assert float(terms["keeping"]) == pytest.approx(float(surprise[2, 0] + surprise[3, 2]) / 2, rel=1e-6)
    assert float(terms["loss"]) == pytest.approx(float(terms["keeping"] + terms["forgetting"]))


@pytest.mark.parametrize("scaled", [False, True])
def test_a_step_goes_along_both_gradients_by_what_they_bargained(scaled):
    """Against gradients taken one after the other, before the step. `scaled`: losses are, as in half precision."""
    experiment = make_experiment("munba", epochs=1, batch=16, lr=0.1, **PLAIN)
    engine, net = make_engine(experiment), experiment.model.module
    engine._stepper._scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=scaled)
    engine.advance()  # a network that is no longer at the minimum of its own training
    read = []
    given = engine._forward.batch
    engine._forward.batch = lambda *asked: read.append(given(*asked)) or read[-1]
    before = weights(net)
    net_before = {name: value.clone() for name, value in net.state_dict().items()}
    engine.advance()
    after = weights(net)
    batch = read[-1].whole
    net.load_state_dict(net_before)
    labels = torch.where(batch.forget, wrong_labels(batch.labels, batch.ids, engine.context.aux), batch.labels)
    named = dict(net.named_parameters())
    pair = []
    for rows in (~batch.forget, batch.forget):
        torch.manual_seed(derive_seed(experiment.seed, "step", 1))  # the step's dropout
        loss = F.cross_entropy(net(batch.images)[rows], labels[rows])
        pair.append(torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(named.values()))]))
    angle = float(pair[0] @ pair[1] / (pair[0].norm() * pair[1].norm()))
    direction = (pair[0] / pair[0].norm() + pair[1] / pair[1].norm()) / math.sqrt(1 + angle)
    moved = torch.cat([(before[name] - after[name]).flatten() for name in named]) / 0.1
    assert torch.allclose(moved, direction, atol=2e-4)
    assert float(moved.norm()) == pytest.approx(math.sqrt(2), rel=1e-3)


def test_the_second_way_back_is_counted_as_work():
    experiment = make_experiment("munba", epochs=1, batch=20)
    run_to_end(make_engine(experiment))
    assert experiment.work == {"step:all": 120, "back:all": 120}  # 60 images to keep and as many beside them
    both, one = experiment.operations(), experiment.work.pop("step:all")
    back = experiment.operations()
    experiment.work.clear()
    experiment.work["step:all"] = one
    assert both == pytest.approx(back + experiment.operations())
    assert 0.5 * experiment.operations() < back < experiment.operations()


@pytest.mark.parametrize(
    ("turns", "most", "expected"),
    [
        ("every step", 0, [("retain", 23), ("retain", 23)]),
        ("over the forget set", 0, [("forget", 3), ("retain", 20)] * 2),
        ("over the forget set", 2, [("forget", 2), ("retain", 21)] * 2),
    ],
)
def test_published_bargains_go_as_far_as_the_forget_set(turns, most, expected):
    values = resolve(PARAMETERS, {"epochs": 2, "batch": 10, "turns": turns, "max_steps": most})
    facts = Facts(30, 0, 230, 5)
    stages = get_method("munba").plan(values, facts)
    sizes = {"forget": facts.forget, "retain": facts.retain}
    assert [(s.reads, s.length.steps_over(sizes[s.reads], s.batch)) for s in stages] == expected
    assert [stage.balance is not None for stage in stages] == [
        turns == "every step" or reads == "forget" for reads, _ in expected
    ]
    assert {stage.beside for stage in stages if stage.reads == "forget"} <= {"retain"}


def test_without_a_solution_it_is_forgetting_that_counts_a_tenth():
    (stage,) = get_method("munba").plan(resolve(PARAMETERS, {"epochs": 1}), Facts(30, 0, 230, 5))
    counts = stage.balance.weights(torch.zeros(2, 2))
    assert dict(zip(stage.balance.terms, counts.tolist(), strict=True)) == pytest.approx(
        {"keeping": 1.0, "forgetting": 0.1}
    )


@pytest.mark.parametrize(("draw", "kept"), [("once", True), ("every pass", False)])
def test_an_image_keeps_its_wrong_label_unless_every_pass_draws_one(draw, kept):
    experiment = make_experiment("munba", epochs=3, draw=draw)
    context = SetPasses(experiment, lambda: None)
    first, second, third = (stage.refresh(context)["draws"] for stage in experiment.plan)
    assert torch.equal(first, second) is torch.equal(second, third) is torch.equal(first, third) is kept


def test_step_sizes_follow_one_schedule_and_plain_steps_are_not_clipped():
    values = resolve(PARAMETERS, {"epochs": 2, "batch": 10, "turns": "over the forget set", "clip": 3.0})
    stages = get_method("munba").plan(values, Facts(30, 0, 230, 5))
    assert [(stage.reads, stage.optimiser.clip) for stage in stages] == [("forget", 3.0), ("retain", 0.0)] * 2
    assert {(stage.optimiser.schedule, stage.optimiser.span) for stage in stages} == {("cosine", "run")}


def test_the_class_is_forgotten_and_the_others_are_held():
    experiment = make_experiment("munba", epochs=8, batch=16)
    context = SetPasses(experiment, lambda: None)
    before, kept = context.accuracy("forget"), context.accuracy("retain")
    run_to_end(make_engine(experiment))
    assert context.accuracy("forget") <= 0.1 < before
    assert context.accuracy("retain") > kept - 0.1
