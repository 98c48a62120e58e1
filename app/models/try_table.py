"""Settings that a search has tried as a table: values, accuracies, gap and time; the best ones first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt

from app.models.columns import Column, ColumnTable
from app.services import format as fmt
from app.services.theme import theme

if TYPE_CHECKING:
    from core.session.tuning import Try

UNSEEN = "On the half of the test images that no other number is taken from"
MEASURES = {
    "retain": Column("Retain, %", f"Accuracy on classes to keep. {UNSEEN}.", number=True),
    "forget": Column("Forget, %", f"Accuracy on classes to forget. {UNSEEN}.", number=True),
    "samples": Column("Forget images, %", "Accuracy on the single images to forget.", number=True),
    "score": Column("Gap", "How far the try is from what is wanted: the smallest is best.", number=True),
}


class TryTableModel(ColumnTable):
    """Rows are tries, within the bound on retain accuracy first, then by their gap."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tries: list[Try] = []
        self._labels: dict[str, str] = {}  # of the searched parameters, by name
        self._measures: list[str] = []
        self._used: int | None = None

    def set_searched(self, labels: dict[str, str]) -> None:
        """Begin anew, with a column for each of these parameters."""
        self.beginResetModel()
        self._labels, self._tries, self._used = dict(labels), [], None
        self._set_measures(["retain", "forget", "score"])
        self.endResetModel()

    def set_tries(self, tries: Sequence[Try]) -> None:
        """Show these tries; those known keep their rows, with what is chosen among them."""
        ordered = sorted(tries, key=lambda one: (one.score is None, not one.allowed, one.score or 0.0, one.number))
        known = [name for name in ("retain", "forget", "samples") if any(getattr(t, name) is not None for t in tries)]
        measures = [*(known or ["retain", "forget"]), "score"]
        if measures != self._measures:
            self.beginResetModel()
            self._tries = []
            self._set_measures(measures)
            self.endResetModel()
        self.become(self._tries, ordered, lambda one: one.number)

    def set_used(self, number: int | None) -> None:
        """Mark the try whose settings are used."""
        self._used = number
        self.tell_changed()

    def try_at(self, row: int) -> Try | None:
        """The try of a row."""
        return self._tries[row] if 0 <= row < len(self._tries) else None

    def titles(self) -> list[str]:
        """The titles of the columns."""
        return [column.title for column in self.columns]

    def count(self) -> int:
        return len(self._tries)

    def cell(self, row: int, column: int, role: int) -> Any:
        one, last = self._tries[row], column == len(self.columns) - 1
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cells(one)[column]
        if role == Qt.ItemDataRole.ToolTipRole and last:
            return self._mark(one) or None
        if role == Qt.ItemDataRole.FontRole and one.number == self._used:
            font = theme.font("table")
            font.setWeight(font.Weight.DemiBold)
            return font
        return None

    def _set_measures(self, measures: list[str]) -> None:
        self._measures = measures
        searched = [Column(label, number=True) for label in self._labels.values()]
        named = [MEASURES[name] for name in measures]
        self.columns = [Column("Try", number=True), *searched, *named, Column("Time", number=True), Column("")]

    def _cells(self, one: Try) -> list[str]:
        measures = [
            fmt.decimal(one.score, 4) if name == "score" else fmt.percent(getattr(one, name), unit=False)
            for name in self._measures
        ]
        values = [f"{one.values[name]:g}" for name in self._labels]
        return [fmt.count(one.number), *values, *measures, fmt.duration(one.seconds), self._mark(one)]

    def _mark(self, one: Try) -> str:
        if one.number == self._used:
            return "✓ used"
        if one.score is None:
            return one.reason
        if not one.allowed:
            return "retain too low"
        return "best" if one is self._tries[0] and self._used is not None else ""
