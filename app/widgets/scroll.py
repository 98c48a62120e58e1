"""Content that scrolls where there is more of it than room, and looks like what it lies on."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget


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
    """Gives `inside` all there is, and where that is less than `least` scrolls it both ways.

    Not what Qt calls resizable: that asks for the height which all wrapped text would like, though pages do with less.
    """

    def __init__(self, inside: QWidget, least: QSize, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._inside, self._least = inside, least
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(inside)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        room, bar = self.maximumViewportSize(), self.verticalScrollBar().sizeHint().width()
        wide, high = room.width() < self._least.width(), room.height() < self._least.height()
        wide |= high and room.width() - bar < self._least.width()
        high |= wide and room.height() - bar < self._least.height()
        left = QSize(room.width() - bar * high, room.height() - bar * wide)
        self._inside.resize(left.expandedTo(self._least))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, 0)
