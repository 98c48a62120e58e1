"""The picture of a feature map: what it shows, how it is painted, and how all its moments become a GIF.

Nothing here is a widget or asks the theme while it paints, so that the window and a worker paint the same picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPainterPath, QPen, QPolygonF

from app.services import format as fmt
from app.services.theme import theme
from app.services.tokens import CLASS_RAMPS
from app.services.translation import tr
from core.events import FeatureMap, FeaturesMoved
from core.files import replacing

Points = NDArray[np.float32]  # (n, 2), in radii of the cloud at the start

MOST_COLOURED = 2 * len(CLASS_RAMPS["light"])  # classes that stay: each colour as circles, then as squares
GHOSTS = ("start", "retrained", "head_only")
FRAMES_MOST, FILM_MS, LAST_MS, SHORTEST_MS = 400, 8000, 1500, 20
FILM_SIZE = (720, 540)
_ROOM = 0.06  # around the points
_BESIDE = ((0, 0), (0, -1), (0, 1), (-0.8, 0), (0.8, 0))  # of a name's own size: where it may stand
_FARTHEST = 2.0  # of the start's extent that may be added on each side; points further out stand at the edge


@dataclass(frozen=True)
class Look:
    """Colours, fonts and the size of a design pixel, taken from the theme by `now` in the window's thread."""

    surface: QColor
    text: QColor
    quiet: QColor
    line: QColor
    retain: QColor
    forget: QColor
    retrained: QColor
    head_only: QColor
    ramp: tuple[QColor, ...]
    font: QFont
    heading: QFont
    px: float

    @classmethod
    def now(cls) -> Look:
        """Return the look of the theme in use."""
        colours = {name: theme.color(token) for name, token in (
            ("surface", "surface"), ("text", "text"), ("quiet", "text_3"), ("line", "line"), ("retain", "retain"),
            ("forget", "forget"), ("retrained", "retrained"), ("head_only", "head_only"),
        )}  # fmt: skip
        ramp = tuple(QColor(colour) for colour in CLASS_RAMPS[theme.current.name])
        return cls(**colours, ramp=ramp, font=theme.font("caption"), heading=theme.font("section"),
                   px=theme.px(100) / 100)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Moment:
    """The map at one step."""

    step: int
    points: Points
    share: float | None  # of the variance that the plane holds

    @classmethod
    def of(cls, event: FeaturesMoved) -> Moment:
        """Return what an event says."""
        return cls(event.step, event.coordinates(), event.share)


@dataclass(frozen=True, eq=False)
class MapPicture:
    """What all moments of a map have in common. Retain points come first; `clouds` has those of retrained models."""

    start: Points
    labels: tuple[str, ...]
    forget_from: int
    share: float | None
    unseen: bool  # no image on the map was trained on
    area: tuple[float, float, float, float]  # left, bottom, right, top of what is shown
    clouds: Mapping[str, Points] = field(default_factory=dict)

    @classmethod
    def of(cls, laid: FeatureMap, clouds: Mapping[str, Points]) -> MapPicture:
        """Return the picture that an event lays out, with clouds of the same points; its area holds both."""
        start = laid.coordinates()
        unseen = not any(count for name, count in laid.counts.items() if name.endswith("train"))
        low, high = start.min(0).tolist(), start.max(0).tolist()
        picture = cls(start, tuple(laid.labels), laid.forget_from, laid.share, unseen, (*low, *high))
        return replace(picture, clouds=clouds).holding(cloud[picture.forget_from :] for cloud in clouds.values())

    def holding(self, more: Iterable[Points]) -> MapPicture:
        """Return the picture with an area that holds these points too, as far as it grows; itself where it does."""
        low, high = self.start.min(0), self.start.max(0)
        room = _FARTHEST * (high - low)
        sides = np.array(self.area, float).reshape(2, 2)
        for points in more:
            known = points[np.isfinite(points).all(1)]
            if len(known):
                sides = np.stack([np.minimum(sides[0], known.min(0)), np.maximum(sides[1], known.max(0))])
        sides = np.stack([np.maximum(sides[0], low - room), np.minimum(sides[1], high + room)])
        area = tuple(sides.reshape(-1).tolist())
        return self if area == self.area else replace(self, area=area)

    @cached_property
    def members(self) -> dict[str, NDArray[np.intp]]:
        """The retain points of each class, by its name."""
        names = np.array(self.labels[: self.forget_from], dtype=object)
        return {name: np.flatnonzero(names == name) for name in sorted(set(names))}

    @property
    def forgotten(self) -> tuple[str, ...]:
        """The classes of the points to be forgotten."""
        return tuple(dict.fromkeys(self.labels[self.forget_from :]))

    def caption(self, moment: Moment | None) -> str:
        """Say what the axes are and how much they show."""
        start, now = fmt.percent(self.share), fmt.percent(moment.share if moment is not None else None)
        if self.unseen:
            text = tr("Main plane of the start: {start} of the variance, {now} now · turned · unseen images",
                      start=start, now=now)  # fmt: skip
        else:
            text = tr("Main plane of the start: {start} of the variance, {now} now · turned · forget and unseen images",
                      start=start, now=now)  # fmt: skip
        return text


class Placing:
    """Where points of a picture stand in an area of pixels, which it fills; up is up."""

    def __init__(self, picture: MapPicture, area: QRectF) -> None:
        left, bottom, right, top = picture.area
        self.area = area
        self.centre = np.array([(left + right) / 2, (bottom + top) / 2])
        sides = np.maximum([right - left, top - bottom], 1e-6) * (1 + 2 * _ROOM)
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
    first, coloured = picture.forget_from, len(picture.members) <= MOST_COLOURED
    for number, (name, rows) in enumerate(picture.members.items()):
        colour = look.ramp[number % len(look.ramp)] if coloured else _faded(look.quiet, 0.55)
        square = coloured and number >= len(look.ramp)
        size = 4.5 if name == lit else 4.0
        _dots(painter, placing.pixels(points[rows]), look.retain if name == lit else colour, size * look.px, square)
    start, now = placing.pixels(picture.start[first:]), placing.pixels(points[first:])
    if "start" in ghosts:
        painter.strokePath(_triangles(start, 3.2 * look.px), QPen(_faded(look.forget, 0.45), look.px))
        if len(start) and len(now):
            pen = QPen(_faded(look.forget, 0.8), 1.5 * look.px, Qt.PenStyle.DashLine)
            painter.setPen(pen)
            painter.drawLine(QPointF(*start.mean(0)), QPointF(*now.mean(0)))
    if "retrained" in ghosts:
        for cloud in picture.clouds.values():
            painter.fillPath(_diamonds(placing.pixels(cloud[first:]), 3.6 * look.px), _faded(look.retrained, 0.35))
    painter.fillPath(_triangles(now, 4.2 * look.px), look.forget)
    if "head_only" in ghosts:  # it changes no feature: its points are where they were at the start
        painter.strokePath(_crosses(start, 3.0 * look.px), QPen(look.head_only, 1.2 * look.px))
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
        if len(self.moments) <= FRAMES_MOST:
            return list(self.moments)
        return [self.moments[place] for place in np.linspace(0, len(self.moments) - 1, FRAMES_MOST).round().astype(int)]


def film_frame(film: Film, moment: Moment) -> QImage:
    """Paint one frame: title and step, the map, what is what, the caption."""
    look = film.look
    image = QImage(*FILM_SIZE, QImage.Format.Format_RGB32)
    image.fill(look.surface)
    painter = QPainter(image)
    whole = QRectF(image.rect()).adjusted(16, 12, -16, -10)
    line = QFontMetricsF(look.font).height() + 2
    right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
    painter.setFont(look.heading)
    painter.setPen(look.text)
    painter.drawText(whole, 0, film.title)
    painter.drawText(whole, right, tr("step {step}", step=fmt.count(moment.step)))
    painter.setFont(look.font)
    top = whole.top() + QFontMetricsF(look.heading).height() + 4
    legend = [(" ▲ ", ", ".join(film.picture.forgotten[:3]), look.forget)]
    legend += [
        (glyph, text, colour)
        for key, glyph, text, colour in (
            ("start", " △ ", tr("At the start"), look.forget),
            ("retrained", " ◆ ", tr("Retrained"), look.retrained),
            ("head_only", " ✕ ", tr("Head-only edit"), look.head_only),
        )
        if key in film.ghosts and (key != "retrained" or film.picture.clouds)
    ]
    place = whole.left()
    for glyph, text, colour in legend:
        for part, ink in ((glyph, colour), (f"{text}   ", look.text)):
            painter.setPen(ink)
            painter.drawText(QPointF(place, top + line - 4), part)
            place += QFontMetricsF(look.font).horizontalAdvance(part)
    bottom = whole.bottom() - 2 * line
    painter.setPen(look.quiet)
    painter.drawText(QRectF(whole.left(), bottom, whole.width(), line), 0, film.picture.caption(moment))
    painter.drawText(QRectF(whole.left(), bottom + line, whole.width(), line), 0, film.about)
    area = QRectF(whole.left(), top + line, whole.width(), bottom - top - line - 4)
    paint(painter, film.picture, moment.points, Placing(film.picture, area), look, film.ghosts)
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


def _faded(colour: QColor, alpha: float) -> QColor:
    faded = QColor(colour)
    faded.setAlphaF(alpha)
    return faded


def _dots(painter: QPainter, pixels: NDArray[np.float64], colour: QColor, size: float, square: bool) -> None:
    cap = Qt.PenCapStyle.SquareCap if square else Qt.PenCapStyle.RoundCap
    painter.setPen(QPen(colour, size * (0.85 if square else 1), Qt.PenStyle.SolidLine, cap))
    painter.drawPoints(QPolygonF([QPointF(x, y) for x, y in pixels.tolist()]))


def _shape(pixels: NDArray[np.float64], corners: Sequence[tuple[float, float]], closed: bool = True) -> QPainterPath:
    """Return one path of the same shape at every point; an open one goes to every second corner without a line."""
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    for x, y in pixels.tolist():
        for number, (dx, dy) in enumerate(corners):
            move = number == 0 if closed else number % 2 == 0
            (path.moveTo if move else path.lineTo)(x + dx, y + dy)
        if closed:
            path.closeSubpath()
    return path


def _triangles(pixels: NDArray[np.float64], half: float) -> QPainterPath:
    return _shape(pixels, ((0, -half), (half, 0.8 * half), (-half, 0.8 * half)))


def _diamonds(pixels: NDArray[np.float64], half: float) -> QPainterPath:
    return _shape(pixels, ((0, -1.2 * half), (half, 0), (0, 1.2 * half), (-half, 0)))


def _crosses(pixels: NDArray[np.float64], half: float) -> QPainterPath:
    return _shape(pixels, ((-half, -half), (half, half), (-half, half), (half, -half)), closed=False)


def _names(painter: QPainter, picture: MapPicture, points: Points, placing: Placing, look: Look, lit: str) -> None:
    """Write the classes' names at their middles or beside, the forgotten and the lit one first, while there is room."""
    painter.setFont(look.font)
    metrics = QFontMetricsF(look.font)
    places = {name: points[rows] for name, rows in picture.members.items()}
    if len(places) > MOST_COLOURED:
        places = {name: rows for name, rows in places.items() if name == lit}
    middles: list[tuple[str, NDArray[np.float64], QColor]] = []
    if len(picture.forgotten) == 1:
        middles.append((picture.forgotten[0], placing.pixels(points[picture.forget_from :]), look.forget))
    for name in sorted(places, key=lambda name: name != lit):
        middles.append((name, placing.pixels(places[name]), look.text))
    taken: list[QRectF] = []
    for name, pixels, colour in middles:
        if not len(pixels):
            continue
        size = QRectF(0, 0, metrics.horizontalAdvance(name) + 4, metrics.height())
        middle = QPointF(*np.median(pixels, axis=0))
        beside = (QPointF(dx * size.width(), dy * size.height()) for dx, dy in _BESIDE)
        boxes = (size.translated(middle - size.center() + by) for by in beside)
        box = next((box for box in boxes if not any(box.intersects(other) for other in taken)), None)
        if box is None:
            continue
        taken.append(box)
        painter.fillRect(box, _faded(look.surface, 0.72))
        painter.setPen(colour)
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), name)
