"""Near-duplicates: images that stay and show the same picture as one that is to be forgotten.

    every image once: a grey square and its difference hash; of images to be forgotten also crops, mirrored and not
    pairs within a few bits, and pairs the caller names (nearest in features), are candidates
    a candidate counts where the squares, laid over each other as well as they can be, agree

Hashes find, pixels decide: two trousers have nearly the same hash and are still two pictures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from core.data.hashes import CHUNK, RADIUS, SIDE, HammingIndex, cells, difference_hashes, grey_squares

SAME_EDGES, SAME_BRIGHTNESS = 0.82, 0.93
"""Correlations from which two squares show the same picture. Of clothes that only look alike (Fashion-MNIST, the 30
nearest hashes of an image) 4 % pass, of copies shrunk to three quarters 96 %, of recompressed and mirrored ones all."""

SAME_EDGES_TINY, TINY = 0.97, 16
"""Of images below 16 pixels a side, which show too little to bear being resized: two digits of 8 x 8 pixels by
different hands agree to 0.9."""

LOOKS = 3  # forget images a kept image is compared with, nearest hashes first
_BUDGET = 250_000_000  # hashes looked at: some seconds
MOST_COMPARED = 20_000  # candidates that are laid over each other; the nearest hashes first
_ZOOMS = (0.96, 0.93, 0.90, 0.86, 0.82)  # crops that are looked for; a "slight" crop keeps four fifths of a side
_PLACES = ((0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))  # of a crop: the middle, and the corners
_CROPS = ((1.0, 0.5, 0.5), *((zoom, *place) for zoom in _ZOOMS for place in _PLACES))  # the whole first
_SMALL = 12  # side of the squares on which the best crop is looked for
_HASHED_ZOOMS = (0.93, 0.86)  # hashes bear what lies between
_EVEN = 4.0  # brightness that varies less (standard deviation, grey levels) shows nothing to compare

Tick = Callable[[str, int, int], object]


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Kept images that show what is to be forgotten, best agreement first; each with the forget image most like it.

    kept, forgotten: (m,) int64 positions in the training part; exact: (m,) bool, the same pixels; agreement: (m,)
    float32 correlation of edges, 1 where exact; complete: False where a bound on time left some unlooked at.
    """

    kept: np.ndarray
    forgotten: np.ndarray
    exact: np.ndarray
    agreement: np.ndarray
    complete: bool = True

    def __len__(self) -> int:
        return len(self.kept)

    def as_dict(self, paths: tuple[str, ...] | None = None, most: int = 100) -> dict[str, Any]:
        """Return counts, and the first `most` pairs by position and, where images have one, by path."""
        rows = []
        for kept, forgotten, exact, agreement in zip(
            self.kept[:most], self.forgotten[:most], self.exact[:most], self.agreement[:most], strict=True
        ):
            row: dict[str, Any] = {"kept": int(kept), "forgotten": int(forgotten), "exact": bool(exact)}
            row["agreement"] = round(float(agreement), 4)
            if paths is not None:
                row |= {"kept_path": paths[kept], "forgotten_path": paths[forgotten]}
            rows.append(row)
        return {**self.counts(), "pairs": rows}

    def counts(self) -> dict[str, Any]:
        """Return how many there are: in all, with the same pixels, and others; and whether all were looked at."""
        exact = int(self.exact.sum())
        return {"count": len(self), "exact": exact, "near": len(self) - exact, "complete": self.complete}


@dataclass(frozen=True, eq=False)
class ImageHashes:
    """Of every image: hash (n,) uint64 of what it shows, and digest (n,) uint64 of its pixels."""

    hashes: np.ndarray
    digests: np.ndarray


def hash_images(images: Any, tick: Tick | None = None) -> ImageHashes:
    """Hash all images (n, H, W, C) uint8, read in pieces; `tick` may raise to interrupt."""
    count = len(images)
    hashes, digests = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    for start in range(0, count, CHUNK):
        if tick is not None:
            tick("Looking at all images", start, count)
        part = np.asarray(images[start : start + CHUNK])
        stop = start + len(part)
        hashes[start:stop] = difference_hashes(grey_squares(part))
        rows = np.ascontiguousarray(part).reshape(len(part), -1)
        digests[start:stop] = [
            int.from_bytes(hashlib.blake2b(row.tobytes(), digest_size=8).digest(), "little") for row in rows
        ]
    return ImageHashes(hashes, digests)


def find_duplicates(
    images: Any,
    forget: np.ndarray,
    hashed: ImageHashes | None = None,
    *,
    near: tuple[np.ndarray, np.ndarray] | None = None,
    tick: Tick | None = None,
) -> Duplicates:
    """Find kept images that show the same as one of the forget set.

    images: (n, H, W, C) uint8, read in pieces; forget: (n,) bool; hashed: what `hash_images` gave; near: further
    candidates, (p,) positions of kept images and of forget images. Resizing, recompression, mirroring and crops of up
    to a fifth of a side are seen through. A million images and ten thousand to forget take seconds beside reading
    them. `tick(what, done, total)` may raise to interrupt.
    """
    hashed = hashed or hash_images(images, tick)
    asked, stays = np.flatnonzero(forget), np.flatnonzero(~forget)
    if not len(asked) or not len(stays):
        nothing = np.zeros(0, np.int64)
        return Duplicates(nothing, nothing, np.zeros(0, bool), np.zeros(0, np.float32))
    same_kept, same_forgotten = _exact(hashed.digests, asked, stays)
    kept, owner, distance, complete = _by_hash(images, hashed.hashes, asked, stays, tick)
    if near is not None:
        kept, owner = np.concatenate([kept, near[0]]), np.concatenate([owner, near[1]])
        distance = np.concatenate([distance, np.full(len(near[0]), RADIUS, np.uint8)])
    open_ = ~np.isin(kept, same_kept)
    kept, owner, distance = kept[open_], owner[open_], distance[open_]
    kept, owner = _nearest(kept, owner, distance)
    complete = complete and len(kept) <= MOST_COMPARED
    kept, owner = kept[:MOST_COMPARED], owner[:MOST_COMPARED]
    agreement = pair_agreement(images, kept, owner, tick)
    tiny = min(np.shape(images[:1])[1:3]) < TINY
    good = agreement >= (SAME_EDGES_TINY if tiny else SAME_EDGES)
    kept, owner, agreement = kept[good], owner[good], agreement[good]
    order = np.lexsort((kept, -agreement))
    _, first = np.unique(kept[order], return_index=True)  # the best forget image of each kept one
    order = order[np.sort(first)]
    exact = np.concatenate([np.ones(len(same_kept), bool), np.zeros(len(order), bool)])
    return Duplicates(
        np.concatenate([same_kept, kept[order]]),
        np.concatenate([same_forgotten, owner[order]]),
        exact,
        np.concatenate([np.ones(len(same_kept), np.float32), agreement[order]]),
        complete,
    )


def _exact(digests: np.ndarray, asked: np.ndarray, stays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return kept images with the pixels of a forget image, and that image: (m,) each."""
    known, first = np.unique(digests[asked], return_index=True)
    place = np.minimum(np.searchsorted(known, digests[stays]), len(known) - 1)
    same = known[place] == digests[stays]
    return stays[same], asked[first[place[same]]]


def _by_hash(
    images: Any, hashes: np.ndarray, asked: np.ndarray, stays: np.ndarray, tick: Tick | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Return kept images, forget images and distances of pairs with near hashes; a kept hash is compared once."""
    queries, owners = _queries(images, asked)
    codes, group = np.unique(hashes[stays], return_inverse=True)
    tell = None if tick is None else lambda done, total: tick("Comparing hashes", done, total)
    asked_place, code, distance, complete = HammingIndex(codes).within(queries, budget=_BUDGET, tick=tell)
    # Nearest forget images of each hash first, at most LOOKS of them; then all images that have the hash.
    order = np.lexsort((distance, code))
    asked_place, code, distance = asked_place[order], code[order], distance[order]
    rank = np.arange(len(code)) - np.searchsorted(code, code)
    few = rank < 4 * LOOKS  # crops of one forget image may all match
    asked_place, code, distance = asked_place[few], code[few], distance[few]
    members = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[members], np.arange(len(codes) + 1))
    sizes = (starts[1:] - starts[:-1])[code]
    total = np.cumsum(sizes)
    inside = np.arange(int(total[-1]) if len(total) else 0) - np.repeat(total - sizes, sizes)
    kept = stays[members[np.repeat(starts[code], sizes) + inside]]
    return kept, np.repeat(owners[asked_place], sizes), np.repeat(distance, sizes), complete


def _queries(images: Any, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return hashes (q,) of forget images, mirrored and cropped, and whose they are (q,): each pair once."""
    crops = [_crop(1.0, 0.5, 0.5), *(_crop(zoom, y, x) for zoom in _HASHED_ZOOMS for y, x in _PLACES)]
    found, whose = [], []
    for start in range(0, len(asked), CHUNK):
        ids = asked[start : start + CHUNK]
        squares = grey_squares(np.asarray(images[ids]))
        for tall, wide in crops:
            cut = tall @ squares @ wide.T
            found += [difference_hashes(cut), difference_hashes(cut[:, :, ::-1])]
            whose += [ids, ids]
    hashes, owners = np.concatenate(found), np.concatenate(whose)
    order = np.lexsort((owners, hashes))
    hashes, owners = hashes[order], owners[order]
    new = np.ones(len(hashes), bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    return hashes[new], owners[new]


def _nearest(kept: np.ndarray, owner: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each pair once, at most LOOKS of a kept image, nearest first over all."""
    order = np.lexsort((distance, owner, kept))
    kept, owner, distance = kept[order], owner[order], distance[order]
    new = np.ones(len(kept), bool)
    new[1:] = (kept[1:] != kept[:-1]) | (owner[1:] != owner[:-1])
    kept, owner, distance = kept[new], owner[new], distance[new]
    order = np.lexsort((distance, kept))
    kept, owner, distance = kept[order], owner[order], distance[order]
    few = np.arange(len(kept)) - np.searchsorted(kept, kept) < LOOKS
    kept, owner, distance = kept[few], owner[few], distance[few]
    order = np.argsort(distance, kind="stable")
    return kept[order], owner[order]


def pair_agreement(images: Any, kept: np.ndarray, owner: np.ndarray, tick: Tick | None) -> np.ndarray:
    """Return the best correlation of each pair's squares over mirroring and crops of either one: (p,) float32."""
    found = np.zeros(len(kept), np.float32)
    for start in range(0, len(kept), CHUNK):
        if tick is not None:
            tick("Comparing images", start, len(kept))
        part = slice(start, start + CHUNK)
        mine = grey_squares(np.asarray(images[kept[part]]))
        theirs = grey_squares(np.asarray(images[owner[part]]))
        found[part] = best_agreement(mine, theirs)
    return found


def best_agreement(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return how well squares (n, SIDE, SIDE) agree where one is laid over the other as well as can be: (n,) float32.

    That is the correlation of edges, 0 where brightness agrees less than SAME_BRIGHTNESS. Mirroring and crops of
    either one are tried on small squares; only the best of them is looked at closely.
    """
    plain, crops = cells(SIDE, _SMALL), _small_crops()
    tries = []  # (n, crops) each
    mine = _normalised((plain @ one @ plain.T).reshape(len(one), -1) @ crops)
    for mirrored in (False, True):
        turned = other[:, :, ::-1] if mirrored else other
        theirs = _normalised((plain @ turned @ plain.T).reshape(len(one), -1) @ crops)
        tries.append(np.einsum("ncd,nd->nc", mine, theirs[:, 0]))
        tries.append(np.einsum("ncd,nd->nc", theirs, mine[:, 0]))
    which = np.concatenate(tries, axis=1).argmax(1)
    agreement = np.zeros(len(one), np.float32)
    for number in np.unique(which):
        rows = which == number
        way, crop = divmod(int(number), len(_CROPS))
        first, second = one[rows], other[rows][:, :, ::-1] if way >= 2 else other[rows]
        tall, wide = _crop(*_CROPS[crop])
        if crop and way % 2 == 0:
            first = tall @ first @ wide.T
        elif crop:
            second = tall @ second @ wide.T
        bright = correlation(first, second) >= SAME_BRIGHTNESS
        agreement[rows] = np.where(bright, correlation(_edges(first), _edges(second), least=0.0), 0.0)
    return agreement


def correlation(one: np.ndarray, other: np.ndarray, least: float = _EVEN) -> np.ndarray:
    """Return the correlation of arrays (n, ...): (n,) float32; 0 where one of them varies by no more than `least`."""
    one, other = one.reshape(len(one), -1), other.reshape(len(other), -1)
    one, other = one - one.mean(1, keepdims=True), other - other.mean(1, keepdims=True)
    first, second = np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1)
    shows = (first > least * np.sqrt(one.shape[1])) & (second > least * np.sqrt(one.shape[1]))
    product = (one * other).sum(1)
    return np.where(shows, product / np.where(shows, first * second, 1.0), 0.0).astype(np.float32)


def _normalised(crops: np.ndarray) -> np.ndarray:
    """Return crops (n, all pixels) as (n, crops, pixels), each of mean 0 and norm 1, so that a product correlates."""
    rows = crops.reshape(len(crops), len(_CROPS), -1)
    rows = rows - rows.mean(2, keepdims=True)
    normal: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=2, keepdims=True), 1e-6)
    return normal


def _edges(squares: np.ndarray) -> np.ndarray:
    """Return how brightness changes downwards and to the right: (n, 2, S - 1, S - 1)."""
    return np.stack([np.diff(squares, axis=1)[:, :, :-1], np.diff(squares, axis=2)[:, :-1]], axis=1)


@cache
def _crop(zoom: float, y: float, x: float, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrices that cut a square's share `zoom` at a place (0..1) and stretch it to `side` cells."""
    top, left = y * (1 - zoom), x * (1 - zoom)
    return cells(side, side, top, top + zoom), cells(side, side, left, left + zoom)


@cache
def _small_crops() -> np.ndarray:
    """Return the matrix (_SMALL², crops · _SMALL²) that makes all crops of a small square in one product."""
    made = [np.kron(*_crop(*crop, _SMALL)).T for crop in _CROPS]
    return np.ascontiguousarray(np.concatenate(made, axis=1))
