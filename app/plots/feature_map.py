"""The feature map of a run, live and in the replay: forget points move among the classes that stay, on fixed axes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QElapsedTimer, QEvent, QPoint, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QHelpEvent, QIcon, QMouseEvent, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QCheckBox, QSizePolicy, QStackedWidget, QToolTip, QWidget

from app.plots.export import Cell, Figure, Table, Text, choose_file, enlarge, fill_menu, whole_size
from app.plots.items import draw_symbol
from app.plots.map_picture import GHOSTS, Film, Look, MapPicture, Moment, Placing, paint
from app.plots.spectrum import EIGENVALUES, EnergyPlot, SpectrumPlot
from app.services import format as fmt
from app.services import icons
from app.services.accessibility import describe
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import Segmented
from app.widgets.labels import ElidedLabel, caption
from app.widgets.layout import STRETCH, column, row
from app.widgets.terms import heading
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
        self.empty = ""  # what is said where there is no picture
        self._lit = ""
        self._look: Look | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(theme.px(120), theme.px(72))
        self.setAccessibleName(tr(TITLE))

    def placing(self) -> Placing | None:
        """Where points stand now; None without a picture."""
        area = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        return Placing(self.picture, area) if self.picture is not None else None

    def look_again(self) -> None:
        """Take on the theme's colours."""
        self._look = None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        clock = QElapsedTimer()
        clock.start()
        self._look = self._look or Look.now()
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._look.colours["surface"])
        painter.setPen(self._look.colours["line"])
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        placing = self.placing()
        if self.picture is None or self.moment is None or placing is None:
            painter.setFont(self._look.font)
            painter.setPen(self._look.colours["text_3"])
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self.empty)
        else:
            paint(painter, self.picture, self.moment.points, placing, self._look, self.ghosts, self._lit)
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
        placing = self.placing()
        if placing is None or self.picture is None or self.moment is None:
            return ""
        points = np.nan_to_num(self.moment.points, nan=1e9)
        away = np.hypot(*(placing.pixels(points) - (at.x(), at.y())).T)
        best = int(away.argmin()) if len(away) else -1
        return self.picture.labels[best] if best >= 0 and away[best] <= theme.px(_NEAR_PX) else ""

    def _light(self, name: str) -> None:
        if name != self._lit:
            self._lit = name
            self.update()


class FeatureMapPlot(Figure):
    """Shows what a run's history says of its map; `show_until` looks back. Draws once per turn of the event loop."""

    film_wanted = Signal(object, object)  # Film, Path: to be written by a worker

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.canvas = MapCanvas()
        self._heading = heading(tr(TITLE))
        self.head = row(self._heading, STRETCH, self.said_label(), self.export_button())
        self._caption = ElidedLabel("", "caption", "text-2", mode=Qt.TextElideMode.ElideRight)
        self._caption.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.forgotten = ElidedLabel("", "caption")
        self.ghosts = {key: QCheckBox(tr(name)) for key, (name, *_) in GHOSTS.items()}
        self.why = caption("", wrap=True)  # why a ghost is not there
        self.side = column(self.forgotten, *self.ghosts.values(), self.why, STRETCH, spacing=2)
        column(self.head, (row((self.canvas, 1), self.side), 1), self._caption, on=self, spacing=2)
        for key, box in self.ghosts.items():
            box.setFont(theme.font("caption"))
            box.setChecked(GHOSTS[key][3])
            box.toggled.connect(self.mark_dirty)
        self.ghosts["head_only"].setToolTip(tr(UNMOVED))
        self._caption.set_hint(tr(TURNED))
        self._history = RunHistory()
        self._until: int | None = None
        self._seen = 0  # moments whose extent the picture's area holds
        self.dirty = False
        self.ask_turn: Callable[[], object] | None = None  # waits for its turn with plots that change at the same time
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.flush)
        theme.changed.connect(self.restyle)
        self.set_clouds(None)
        self.restyle()

    # ---- what is shown

    def show_history(self, history: RunHistory, until: int | None) -> None:
        """Show a run as it was at a step, or as it grows (None)."""
        if history is not self._history:
            self._history = history
            self.canvas.picture = None
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

    def add_head_widget(self, widget: QWidget) -> None:
        """Put a switch beside the title."""
        self.head.insertWidget(1, widget)

    # ---- drawing in turn with others

    def mark_dirty(self) -> None:
        """Something changed: draw it soon, where it is seen."""
        self.dirty = True
        if self.isVisible():
            if self.ask_turn is not None:
                self.ask_turn()
            elif not self._timer.isActive():
                self._timer.start()

    def showEvent(self, event: object) -> None:
        self.mark_dirty()

    def flush(self) -> None:
        if not self.dirty:
            return
        self.dirty = False
        canvas, laid = self.canvas, self._history.feature_map
        if not isinstance(laid, FeatureMap):
            canvas.picture = canvas.moment = None
            canvas.empty = tr(NOT_BEGUN)
        else:
            canvas.picture = self._picture(laid)
            shown = newest_until(self._history.moved, self._until)
            start = Moment(laid.step, canvas.picture.start, canvas.picture.share)
            canvas.moment = Moment.of(shown) if isinstance(shown, FeaturesMoved) else start
        canvas.ghosts = self._shown_ghosts()
        self._tell()
        canvas.update()

    def _picture(self, laid: FeatureMap) -> MapPicture:
        """Return the picture with an area that holds the clouds and, of what was recorded since, up to 64 moments."""
        moved, picture = self._history.moved, self.canvas.picture
        if picture is None or not 0 < self._seen <= len(moved):
            picture, self._seen = MapPicture.of(laid, self._clouds), 0
        fresh = moved[self._seen :]
        fresh = fresh[:: -(-len(fresh) // 64) or 1] + fresh[-1:]
        self._seen = len(moved)
        return picture.holding(event.coordinates() for event in fresh if isinstance(event, FeaturesMoved))

    def _shown_ghosts(self) -> tuple[str, ...]:
        return tuple(key for key in GHOSTS if self.ghosts[key].isChecked() and not self.ghosts[key].isHidden()
                     and (key != "retrained" or self._clouds))  # fmt: skip

    def _tell(self) -> None:
        """Write the caption and what a screen reader says."""
        picture, moment = self.canvas.picture, self.canvas.moment
        if picture is None or moment is None:
            self._caption.setText("")
            self.forgotten.setText("")
            describe(self.canvas, self.canvas.empty)
            return
        self._caption.setText(picture.caption(moment))
        first, names = picture.forget_from, picture.forgotten
        forgotten = tr("Forget: {name}", name=names[0]) if len(names) == 1 else tr("Forget images")
        self.forgotten.setText(f"▲ {forgotten}")
        self.ghosts["head_only"].setVisible(picture.unseen)  # an edit of the head silences whole classes
        middle, begun = (np.nanmean(points[first:], axis=0) for points in (moment.points, picture.start))
        words = tr("Step {step}: the forget points' middle is {way} radii from where it was.",
                   step=fmt.count(moment.step), way=fmt.decimal(float(np.hypot(*(middle - begun))), 1))  # fmt: skip
        if self._clouds:
            goal = np.mean([cloud[first:].mean(0) for cloud in self._clouds.values()], axis=0)
            near, far = (fmt.decimal(float(np.hypot(*(goal - place))), 1) for place in (middle, begun))
            words += " " + tr("From the retrained models' it is {near} away; at the start {far}.", near=near, far=far)
        describe(self.canvas, f"{words} {self.caption()}")

    # ---- taking it along

    @property
    def title(self) -> str:
        return tr(TITLE)

    def caption(self) -> str:
        picture = self.canvas.picture
        if picture is None:
            return ""
        return f"{picture.caption(self.canvas.moment)}. {tr(TURNED)}"

    def texts(self) -> list[Text]:
        return [
            (self.title, "section", "text", self.place(self._heading)),
            (self._caption.text(), "caption", "text-2", self.place(self._caption)),
            (self.forgotten.text(), "caption", "forget", self.place(self.forgotten)),
            *((f"{GHOSTS[key][1]} {box.text()}", "caption", GHOSTS[key][2], self.place(box))
              for key, box in self.ghosts.items() if key in self._shown_ghosts()),
        ]  # fmt: skip

    def drawn_parts(self) -> list[tuple[QWidget, QPoint]]:
        return [(self.canvas, self.place(self.canvas).topLeft())]

    def picture_size(self) -> QSize:
        return whole_size(self.width(), self.height())

    def table(self) -> Table:
        """A row an image: its class, whether it is to be forgotten, its place now, at the start, and in each cloud."""
        picture, moment = self.canvas.picture, self.canvas.moment
        if picture is None or moment is None:
            return [], []
        columns = {"": moment.points, "start ": picture.start}
        columns |= {f"retrained {name} ": cloud for name, cloud in picture.clouds.items()}
        header = ["class", "forget", *(f"{name}{axis}" for name in columns for axis in ("x", "y"))]
        rows: list[list[Cell]] = [
            [label, "yes" if number >= picture.forget_from else "no",
             *(float(points[number, axis]) for points in columns.values() for axis in (0, 1))]
            for number, label in enumerate(picture.labels)
        ]  # fmt: skip
        return header, rows

    def film(self, until: int | None = None) -> Film | None:
        """Return the run up to a step as a film; None where there is no map. Colours are the light theme's."""
        self.flush()
        picture, moved = self.canvas.picture, self._history.moved
        if picture is None or not moved:
            return None
        with theme.borrow_light():
            look = Look.now()
        known = (event for event in moved if isinstance(event, FeaturesMoved))
        moments = [Moment.of(event) for event in known if until is None or event.step <= until]
        return Film(picture, moments, look, self._shown_ghosts(), self.title, self.provenance)

    def say(self, text: str) -> None:
        """Say for a moment what became of a file."""
        self._said.setText(text)
        self._said.show()
        self._quiet.start()

    def restyle(self) -> None:
        for key, box in self.ghosts.items():
            symbol, token = _SYMBOLS[key], GHOSTS[key][2]
            picture = QPixmap(theme.px(14), theme.px(14))
            picture.fill(Qt.GlobalColor.transparent)
            painter = QPainter(picture)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            draw_symbol(painter, QPointF(theme.px(7), theme.px(7)), symbol, token, key == "retrained")
            painter.end()
            box.setIcon(QIcon(picture))
        palette = self.forgotten.palette()
        palette.setColor(self.forgotten.foregroundRole(), theme.color("forget"))
        self.forgotten.setPalette(palette)
        self.canvas.look_again()

    def _fill_menu(self) -> None:
        self._menu.clear()
        enough = bool(self._history.moved)
        upto = tr("Save GIF, up to step {step}…", step=fmt.count(self._until)) if self._until is not None else ""
        for text, until in ((tr("Save GIF, whole run…"), None), (upto, self._until)):
            if text:
                self._menu.addAction(text, functools.partial(self._choose_film, until)).setEnabled(enough)
        self._menu.addSeparator()
        icons.set_icon(self._menu.addAction(tr("Enlarge"), lambda: enlarge(self)), "enlarge", "text_2")
        fill_menu(self._menu, self)

    def _choose_film(self, until: int | None) -> None:
        choose_file(self, "gif", lambda path: self.film_wanted.emit(self.film(until), path))


VIEWS = (("map", mark("Map")), ("energy", mark("Energy")), ("ratio", mark("Ratio")), ("values", EIGENVALUES))
NO_ENERGY = mark("How much energy retain directions hold is recorded where whole classes are forgotten.")


class FeaturesPanel(QStackedWidget):
    """What becomes of the features of a run: the map, energies, eigenvalues; one of them at a time."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.map, self.energy, self.eigenvalues = FeatureMapPlot(), EnergyPlot(), SpectrumPlot()
        self._switches: list[Segmented] = []
        for plot in self.views():
            switch = Segmented([(key, tr(name)) for key, name in VIEWS], tr("Features"))
            switch.changed.connect(self.set_view)
            plot.add_head_widget(switch)
            self._switches.append(switch)
            self.addWidget(plot)
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
        newest = history.moved[-1] if history.moved else None
        off = {}
        if history.spectra and history.feature_map is None:
            off["map"] = tr(NO_MAP)
        if history.spectra and not (isinstance(newest, FeaturesMoved) and newest.forget_energy):
            off["energy"] = tr(NO_ENERGY)
        view = self._wanted if self._wanted not in ("", *off) else next(key for key, _ in VIEWS if key not in off)
        for switch in self._switches:
            for key in ("map", "energy"):
                switch.set_enabled(key, key not in off, off.get(key, ""))
            switch.blockSignals(True)
            switch.set_value(view)
            switch.blockSignals(False)
        self.map.show_history(history, self._until)
        self.energy.show_history(history, self._until)
        self.eigenvalues.show_history(history, self._until, view == "ratio", self._overlaid)
        shown = {"map": self.map, "energy": self.energy}.get(view, self.eigenvalues)
        if self.indexOf(shown) >= 0:  # not while it stands in a window of its own
            self.setCurrentWidget(shown)
