"""The runs known, sorted, and those left that a text is found in."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QSortFilterProxyModel
from PySide6.QtWidgets import QWidget

from app.models import run_table as columns
from app.models.run_table import SORT_ROLE


class RunFilter(QSortFilterProxyModel):
    """Rows whose state, method, preset, forget set, model, data or verdict holds the text."""

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
        searched = (columns.STATE, columns.METHOD, columns.PRESET, columns.FORGET, columns.MODEL, columns.DATA,
                    columns.VERDICT)  # fmt: skip
        return any(self._text in str(model.index(row, column, parent).data() or "").lower() for column in searched)
