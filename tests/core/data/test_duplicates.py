"""Duplicates and twins: copies planted among generated photos are found, pictures of their own are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from core.data import duplicates
from core.data.duplicates import LONE, Duplicates, Twins, find_duplicates, find_twins, hash_images
from core.data.named import load_digits
from core.events import Tell, untold

SIDE = 48
PICTURES, ASKED = 300, 40


def duplicates_of(images, forget: np.ndarray, *, tick: Tell = untold, **near) -> Duplicates:
    return find_duplicates(images, forget, hash_images(images, tick), tick=tick, **near)


def twins_of(images, *, tick: Tell = untold) -> Twins:
    return find_twins(images, hash_images(images, tick), tick)


def photo(seed: int) -> np.ndarray:
    """Overlaid waves of all directions and colours: smooth like a photograph, and different for every seed."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    image = np.zeros((SIDE, SIDE, 3))
    for number in range(1, 10):
        down, across = generator.normal(size=2) * 3
        wave = np.sin(2 * np.pi * (down * y + across * x) + generator.uniform(0, 7))
        image += wave[..., None] * generator.normal(size=3) / number**0.5
    image -= image.min()
    return (image * 255 / image.max()).astype(np.uint8)


def resized(image: Image.Image) -> Image.Image:
    return image.resize((SIDE * 2 // 3, SIDE * 2 // 3), Image.Resampling.BICUBIC)


def recompressed(image: Image.Image) -> Image.Image:
    held = io.BytesIO()
    image.save(held, "JPEG", quality=75)
    return Image.open(held)


def mirrored(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def cropped(image: Image.Image) -> Image.Image:
    return image.crop((2, 2, SIDE - 2, SIDE - 2))


CHANGES = (resized, recompressed, mirrored, cropped)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.stack([photo(seed) for seed in range(PICTURES)])


def with_twins(pictures: np.ndarray, change) -> tuple[np.ndarray, np.ndarray]:
    """Pictures with changed copies of the first ASKED after them, and the mask of these."""
    twins = [
        np.asarray(change(Image.fromarray(image)).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        for image in pictures[:ASKED]
    ]
    everything = np.concatenate([pictures, np.stack(twins)])
    forget = np.zeros(len(everything), bool)
    forget[:ASKED] = True
    return everything, forget


@pytest.mark.parametrize("change", CHANGES)
def test_planted_twins_are_found_and_nothing_else(pictures, change):
    images, forget = with_twins(pictures, change)
    found = duplicates_of(images, forget)
    assert found.complete and not found.exact.any()
    twins = found.kept - PICTURES == found.forgotten
    assert twins.all()  # no picture of its own is taken for a twin, and each twin is told whose it is
    assert len(found) >= 0.95 * ASKED
    assert (np.diff(found.agreement) <= 0).all()


def test_the_same_pixels_are_exact_and_come_first(pictures):
    images = np.concatenate([pictures, pictures[3:5], pictures[3:4]])
    images = np.concatenate([images, with_twins(pictures, recompressed)[0][PICTURES : PICTURES + 1]])
    forget = np.zeros(len(images), bool)
    forget[[0, 3, 4]] = True
    found = duplicates_of(images, forget)
    assert found.kept.tolist() == [PICTURES, PICTURES + 1, PICTURES + 2, PICTURES + 3]
    assert found.forgotten.tolist() == [3, 4, 3, 0]
    assert found.exact.tolist() == [True, True, True, False]
    assert found.as_dict(most=1) == {
        "count": 4, "exact": 3, "near": 1, "complete": True,
        "pairs": [{"kept": PICTURES, "forgotten": 3, "exact": True, "agreement": 1.0}],
    }  # fmt: skip


def test_each_copy_is_told_whose_pixels_it_has(pictures):
    images = np.concatenate([pictures[:30], pictures[11::-1]])
    found = duplicates_of(images, np.arange(len(images)) < 12)
    assert found.exact[:12].all() and found.kept[:12].tolist() == list(range(30, 42))
    assert found.forgotten[:12].tolist() == list(range(11, -1, -1))


def test_even_images_are_no_twins_unless_they_are_the_same():
    even = np.stack([np.full((SIDE, SIDE, 1), level, np.uint8) for level in (10, 10, 200, 201)])
    found = duplicates_of(even, np.array([True, False, False, False]))
    assert found.kept.tolist() == [1] and found.exact.all()


def test_candidates_of_the_caller_are_compared_and_not_believed(pictures):
    # The forget images are the crops: what is outside of them is in no hash.
    images, first = with_twins(pictures, lambda image: image.crop((0, 0, SIDE - 8, SIDE - 8)))
    forget = np.zeros(len(images), bool)
    forget[PICTURES:] = True
    assert first.sum() == ASKED
    named = np.arange(ASKED)
    near = (np.concatenate([named, named + 1]), np.concatenate([named, named]) + PICTURES)
    found = duplicates_of(images, forget, near=near)
    assert len(found) >= 0.95 * ASKED and (found.kept == found.forgotten - PICTURES).all()


def test_nothing_to_compare_is_nothing_found(pictures):
    for forget in (np.zeros(PICTURES, bool), np.ones(PICTURES, bool)):
        assert len(duplicates_of(pictures, forget)) == 0


def test_many_pairs_are_cut_off_and_it_says_so(pictures, monkeypatch):
    images, forget = with_twins(pictures, recompressed)
    monkeypatch.setattr(duplicates, "MOST_COMPARED", 10)
    found = duplicates_of(images, forget)
    assert not found.complete and 0 < len(found) <= 10


def test_images_are_read_in_pieces_and_hashes_can_be_handed_in(pictures, monkeypatch):
    class Pieces:
        """An array that can only be indexed, and counts what is asked for at once."""

        most = 0

        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index):
            part = images[index]
            Pieces.most = max(Pieces.most, len(part))
            return part

    images, forget = with_twins(pictures, recompressed)
    monkeypatch.setattr(duplicates, "CHUNK", 64)
    hashed = hash_images(Pieces())
    found = find_duplicates(Pieces(), forget, hashed)
    assert Pieces.most == 64
    assert np.array_equal(found.kept, duplicates_of(images, forget).kept)


def test_it_can_be_interrupted(pictures):
    def stop(what: str, done: int, total: int) -> None:
        raise InterruptedError(what)

    with pytest.raises(InterruptedError, match="Looking at all images"):
        duplicates_of(pictures, np.arange(PICTURES) < 3, tick=stop)


def test_of_tiny_images_only_those_that_hardly_differ_show_the_same():
    """Digits of 8 x 8 pixels by different hands agree to 0.967: more than large pictures of one thing have to."""
    digits = load_digits().train.images[:400]
    brighter = np.minimum(digits[:3], 250) + np.uint8(5)  # a copy that lost a little in being saved
    images = np.concatenate([digits, brighter])
    forget = np.arange(len(images)) < 100
    found = duplicates_of(images, forget)
    assert sorted(found.kept.tolist()) == [len(digits), len(digits) + 1, len(digits) + 2]
    assert not found.exact.any() and found.agreement.min() > 0.99
    assert np.flatnonzero(twins_of(images).has_twin).tolist()[-3:] == [len(digits), len(digits) + 1, len(digits) + 2]
    assert twins_of(images).has_twin.sum() < 30


# --- twins among all images ---------------------------------------------------------------------------------------


def resized_and_recompressed(image: np.ndarray) -> np.ndarray:
    held = io.BytesIO()
    Image.fromarray(image).resize((40, 40)).save(held, "JPEG", quality=80)
    return np.asarray(Image.open(held).resize((SIDE, SIDE)))


@pytest.fixture(scope="module")
def with_copies() -> np.ndarray:
    own = np.stack([photo(seed) for seed in range(60)])
    return np.stack([*own, *own[[3, 3, 7]], *(resized_and_recompressed(image) for image in own[[7, 30]])])


def test_groups_are_named_by_their_first_image(with_copies):
    found = twins_of(with_copies)
    expected = np.full(len(with_copies), LONE)
    expected[[3, 60, 61]], expected[[7, 62, 63]], expected[[30, 64]] = 3, 7, 30
    assert found.group.tolist() == expected.tolist() and found.complete
    assert np.flatnonzero(found.has_twin).tolist() == [3, 7, 30, 60, 61, 62, 63, 64]


def test_it_does_not_matter_in_which_order_the_images_stand(with_copies):
    order = np.random.default_rng(0).permutation(len(with_copies))
    found, mixed = twins_of(with_copies), twins_of(with_copies[order])
    assert (mixed.has_twin == found.has_twin[order]).all()
    same = found.group[order][:, None] == found.group[order][None]
    assert (same == (mixed.group[:, None] == mixed.group[None]))[mixed.has_twin].all()


def test_even_images_are_twins_only_where_their_pixels_are_the_same():
    even = np.stack([np.full((SIDE, SIDE, 3), shade, np.uint8) for shade in (10, 90, 90, 200)])
    assert twins_of(even).group.tolist() == [LONE, 1, 1, LONE]


def test_a_bound_on_pairs_of_twins_is_told(with_copies, monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_COMPARED", 1)
    found = twins_of(with_copies)
    assert not found.complete and found.has_twin[[3, 60, 61]].all()  # the same pixels need no comparing


def test_no_images_and_one():
    assert twins_of(np.zeros((0, 8, 8, 1), np.uint8)).group.tolist() == []
    assert twins_of(np.zeros((1, 8, 8, 1), np.uint8)).group.tolist() == [LONE]


def test_looking_for_twins_can_be_interrupted(with_copies):
    def stop(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        twins_of(with_copies, tick=stop)
