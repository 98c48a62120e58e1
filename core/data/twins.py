"""Twins: images of one part that show the same picture, found among all of them rather than around a forget set.

Images with the same pixels are one group. Of the others, pairs with nearly the same hash are candidates; pixels decide,
as for near-duplicates. What is joined by pairs is one group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.data import duplicates
from core.data.duplicates import MOST_COMPARED, ImageHashes, hash_images, pair_agreement
from core.data.hashes import HammingIndex

LONE = -1

_BUDGET = 250_000_000  # hashes looked at: some seconds

Tick = Callable[[str, int, int], object]


@dataclass(frozen=True, eq=False)
class Twins:
    """Which images show the same picture.

    group: (n,) int64, the first image of the group an image belongs to, LONE without a twin; complete: False where a
    bound on time left pairs unlooked at.
    """

    group: np.ndarray
    complete: bool = True

    @property
    def has_twin(self) -> np.ndarray:
        """Which images have a twin: (n,) bool."""
        found: np.ndarray = self.group != LONE
        return found


def find_twins(images: Any, hashed: ImageHashes | None = None, *, tick: Tick | None = None) -> Twins:
    """Find all images that another one shows, too: the same pixels, or resized or recompressed.

    images: (n, H, W, C) uint8, read in pieces; hashed: what `hash_images` gave. Mirrored and cropped copies are not
    looked for. `tick(what, done, total)` may raise to interrupt.
    """
    hashed = hashed or hash_images(images, tick)
    count = len(hashed.digests)
    _, first, group = np.unique(hashed.digests, return_index=True, return_inverse=True)
    group = first[group.ravel()]  # of images with the same pixels, the first
    one, other, complete = _candidates(hashed.hashes[first], tick)
    one, other = first[one], first[other]
    complete = complete and len(one) <= MOST_COMPARED
    one, other = one[:MOST_COMPARED], other[:MOST_COMPARED]
    tiny = bool(count) and min(np.shape(images[:1])[1:3]) < duplicates.TINY
    same = pair_agreement(images, one, other, tick) >= (duplicates.SAME_EDGES_TINY if tiny else duplicates.SAME_EDGES)
    group = _joined(count, one[same], other[same])[group]
    sizes = np.bincount(group, minlength=count)
    return Twins(np.where(sizes[group] > 1, group, LONE), complete)


def _candidates(hashes: np.ndarray, tick: Tick | None) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return pairs of positions (p,) with near hashes, nearest first, each once; and whether all were found.

    Of images with the same hash each is held against the next, and the first of them against those of other hashes.
    """
    order = np.argsort(hashes, kind="stable")
    equal = hashes[order[1:]] == hashes[order[:-1]]
    codes, lead = np.unique(hashes, return_index=True)
    tell = None if tick is None else lambda done, total: tick("Comparing hashes", done, total)
    asked, found, distance, complete = HammingIndex(codes).within(codes, budget=_BUDGET, tick=tell)
    once = asked < found
    asked, found, distance = asked[once], found[once], distance[once]
    nearest = np.argsort(distance, kind="stable")
    one = np.concatenate([order[:-1][equal], lead[asked[nearest]]])
    other = np.concatenate([order[1:][equal], lead[found[nearest]]])
    return one, other, complete


def _joined(count: int, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return for each of `count` images the first one it is joined with by pairs (p,), itself where there is none."""
    lead = list(range(count))

    def top(image: int) -> int:
        while lead[image] != image:
            lead[image] = lead[lead[image]]
            image = lead[image]
        return image

    for left, right in zip(one.tolist(), other.tolist(), strict=True):
        first, second = sorted((top(left), top(right)))
        lead[second] = first
    joined = np.arange(count)
    touched = np.unique(np.concatenate([one, other]))
    joined[touched] = [top(image) for image in touched.tolist()]
    return joined
