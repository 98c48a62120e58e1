"""The runs known, sorted, and those left that a text is found in."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QSortFilterProxyModel
from PySide6.QtWidgets import QWidget

from app.models import run_table as columns
from app.models.run_table import SORT_ROLE


class RunFilter(QSortFilterProxyModel):
    """Rows whose state, method, forget set or verdict holds the text."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self.setSortRole(SORT_ROLE)
        self.setDynamicSortFilter(True)

    def set_text(self, text: str) -> None:
        """Filter by another text."""
        self._text = text.strip().lower()
        self.invalidate()

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:  # type: ignore[override]
        if not self._text:
            return True
        model = self.sourceModel()
        searched = (columns.STATE, columns.METHOD, columns.FORGET, columns.VERDICT)
        return any(self._text in str(model.index(row, column, parent).data() or "").lower() for column in searched)
