"""Pictures of very many points, names on them, and which of them lie inside an outline: arithmetic on arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter

from app.services.theme import theme

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Mask = NDArray[np.bool_]

MARKS_UP_TO = 3000  # forget points in view drawn as marks; more are dots, so that their density shows
MOST_PIXELS = 500_000  # of a picture; a larger view is painted in pixels of double size
_DOT, _MARK = 4, 9  # sizes, in pixels of the design
_DIMMED = 0.3  # opacity of all points while one class is lit
_LOW, _HIGH = 0.3, 0.85  # opacity of a lone point: among very many, and among few
_MARGIN = 16  # pixels around a picture: more than half of a dot
_CROWDED = 40.0  # points over one pixel from which on a lone one is faintest


@dataclass(frozen=True)
class Frame:
    """What part of the plane a picture shows, and its pixels: row 0 is at the bottom, a margin lies all round.

    What stands in the margin is cut off: it is there for points whose dot reaches into the picture.
    """

    left: float
    right: float
    low: float
    high: float
    width: int
    height: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns with the margin."""
        return self.height + 2 * _MARGIN, self.width + 2 * _MARGIN

    def cells(self, points: Floats) -> Ints:
        """Return the pixel of each point, (n,) int32, counted row by row; -1 outside."""
        rows, columns = self.shape
        x = (points[:, 0] - self.left) * (self.width / (self.right - self.left)) + _MARGIN
        y = (points[:, 1] - self.low) * (self.height / (self.high - self.low)) + _MARGIN
        inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
        cells = np.where(inside, y, 0).astype(np.int32) * columns + np.where(inside, x, 0).astype(np.int32)
        return np.where(inside, cells, -1)


def disc(diameter: int) -> list[tuple[int, int]]:
    """Return the pixels (x, y) of a dot around its centre."""
    middle, reach = (diameter - 1) / 2, (diameter / 2) ** 2 + 0.1
    shift = diameter // 2
    every = [(x, y) for x in range(diameter) for y in range(diameter)]
    return [(x - shift, y - shift) for x, y in every if (x - middle) ** 2 + (y - middle) ** 2 <= reach]


def paint_dots(
    frame: Frame, cells: Ints, tones: Ints | int, palette: Sequence[QColor],
    diameter: int, faintest: float = _LOW,
) -> NDArray[np.uint8]:
    """Return a picture (height, width, RGBA) of points at `cells` (n,): dots in the colours of `palette` at `tones`.

    Where dots lie over each other the colours are mixed and the picture is the more opaque, by the logarithm of their
    number: a crowd is told from a few, whatever their sum.
    """
    if (cells < 0).any():
        inside = cells >= 0
        cells, tones = cells[inside], tones if isinstance(tones, int) else tones[inside]
    pixels = frame.shape[0] * frame.shape[1]
    planes = np.bincount(cells + tones * pixels, minlength=len(palette) * pixels).reshape(len(palette), pixels)
    colours = np.array([(c.red(), c.green(), c.blue(), 1) for c in palette], np.float32)
    held = (planes.T.astype(np.float32) @ colours).reshape(*frame.shape, 4)
    spread = np.zeros((frame.height, frame.width, 4), np.float32)
    for x, y in disc(diameter):
        spread += held[_MARGIN - y :, _MARGIN - x :][: frame.height, : frame.width]
    painted = np.flatnonzero(spread[..., 3])
    picture = np.zeros((frame.height * frame.width, 4), np.uint8)
    if painted.size:
        mixed = spread.reshape(-1, 4)[painted]
        number = mixed[:, 3].copy()
        crowd = np.log(max(float(np.quantile(number[:: 1 + len(number) // 5000], 0.99)), 1.0))
        least = max(faintest, _HIGH - (_HIGH - _LOW) * crowd / np.log(_CROWDED))
        mixed /= number[:, None]
        mixed[:, 3] = 255 * (least + (1 - least) * np.clip(np.log(number) / max(crowd, 1e-6), 0, 1))
        picture[painted] = mixed
    return picture.reshape(frame.height, frame.width, 4)


class PointPictures:
    """What is in view, in layers over each other: all points, those of the class lit, and the forget set.

    Each is painted anew where it changed. 50,000 points cost no more than 500, and none of the forget set is left out:
    up to MARKS_UP_TO of it in view are marks, more are dots.
    """

    def __init__(self) -> None:
        self.all, self.lit, self.forget = (pg.ImageItem(axisOrder="row-major") for _ in range(3))
        self.marks = pg.ScatterPlotItem(pxMode=True, symbol="t1", size=theme.px(_MARK))
        self.items = (self.all, self.lit, self.forget, self.marks)
        self.frame: Frame | None = None  # what the pictures show; None: nothing of today
        self._cells: Ints = np.empty(0, np.int32)  # the pixel of each point
        self._painted: dict[pg.ImageItem, Mask | None] = {}  # by layer: of which points

    def paint(
        self, view: pg.ViewBox, ratio: float, points: Floats, tones: Ints | None,
        lit: Mask, forget: Mask,
    ) -> None:
        """Paint what changed of what is in view, on a screen of this pixel ratio.

        `points` (n, 2) have the class colours `tones` (n,), else one grey; where some are `lit` (n,) others are dimmed.
        """
        (left, right), (low, high) = view.viewRange()
        wide, tall = (max(1, round(side * ratio)) for side in (view.width(), view.height()))
        scale = 1.0 if wide * tall <= MOST_PIXELS else 0.5
        frame = Frame(left, right, low, high, max(1, int(wide * scale)), max(1, int(tall * scale)))
        if frame != self.frame:
            self.frame, self._cells, self._painted = frame, frame.cells(points), {}
        grey, dot = tones is None, max(2, round(theme.px(_DOT) * ratio * scale))
        ramp = [theme.color("text_3")] if grey else theme.class_colors
        gone = forget & (self._cells >= 0)
        few = np.count_nonzero(gone) <= MARKS_UP_TO
        for item, of, shown, colours, diameter, faintest in (
            (self.all, None, slice(None), ramp, dot, _LOW),
            (self.lit, lit, lit, [theme.color("retain")], dot, 0.45),
            (self.forget, forget, gone & (not few), [theme.color("forget")], dot + 1, 0.5),
        ):
            cells = self._cells[shown]
            item.setVisible(bool(len(cells)))
            if len(cells) and (item not in self._painted or self._painted[item] is not of):
                tone = tones if item is self.all and tones is not None else 0
                item.setImage(paint_dots(frame, cells, tone, colours, diameter, faintest), levels=(0, 255))
                item.setRect(QRectF(left, low, right - left, high - low))
            self._painted[item] = of
        self.all.setOpacity(_DIMMED if lit.any() else 1.0)
        self.marks.setData(pos=points[gone & few], brush=theme.brush("forget"), pen=theme.pen("surface", 1))


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


def spread_tones(centres: Floats, tones: int) -> Ints:
    """Return a tone for each class (k,), as a map-maker does: two classes of one tone lie as far apart as can be."""
    chosen = np.zeros(len(centres), np.int64)
    for label in range(len(centres)):
        away = ((centres[:label] - centres[label]) ** 2).sum(axis=1)
        nearest = [np.nanmin(away[chosen[:label] == tone], initial=np.inf) for tone in range(tones)]
        chosen[label] = int(np.argmax(nearest))
    return chosen


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
