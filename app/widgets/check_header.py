"""A table header whose first section holds a box with three states: for all rows that are shown."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QStyleOptionHeader, QTableView

from app.services import icons
from app.services import tokens as t
from app.services.accessibility import announce
from app.services.theme import theme
from app.widgets.sort_header import HELP, SortHeader

_SIDE = 14
_ROOM = "\N{NO-BREAK SPACE}" * 6  # the width of the box and its distance from the title
_SHARES = {Qt.CheckState.Checked: "all", Qt.CheckState.PartiallyChecked: "some", Qt.CheckState.Unchecked: "none"}
_MARKS = {Qt.CheckState.Checked: "tick", Qt.CheckState.PartiallyChecked: "minus"}


class CheckHeader(SortHeader):
    """`box_clicked`: the box was clicked, or Space was pressed at its title.

    Clicks beside it sort as usual, and so does Return. `what` is chosen by the box: "classes".
    """

    box_clicked = Signal()

    def __init__(self, view: QTableView, what: str) -> None:
        super().__init__(view)
        self._state = Qt.CheckState.Unchecked
        self._what = what
        self.setAccessibleDescription(f"{HELP}, Space at the first one chooses all {what} shown, or none")
        self._tell()

    def set_check_state(self, state: Qt.CheckState) -> None:
        """Show a state of the box."""
        if state != self._state:
            self._state = state
            self._tell()
            self.viewport().update()

    def title(self, section: int) -> str:
        own = super().title(section)
        return f"{own}, {self._words()}" if section == 0 else own

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and self.section == 0:
            self.box_clicked.emit()
            announce(self, self._words())
        else:
            super().keyPressEvent(event)

    def _words(self) -> str:
        return f"{_SHARES[self._state]} of the {self._what} shown are chosen"

    def _tell(self) -> None:
        self.setAccessibleName(f"Titles of the columns; {self._words()}")

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
            option.text = _ROOM + option.text

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        super().paintSection(painter, rect, section)
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
