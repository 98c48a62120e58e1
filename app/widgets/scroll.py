"""A column that scrolls down where there is more of it than room, and looks like what it lies on."""

from __future__ import annotations

from PySide6.QtCore import Qt
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
