"""Content that scrolls where there is more of it than room, and looks like what it lies on."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget


def scrolling(inside: QWidget, ground: str = "", sideways: bool = False) -> QScrollArea:
    """Return an area without a frame around `inside` that scrolls down and, where asked for, sideways.

    `ground` names the colour it lies on, "" leaves it.
    """
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    if not sideways:
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what is in it takes the focus and scrolls it
    area.setWidget(inside)
    if ground:
        area.setProperty("ground", ground)
        area.viewport().setProperty("ground", ground)
    return area
