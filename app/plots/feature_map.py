"""The feature map of a run, live and in the replay: forget points move among the classes that stay, on fixed axes.

The painting asks no theme and no widget, so that the window and a worker paint the same picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from pyqtgraph.graphicsItems.ScatterPlotItem import Symbols
from PySide6.QtCore import QElapsedTimer, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QMouseEvent,
    QPaintEngine,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QTransform,
)
from PySide6.QtWidgets import QCheckBox, QMenu, QSizePolicy, QWidget

from app.plots.export import Figure, Table, choose_file
from app.plots.points import Floats, Ints, nearest, paint_names
from app.services import format as fmt
from app.services.theme import theme
from app.services.tokens import CLASS_TONES, Tokens
from app.services.translation import mark, tr
from app.widgets.labels import ElidedLabel, caption, describe
from app.widgets.layout import STRETCH, column, row
from app.workers.run_history import RunHistory, newest_until
from core.events import FeatureMap, FeaturesMoved

if TYPE_CHECKING:
    from core.session.feature_maps import Clouds

Moment = FeatureMap | FeaturesMoved  # the map at one step

MOST_COLOURED = 2 * CLASS_TONES  # classes that stay: each colour as circles, then as squares
GHOSTS = {  # key -> title, glyph, colour, whether it shows at first
    "start": (mark("At the start"), "△", "forget", True),
    "retrained": (mark("Retrained"), "◆", "retrained", True),
    "head_only": (mark("Head-only edit"), "✕", "head_only", False),
}
FRAMES_MOST = 400
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
        ramp = tuple(theme.class_colors)
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
    clouds: Mapping[str, Floats]
    ends: Floats  # (2, 2): the lowest and the highest corner of where its points are at the start
    area: Floats  # of what is shown

    @classmethod
    def of(cls, laid: FeatureMap, clouds: Mapping[str, Floats]) -> MapPicture:
        """Return the picture that an event lays out, with clouds of the same points; its area holds both."""
        start = laid.coordinates()
        ends = np.stack([start.min(axis=0), start.max(axis=0)])
        picture = cls(laid, clouds, ends, ends)
        return picture.holding(cloud[laid.forget_from :] for cloud in clouds.values())

    def holding(self, more: Iterable[Floats]) -> MapPicture:
        """Return the picture with an area that holds these points too, as far as it grows; itself where it does."""
        area, ends = self.area, self.ends
        for points in more:
            known = points[np.isfinite(points).all(1)]
            if len(known):
                low, high = known.min(0), known.max(0)
                area = np.stack([np.minimum(area[0], low), np.maximum(area[1], high)])
        room = _FARTHEST * (ends[1] - ends[0])
        area = area.clip(ends[0] - room, ends[1] + room)
        return self if (area == self.area).all() else replace(self, area=area)

    @cached_property
    def start(self) -> Floats:
        """Where the points are at the start, (n, 2), in radii of their cloud."""
        return self.laid.coordinates()

    @cached_property
    def members(self) -> dict[str, Ints]:
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
        images = tr("test images") if self.unseen else tr("forget and test images")
        return tr("Main plane of the start: {start} of the variance, {now} now · turned · {images}",
                  start=fmt.percent(self.laid.share), now=fmt.percent(moment.share), images=images)  # fmt: skip


class Placing:
    """Where points stand in an area of pixels, which what is shown fills; up is up."""

    def __init__(self, shown: Floats, area: QRectF) -> None:
        """`shown`: the lowest and the highest corner, (2, 2)."""
        self.area, self.centre = area, shown.mean(axis=0)
        sides = np.maximum(shown[1] - shown[0], 1e-6) * (1 + 2 * _ROOM)
        self.scale = np.array([area.width(), -area.height()]) / sides

    def pixels(self, points: Floats) -> Floats:
        """Return pixels (n, 2) of those that are numbers; a point outside of the picture stands at its edge."""
        found = (points - self.centre) * self.scale + np.array(self.area.center().toTuple())
        low, high = (self.area.left(), self.area.top()), (self.area.right(), self.area.bottom())
        found = np.clip(found, low, high)
        return found[np.isfinite(found).all(1)]


def paint(
    painter: QPainter, picture: MapPicture, points: Floats, placing: Placing, look: Look,
    ghosts: Iterable[str] = GHOSTS, clouds: QPixmap | None = None,
) -> None:
    """Paint a map: classes that stay, ghosts, forget points, names. `clouds`: of retrained models, painted before."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setClipRect(placing.area)
    first, coloured, px = picture.laid.forget_from, len(picture.members) <= MOST_COLOURED, look.px
    for number, rows in enumerate(picture.members.values()):
        colour = look.ramp[number % len(look.ramp)] if coloured else look.color("text_3", 0.55)
        square = coloured and number >= len(look.ramp)
        cap = Qt.PenCapStyle.SquareCap if square else Qt.PenCapStyle.RoundCap
        painter.setPen(QPen(colour, (3.4 if square else 4.0) * px, Qt.PenStyle.SolidLine, cap))
        painter.drawPoints(QPolygonF([QPointF(x, y) for x, y in placing.pixels(points[rows]).tolist()]))
    start, now = placing.pixels(picture.start[first:]), placing.pixels(points[first:])
    if "start" in ghosts:
        painter.strokePath(_shapes(start, "t1", 6.0 * px), QPen(look.color("forget", 0.45), px))
        if len(start) and len(now):
            painter.setPen(QPen(look.color("forget", 0.8), 1.5 * px, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(*start.mean(0)), QPointF(*now.mean(0)))
    if "retrained" in ghosts and clouds is not None:
        painter.drawPixmap(0, 0, clouds)
    elif "retrained" in ghosts:
        _clouds(painter, picture, placing, look)
    painter.fillPath(_shapes(now, "t1", 8.0 * px), look.color("forget"))
    if "head_only" in ghosts:  # it changes no feature: its points are where they were at the start
        painter.fillPath(_shapes(start, "x", 6.0 * px), look.color("head_only"))
    _names(painter, picture, points, placing, look)


@dataclass(frozen=True, eq=False)
class Film:
    """All that a GIF is made of."""

    picture: MapPicture
    moments: Sequence[Moment]
    look: Look
    ghosts: tuple[str, ...]
    about: str  # the run

    def frames(self) -> list[Moment]:
        """The moments that become frames: all, or of very many as many as a film needs, the last one included."""
        number = len(self.moments)
        places = np.linspace(0, number - 1, min(number, FRAMES_MOST)).round().astype(int)
        return [self.moments[place] for place in places]


def legend_of(ghosts: Iterable[str]) -> list[tuple[str, str]]:
    """Return what ghosts are, each with its glyph and its colour token."""
    return [(f"{GHOSTS[key][1]} {tr(GHOSTS[key][0])}", GHOSTS[key][2]) for key in ghosts]


# ---- parts


def _shapes(pixels: Floats, symbol: str, size: float) -> QPainterPath:
    """Return one path of pyqtgraph's symbol at every point."""
    path, shape = QPainterPath(), QTransform.fromScale(size, size).map(Symbols[symbol])
    path.setFillRule(Qt.FillRule.WindingFill)
    for x, y in pixels.tolist():
        path.addPath(shape.translated(x, y))
    return path


def _clouds(painter: QPainter, picture: MapPicture, placing: Placing, look: Look) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setClipRect(placing.area)
    for cloud in picture.clouds.values():
        there = placing.pixels(cloud[picture.laid.forget_from :])
        painter.fillPath(_shapes(there, "d", 8.0 * look.px), look.color("retrained", 0.35))


def _names(painter: QPainter, picture: MapPicture, points: Floats, placing: Placing, look: Look) -> None:
    """Write the classes' names at their middles or beside, the forgotten one first, while there is room."""
    wanted = [(name, points[rows], "text") for name, rows in picture.members.items()]
    if len(wanted) > MOST_COLOURED:
        wanted = []
    if len(picture.forgotten) == 1:
        wanted.insert(0, (picture.forgotten[0], points[picture.laid.forget_from :], "forget"))
    middles = [(name, QPointF(*np.median(pixels, axis=0)), token) for name, there, token in wanted
               if len(pixels := placing.pixels(there))]  # fmt: skip
    paint_names(painter, look.font, look.color, middles, _BESIDE)


TITLE = mark("Feature map")
NOT_BEGUN = mark("The map begins with the first measurement.")
TURNED = mark("All networks are turned and scaled as a whole to fit the start: what has moved, no turn brings back.")
UNMOVED = mark("A head-only edit changes no feature: its points stay where they are at the start.")
_NEAR_PX = 8


class MapCanvas(QWidget):
    """Paints a picture at one moment; the class of the point under the mouse is its tool tip."""

    def __init__(self) -> None:
        super().__init__()
        self.painted_ms = 0.0
        self.picture: MapPicture | None = None
        self.moment: Moment | None = None
        self.ghosts: tuple[str, ...] = ()
        self.look = Look.now()
        self._clouds: tuple[tuple[object, ...], QPixmap | None] = ((), None)  # painted once: half of all painting
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(theme.px(120), theme.px(72))
        self.setAccessibleName(tr(TITLE))

    def placing(self, picture: MapPicture) -> Placing:
        """Where points of a picture stand now."""
        return Placing(picture.area, QRectF(self.rect()).adjusted(1, 1, -1, -1))

    def paintEvent(self, event: QPaintEvent) -> None:
        clock = QElapsedTimer()
        clock.start()
        painter, look = QPainter(self), self.look
        painter.fillRect(self.rect(), look.color("surface"))
        painter.setPen(look.color("line"))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        if self.picture is None or self.moment is None:
            painter.setFont(look.font)
            painter.setPen(look.color("text_3"))
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), tr(NOT_BEGUN))
        else:
            points, placing = self.moment.coordinates(), self.placing(self.picture)
            # A picture of it is sharp at every size: there, all is drawn.
            as_large = painter.deviceTransform().m11() == self.devicePixelRatioF()
            on_screen = as_large and painter.paintEngine().type() == QPaintEngine.Type.Raster
            clouds = self._painted_clouds(self.picture, placing) if on_screen else None
            paint(painter, self.picture, points, placing, look, self.ghosts, clouds)
        painter.end()
        self.painted_ms = clock.nsecsElapsed() / 1e6

    def _painted_clouds(self, picture: MapPicture, placing: Placing) -> QPixmap:
        key = (picture, self.look, self.size(), self.devicePixelRatioF())
        known, clouds = self._clouds
        if clouds is None or known != key:
            clouds = QPixmap(self.size() * self.devicePixelRatioF())
            clouds.setDevicePixelRatio(self.devicePixelRatioF())
            clouds.fill(Qt.GlobalColor.transparent)
            painter = QPainter(clouds)
            _clouds(painter, picture, placing, self.look)
            painter.end()
            self._clouds = key, clouds
        return clouds

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.setToolTip(fmt.plain(self._class_at(event.position())))

    def _class_at(self, at: QPointF) -> str:
        """The class of the point nearest to a pixel; "" where none is near."""
        if self.picture is None or self.moment is None:
            return ""
        points = np.nan_to_num(self.moment.coordinates(), nan=1e9)
        best = nearest(self.placing(self.picture).pixels(points), at.x(), at.y(), theme.px(_NEAR_PX))
        return self.picture.laid.labels[best] if best >= 0 else ""


class FeatureMapPlot(Figure):
    """Shows what a run's history says of its map, as it grows or looked back at."""

    film_wanted = Signal(object, object)  # Film, Path: to be written by a worker
    enlargeable = True

    def __init__(self) -> None:
        super().__init__(title=tr(TITLE))
        self.canvas = MapCanvas()
        self.forgotten = ElidedLabel("", "caption", "forget")
        self.forgotten.setMinimumWidth(theme.px(120))  # "Forget images", in the longest language
        self.ghosts = {key: QCheckBox(text) for key, (text, _) in zip(GHOSTS, legend_of(GHOSTS), strict=True)}
        self.why = caption("", wrap=True)  # why a ghost is not there
        side = column(self.forgotten, *self.ghosts.values(), self.why, STRETCH, spacing=2)
        column(self.make_head(self.said), (row((self.canvas, 1), side), 1), self.caption_label, on=self, spacing=2)
        for key, box in self.ghosts.items():
            box.setFont(theme.font("caption"))
            box.setProperty("tone", GHOSTS[key][2])
            box.setChecked(GHOSTS[key][3])
            box.toggled.connect(self.mark_dirty)
        self.ghosts["head_only"].setToolTip(tr(UNMOVED))
        self.caption_label.set_hint(tr(TURNED))
        self._history = RunHistory()
        self.has_head = True  # the network names classes, so that there is a head to edit
        self.until: int | None = None  # None: the newest
        self._picture: MapPicture | None = None
        self._seen = 0  # moments whose extent the picture's area holds
        self.set_clouds(None)

    # ---- what is shown

    def show_history(self, history: RunHistory) -> None:
        """Show a run as it was at the step `until`, or as it grows."""
        if history is not self._history:
            self._history = history
            self.set_clouds(None)
        self.mark_dirty()

    def clear(self) -> None:
        """Show no run."""
        self.show_history(RunHistory())

    def set_clouds(self, clouds: Clouds | None) -> None:
        """Show what retrained models make of the images; None: that is not known yet."""
        self._clouds = dict(clouds.points) if clouds is not None else {}
        self.ghosts["retrained"].setEnabled(bool(self._clouds))
        self.why.setText(tr(clouds.why) if clouds is not None else "")
        self.why.setVisible(bool(self.why.text()))
        self._seen = 0  # the area is to hold them, too
        self.mark_dirty()

    def _draw(self) -> None:
        canvas, laid = self.canvas, self._history.feature_map
        canvas.picture = canvas.moment = None
        if isinstance(laid, FeatureMap):
            canvas.picture = self._picture = self._grown(laid)
            shown = newest_until(self._history.moved, self.until)
            canvas.moment = shown if isinstance(shown, FeaturesMoved) else laid
        canvas.ghosts = self._shown_ghosts()
        self._tell(canvas.picture, canvas.moment)
        canvas.update()

    def _grown(self, laid: FeatureMap) -> MapPicture:
        """Return the picture with an area that holds the clouds and, of what was recorded since, up to 64 moments."""
        moved, picture = self._history.moved, self._picture
        if picture is None or not 0 < self._seen <= len(moved):
            picture, self._seen = MapPicture.of(laid, self._clouds), 0
        fresh = moved[self._seen :]
        fresh = fresh[:: -(-len(fresh) // 64) or 1] + fresh[-1:]
        self._seen = len(moved)
        return picture.holding(event.coordinates() for event in fresh if isinstance(event, FeaturesMoved))

    def _shown_ghosts(self) -> tuple[str, ...]:
        return tuple(key for key in GHOSTS if self.ghosts[key].isChecked() and not self.ghosts[key].isHidden()
                     and (key != "retrained" or self._clouds))  # fmt: skip

    def _tell(self, picture: MapPicture | None, moment: Moment | None) -> None:
        """Write the caption and what a screen reader says."""
        if picture is None or moment is None:
            self.set_caption("")
            self.forgotten.setText("")
            describe(self.canvas, tr(NOT_BEGUN))
            return
        self.set_caption(picture.caption(moment))
        first, names = picture.laid.forget_from, picture.forgotten
        forgotten = tr("Forget: {name}", name=names[0]) if len(names) == 1 else tr("Forget images")
        self.forgotten.setText(f"▲ {forgotten}")
        self.ghosts["head_only"].setVisible(picture.unseen and self.has_head)  # its edit silences whole classes
        middle, begun = (np.nanmean(points[first:], axis=0) for points in (moment.coordinates(), picture.start))
        words = tr("Step {step}: the forget points' middle is {way} radii from where it was.",
                   step=fmt.count(moment.step), way=fmt.decimal(float(np.hypot(*(middle - begun))), 1))  # fmt: skip
        describe(self.canvas, f"{words} {self.caption()}")

    # ---- as a figure

    def caption(self) -> str:
        shown = self.caption_label.text()
        return f"{shown}. {tr(TURNED)}" if shown else ""

    def drawn_parts(self) -> list[tuple[QWidget, QPoint]]:
        return [(self.canvas, self.place(self.canvas).topLeft())]

    def table(self) -> Table:
        """A row an image: its class, whether it is to be forgotten, its place now, at the start, and in each cloud."""
        picture, moment = self.canvas.picture, self.canvas.moment
        if picture is None or moment is None:
            return [], []
        places = {"": moment.coordinates(), "start ": picture.start}
        places |= {f"retrained {name} ": cloud for name, cloud in picture.clouds.items()}
        header = ["class", "forget", *(f"{name}{axis}" for name in places for axis in ("x", "y"))]
        numbers = np.concatenate(list(places.values()), axis=1).tolist()
        first, labels = picture.laid.forget_from, picture.laid.labels
        return header, [[labels[n], "yes" if n >= first else "no", *numbers[n]] for n in range(len(labels))]

    def film(self) -> Film | None:
        """Return the run as a film; None where there is no map. Colours are the light theme's."""
        self.flush()
        picture, moved = self.canvas.picture, self._history.moved
        if picture is None or not moved:
            return None
        with theme.borrow_light():
            look = Look.now()
        moments = [event for event in moved if isinstance(event, FeaturesMoved)]
        return Film(picture, moments, look, self._shown_ghosts(), self.provenance)

    def restyle(self) -> None:
        self.canvas.look = Look.now()
        super().restyle()

    def add_menu_entries(self, menu: QMenu) -> None:
        menu.addAction(tr("Save GIF…"), self._choose_film).setEnabled(bool(self._history.moved))

    def _choose_film(self) -> None:
        film = self.film()  # of the run that is in view now, whatever is when its file is chosen
        choose_file(self, "gif", lambda path: self.film_wanted.emit(film, path))
