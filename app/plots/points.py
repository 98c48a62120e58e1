"""Pictures of very many points, and which of them lie inside an outline: arithmetic on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor

from app.services.theme import theme

MARKS_UP_TO = 3000  # forget points in view drawn as marks; more are dots, so that their density shows
MOST_PIXELS = 500_000  # of a picture; a larger view is painted in pixels of double size
_DOT, _MARK = 4, 7  # sides, in pixels of the screen
_DIMMED = 0.3  # opacity of all points while one class is lit
_LOW, _HIGH = 0.3, 0.85  # opacity of a lone point: among very many, and among few
_MARGIN = 16  # pixels around a picture: more than half of a mark
_CROWDED = 40.0  # points over one pixel from which on a lone one is faintest

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Frame:
    """What part of the plane a picture shows, and its pixels: row 0 is at the bottom, a margin lies all round.

    What stands in the margin is cut off: it is there for points whose mark reaches into the picture.
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

    def cells(self, points: NDArray[np.floating]) -> NDArray[np.int32]:
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


def triangle(side: int) -> list[tuple[int, int]]:
    """Return the pixels (x, y) of a triangle that points up, around its centre."""
    half = side // 2
    return [(x, y) for y in range(-half, half + 1) for x in range(-half, half + 1) if 2 * abs(x) <= half - y]


def paint_dots(
    frame: Frame, cells: NDArray[np.integer], tones: NDArray[np.integer] | int, palette: Sequence[Rgb], diameter: int,
    faintest: float = _LOW,
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
    colours = np.array([(*colour, 1) for colour in palette], np.float32)
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


def paint_marks(
    frame: Frame, cells: NDArray[np.integer], side: int, fill: Rgb, edge: Rgb
) -> NDArray[np.uint8]:
    """Return a picture (height, width, RGBA) of points at `cells` (n,): triangles with an edge that sets them off."""
    rows, columns = frame.shape
    picture = np.zeros((rows * columns, 4), np.uint8)
    for pixels, colour in ((triangle(side + 3), edge), (triangle(side), fill)):
        for x, y in pixels:
            at = cells[cells >= 0] + y * columns + x
            picture[at[(at >= 0) & (at < len(picture))]] = (*colour, 255)
    return picture.reshape(rows, columns, 4)[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]


class PointPictures:
    """Three pictures of what is in view, one over the other: all points, those of the class lit, and the forget set.

    Each is painted anew where it changed. 50,000 points cost no more than 500, and none of the forget set is left out.
    """

    def __init__(self) -> None:
        self.all, self.lit, self.forget = self.items = [pg.ImageItem(axisOrder="row-major") for _ in range(3)]
        self._stale: set[str] = set()  # "all", "lit", "forget"
        self._frame: Frame | None = None  # what the pictures show
        self._points: NDArray[np.floating] = np.empty((0, 2))
        self._cells: NDArray[np.int32] = np.empty(0, np.int32)  # the pixel of each point
        self._tones: NDArray[np.integer] | None = None
        self._lit = self._forget = np.empty(0, bool)

    def set_points(self, points: NDArray[np.floating], tones: NDArray[np.integer] | None) -> None:
        """Show points (n, 2) in the class colours `tones` (n,), else in one grey; none is lit or forgotten."""
        self._points, self._tones, self._frame = points, tones, None
        self._lit = self._forget = np.zeros(len(points), bool)

    def set_lit(self, mask: NDArray[np.bool_]) -> None:
        """Light up some points, (n,) bool, and dim the others; none where all are False."""
        self._lit = mask
        self._stale.add("lit")

    def set_forget(self, mask: NDArray[np.bool_]) -> None:
        """Mark the forget set, (n,) bool."""
        self._forget = mask
        self._stale.add("forget")

    def restyle(self) -> None:
        """Colours changed."""
        self._stale |= {"all", "lit", "forget"}

    def paint(self, view: pg.ViewBox, ratio: float) -> None:
        """Paint what changed of what is in view, on a screen of this pixel ratio."""
        (left, right), (low, high) = view.viewRange()
        wide, tall = (max(1, round(side * ratio)) for side in (view.width(), view.height()))
        scale = 1.0 if wide * tall <= MOST_PIXELS else 0.5
        frame = Frame(left, right, low, high, max(1, int(wide * scale)), max(1, int(tall * scale)))
        dot = max(2, round(theme.px(_DOT) * ratio * scale))
        mark = max(5, min(_MARGIN, round(theme.px(_MARK) * ratio * scale)))
        if frame != self._frame:
            self._frame, self._cells = frame, frame.cells(self._points)
            self._stale |= {"all", "lit", "forget"}
        pictures = {}
        if "all" in self._stale:
            grey = [theme.color("text_3")]
            colours = grey if self._tones is None else [theme.class_color(n) for n in range(theme.class_tones)]
            tones = 0 if self._tones is None else self._tones
            pictures[self.all] = paint_dots(frame, self._cells, tones, [_rgb(c) for c in colours], dot)
        if "lit" in self._stale:
            lit, blue = self._cells[self._lit], [_rgb(theme.color("retain"))]
            self.all.setOpacity(_DIMMED if len(lit) else 1.0)
            self.lit.setVisible(bool(len(lit)))
            if len(lit):
                pictures[self.lit] = paint_dots(frame, lit, 0, blue, dot, 0.45)
        if "forget" in self._stale:
            chosen, colour = self._cells[self._forget], _rgb(theme.color("forget"))
            few = np.count_nonzero(chosen >= 0) <= MARKS_UP_TO
            edge = _rgb(theme.color("surface"))
            pictures[self.forget] = (
                paint_marks(frame, chosen, mark, colour, edge) if few
                else paint_dots(frame, chosen, 0, [colour], dot + 1, 0.5)
            )  # fmt: skip
        for item, picture in pictures.items():
            item.setImage(picture, levels=(0, 255))
            item.setRect(QRectF(left, low, right - left, high - low))
        self._stale.clear()


def _rgb(colour: QColor) -> Rgb:
    return colour.red(), colour.green(), colour.blue()


def corners(points: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the lowest and the highest coordinates of points (n, 2): (2,) each."""
    columns = points[:, 0], points[:, 1]  # one by one: reducing rows of two is ten times slower
    return np.array([column.min() for column in columns]), np.array([column.max() for column in columns])


def class_centres(points: NDArray[np.floating], labels: NDArray[np.integer], classes: int) -> NDArray[np.float64]:
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


def spread_tones(centres: NDArray[np.floating], tones: int) -> NDArray[np.int64]:
    """Return a tone for each class (k,), as a map-maker does: two classes of one tone lie as far apart as can be."""
    chosen = np.zeros(len(centres), np.int64)
    for label in range(len(centres)):
        away = ((centres[:label] - centres[label]) ** 2).sum(axis=1)
        nearest = [np.nanmin(away[chosen[:label] == tone], initial=np.inf) for tone in range(tones)]
        chosen[label] = int(np.argmax(nearest))
    return chosen


def nearest(points: NDArray[np.floating], x: float, y: float, within: float) -> int:
    """Return the index of the point nearest to (x, y) and at most `within` away; -1 for none."""
    away = np.nan_to_num(np.hypot(points[:, 0] - x, points[:, 1] - y), nan=np.inf)
    best = int(away.argmin()) if len(away) else -1
    return best if best >= 0 and away[best] <= within else -1


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


def points_in_polygon(points: NDArray[np.floating], polygon: NDArray[np.floating]) -> NDArray[np.bool_]:
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
