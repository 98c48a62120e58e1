"""Twins among all images: the same pixels and recompressed copies are joined, pictures of their own are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from core.data import duplicates
from core.data.duplicates import LONE, find_twins
from tests.core.data.test_duplicates import SIDE, photo


def recompressed(image: np.ndarray) -> np.ndarray:
    held = io.BytesIO()
    Image.fromarray(image).resize((40, 40)).save(held, "JPEG", quality=80)
    return np.asarray(Image.open(held).resize((SIDE, SIDE)))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    own = np.stack([photo(seed) for seed in range(60)])
    return np.concatenate([own, own[[3, 3, 7]], np.stack([recompressed(own[7]), recompressed(own[30])])])


def test_groups_are_named_by_their_first_image(images):
    found = find_twins(images)
    expected = np.full(len(images), LONE)
    expected[[3, 60, 61]], expected[[7, 62, 63]], expected[[30, 64]] = 3, 7, 30
    assert found.group.tolist() == expected.tolist() and found.complete
    assert np.flatnonzero(found.has_twin).tolist() == [3, 7, 30, 60, 61, 62, 63, 64]


def test_it_does_not_matter_in_which_order_the_images_stand(images):
    order = np.random.default_rng(0).permutation(len(images))
    found, mixed = find_twins(images), find_twins(images[order])
    assert (mixed.has_twin == found.has_twin[order]).all()
    same = found.group[order][:, None] == found.group[order][None]
    assert (same == (mixed.group[:, None] == mixed.group[None]))[mixed.has_twin].all()


def test_even_images_are_twins_only_where_their_pixels_are_the_same():
    even = np.stack([np.full((SIDE, SIDE, 3), shade, np.uint8) for shade in (10, 90, 90, 200)])
    assert find_twins(even).group.tolist() == [LONE, 1, 1, LONE]


def test_a_bound_on_pairs_is_told(images, monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_COMPARED", 1)
    found = find_twins(images)
    assert not found.complete and found.has_twin[[3, 60, 61]].all()  # the same pixels need no comparing


def test_no_images_and_one():
    assert find_twins(np.zeros((0, 8, 8, 1), np.uint8)).group.tolist() == []
    assert find_twins(np.zeros((1, 8, 8, 1), np.uint8)).group.tolist() == [LONE]


def test_it_can_be_interrupted(images):
    def stop(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_twins(images, tick=stop)
