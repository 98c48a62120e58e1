"""Splits: which classes are forgotten as a whole."""

from __future__ import annotations

import dataclasses

import torch

from core.data.splits import Splits
from tests.core.toy import DATA


def test_a_class_without_a_training_image_is_not_forgotten():
    data = dataclasses.replace(DATA, classes=(*DATA.classes, "nowhere"))
    splits = Splits.of(data, data.train.labels == 2)
    assert splits.forget_classes == (2,) and splits.retain_classes == (0, 1, 3, 4)
    none = Splits.of(data, torch.zeros(len(data.train), dtype=torch.bool))
    assert none.forget_classes == () and len(none.retain_test) == int(none.evaluation.sum())


def test_a_class_of_which_one_image_stays_is_not_forgotten_as_a_whole():
    forget = DATA.train.labels == 1
    forget[int(torch.nonzero(forget)[0])] = False
    assert Splits.of(DATA, forget).forget_classes == ()
