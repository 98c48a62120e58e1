"""What stages may ask for beside the plain batch: a second set, a prepared batch, a cached front, other networks."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from core.data.batches import Augmentation
from core.engine.experiment import FORWARD, GRADIENT
from core.engine.forward import ForwardPasses
from core.methods.base import Length, Method, Optimiser, Train
from core.models.split import SplitModel
from core.models.tap import TappedModel
from tests.core.toy import DATA, ToyNet, make_engine, make_experiment, run_to_end, same, weights


def loss(out, batch, aux, values):
    return {"loss": F.cross_entropy(out.logits, batch.labels)}


def method(**stage) -> Method:
    base = Train("s", "train", "retain", loss, Length(steps=4), batch=8, optimiser=Optimiser(lr=0.05))
    plan = [dataclasses.replace(base, **stage)]
    return Method("probe", "Probe", "Probe.", "", (), lambda values, facts: plan)


def test_a_second_set_stands_behind_the_first_in_each_batch():
    seen = []

    def watch(out, batch, aux, values):
        seen.append(batch.forget.tolist())
        return loss(out, batch, aux, values)

    run_to_end(make_engine(make_experiment(method(loss=watch, beside="forget"))))
    assert all(row[:8] == [False] * 8 and all(row[8:]) and row[8:] for row in seen)


def test_a_prepared_batch_takes_the_place_of_the_one_read_and_repeats_by_step():
    drawn = []

    def prepare(networks, batch, aux, values):
        assert not networks.model.module.training and not any(
            p.requires_grad for p in networks.model.module.parameters()
        )
        images = batch.images.clone().requires_grad_()
        networks.model(images).logits.sum().backward()
        assert images.grad is not None
        noise = torch.randn(batch.images.shape, generator=networks.generator)
        drawn.append(noise)
        return dataclasses.replace(batch, images=(batch.images + noise).clamp(networks.low, networks.high))

    first = make_engine(make_experiment(method(prepare=prepare)))
    run_to_end(first)
    assert not torch.equal(drawn[0], drawn[1])
    again = make_engine(make_experiment(method(prepare=prepare)))
    run_to_end(again)
    assert torch.equal(drawn[0], drawn[4])
    assert same(weights(first.experiment.model.module), weights(again.experiment.model.module))
    module = first.experiment.model.module
    assert module.training and all(p.requires_grad for p in module.parameters())


def test_what_is_not_tuned_keeps_its_weights_and_statistics():
    engine = make_engine(make_experiment(method(tunes="last-2")))
    before = weights(engine.experiment.model.module)
    run_to_end(engine)
    after = weights(engine.experiment.model.module)
    front = [name for name in before if name.startswith("block1")]
    assert front and all(torch.equal(before[name], after[name]) for name in front)
    assert not torch.equal(before["head.weight"], after["head.weight"])


@pytest.mark.parametrize("tunes", ["last-2", "head"])
def test_a_cached_front_gives_the_same_weights_as_none(tunes):
    """Without dropout both ways compute the same function; caching only leaves out what does not change."""
    net, runs = ToyNet(dropout=0.0), []
    for cached in (False, True):
        engine = make_engine(make_experiment(method(tunes=tunes, cached=cached), copy.deepcopy(net)))
        run_to_end(engine)
        assert (f"tail:{tunes}" in engine.experiment.work) is cached
        runs.append(weights(engine.experiment.model.module))
    assert all(torch.allclose(runs[0][name], runs[1][name], atol=1e-5) for name in runs[0])


def test_the_front_is_not_run_again_in_the_steps():
    """Seen from outside: a front broken after the first step changes nothing in the steps that follow."""
    runs = []
    for broken in (False, True):
        engine = make_engine(make_experiment(method(tunes="last-2", cached=True)))
        engine.advance()
        if broken:
            with torch.no_grad():
                engine.experiment.model.module.block1[0].weight.zero_()
        engine.advance()
        runs.append(engine.experiment.model.head.weight.detach().clone())
    assert torch.equal(*runs)


def test_an_untrained_network_stands_beside_and_is_the_same_at_every_step():
    seen = []

    def watch(out, batch, aux, values):
        seen.append((batch.ids, out.untrained))
        return loss(out, batch, aux, values)

    engine = make_engine(make_experiment(method(loss=watch, needs=frozenset({"untrained"}), reads="all")))
    run_to_end(engine)
    fresh = engine._forward._untrained
    assert isinstance(fresh, TappedModel)
    assert not torch.equal(fresh.head.weight, engine.experiment.model.head.weight)
    for ids, logits in seen:
        images = DATA.preprocessing.apply(DATA.train.images[ids])
        assert torch.allclose(fresh(images).logits, logits, atol=1e-5)


def test_parameters_with_gradient_reach_the_loss_under_their_names():
    def watch(out, batch, aux, values):
        assert set(out.parameters) == {"head.weight", "head.bias"}
        penalty = sum(p.abs().sum() for p in out.parameters.values())
        return {"loss": 0.0 * out.logits.sum() + penalty}

    experiment = make_experiment(method(loss=watch, needs=frozenset({"parameters"}), tunes="head"))
    before = experiment.model.head.weight.detach().abs().sum()
    run_to_end(make_engine(experiment))
    assert experiment.model.head.weight.abs().sum() < before


def test_progress_runs_from_zero_over_the_stage():
    seen = []

    def watch(out, batch, aux, values):
        seen.append(out.progress)
        return loss(out, batch, aux, values)

    run_to_end(make_engine(make_experiment(method(loss=watch))))
    assert seen == [0.0, 0.25, 0.5, 0.75]


class Narrow(nn.Module):
    """What the last convolution receives is a single cell."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(1, 8, 6)
        self.two = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.head = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.two(self.one(x).relu()).flatten(1))


def test_cached_cells_keep_the_layout_of_the_network(monkeypatch):
    """Maps of 1x1 count as both layouts; on the other one bfloat16 gradients were read from memory never written."""
    seen = []
    real = SplitModel.tail
    monkeypatch.setattr(SplitModel, "tail", lambda self, h, shape: seen.append(h.stride()) or real(self, h, shape))
    net = Narrow().to(memory_format=torch.channels_last)
    make_engine(make_experiment(method(tunes="last-2", cached=True), net)).advance()
    assert seen[-1][1] == 1


def test_a_run_counts_all_its_images_once_and_over_a_resume():
    engine = make_engine(make_experiment("finetune", epochs=2, batch=16))
    run_to_end(engine)
    assert dict(engine.experiment.work) == {"step:all": engine.samples_seen}
    first = make_engine(make_experiment("finetune", epochs=2, batch=16))
    first.advance()
    resumed = make_engine(make_experiment("finetune", epochs=2, batch=16))
    resumed.restore(first.state())
    run_to_end(resumed)
    assert resumed.experiment.work == engine.experiment.work


RELEARNT = {"relearn_blocks": 2, "relearn_min_steps": 4, "rounds": 2, "min_steps": 4, "batch": 16, "w_sd": 1.0}


@pytest.mark.parametrize(
    ("method", "values"),
    [
        ("scrub", {"epochs": 2, "max_epochs": 2, "batch": 16, "forget_batch": 8}),
        ("delete", {"epochs": 3, "batch": 8}),
        ("muda", {**RELEARNT, "alternation": "round"}),
    ],
)
def test_what_is_looked_up_is_counted_once_over_a_resume_at_any_step(method, values):
    """A resumed run fills the teacher's table and the cached front anew: nothing that the run itself needed."""
    engine, states = make_engine(make_experiment(method, **values)), []
    while engine.step < engine.timeline.total:
        states.append(engine.state())
        engine.advance()
    for state in states:
        resumed = make_engine(make_experiment(method, **values))
        resumed.restore(state)
        while resumed.step < resumed.timeline.total:
            resumed.advance()
        assert resumed.experiment.work == engine.experiment.work, f"from step {state['step']}"


def test_a_run_that_begins_again_asks_the_teacher_once_only():
    """The original does not change with the weights, so its logits of the forget set still hold."""
    engine = make_engine(make_experiment("delete", epochs=3, batch=8))
    engine.advance()
    list(engine._begin_again(0))
    run_to_end(engine)
    assert engine.experiment.work[FORWARD] == len(engine.experiment.splits.forget_train)


def test_a_cached_tail_counts_the_front_once():
    values = {"relearn_blocks": 2, "relearn_min_steps": 4, "rounds": 1, "min_steps": 4, "batch": 16, "w_sd": 0.0}
    engine = make_engine(make_experiment("muda", **values))
    run_to_end(engine)
    counts = dict(engine.experiment.work)
    assert counts.pop("front:last-2") == 80
    assert counts.pop("tail:last-2") == engine.samples_seen
    assert counts.pop(FORWARD) == 60  # the basis of the round
    assert not counts


@pytest.mark.parametrize("method", ["ssd", "scrub", "bad-teacher"])
def test_gradients_and_other_networks_are_counted(method):
    engine = make_engine(make_experiment(method))
    run_to_end(engine)
    kinds = set(engine.experiment.work)
    assert kinds & {GRADIENT, FORWARD}
    assert engine.experiment.operations() > 0


@pytest.mark.parametrize("augment", [True, False])
def test_the_teacher_looks_at_the_images_that_the_network_sees(augment):
    apart = []

    def watch(out, batch, aux, values):
        with torch.no_grad():
            apart.append(float((out.teacher - experiment.teacher(batch.images).logits).abs().max()))
        return loss(out, batch, aux, values)

    stage = {"loss": watch, "reads": "forget", "needs": ("teacher",), "augment": augment}
    experiment = make_experiment(method(**stage), augmentation=Augmentation(pad=2, flip=True))
    run_to_end(make_engine(experiment))
    assert len(apart) == 4 and max(apart) < 1e-5


def test_of_streamed_images_the_three_batches_that_follow_are_read_ahead(monkeypatch):
    experiment, asked = make_experiment("finetune"), []
    monkeypatch.setattr(type(experiment.train), "streamed", True)
    monkeypatch.setattr(type(experiment.train), "prefetch", lambda self, ids: asked.append(ids.tolist()))
    forward, part = ForwardPasses(experiment, lambda: None), experiment.plan[0]
    forward.batch(part, 4, 0, {})
    order = forward._order(part, part.reads)
    assert asked == [order.ids(position)[0].tolist() for position in (5, 6, 7)]


def test_noise_is_drawn_from_the_range_of_preprocessed_pixels():
    experiment = make_experiment("finetune")
    low, high = experiment.pixel_range
    channels, height, width = experiment.input_shape
    images = torch.stack([torch.zeros(height, width, channels), torch.full((height, width, channels), 255.0)])
    black, white = experiment.train.preprocessing.apply(images.to(torch.uint8))
    assert low.shape == high.shape == (channels, 1, 1)
    assert torch.equal(low.expand_as(black), black) and torch.equal(high.expand_as(white), white)
    assert bool((low < high).all())
