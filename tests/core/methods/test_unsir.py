"""UNSIR: noise the original gets most wrong, behind every retain batch; forget images are never looked at."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from core.data.splits import Splits
from core.engine.experiment import GRADIENT
from core.engine.passes import SetPasses
from core.methods.base import Networks
from core.methods.unsir import NO_SAMPLE, PENALTY, descended, error_maximising_noise, with_noise
from core.parameters import resolve
from tests.core.toy import DATA, make_engine, make_experiment, run_to_end, same, weights


def two_classes(**values):
    """A setting that forgets classes 1 and 3."""
    experiment = make_experiment("unsir", **values)
    mask = (DATA.train.labels == 1) | (DATA.train.labels == 3)
    experiment.splits = Splits.of(DATA, mask)
    return experiment


def noise_after(steps, **values):
    context = SetPasses(two_classes(noise_steps=steps, noise_images=5, **values), lambda: None)
    return context, error_maximising_noise(context)


def test_noise_climbs_the_originals_loss_and_each_image_has_its_own_class_as_label():
    context, start = noise_after(0)
    _, made = noise_after(30)
    assert start["noise_labels"].tolist() == made["noise_labels"].tolist() == [1] * 5 + [3] * 5
    assert made["noise"].shape == (10, *context.input_shape) and not made["noise"].requires_grad
    losses = []
    with context.model.frozen(), torch.no_grad():
        for aux in (start, made):
            found = F.cross_entropy(context.model(aux["noise"]).logits, aux["noise_labels"], reduction="none")
            losses.append(found - PENALTY * aux["noise"].square().flatten(1).mean(1))
    assert bool((losses[1] > losses[0] + 1).all())


def test_noise_is_held_by_the_mean_of_its_squares():
    noise = torch.tensor([[[[1.0, 2.0], [0.0, 2.0]]], [[[0.0, 0.0], [0.0, -1.0]]]])  # means of squares 9/4 and 1/4
    assert descended(noise, torch.tensor([0.5, 2.0])).item() == pytest.approx(0.225 - 0.5 + 0.025 - 2.0)


def test_noise_begins_as_draws_of_the_normal_distribution_by_the_seed():
    _, start = noise_after(0, seed=0)
    _, again = noise_after(0, seed=0)
    _, other = noise_after(0, seed=1)
    assert torch.equal(start["noise"], again["noise"]) and not torch.equal(start["noise"], other["noise"])
    assert abs(float(start["noise"].mean())) < 0.2 and float(start["noise"].std()) == pytest.approx(1, abs=0.15)


def test_the_first_step_of_adam_moves_every_pixel_by_the_step_size():
    _, start = noise_after(0)
    _, once = noise_after(1, noise_lr=0.03)
    assert torch.allclose((once["noise"] - start["noise"]).abs(), torch.tensor(0.03), rtol=0.01)


def test_both_stages_read_their_share_of_the_images_to_keep_for_their_own_length_and_step_size():
    values = {"impair_epochs": 2.0, "repair_epochs": 5.0, "lr": 0.02, "repair_lr_factor": 0.25, "retain_share": 0.3}
    stages = make_experiment("unsir", **values).plan
    assert [(stage.name, stage.reads, stage.share) for stage in stages] == [
        ("impair with noise", "retain", 0.3), ("repair", "retain", 0.3),
    ]  # fmt: skip
    assert [stage.length.epochs for stage in stages] == [2.0, 5.0]
    assert [stage.optimiser.lr for stage in stages] == pytest.approx([0.02, 0.005])


def test_making_noise_changes_nothing_in_the_network():
    experiment = two_classes(noise_steps=5)
    before = weights(experiment.model.module)
    modes = [module.training for module in experiment.model.module.modules()]
    error_maximising_noise(SetPasses(experiment, lambda: None))
    assert same(before, weights(experiment.model.module))
    assert modes == [module.training for module in experiment.model.module.modules()]
    assert all(p.grad is None and p.requires_grad for p in experiment.model.module.parameters())


def test_noise_images_pass_the_network_some_at_a_time_and_become_the_same(monkeypatch):
    """All at once they do not fit memory for many classes of photographs."""
    _, together = noise_after(4)
    monkeypatch.setattr("core.methods.unsir.CHUNK", 3)
    context, sizes = SetPasses(two_classes(noise_steps=4, noise_images=5), lambda: None), []
    context.model.module.register_forward_pre_hook(lambda module, given: sizes.append(len(given[0])))
    apart = error_maximising_noise(context)
    assert max(sizes) == 3 and torch.allclose(apart["noise"], together["noise"], atol=1e-6)


def test_passes_for_the_noise_count_as_work():
    experiment = two_classes(noise_steps=4, noise_images=5)
    error_maximising_noise(SetPasses(experiment, lambda: None))
    assert experiment.work[GRADIENT] == 2 * 5 * 4


def test_making_noise_ends_where_the_user_ends_the_run():
    calls = []

    def end() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        error_maximising_noise(SetPasses(two_classes(noise_steps=50), end))
    assert len(calls) == 3


@pytest.mark.parametrize(("share", "behind"), [(0.5, 12), (0.25, 4), (0.01, 1)])
def test_a_batch_gets_its_share_of_noise_behind_it(share, behind):
    _, aux = noise_after(0)
    experiment = make_experiment("unsir", noise_share=share)
    batch = experiment.train.batch(torch.arange(12))
    nets = Networks(experiment.model, None, torch.Generator().manual_seed(1), torch.zeros(1, 1, 1), torch.ones(1, 1, 1))
    made = with_noise(nets, batch, aux, experiment.values)
    assert len(made) == 12 + behind
    for field in dataclasses.fields(batch):
        assert torch.equal(getattr(made, field.name)[:12], getattr(batch, field.name)), field.name
    assert made.ids[12:].tolist() == [NO_SAMPLE] * behind and bool(made.forget[12:].all())
    assert not made.alone[12:].any() and (made.weights[12:] == 1).all()  # noise goes with its class
    for image, label in zip(made.images[12:], made.labels[12:], strict=True):
        of_label = aux["noise"][aux["noise_labels"] == label]
        assert any(torch.equal(image, known) for known in of_label)


def test_forget_images_are_not_looked_at():
    spoilt = DATA.train.images.clone()
    spoilt[DATA.train.labels == 1] = 0
    other = dataclasses.replace(DATA, train=dataclasses.replace(DATA.train, images=spoilt))
    results = []
    for data in (DATA, other):
        experiment = make_experiment("unsir", data=data, batch=16, noise_images=4, noise_steps=2)
        run_to_end(make_engine(experiment))
        results.append(weights(experiment.model.module))
    assert same(*results)


def test_the_class_is_forgotten_and_the_others_stay():
    experiment = make_experiment("unsir", batch=8, lr=0.02, noise_images=16)
    context = SetPasses(experiment, lambda: None)
    before = context.accuracy("forget"), context.accuracy("retain")
    events = run_to_end(make_engine(experiment))
    context = SetPasses(experiment, lambda: None)
    assert context.accuracy("forget") < 0.2 < before[0] and context.accuracy("retain") > before[1] - 0.15
    assert [e.phase for e in events if e.type == "phase_changed"][:2] == ["forget", "recover"]


def test_a_share_of_all_is_refused():
    with pytest.raises(ValueError, match=r"noise_share must be a number above 0 and at most 0\.95"):
        next(p for p in make_experiment("unsir").method.parameters if p.name == "noise_share").parse(1.0)
    assert resolve(make_experiment("unsir").method.parameters).noise_share < 0.5


def test_noise_is_kept_no_longer_than_a_stage_needs_it():
    """In memory and in checkpoints it is 38 MB a class at 224 pixels."""
    engine = make_engine(two_classes(noise_steps=2, noise_images=5))
    impair, repair = engine.timeline.segments
    while engine.step < repair.first:
        engine.advance()
        assert ("noise" in engine.context.aux) is (engine.step < impair.last)
    engine.advance()
    assert engine.context.aux == engine.state()["aux"] == {}
