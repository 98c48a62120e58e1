"""Layouts in one call: a row, a column, words that wrap, and content that scrolls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLayout,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.services import tokens as t
from app.services.theme import theme

Box = TypeVar("Box", bound=QBoxLayout)
Widget = TypeVar("Widget", bound=QWidget)
STRETCH = None  # in `row` and `column`: what takes the room that is left
Margins = int | tuple[int, int, int, int]  # all around, or left, top, right, bottom; in pixels of the design
Part = QWidget | QLayout | int | tuple[QWidget | QLayout, int] | tuple[QWidget, int, Qt.AlignmentFlag] | None


def row(*parts: Part, on: QWidget | None = None, spacing: int = t.S, margins: Margins = 0) -> QHBoxLayout:
    """Lay `parts` side by side; sizes are pixels of the design, and `on` is the widget that is laid out.

    A part is a widget or a layout, either with its share of the room that is left (`(table, 1)`, a widget also with an
    alignment), a number for a space so wide, or STRETCH. Without `on` the layout is one to put into another.
    """
    return _filled(QHBoxLayout(on) if on is not None else QHBoxLayout(), parts, spacing, margins)


def column(*parts: Part, on: QWidget | None = None, spacing: int = t.S, margins: Margins = 0) -> QVBoxLayout:
    """Lay `parts` below each other; as `row`."""
    return _filled(QVBoxLayout(on) if on is not None else QVBoxLayout(), parts, spacing, margins)


def form(*, on: QWidget | None = None, spacing: int = t.S, margins: Margins = 0) -> QFormLayout:
    """Return a form in the look of the window: labels at the right of their column, fields as wide as they like."""
    layout = QFormLayout(on) if on is not None else QFormLayout()
    layout.setContentsMargins(*_sides(margins))
    layout.setHorizontalSpacing(theme.px(t.S))
    layout.setVerticalSpacing(theme.px(spacing))
    layout.setLabelAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
    return layout


def widget_of(layout: QLayout) -> QWidget:
    """Return a widget that is laid out so, for a place that takes widgets only."""
    widget = QWidget()
    widget.setLayout(layout)
    return widget


def named(widget: Widget, name: str) -> Widget:
    """Return the widget with the name that a screen reader says."""
    widget.setAccessibleName(name)
    return widget


def stacked(*widgets: QWidget) -> QStackedWidget:
    """Return these widgets in one place; the first shows."""
    stack = QStackedWidget()
    for widget in widgets:
        stack.addWidget(widget)
    return stack


def add_to(box: QBoxLayout, *parts: Part) -> None:
    """Put further parts into a row or a column."""
    for part in parts:
        if part is STRETCH:
            box.addStretch(1)
        elif isinstance(part, int):
            box.addSpacing(theme.px(part))
        else:
            what, *where = part if isinstance(part, tuple) else (part,)
            add: Callable[..., None] = box.addLayout if isinstance(what, QLayout) else box.addWidget
            add(what, *where)


def _filled(box: Box, parts: Iterable[Part], spacing: int, margins: Margins) -> Box:
    box.setContentsMargins(*_sides(margins))
    box.setSpacing(theme.px(spacing))
    add_to(box, *parts)
    return box


def _sides(margins: Margins) -> list[int]:
    return [theme.px(side) for side in ((margins,) * 4 if isinstance(margins, int) else margins)]


def beside(splitter: QSplitter, table: QWidget, plots: QWidget) -> None:
    """Put a table and its plots side by side; the table takes more of the room."""
    splitter.setChildrenCollapsible(False)
    splitter.setHandleWidth(theme.px(t.M))
    splitter.addWidget(table)
    splitter.addWidget(plots)
    splitter.setStretchFactor(0, 8)
    splitter.setStretchFactor(1, 5)
    splitter.setSizes([theme.px(644), theme.px(408)])


def first_and_last_row(widget: QWidget) -> tuple[QHBoxLayout, QHBoxLayout]:
    """Lay `widget` out and return its first and its last row: one and the same unless the system font is large."""
    rows = [row() for _ in range(2 if theme.large else 1)]
    column(*rows, on=widget)
    return rows[0], rows[-1]


def scrolling(inside: QWidget, ground: str = "") -> QScrollArea:
    """Return an area without a frame around `inside`; `ground` names the colour it lies on, "" leaves it."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what is in it takes the focus and scrolls it
    area.setWidget(inside)
    if ground:
        for part in (area, area.viewport(), inside):
            part.setProperty("ground", ground)
    return area


class Room(QScrollArea):
    """Gives the pages of `inside` all there is, and scrolls where that is less than the one in view needs.

    A page needs the size it says, at most that of `most`. Not what Qt calls resizable: that asks for the height which
    all wrapped text would like, though pages do with less.
    """

    def __init__(self, inside: QStackedWidget, most: QSize) -> None:
        super().__init__()
        self._inside, self._most = inside, most
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(inside)
        inside.currentChanged.connect(self._fit)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:  # a page shows something else, which needs more or less
            self._fit()
        return super().viewportEvent(event)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, 0)

    def _fit(self, *_: object) -> None:
        page = self._inside.currentWidget()
        needed = QSize(0, 0) if page is None else page.minimumSizeHint().expandedTo(page.minimumSize())
        least = needed.boundedTo(self._most)
        room, bar = self.maximumViewportSize(), self.verticalScrollBar().sizeHint().width()
        wide, high = room.width() < least.width(), room.height() < least.height()
        wide |= high and room.width() - bar < least.width()
        high |= wide and room.height() - bar < least.height()
        left = QSize(room.width() - bar * high, room.height() - bar * wide)
        self._inside.resize(left.expandedTo(least))
