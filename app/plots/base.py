"""The plot all others are made from: themed, with names at line ends, references, phases, follow and export."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pyqtgraph as pg
from numpy.typing import ArrayLike
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QFontMetrics, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QVBoxLayout, QWidget

from app.plots.export import Figure, Table, Text, enlarge, fill_menu, table_of, whole_size
from app.plots.items import (
    Y_PADDING,
    Canvas,
    HorizontalGrid,
    MarginLabel,
    Phase,
    PhaseStrip,
    Reference,
    ValueMargin,
    end_ahead,
)
from app.plots.series import Series, Values
from app.services import format as fmt
from app.services import icons
from app.services import tokens as t
from app.services.accessibility import describe
from app.services.theme import Role, theme
from app.services.tokens import MODELS, SeriesStyle
from app.services.translation import tr
from app.widgets.buttons import TextButton
from app.widgets.labels import ElidedLabel
from app.widgets.terms import heading

_BELOW = -12.0  # where a value that has no logarithm stands
_SHORT = {"original": "Original", "retrained": "Retrained", "head_only": "Head-only", "fresh": "Untrained",
          "unlearned": "Unlearned"}  # fmt: skip


class ThemedPlot(Figure):
    """Title, axis title, canvas with its margin of labels, caption; knows numbers and names, not runs.

    The margin is the legend: a click on a name switches its curve off and on. The wheel and a rectangle drawn with the
    mouse zoom, a double click shows everything again; so do +, − and 0. Changes are gathered and drawn once per turn of
    the event loop, and not at all while hidden; `flush` draws now.
    """

    hovered_step = Signal(object)  # float, or None when the mouse left
    follow_changed = Signal(bool)

    def __init__(
        self,
        title: str,
        y_title: str = "",
        parent: QWidget | None = None,
        *,
        y_range: tuple[float, float] | None = None,
        x_title: str = "Step",
        value_format: Callable[[float], str] = lambda value: fmt.decimal(value, 1),
        log: bool = False,
    ) -> None:
        super().__init__(parent)
        self._series: dict[str, Series] = {}
        self._references: tuple[Reference, ...] = ()
        self._pinned: set[str] = set()
        self._hovered_reference = ""
        self._lines: dict[str, pg.InfiniteLine] = {}
        self._cut: float | None = None
        self._tips = (tr("Click to show it"), tr("Click to hide it"))
        self._caption_text = ""
        self._follow = True
        self.dirty = True  # something changed that is not drawn yet
        self._x_title = x_title
        self.value_format = value_format
        self.log = (log, log)  # of the x and the y axis
        self.y_range = y_range  # None: what fits the values
        self.x_most: float | None = None  # where the x axis ends at last, for curves that grow towards it
        self.canvas = Canvas(log)
        self.item: pg.PlotItem = self.canvas.getPlotItem()
        self.view: pg.ViewBox = self.item.getViewBox()
        self._build(title, y_title)
        self._set_up_axes(y_range)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self.flush)
        self.ask_turn: Callable[[], None] | None = None  # where it waits for its turn with plots that change with it
        theme.changed.connect(self.restyle)
        self.restyle()

    # ---- what is shown

    @property
    def title(self) -> str:
        return self._title.text()

    def set_title(self, title: str) -> None:
        self._title.setText(title)
        self.canvas.setAccessibleName(title)

    def set_y_title(self, text: str) -> None:
        """Change the title above the y axis."""
        self._y_title_text = text
        self._show_y_title()

    def set_caption(self, text: str) -> None:
        self._caption_text = text
        self._caption.setText(text)
        self._caption.setVisible(bool(text))

    def caption(self) -> str:
        return self._caption_text

    def add_series(self, key: str, style: SeriesStyle, title: str = "", thin: bool = False) -> Series:
        """Add a curve, empty; a known key returns the curve that is there."""
        if key not in self._series:
            self._series[key] = Series(key, style, self.item, title, thin)
            self._series[key].set_log(*self.log)
            self._series[key].cut = self._cut
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
        """Draw what comes after a step faded; None draws everything as ever."""
        if step != self._cut:
            self._cut = step
            for series in self._series.values():
                series.cut = step
            self.mark_dirty()

    def set_series_visible(self, key: str, visible: bool) -> None:
        self._series[key].set_visible(visible)
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

    # ---- following

    @property
    def follow(self) -> bool:
        return self._follow

    def set_follow(self, follow: bool) -> None:
        """Follow, or stay where the user panned to."""
        if follow == self._follow:
            return
        self._follow = follow
        self.follow_button.setVisible(not follow)
        if follow:
            if self.y_range is not None:
                self.view.setYRange(*self.y_range, padding=Y_PADDING)
            else:
                self.view.enableAutoRange(y=self._fits_itself)
            self.mark_dirty()
        self.follow_changed.emit(follow)

    # ---- crosshair

    def show_step(self, step: float | None) -> None:
        """Draw the crosshair at a step and read the curves there, in the place of the axis title; None: no more."""
        self._readout = step is not None
        self._crosshair.setVisible(step is not None)
        if step is not None:
            self._crosshair.setValue(step)
        self._show_y_title()

    def readout(self, step: float) -> str:
        """The values at a step in words: "step 310 · Retain 93.1 · Forget 2.4"."""
        step = round(10**step) if self.log[0] else step
        parts = [f"{self._x_title.lower()} {fmt.count(round(step))}"]
        for series in self._shown():
            value = series.at(step)
            if value is not None:
                parts.append(f"{series.title} {self.value_format(value)}")
        return " · ".join(parts)

    def mark_dirty(self) -> None:
        """Something changed: draw once when the event loop comes round, or when it is this plot's turn."""
        self.dirty = True
        if not self.isVisible():
            return
        if self.ask_turn is not None:
            self.ask_turn()
        elif not self._timer.isActive():
            self._timer.start()

    def flush(self) -> None:
        """Draw what changed, now."""
        self._timer.stop()
        if not self.dirty:
            return
        self.dirty = False
        self._read()
        for series in self._series.values():
            series.draw()
        if self._follow:
            self._follow_data()
        self._fit_values()
        self.canvas.scene().prepareForPaint()  # else ranges that fit themselves change while painting: once more
        self._update_labels()
        if self._readout:
            self._show_y_title()
        self._describe()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.mark_dirty()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._hover(None)
        return False

    @property
    def x_title(self) -> str:
        return self._x_title

    def texts(self) -> list[Text]:
        found: list[tuple[str, Role, str, QWidget]] = [
            (self._title.text(), "section", "text", self._title),
            (self._y_title_text, "caption", "text-2", self._y_title),
            (self._caption_text, "caption", "text-2", self._caption),
        ]
        return [(text, role, token, self.place(widget)) for text, role, token, widget in found if text]

    def drawn_parts(self) -> list[tuple[QWidget, QPoint]]:
        return [(self.canvas, self.canvas.mapTo(self, QPoint(0, 0)))]

    def picture_size(self) -> QSize:
        return whole_size(self.width(), self.height())

    def table(self) -> Table:
        return table_of(self._x_title.lower(), [(s.title, s.x, s.y) for s in self._shown()])

    # ---- for those who build on this one

    def add_head_widget(self, widget: QWidget) -> None:
        self._head.insertWidget(1, widget)

    def set_log(self, y: bool) -> None:
        """Draw the values on a logarithmic axis, or on a linear one."""
        self.log = (self.log[0], y)
        self.item.setLogMode(*self.log)
        for series in self._series.values():
            series.set_log(*self.log)
        self.restyle()
        self.mark_dirty()

    def to_view(self, value: float) -> float:
        """The y coordinate of a value in the view; differs on a logarithmic axis."""
        return value if not self.log[1] else math.log10(value) if value > 0 else _BELOW

    def extra_labels(self) -> list[MarginLabel]:
        return []

    def add_menu_entries(self, menu: QMenu) -> None:
        """Further entries for the menu of this plot."""

    def _read(self) -> None:
        """Take what is to be drawn from where it is kept; called where something changed, right before it is drawn."""

    def _fit_values(self) -> None:
        """Fit the y axis to what is shown, where it does not fit itself."""

    def _shown(self) -> list[Series]:
        return [series for series in self._series.values() if series.visible and len(series)]

    def _follow_data(self) -> None:
        ends = [(s.x[0], s.x[-1]) for s in self._shown()]
        if ends:
            low, high = min(end[0] for end in ends), max(end[1] for end in ends)
            self.view.setXRange(min(low, 0.0), end_ahead(max(high, low + 10.0), self.x_most), padding=0.02)
        else:
            self.view.setXRange(0.0, 10.0, padding=0.02)

    def _update_labels(self) -> None:
        labels: list[MarginLabel] = []
        for series in self._series.values():
            last, style = series.last() if len(series) else None, series.style
            if last is not None:
                text = f"{series.title} {self.value_format(last[1])}" if series.visible else series.title
                tip = self._tips[series.visible]
                labels.append(MarginLabel(
                    series.key, text, self.to_view(last[1]), style.token, style.symbol, style.filled, style.dash,
                    tip=f"{text} · {tip}", hidden=not series.visible,
                ))  # fmt: skip
        for reference in self._references:
            style = MODELS[reference.model]
            of_set = f", {reference.set_name}" if reference.set_name else ""
            labels.append(MarginLabel(
                self._reference_key(reference), f"{_SHORT[reference.model]} {self.value_format(reference.value)}",
                self.to_view(reference.value), reference.set_name or style.token, style.symbol, style.filled,
                reference=True, tip=f"{style.title}{of_set}: {self.value_format(reference.value)}",
            ))  # fmt: skip
        self.margin.set_labels([*labels, *self.extra_labels()])
        self._update_lines()

    def _update_lines(self) -> None:
        wanted = {*self._pinned, self._hovered_reference} - {""}
        for reference in self._references:
            key = self._reference_key(reference)
            if key in wanted and key not in self._lines:
                style = MODELS[reference.model]
                pen = theme.pen(reference.set_name or style.token, 1, style.dash or (4, 3))
                line = pg.InfiniteLine(self.to_view(reference.value), angle=0, pen=pen)
                self._lines[key] = line
                self.item.addItem(line, ignoreBounds=True)
        for key in [key for key in self._lines if key not in wanted]:
            self.item.removeItem(self._lines.pop(key))

    def _describe(self) -> None:
        shown = self._shown()
        values = [f"{s.title.lower()} {self.value_format(last[1])}" for s in shown if (last := s.last())]
        steps = [last[0] for s in shown if (last := s.last())]
        if not values:
            describe(self.canvas, "no values yet")
            return
        describe(self.canvas, ", ".join([*values, f"{self._x_title.lower()} {fmt.count(round(max(steps)))}"]))

    @staticmethod
    def _reference_key(reference: Reference) -> str:
        return f"{reference.model}/{reference.set_name}"

    # ---- making it

    def _build(self, title: str, y_title: str) -> None:
        self._readout = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(2))
        self._head = QHBoxLayout()
        self._head.setSpacing(theme.px(t.S))
        self._title = heading(title)
        self._head.addWidget(self._title)
        self._head.addStretch(1)
        self.follow_button = TextButton("Reset view", lambda: self.set_follow(True))
        self.follow_button.setToolTip("Show everything again and follow the newest step")
        self.follow_button.setFixedHeight(theme.px(24))
        self.follow_button.hide()
        self._head.addWidget(self.follow_button)
        self.menu_button = self.export_button()
        self._head.addWidget(self.menu_button)
        column.addLayout(self._head)
        self._y_title_text = y_title
        self._y_title = ElidedLabel(y_title, "caption", "text-2", mode=Qt.TextElideMode.ElideRight)
        self._y_title.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._y_title.setFixedHeight(self._y_title.fontMetrics().height() + theme.px(2))  # also where it is empty
        column.addWidget(self._y_title)
        self.strip, self.margin = PhaseStrip(self.view), ValueMargin(self.view)
        self.item.layout.removeItem(self.item.titleLabel)
        self.item.titleLabel.hide()
        self.item.layout.addItem(self.strip, 0, 1)
        self.item.layout.addItem(self.margin, 2, 3, 2, 1)
        column.addWidget(self.canvas, 1)
        self._caption = ElidedLabel("", "caption", "text-2", mode=Qt.TextElideMode.ElideRight)
        self._caption.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._caption.hide()
        column.addWidget(self._caption)
        column.addWidget(self.said_label())
        self.canvas.setAccessibleName(title)
        self._crosshair = pg.InfiniteLine(angle=90)
        self._crosshair.hide()
        self.item.addItem(self._crosshair, ignoreBounds=True)
        self.canvas.scene().sigMouseMoved.connect(self._mouse_moved)
        self.canvas.installEventFilter(self)
        self.canvas.key_step.connect(self._key_step)
        self.canvas.menu_wanted.connect(self._menu.popup)
        self.margin.hovered.connect(self._reference_hovered)
        self.margin.clicked.connect(self.toggle)
        self.canvas.reset_wanted.connect(lambda: self.set_follow(True))
        self.canvas.zoom_wanted.connect(self._zoom)

    def _set_up_axes(self, y_range: tuple[float, float] | None) -> None:
        self.left_axis, self.bottom_axis = self.canvas.axes
        self.margin.foot = self._x_title.lower()
        self.grid = HorizontalGrid(self.left_axis, self.view)
        self.item.addItem(self.grid, ignoreBounds=True)
        self.view.setMouseMode(pg.ViewBox.RectMode)
        self._fits_itself = y_range is None
        self.view.enableAutoRange(x=False, y=y_range is None)
        self.view.setAutoVisible(y=y_range is None)
        if y_range is not None:
            self.view.setYRange(*y_range, padding=Y_PADDING)
        half = QFontMetrics(theme.font("caption")).height() // 2
        self.item.layout.setContentsMargins(0, 0 if y_range is not None else half, 0, 0)
        self.view.sigRangeChangedManually.connect(self._user_moved)

    def restyle(self) -> None:
        """Take on the theme's colours again."""
        self.canvas.restyle()
        self._crosshair.setPen(theme.pen("text_3"))
        for series in self._series.values():
            series.restyle()
        for key in list(self._lines):
            self.item.removeItem(self._lines.pop(key))
        self._update_lines()
        self.view.rbScaleBox.setPen(theme.pen("accent"))
        self.view.rbScaleBox.setBrush(theme.brush("accent", 0.12))
        for part in (self.grid, self.strip, self.margin):
            part.update()

    def _fill_menu(self) -> None:
        self._menu.clear()
        curves = self._menu.addMenu(tr("Curves and lines"))  # what a click on their names does
        for label in self.margin.labels():
            action = curves.addAction(label.text)
            action.setCheckable(True)
            action.setChecked(label.key in self._pinned if label.reference else not label.hidden)
            action.setData(label.key)
            action.triggered.connect(self._label_chosen)
        curves.setEnabled(bool(curves.actions()))
        self._menu.addAction(tr("Show everything"), lambda: self.set_follow(True))
        self.add_menu_entries(self._menu)
        self._menu.addSeparator()
        icons.set_icon(self._menu.addAction(tr("Enlarge"), lambda: enlarge(self)), "enlarge", "text_2")
        fill_menu(self._menu, self)

    # ---- what the user does

    def toggle(self, key: str) -> None:
        """Switch a curve off or on; of a reference, the line across."""
        if key in self._series:
            self.set_series_visible(key, not self._series[key].visible)
        else:
            self._pinned ^= {key}
            self._update_lines()

    def _label_chosen(self) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        self.toggle(action.data())

    def _zoom(self, factor: float) -> None:
        self.view.scaleBy((factor, factor))
        self.set_follow(False)

    def _show_y_title(self) -> None:
        self._y_title.setText(self.readout(self._crosshair.value()) if self._readout else self._y_title_text)

    def _user_moved(self, *_: object) -> None:
        self.set_follow(False)

    def _mouse_moved(self, position: QPointF) -> None:
        if self.view.sceneBoundingRect().contains(position):
            self._hover(float(self.view.mapSceneToView(position).x()))
        else:
            self._hover(None)

    def _hover(self, step: float | None) -> None:
        if step is None and not self._readout:
            return
        self.show_step(step)
        self.hovered_step.emit(step)

    def _key_step(self, by: int) -> None:
        shown = self._shown()
        if not shown:
            return
        xs = max((series.x for series in shown), key=len)
        now = self._crosshair.value() if self._readout else xs[-1]
        position = int(min(max(xs.searchsorted(now) + by, 0), len(xs) - 1))
        self._hover(float(xs[position]))

    def _reference_hovered(self, key: str) -> None:
        self._hovered_reference = key
        self._update_lines()
