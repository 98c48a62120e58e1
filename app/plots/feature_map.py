"""The feature map of a run, live and in the replay: forget points move among the classes that stay, on fixed axes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QElapsedTimer, QEvent, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QHelpEvent, QIcon, QMouseEvent, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QCheckBox, QMenu, QSizePolicy, QToolTip, QWidget

from app.plots.export import Figure, Table, Text, choose_file
from app.plots.group import Switched
from app.plots.items import draw_symbol
from app.plots.map_picture import GHOSTS, Film, Look, MapPicture, Moment, Placing, legend_of, paint
from app.plots.points import nearest
from app.plots.spectrum import EIGENVALUES, EnergyPlot, SpectrumPlot
from app.services import format as fmt
from app.services.accessibility import describe
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.labels import ElidedLabel, caption
from app.widgets.layout import STRETCH, column, row
from app.workers.run_history import RunHistory, newest_until
from core.events import Event, FeatureMap, FeaturesMoved

if TYPE_CHECKING:
    from core.session.feature_maps import Clouds

TITLE = mark("Feature map")
NOT_BEGUN = mark("The map begins with the first measurement.")
NO_MAP = mark("This run recorded no feature map: an earlier version made it, or its network was trained from scratch.")
TURNED = mark("All networks are turned and scaled as a whole to fit the start: what has moved, no turn brings back.")
UNMOVED = mark("A head-only edit changes no feature: its points stay where they are at the start.")
_SYMBOLS = {"start": "t1", "retrained": "d", "head_only": "x"}
_NEAR_PX = 8


class MapCanvas(QWidget):
    """Paints a picture at one moment; the class of the point under the mouse is lit and named."""

    def __init__(self) -> None:
        super().__init__()
        self.painted_ms = 0.0
        self.picture: MapPicture | None = None
        self.moment: Moment | None = None
        self.ghosts: tuple[str, ...] = ()
        self._lit = ""
        self.look = Look.now()
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
            paint(painter, self.picture, points, placing, look, self.ghosts, self._lit)
        painter.end()
        self.painted_ms = clock.nsecsElapsed() / 1e6

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._light(self._class_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self._light("")

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self._class_at(QPointF(event.pos())), self)
            return True
        return super().event(event)

    def _class_at(self, at: QPointF) -> str:
        """The class of the point nearest to a pixel; "" where none is near."""
        if self.picture is None or self.moment is None:
            return ""
        points = np.nan_to_num(self.moment.coordinates(), nan=1e9)
        best = nearest(self.placing(self.picture).pixels(points), at.x(), at.y(), theme.px(_NEAR_PX))
        return self.picture.laid.labels[best] if best >= 0 else ""

    def _light(self, name: str) -> None:
        if name != self._lit:
            self._lit = name
            self.update()


class FeatureMapPlot(Figure):
    """Shows what a run's history says of its map, as it grows or looked back at."""

    film_wanted = Signal(object, object)  # Film, Path: to be written by a worker
    enlargeable = True

    def __init__(self) -> None:
        super().__init__(title=tr(TITLE))
        self.canvas = MapCanvas()
        self.forgotten = ElidedLabel("", "caption", "forget")
        self.ghosts = {key: QCheckBox(tr(name)) for key, (name, *_) in GHOSTS.items()}
        self.why = caption("", wrap=True)  # why a ghost is not there
        side = column(self.forgotten, *self.ghosts.values(), self.why, STRETCH, spacing=2)
        column(self.make_head(self.said), (row((self.canvas, 1), side), 1), self.caption_label, on=self, spacing=2)
        for key, box in self.ghosts.items():
            box.setFont(theme.font("caption"))
            box.setChecked(GHOSTS[key][3])
            box.toggled.connect(self.mark_dirty)
        self.ghosts["head_only"].setToolTip(tr(UNMOVED))
        self.caption_label.set_hint(tr(TURNED))
        self._history = RunHistory()
        self._until: int | None = None
        self._picture: MapPicture | None = None
        self._seen = 0  # moments whose extent the picture's area holds
        self.set_clouds(None)

    # ---- what is shown

    def show_history(self, history: RunHistory, until: int | None) -> None:
        """Show a run as it was at a step, or as it grows (None)."""
        if history is not self._history:
            self._history = history
            self.set_clouds(None)
        self._until = until
        self.mark_dirty()

    def clear(self) -> None:
        """Show no run."""
        self.show_history(RunHistory(), None)

    def set_clouds(self, clouds: Clouds | None) -> None:
        """Show what retrained models make of the images; None: that is not known yet."""
        self._clouds = dict(clouds.points) if clouds is not None else {}
        self.ghosts["retrained"].setEnabled(bool(self._clouds))
        self.why.setText(clouds.why if clouds is not None else "")
        self.why.setVisible(bool(self.why.text()))
        self._seen = 0  # the area is to hold them, too
        self.mark_dirty()

    def _draw(self) -> None:
        canvas, laid = self.canvas, self._history.feature_map
        canvas.picture = canvas.moment = None
        if isinstance(laid, FeatureMap):
            canvas.picture = self._picture = self._grown(laid)
            shown = newest_until(self._history.moved, self._until)
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
        self.ghosts["head_only"].setVisible(picture.unseen)  # an edit of the head silences whole classes
        middle, begun = (np.nanmean(points[first:], axis=0) for points in (moment.coordinates(), picture.start))
        words = tr("Step {step}: the forget points' middle is {way} radii from where it was.",
                   step=fmt.count(moment.step), way=_distance(middle, begun))  # fmt: skip
        if self._clouds:
            goal = np.mean([cloud[first:].mean(0) for cloud in self._clouds.values()], axis=0)
            words += " " + tr("From the retrained models' it is {near} away; at the start {far}.",
                              near=_distance(goal, middle), far=_distance(goal, begun))  # fmt: skip
        describe(self.canvas, f"{words} {self.caption()}")

    # ---- as a figure

    def caption(self) -> str:
        shown = self.caption_label.text()
        return f"{shown}. {tr(TURNED)}" if shown else ""

    def texts(self) -> list[Text]:
        ghosts, font = self._shown_ghosts(), theme.font("caption")
        places = [self.place(self.ghosts[key]) for key in ghosts]
        legend = zip(legend_of(ghosts), places, strict=True)
        return [*super().texts(), *((text, font, token, place) for (text, token), place in legend)]

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

    def film(self, until: int | None = None) -> Film | None:
        """Return the run up to a step as a film; None where there is no map. Colours are the light theme's."""
        self.flush()
        picture, moved = self.canvas.picture, self._history.moved
        if picture is None or not moved:
            return None
        with theme.borrow_light():
            look = Look.now()
        known = [event for event in moved if isinstance(event, FeaturesMoved)]
        moments = [event for event in known if until is None or event.step <= until]
        return Film(picture, moments, look, self._shown_ghosts(), self.title, self.provenance)

    def restyle(self) -> None:
        side = theme.px(14)
        for key, box in self.ghosts.items():
            picture = QPixmap(side, side)
            picture.fill(Qt.GlobalColor.transparent)
            painter = QPainter(picture)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            middle = QPointF(side / 2, side / 2)
            draw_symbol(painter, middle, _SYMBOLS[key], GHOSTS[key][2], key == "retrained")
            painter.end()
            box.setIcon(QIcon(picture))
        self.canvas.look = Look.now()
        super().restyle()

    def add_menu_entries(self, menu: QMenu) -> None:
        upto = tr("Save GIF, up to step {step}…", step=fmt.count(self._until)) if self._until is not None else ""
        for text, until in ((tr("Save GIF, whole run…"), None), (upto, self._until)):
            if text:
                action = menu.addAction(text, functools.partial(self._choose_film, until))
                action.setEnabled(bool(self._history.moved))

    def _choose_film(self, until: int | None) -> None:
        choose_file(self, "gif", lambda path: self.film_wanted.emit(self.film(until), path))


def _distance(here: NDArray[np.floating], there: NDArray[np.floating]) -> str:
    return fmt.decimal(float(np.hypot(*(here - there))), 1)


VIEWS = (("map", mark("Map")), ("energy", mark("Energy")), ("ratio", mark("Ratio")), ("values", EIGENVALUES))
NO_ENERGY = mark("How much energy retain directions hold is recorded where whole classes are forgotten.")


class FeaturesPanel(Switched):
    """What becomes of the features of a run: the map, energies, eigenvalues; one of them at a time."""

    def __init__(self) -> None:
        self.map, self.energy, self.eigenvalues = FeatureMapPlot(), EnergyPlot(), SpectrumPlot()
        super().__init__(self.views(), [(key, tr(name)) for key, name in VIEWS], tr("Features"))
        self.chosen.connect(self.set_view)
        self._history = RunHistory()
        self._overlaid: tuple[RunHistory, ...] = ()
        self._until: int | None = None
        self._wanted = ""  # the view that the user chose; "" follows what was recorded
        self._show()

    @property
    def view(self) -> str:
        """The view that shows: "map", "energy", "ratio" or "values"."""
        return self._switches[0].value()

    def views(self) -> tuple[FeatureMapPlot, EnergyPlot, SpectrumPlot]:
        """All plots."""
        return self.map, self.energy, self.eigenvalues

    def show_history(self, history: RunHistory, mode: str, overlaid: Sequence[RunHistory] = ()) -> None:
        """Show a run, in the view that says most of what it recorded; the eigenvalues of other runs dashed."""
        if history is not self._history:
            self._history, self._until, self._wanted = history, None, ""
        self._overlaid = tuple(overlaid)
        self._show()

    def add(self, events: Sequence[Event]) -> None:
        """Take notice of new events, which the history holds already."""
        if any(event.type in ("feature_map", "features_moved", "spectrum", "run_started") for event in events):
            self._show()

    def show_until(self, step: int | None) -> None:
        """Look back to a step; None is the newest and follows."""
        self._until = step
        self._show()

    def set_view(self, view: str) -> None:
        """Show a view, until another run is shown."""
        self._wanted = view
        self._show()

    def _show(self) -> None:
        """Show the view that was chosen, or the first that there is something for, and say why others are off."""
        history = self._history
        newest, off = history.moved[-1] if history.moved else None, dict[str, str]()
        if history.spectra and history.feature_map is None:
            off["map"] = tr(NO_MAP)
        if history.spectra and not (isinstance(newest, FeaturesMoved) and newest.forget_energy):
            off["energy"] = tr(NO_ENERGY)
        view = self._wanted if self._wanted not in ("", *off) else next(key for key, _ in VIEWS if key not in off)
        for switch in self._switches:
            for key in ("map", "energy"):
                switch.set_enabled(key, key not in off, off.get(key, ""))
        self.map.show_history(history, self._until)
        self.energy.until = self._until
        self.energy.show_history(history, "")
        self.eigenvalues.show_spectra(history, self._until, view == "ratio", self._overlaid)
        self.show_plot(view, {"map": self.map, "energy": self.energy}.get(view, self.eigenvalues))
