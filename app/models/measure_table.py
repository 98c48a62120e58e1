"""Item model of a report's table: groups of measures, a column a model, and how far each gap is closed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from PySide6.QtCore import QObject, Qt

from app.models.tables import ROOT, Index, TwoLevels
from app.services import format as fmt
from app.services.theme import theme
from app.widgets.table import GAP_ROLE, NUMBER, Gap
from core.verify.table import COLUMNS, TRAINED_ON, TableRow

Kind = Literal["group", "measure", "note"]

GAP_COLUMN = len(COLUMNS) + 1
KIND_ROLE = Qt.ItemDataRole.UserRole + 50  # "group", "measure" or "note"
KEY_ROLE = Qt.ItemDataRole.UserRole + 51  # a measure's key, a group's title
TITLES = {"original": "Original", "head_only": "Head-only", "unlearned": "Unlearned", "retrained": "Retrained"}

_HEADER_TIPS = {
    "head_only": "Head-only edit (control): the original with only its classifier head edited. Outputs forget, "
    "features do not.",
    "original": "The model that was opened.",
    "unlearned": "The result of this run.",
    "retrained": "Trained from scratch without the forget images. Its value is the goal.",
}
_GAP_TIP = (
    "Left mark: the original's value. Right mark: the retrained value. The bar ends at the unlearned model; the "
    "whisker is its 95 % interval."
)


@dataclass(frozen=True)
class _Line:
    kind: Kind
    row: TableRow


class MeasureTable(TwoLevels):
    """Groups hold their measures; what must be said beside a measure is a line of its own below it."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._groups: list[tuple[str, list[_Line]]] = []
        self._has_retrained = False
        theme.changed.connect(self.tell_changed)

    def set_rows(self, rows: tuple[TableRow, ...]) -> None:
        """Show other rows; where only their numbers changed, what is selected stays."""
        groups: list[tuple[str, list[_Line]]] = []
        for row in rows:
            if not groups or groups[-1][0] != row.group:
                groups.append((row.group, []))
            lines = groups[-1][1]
            lines.append(_Line("measure", row))
            if row.note:
                lines.append(_Line("note", row))
        same = _structure(groups) == _structure(self._groups)
        if not same:
            self.beginResetModel()
        self._groups = groups
        self._has_retrained = any(row.retrained for row in rows)
        if same:
            self.tell_changed()
        else:
            self.endResetModel()

    def groups(self) -> list[str]:
        """The groups' titles."""
        return [title for title, _ in self._groups]

    def children(self, top: int | None) -> int:  # type: ignore[override]
        return len(self._groups) if top is None else len(self._groups[top][1])

    def columnCount(self, parent: Index = ROOT) -> int:
        return GAP_COLUMN + 1

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole and 0 < section < GAP_COLUMN:
            return NUMBER
        if section == 0:
            return "Measure" if role == Qt.ItemDataRole.DisplayRole else None
        if section == GAP_COLUMN:
            return {Qt.ItemDataRole.DisplayRole: "Gap closed", Qt.ItemDataRole.ToolTipRole: _GAP_TIP}.get(role)  # type: ignore[call-overload]
        model = COLUMNS[section - 1]
        if role == Qt.ItemDataRole.DisplayRole:
            return TITLES[model]
        return _HEADER_TIPS[model] if role == Qt.ItemDataRole.ToolTipRole else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    # ---- content

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        top, inner = self.place_of(index)
        if inner is None:
            return self._group_data(self._groups[top][0], index.column(), role)
        line = self._groups[top][1][inner]
        if role == KIND_ROLE:
            return line.kind
        if role == KEY_ROLE:
            return line.row.key
        if line.kind == "note":
            return self._note_data(line.row, index.column(), role)
        if index.column() == 0:
            return self._name_data(line.row, role)
        if index.column() == GAP_COLUMN:
            return self._gap_data(line.row, role)
        return self._value_data(line.row, COLUMNS[index.column() - 1], role)

    def _group_data(self, title: str, column: int, role: int) -> Any:
        if role == KIND_ROLE:
            return "group"
        if role == KEY_ROLE:
            return title
        if column:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return title
        if role == Qt.ItemDataRole.FontRole:
            font = theme.font("body")
            font.setWeight(font.Weight.DemiBold)
            return font
        return None

    def _note_data(self, row: TableRow, column: int, role: int) -> Any:
        if column:
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return row.note
        if role == Qt.ItemDataRole.FontRole:
            return theme.font("caption")
        return theme.brush("text_2") if role == Qt.ItemDataRole.ForegroundRole else None

    def _name_data(self, row: TableRow, role: int) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(part for part in (row.explanation, row.note) if part)
        return None

    def _value_data(self, row: TableRow, model: str, role: int) -> Any:
        value = row.values[model]
        if role == Qt.ItemDataRole.DisplayRole:
            return written(value, row.unit)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return NUMBER
        if role == Qt.ItemDataRole.ForegroundRole and value is None:
            return theme.brush("text_3")
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleDescriptionRole):
            if value is None:
                return row.missing.get(model)
            if model == "retrained" and len(row.retrained) > 1:
                each = ", ".join(written(one, row.unit) for one in row.retrained)
                return f"Mean of {len(row.retrained)} retrained models: {each}"
            return row.details.get(model)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{TITLES[model]}: {written(value, row.unit) if value is not None else row.missing.get(model, '')}"
        return None

    def _gap_data(self, row: TableRow, role: int) -> Any:
        gap = gap_of(row) if row.verdict and self._has_retrained else None
        if role == GAP_ROLE:
            return gap
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole) and gap is not None:
            reason = "" if gap.informative else (row.verdict or {}).get("note") or ""
            if row.within_chance:
                reason = "the rest lies within chance"
            words = f"{gap.text}: {reason}" if reason else gap.text
            words = words[:1].upper() + words[1:]
            return f"{words}\n{TRAINED_ON[:1].upper()}{TRAINED_ON[1:]}." if row.trained_on else words
        return None


def _structure(groups: list[tuple[str, list[_Line]]]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what stands where, whatever its numbers."""
    return [(title, [(line.kind, line.row.key) for line in lines]) for title, lines in groups]


def gap_of(row: TableRow) -> Gap:
    """Return the gap bar of a measure the verdict knows."""
    found = row.verdict or {}
    low, high = row.whisker or (None, None)
    # A measure the method was trained on is informative about the method, not for the verdict: its bar is drawn.
    informative = bool(found.get("informative"))
    return Gap(found.get("position") if informative else None, low, high, informative)


def written(value: float | None, unit: str) -> str:
    """Write a number of the table; its unit stands in the row's title."""
    if value is None:
        return fmt.DASH
    if unit == "percent":
        return fmt.percent(value, unit=False) if value <= 1 else fmt.decimal(100 * value, 1)  # a cost may be above
    if unit == "count":
        return fmt.count(round(value))
    places = {"ratio": 3, "number": 2, "seconds": 1}[unit]
    return fmt.decimal(value, places)
