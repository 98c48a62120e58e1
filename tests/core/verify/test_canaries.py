"""Canaries: the same images whatever the seed, learnt with their planted label, and found where they were learnt."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from core.data.canaries import label_shifts, learnt_canaries
from core.engine.outputs import FullOutputs, collect
from core.methods.base import StageOutput
from core.methods.retrain import _with_canaries
from core.models.tap import SetOutputs
from core.verify.canaries import NOT_FOUND, canary_attacks, doubt_of
from tests.core.toy import CLASSES, make_engine, make_experiment, rows_of, run_to_end, toy_dataset, weights
from tests.core.verify.hand_made import FORGOTTEN, splits

torch.set_num_threads(1)
COUNT = 120
LAB = splits(train=200, test=200)


def test_so_many_images_get_another_class_each_as_likely_as_the_others():
    shifts = label_shifts(10_000, 3000, 4)
    assert int((shifts > 0).sum()) == 3000 and int(shifts.max()) == 3
    assert torch.bincount(shifts[shifts > 0]).tolist()[1:] == pytest.approx([1000] * 3, rel=0.1)
    assert torch.equal(shifts, label_shifts(10_000, 3000, 4)) and not label_shifts(10, 0, 4).any()
    assert int((label_shifts(10, 99, 4) > 0).sum()) == 10 and not label_shifts(10, 5, 1).any()


def model(learnt: bool, seed: int, forgot: bool = False) -> FullOutputs:
    """What a model says that names each image by its label in training; unseen ones by their true label."""
    noise = torch.Generator().manual_seed(seed)
    shifts = label_shifts(len(LAB.labels), COUNT, LAB.num_classes)
    moved = shifts * (~LAB.forget if forgot else 1) if learnt else 0

    def part(labels: torch.Tensor, by: torch.Tensor | int) -> SetOutputs:
        logits = torch.randn(len(labels), LAB.num_classes, generator=noise)
        return SetOutputs(logits + 2 * F.one_hot((labels + by) % LAB.num_classes), torch.zeros(len(labels), 2), labels)

    return FullOutputs(part(LAB.labels, moved), part(LAB.test_labels, 0))


def found(full: FullOutputs) -> dict:
    return canary_attacks(full, LAB, COUNT).values["membership"]


def test_canaries_are_found_in_a_model_that_learnt_them_and_in_no_other():
    learnt, never, forgot = (found(model(*which)) for which in ((True, 1), (False, 2), (True, 3, True)))
    for name in ("canaries_stay", "canaries_gone"):
        assert learnt[name]["low"] > 0.8, name
        assert never[name]["low"] <= 0.5 <= never[name]["high"], name
    assert forgot["canaries_stay"]["low"] > 0.8 and forgot["canaries_gone"]["high"] < 0.65
    shifts = label_shifts(len(LAB.labels), COUNT, CLASSES)
    taught = (shifts > 0) & ~LAB.forget & ((LAB.labels + shifts) % CLASSES == FORGOTTEN)  # retrained models have none
    assert int(taught.sum()) > 5
    assert learnt["canaries_stay"]["members"] + learnt["canaries_gone"]["members"] == COUNT - int(taught.sum())


def test_a_retrained_model_that_never_saw_the_label_says_nothing_through_it():
    """It finds no image likely to be of the class it never saw, which is no memory: none is asked for that label."""

    def without_the_class(full: FullOutputs) -> FullOutputs:
        rows = [replace(part, logits=part.logits.clone()) for part in (full.train, full.test)]
        for part in rows:
            part.logits[:, FORGOTTEN] = -20.0
        return FullOutputs(*rows)

    for seed in (2, 5, 7):
        stay = found(without_the_class(model(False, seed)))["canaries_stay"]
        assert stay["low"] <= 0.5 <= stay["high"], seed


def test_an_attack_that_misses_what_was_planted_is_doubted():
    learnt, never, few = (canary_attacks(model(which, 1), LAB, count).values
                          for which, count in ((True, COUNT), (False, COUNT), (True, 20)))  # fmt: skip
    assert doubt_of(never) == NOT_FOUND and doubt_of(learnt) == doubt_of(few) == doubt_of({}) == ""


def test_few_canaries_are_refused_and_none_say_nothing():
    few = canary_attacks(model(True, 1), LAB, 20).values["membership"]["canaries_stay"]
    assert few["auc"] is None and "canary images are too few for an attack score" in few["reason"]
    assert canary_attacks(model(True, 1), LAB, 0).values == {}


def test_a_training_that_leaves_a_class_out_has_no_canary_that_teaches_it():
    """Where no class is left out the loss is the very one of all rows, to the last bit."""
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(6, CLASSES, generator=generator), torch.tensor([0, 0, 2, 2, 3, 0])
    aux = {"canaries": torch.tensor([0, 1, 0, 3, 1, 3, 9, 9]), "forget_classes": torch.tensor([1])}
    batch, out = rows_of(labels, forget=False), StageOutput(logits, logits)
    moved, learnt = torch.tensor([0, 1, 2, 1, 0, 3]), [0, 2, 4, 5]  # two are given the class that is left out
    loss = _with_canaries(out, batch, aux, None)["loss"]
    assert float(loss) == pytest.approx(float(F.cross_entropy(logits[learnt], moved[learnt])))
    alone = replace(batch, labels=labels[1:2], ids=batch.ids[1:2])
    assert float(_with_canaries(StageOutput(logits[1:2], logits[1:2]), alone, aux, None)["loss"]) == 0
    nothing = {**aux, "forget_classes": torch.tensor([], dtype=torch.int64)}
    assert torch.equal(_with_canaries(out, batch, nothing, None)["loss"], F.cross_entropy(logits, moved))


def test_a_retrained_model_gives_no_image_the_class_it_was_trained_without():
    data = toy_dataset(train=160, test=80)
    setting = make_experiment("retrain", forget="class", data=data, epochs=50, batch=16, lr=0.05, canaries=100)
    run_to_end(make_engine(setting))
    for store, size in ((setting.train, 160), (setting.test, 80)):
        assert not (collect(setting.model, store, torch.arange(size)).logits.argmax(1) == FORGOTTEN).any()


def test_training_learns_the_planted_labels_of_images_that_are_not_left_out():
    data = toy_dataset(train=160, test=80)
    count = 40
    shifts = label_shifts(160, count, CLASSES)

    def trained(canaries: int):
        setting = make_experiment("retrain", forget="class", data=data, epochs=50, batch=16, lr=0.05, canaries=canaries)
        run_to_end(make_engine(setting))
        seen = collect(setting.model, setting.train, torch.arange(160)).logits.argmax(1)
        named = seen == (data.train.labels + shifts) % CLASSES
        return setting, named[learnt_canaries(setting.splits, count)].double().mean()

    (planted, with_them), (plain, without) = trained(count), trained(0)
    assert with_them > 0.5 and without < 0.3
    assert len(weights(planted.model.module)) == len(weights(plain.model.module))
