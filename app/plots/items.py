"""What lies in a plot: canvas, axes and where they end, curves, phases, and the margin of labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import ArrayLike, NDArray
from pyqtgraph.graphicsItems.ScatterPlotItem import Symbols, drawSymbol
from PySide6.QtCore import QElapsedTimer, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFontMetrics, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QGraphicsPathItem, QSizePolicy, QStyleOptionGraphicsItem, QWidget

from app.services import format as fmt
from app.services.theme import theme
from app.services.tokens import SeriesStyle

MARGIN_WIDTH, MARGIN_MOST = 72, 160
STRIP_HEIGHT = 4
_GRID = 153  # opacity of 255
PHASES_MOST = 15  # of more, bands and names say nothing
_FEW_DECADES = 0.6
_EXPONENTS = (-330.0, 310.0)  # of all numbers there are
_PLAIN = (-3, 4)  # from 0.001 to below 10,000 a logarithmic axis writes numbers out
THICK_BELOW = 2000  # 2 px and antialiased up to here; denser curves are 1 px, which draws ten times faster
JAGGED_THICK_BELOW = 300  # a jagged curve of a few hundred points already takes most of a live plot's time
_POINTS_A_PIXEL = 1.5  # more than the pixels can show takes time and looks the same
_FAINT = 0.28  # opacity of a curve after the step looked back to, and of every step under a smoothed curve
_WIDEST = 0.2  # of all points: half the width of the moving mean at full smoothing

Floats = NDArray[np.float64]
Values = ArrayLike | Sequence[float | None]


class ReadableAxis(pg.AxisItem):
    """Ticks as numbers are written elsewhere, linear or logarithmic.

    Thousands are set apart and a minus is no hyphen; a logarithmic axis has decades, or more where they are few.
    """

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        if not self.logMode:
            return list(super().tickValues(low, high, size))
        low, high = max(low, _EXPONENTS[0]), min(high, _EXPONENTS[1])
        decades = max(high - low, 1e-9)
        wide = 56 if low < _PLAIN[0] or high >= _PLAIN[1] else 40  # "5·10⁻⁵" takes more room than "0.05"
        room = size / theme.px(wide if self.orientation == "bottom" else 22)
        if decades < _FEW_DECADES:  # nearly linear: plain numbers
            bottom, top = 10**low, 10**high
            least = (top - bottom) / max(min(room, 5.0), 1.0)
            unit = 10 ** math.floor(math.log10(least))
            step = next(m * unit for m in (1, 2, 5, 10) if m * unit >= least)
            first = math.ceil(bottom / step)
            return [(1.0, [math.log10(n * step) for n in range(first, math.floor(top / step) + 1)])]
        finer = ((1.0, 2.0, 5.0), (1.0, 3.0))
        mantissas = next((choice for choice in finer if len(choice) * decades <= room), (1.0,))
        every = max(1, math.ceil(decades / max(room, 1.0)))
        exponents = range(math.floor(low), math.ceil(high) + 1)
        values = [e + math.log10(m) for e in exponents if e % every == 0 for m in mantissas]
        return [(1.0, [value for value in values if low <= value <= high])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self.logMode:
            return [log_label(value) for value in values]
        places = max(0, math.ceil(-math.log10(spacing * scale)))
        return [tick_label(value * scale, places) for value in values]


def tick_label(value: float, places: int) -> str:
    """Write a value of a linear axis; one that would not fit beside it, as a power of ten."""
    if value and not 1e-3 <= abs(value) < 1e6:
        return fmt.brief(value)
    return fmt.decimal(value, places)


def log_label(exponent: float) -> str:
    """Write 10**exponent: "0.01", "5", "200", beyond that with a power of ten: "10⁵", "2·10⁻⁵"."""
    if _PLAIN[0] <= exponent < _PLAIN[1]:
        return fmt.in_locale(f"{10.0**exponent:.3g}") if exponent < 3 else fmt.count(round(10.0**exponent))
    whole = math.floor(exponent + 1e-6)
    times = fmt.in_locale(f"{10 ** (exponent - whole):.2g}")
    power = f"10{str(whole).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
    return power if times == "1" else f"{times}·{power}"


@dataclass(frozen=True)
class Reference:
    """A value to hold the curves against: which model, its value, and in a plot of sets whose it is."""

    model: str
    value: float
    set_name: str = ""

    @property
    def key(self) -> str:
        """The key of its label."""
        return f"{self.model}/{self.set_name}"


@dataclass(frozen=True)
class Phase:
    """One stretch of steps; `last` is exclusive. A phase that forgets is drawn `strong`."""

    name: str
    first: float
    last: float = math.inf
    strong: bool = False


class PhaseStrip(pg.GraphicsWidget):
    """Phases as bands with their names, over the plot; where there are too many to be told apart, none."""

    def __init__(self, view: pg.ViewBox) -> None:
        super().__init__()
        self._view = view
        self.phases: tuple[Phase, ...] = ()
        self._metrics = QFontMetrics(theme.font("caption"))
        self.set_phases(())

    def set_phases(self, phases: Sequence[Phase], named: bool = True) -> None:
        """Show these phases, with their names or as bands alone; the strip takes no room without."""
        self.phases, self._named = tuple(phases), named
        shown = 0 < len(phases) <= PHASES_MOST
        self.setVisible(shown)
        self.room = (theme.px(STRIP_HEIGHT) + named * self._metrics.height()) * shown
        self.update()

    def shown_name(self, phase: Phase, width: float) -> str:
        """The name of a phase as far as it fits whole, apart from the next: with its round, without, or not at all."""
        names = (phase.name, phase.name.partition(", ")[0], "")
        room = width - theme.px(4)
        return next(name for name in names if not name or self._metrics.horizontalAdvance(name) <= room)

    def hoverEvent(self, event: Any) -> None:
        if not event.isExit():
            low, high = self._view.viewRange()[0]
            step = low + event.pos().x() / max(self.rect().width(), 1.0) * (high - low)
            name = next((phase.name for phase in self.phases if phase.first <= step < phase.last), "")
            self.setToolTip(fmt.plain(name))

    def paint(self, painter: QPainter, *_: object) -> None:
        low, high = self._view.viewRange()[0]
        width, bar = self.rect().width(), theme.px(STRIP_HEIGHT)
        scale = width / ((high - low) or 1.0)
        painter.setFont(theme.font("caption"))
        for phase in self.phases:
            left = max((phase.first - low) * scale, 0.0)
            right = min((phase.last - low) * scale, width)
            if right <= left:
                continue
            band = QRectF(left, 0, max(right - left - 1, 1), bar)
            painter.fillRect(band, theme.color("text_2" if phase.strong else "line"))
            if self._named:
                painter.setPen(theme.color("text_2"))
                painter.drawText(QPointF(left, bar + self._metrics.ascent()), self.shown_name(phase, band.width()))


@dataclass(frozen=True)
class MarginLabel:
    """One label beside the plot, at the height of `value` (in the view's coordinates)."""

    key: str
    text: str
    value: float
    style: SeriesStyle
    token: str = ""  # another colour than the style's
    reference: bool = False  # hovering or pinning it draws a line across
    tip: str = ""
    hidden: bool = False  # of a curve that was switched off


class ValueMargin(pg.GraphicsWidget):
    """The legend: names at the ends of lines and of references, pushed apart so that they never overlap."""

    hovered = Signal(str)  # key of the label under the mouse, "" for none
    clicked = Signal(str)

    def __init__(self, view: pg.ViewBox) -> None:
        super().__init__()
        self._view = view
        self._labels: tuple[MarginLabel, ...] = ()
        self.foot = ""  # title of the x axis, beside its ticks
        self._metrics = QFontMetrics(theme.font("caption"))
        self.setFixedWidth(theme.px(MARGIN_WIDTH))

    def set_labels(self, labels: Sequence[MarginLabel]) -> None:
        """Show these labels; the margin is as wide as they need, within bounds, and seldom becomes narrower."""
        if tuple(labels) == self._labels:
            return
        self._labels = tuple(labels)
        widest = max((self._metrics.horizontalAdvance(label.text) for label in labels), default=0)
        wanted = min(max(widest + theme.px(2 + 16 + 4 + 2), theme.px(MARGIN_WIDTH)), theme.px(MARGIN_MOST))
        if wanted > self.minimumWidth() or wanted < self.minimumWidth() - theme.px(24):
            self.setFixedWidth(wanted)
        self.update()

    def labels(self) -> tuple[MarginLabel, ...]:
        """The labels shown."""
        return self._labels

    def positions(self) -> list[tuple[MarginLabel, float]]:
        """Each label with the pixel it is drawn at, from above; where there is no room for all, closer together."""
        entries = sorted((self._pixel(label.value), number) for number, label in enumerate(self._labels))
        line, gaps = self._metrics.height(), max(len(entries) - 1, 1)
        most = self.rect().height() - 1.5 * line  # above the title of the x axis
        low, high = line / 2, max(self._view.height() - line / 2, min(line * (gaps + 0.5), most))
        ys = spread([y for y, _ in entries], min(line, max(high - low, 1.0) / gaps), low, high)
        return [(self._labels[number], y) for (_, number), y in zip(entries, ys, strict=True)]

    def hoverEvent(self, event: Any) -> None:
        label = None if event.isExit() else self._at(event.pos().y())
        self.setToolTip("" if label is None else fmt.plain(label.tip or label.text))
        self.setCursor(Qt.CursorShape.PointingHandCursor if label else Qt.CursorShape.ArrowCursor)
        self.hovered.emit(label.key if label is not None else "")

    def mouseClickEvent(self, event: Any) -> None:
        label = self._at(event.pos().y())
        if label is not None and event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.clicked.emit(label.key)

    def paint(self, painter: QPainter, *_: object) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font("caption"))
        mark, x = theme.px(16), float(theme.px(2))
        left = x + mark + theme.px(4)
        for label, y in self.positions():
            true_y = self._pixel(label.value)
            if abs(true_y - y) > 2 and not label.hidden:  # pushed away: a thin line leads back to the value
                painter.setPen(theme.pen("outline"))
                painter.drawLine(QPointF(0, true_y), QPointF(x + 2, y))
            style, token = label.style, "disabled" if label.hidden else label.token or label.style.token
            if not label.reference:
                painter.setPen(theme.pen(token, 2, style.dash))
                painter.drawLine(QPointF(x + 2, y), QPointF(x + mark, y))
            draw_symbol(painter, QPointF(x + mark / 2 + 1, y), style.symbol, token, style.filled and not label.hidden)
            painter.setPen(theme.color("text_3" if label.hidden else "text"))
            # In the middle: the number at its end is never cut.
            text = self._metrics.elidedText(label.text, Qt.TextElideMode.ElideMiddle, int(self.width() - left))
            painter.drawText(QPointF(left, y + self._metrics.ascent() / 2 - 1), text)
        if self.foot:
            painter.setPen(theme.color("text_2"))
            painter.drawText(QPointF(x, self.rect().height() - self._metrics.descent() - 1), self.foot)

    def _pixel(self, value: float) -> float:
        low, high = self._view.viewRange()[1]
        height = float(self._view.height())
        return float(min(max(height * (high - value) / ((high - low) or 1.0), -1e4), 1e4))

    def _at(self, y: float) -> MarginLabel | None:
        half = self._metrics.height() / 2
        return next((label for label, at in self.positions() if abs(y - at) <= half), None)


def spread(ys: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Push sorted positions apart to `gap` within low..high, moving each as little as a sweep can."""
    result = [min(max(y, low), high) for y in ys]
    for i in range(1, len(result)):
        result[i] = max(result[i], result[i - 1] + gap)
    if result and result[-1] > high:
        result[-1] = high
        for i in range(len(result) - 2, -1, -1):
            result[i] = min(result[i], result[i + 1] - gap)
    return result


def draw_symbol(painter: QPainter, at: QPointF, symbol: str, token: str, filled: bool, size: float = 7.0) -> None:
    """Draw one of pyqtgraph's markers, centred at `at`."""
    scale = theme.px(size) * (1.2 if symbol == "d" else 1.0)
    painter.save()
    painter.translate(at)
    drawSymbol(painter, symbol, scale, theme.pen(token, 1.5), theme.brush(token if filled else "surface"))
    painter.restore()



class Canvas(pg.PlotWidget):
    """Axes that can be read, and what its latest painting took."""

    reset_wanted = Signal()

    def __init__(self, log: tuple[bool, bool]) -> None:
        self.axes = left, bottom = ReadableAxis("left"), ReadableAxis("bottom")
        super().__init__(axisItems={"left": left, "bottom": bottom}, enableMenu=False)  # pyqtgraph: one a plot
        self.getPlotItem().setLogMode(*log)
        for axis in self.axes:
            axis.setStyle(tickFont=theme.font("caption"), tickLength=theme.px(4), maxTickLevel=0)
            axis.enableAutoSIPrefix(False)
        left.setWidth(theme.px(44))
        left.setGrid(_GRID)  # lines at its ticks; there is no vertical grid
        bottom.setHeight(theme.px(20))
        self.hideButtons()
        self.painted_ms = 0.0  # what the latest painting took
        self._clock = QElapsedTimer()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(theme.px(120), theme.px(72))

    def restyle(self) -> None:
        """Take on the theme's colours again."""
        self.setBackground(theme.color("surface"))
        for axis in self.axes:
            axis.setPen(theme.pen("outline"))
            axis.setTextPen(theme.pen("text_2"))
        self.axes[0].setTickPen(theme.pen("line"))  # of the grid

    def paintEvent(self, event: QPaintEvent) -> None:
        self._clock.start()
        super().paintEvent(event)
        self.painted_ms = self._clock.nsecsElapsed() / 1e6

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset_wanted.emit()


Y_PADDING = 0.05  # of the y axis: room for half of the highest label
_STRIDES = (1.0, 2.0, 3.0, 5.0, 7.0, 10.0)  # of a decade: where a growing axis ends


def end_ahead(high: float, most: float | None) -> float:
    """Leave room for the next steps of a curve that grows to `most`: each change of the axis draws everything anew."""
    if most is None:
        return high
    decade = 10.0 ** math.floor(math.log10(high))
    return min(next(stride * decade for stride in _STRIDES if stride * decade >= high), max(most, high))


class Dot(QGraphicsPathItem):
    """The marker at the end of a curve; pyqtgraph's scatter takes ten times as long to paint one."""

    def __init__(self) -> None:
        super().__init__()
        self.setFlag(QGraphicsPathItem.GraphicsItemFlag.ItemIgnoresTransformations)
        self.setScale(theme.px(7))
        self.setZValue(10)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        super().paint(painter, option, widget)


class Series:
    """A curve of one style; with `smooth` (0..1) a moving mean over a faint line of all points."""

    def __init__(self, key: str, style: SeriesStyle, plot: pg.PlotItem, title: str = "", thin: bool = False) -> None:
        self.key = key
        self.style = style
        self.title = title or style.title
        self.thin = thin
        self.x: Floats = np.empty(0)
        self.y: Floats = np.empty(0)  # as told; NaN is a gap
        self.drawn: Floats = self.y  # what the line shows: `y`, or its moving mean
        self.smooth = 0.0
        self.log = (False, False)
        self.visible = self.show_dot = True
        self.end = 0  # so many points are drawn as ever, what comes after them faded
        # A thick line drawn as one path costs thirty times as much where it is jagged; drawn in segments, a smooth
        # one shows its joints.
        self.jagged = False
        self._plot = plot
        self._pen_key: tuple[object, ...] = ()
        self.item = self._new_item(0, fitted=True)
        self._faint: dict[str, pg.PlotDataItem] = {}  # made when first wanted
        self.dot = Dot()
        self.dot.hide()
        plot.addItem(self.dot, ignoreBounds=True)

    def __len__(self) -> int:
        return len(self.x)

    def set(self, x: ArrayLike, y: Values, smooth: float = 0.0) -> None:
        """Take these points, arrays as views; None and NaN are gaps. `smooth`: 0 of nothing, 1 of the most points."""
        new_x, new_y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        if new_x.shape != new_y.shape:
            raise ValueError(f"{new_x.size} x values for {new_y.size} y values")
        self.x, self.y, self.smooth, self.end = new_x, new_y, smooth, len(new_x)
        self.drawn = moving_mean(new_y, smooth)

    def draw(self, cut: float | None = None, log: tuple[bool, bool] = (False, False)) -> None:
        """Show the points: up to the `cut` as ever, beyond it faded; `log` says which axes are logarithmic."""
        self.log = log
        self.end = end = len(self) if cut is None else int(np.searchsorted(self.x, cut, side="right"))
        self.restyle()
        self.item.setVisible(self.visible)
        self.item.setData(self.x[:end], self.drawn[:end], connect="finite")
        first = max(end - 1, 0)  # from the last point before the cut, so that no gap shows
        self._draw_faint("after", slice(first, None), self.drawn, self.style.dash, end < len(self))
        self._draw_faint("raw", slice(0, end), self.y, (), self.smooth > 0)
        last = self.last()
        shown = last is not None and self.show_dot and self.visible
        self.dot.setVisible(shown)
        if last is not None and shown:
            self.dot.setPos(*(math.log10(value) if log else value for value, log in zip(last, self.log, strict=True)))

    def last(self) -> tuple[float, float] | None:
        """The last point drawn that has a value, at or before the cut."""
        known = np.isfinite(self.drawn[: self.end])
        place = len(known) - 1 - int(known[::-1].argmax()) if known.any() else -1
        if place < 0 or (self.log[1] and self.drawn[place] <= 0):
            return None
        return float(self.x[place]), float(self.drawn[place])

    def at(self, x: float) -> float | None:
        """The last value drawn at or before `x`; None before the first one and in a gap."""
        position = int(np.searchsorted(self.x, x, side="right")) - 1
        if position < 0 or not np.isfinite(self.drawn[position]):
            return None
        return float(self.drawn[position])

    def restyle(self) -> None:
        """Give the item the pen of the current theme and number of points."""
        limit = JAGGED_THICK_BELOW if self.jagged else THICK_BELOW
        thick = len(self) < limit and not self.thin
        dash = () if self.jagged and not thick and not self.smooth else self.style.dash  # it would become dust
        key = (theme.current.name, thick, dash)
        if key == self._pen_key:
            return
        self._pen_key = key
        self.item.setPen(theme.pen(self.style.token, 2 if thick else 1, dash))
        self.item.opts["antialias"] = thick
        self.item.curve.opts["antialias"] = thick
        segmented = thick and self.jagged and not dash  # a dash would begin anew in each segment
        self.item.curve.setSegmentedLineMode("on" if segmented else "auto")
        self.dot.setPath(Symbols[self.style.symbol])
        self.dot.setPen(theme.pen(self.style.token, 1.5))
        self.dot.setBrush(theme.brush(self.style.token if self.style.filled else "surface"))

    def remove(self) -> None:
        """Take the curve out of its plot."""
        for item in (self.item, self.dot, *self._faint.values()):
            self._plot.removeItem(item)

    def _new_item(self, z: int, fitted: bool) -> pg.PlotDataItem:
        """Return a new curve at this height; the axis fits itself to it where it is `fitted`."""
        item = pg.PlotDataItem()
        item.setZValue(z)
        self._plot.addItem(item, ignoreBounds=not fitted)
        # After addItem, which overwrites them: only points in view, thinned to the pixels there are.
        item.setDownsampling(auto=True, method="peak")
        item.setClipToView(True)
        item.opts["autoDownsampleFactor"] = _POINTS_A_PIXEL
        return item

    def _draw_faint(self, name: str, part: slice, values: Floats, dash: tuple[int, ...], wanted: bool) -> None:
        item = self._faint.get(name)
        if item is None and wanted:
            item = self._faint[name] = self._new_item(-20, fitted=name == "after")
        if item is not None:
            item.setVisible(wanted and self.visible)
            item.setPen(theme.pen(self.style.token, 1, dash, alpha=_FAINT))
            item.setData(self.x[part], values[part], connect="finite")


def moving_mean(values: Floats, smooth: float) -> Floats:
    """Mean over the neighbours that have a value; `smooth` (0..1) and the number of points give how many."""
    half = int(len(values) * _WIDEST * smooth**2)
    if half < 1:
        return values
    known, places = np.isfinite(values), np.arange(len(values))
    sums, counts = (np.cumsum(np.append(0.0, np.where(known, of, 0.0))) for of in (values, 1.0))
    low, high = np.maximum(places - half, 0), np.minimum(places + half + 1, len(values))
    return np.divide(sums[high] - sums[low], counts[high] - counts[low], out=np.full(len(values), np.nan), where=known)
