"""Take test images out of a training part: the same ones every time, the same share of every class."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np


def set_aside(labels: np.ndarray, fraction: float, names: tuple[str, ...] | None = None, salt: str = "") -> np.ndarray:
    """Return a mask (n,) bool of the samples to set aside.

    Each class gives round(fraction * count) samples, at least one and never all of them; a class with a single
    sample gives none. Samples are ranked by a hash of their name, so that adding files moves few of the others,
    or of their position where they have no name. labels: (n,) int.
    """
    ranks = _hash_names(names, salt) if names is not None else _hash_positions(len(labels), salt)
    mask = np.zeros(len(labels), dtype=bool)
    # One sort by class and hash lays the classes side by side.
    order = np.lexsort((ranks, labels))
    counts = np.bincount(labels) if len(labels) else np.zeros(0, dtype=np.int64)
    first = 0
    for count in counts.tolist():
        mask[order[first : first + _wanted(count, fraction)]] = True
        first += count
    return mask


def count_set_aside(class_counts: Iterable[int], fraction: float) -> int:
    """Return how many images `set_aside` takes from classes of these sizes."""
    return sum(_wanted(count, fraction) for count in class_counts)


def _wanted(count: int, fraction: float) -> int:
    return min(max(1, round(fraction * count)), count - 1) if count > 1 else 0


def _hash_names(names: tuple[str, ...], salt: str) -> np.ndarray:
    digests = b"".join(hashlib.blake2b((salt + name).encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(digests, dtype="<u8")


def _hash_positions(count: int, salt: str) -> np.ndarray:
    """Return splitmix64 of 0 .. count-1: the same on every machine and library version."""
    start = int.from_bytes(hashlib.blake2b(salt.encode(), digest_size=8).digest(), "little")
    with np.errstate(over="ignore"):
        z = np.uint64(start) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
