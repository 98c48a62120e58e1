"""The map of images: classes in their tones, density where points lie over each other, the forget set on top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QCursor, QKeyEvent, QKeySequence, QPainter, QPixmap
from PySide6.QtWidgets import QLabel

from app.plots.export import Cell, Figure, Table
from app.plots.points import (
    Floats,
    Ints,
    Mask,
    class_centres,
    nearest,
    paint_names,
    points_in_polygon,
    points_in_rectangle,
)
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.labels import Label, describe
from app.widgets.layout import STRETCH, column, row, widget_of

Tool = Literal["pan", "lasso", "rectangle"]
Mode = Literal["replace", "add", "remove", "back"]  # "back": the click before was the first of a double click
Thumbnail = Callable[[int], QPixmap | None]

MOST_TONED = 200  # classes; more share one grey, and the one under the mouse is lit
MOST_NAMED = 60  # class names drawn at most, where they do not cover each other
MARKS_UP_TO = 3000  # forget points drawn as marks; more are dots, so that their density shows
_DOT, _MARK, _RING = 4, 9, 11  # sizes, in pixels of the design
_FAINT, _SOLID, _CROWD = 0.15, 0.85, 25.0  # opacity of dots: least, most, and by the root of their number in view
_DIMMED = 0.3  # of all others while one class is lit
_NEAR_PX = 8
_HOVER_MS = 60
_ZOOM = 1.25  # a press of + or -
_STEPS = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, 1), Qt.Key.Key_Down: (0, -1)}


class MapView(pg.ViewBox):
    """Left drag draws an outline with the lasso and the rectangle, else it pans; the wheel zooms with every tool.

    Outlines are (m, 2) corners in the map's coordinates. Positions are the scene's.
    """

    outline_changed = Signal(object)
    outline_drawn = Signal(object, object)  # corners, keyboard modifiers
    clicked = Signal(QPointF, object, bool)  # position, keyboard modifiers, whether it is a double click

    def __init__(self) -> None:
        super().__init__(lockAspect=True, enableMenu=False)
        self.tool: Tool = "pan"
        self._path: list[tuple[float, float]] | None = None  # None: no outline is being drawn

    @property
    def drawing(self) -> bool:
        """Whether an outline is being drawn."""
        return self._path is not None

    def give_up(self) -> None:
        """Drop the outline that is being drawn, while the mouse is still down."""
        self._path = None
        self.outline_changed.emit(np.empty((0, 2)))

    def mouseDragEvent(self, ev: Any, axis: int | None = None) -> None:
        if self.tool == "pan" or ev.button() != Qt.MouseButton.LeftButton:
            super().mouseDragEvent(ev, axis)
            return
        ev.accept()
        if ev.isStart():
            self._path = [self._at(ev.buttonDownScenePos())]
        if self._path is None:
            return
        here = self._at(ev.scenePos())
        self._path = [self._path[0], here] if self.tool == "rectangle" else [*self._path, here]
        outline = np.array(self._path if self.tool == "lasso" else _box(*self._path))
        if not ev.isFinish():
            self.outline_changed.emit(outline)
            return
        self.give_up()
        if self.tool == "lasso" or np.hypot(*(ev.scenePos() - ev.buttonDownScenePos())) > _NEAR_PX / 2:
            self.outline_drawn.emit(outline, ev.modifiers())

    def mouseClickEvent(self, ev: Any) -> None:
        if ev.button() == Qt.MouseButton.LeftButton:
            ev.accept()
            self.clicked.emit(ev.scenePos(), ev.modifiers(), ev.double())

    def _at(self, position: QPointF) -> tuple[float, float]:
        point = self.mapSceneToView(position)
        return point.x(), point.y()


class MapCanvas(pg.PlotWidget):
    """Writes `names` (text, place on the map, colour token) over the map; `written` are those that found room."""

    def __init__(self) -> None:
        super().__init__(viewBox=MapView())
        self.setProperty("many", True)  # of its points no drawing is made, but a picture
        self.names: list[tuple[str, QPointF, str]] = []
        self.written: list[str] = []

    def lay(self, item: pg.GraphicsObject, z: float) -> None:
        """Draw an item at a height; disabled, else it would keep the clicks on it."""
        item.setZValue(z)
        item.setEnabled(False)
        self.addItem(item, ignoreBounds=True)

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        view = self.getViewBox()
        shown = view.viewRect()
        names = [(name, view.mapViewToScene(at), token) for name, at, token in self.names if shown.contains(at)]
        self.written = paint_names(painter, theme.font("caption"), theme.color, names, most=MOST_NAMED)


class ScatterPlot(Figure):
    """Points with a class each; says what the user did with them. Indices are positions in the arrays of `set_points`.

    An outline replaces the selection, with Shift it adds, with Ctrl it removes.
    """

    selection_drawn = Signal(object, str)  # array of indices, a Mode
    clicked = Signal(int, str)  # index, a Mode
    activated = Signal(int)  # index: a double click on it
    hovered = Signal(int)  # index, -1 for none

    def __init__(self, name: str = "", legend: bool = False) -> None:
        """`legend` counts, under the map, how many points are to be forgotten."""
        super().__init__(title=name or tr("Map of images"))
        self.thumbnail: Thumbnail = lambda _: None  # asked for a point's picture; None while it is loading
        self._drawn: tuple[Floats | None, Mask | None, Mask | None] = (None, None, None)  # points, lit, forget set
        self._hover = -1
        self._mouse: QPointF | None = None  # in the scene
        self.canvas = MapCanvas()
        self.view: MapView = self.canvas.getViewBox()
        self._build(legend)
        self._hover_timer = self._timer(_HOVER_MS, self._look_under_mouse)
        self.view.outline_changed.connect(self._show_outline)
        self.view.outline_drawn.connect(self._outline_drawn)
        self.view.clicked.connect(self._mouse_clicked)
        self.view.sigRangeChanged.connect(self.mark_dirty)
        self.view.sigResized.connect(self.mark_dirty)
        self.canvas.scene().sigMouseMoved.connect(self._mouse_moved)
        self.canvas.viewport().installEventFilter(self)
        self.set_points(np.empty((0, 2)), np.empty(0, np.int64), ())

    def _build(self, legend: bool) -> None:
        self.canvas.setAccessibleName(self.title)
        self.canvas.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.canvas.setMinimumSize(theme.px(160), theme.px(160))
        self.canvas.hideButtons()
        self.canvas.hideAxis("left")
        self.canvas.hideAxis("bottom")
        self.legend, self._lit_legend = Label("", "caption", "forget"), Label("", "caption", "retain")
        counts = widget_of(row(self.legend, self._lit_legend, STRETCH))
        column((self.canvas, 1), counts, self.caption_label, on=self, spacing=2)
        counts.setVisible(legend)  # not before it has a parent: it would be a window
        # Translucent, so that their density shows; an item a tone, for a brush a point would be told one by one.
        self._dots = [pg.ScatterPlotItem(pen=None, size=theme.px(_DOT)) for _ in theme.class_colors]
        self._lit_dots = pg.ScatterPlotItem(pen=None, size=theme.px(_DOT))
        self._marks = pg.ScatterPlotItem()
        self._ring = pg.ScatterPlotItem(size=theme.px(_RING), brush=None)
        self._outline = pg.PlotCurveItem()
        for z, items in enumerate((self._dots, [self._lit_dots], [self._marks], [self._ring], [self._outline])):
            for item in items:
                self.canvas.lay(item, 8 * z)
        self._popup = QLabel(self, Qt.WindowType.ToolTip)
        self._popup.setMargin(theme.px(t.XS))
        self._popup.hide()

    # ---- what is shown

    def set_points(
        self, points: Floats, labels: Ints, class_names: Sequence[str]
    ) -> None:
        """Show points (n, 2) with a class (n,) each; the forget set starts empty."""
        if len(points) != len(labels):
            raise ValueError(f"{len(points)} points for {len(labels)} labels")
        self._drawn = None, None, None
        self._points = np.asarray(points, np.float32)
        self._labels = np.asarray(labels, np.int64)
        self._counts = np.bincount(self._labels, minlength=len(class_names))
        self._names = (*class_names, *(str(extra) for extra in range(len(class_names), len(self._counts))))
        self._highlight: int | None = None
        self._lit = np.zeros(len(points), bool)
        self._toned = len(self._points) > 0 and len(self._counts) <= MOST_TONED
        self._centres = class_centres(self._points, self._labels, len(self._counts)) if self._toned else ()
        self._set_hover(-1)
        self.set_forget(np.zeros(len(points), bool))
        self.fit()

    def set_forget(self, mask: Mask) -> None:
        """Mark the forget set, (n,) bool."""
        if len(mask) != len(self._points):
            raise ValueError(f"a mask of {len(mask)} for {len(self._points)} points")
        self._forget = np.asarray(mask, bool)
        self._chosen = np.bincount(self._labels[self._forget], minlength=len(self._counts))
        number = fmt.of_total(int(self._forget.sum()), len(self._points))
        describe(self.canvas, tr("{number} images marked to forget", number=number))
        self._show_legend()
        self.mark_dirty()

    def highlight_class(self, label: int | None) -> None:
        """Light up one class, such as the one hovered in a table; None for none."""
        if label != self._highlight:
            self._highlight = label
            self._lit = self._labels == (-1 if label is None else label)
            self._show_legend()
            self.mark_dirty()

    def refresh_thumbnail(self) -> None:
        """Show the picture that was asked for and has come."""
        pixmap = self.thumbnail(self._hover) if self._hover >= 0 else None
        if pixmap is None:
            self._popup.hide()
            return
        self._popup.setPixmap(pixmap)
        self._popup.adjustSize()
        at = self.view.mapViewToScene(QPointF(*self._points[self._hover].tolist()))
        place = self.canvas.mapFromScene(at) + QPoint(theme.px(t.L), theme.px(t.L))
        self._popup.move(self.canvas.viewport().mapToGlobal(place))
        self._popup.show()

    def point_at(self, index: int) -> None:
        """Ring a point, such as the image chosen elsewhere, and move it into view; -1 for none."""
        self._set_hover(index)
        shown = self.view.viewRect()
        if index >= 0 and not shown.contains(at := QPointF(*self._points[index].tolist())):
            shown.moveCenter(at)
            self.view.setRange(shown, padding=0)

    def table(self) -> Table:
        """A row a point: its place, its class, and whether it is to be forgotten."""
        columns = (self._points.tolist(), self._labels.tolist(), self._forget.tolist())
        rows: list[list[Cell]] = [
            [x, y, self._names[label], "yes" if gone else "no"] for (x, y), label, gone in zip(*columns, strict=True)
        ]
        return ["x", "y", "class", "forget"], rows

    def fit(self) -> None:
        """Show all points."""
        if len(self._points):
            (left, low), (right, high) = self._points.min(axis=0).tolist(), self._points.max(axis=0).tolist()
            self.view.setRange(xRange=(left, right), yRange=(low, high), padding=0.05)

    def set_tool(self, tool: Tool) -> None:
        """Choose what dragging does: "pan", "lasso" or "rectangle"."""
        self.view.give_up()
        self.view.tool = tool
        shape = Qt.CursorShape.ArrowCursor if tool == "pan" else Qt.CursorShape.CrossCursor
        self.canvas.viewport().setCursor(QCursor(shape))

    # ---- painting

    def restyle(self) -> None:
        self.canvas.setBackground(theme.color("surface"))
        self._ring.setPen(theme.pen("text", 2))
        self._outline.setPen(theme.pen("accent", 1.5, (4, 3)))
        self._drawn = None, None, None
        super().restyle()

    def _draw(self) -> None:
        """Show what changed; the lit class and then the larger ones have their names first."""
        drawn, self._drawn = self._drawn, (self._points, self._lit, self._forget)
        points, lit, forget = self._drawn
        if drawn[0] is not points:
            ramp = theme.class_colors if self._toned else [theme.color("text_3")]
            tones = self._labels % len(ramp)
            for tone, dots in enumerate(self._dots):
                dots.setData(pos=points[tones == tone], brush=ramp[tone % len(ramp)])
        if drawn[1] is not lit:
            self._lit_dots.setData(pos=points[lit], brush=theme.color("retain"))
        if drawn[2] is not forget:
            few = bool(np.count_nonzero(forget) <= MARKS_UP_TO)
            symbol, size, pen = ("t1", _MARK, theme.pen("surface")) if few else ("o", _DOT, None)
            self._marks.setData(pos=points[forget], brush=theme.color("forget"), symbol=symbol,
                                size=theme.px(size), pen=pen)  # fmt: skip
            self._marks.setOpacity(1.0 if few else 0.5)
        in_view = points_in_rectangle(points, *np.transpose(self.view.viewRange()))
        opacity = float(np.clip(_CROWD / np.sqrt(1 + np.count_nonzero(in_view)), _FAINT, _SOLID))
        for dots in self._dots:
            dots.setOpacity(opacity * (_DIMMED if lit.any() else 1))
        self._lit_dots.setOpacity(max(opacity, _SOLID / 2))
        order = sorted(range(len(self._centres)), key=lambda label: (label != self._highlight, -self._counts[label]))
        whole = self._chosen == self._counts
        self.canvas.names = [
            (self._names[label], QPointF(*self._centres[label].tolist()), "forget" if whole[label] else "text")
            for label in order if self._counts[label]
        ]  # fmt: skip
        self.canvas.viewport().update()

    def _show_legend(self) -> None:
        some, total = fmt.count(int(self._forget.sum())), fmt.count(len(self._points))
        self.legend.setText("▲ " + tr("{some} of {all} to forget", some=some, all=total))
        lit = ""
        if self._highlight is not None and self._highlight < len(self._counts):
            some, total = (fmt.count(int(of[self._highlight])) for of in (self._chosen, self._counts))
            lit = "● " + tr("{name}: {some} of {all}", name=self._names[self._highlight], some=some, all=total)
        self._lit_legend.setText(lit)

    # ---- what the user does

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._mouse = None
            self._set_hover(-1)
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows move the map, + and - zoom, 0 shows everything; Ctrl+A takes what is in view."""
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Escape and self.view.drawing:
            self.view.give_up()
        elif key in _STEPS:
            (left, right), (low, high) = self.view.viewRange()
            x, y = _STEPS[key]
            self.view.translateBy(x=x * (right - left) / 8, y=y * (high - low) / 8)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            self.view.scaleBy((_ZOOM, _ZOOM) if key == Qt.Key.Key_Minus else (1 / _ZOOM, 1 / _ZOOM))
        elif key == Qt.Key.Key_0:
            self.fit()
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            inside = points_in_rectangle(self._points, *np.transpose(self.view.viewRange()))
            self.selection_drawn.emit(np.flatnonzero(inside), "add")
        else:
            super().keyPressEvent(event)

    def _show_outline(self, outline: Floats) -> None:
        closed = np.concatenate([outline, outline[:1]])
        self._outline.setData(closed[:, 0], closed[:, 1])

    def _outline_drawn(self, outline: Floats, modifiers: Qt.KeyboardModifier) -> None:
        self.selection_drawn.emit(np.flatnonzero(points_in_polygon(self._points, outline)), _mode(modifiers))

    def _mouse_clicked(self, position: QPointF, modifiers: Qt.KeyboardModifier, double: bool) -> None:
        self.canvas.setFocus(Qt.FocusReason.MouseFocusReason)
        index = self._at(position)
        if double:
            if index >= 0:
                self.clicked.emit(index, "back")
                self.activated.emit(index)
            else:
                self.fit()
        elif index >= 0:
            self.clicked.emit(index, _mode(modifiers))

    def _mouse_moved(self, position: QPointF) -> None:
        self._mouse = position
        if not self._hover_timer.isActive():
            self._hover_timer.start()

    def _at(self, position: QPointF) -> int:
        at = self.view.mapSceneToView(position)
        return nearest(self._points, at.x(), at.y(), _NEAR_PX * max(self.view.viewPixelSize()))

    def _look_under_mouse(self) -> None:
        if not self.view.drawing:
            self._set_hover(self._at(self._mouse) if self._mouse is not None else -1)

    def _set_hover(self, index: int) -> None:
        if index == self._hover:
            return
        self._hover = index
        self._ring.setData(pos=self._points[index : index + 1].astype(float) if index >= 0 else np.empty((0, 2)))
        self.refresh_thumbnail()
        self.hovered.emit(index)

    def hideEvent(self, event: object) -> None:
        self._hover_timer.stop()
        self._set_hover(-1)


def _box(first: tuple[float, float], last: tuple[float, float]) -> list[tuple[float, float]]:
    return [first, (last[0], first[1]), last, (first[0], last[1])]


def _mode(modifiers: Qt.KeyboardModifier) -> Mode:
    if modifiers & Qt.KeyboardModifier.ShiftModifier:
        return "add"
    return "remove" if modifiers & Qt.KeyboardModifier.ControlModifier else "replace"
