"""The plot all others are made from: themed, with names at line ends, references, phases, follow and export."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pyqtgraph as pg
from numpy.typing import ArrayLike
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFontMetrics, QKeyEvent
from PySide6.QtWidgets import QMenu, QWidget

from app.plots.export import Figure, Table, Text, one_line, table_of
from app.plots.items import (
    Y_PADDING,
    Canvas,
    MarginLabel,
    Phase,
    PhaseStrip,
    Reference,
    Series,
    ValueMargin,
    Values,
    end_ahead,
)
from app.services import format as fmt
from app.services.theme import theme
from app.services.tokens import MODELS, SETS, SeriesStyle
from app.services.translation import inside, mark, tr
from app.widgets.buttons import TextButton
from app.widgets.labels import describe
from app.widgets.layout import column

_BELOW = -12.0  # where a value that has no logarithm stands
NO_VALUES = mark("no values yet")
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Home: -1_000_000, Qt.Key.Key_End: 1_000_000}
_ZOOMS = {Qt.Key.Key_Plus: 0.8, Qt.Key.Key_Equal: 0.8, Qt.Key.Key_Minus: 1.25}


class ThemedPlot(Figure):
    """Title, axis title, canvas with its margin of labels, caption; knows numbers and names, not runs.

    The margin is the legend: a click on a name switches its curve off and on. The wheel and a rectangle drawn with the
    mouse zoom, a double click shows everything again; so do +, − and 0.
    """

    hovered_step = Signal(object)  # float, or None when the mouse left
    follow_changed = Signal(bool)
    enlargeable = True
    labels_say_values = True

    def __init__(
        self,
        title: str,
        y_title: str = "",
        parent: QWidget | None = None,
        *,
        y_range: tuple[float, float] | None = None,
        x_title: str = "",
        value_format: Callable[[float], str] = lambda value: fmt.decimal(value, 1),
        log: tuple[bool, bool] = (False, False),
    ) -> None:
        super().__init__(parent, title)
        self._series: dict[str, Series] = {}
        self._references: tuple[Reference, ...] = ()
        self._pinned: set[str] = set()
        self._hovered_reference = ""
        self._lines: dict[str, pg.InfiniteLine] = {}
        self._cut: float | None = None
        self._y_title_text = y_title
        self.x_title = x_title or tr("Step")
        self.follow = True
        self.value_format = value_format
        self.log = log  # of the x and the y axis
        self.y_range = y_range  # None: what fits the values
        self.x_most: float | None = None  # where the x axis ends at last, for curves that grow towards it
        self.together: Sequence[ThemedPlot] = (self,)  # those with the same x axis
        self.asked: tuple[float, float] | None = None  # the range of x that was asked for last while following
        self.canvas = Canvas(log)
        self.canvas.setAccessibleName(title)
        self.item: pg.PlotItem = self.canvas.getPlotItem()
        self.view: pg.ViewBox = self.item.getViewBox()
        self.left_axis, self.bottom_axis = self.canvas.axes
        self._build()
        self._set_up_view()

    # ---- what is shown

    def set_y_title(self, text: str) -> None:
        """Change the title above the y axis."""
        self._y_title_text = text
        self._show_y_title()

    def add_series(self, key: str, style: SeriesStyle, title: str = "", thin: bool = False) -> Series:
        """Add a curve, empty; a known key returns the curve that is there."""
        if key not in self._series:
            self._series[key] = Series(key, style, self.item, title, thin)
        return self._series[key]

    def series(self, key: str) -> Series:
        return self._series[key]

    def all_series(self) -> tuple[Series, ...]:
        return tuple(self._series.values())

    def remove_series(self, key: str) -> None:
        self._series.pop(key).remove()

    def set_data(self, key: str, x: ArrayLike, y: Values) -> None:
        self._series[key].set(x, y)
        self.mark_dirty()

    def set_cut(self, step: float | None) -> None:
        """Draw what comes after a step faded, and the crosshair at it; None draws everything as ever."""
        if step != self._cut:
            self._cut = step
            self.show_step(None)
            self.mark_dirty()

    def clear(self) -> None:
        for series in self._series.values():
            series.set([], [])
        self.set_phases(())
        self._pinned.clear()
        self.set_follow(True)
        self.mark_dirty()

    def set_references(self, references: Sequence[Reference]) -> None:
        """Show these values as markers in the right margin."""
        self._references = tuple(references)
        self.mark_dirty()

    def set_phases(self, phases: Sequence[Phase], named: bool = True) -> None:
        self.strip.set_phases(phases, named)
        self.item.layout.setRowFixedHeight(0, self.strip.room)

    def set_follow(self, follow: bool) -> None:
        """Follow the newest, or stay where the user panned to."""
        if follow == self.follow:
            return
        self.follow = follow
        self.follow_button.setVisible(not follow)
        if follow:
            self.asked = None
            self._fit_y()
            self.mark_dirty()
        self.follow_changed.emit(follow)

    def show_step(self, step: float | None) -> None:
        """Draw the crosshair at a step and read the curves there, in the place of the axis title; None: at the cut."""
        step = self._cut if step is None else step
        self._crosshair.setVisible(step is not None)
        if step is not None:
            self._crosshair.setValue(step)
        self._show_y_title()

    def readout(self, step: float) -> str:
        """The values at a step in words: "step 310 · Retain 93.1 · Forget 2.4"."""
        step = round(10**step) if self.log[0] else step
        known = [(series.title, series.at(step)) for series in self._shown()]
        values = [f"{title} {self.value_format(value)}" for title, value in known if value is not None]
        return " · ".join([self._at(step), *values])

    def toggle(self, key: str) -> None:
        """Switch a curve off or on; of a reference, the line across."""
        if key in self._series:
            self._series[key].visible = not self._series[key].visible
            self.mark_dirty()
        else:
            self._pinned ^= {key}
            self._update_lines()

    def set_log(self, y: bool) -> None:
        """Draw the values on a logarithmic axis, or on a linear one."""
        self.log = (self.log[0], y)
        self.item.setLogMode(*self.log)
        self.restyle()

    # ---- as a figure

    def texts(self) -> list[Text]:
        self._y_title.setText(self._y_title_text)  # not what is read at a step
        found = super().texts()
        self._show_y_title()
        return found

    def table(self) -> Table:
        return table_of(self.x_title.lower(), [(s.title, s.x, s.y) for s in self._shown()])

    def add_menu_entries(self, menu: QMenu) -> None:
        curves = menu.addMenu(tr("Curves and lines"))  # what a click on their names does
        for label in self.margin.labels():
            action = curves.addAction(label.text)
            action.setCheckable(True)
            action.setChecked(label.key in self._pinned if label.reference else not label.hidden)
            action.triggered.connect(lambda _on=False, key=label.key: self.toggle(key))
        curves.setEnabled(bool(curves.actions()))

    def restyle(self) -> None:
        self.canvas.restyle()
        self._crosshair.setPen(theme.pen("text_3"))
        self.view.rbScaleBox.setPen(theme.pen("accent"))
        self.view.rbScaleBox.setBrush(theme.brush("accent", 0.12))
        self._update_sides()
        super().restyle()

    def _draw(self) -> None:
        self._read()
        for series in self._series.values():
            series.draw(self._cut, self.log)
        if self.follow:
            self._follow_data()
        self._fit_values()
        self.canvas.scene().prepareForPaint()  # else ranges that fit themselves change while painting: once more
        self._update_labels()
        self._show_y_title()
        describe(self.canvas, self._description() or tr(NO_VALUES))

    # ---- for those who build on this one

    def to_view(self, value: float) -> float:
        """The y coordinate of a value in the view; differs on a logarithmic axis."""
        return value if not self.log[1] else math.log10(value) if value > 0 else _BELOW

    def _read(self) -> None:
        """Take what is to be drawn from where it is kept; called where something changed, right before it is drawn."""

    def _fit_values(self) -> None:
        """Fit the y axis to what is shown, where it does not fit itself."""

    def _shown(self) -> list[Series]:
        return [series for series in self._series.values() if series.visible and len(series)]

    def _follow_data(self) -> None:
        """Show all steps of the plots with this x axis, and have the others do so in their turns."""
        ends = [(s.x[0], s.x[-1]) for plot in self.together for s in plot._shown()]
        low, high = (min(end[0] for end in ends), max(end[1] for end in ends)) if ends else (0.0, 10.0)
        wanted = (min(low, 0.0), end_ahead(max(high, low + 10.0), self.x_most))
        if wanted != self.asked:
            self.asked = wanted
            self.view.setXRange(*wanted, padding=0.02)
            for plot in self.together:
                if plot is not self:
                    plot.mark_dirty()

    def _update_labels(self) -> None:
        labels: list[MarginLabel] = []
        for series in self._series.values():
            last = series.last() if len(series) else None
            if last is not None:
                says_value = series.visible and self.labels_say_values
                text = f"{series.title} {self.value_format(last[1])}" if says_value else series.title
                tip = f"{text} · {tr('Click to hide it') if series.visible else tr('Click to show it')}"
                labels.append(MarginLabel(
                    series.key, text, self.to_view(last[1]), series.style, tip=tip, hidden=not series.visible
                ))  # fmt: skip
        for reference in self._references:
            value, style = self.value_format(reference.value), MODELS[reference.model]
            of_set = f", {SETS[reference.set_name].title}" if reference.set_name else ""
            labels.append(MarginLabel(
                reference.key, f"{style.short} {value}", self.to_view(reference.value), style,
                reference.set_name, reference=True, tip=f"{style.title}{of_set}: {value}",
            ))  # fmt: skip
        self.margin.set_labels(labels)
        self._update_lines()

    def _update_lines(self) -> None:
        for line in self._lines.values():
            self.item.removeItem(line)
        self._lines = {}
        for reference in self._references:
            if reference.key in self._pinned or reference.key == self._hovered_reference:
                style = MODELS[reference.model]
                pen = theme.pen(reference.set_name or style.token, 1, style.dash or (4, 3))
                line = pg.InfiniteLine(self.to_view(reference.value), angle=0, pen=pen)
                self._lines[reference.key] = line
                self.item.addItem(line, ignoreBounds=True)

    def _description(self) -> str:
        """What a screen reader says of the values shown; "" without any."""
        if not self.labels_say_values:
            return self.caption()
        known = [(inside(series.title), last) for series in self._shown() if (last := series.last())]
        values = [f"{title} {self.value_format(last[1])}" for title, last in known]
        return ", ".join([*values, self._at(max(last[0] for _, last in known))]) if known else ""

    def _at(self, step: float) -> str:
        return f"{inside(self.x_title)} {fmt.count(round(step))}"

    # ---- making it

    def _build(self) -> None:
        self.follow_button = TextButton(tr("Reset view"), self._reset)
        self.follow_button.setToolTip(tr("Show everything again and follow the newest step"))
        self.follow_button.setFixedHeight(theme.px(24))
        self._y_title = one_line(self._y_title_text)
        self._y_title.setFixedHeight(self._y_title.fontMetrics().height() + theme.px(2))  # also where it is empty
        column(self.make_head(self.follow_button), self._y_title, (self.canvas, 1), self.caption_label, self.said,
               on=self, spacing=2)  # fmt: skip
        self.follow_button.hide()
        self.caption_label.hide()
        self.strip, self.margin = PhaseStrip(self.view), ValueMargin(self.view)
        self.margin.foot = inside(self.x_title)
        self.item.layout.removeItem(self.item.titleLabel)
        self.item.titleLabel.hide()
        self.item.layout.addItem(self.strip, 0, 1)
        self.item.layout.addItem(self.margin, 2, 3, 2, 1)
        self._crosshair = pg.InfiniteLine(angle=90)
        self._crosshair.hide()
        self.item.addItem(self._crosshair, ignoreBounds=True)
        self.canvas.scene().sigMouseMoved.connect(self._mouse_moved)
        self.canvas.installEventFilter(self)
        self.margin.hovered.connect(self._reference_hovered)
        self.margin.clicked.connect(self.toggle)
        self.canvas.reset_wanted.connect(self._reset)

    def _set_up_view(self) -> None:
        self.view.setMouseMode(pg.ViewBox.RectMode)
        self.view.disableAutoRange()
        self.view.setAutoVisible(y=self.y_range is None)
        self._fit_y()
        half = QFontMetrics(theme.font("caption")).height() // 2
        self.item.layout.setContentsMargins(0, 0 if self.y_range is not None else half, 0, 0)
        self.view.sigRangeChangedManually.connect(self._user_moved)
        self.view.sigRangeChanged.connect(self._update_sides)
        self.view.sigResized.connect(self._update_sides)

    def _fit_y(self) -> None:
        if self.y_range is None:
            self.view.enableAutoRange(y=True)
        else:
            self.view.setYRange(*self.y_range, padding=Y_PADDING)

    # ---- what the user does

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._hover(None)
        return False

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self._menu.popup(event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in _STEPS:
            self._key_step(_STEPS[key])
        elif key in _ZOOMS:
            self.view.scaleBy((_ZOOMS[key], _ZOOMS[key]))
            self.set_follow(False)
        elif key == Qt.Key.Key_0:
            self._reset()
        else:
            super().keyPressEvent(event)

    def _reset(self) -> None:
        self.set_follow(True)

    def _show_y_title(self) -> None:
        read = self._crosshair.isVisible()
        text = self.readout(self._crosshair.value()) if read else self._y_title_text
        if text != self._y_title.text():  # else a new layout would be asked for at each drawing
            self._y_title.setText(text)

    def _user_moved(self, *_: object) -> None:
        self.set_follow(False)

    def _mouse_moved(self, position: QPointF) -> None:
        inside = self.view.sceneBoundingRect().contains(position)
        self._hover(float(self.view.mapSceneToView(position).x()) if inside else None)

    def _hover(self, step: float | None) -> None:
        if step is not None or self._crosshair.isVisible():
            self.show_step(step)
            self.hovered_step.emit(step)

    def _key_step(self, by: int) -> None:
        shown = self._shown()
        if shown:
            xs = max((series.x for series in shown), key=len)
            now = self._crosshair.value() if self._crosshair.isVisible() else xs[-1]
            position = int(min(max(xs.searchsorted(now) + by, 0), len(xs) - 1))
            self._hover(float(xs[position]))

    def _update_sides(self, *_: object) -> None:
        self.strip.update()
        self.margin.update()

    def _reference_hovered(self, key: str) -> None:
        self._hovered_reference = key
        self._update_lines()
