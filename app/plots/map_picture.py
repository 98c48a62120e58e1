"""The picture of a feature map: what it shows, how it is painted, and how all its moments become a GIF.

Nothing here is a widget or asks the theme while it paints, so that the window and a worker paint the same picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPainterPath, QPen, QPolygonF

from app.plots.points import corners
from app.services import format as fmt
from app.services.theme import theme
from app.services.tokens import CLASS_RAMPS, Tokens
from app.services.translation import mark, tr
from core.events import FeatureMap, FeaturesMoved
from core.files import replacing

Points = NDArray[np.float32]  # (n, 2), in radii of the cloud at the start
Moment = FeatureMap | FeaturesMoved  # the map at one step

MOST_COLOURED = 2 * len(CLASS_RAMPS["light"])  # classes that stay: each colour as circles, then as squares
GHOSTS = {  # key -> title, glyph, colour, whether it shows at first
    "start": (mark("At the start"), "△", "forget", True),
    "retrained": (mark("Retrained"), "◆", "retrained", True),
    "head_only": (mark("Head-only edit"), "✕", "head_only", False),
}
_SHAPES = {  # outlines around a point, in halves of its size
    "triangle": (((0, -1), (1, 0.8), (-1, 0.8), (0, -1)),),
    "diamond": (((0, -1.2), (1, 0), (0, 1.2), (-1, 0), (0, -1.2)),),
    "cross": (((-1, -1), (1, 1)), ((-1, 1), (1, -1))),
}
FRAMES_MOST, FILM_MS, LAST_MS, SHORTEST_MS = 400, 8000, 1500, 20
FILM_SIZE = (720, 540)
_ROOM = 0.06  # around the points
_BESIDE = ((0, 0), (0, -1), (0, 1), (-0.8, 0), (0.8, 0))  # of a name's own size: where it may stand
_FARTHEST = 2.0  # of the start's extent that may be added on each side; points further out stand at the edge


@dataclass(frozen=True)
class Look:
    """Colours, fonts and a design pixel, taken from the theme in the window's thread."""

    tokens: Tokens
    ramp: tuple[QColor, ...]  # of classes that stay
    font: QFont
    heading: QFont
    px: float

    @classmethod
    def now(cls) -> Look:
        """Return the look of the theme in use."""
        ramp = tuple(theme.class_color(number) for number in range(theme.class_tones))
        return cls(theme.current, ramp, theme.font("caption"), theme.font("section"), theme.px(100) / 100)

    def color(self, token: str, alpha: float = 1.0) -> QColor:
        """Return the colour of a token with an opacity."""
        colour = QColor(self.tokens.value(token))
        colour.setAlphaF(alpha)
        return colour


@dataclass(frozen=True, eq=False)
class MapPicture:
    """What all moments of a map have in common: its images, clouds of them by retrained models, what part is shown."""

    laid: FeatureMap
    clouds: Mapping[str, Points]
    area: NDArray[np.floating]  # (2, 2): the lowest and the highest corner

    @classmethod
    def of(cls, laid: FeatureMap, clouds: Mapping[str, Points]) -> MapPicture:
        """Return the picture that an event lays out, with clouds of the same points; its area holds both."""
        picture = cls(laid, clouds, np.stack(corners(laid.coordinates())))
        return picture.holding(cloud[laid.forget_from :] for cloud in clouds.values())

    def holding(self, more: Iterable[Points]) -> MapPicture:
        """Return the picture with an area that holds these points too, as far as it grows; itself where it does."""
        area, ends = self.area, np.stack(corners(self.start))
        for points in more:
            known = points[np.isfinite(points).all(1)]
            if len(known):
                low, high = corners(known)
                area = np.stack([np.minimum(area[0], low), np.maximum(area[1], high)])
        room = _FARTHEST * (ends[1] - ends[0])
        area = area.clip(ends[0] - room, ends[1] + room)
        return self if (area == self.area).all() else replace(self, area=area)

    @cached_property
    def start(self) -> Points:
        """Where the points are at the start."""
        return self.laid.coordinates()

    @cached_property
    def members(self) -> dict[str, NDArray[np.intp]]:
        """The retain points of each class, by its name."""
        names = np.array(self.laid.labels[: self.laid.forget_from], dtype=object)
        return {name: np.flatnonzero(names == name) for name in sorted(set(names))}

    @property
    def forgotten(self) -> tuple[str, ...]:
        """The classes of the points to be forgotten."""
        return tuple(dict.fromkeys(self.laid.labels[self.laid.forget_from :]))

    @property
    def unseen(self) -> bool:
        """Whether no image on the map was trained on."""
        return not any(count for name, count in self.laid.counts.items() if name.endswith("train"))

    def caption(self, moment: Moment) -> str:
        """Say what the axes are and how much they show."""
        start, now = fmt.percent(self.laid.share), fmt.percent(moment.share)
        if self.unseen:
            return tr("Main plane of the start: {start} of the variance, {now} now · turned · unseen images",
                      start=start, now=now)  # fmt: skip
        return tr("Main plane of the start: {start} of the variance, {now} now · turned · forget and unseen images",
                  start=start, now=now)  # fmt: skip


class Placing:
    """Where points stand in an area of pixels, which what is shown fills; up is up."""

    def __init__(self, shown: NDArray[np.floating], area: QRectF) -> None:
        """`shown`: the lowest and the highest corner, (2, 2)."""
        self.area, self.centre = area, shown.mean(axis=0)
        sides = np.maximum(shown[1] - shown[0], 1e-6) * (1 + 2 * _ROOM)
        self.scale = np.array([area.width(), -area.height()]) / sides

    def pixels(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return pixels (n, 2) of those that are numbers; a point outside of the picture stands at its edge."""
        found = (points - self.centre) * self.scale + np.array(self.area.center().toTuple())
        low, high = (self.area.left(), self.area.top()), (self.area.right(), self.area.bottom())
        found = np.clip(found, low, high)
        return found[np.isfinite(found).all(1)]


def paint(
    painter: QPainter, picture: MapPicture, points: Points, placing: Placing, look: Look,
    ghosts: Iterable[str] = GHOSTS, lit: str = "",
) -> None:
    """Paint a map: classes that stay, ghosts, forget points, names. `lit` is a class to be seen among many."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setClipRect(placing.area)
    first, coloured, px = picture.laid.forget_from, len(picture.members) <= MOST_COLOURED, look.px
    for number, (name, rows) in enumerate(picture.members.items()):
        colour = look.ramp[number % len(look.ramp)] if coloured else look.color("text_3", 0.55)
        square = coloured and number >= len(look.ramp)
        cap = Qt.PenCapStyle.SquareCap if square else Qt.PenCapStyle.RoundCap
        colour = look.color("retain") if name == lit else colour
        painter.setPen(QPen(colour, (3.4 if square else 4.0) * px, Qt.PenStyle.SolidLine, cap))
        painter.drawPoints(QPolygonF([QPointF(x, y) for x, y in placing.pixels(points[rows]).tolist()]))
    start, now = placing.pixels(picture.start[first:]), placing.pixels(points[first:])
    if "start" in ghosts:
        painter.strokePath(_shapes(start, "triangle", 3.2 * px), QPen(look.color("forget", 0.45), px))
        if len(start) and len(now):
            painter.setPen(QPen(look.color("forget", 0.8), 1.5 * px, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(*start.mean(0)), QPointF(*now.mean(0)))
    for cloud in picture.clouds.values() if "retrained" in ghosts else ():
        there = placing.pixels(cloud[first:])
        painter.fillPath(_shapes(there, "diamond", 3.6 * px), look.color("retrained", 0.35))
    painter.fillPath(_shapes(now, "triangle", 4.2 * px), look.color("forget"))
    if "head_only" in ghosts:  # it changes no feature: its points are where they were at the start
        painter.strokePath(_shapes(start, "cross", 3.0 * px), QPen(look.color("head_only"), 1.2 * px))
    _names(painter, picture, points, placing, look, lit)


@dataclass(frozen=True, eq=False)
class Film:
    """All that a GIF is made of."""

    picture: MapPicture
    moments: Sequence[Moment]
    look: Look
    ghosts: tuple[str, ...]
    title: str
    about: str  # the run

    def frames(self) -> list[Moment]:
        """The moments that become frames: all, or of very many as many as a film needs, the last one included."""
        number = len(self.moments)
        places = np.linspace(0, number - 1, min(number, FRAMES_MOST)).round().astype(int)
        return [self.moments[place] for place in places]


def legend_of(ghosts: Iterable[str]) -> list[tuple[str, str]]:
    """Return what ghosts are, each with its glyph and its colour token."""
    return [(f"{GHOSTS[key][1]} {tr(GHOSTS[key][0])}", GHOSTS[key][2]) for key in ghosts]


def film_frame(film: Film, moment: Moment) -> QImage:
    """Paint one frame: title and step, the map, what is what, the caption."""
    look, picture = film.look, film.picture
    image = QImage(*FILM_SIZE, QImage.Format.Format_RGB32)
    image.fill(look.color("surface"))
    painter = QPainter(image)
    whole, line = QRectF(image.rect()).adjusted(16, 12, -16, -10), QFontMetricsF(look.font).height() + 4
    top, bottom = whole.top() + QFontMetricsF(look.heading).height() + line, whole.bottom() - 2 * line
    legend = [("▲ " + ", ".join(picture.forgotten[:3]), "forget"), *legend_of(film.ghosts)]
    painter.setFont(look.heading)
    painter.setPen(look.color("text"))
    painter.drawText(whole, 0, f"{film.title} · {tr('step {step}', step=fmt.count(moment.step))}")
    painter.setFont(look.font)
    place = QPointF(whole.left(), top - 6)
    for text, token in legend:
        painter.setPen(look.color(token))
        painter.drawText(place, text)
        place.setX(place.x() + QFontMetricsF(look.font).horizontalAdvance(f"{text}   "))
    painter.setPen(look.color("text_3"))
    words = f"{picture.caption(moment)}\n{film.about}"
    painter.drawText(QRectF(whole.left(), bottom, whole.width(), 2 * line), 0, words)
    area = QRectF(whole.left(), top, whole.width(), bottom - top - 4)
    paint(painter, picture, moment.coordinates(), Placing(picture.area, area), look, film.ghosts)
    painter.end()
    return image


def write_gif(film: Film, path: Path, progress: Callable[[str, int, int], object] = lambda *_: None) -> str:
    """Write a map from its first to its last moment as a GIF that runs again and again; return the file's name.

    `progress(what, done, total)` may raise to end it; the file is whole or not there. Raises OSError.
    """
    from PIL import Image

    moments = film.frames()
    each = max(SHORTEST_MS, FILM_MS // len(moments))
    pictures = []
    for number, moment in enumerate(moments):
        progress(tr("Drawing the film"), number, len(moments))
        frame = film_frame(film, moment)
        size = (frame.width(), frame.height())
        whole = Image.frombuffer("RGB", size, bytes(frame.constBits()), "raw", "BGRX", frame.bytesPerLine(), 1)
        pictures.append(whole.quantize(96, method=Image.Quantize.FASTOCTREE))
    with replacing(path) as temporary:
        durations = [*[each] * (len(pictures) - 1), each + LAST_MS]
        pictures[0].save(temporary, format="GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    return path.name


# ---- parts


def _shapes(pixels: NDArray[np.float64], shape: str, half: float) -> QPainterPath:
    """Return one path of the same shape at every point."""
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    for x, y in pixels.tolist():
        for (dx, dy), *further in _SHAPES[shape]:
            path.moveTo(x + dx * half, y + dy * half)
            for to_x, to_y in further:
                path.lineTo(x + to_x * half, y + to_y * half)
    return path


def _names(painter: QPainter, picture: MapPicture, points: Points, placing: Placing, look: Look, lit: str) -> None:
    """Write the classes' names at their middles or beside, the forgotten and the lit one first, while there is room."""
    shown = sorted((name for name in picture.members if len(picture.members) <= MOST_COLOURED or name == lit),
                   key=lambda name: name != lit)  # fmt: skip
    wanted = [(name, points[picture.members[name]], "text") for name in shown]
    if len(picture.forgotten) == 1:
        wanted.insert(0, (picture.forgotten[0], points[picture.laid.forget_from :], "forget"))
    middles = [(name, QPointF(*np.median(pixels, axis=0)), token) for name, rows, token in wanted
               if len(pixels := placing.pixels(rows))]  # fmt: skip
    paint_names(painter, look.font, look.color, middles, _BESIDE)


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
