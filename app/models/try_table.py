"""Settings that a search has tried as a table: values, accuracies, gap and time; the best ones first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.services import format as fmt
from app.services.theme import theme
from app.widgets.table import NUMBER

if TYPE_CHECKING:
    from core.session.tuning import Try

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
UNSEEN = "On the half of the test images that no other number is taken from"
TIPS = {
    "retain": f"Accuracy on classes to keep. {UNSEEN}.",
    "forget": f"Accuracy on classes to forget. {UNSEEN}.",
    "samples": "Accuracy on the single images to forget.",
    "score": "How far the try is from what is wanted: the smallest is best.",
}
TITLES = {"retain": "Retain, %", "forget": "Forget, %", "samples": "Forget images, %", "score": "Gap"}


class TryTableModel(QAbstractTableModel):
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
        self._labels, self._tries, self._measures, self._used = dict(labels), [], ["retain", "forget", "score"], None
        self.endResetModel()

    def set_tries(self, tries: Sequence[Try]) -> None:
        """Show these tries."""
        if list(tries) == sorted(self._tries, key=lambda one: one.number):
            return
        self.beginResetModel()
        self._tries = sorted(
            tries, key=lambda one: (one.score is None, not one.allowed, one.score or 0.0, one.number)
        )
        known = [name for name in ("retain", "forget", "samples") if any(getattr(t, name) is not None for t in tries)]
        self._measures = [*(known or ["retain", "forget"]), "score"]
        self.endResetModel()

    def set_used(self, number: int | None) -> None:
        """Mark the try whose settings are used."""
        self._used = number
        if self._tries:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._tries) - 1, self.columnCount() - 1))

    def try_at(self, row: int) -> Try | None:
        """The try of a row."""
        return self._tries[row] if 0 <= row < len(self._tries) else None

    def titles(self) -> list[str]:
        """The titles of the columns."""
        return ["Try", *self._labels.values(), *(TITLES[name] for name in self._measures), "Time", ""]

    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self._tries)

    def columnCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self.titles())

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.titles()):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.titles()[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            place = section - 1 - len(self._labels)
            return TIPS[self._measures[place]] if 0 <= place < len(self._measures) else None
        if role == Qt.ItemDataRole.TextAlignmentRole and section < len(self.titles()) - 1:
            return NUMBER
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        one = self.try_at(index.row())
        if one is None:
            return None
        last = index.column() == self.columnCount() - 1
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cells(one)[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft if last else NUMBER
        if role == Qt.ItemDataRole.ToolTipRole and last:
            return self._mark(one) or None
        if role == Qt.ItemDataRole.FontRole and one.number == self._used:
            font = theme.font("table")
            font.setWeight(font.Weight.DemiBold)
            return font
        return None

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
