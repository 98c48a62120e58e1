"""What a step reads, the step size it takes, and what is counted of it: seen from outside, against values by hand."""

from __future__ import annotations

import copy
import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

from core.data.batches import Augmentation
from core.engine.experiment import FORWARD
from core.methods.base import Edit, Length, Method, Optimiser, Train
from tests.core.toy import DATA, ToyNet, make_engine, make_experiment, run_to_end, same, weights


def loss(out, batch, aux, values):
    return {"loss": F.cross_entropy(out.logits, batch.labels)}


def stage(name="s", **changes) -> Train:
    base = Train(name, "train", "retain", loss, Length(steps=4), batch=8, optimiser=Optimiser(lr=0.05))
    return dataclasses.replace(base, **changes)


def method(*plan) -> Method:
    return Method("probe", "Probe", "Probe.", "", (), lambda values, facts: list(plan))


@pytest.fixture
def step_sizes(monkeypatch):
    """The step size of every step that an SGD optimiser takes."""
    sizes: list[float] = []
    real = torch.optim.SGD.step

    def step(self, *args, **options):
        sizes.append(self.param_groups[0]["lr"])
        return real(self, *args, **options)

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    return sizes


def cosine(place: float, of: int) -> float:
    """The step size of a cosine schedule from 0.05 in the middle of a step, whose number counts from 0."""
    return 0.05 * 0.5 * (1 + math.cos(math.pi * (place + 0.5) / of))


def test_a_schedule_is_read_in_the_middle_of_each_step(step_sizes):
    for span, expected in (
        ("stage", [cosine(step % 4, of=4) for step in range(8)]),
        ("run", [cosine(step, of=8) for step in range(8)]),
    ):
        step_sizes.clear()
        optimiser = Optimiser(lr=0.05, schedule="cosine", span=span)
        plan = method(stage("a", optimiser=optimiser), stage("b", optimiser=optimiser))
        run_to_end(make_engine(make_experiment(plan)))
        assert step_sizes == pytest.approx(expected)


def test_a_run_that_began_again_goes_on_with_the_smaller_step_size_when_resumed(step_sizes):
    engine = None

    def infinite_with_the_full_step(out, batch, aux, values):
        return {"loss": loss(out, batch, aux, values)["loss"] * (float("inf") if engine.lr_scale == 1 else 1.0)}

    plan = method(stage(loss=infinite_with_the_full_step))
    engine = make_engine(make_experiment(plan))
    run_to_end(engine)
    whole = weights(engine.experiment.model.module)
    assert step_sizes[-4:] == [0.025] * 4 and len(step_sizes) > 4

    first = make_engine(make_experiment(method(stage())))
    first.lr_scale = 0.5
    first.advance()
    state = first.state()
    step_sizes.clear()
    resumed = make_engine(make_experiment(method(stage())))
    resumed.restore(state)
    run_to_end(resumed)
    assert step_sizes == [0.025] * 3
    assert same(weights(resumed.experiment.model.module), whole)


@pytest.mark.parametrize("clip", [0.0, 0.01, 1e6])
def test_a_clipped_step_is_as_long_as_step_size_times_clip(clip):
    plain = Optimiser(lr=0.05, momentum=0.0)
    plan = method(stage(length=Length(steps=1), optimiser=dataclasses.replace(plain, clip=clip)))
    engine = make_engine(make_experiment(plan, ToyNet(dropout=0.0)))
    before = [parameter.detach().clone() for parameter in engine.experiment.model.module.parameters()]
    engine.advance()
    after = engine.experiment.model.module.parameters()
    moved = torch.cat([(new - old).flatten() for new, old in zip(after, before, strict=True)]).detach().norm()
    assert moved == pytest.approx(0.05 * 0.01, rel=1e-3) if clip == 0.01 else moved > 0.05 * 0.1


def test_a_front_that_an_edit_changed_is_computed_anew():
    """Activations kept from before an edit of the front would be those of other weights."""

    def double_the_front(context):
        with torch.no_grad():
            context.model.module.block1[0].weight.mul_(2)

    net, runs = ToyNet(dropout=0.0), []
    for cached in (False, True):
        tail = {"tunes": "last-2", "cached": cached}
        plan = method(stage("before", **tail), Edit("double", double_the_front), stage("after", **tail))
        engine = make_engine(make_experiment(plan, copy.deepcopy(net)))
        run_to_end(engine)
        assert ("tail:last-2" in engine.experiment.work) is cached
        runs.append(weights(engine.experiment.model.module))
    assert all(torch.allclose(runs[0][name], runs[1][name], atol=1e-5) for name in runs[0])


@pytest.mark.parametrize("reads", [{"reads": "forget"}, {"reads": "retain", "beside": "forget"}])
def test_a_stage_that_does_not_augment_reads_every_image_as_it_is(reads):
    seen = []

    def watch(out, batch, aux, values):
        seen.append((batch.ids, batch.images))
        return loss(out, batch, aux, values)

    augmentation = Augmentation(pad=2, flip=True)
    for augment in (False, True):
        seen.clear()
        plan = method(stage(loss=watch, augment=augment, **reads))
        run_to_end(make_engine(make_experiment(plan, augmentation=augmentation)))
        plain = [torch.equal(images, DATA.preprocessing.apply(DATA.train.images[ids])) for ids, images in seen]
        assert len(plain) == 4 and all(plain) is not augment


def test_outputs_of_the_teacher_are_counted_once_for_each_image_looked_up():
    plan = method(stage(reads="forget", augment=False, needs=frozenset({"teacher"}), length=Length(epochs=3)))
    engine = make_engine(make_experiment(plan))
    run_to_end(engine)
    forgotten = int((DATA.train.labels == 1).sum())
    assert dict(engine.experiment.work) == {FORWARD: forgotten, "step:all": 3 * forgotten}
