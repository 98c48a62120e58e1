"""Points by the thousand: where they lie, which of them an outline holds, and names on them: arithmetic on arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Mask = NDArray[np.bool_]


def corners(points: Floats) -> tuple[Floats, Floats]:
    """Return the lowest and the highest coordinates of points (n, 2): (2,) each."""
    columns = points[:, 0], points[:, 1]  # one by one: reducing rows of two is ten times slower
    return np.array([column.min() for column in columns]), np.array([column.max() for column in columns])


def class_centres(points: Floats, labels: Ints, classes: int) -> Floats:
    """Return where each class is densest, (classes, 2): the mean of its points in its fullest cell; NaN without any."""
    bins = 12
    low, high = corners(points)
    extent = np.where(high > low, high - low, 1.0)
    column, row = (((points[:, a] - low[a]) * (bins / extent[a])).astype(np.int64).clip(0, bins - 1) for a in (0, 1))
    cell = (labels * bins + row) * bins + column
    counts = np.bincount(cell, minlength=classes * bins * bins)
    fullest = counts.reshape(classes, -1).argmax(axis=1)
    there = cell == (labels * bins * bins + fullest[labels])
    number = np.bincount(labels[there], minlength=classes)
    with np.errstate(invalid="ignore"):
        return np.stack([np.bincount(labels[there], points[there, a], classes) / number for a in (0, 1)], axis=1)


def nearest(points: Floats, x: float, y: float, within: float) -> int:
    """Return the index of the point nearest to (x, y) and at most `within` away; -1 for none."""
    away = np.nan_to_num(np.hypot(points[:, 0] - x, points[:, 1] - y), nan=np.inf)
    best = int(away.argmin()) if len(away) else -1
    return best if best >= 0 and away[best] <= within else -1


def points_in_rectangle(
    points: Floats, corner: Floats, opposite: Floats
) -> Mask:
    """Tell which of `points` (n, 2) lie inside the rectangle of two opposite corners, its edges included."""
    inside = np.ones(len(points), dtype=bool)
    for axis in (0, 1):  # an axis at a time: rows of two are slow to reduce
        values = points[:, axis]
        inside &= values >= min(corner[axis], opposite[axis])
        inside &= values <= max(corner[axis], opposite[axis])
    return inside


def points_in_polygon(points: Floats, polygon: Floats) -> Mask:
    """Tell which of `points` (n, 2) lie inside `polygon` (m, 2), closed by itself: a ray to the right leads over an odd
    number of edges.
    """  # noqa: D205
    inside = np.zeros(len(points), dtype=bool)
    if len(polygon) < 3 or not len(points):
        return inside
    corners = polygon.astype(float)
    candidates = np.flatnonzero(points_in_rectangle(points, corners.min(axis=0), corners.max(axis=0)))
    order = candidates[np.argsort(points[candidates, 1], kind="stable")]
    x, y = points[order, 0].astype(float), points[order, 1].astype(float)
    odd = np.zeros(len(order), dtype=bool)
    ends = np.roll(corners, -1, axis=0)
    lower, upper = np.minimum(corners[:, 1], ends[:, 1]), np.maximum(corners[:, 1], ends[:, 1])
    # An edge concerns the points between its ends only: a slice of the sorted; nothing where it is horizontal.
    first, last = np.searchsorted(y, lower, side="left"), np.searchsorted(y, upper, side="left")
    spans = zip(corners.tolist(), ends.tolist(), first.tolist(), last.tolist(), strict=True)
    for (x1, y1), (x2, y2), start, stop in spans:
        if start < stop:
            part = slice(start, stop)
            odd[part] ^= x[part] < (x2 - x1) * (y[part] - y1) / (y2 - y1) + x1
    inside[order] = odd
    return inside


def paint_names(
    painter: QPainter, font: QFont, color: Callable[[str, float], QColor], names: Iterable[tuple[str, QPointF, str]],
    beside: Sequence[tuple[float, float]] = ((0, 0),), most: int = 1000,
) -> list[str]:
    """Write names (text, its middle, colour token) where none covers another, in this order; return those written.

    `beside`: where else a name may stand, in sizes of its own.
    """
    painter.setFont(font)
    metrics, taken, written = QFontMetricsF(font), list[QRectF](), list[str]()
    for name, middle, token in names:
        size = QRectF(0, 0, metrics.horizontalAdvance(name) + 4, metrics.height())
        size.moveCenter(middle)
        boxes = (size.translated(x * size.width(), y * size.height()) for x, y in beside)
        box = next((box for box in boxes if not any(box.intersects(other) for other in taken)), None)
        if box is not None and len(taken) < most:
            taken.append(box)
            written.append(name)
            painter.fillRect(box, color("surface", 0.75))
            painter.setPen(color(token, 1.0))
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), name)
    return written
