"""Find small patches that many images of one label share and hardly any other: what a planted trigger looks like.

Every image becomes at most CELLS cells a side. At each place, windows of WINDOW x WINDOW cells that look the same are
counted by label; those that one label has nearly to itself are candidates, the most unusual first. The patch is then
taken from the full images: the pixels on which its holders agree and others do not. Most candidates are features of
the class, such as the gap between trousers' legs: whether one is a trigger shows what it does to other images, which
is for the caller to try. Triggers that lie at changing places or are blended over the whole image are not found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.data.duplicates import CHUNK
from core.events import Tell, untold
from core.suspicion import CLOSE

CELLS, WINDOW = 32, 3
LEVELS_SHIFT = 4  # 16 grey levels: recompressed patches look the same
MOST_IMAGES = 20_000  # looked at, spread evenly: of a trigger that works there are enough among them
FEWEST, SHARE = 5, 0.001  # holders among those, at least
PURE, MINORITY = 0.9, 0.5  # of the holders have the label; of the label's images are holders, at most
MOST_PATCHES, MOST_OF_CLASS = 30, 6  # candidates that are returned
LARGEST = 0.15  # of the image: a trigger is small
AGREEING, OTHERS = 0.9, 0.5  # of the holders show a pixel of the patch, at least; of others of any label, at most
SAMPLE = 500  # holders and others that pixels are taken from
NOISE = 8.0  # grey levels: where all images are alike, a difference of this size is not unusual yet


@dataclass(frozen=True, eq=False)
class Patch:
    """A patch that images of one label share. mask: (H, W) bool; image: (H, W, C) uint8, its pixels where that is set;
    oddness: by how many standard deviations of all images it differs from their mean.
    """  # noqa: D205

    label: int
    mask: np.ndarray
    image: np.ndarray
    oddness: float


def common_patches(images: Any, labels: np.ndarray, tell: Tell = untold) -> list[Patch]:
    """Return patches that one label has nearly to itself, the most unusual first; `tell` may raise to interrupt.

    images: (n, H, W, C) uint8, read in pieces; labels: (n,) int.
    """
    ids = np.arange(len(labels))[:: max(1, -(-len(labels) // MOST_IMAGES))]
    if len(ids) < 2 * FEWEST:
        return []
    cells = _cells(images, ids, tell)
    found = _windows(cells, labels[ids], tell)
    found.sort(key=lambda window: -window[0])
    patches: list[Patch] = []
    seen: list[np.ndarray] = []
    for oddness, label, holders in found:
        if len(patches) >= MOST_PATCHES:
            break
        if sum(patch.label == label for patch in patches) >= MOST_OF_CLASS:
            continue
        if any(np.isin(holders, other).mean() > 0.5 for other in seen):
            continue  # another window of the same patch
        seen.append(holders)
        others = np.delete(ids, holders)
        mask, pixels = _pixels(images, ids[holders], others, others[labels[others] == label])
        if 0 < mask.mean() <= LARGEST:
            patches.append(Patch(label, mask, pixels, oddness))
    return patches


def _cells(images: Any, ids: np.ndarray, tell: Tell) -> np.ndarray:
    """Return images as cells, (m, h, w, C) uint8, each the mean of its pixels; edges left over are cut."""
    height, width, channels = images.shape[1:]
    side = max(1, -(-max(height, width) // CELLS))
    rows, columns = height // side, width // side
    cells = np.zeros((len(ids), rows, columns, channels), np.uint8)
    for start in range(0, len(ids), CHUNK):
        tell("Looking for patches", start, len(ids))
        part = np.asarray(images[ids[start : start + CHUNK]])[:, : rows * side, : columns * side]
        cells[start : start + CHUNK] = part.reshape(len(part), rows, side, columns, side, channels).mean((2, 4))
    return cells


def _windows(cells: np.ndarray, labels: np.ndarray, tell: Tell) -> list[tuple[float, int, np.ndarray]]:
    """Return windows that one label has nearly to itself: oddness, label, and positions of their holders."""
    count, rows, columns, channels = cells.shape
    coarse = (cells >> LEVELS_SHIFT).astype(np.uint64)
    weights = np.random.default_rng(0).integers(1, 2**63, (WINDOW, WINDOW, channels), dtype=np.uint64) | np.uint64(1)
    mean = cells.mean(0, dtype=np.float64)
    spread = np.sqrt(np.maximum((cells.astype(np.float32) ** 2).mean(0, dtype=np.float64) - mean**2, NOISE**2))
    least, classes = max(FEWEST, round(SHARE * count)), int(labels.max()) + 1
    of_label = np.bincount(labels, minlength=classes)
    found = []
    for top in range(rows - WINDOW + 1):
        tell("Looking for patches", top, rows - WINDOW + 1)
        for left in range(columns - WINDOW + 1):
            place = slice(top, top + WINDOW), slice(left, left + WINDOW)
            keys = (coarse[:, place[0], place[1]] * weights).sum((1, 2, 3), dtype=np.uint64)
            _, first, which, number = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
            shared = np.flatnonzero(number >= least)
            for key in shared:
                by_label = np.bincount(labels[which == key], minlength=classes)
                label = int(by_label.argmax())
                if by_label[label] >= PURE * number[key] and by_label[label] <= MINORITY * of_label[label]:
                    window = cells[first[key]][place].astype(np.float64)
                    oddness = float((np.abs(window - mean[place]) / spread[place]).mean())
                    found.append((oddness, label, np.flatnonzero(which == key)))
    return found


def _pixels(images: Any, holders: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels on which images agree that hold a patch, and none of the sets `others` does.

    Holders and others: positions of images. Returns the mask (H, W) and the image (H, W, C) it is a mask of.
    """
    holding = _sample(images, holders)
    usual = np.median(holding, axis=0).astype(np.uint8)

    def showing(part: np.ndarray) -> np.ndarray:
        """Return which share of some images shows each pixel as the holders do, (H, W)."""
        alike: np.ndarray = (np.abs(part.astype(np.int16) - usual) <= CLOSE).all(3).mean(0)
        return alike

    mask = showing(holding) >= AGREEING
    for part in others:
        mask &= showing(_sample(images, part)) <= OTHERS
    return mask, usual


def _sample(images: Any, ids: np.ndarray) -> np.ndarray:
    """Return at most SAMPLE of the images `ids`, spread evenly."""
    return np.asarray(images[ids[:: max(1, len(ids) // SAMPLE)][:SAMPLE]])
