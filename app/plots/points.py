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


def class_centres(points: Floats, labels: Ints, classes: int) -> Floats:
    """Return of each class the point nearest to its middle, (classes, 2); NaN of a class without any."""
    found = np.full((classes, 2), np.nan)
    for label in np.unique(labels):
        own = points[labels == label]
        x, y = np.median(own, axis=0).tolist()
        found[label] = own[nearest(own, x, y, np.inf)]
    return found


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
    rows = np.flatnonzero(points_in_rectangle(points, polygon.min(axis=0), polygon.max(axis=0)))
    x, y = points[rows].T.astype(float)
    odd = np.zeros(len(rows), dtype=bool)
    for (x1, y1), (x2, y2) in zip(polygon.tolist(), np.roll(polygon, -1, axis=0).tolist(), strict=True):
        if y1 != y2:
            odd ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    inside[rows] = odd
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
