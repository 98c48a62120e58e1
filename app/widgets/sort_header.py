"""A table header that the keyboard reaches, and whose right-aligned titles stay whole beside the sort arrow."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent, QPainter
from PySide6.QtWidgets import QHeaderView, QStyleOptionHeader, QTableView

from app.services import tokens as t
from app.services.accessibility import announce
from app.services.theme import theme

_ROOM = "\N{NO-BREAK SPACE}" * 5  # as wide as the arrow: with a style sheet Qt draws it over the end of the title
_BY_MOUSE = (Qt.FocusReason.MouseFocusReason, Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason)
HELP = "Left and Right choose a title, Return sorts by it"


class SortHeader(QHeaderView):
    """Put in place with `view.setHorizontalHeader` before `set_up_table`.

    Tab comes to it after the table; Left and Right go over the titles, Return and Space sort as a click does.
    """

    def __init__(self, view: QTableView) -> None:
        super().__init__(Qt.Orientation.Horizontal, view)
        self.setSectionsClickable(True)
        self.setMinimumSectionSize(theme.px(t.XL))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName("Titles of the columns")
        self.setAccessibleDescription(HELP)
        self._at = 0

    @property
    def section(self) -> int:
        """The section the keyboard is at."""
        return self._at

    def activate(self) -> None:
        """Do what a click on the title would: sort by it, the other way round where that is so already."""
        falling = self.isSortIndicatorShown() and self.sortIndicatorSection() == self._at and (
            self.sortIndicatorOrder() == Qt.SortOrder.AscendingOrder
        )  # fmt: skip
        self.setSortIndicator(self._at, Qt.SortOrder.DescendingOrder if falling else Qt.SortOrder.AscendingOrder)
        order = "descending" if falling else "ascending"
        announce(self, f"Sorted by {self.title(self._at) or 'this column'}, {order}")

    def title(self, section: int) -> str:
        """The title of a section, or what its tool tip says where it has none."""
        roles = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole)
        found = (self.model().headerData(section, Qt.Orientation.Horizontal, role) for role in roles)
        return next((str(text) for text in found if text), "")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._go(self.visualIndex(self._at), -1 if key == Qt.Key.Key_Left else 1)
        elif key == Qt.Key.Key_Home:
            self._go(-1, 1)
        elif key == Qt.Key.Key_End:
            self._go(self.count(), -1)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.activate()
        else:
            event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:
        if event.reason() not in _BY_MOUSE and (self._at >= self.count() or self.isSectionHidden(self._at)):
            self._go(-1, 1)
        self.viewport().update()
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.viewport().update()
        super().focusOutEvent(event)

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        painter.save()
        super().paintSection(painter, rect, section)
        painter.restore()
        if section == self._at and self.hasFocus():
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(theme.pen("accent", 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(rect).adjusted(2, 2, -2, -2), theme.px(3), theme.px(3))
            painter.restore()

    def initStyleOptionForIndex(self, option: QStyleOptionHeader, section: int) -> None:
        super().initStyleOptionForIndex(option, section)
        right = bool(option.textAlignment & Qt.AlignmentFlag.AlignRight)
        if right and self.isSortIndicatorShown() and section == self.sortIndicatorSection():
            option.text += _ROOM

    def _go(self, start: int, by: int) -> None:
        """Go to the next section that shows."""
        place = start + by
        while 0 <= place < self.count():
            section = self.logicalIndex(place)
            if not self.isSectionHidden(section):
                self._at = section
                announce(self, self.title(section))
                self._reveal(section)
                self.viewport().update()
                return
            place += by

    def _reveal(self, section: int) -> None:
        view = self.parentWidget()
        if isinstance(view, QTableView) and view.model() is not None and view.model().rowCount():
            view.scrollTo(view.model().index(max(view.rowAt(0), 0), section))
