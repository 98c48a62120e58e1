"""A table of texts that is shown as it is: a header, rows, and nothing to edit."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Qt

from app.models.columns import Column, ColumnTable


class TextTableModel(ColumnTable):
    """Cells are texts; a long one is whole in its tool tip."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[list[str]] = []

    def set_table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show another table."""
        self.beginResetModel()
        self.columns, self._rows = [Column(title, title) for title in header], [list(row) for row in rows]
        self.endResetModel()

    def count(self) -> int:
        return len(self._rows)

    def cell(self, row: int, column: int, role: int) -> str | None:
        shown = role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole)
        return self._rows[row][column] if shown else None
