"""A table header whose first section holds a box with three states: for all rows that are shown."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter
from PySide6.QtWidgets import QStyleOptionHeader, QTableView

from app.services import icons
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.sort_header import SortHeader

_SIDE = 14
_ROOM = "\N{NO-BREAK SPACE}" * 6  # the width of the box and its distance from the title
_MARKS = {Qt.CheckState.Checked: "tick", Qt.CheckState.PartiallyChecked: "minus"}


class CheckHeader(SortHeader):
    """`box_clicked`: the box was clicked; clicks beside it sort as usual."""

    box_clicked = Signal()

    def __init__(self, view: QTableView) -> None:
        super().__init__(view)
        self._state = Qt.CheckState.Unchecked

    def set_check_state(self, state: Qt.CheckState) -> None:
        """Show a state of the box."""
        if state != self._state:
            self._state = state
            self.viewport().update()

    def check_state(self) -> Qt.CheckState:
        """The state shown."""
        return self._state

    def box(self) -> QRect:
        """Where the box is, in the viewport."""
        side = theme.px(_SIDE)
        left = self.sectionViewportPosition(0) + theme.px(t.S)
        return QRect(left, (self.height() - side) // 2, side, side)

    def initStyleOptionForIndex(self, option: QStyleOptionHeader, section: int) -> None:
        super().initStyleOptionForIndex(option, section)
        if section == 0:
            option.text = _ROOM + option.text  # type: ignore[attr-defined]

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        painter.save()
        super().paintSection(painter, rect, section)
        painter.restore()
        if section != 0:
            return
        box = self.box()
        chosen = self._state != Qt.CheckState.Unchecked
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(theme.pen("accent" if chosen else "outline"))
        painter.setBrush(theme.brush("accent" if chosen else "surface"))
        painter.drawRoundedRect(box.toRectF().adjusted(0.5, 0.5, -0.5, -0.5), theme.px(3), theme.px(3))
        if chosen:
            small = theme.px(12)
            mark = icons.pixmap(_MARKS[self._state], small, "on_accent", self.devicePixelRatioF())
            painter.drawPixmap(box.center() - QPoint(small // 2 - 1, small // 2 - 1), mark)
        painter.restore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if not self._on_box(event):
            super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._on_box(event):
            self.box_clicked.emit()
            return
        super().mouseReleaseEvent(event)

    def _on_box(self, event: QMouseEvent) -> bool:
        margin = theme.px(t.XS)
        area = self.box().adjusted(-2 * margin, -margin, margin, margin)
        return event.button() == Qt.MouseButton.LeftButton and area.contains(event.position().toPoint())
