"""Which points lie inside a drawn outline: the even-odd rule on all points at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def points_in_polygon(points: NDArray[np.floating], polygon: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell which of `points` (n, 2) lie inside `polygon` (m, 2), closed by itself, by the even-odd rule."""
    inside = np.zeros(len(points), dtype=bool)
    if len(polygon) < 3 or not len(points):
        return inside
    candidates = np.flatnonzero(points_in_rectangle(points, polygon.min(axis=0), polygon.max(axis=0)))
    x, y = points[candidates, 0].astype(float), points[candidates, 1].astype(float)
    odd = np.zeros(len(candidates), dtype=bool)
    starts = polygon.astype(float)
    ends = np.roll(starts, -1, axis=0)
    for (x1, y1), (x2, y2) in zip(starts.tolist(), ends.tolist(), strict=True):
        if y1 == y2:
            continue  # a horizontal edge is never crossed by a horizontal ray
        crosses = (y1 > y) != (y2 > y)
        odd ^= crosses & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    inside[candidates] = odd
    return inside


def points_in_rectangle(
    points: NDArray[np.floating], corner: NDArray[np.floating], opposite: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Tell which of `points` (n, 2) lie inside the rectangle of two opposite corners, its edges included."""
    low, high = np.minimum(corner, opposite), np.maximum(corner, opposite)
    return np.asarray(((points >= low) & (points <= high)).all(axis=1))
