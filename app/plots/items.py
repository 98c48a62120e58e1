"""What lies behind and beside the curves: the horizontal grid, the strip of phases, the margin of labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.services import format as fmt
from app.services.theme import theme
from core.verify.numbers import MINUS

MARGIN_WIDTH, MARGIN_MOST = 72, 144
STRIP_HEIGHT = 4


class HorizontalGrid(pg.GraphicsObject):
    """Lines at the major ticks of the left axis; there is no vertical grid."""

    def __init__(self, axis: pg.AxisItem, view: pg.ViewBox) -> None:
        super().__init__()
        self._axis, self._view = axis, view
        self.setZValue(-100)
        view.sigRangeChanged.connect(self._changed)
        view.sigResized.connect(self._changed)

    def boundingRect(self) -> QRectF:
        return self._view.viewRect().normalized()

    def paint(self, painter: QPainter, *_: object) -> None:
        (left, right), (low, high) = self._view.viewRange()
        painter.setPen(theme.pen("line", 1, alpha=0.6))
        for _spacing, values in self._axis.tickValues(low, high, self._view.height())[:1]:
            for value in values:
                painter.drawLine(QPointF(left, value), QPointF(right, value))

    def _changed(self, *_: object) -> None:
        self.prepareGeometryChange()
        self.update()


class ReadableAxis(pg.AxisItem):
    """Ticks as numbers are written elsewhere, linear or logarithmic.

    Thousands are set apart and a minus is no hyphen; a logarithmic axis has decades, or 1, 2, 5 where they are few.
    """

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        if not self.logMode:
            return list(super().tickValues(low, high, size))
        decades = max(high - low, 1e-9)
        room = size / theme.px(40 if self.orientation == "bottom" else 22)
        mantissas = (1.0, 2.0, 5.0) if 3 * decades <= room else (1.0,)
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
        return f"{value:g}".replace("-", MINUS)
    return fmt.decimal(value, places)


def log_label(exponent: float) -> str:
    """Write 10**exponent: "0.01", "5", "200", beyond that as a power of ten."""
    if -3 <= exponent < 4:
        return f"{10.0**exponent:.3g}" if exponent < 3 else f"{10.0**exponent:,.0f}"
    power = str(round(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{power}"


@dataclass(frozen=True)
class Reference:
    """A value to hold the curves against: which model, its value, and in a plot of sets whose it is."""

    model: str
    value: float
    set_name: str = ""


@dataclass(frozen=True)
class Phase:
    """One stretch of steps: `last` is exclusive, None while it goes on. `kind` "forget" is drawn stronger."""

    name: str
    first: float
    last: float | None = None

    @property
    def strong(self) -> bool:
        """Whether it is a phase that forgets."""
        return self.name.lower().startswith("forget")


class PhaseStrip(QWidget):
    """Four pixels over the plot; the name of a phase is its tool tip."""

    def __init__(self, plot: pg.PlotWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot = plot
        self.phases: tuple[Phase, ...] = ()
        self.setFixedHeight(theme.px(STRIP_HEIGHT))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        plot.getViewBox().sigRangeChanged.connect(self._range_changed)

    def set_phases(self, phases: Sequence[Phase]) -> None:
        """Show these phases."""
        self.phases = tuple(phases)
        self.setVisible(True)
        self.update()

    def at(self, x: float) -> Phase | None:
        """The phase of a step."""
        for phase in self.phases:
            if phase.first <= x and (phase.last is None or x < phase.last):
                return phase
        return None

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            phase = self.at(self._to_data(event.pos().x()))
            QToolTip.showText(event.globalPos(), phase.name if phase else "", self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.phases:
            return
        painter = QPainter(self)
        start, end = self._area()
        low, high = self._plot.getViewBox().viewRange()[0]
        scale = (end - start) / ((high - low) or 1.0)
        strong, weak = theme.color("text_2"), theme.color("line")
        height = self.height()
        for phase in self.phases:
            left = max(start + (phase.first - low) * scale, start)
            right = end if phase.last is None else min(start + (phase.last - low) * scale, end)
            if right > left:
                painter.fillRect(QRectF(left, 0, max(right - left - 1, 1), height), strong if phase.strong else weak)
        painter.end()

    def _area(self) -> tuple[float, float]:
        rect = self._plot.getViewBox().sceneBoundingRect()
        return rect.left(), rect.right()

    def _to_data(self, pixel: float) -> float:
        left, right = self._area()
        low, high = self._plot.getViewBox().viewRange()[0]
        return low + (pixel - left) / ((right - left) or 1.0) * (high - low)

    def _range_changed(self, *_: object) -> None:
        self.update()


@dataclass(frozen=True)
class MarginLabel:
    """One label beside the plot, at the height of `value` (in the view's coordinates)."""

    key: str
    text: str
    value: float
    token: str
    symbol: str = "o"
    filled: bool = True
    dash: tuple[int, ...] = ()
    reference: bool = False  # hovering or pinning it draws a line across
    tip: str = ""


class ValueMargin(QWidget):
    """Names at the ends of lines and references, pushed apart so that they never overlap."""

    hovered = Signal(str)  # key of the reference under the mouse, "" for none
    pinned = Signal(str)  # a reference was clicked

    def __init__(self, to_pixel: Callable[[float], float], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._to_pixel = to_pixel
        self._labels: tuple[MarginLabel, ...] = ()
        self._hover = ""
        self.foot = ""  # title of the x axis, beside its ticks
        self.foot_height = 0
        self.setMouseTracking(True)
        self.setFixedWidth(theme.px(MARGIN_WIDTH))

    def set_labels(self, labels: Sequence[MarginLabel]) -> None:
        """Show these labels; the margin widens for long ones, up to a limit."""
        labels = tuple(labels)
        if labels == self._labels:
            self.update()
            return
        self._labels = labels
        metrics = self._metrics()
        widest = max((metrics.horizontalAdvance(label.text) for label in labels), default=0)
        wanted = min(max(widest + theme.px(28), theme.px(MARGIN_WIDTH)), theme.px(MARGIN_MOST))
        if wanted != self.width():
            self.setFixedWidth(wanted)
        self.update()

    def labels(self) -> tuple[MarginLabel, ...]:
        """The labels shown."""
        return self._labels

    def positions(self) -> list[tuple[MarginLabel, float]]:
        """Each label with the y of its centre, top to bottom, none nearer to the next than a line's height."""
        line = self._metrics().height()
        placed = sorted(((label, self._to_pixel(label.value)) for label in self._labels), key=lambda pair: pair[1])
        ys = spread([y for _, y in placed], line, line / 2, self.height() - self.foot_height - line / 2)
        return [(label, y) for (label, _), y in zip(placed, ys, strict=True)]

    def sizeHint(self) -> QSize:
        return QSize(self.width(), theme.px(80))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._set_hover(self._at(event.position().y()))

    def leaveEvent(self, event: QEvent) -> None:
        self._set_hover("")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        key = self._at(event.position().y())
        if key:
            self.pinned.emit(key)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            for label, y in self.positions():
                if abs(event.pos().y() - y) <= self._metrics().height() / 2:
                    QToolTip.showText(event.globalPos(), label.tip or label.text, self)
                    return True
            QToolTip.hideText()
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font("caption"))
        metrics = painter.fontMetrics()
        mark = theme.px(16)
        for label, y in self.positions():
            true_y = self._to_pixel(label.value)
            x = float(theme.px(2))
            if abs(true_y - y) > 2:  # pushed away: a thin line leads back to the value
                painter.setPen(theme.pen("outline"))
                painter.drawLine(QPointF(0, true_y), QPointF(x + 2, y))
            if not label.reference:
                painter.setPen(theme.pen(label.token, 2, label.dash))
                painter.drawLine(QPointF(x + 2, y), QPointF(x + mark, y))
            draw_symbol(painter, QPointF(x + mark / 2 + 1, y), label.symbol, label.token, label.filled)
            painter.setPen(theme.color("text"))
            left = x + mark + theme.px(4)
            room = int(self.width() - left)
            text = shortened(label.text, room, metrics)
            painter.drawText(QPointF(left, y + metrics.ascent() / 2 - 1), text)
        if self.foot:
            painter.setPen(theme.color("text_2"))
            painter.drawText(QPointF(theme.px(2), self.height() - metrics.descent() - 1), self.foot)
        painter.end()

    def _metrics(self) -> QFontMetrics:
        return QFontMetrics(theme.font("caption"))

    def _at(self, y: float) -> str:
        half = self._metrics().height() / 2
        for label, at in self.positions():
            if label.reference and abs(y - at) <= half:
                return label.key
        return ""

    def _set_hover(self, key: str) -> None:
        if key != self._hover:
            self._hover = key
            self.setCursor(Qt.CursorShape.PointingHandCursor if key else Qt.CursorShape.ArrowCursor)
            self.hovered.emit(key)


def shortened(text: str, room: int, metrics: QFontMetrics) -> str:
    """Return a label cut to `room` pixels in its name, never in the number at its end."""
    if metrics.horizontalAdvance(text) <= room:
        return text
    name, _, number = text.rpartition(" ")
    if not name or not number[-1:].isdigit():
        return metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
    left = room - metrics.horizontalAdvance(f" {number}")
    return f"{metrics.elidedText(name, Qt.TextElideMode.ElideRight, left)} {number}"


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
    """Draw a marker as pyqtgraph names them, centred at `at`."""
    half = theme.px(size) / 2
    painter.setPen(theme.pen(token, 1.5))
    painter.setBrush(theme.brush(token if filled else "surface"))
    x, y = at.x(), at.y()
    if symbol == "o":
        painter.drawEllipse(at, half, half)
    elif symbol == "s":
        painter.drawRect(QRectF(x - half, y - half, 2 * half, 2 * half))
    elif symbol == "d":
        painter.drawPolygon(QPolygonF([QPointF(x, y - half * 1.3), QPointF(x + half, y), QPointF(x, y + half * 1.3),
                                       QPointF(x - half, y)]))  # fmt: skip
    elif symbol == "t1":
        painter.drawPolygon(QPolygonF([QPointF(x, y - half), QPointF(x + half, y + half), QPointF(x - half, y + half)]))
    elif symbol in ("x", "+", "star"):
        lines = {
            "x": ((-1, -1, 1, 1), (-1, 1, 1, -1)),
            "+": ((-1, 0, 1, 0), (0, -1, 0, 1)),
            "star": ((-1, -1, 1, 1), (-1, 1, 1, -1), (-1, 0, 1, 0), (0, -1, 0, 1)),
        }[symbol]
        for x1, y1, x2, y2 in lines:
            painter.drawLine(QPointF(x + x1 * half, y + y1 * half), QPointF(x + x2 * half, y + y2 * half))
