"""Difference hashes, and the search that finds near ones: against brute force and against bits set by hand."""

from __future__ import annotations

import numpy as np
import pytest

from core.data.duplicates import RADIUS, cells, count_bits, difference_hashes, grey_squares, near_pairs


def random_hashes(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


def test_bits_are_counted_as_python_counts_them():
    words = np.concatenate([random_hashes(500), np.array([0, 1, 2**63, 2**64 - 1], np.uint64)])
    assert count_bits(words).tolist() == [int(word).bit_count() for word in words]


def test_a_hash_says_where_brightness_rises():
    up = np.tile(np.linspace(0, 255, 32, dtype=np.float32), (32, 1))
    flat, down = np.full((32, 32), 90, np.float32), up[:, ::-1]
    half = up.copy()
    half[16:] = flat[16:]  # the lower four rows are even
    hashes = difference_hashes(np.stack([up, flat, down, half]))
    assert hashes.tolist() == [2**64 - 1, 0, 0, 2**32 - 1]


def test_noise_on_an_even_ground_does_not_count():
    ground = np.random.default_rng(0).normal(90, 1, (5, 32, 32)).astype(np.float32)
    assert difference_hashes(ground).tolist() == [0] * 5


@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 48, 3), (8, 8, 1), (300, 200, 3)])
def test_grey_squares_keep_the_mean_and_the_order(shape):
    images = np.random.default_rng(1).integers(0, 256, (3, *shape), dtype=np.uint8)
    squares = grey_squares(images)
    assert squares.shape == (3, 32, 32)
    if min(shape[:2]) >= 32:  # cells of whole pixels' area: the mean stays
        assert np.allclose(squares.mean((1, 2)), images.mean((1, 2, 3)), atol=1e-2)
    bright = np.zeros((1, *shape), np.uint8)
    bright[:, : shape[0] // 2] = 200
    assert grey_squares(bright)[0, :8].mean() > 190 > 10 > grey_squares(bright)[0, -8:].mean()


def test_cells_average_what_they_cover():
    assert cells(4, 2).tolist() == [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]
    assert np.allclose(cells(3, 2) @ np.array([3.0, 6.0, 9.0]), [4.0, 8.0])
    assert np.allclose(cells(10, 5, 0.2, 0.8).sum(1), 1)
    assert np.allclose(cells(5, 32) @ np.full(5, 7.0), 7)


def test_the_search_finds_all_that_brute_force_finds():
    hashes = random_hashes(400)
    bits = np.uint64(1) << np.random.default_rng(2).integers(0, 64, (10, 200)).astype(np.uint64)
    flipped = np.where(np.arange(10)[:, None] < np.arange(200) % 11, bits, np.uint64(0))  # none to ten of them
    near = hashes[:200] ^ np.bitwise_or.reduce(flipped, axis=0)
    queries = np.concatenate([near, random_hashes(50, 3)])
    owners, found, distances, complete = near_pairs(hashes, queries)
    apart = count_bits((queries[:, None] ^ hashes[None, :]).ravel()).reshape(len(queries), -1)
    wanted = np.argwhere(apart <= RADIUS)
    assert complete and np.array_equal(np.stack([owners, found], 1), wanted) and len(wanted)
    assert np.array_equal(distances, apart[owners, found])


def test_a_million_hashes_take_moments_and_a_budget_bounds_the_worst():
    hashes = random_hashes(1_000_000)
    looked = []
    queries = hashes[:200] ^ np.uint64(0b1001)
    owners, found, distances, complete = near_pairs(
        hashes, queries, budget=1_000_000, tick=lambda what, done, total: looked.append((done, total))
    )
    assert complete and len(looked) == 68  # of 200 million pairs fewer than a million were looked at
    assert set(range(200)) <= set(owners[found == owners].tolist()) and (distances[found == owners] == 2).all()
    # All hashes share three bands: one bucket holds everything, and the budget ends the search, which says so.
    alike = np.arange(60_000, dtype=np.uint64)
    owners, _, _, complete = near_pairs(alike, alike[:2000], budget=3_000_000)
    assert not complete and np.array_equal(owners, np.arange(2000))  # the nearest, of the first band, are there


def test_nothing_is_near_nothing():
    nothing = np.zeros(0, np.uint64)
    assert [len(column) for column in near_pairs(nothing, random_hashes(3))[:3]] == [0, 0, 0]
    assert [len(column) for column in near_pairs(random_hashes(3), nothing)[:3]] == [0, 0, 0]
