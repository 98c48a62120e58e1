"""Splits: which classes are forgotten as a whole, which images are set aside: stratified, the same every time."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.data.dataset import ImageSet
from core.data.splits import Splits, evaluation_half, set_aside, stratified
from tests.core.toy import DATA


def test_a_class_without_a_training_image_is_not_forgotten():
    data = dataclasses.replace(DATA, classes=(*DATA.classes, "nowhere"))
    splits = Splits.of(data, data.train.labels == 2)
    assert splits.forget_classes == (2,) and splits.retain_classes == (0, 1, 3) and splits.imageless == (4,)
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


# --- setting aside ------------------------------------------------------------------------------------------------


def aside(labels: list[int], fraction: float, names: tuple[str, ...] | None = None, salt: str = "") -> np.ndarray:
    """Which images are set aside, by position: each has its own as its pixels."""
    pixels = np.arange(len(labels), dtype="<i8").view(np.uint8).reshape(-1, 1, 8, 1)
    whole = ImageSet.of(pixels, labels, names)
    stays, test = set_aside(whole, fraction, salt)
    positions = [part.images.numpy().reshape(-1, 8).view("<i8").ravel() for part in (stays, test)]
    assert sorted(np.concatenate(positions)) == list(range(len(labels)))
    return positions[1]


@given(st.lists(st.integers(0, 5), max_size=80), st.floats(0.01, 0.99))
def test_every_class_gives_its_share_and_keeps_some(labels, fraction):
    test = aside(labels, fraction)
    assert np.array_equal(test, aside(labels, fraction))
    for cls in set(labels):
        count, taken = labels.count(cls), np.array(labels)[test].tolist().count(cls)
        assert taken < count
        assert taken == 0 if count == 1 else taken == min(max(1, round(fraction * count)), count - 1)


def test_the_choice_follows_the_name_not_the_position():
    names = tuple(f"cat/{i}.png" for i in range(50))
    backwards = names[::-1]
    assert {backwards[i] for i in aside([0] * 50, 0.2, backwards)} == {names[i] for i in aside([0] * 50, 0.2, names)}


def test_an_added_file_moves_at_most_a_few_others():
    names = tuple(f"cat/{i}.png" for i in range(100))
    before = {names[i] for i in aside([0] * 100, 0.2, names)}
    more = (*names, "cat/new.png")
    after = {more[i] for i in aside([0] * 101, 0.2, more)}
    assert len(before ^ after) <= 2


@pytest.mark.parametrize("names", [None, tuple(f"cat/{i}.png" for i in range(100))], ids=["positions", "names"])
def test_another_salt_is_another_choice(names):
    plain, salted = aside([0] * 100, 0.2, names), aside([0] * 100, 0.2, names, "salt")
    assert np.array_equal(salted, aside([0] * 100, 0.2, names, "salt"))
    assert len(set(plain) & set(salted)) < 12  # 4 of 20 by chance


def test_the_choice_looks_random():
    chosen = aside([0] * 10_000, 0.5)
    assert abs(chosen.mean() - 5_000) < 150  # three standard errors of the mean position
    assert 4_000 < (np.diff(chosen) > 1).sum() + (np.diff(chosen) == 1).sum() < 5_000
    assert 0.45 < (np.diff(chosen) == 1).mean() < 0.55
