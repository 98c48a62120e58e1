"""Difference hashes of images, and an index that finds all hashes within a few bits among millions.

A hash is 64 bits: whether brightness rises from one cell to the next along each of 8 rows of 9 cells (the "dHash" of
N. Krawetz, 2013). Resizing and recompression flip a few of them; unrelated images differ in about half.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.events import Tell, untold

SIDE = 32
"""Cells of the grey square that images are compared on."""

ROWS, CELLS = 8, 9
RISE = 2.0
"""Grey levels from which brightness counts as rising: an even ground stays even after compression."""

BANDS, BAND_BITS = 4, 16
RADIUS = 7
"""Bits that may differ: of two hashes within 7 bits, one of four bands of 16 differs in at most one bit."""

CHUNK = 1024  # images held at once
_BITS = np.array([value.bit_count() for value in range(1 << BAND_BITS)], np.uint8)  # set in each 16-bit number
_CANDIDATES = 1 << 22  # pairs held at once
_MOST_FOUND = 5_000_000  # near pairs kept: more of them are one picture over and over


def grey_squares(images: np.ndarray) -> np.ndarray:
    """Return images (n, H, W, C) uint8 as grey squares (n, SIDE, SIDE) float32 of the mean brightness of each cell."""
    grey = images.astype(np.float32).mean(axis=3) if images.shape[3] > 1 else images[..., 0].astype(np.float32)
    tall, wide = cells(grey.shape[1], SIDE), cells(grey.shape[2], SIDE)
    squares: np.ndarray = tall @ grey @ wide.T
    return squares


def difference_hashes(squares: np.ndarray) -> np.ndarray:
    """Return the hash of each grey square (n, S, S): (n,) uint64."""
    side = squares.shape[1]
    small = cells(side, ROWS) @ squares @ cells(side, CELLS).T
    bits = (small[:, :, 1:] - small[:, :, :-1] > RISE).reshape(len(squares), ROWS * (CELLS - 1))
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").ravel().astype(np.uint64)


def cells(length: int, count: int, start: float = 0.0, stop: float = 1.0) -> np.ndarray:
    """Return the matrix (count, length) float32 that averages a line of `length` over `count` cells of equal width.

    The cells lie between the shares `start` and `stop` of the line; a cell narrower than a pixel is interpolated.
    """
    edges = np.linspace(start * length, stop * length, count + 1)
    if (edges[1] - edges[0]) >= 1:
        left, right = edges[:-1, None], edges[1:, None]
        pixels = np.arange(length)[None, :]
        overlap = np.minimum(right, pixels + 1) - np.maximum(left, pixels)
        weights = np.clip(overlap, 0, None)
    else:
        centres = np.clip((edges[:-1] + edges[1:]) / 2 - 0.5, 0, length - 1)
        weights = np.clip(1 - np.abs(centres[:, None] - np.arange(length)[None, :]), 0, None)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def count_bits(words: np.ndarray) -> np.ndarray:
    """Return how many bits are set in each of `words` (n,) uint64: (n,) uint8. Numpy itself counts bits from 2.0 on."""
    bits: np.ndarray = _BITS[words.view(np.uint16).reshape(-1, 4)].sum(1, dtype=np.uint8)
    return bits


class HammingIndex:
    """Finds hashes within a few bits of a query by multi-index hashing (Norouzi et al. 2012, arXiv:1307.2982).

    Hashes are sorted into buckets by each of four bands of 16 bits. A query looks into 4 x 17 buckets, each of
    n / 65,536 hashes where these are spread evenly; where they are not, `budget` bounds the pairs that are compared.
    """

    def __init__(self, hashes: np.ndarray) -> None:
        """`hashes`: (n,) uint64, best without repetition."""
        self._hashes = hashes
        self._orders: list[np.ndarray] = []
        self._starts: list[np.ndarray] = []
        for band in range(BANDS):
            values = _band(hashes, band)
            self._orders.append(np.argsort(values, kind="stable").astype(np.int64))
            counts = np.bincount(values, minlength=1 << BAND_BITS)
            self._starts.append(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))

    def within(
        self, queries: np.ndarray, radius: int = RADIUS, budget: int = 400_000_000, tick: Tell = untold
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
        """Return all pairs of a query (q,) uint64 and a hash at most `radius` (0 to RADIUS) bits apart.

        Returns positions of queries and of hashes, (p,) int64 each, distances in bits (p,) uint8, and whether the
        search was complete: False where `budget` pairs were compared, or five million found, before the last bucket.
        """
        if not 0 <= radius <= RADIUS:
            raise ValueError(f"radius must be between 0 and {RADIUS}, got {radius}")
        batches: list[np.ndarray] = []
        spent, kept, complete = 0, 0, True
        for owners, hashes in self._candidates(queries, radius, tick):
            spent += len(owners)
            if spent > budget or kept > _MOST_FOUND:
                complete = False
                break
            near = count_bits(queries[owners] ^ self._hashes[hashes]) <= radius
            batches.append(owners[near] * len(self._hashes) + hashes[near])
            kept += len(batches[-1])
        pairs = np.unique(np.concatenate(batches)) if batches else np.zeros(0, np.int64)
        owners, hashes = np.divmod(pairs, max(1, len(self._hashes)))
        return owners, hashes, count_bits(queries[owners] ^ self._hashes[hashes]), complete

    def _candidates(self, queries: np.ndarray, radius: int, tick: Tell) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield positions of queries and of hashes in the buckets they look into, (p,) int64 each."""
        flips = [0, *(1 << bit for bit in range(BAND_BITS))] if radius >= BANDS else [0]
        looks = [(flip, band) for flip in flips for band in range(BANDS)]  # equal bands first: nearest pairs
        for done, (flip, band) in enumerate(looks):
            tick("Comparing hashes", done, len(looks))
            values = _band(queries, band) ^ flip
            starts = self._starts[band][values]
            lengths = self._starts[band][values + 1] - starts
            for part in _parts(lengths):
                owners = np.repeat(np.arange(part.start, part.stop), lengths[part])
                yield owners, self._orders[band][ranges(starts[part], lengths[part])]


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the whole numbers of several ranges (r,), one range after the other."""
    before = np.cumsum(lengths) - lengths
    numbers: np.ndarray = np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
    return numbers


def _band(hashes: np.ndarray, band: int) -> np.ndarray:
    return ((hashes >> np.uint64(BAND_BITS * band)) & np.uint64((1 << BAND_BITS) - 1)).astype(np.int64)


def _parts(lengths: np.ndarray) -> Iterator[slice]:
    """Cut queries into runs of about _CANDIDATES pairs, one query at least."""
    ends = np.cumsum(lengths)
    start = 0
    while start < len(lengths):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _CANDIDATES, side="right")))
        yield slice(start, stop)
        start = stop
