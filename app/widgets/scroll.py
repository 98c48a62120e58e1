"""Content that scrolls where there is more of it than room, and looks like what it lies on."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QStackedWidget, QWidget


def scrolling(inside: QWidget, ground: str = "") -> QScrollArea:
    """Return an area without a frame around `inside`; `ground` names the colour it lies on, "" leaves it."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what is in it takes the focus and scrolls it
    area.setWidget(inside)
    if ground:
        area.setProperty("ground", ground)
        area.viewport().setProperty("ground", ground)
    return area


class Room(QScrollArea):
    """Gives the pages of `inside` all there is, and scrolls where that is less than the one in view needs.

    A page needs the size it says, at most that of `most`. Not what Qt calls resizable: that asks for the height which
    all wrapped text would like, though pages do with less.
    """

    def __init__(self, inside: QStackedWidget, most: QSize, parent: QWidget | None = None) -> None:
        super().__init__(parent)
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
