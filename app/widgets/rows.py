"""One row of widgets, or two where the system font is large."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.services import tokens as t
from app.services.theme import theme


def first_and_last_row(widget: QWidget) -> tuple[QHBoxLayout, QHBoxLayout]:
    """Lay `widget` out and return its first and its last row: one and the same unless the system font is large."""
    rows = [QHBoxLayout() for _ in range(2 if theme.large else 1)]
    column = QVBoxLayout(widget)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(theme.px(t.S))
    for row in rows:
        row.setSpacing(theme.px(t.S))
        column.addLayout(row)
    return rows[0], rows[-1]
