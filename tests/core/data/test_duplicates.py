"""Duplicates and twins: planted copies are found, pictures of their own are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.planted import CHANGES, copy_of, garments, photo_tiles, recompressed, resized, waves
from core.data import duplicates
from core.data.duplicates import LONE, Duplicates, Twins, find_duplicates, find_twins, take_looks
from core.data.named import load_digits
from core.events import Tell, untold
from core.likeness import LEVELS, SAME

PICTURES, ASKED = 300, 40
FASHION = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")


def duplicates_of(images, forget: np.ndarray, *, tick: Tell = untold) -> Duplicates:
    return find_duplicates(images, forget, take_looks(images, tick), tick).at(SAME)


def twins_of(images, *, tick: Tell = untold) -> Twins:
    return find_twins(take_looks(images, tick), tick)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.stack([waves(seed) for seed in range(PICTURES)])


def with_copies_of(images: np.ndarray, change, count: int = ASKED) -> tuple[np.ndarray, np.ndarray]:
    """Images with changed copies of the first `count` after them, and the mask of these."""
    generator = np.random.default_rng(0)
    everything = np.concatenate([images, np.stack([copy_of(image, change, generator) for image in images[:count]])])
    return everything, np.arange(len(everything)) < count


def shuffled_photo_tiles() -> np.ndarray:
    tiles = photo_tiles()
    return tiles[np.random.default_rng(1).permutation(len(tiles))]


@pytest.mark.parametrize("pictures, count", [(shuffled_photo_tiles, 40), (lambda: garments(500), 100)])
def test_copies_are_found_and_other_peoples_pictures_stay(pictures, count):
    """All copies of each picture stand beside it, and each is told whose it is."""
    images, generator = pictures(), np.random.default_rng(0)
    copies = [copy_of(image, change, generator) for change in CHANGES for image in images[:count]]
    everything = np.concatenate([images, np.stack(copies)])
    found = duplicates_of(everything, np.arange(len(everything)) < count)
    planted = found.kept >= len(images)
    assert (~planted).sum() <= 0.01 * count
    change, source = np.divmod(found.kept[planted] - len(images), count)
    assert (source == found.forgotten[planted]).mean() > 0.99
    assert planted.sum() >= 7 / 8 * len(copies)
    assert np.bincount(change, minlength=len(CHANGES)).min() >= 0.6 * count  # none is missed as a rule


def test_garments_are_what_a_fixed_correlation_takes_for_one_picture():
    assert np.median(np.corrcoef(garments(60).reshape(60, -1).astype(float))) > 0.85


@pytest.mark.skipif(not FASHION.is_file(), reason="Fashion-MNIST is not installed")
def test_of_fashion_mnist_as_well():
    """The review's case: 332 images among 5,008, of which 274 were taken, 189 of them other people's trousers."""
    import gzip

    raw = np.frombuffer(gzip.decompress(FASHION.read_bytes()), np.uint8, offset=16).reshape(-1, 28, 28, 1)
    images = raw[np.random.default_rng(0).choice(len(raw), 5008, replace=False)]
    generator, count = np.random.default_rng(0), 332
    sources = [(number, change) for change in CHANGES for number in generator.choice(count, 20, replace=False)]
    copies = np.stack([copy_of(images[number], change, generator) for number, change in sources])
    everything = np.concatenate([images, copies])
    found = duplicates_of(everything, np.arange(len(everything)) < count)
    planted = found.kept >= len(images)
    assert (~planted).sum() <= 0.01 * count
    right = found.kept[planted] - len(images)
    assert len(right) >= 7 / 8 * len(sources)
    assert [sources[number][0] for number in right] == found.forgotten[planted].tolist()


def test_the_same_pixels_are_exact_and_come_first(pictures):
    images = np.concatenate([pictures, pictures[3:5], pictures[3:4]])
    images = np.concatenate([images, with_copies_of(pictures, recompressed)[0][PICTURES : PICTURES + 1]])
    forget = np.zeros(len(images), bool)
    forget[[0, 3, 4]] = True
    found = duplicates_of(images, forget)
    assert found.kept.tolist() == [PICTURES, PICTURES + 1, PICTURES + 2, PICTURES + 3]
    assert found.forgotten.tolist() == [3, 4, 3, 0]
    assert found.exact.tolist() == [True, True, True, False]
    assert found.as_dict(most=1) == {
        "count": 4, "exact": 3, "near": 1, "complete": True, "threshold": SAME,
        "pairs": [{"kept": PICTURES, "forgotten": 3, "exact": True, "agreement": 1.0}],
    }  # fmt: skip


def test_each_copy_is_told_whose_pixels_it_has(pictures):
    images = np.concatenate([pictures[:30], pictures[11::-1]])
    found = duplicates_of(images, np.arange(len(images)) < 12)
    assert found.exact[:12].all() and found.kept[:12].tolist() == list(range(30, 42))
    assert found.forgotten[:12].tolist() == list(range(11, -1, -1))


def test_even_images_are_no_twins_unless_they_are_the_same():
    even = np.stack([np.full((48, 48, 1), level, np.uint8) for level in (10, 10, 200, 201)])
    found = duplicates_of(even, np.array([True, False, False, False]))
    assert found.kept.tolist() == [1] and found.exact.all()


def test_levels_take_in_each_other(pictures):
    images, forget = with_copies_of(pictures, recompressed)
    images[PICTURES] = images[0]
    whole = find_duplicates(images, forget, take_looks(images))
    found = {word: set(whole.at(least).kept.tolist()) for word, least in LEVELS.items()}
    assert found["exact"] == {PICTURES}
    assert found["exact"] < found["same"] <= found["near"]


def test_eight_copies_of_one_picture_do_not_hide_each_other(pictures):
    generator = np.random.default_rng(3)
    copies = np.stack([copy_of(pictures[0], change, generator) for change in CHANGES])
    images = np.concatenate([pictures, copies])
    found = duplicates_of(images, np.arange(len(images)) < 1)
    assert (found.kept >= PICTURES).all() and len(found) >= 7


def test_few_images_are_enough(pictures):
    for few in (1, 3, 20):
        images, forget = with_copies_of(pictures[:few], recompressed, 1)
        found = duplicates_of(images, forget)
        assert found.kept.tolist() == [few] and found.forgotten.tolist() == [0]


def test_nothing_to_compare_is_nothing_found(pictures):
    for forget in (np.zeros(PICTURES, bool), np.ones(PICTURES, bool)):
        assert len(duplicates_of(pictures, forget)) == 0


def test_many_pairs_are_cut_off_and_it_says_so(pictures, monkeypatch):
    images, forget = with_copies_of(pictures, recompressed)
    monkeypatch.setattr(duplicates, "MOST_COMPARED", 10)
    found = duplicates_of(images, forget)
    assert not found.complete and 0 < len(found) <= 10


def test_of_many_forget_images_some_are_asked_and_it_says_so(pictures, monkeypatch):
    images, forget = with_copies_of(pictures, recompressed)
    images[PICTURES] = images[0]
    monkeypatch.setattr(duplicates, "MOST_ASKED", ASKED // 2)
    found = duplicates_of(images, forget)
    assert not found.complete and found.exact.sum() == 1 and ASKED // 2 - 2 <= len(found) <= ASKED // 2 + 1


def test_groups_of_like_images_hide_nothing_where_all_are_searched(pictures, monkeypatch):
    images, forget = with_copies_of(pictures, recompressed)
    images[200:260] = 90  # even ones are of no group
    whole = duplicates_of(images, forget)
    monkeypatch.setattr(duplicates, "GROUP", 32)
    found = duplicates_of(images, forget)
    assert found.complete and np.array_equal(found.kept, whole.kept) and len(found) >= 0.9 * ASKED
    assert np.allclose(found.agreement, whole.agreement, atol=1e-3)
    even = np.arange(80, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2)
    assert not twins_of(even).has_twin.any()


def test_images_are_read_in_pieces(pictures, monkeypatch):
    class Pieces:
        """An array that can only be indexed, and counts what is asked for at once."""

        most = 0

        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index):
            part = images[index]
            Pieces.most = max(Pieces.most, len(part))
            return part

    images, forget = with_copies_of(pictures, recompressed)
    monkeypatch.setattr(duplicates, "CHUNK", 64)
    monkeypatch.setattr(duplicates, "PAIRS", 64)
    found = find_duplicates(Pieces(), forget, take_looks(Pieces())).at(SAME)
    assert Pieces.most == 64
    assert np.array_equal(found.kept, duplicates_of(images, forget).kept)


def test_it_can_be_interrupted(pictures):
    def stop(what: str, done: int, total: int) -> None:
        raise InterruptedError(what)

    with pytest.raises(InterruptedError, match="Looking at all images"):
        duplicates_of(pictures, np.arange(PICTURES) < 3, tick=stop)


def test_of_tiny_images_only_those_that_hardly_differ_show_the_same():
    """Digits of 8 x 8 pixels by different hands agree to 0.967."""
    digits = load_digits().train.images.numpy()
    brighter = np.minimum(digits[:100], 250) + np.uint8(5)  # copies that lost a little in being saved
    images = np.concatenate([digits, brighter])
    found = duplicates_of(images, np.arange(len(images)) < 100)
    planted = found.kept >= len(digits)
    assert planted.sum() >= 99 and (~planted).sum() <= 1
    assert (found.kept[planted] - len(digits) == found.forgotten[planted]).all()


# --- twins among all images ---------------------------------------------------------------------------------------


def resized_and_recompressed(image: np.ndarray) -> np.ndarray:
    return copy_of(copy_of(image, resized, np.random.default_rng()), recompressed, np.random.default_rng())


@pytest.fixture(scope="module")
def with_copies() -> np.ndarray:
    own = np.stack([waves(seed) for seed in range(60)])
    return np.stack([*own, *own[[3, 3, 7]], *(resized_and_recompressed(image) for image in own[[7, 30]])])


def test_groups_are_named_by_their_first_image(with_copies):
    found = twins_of(with_copies)
    expected = np.full(len(with_copies), LONE)
    expected[[3, 60, 61]], expected[[7, 62, 63]], expected[[30, 64]] = 3, 7, 30
    assert found.group.tolist() == expected.tolist()
    assert np.flatnonzero(found.has_twin).tolist() == [3, 7, 30, 60, 61, 62, 63, 64]


def test_it_does_not_matter_in_which_order_the_images_stand(with_copies):
    order = np.random.default_rng(0).permutation(len(with_copies))
    found, mixed = twins_of(with_copies), twins_of(with_copies[order])
    assert (mixed.has_twin == found.has_twin[order]).all()
    same = found.group[order][:, None] == found.group[order][None]
    assert (same == (mixed.group[:, None] == mixed.group[None]))[mixed.has_twin].all()


def test_even_images_are_twins_only_where_their_pixels_are_the_same():
    even = np.stack([np.full((48, 48, 3), shade, np.uint8) for shade in (10, 90, 90, 200)])
    assert twins_of(even).group.tolist() == [LONE, 1, 1, LONE]


def test_no_images_and_one():
    assert twins_of(np.zeros((0, 8, 8, 1), np.uint8)).group.tolist() == []
    assert twins_of(np.zeros((1, 8, 8, 1), np.uint8)).group.tolist() == [LONE]


def test_looking_for_twins_can_be_interrupted(with_copies):
    def stop(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        twins_of(with_copies, tick=stop)
