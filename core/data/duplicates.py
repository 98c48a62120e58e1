"""Find images that show the same picture: copies of forget images among the kept ones, and copies among all (twins).

1. Every image becomes a grey square and a difference hash; forget images also give hashes of their crops and mirrors.
2. Candidates are pairs whose hashes differ in few bits, and pairs that the caller names (nearest in features).
3. A candidate counts as the same picture where the two squares, aligned as well as possible, correlate.

Hashes only suggest and pixels decide: two trousers have nearly the same hash and are still two pictures. A hash is 64
bits: whether brightness rises from one cell to the next along each of 8 rows of 9 cells (the "dHash" of N. Krawetz,
2013). Resizing and recompression flip a few of them; unrelated images differ in about half.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from core.data.dataset import hash_each
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

SAME_EDGES, SAME_BRIGHTNESS = 0.82, 0.93
"""Correlations from which two squares show the same picture. Of clothes that only look alike (Fashion-MNIST, the 30
nearest hashes of an image) 4 % pass, of copies shrunk to three quarters 96 %, of recompressed and mirrored ones all."""

SAME_EDGES_TINY, TINY = 0.97, 16
"""Of images below 16 pixels a side, which show too little to bear being resized: two digits of 8 x 8 pixels by
different hands agree to 0.9."""

LOOKS = 3  # forget images a kept image is compared with, nearest hashes first
BUDGET = 250_000_000  # pairs of hashes compared: some seconds
MOST_COMPARED = 20_000  # candidates that are laid over each other; the nearest hashes first
_ZOOMS = (0.96, 0.93, 0.90, 0.86, 0.82)  # crops that are looked for; a "slight" crop keeps four fifths of a side
_PLACES = ((0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))  # of a crop: the middle, and the corners
_CROPS = ((1.0, 0.5, 0.5), *((zoom, *place) for zoom in _ZOOMS for place in _PLACES))  # the whole first
_SMALL = 12  # side of the squares on which the best crop is looked for
_HASHED_ZOOMS = (0.93, 0.86)  # hashes bear what lies between
_EVEN = 4.0  # brightness that varies less (standard deviation, grey levels) shows nothing to compare

LONE = -1  # the group of an image without a twin


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Kept images that show the same picture as a forget image, best agreement first, each with its best match.

    kept, forgotten: (m,) int64 positions in the training part; exact: (m,) bool, the same pixels; agreement: (m,)
    float32 correlation of edges, 1 where exact; complete: False where the search was cut off for time.
    """

    kept: np.ndarray
    forgotten: np.ndarray
    exact: np.ndarray
    agreement: np.ndarray
    complete: bool = True

    def __len__(self) -> int:
        return len(self.kept)

    def as_dict(self, paths: tuple[str, ...] | None = None, most: int = 100) -> dict[str, Any]:
        """Return the counts and the first `most` pairs, by position and, with `paths`, by path."""
        columns = (column[:most].tolist() for column in (self.kept, self.forgotten, self.exact, self.agreement))
        rows = []
        for kept, forgotten, exact, agreement in zip(*columns, strict=True):
            rows.append({"kept": kept, "forgotten": forgotten, "exact": exact, "agreement": round(agreement, 4)})
            if paths is not None:
                rows[-1] |= {"kept_path": paths[kept], "forgotten_path": paths[forgotten]}
        return {**self.counts(), "pairs": rows}

    def counts(self) -> dict[str, Any]:
        """Return how many pairs there are, how many have equal pixels, and whether the search was complete."""
        exact = int(self.exact.sum())
        return {"count": len(self), "exact": exact, "near": len(self) - exact, "complete": self.complete}


@dataclass(frozen=True, eq=False)
class Twins:
    """Which images show the same picture.

    group: (n,) int64, the first image of the group an image belongs to, LONE without a twin; complete: False where
    the search was cut off for time.
    """

    group: np.ndarray
    complete: bool = True

    @property
    def has_twin(self) -> np.ndarray:
        """Which images have a twin: (n,) bool."""
        return self.group != LONE


@dataclass(frozen=True, eq=False)
class ImageHashes:
    """hashes: (n,) uint64, difference hash of each image; digests: (n,) uint64, hash of its exact pixels."""

    hashes: np.ndarray
    digests: np.ndarray


def hash_images(images: Any, tick: Tell = untold) -> ImageHashes:
    """Hash all images (n, H, W, C) uint8, read in pieces; `tick` may raise to interrupt."""
    count = len(images)
    hashes, digests = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    for start in range(0, count, CHUNK):
        tick("Looking at all images", start, count)
        part = slice(start, start + CHUNK)
        pixels = np.asarray(images[part])
        hashes[part] = difference_hashes(grey_squares(pixels))
        digests[part] = hash_each(image.tobytes() for image in pixels)
    return ImageHashes(hashes, digests)


def find_duplicates(
    images: Any,
    forget: np.ndarray,
    hashed: ImageHashes,
    *,
    near: tuple[np.ndarray, np.ndarray] | None = None,
    tick: Tell = untold,
) -> Duplicates:
    """Find kept images that show the same picture as an image of the forget set.

    images: (n, H, W, C) uint8, read in pieces; forget: (n,) bool; hashed: what `hash_images` gave; near: further
    candidates, (p,) positions of kept images and of forget images. Copies that were resized, recompressed, mirrored or
    cropped by up to a fifth of a side are found. A million images and ten thousand to forget take seconds beside
    reading them. `tick(what, done, total)` may raise to interrupt.
    """
    forget_ids, retain_ids = np.flatnonzero(forget), np.flatnonzero(~forget)
    if not len(forget_ids) or not len(retain_ids):
        nothing = np.zeros(0, np.int64)
        return Duplicates(nothing, nothing, np.zeros(0, bool), np.zeros(0, np.float32))
    same = _same_pixels(hashed.digests, forget_ids, retain_ids)
    pairs, complete = _by_hash(images, hashed.hashes, forget_ids, retain_ids, tick)
    if near is not None:
        pairs = np.concatenate([pairs, np.column_stack([*near, np.full(len(near[0]), RADIUS)])])
    pairs = _nearest(pairs[~np.isin(pairs[:, 0], same[:, 0])])
    pairs, agreement, all_compared = _compare(images, pairs[:, :2], tick)
    kept, forgotten = np.concatenate([same, pairs]).T
    exact = np.arange(len(kept)) < len(same)
    agreement = np.concatenate([np.ones(len(same), np.float32), agreement])
    order = np.lexsort((kept, -agreement, ~exact))
    _, first = np.unique(kept[order], return_index=True)
    best = order[np.sort(first)]  # forget image of each kept one
    return Duplicates(kept[best], forgotten[best], exact[best], agreement[best], complete and all_compared)


def find_twins(images: Any, hashed: ImageHashes, tick: Tell = untold) -> Twins:
    """Group images that show the same picture: equal pixels, or a resized or recompressed copy.

    images: (n, H, W, C) uint8, read in pieces; hashed: what `hash_images` gave. Mirrored and cropped copies are not
    looked for; a chain of pairs is one group. `tick(what, done, total)` may raise to interrupt.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(hashed.digests)
    if not count:
        return Twins(np.zeros(0, np.int64))
    _, first, copy = np.unique(hashed.digests, return_index=True, return_inverse=True)
    pairs, complete = _twin_candidates(hashed.hashes[first], tick)
    pairs, _, all_compared = _compare(images, first[pairs], tick)
    same = np.column_stack([np.arange(count), first[copy.ravel()]])  # each image, and the first of the same pixels
    starts, ends = np.concatenate([same, pairs]).T
    links = coo_array((np.ones(len(starts), bool), (starts, ends)), shape=(count, count))
    group = connected_components(links, directed=False)[1]
    _, lead, sizes = np.unique(group, return_index=True, return_counts=True)
    return Twins(np.where(sizes[group] > 1, lead[group], LONE), complete and all_compared)


def _same_pixels(digests: np.ndarray, forget_ids: np.ndarray, retain_ids: np.ndarray) -> np.ndarray:
    """Return kept images with exactly the pixels of a forget image, and that forget image: (m, 2)."""
    wanted, first = np.unique(digests[forget_ids], return_index=True)
    place = np.minimum(np.searchsorted(wanted, digests[retain_ids]), len(wanted) - 1)
    same = wanted[place] == digests[retain_ids]
    return np.column_stack([retain_ids[same], forget_ids[first[place[same]]]])


def _by_hash(
    images: Any, hashes: np.ndarray, forget_ids: np.ndarray, retain_ids: np.ndarray, tick: Tell
) -> tuple[np.ndarray, bool]:
    """Return pairs with near hashes (p, 3): kept image, forget image, bits that differ; and whether all were found."""
    queries, owners = _queries(images, forget_ids)
    codes, group = np.unique(hashes[retain_ids], return_inverse=True)  # a hash of several images is compared once
    query, code, distance, complete = near_pairs(codes, queries, tick=tick)
    # Nearest forget images of each hash first, at most LOOKS of them; then all images that have the hash.
    order = np.lexsort((distance, code))
    order = order[_rank(code[order]) < 4 * LOOKS]  # crops of one forget image may all match
    query, code, distance = query[order], code[order], distance[order]
    members = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[members], np.arange(len(codes) + 1))
    sizes = (starts[1:] - starts[:-1])[code]
    kept = retain_ids[members[ranges(starts[code], sizes)]]
    return np.column_stack([kept, np.repeat(owners[query], sizes), np.repeat(distance, sizes)]), complete


def _queries(images: Any, forget_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return hashes (q,) of forget images, their mirrors and crops, and the image of each (q,); no pair twice."""
    crops = [_crop(1.0, 0.5, 0.5), *(_crop(zoom, y, x) for zoom in _HASHED_ZOOMS for y, x in _PLACES)]
    hashes, owners = [], []
    for start in range(0, len(forget_ids), CHUNK):
        ids = forget_ids[start : start + CHUNK]
        squares = grey_squares(np.asarray(images[ids]))
        for tall, wide in crops:
            cut = tall @ squares @ wide.T
            hashes += [difference_hashes(cut), difference_hashes(cut[:, :, ::-1])]
            owners += [ids, ids]
    both = np.column_stack([np.concatenate(hashes), np.concatenate(owners).astype(np.uint64)])
    hash_of, owner = np.unique(both, axis=0).T
    return np.ascontiguousarray(hash_of), owner.astype(np.int64)


def _nearest(pairs: np.ndarray) -> np.ndarray:
    """Drop repeated pairs (p, 3) and keep the LOOKS nearest of each kept image; nearest first over all."""
    pairs = pairs[np.lexsort(pairs.T[::-1])]  # by kept image, forget image, bits
    pairs = pairs[np.diff(pairs[:, :2], axis=0, prepend=-1).any(1)]
    pairs = pairs[np.lexsort((pairs[:, 2], pairs[:, 0]))]
    pairs = pairs[_rank(pairs[:, 0]) < LOOKS]
    return pairs[np.argsort(pairs[:, 2], kind="stable")]


def _rank(values: np.ndarray) -> np.ndarray:
    """Return how many equal ones stand before each of sorted values (n,)."""
    return np.arange(len(values)) - np.searchsorted(values, values)


def _twin_candidates(hashes: np.ndarray, tick: Tell) -> tuple[np.ndarray, bool]:
    """Return pairs of positions (p, 2) with near hashes, nearest first, each once; and whether all were found.

    Images with equal hashes are compared with their successor, and their first with images of other hashes.
    """
    order = np.argsort(hashes, kind="stable")
    equal = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]])
    codes, lead = np.unique(hashes, return_index=True)
    left, right, distance, complete = near_pairs(codes, codes, tick=tick)
    once = np.flatnonzero(left < right)
    nearest = once[np.argsort(distance[once], kind="stable")]
    successors = np.column_stack([order[equal], order[equal + 1]])
    return np.concatenate([successors, lead[np.column_stack([left[nearest], right[nearest]])]]), complete


def _compare(images: Any, pairs: np.ndarray, tick: Tell) -> tuple[np.ndarray, np.ndarray, bool]:
    """Compare the pixels of pairs (p, 2), at most MOST_COMPARED of them.

    Returns those that show the same picture (m, 2), how well they agree (m,) float32, and whether all were compared.
    """
    compared = pairs[:MOST_COMPARED]
    agreement = np.zeros(len(compared), np.float32)
    for start in range(0, len(compared), CHUNK):
        tick("Comparing images", start, len(compared))
        part = slice(start, start + CHUNK)
        left, right = (grey_squares(np.asarray(images[ids])) for ids in compared[part].T)
        agreement[part] = best_agreement(left, right)
    tiny = len(compared) > 0 and min(np.shape(images[:1])[1:3]) < TINY
    same = agreement >= (SAME_EDGES_TINY if tiny else SAME_EDGES)
    return compared[same], agreement[same], len(compared) == len(pairs)


def best_agreement(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return how well pairs of squares (n, SIDE, SIDE) agree when aligned as well as possible: (n,) float32.

    That is the correlation of edges, 0 where brightness agrees less than SAME_BRIGHTNESS. Mirrors and crops of
    either square are tried at a low resolution; only the best of them is compared at full resolution.
    """
    turned = (right, right[:, :, ::-1])
    mine = _small_crops(left)
    tries = []  # (n, crops) each: crops of the left square, then of the right one, plain and mirrored
    for theirs in map(_small_crops, turned):
        tries += [np.einsum("ncd,nd->nc", mine, theirs[:, 0]), np.einsum("ncd,nd->nc", theirs, mine[:, 0])]
    best = np.concatenate(tries, axis=1).argmax(1)
    agreement = np.zeros(len(left), np.float32)
    for number in np.unique(best):
        rows = best == number
        mirrored, cropped, crop = np.unravel_index(number, (2, 2, len(_CROPS)))
        pair = [left[rows], turned[mirrored][rows]]
        if crop:
            tall, wide = _crop(*_CROPS[crop])
            pair[cropped] = tall @ pair[cropped] @ wide.T
        bright = correlation(pair[0], pair[1]) >= SAME_BRIGHTNESS
        agreement[rows] = np.where(bright, correlation(_edges(pair[0]), _edges(pair[1]), least=0.0), 0.0)
    return agreement


def correlation(left: np.ndarray, right: np.ndarray, least: float = _EVEN) -> np.ndarray:
    """Return the correlation of arrays (n, ...): (n,) float32; 0 where one of them varies by no more than `least`."""
    left, right = left.reshape(len(left), -1), right.reshape(len(right), -1)
    left, right = left - left.mean(1, keepdims=True), right - right.mean(1, keepdims=True)
    first, second = np.linalg.norm(left, axis=1), np.linalg.norm(right, axis=1)
    shows = (first > least * np.sqrt(left.shape[1])) & (second > least * np.sqrt(left.shape[1]))
    product = (left * right).sum(1)
    return np.where(shows, product / np.where(shows, first * second, 1.0), 0.0).astype(np.float32)


def _small_crops(squares: np.ndarray) -> np.ndarray:
    """Return all crops of squares (n, SIDE, SIDE) at a low resolution: (n, crops, pixels) of mean 0 and norm 1.

    The product of two of them is their correlation.
    """
    plain = cells(SIDE, _SMALL)
    small = (plain @ squares @ plain.T).reshape(len(squares), -1)
    rows = (small @ _all_crops()).reshape(len(squares), len(_CROPS), -1)
    rows = rows - rows.mean(2, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=2, keepdims=True), 1e-6)


def _edges(squares: np.ndarray) -> np.ndarray:
    """Return how brightness changes downwards and to the right: (n, 2, S - 1, S - 1)."""
    return np.stack([np.diff(squares, axis=1)[:, :, :-1], np.diff(squares, axis=2)[:, :-1]], axis=1)


@cache
def _crop(zoom: float, y: float, x: float, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrices that cut a square's share `zoom` at a place (0..1) and stretch it to `side` cells."""
    top, left = y * (1 - zoom), x * (1 - zoom)
    return cells(side, side, top, top + zoom), cells(side, side, left, left + zoom)


@cache
def _all_crops() -> np.ndarray:
    """Return the matrix (_SMALL², crops · _SMALL²) that makes all crops of a small square in one product."""
    made = [np.kron(*_crop(*crop, _SMALL)).T for crop in _CROPS]
    return np.ascontiguousarray(np.concatenate(made, axis=1))


def grey_squares(images: np.ndarray) -> np.ndarray:
    """Return images (n, H, W, C) uint8 as grey squares (n, SIDE, SIDE) float32 of the mean brightness of each cell."""
    grey = images.astype(np.float32).mean(axis=3) if images.shape[3] > 1 else images[..., 0].astype(np.float32)
    tall, wide = cells(grey.shape[1], SIDE), cells(grey.shape[2], SIDE)
    return tall @ grey @ wide.T


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
    return _BITS[_bands(words)].sum(1, dtype=np.uint8)


def near_pairs(
    hashes: np.ndarray, queries: np.ndarray, budget: int = BUDGET, tick: Tell = untold
) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Return all pairs of a query (q,) uint64 and a hash (n,) uint64 at most RADIUS bits apart.

    Returns positions of queries and of hashes, (p,) int64 each, distances in bits (p,) uint8, and whether the search
    was complete: False where `budget` pairs were compared, or five million found, before the last bucket.
    """
    batches: list[np.ndarray] = []
    spent, kept, complete = 0, 0, True
    for owners, places in _bucket_pairs(hashes, queries, tick):
        spent += len(owners)
        if spent > budget or kept > _MOST_FOUND:
            complete = False
            break
        near = count_bits(queries[owners] ^ hashes[places]) <= RADIUS
        batches.append(owners[near] * len(hashes) + places[near])
        kept += len(batches[-1])
    pairs = np.unique(np.concatenate(batches)) if batches else np.zeros(0, np.int64)
    owners, places = np.divmod(pairs, max(1, len(hashes)))
    return owners, places, count_bits(queries[owners] ^ hashes[places]), complete


def _bucket_pairs(hashes: np.ndarray, queries: np.ndarray, tick: Tell) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield positions of queries and of the hashes in the buckets they look into, (p,) int64 each.

    This is multi-index hashing (Norouzi et al. 2012, arXiv:1307.2982): hashes are sorted into buckets by each of four
    bands of 16 bits. A query looks into 4 x 17 buckets, each of n / 65,536 hashes where these are spread evenly; where
    they are not, a budget has to bound the pairs.
    """
    bands = []
    for values, wanted in zip(_bands(hashes).T, _bands(queries).T.astype(np.int64), strict=True):
        order = np.argsort(values, kind="stable")
        bands.append((wanted, order, np.searchsorted(values[order], np.arange((1 << BAND_BITS) + 1))))
    flips = (0, *(1 << bit for bit in range(BAND_BITS)))
    looks = [(flip, *band) for flip in flips for band in bands]  # equal bands first: nearest pairs
    for done, (flip, values, order, bounds) in enumerate(looks):
        tick("Comparing hashes", done, len(looks))
        starts = bounds[values ^ flip]
        lengths = bounds[(values ^ flip) + 1] - starts
        for part in _parts(lengths):
            owners = np.repeat(np.arange(part.start, part.stop), lengths[part])
            yield owners, order[ranges(starts[part], lengths[part])]


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the whole numbers of several ranges (r,), one range after the other."""
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts - before, lengths)


def _bands(hashes: np.ndarray) -> np.ndarray:
    """Return the four bands of 16 bits of each hash (n,) uint64: (n, 4) uint16, a view."""
    return hashes.view(np.uint16).reshape(-1, BANDS)


def _parts(lengths: np.ndarray) -> Iterator[slice]:
    """Cut queries into runs of about _CANDIDATES pairs, one query at least."""
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    start = 0
    while start < len(lengths):
        stop = max(start + 1, int(np.searchsorted(bounds, bounds[start] + _CANDIDATES, side="right")) - 1)
        yield slice(start, stop)
        start = stop
