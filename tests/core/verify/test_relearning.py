"""Relearning: what is made of the accuracies after each step, with the training itself left out."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch

from core.engine.control import Control
from core.verify import relearning
from core.verify.relearning import DRAWS, LONGEST, Ground, batches_to_relearn, relearning_curve
from tests.core.toy import CLASSES, make_experiment

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def ground() -> Ground:
    setting = make_experiment("finetune")
    return Ground(setting.train, setting.test, setting.splits, setting.class_names, setting.device, Control())


def names(tap, label: int) -> None:
    """Make a network name `label` for every image."""
    with torch.no_grad():
        tap.head.weight.zero_()
        tap.head.bias.copy_(torch.nn.functional.one_hot(torch.tensor(label), CLASSES).float())


@pytest.fixture
def network():
    return lambda: make_experiment("finetune").model


def test_a_curve_is_the_mean_over_the_draws(ground, network, monkeypatch):
    def relearns_in_the_first_draw(tap, mask, ground, steps, batch, step_size, seed, look):
        names(tap, 1 if seed == 0 else 2)
        for step in steps:
            look(tap, step)

    monkeypatch.setattr(relearning, "train_on", relearns_in_the_first_draw)
    measured = relearning_curve(network, ground, 0.5 / DRAWS)
    curve = measured.values["relearn"]
    assert curve["needed"] == {"0.5": 0, "0.8": 0, "0.9": 0, "0.95": 0} and curve["samples"][1] == relearning.BATCH
    assert curve["forget"] == pytest.approx([1 / DRAWS] * len(relearning.STEPS))
    named = float((ground.splits.test_labels[ground.splits.retain_test] == 2).double().mean())
    assert curve["retain"] == pytest.approx([named * (DRAWS - 1) / DRAWS] * len(relearning.STEPS))
    assert curve["accuracy"] == pytest.approx(1 / DRAWS)
    assert measured.samples["relearn"] == pytest.approx([1 / DRAWS] * len(ground.splits.forget_test))


def test_the_attacker_has_32_images_of_a_forgotten_class_and_as_many_of_each_other_one(ground, monkeypatch):
    splits = ground.splits
    usable = torch.zeros(len(splits.labels), dtype=torch.bool)
    usable[torch.cat([splits.forget_train, splits.retain_train])] = True
    for most in (relearning.MOST_RETAIN, 20):
        monkeypatch.setattr(relearning, "MOST_RETAIN", most)
        mask = relearning._shots(splits, draw=1)
        for label in splits.forget_classes:
            there = int((splits.labels[splits.forget_train] == label).sum())
            assert int(mask[splits.labels == label].sum()) == min(32, there) > 0
        wanted = min(most, 32 * len(splits.retain_classes), len(splits.retain_train))
        assert abs(int(mask[splits.retain_train].sum()) - wanted) <= len(splits.retain_classes) / 2 and wanted > 0
        assert not mask[~usable].any()


@pytest.mark.parametrize(("share", "batches"), [(1.0, 3), (0.955, 3), (0.945, LONGEST)])
def test_relearned_is_95_percent_of_the_originals_accuracy(share, batches, ground, network, monkeypatch):
    """A network that names the class for every image from batch 3 on, which is `share` of what the original gets."""

    def relearns(tap, mask, ground, steps, batch, step_size, seed, look):
        names(tap, 2)
        for step in steps:
            if step == 3:
                names(tap, 1)
            if look(tap, step):
                break

    monkeypatch.setattr(relearning, "train_on", relearns)
    assert batches_to_relearn(network, ground, 1.0 / share) == batches


def test_a_share_of_the_original_is_reached_at_the_first_point_above_it():
    curve = [0.1, 0.5, 0.8, *[0.8] * (len(relearning.STEPS) - 3)]
    found = [relearning.samples_to(*wanted) for wanted in ((0.5, curve, 0.9), (0.8, curve, 1.0), (0.95, curve, 0.9))]
    assert found == [32, 64, None]
    assert relearning.samples_to(0.5, curve, None) is None


@pytest.mark.parametrize("dropout", [False, True])
def test_networks_that_draw_nothing_relearn_at_the_same_time_with_the_same_curve(dropout, ground, monkeypatch):
    """Dropout draws from one generator for all threads, so such networks relearn one after the other."""

    def network():
        assert threading.current_thread() is threading.main_thread()  # weights are drawn from the one generator, too
        tap = make_experiment("finetune").model
        if not dropout:
            tap.module.block2[1] = torch.nn.Identity()
        return tap

    monkeypatch.setattr(relearning, "STEPS", (0, 2, 4))
    monkeypatch.setattr(relearning, "side_by_side", lambda device: 1)
    alone = relearning_curve(network, replace(ground), 0.5)

    training, most = [0], [0]
    train, both = relearning.train_on, threading.Barrier(2, timeout=20)

    def counted(*args):
        training[0] += 1
        most[0] = max(most[0], training[0])
        if args[-2] and not dropout:  # each draw but the first waits for the other one
            both.wait()
        train(*args)
        training[0] -= 1

    monkeypatch.setattr(relearning, "side_by_side", lambda device: 2)
    monkeypatch.setattr(relearning, "train_on", counted)
    done: list[bool] = []
    beside = relearning_curve(network, replace(ground), 0.5, [lambda: done.append(True)])
    assert most == [1 if dropout else 2] and done == [True] * (not dropout)
    assert (beside.values, beside.samples) == (alone.values, alone.samples) and alone.values["relearn"]
