"""A table header whose right-aligned titles stay whole beside the sort arrow."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHeaderView, QStyleOptionHeader, QTableView

from app.services import tokens as t
from app.services.theme import theme

_ROOM = "\N{NO-BREAK SPACE}" * 5  # as wide as the arrow: with a style sheet Qt draws it over the end of the title


class SortHeader(QHeaderView):
    """Put in place with `view.setHorizontalHeader` before `set_up_table`."""

    def __init__(self, view: QTableView) -> None:
        super().__init__(Qt.Orientation.Horizontal, view)
        self.setSectionsClickable(True)
        self.setMinimumSectionSize(theme.px(t.XL))

    def initStyleOptionForIndex(self, option: QStyleOptionHeader, section: int) -> None:
        super().initStyleOptionForIndex(option, section)
        right = bool(option.textAlignment & Qt.AlignmentFlag.AlignRight)  # type: ignore[attr-defined]
        if right and self.isSortIndicatorShown() and section == self.sortIndicatorSection():
            option.text += _ROOM  # type: ignore[attr-defined]
