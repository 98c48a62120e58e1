"""The map of images: points of each class, the forget set as an overlay, lasso and rectangle, thumbnails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QCursor, QKeyEvent, QMouseEvent, QPixmap
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from app.plots.density import DensityLayers
from app.plots.export import Cell, Figure, Table, Text
from app.plots.lasso import points_in_polygon, points_in_rectangle
from app.plots.spots import Grid, Spots, corners
from app.services import format as fmt
from app.services import tokens as t
from app.services.accessibility import describe
from app.services.theme import theme
from app.widgets.labels import ElidedLabel

Tool = Literal["pan", "lasso", "rectangle"]
Mode = Literal["replace", "add", "remove"]
Thumbnail = Callable[[int], QPixmap | None]

DENSITY_ABOVE = 200_000  # points; above, an image of their density is drawn
POINTS_WHEN_ZOOMED = 50_000  # so few in view are drawn as points again
CLASSES_WITH_COLOUR = 7
ALL = -1  # the item of all classes, where there are too many to colour
MARKS_ABOVE = 10_000  # marks; of more, one is drawn where several would cover each other, or the density is tinted
_BINS = 256
_MARK_BINS = 128  # a mark is wider than such a cell
_NAMED_FROM = 20_000  # points of a class, at most, that the place of its name is taken from
_NEAR_PX = 8
_HOVER_MS = 60


class ScatterPlot(Figure):
    """Points with a class each; `selection_drawn(indices, mode)` and `clicked(index, mode)` say what the user did.

    Indices are positions in the arrays of `set_points`. A drawn outline replaces the selection, with Shift it adds,
    with Ctrl it removes; Esc gives the drawing up. The forget set is drawn from the mask handed to `set_forget`.
    """

    selection_drawn = Signal(object, str)  # array of indices, "replace" | "add" | "remove"
    clicked = Signal(int, str)
    hovered = Signal(int)  # index, -1 for none

    def __init__(self, name: str = "Map of images", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._points: NDArray[np.float32] = np.empty((0, 2), np.float32)
        self._labels: NDArray[np.int64] = np.empty(0, np.int64)
        self._names: tuple[str, ...] = ()
        self._forget: NDArray[np.bool_] = np.empty(0, bool)
        self._grid: Grid | None = None  # where an image of the density may stand for the points
        self._marks: Grid | None = None  # thins out very many marks
        self._as_points = True
        self._items: dict[int, Spots] = {}
        self._texts: dict[int, pg.TextItem] = {}
        self._highlight: int | None = None
        self._hidden: set[int] = set()
        self._tool: Tool = "pan"
        self._path: list[QPointF] = []
        self._mode: Mode = "replace"
        self._pressed: QPointF | None = None
        self._dragged = False  # whether the mouse was away from there meanwhile
        self._thumbnail: Thumbnail | None = None
        self._hover = -1
        self._name = name

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(2))
        self.canvas = pg.PlotWidget()
        self.canvas.setAccessibleName(name)
        self.canvas.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.canvas.setMinimumSize(theme.px(160), theme.px(160))
        self.canvas.setMenuEnabled(False)
        self.canvas.hideButtons()
        self.canvas.hideAxis("left")
        self.canvas.hideAxis("bottom")
        self.view: pg.ViewBox = self.canvas.getViewBox()
        self.view.setAspectLocked(True)
        column.addWidget(self.canvas, 1)
        self._caption = ElidedLabel("", "caption", "text-2", mode=Qt.TextElideMode.ElideRight)
        self._caption.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        column.addWidget(self._caption)
        self._layers = DensityLayers()
        self._lit = Spots(pxMode=True, size=theme.px(4), symbol="o")  # the class lit among many
        self._lit.setZValue(10)
        self._overlay = Spots(pxMode=True, size=theme.px(6), symbol="t1")
        self._overlay.setZValue(20)
        self._hover_item = pg.ScatterPlotItem(pxMode=True, size=theme.px(11), symbol="o")
        self._hover_item.setZValue(30)
        self._outline = pg.PlotCurveItem()
        self._outline.setZValue(40)
        for item in (*self._layers.items(), self._lit, self._overlay, self._hover_item, self._outline):
            self.canvas.addItem(item, ignoreBounds=True)
        self._popup = QLabel(self, Qt.WindowType.ToolTip)
        self._popup.setMargin(theme.px(t.XS))
        self._popup.hide()
        self._hover_timer = QTimer(self)
        self._hover_timer.setSingleShot(True)
        self._hover_timer.setInterval(_HOVER_MS)
        self._hover_timer.timeout.connect(self._look_under_mouse)
        self._mouse: QPointF | None = None
        self.canvas.viewport().installEventFilter(self)
        self.canvas.installEventFilter(self)
        self.view.sigRangeChanged.connect(self._range_changed)
        theme.changed.connect(self.restyle)
        self.restyle()

    # ---- what is shown

    def set_points(
        self, points: NDArray[np.floating], labels: NDArray[np.integer], class_names: Sequence[str]
    ) -> None:
        """Show points (n, 2) with a class (n,) each; the forget set starts empty."""
        if len(points) != len(labels):
            raise ValueError(f"{len(points)} points for {len(labels)} labels")
        self._points = np.asarray(points, np.float32).reshape(-1, 2)
        self._labels = np.asarray(labels, np.int64)
        self._names = tuple(class_names)
        self._forget = np.zeros(len(self._points), bool)
        self._grid = Grid(self._points, _BINS) if len(self._points) > DENSITY_ABOVE else None
        self._marks = None
        self._as_points = self._grid is None
        self._set_hover(-1)
        self._rebuild()
        self.fit()

    def set_forget(self, mask: NDArray[np.bool_]) -> None:
        """Mark the forget set: only the overlay is drawn anew."""
        if len(mask) != len(self._points):
            raise ValueError(f"a mask of {len(mask)} for {len(self._points)} points")
        self._forget = np.asarray(mask, bool)
        self._draw_forget()

    def set_class_visible(self, label: int, visible: bool) -> None:
        """Show or hide a class."""
        (self._hidden.discard if visible else self._hidden.add)(label)
        self._fill_items()
        self._draw_forget()

    def highlight_class(self, label: int | None) -> None:
        """Light up one class, such as the one hovered in a table; None for none."""
        if label != self._highlight:
            self._highlight = label
            self._paint_items()
            self._draw_lit()

    def set_thumbnail(self, thumbnail: Thumbnail | None) -> None:
        """Asked for the picture of the point under the mouse; may return None while it is loading."""
        self._thumbnail = thumbnail

    def refresh_thumbnail(self) -> None:
        """A picture asked for before has come."""
        self._show_popup()

    def set_caption(self, text: str) -> None:
        """The line under the map."""
        self._caption.setText(text)

    @property
    def caption_label(self) -> ElidedLabel:
        """The line under the map."""
        return self._caption

    @property
    def title(self) -> str:
        """What the map is of."""
        return self._name

    def caption(self) -> str:
        """The line under the map."""
        return self._caption.text()

    def texts(self) -> list[Text]:
        """The line under the map."""
        return [self.text_of(self._caption, "caption", "text_2")]

    def drawn_parts(self) -> list[tuple[QWidget, QPoint]]:
        """The map itself."""
        return [(self.canvas, self.place(self.canvas).topLeft())]

    def table(self) -> Table:
        """A row a point: its place, its class, and whether it is to be forgotten."""
        rows: list[list[Cell]] = [
            [x, y, self._names[label] if label < len(self._names) else str(label), "yes" if gone else "no"]
            for (x, y), label, gone in zip(
                self._points.tolist(), self._labels.tolist(), self._forget.tolist(), strict=True
            )
        ]
        return ["x", "y", "class", "forget"], rows

    def fit(self) -> None:
        """Show all points."""
        if len(self._points):
            (left, low), (right, high) = (corner.tolist() for corner in corners(self._points))
            self.view.setRange(xRange=(left, right), yRange=(low, high), padding=0.05)

    def set_tool(self, tool: Tool) -> None:
        """Choose what dragging does: "pan", "lasso" or "rectangle"."""
        self._cancel_drawing()
        self._tool = tool
        self.view.setMouseEnabled(x=tool == "pan", y=tool == "pan")
        shape = Qt.CursorShape.ArrowCursor if tool == "pan" else Qt.CursorShape.CrossCursor
        self.canvas.viewport().setCursor(QCursor(shape))

    @property
    def tool(self) -> Tool:
        """What dragging does."""
        return self._tool

    @property
    def shows_density(self) -> bool:
        """Whether an image of the density stands for the points."""
        return not self._as_points

    def nearest(self, x: float, y: float, within: float) -> int:
        """Index of the visible point nearest to (x, y) and at most `within` away; -1 for none."""
        if not len(self._points):
            return -1
        box = np.flatnonzero(
            points_in_rectangle(self._points, np.array([x - within, y - within]), np.array([x + within, y + within]))
        )
        if self._hidden:
            box = box[~np.isin(self._labels[box], list(self._hidden))]
        if not box.size:
            return -1
        squared = ((self._points[box] - np.array([x, y], np.float32)) ** 2).sum(axis=1)
        best = int(squared.argmin())
        return int(box[best]) if squared[best] <= within * within else -1

    # ---- drawing

    def restyle(self) -> None:
        """Take on the theme's colours again."""
        self.canvas.setBackground(theme.color("surface"))
        self._overlay.setPen(theme.pen("surface", 0.5))
        self._overlay.setBrush(theme.brush("forget"))
        self._hover_item.setPen(theme.pen("text", 1.5))
        self._hover_item.setBrush(None)
        self._outline.setPen(theme.pen("accent", 1, (4, 3)))
        self._lit.setPen(None)
        self._lit.setBrush(theme.color("retain"))
        self._paint_items()
        if not self._as_points:
            self._draw_lit()
            self._draw_forget()

    def _rebuild(self) -> None:
        for item in (*self._items.values(), *self._texts.values()):
            self.canvas.removeItem(item)
        self._items, self._texts = {}, {}
        self._layers.set_grid(self._grid)
        present = np.flatnonzero(np.bincount(self._labels)).tolist() if len(self._labels) else []
        few = len(present) <= CLASSES_WITH_COLOUR + 1
        for label in present if few else [ALL]:
            item = Spots(pxMode=True, size=theme.px(4), symbol="o")
            self.canvas.addItem(item, ignoreBounds=True)
            self._items[label] = item
            if few:
                self._add_name(label)
        self._paint_items()
        self._show_layers()

    def _add_name(self, label: int) -> None:
        chosen = self._points[self._labels == label]
        chosen = chosen[:: max(1, len(chosen) // _NAMED_FROM)]
        text = pg.TextItem(self._names[label] if label < len(self._names) else str(label), anchor=(0.5, 0.5))
        text.setFont(theme.font("caption"))
        text.setPos(*np.median(chosen, axis=0).tolist())
        text.setZValue(25)
        self.canvas.addItem(text, ignoreBounds=True)
        self._texts[label] = text

    def _paint_items(self) -> None:
        place = 0
        for label, item in self._items.items():
            colour = theme.color("text_3", 0.7)
            if label != ALL:
                colour = theme.class_color(place)
                place += not self._whole_class_forgotten(label)
            if label != ALL and self._highlight == label:
                colour = theme.color("retain")
            item.setPen(None)
            item.setBrush(colour)
            item.setZValue(10 if label != ALL and self._highlight == label else 0)
        for text in self._texts.values():
            text.setColor(theme.color("text"))
            text.fill = theme.brush("surface", 0.75)

    def _whole_class_forgotten(self, label: int) -> bool:
        members = self._labels == label
        return bool(members.any()) and bool(self._forget[members].all())

    def _show_layers(self) -> None:
        """Show points, or the images that stand for them."""
        self._layers.set_visible(not self._as_points)
        for item in (*self._items.values(), self._lit):
            item.setVisible(self._as_points)
        self._fill_items()
        self._draw_lit()
        self._draw_forget()

    def _shown(self) -> NDArray[np.bool_] | None:
        """Which points may be drawn: those of classes not hidden and, of very many, those in view; None: all."""
        shown = None
        if self._hidden:
            shown = ~np.isin(self._labels, list(self._hidden))
        if self._grid is not None:
            inside = self._in_view()
            shown = inside if shown is None else shown & inside
        return shown

    def _in_view(self) -> NDArray[np.bool_]:
        (left, right), (low, high) = self.view.viewRange()
        return points_in_rectangle(self._points, np.array([left, low]), np.array([right, high]))

    def _fill_items(self) -> None:
        if not self._as_points:
            return
        shown = self._shown()
        points = self._points if shown is None else self._points[shown]
        labels = self._labels if shown is None else self._labels[shown]
        for label, item in self._items.items():
            item.setData(pos=(points if label == ALL else points[labels == label]).astype(float))
            item.setVisible(label not in self._hidden)

    def _draw_lit(self) -> None:
        """Light up one class among many; where there are few, its own item is."""
        lit = self._highlight
        members = self._labels == lit if lit is not None and lit not in self._hidden else np.zeros(0, bool)
        if self._grid is not None and not self._as_points:
            self._layers.set_tint("retain", members if len(members) else None)
            return
        shown = self._shown() if len(members) else None
        members = members if shown is None else members & shown
        drawn = len(members) and ALL in self._items
        self._lit.setData(pos=self._points[members].astype(float) if drawn else np.empty((0, 2)))

    def _draw_forget(self) -> None:
        shown = self._forget
        if self._hidden:
            shown = shown & ~np.isin(self._labels, list(self._hidden))
        if self._grid is not None and self._as_points:
            shown = shown & self._in_view()
        chosen = np.flatnonzero(shown)
        many = len(chosen) > MARKS_ABOVE
        if self._grid is not None:
            tinted = many and not self._as_points
            self._layers.set_tint("forget", chosen if tinted else None)
            self._overlay.setVisible(not tinted)
            chosen = chosen[:0] if tinted else chosen
        elif many:
            self._marks = self._marks or Grid(self._points, _MARK_BINS)
            chosen = self._marks.one_a_cell(chosen)
        self._overlay.setData(pos=self._points[chosen].astype(float))
        number = int(np.count_nonzero(self._forget))
        describe(self.canvas, f"{fmt.of_total(number, len(self._points))} images marked to forget")

    def _range_changed(self, *_: object) -> None:
        if self._grid is None:
            return
        as_points = int(np.count_nonzero(self._in_view())) <= POINTS_WHEN_ZOOMED
        if as_points != self._as_points:
            self._as_points = as_points
            self._show_layers()
        elif as_points:
            self._fill_items()
            self._draw_lit()
            self._draw_forget()

    # ---- what the user does

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() == Qt.Key.Key_Escape and self._path:
                self._cancel_drawing()
                return True
            return False
        if watched is not self.canvas.viewport():
            return False
        if kind == QEvent.Type.Leave:
            self._mouse = None
            self._set_hover(-1)
        if not isinstance(event, QMouseEvent):
            return False
        if kind == QEvent.Type.MouseButtonPress and event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._dragged = event.position(), False
            self._mode = _mode(event.modifiers())
            if self._tool != "pan":
                self.canvas.setFocus(Qt.FocusReason.MouseFocusReason)
                self._path = [self._to_data(event.position())]
                return True
        elif kind == QEvent.Type.MouseMove:
            self._dragged |= self._is_away(event.position())
            if self._path:
                self._extend(self._to_data(event.position()))
                return True
            self._mouse = event.position()
            if not self._hover_timer.isActive():
                self._hover_timer.start()
        elif kind == QEvent.Type.MouseButtonRelease and event.button() == Qt.MouseButton.LeftButton:
            return self._released(event)
        return False

    def _released(self, event: QMouseEvent) -> bool:
        # A lasso may well end where it began; a rectangle that does is none.
        dragged = self._is_away(event.position()) or (self._dragged and self._tool != "rectangle")
        pressed, self._pressed = self._pressed, None
        path, self._path = self._path, []
        self._outline.setData([], [])
        if pressed is not None and not dragged:
            index = self._at(event.position())
            if index >= 0:
                self.clicked.emit(index, self._mode)
            return bool(path)
        if not path:
            return False
        polygon = np.array([[point.x(), point.y()] for point in path])
        if self._tool == "rectangle":
            inside = points_in_rectangle(self._points, polygon[0], polygon[-1])
        else:
            inside = points_in_polygon(self._points, polygon)
        if self._hidden:
            inside &= ~np.isin(self._labels, list(self._hidden))
        self.selection_drawn.emit(np.flatnonzero(inside), self._mode)
        return True

    def _is_away(self, position: QPointF) -> bool:
        return self._pressed is not None and (position - self._pressed).manhattanLength() > _NEAR_PX / 2

    def _extend(self, point: QPointF) -> None:
        if self._tool == "rectangle":
            self._path = [self._path[0], point]
            (x1, y1), (x2, y2) = self._path[0].toTuple(), point.toTuple()
            self._outline.setData([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1])
            return
        self._path.append(point)
        closed = [*self._path, self._path[0]]
        self._outline.setData([p.x() for p in closed], [p.y() for p in closed])

    def _cancel_drawing(self) -> None:
        self._path = []
        self._pressed = None
        self._outline.setData([], [])

    def _to_data(self, position: QPointF) -> QPointF:
        return self.view.mapSceneToView(self.canvas.mapToScene(position.toPoint()))

    def _at(self, position: QPointF) -> int:
        at = self._to_data(position)
        pixel = self.view.viewPixelSize()
        return self.nearest(at.x(), at.y(), _NEAR_PX * max(pixel))

    def _look_under_mouse(self) -> None:
        self._set_hover(self._at(self._mouse) if self._mouse is not None else -1)

    def _set_hover(self, index: int) -> None:
        if index == self._hover:
            return
        self._hover = index
        self._hover_item.setData(pos=self._points[index : index + 1].astype(float) if index >= 0 else np.empty((0, 2)))
        self._show_popup()
        self.hovered.emit(index)

    def _show_popup(self) -> None:
        pixmap = self._thumbnail(self._hover) if self._thumbnail is not None and self._hover >= 0 else None
        if pixmap is None or self._mouse is None:
            self._popup.hide()
            return
        self._popup.setPixmap(pixmap)
        self._popup.adjustSize()
        offset = QPointF(theme.px(t.L), theme.px(t.L))
        self._popup.move(self.canvas.viewport().mapToGlobal((self._mouse + offset).toPoint()))
        self._popup.show()

    def hideEvent(self, event: object) -> None:
        self._hover_timer.stop()
        self._set_hover(-1)
        self._popup.hide()


def _mode(modifiers: Qt.KeyboardModifier) -> Mode:
    if modifiers & Qt.KeyboardModifier.ShiftModifier:
        return "add"
    if modifiers & Qt.KeyboardModifier.ControlModifier:
        return "remove"
    return "replace"
