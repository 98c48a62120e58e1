"""Splits: which classes are forgotten as a whole."""

from __future__ import annotations

import dataclasses
import hashlib

import torch

from core.data.dataset import ImageSet
from core.data.splits import Splits, evaluation_half, stratified
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


def test_every_class_with_two_images_is_in_both_halves():
    """By hash alone, a class of three images is missing from one half once in four times."""
    generator = torch.Generator().manual_seed(0)
    many = torch.zeros(60, dtype=torch.int64)
    labels = torch.cat([many, torch.arange(1, 30).repeat_interleave(3), torch.tensor([30])])
    images = torch.randint(0, 256, (len(labels), 4, 4, 1), generator=generator).to(torch.uint8)
    half = evaluation_half(ImageSet(images, labels))
    for label in range(30):
        assert 0 < int(half[labels == label].sum()) < int((labels == label).sum()), label
    assert bool(half[-1])  # a single image serves numbers
    order = torch.randperm(len(labels), generator=generator)
    assert torch.equal(evaluation_half(ImageSet(images[order], labels[order])), half[order])
    same = ImageSet(images[:1].expand(60, 4, 4, 1).contiguous(), torch.zeros(60, dtype=torch.int64))
    assert bool(evaluation_half(same).all())  # copies of one image stay together


def test_halves_that_hold_every_class_are_those_of_the_hash_alone():
    rows = DATA.test.images.numpy()
    plain = [hashlib.blake2b(row.tobytes(), digest_size=1).digest()[0] & 1 == 1 for row in rows]
    assert evaluation_half(DATA.test).tolist() == plain


def test_a_stratified_part_has_the_share_of_every_class_rounded():
    labels = torch.tensor([0] * 60 + [1] * 36 + [2] * 2 + [3] * 40)
    ids = torch.nonzero(labels != 3).flatten()
    chosen = stratified(labels, ids, 49, seed=1)  # half of them
    assert torch.bincount(labels[chosen], minlength=4).tolist() == [30, 18, 1, 0]
    assert torch.bincount(labels[stratified(labels, ids, 46, seed=1)], minlength=4).tolist() == [28, 17, 1, 0]
    assert bool((chosen.diff() > 0).all()) and set(chosen.tolist()) <= set(ids.tolist())
    assert torch.equal(chosen, stratified(labels, ids, 49, seed=1))
    assert not torch.equal(chosen, stratified(labels, ids, 49, seed=2))
    assert stratified(labels, ids, 98, seed=1) is ids
