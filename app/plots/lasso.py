"""Which points lie inside a drawn outline: the even-odd rule on all points at once.

Of many points most lie in cells of a grid that no edge of the outline passes through; such a cell is inside or outside
as a whole, which its centre tells. Only points in the other cells are held against the edges one by one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CELLS = 256  # a side of the grid
_MANY = 20_000  # points inside the outline's rectangle; fewer are tested without a grid


def points_in_polygon(points: NDArray[np.floating], polygon: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell which of `points` (n, 2) lie inside `polygon` (m, 2), closed by itself, by the even-odd rule."""
    inside = np.zeros(len(points), dtype=bool)
    if len(polygon) < 3 or not len(points):
        return inside
    corners = polygon.astype(float)
    low, high = corners.min(axis=0), corners.max(axis=0)
    candidates = np.flatnonzero(points_in_rectangle(points, low, high))
    if len(candidates) <= _MANY or not (high > low).all():
        inside[candidates] = _odd(points[candidates, 0].astype(float), points[candidates, 1].astype(float), corners)
        return inside
    edge, whole = _cells(corners, low, high)
    size = (high - low) / _CELLS
    column, row = (
        ((points[candidates, axis] - low[axis]) / size[axis]).astype(np.int32).clip(0, _CELLS - 1) for axis in (0, 1)
    )
    cell = row * _CELLS + column
    inside[candidates] = whole.ravel()[cell]
    near = candidates[edge.ravel()[cell]]
    inside[near] = _odd(points[near, 0].astype(float), points[near, 1].astype(float), corners)
    return inside


def points_in_rectangle(
    points: NDArray[np.floating], corner: NDArray[np.floating], opposite: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Tell which of `points` (n, 2) lie inside the rectangle of two opposite corners, its edges included."""
    inside = np.ones(len(points), dtype=bool)
    for axis in (0, 1):  # an axis at a time: rows of two are slow to reduce
        values = points[:, axis]
        inside &= values >= min(corner[axis], opposite[axis])
        inside &= values <= max(corner[axis], opposite[axis])
    return inside


def _odd(x: NDArray[np.floating], y: NDArray[np.floating], corners: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell which points a ray to the right leads over an odd number of edges."""
    order = np.argsort(y, kind="stable")  # an edge concerns the points between its ends only: a slice of the sorted
    x, y = x[order], y[order]
    odd = np.zeros(len(x), dtype=bool)
    ends = np.roll(corners, -1, axis=0)
    lower, upper = np.minimum(corners[:, 1], ends[:, 1]), np.maximum(corners[:, 1], ends[:, 1])
    first, last = np.searchsorted(y, lower, side="left"), np.searchsorted(y, upper, side="left")
    spans = zip(corners.tolist(), ends.tolist(), first.tolist(), last.tolist(), strict=True)
    for (x1, y1), (x2, y2), start, stop in spans:  # y in [lower, upper): nothing where the edge is horizontal
        if start < stop:
            part = slice(start, stop)
            odd[part] ^= x[part] < (x2 - x1) * (y[part] - y1) / (y2 - y1) + x1
    found = np.empty_like(odd)
    found[order] = odd
    return found


def _cells(
    corners: NDArray[np.floating], low: NDArray[np.floating], high: NDArray[np.floating]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which cells (row, column) an edge may pass through, and which of all have their centre inside."""
    scaled = (corners - low) / (high - low) * _CELLS
    edge = np.zeros((_CELLS, _CELLS), dtype=bool)
    for (x1, y1), (x2, y2) in zip(scaled.tolist(), np.roll(scaled, -1, axis=0).tolist(), strict=True):
        (x1, y1), (x2, y2) = sorted(((x1, y1), (x2, y2)), key=lambda corner: corner[1])
        rows = np.arange(max(0, int(y1) - 1), min(_CELLS, int(y2) + 2))  # a cell more all round: rounding
        slope = (x2 - x1) / (y2 - y1) if y2 > y1 else 0.0
        if y2 - y1 < 1e-9:
            left, right = np.full(len(rows), min(x1, x2)), np.full(len(rows), max(x1, x2))
        else:
            at = [x1 + slope * (np.clip(rows + shift, y1, y2) - y1) for shift in (-1.0, 2.0)]
            left, right = np.minimum(*at), np.maximum(*at)
        starts = np.clip(left.astype(int) - 1, 0, _CELLS - 1)
        stops = np.clip(right.astype(int) + 2, 1, _CELLS)
        columns = np.arange(_CELLS)
        edge[rows] |= (columns >= starts[:, None]) & (columns < stops[:, None])
    centre = (np.arange(_CELLS) + 0.5) / _CELLS
    x, y = np.meshgrid(low[0] + centre * (high[0] - low[0]), low[1] + centre * (high[1] - low[1]))
    return edge, _odd(x.ravel(), y.ravel(), corners).reshape(_CELLS, _CELLS)
