"""Item model of several runs: anchors, then a row a method with its mean over seeds; below it a row a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.models.measure_table import written
from app.models.run_table import VERDICTS
from app.services import format as fmt
from app.services.theme import theme
from app.widgets.table import NUMBER

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()

NAME, VERDICT, FIRST = 0, 1, 2  # columns; the measures begin at FIRST
RUN_ROLE = int(Qt.ItemDataRole.UserRole) + 60  # the run's name; None where the row is no single run
_TOP = 0  # internal id of rows without a parent; a child's is its parent's row + 1
ANCHORS = {"original": "Original", "head_only": "Head-only edit (control)", "retrained": "Retrained"}
_OVER_SEEDS = "Mean over {} seeds, ± half of the 95 % interval of the mean"


@dataclass
class Line:
    """One row: its name, verdict in words, values by measure as (value, half-width), and the runs below it."""

    name: str
    verdict: str = ""
    values: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    closed: Mapping[str, Any] = field(default_factory=dict)  # measure -> share of the gap closed
    run: str | None = None
    seeds: int = 0
    children: list[Line] = field(default_factory=list)


def lines_of(found: Mapping[str, Any]) -> list[Line]:
    """Return the rows of a comparison as `core.verify.comparison.compare` makes it."""
    lines = [
        Line(ANCHORS[key], values={measure: (value, None) for measure, value in values.items()})
        for key, values in found["anchors"].items()
        if any(value is not None for value in values.values())
    ]
    runs = {run["run"]: run for run in found["runs"]}
    grouped = set()
    for group in found["groups"]:
        members = [_run_line(runs[name]) for name in group["runs"]]
        grouped |= set(group["runs"])
        lines.append(members[0] if len(members) == 1 else _group_line(group, members))
    lines += [_run_line(run) for name, run in runs.items() if name not in grouped]
    return lines


def method_words(run: Mapping[str, Any]) -> str:
    """Name a run's or group's method, with its preset where that is not the default."""
    preset = run.get("preset")
    return f"{run['title']}, {preset}" if preset and preset != "default" else str(run["title"])


def _run_line(run: Mapping[str, Any]) -> Line:
    values: dict[str, tuple[float | None, float | None]] = {k: (v, None) for k, v in run["measures"].items()}
    code = run["verdict"].get("code") or ""
    return Line(
        f"{method_words(run)}, seed {run['seed']}", VERDICTS.get(code, fmt.DASH), values, run["closure"], run["run"]
    )


def _group_line(group: Mapping[str, Any], members: list[Line]) -> Line:
    values = {}
    for key, taken in group["measures"].items():
        half = None if taken["low"] is None else (taken["high"] - taken["low"]) / 2
        values[key] = (taken["mean"], half)
    closed = {key: taken["mean"] for key, taken in group["closure"].items()}
    for member in members:
        member.name = f"Seed {member.name.rpartition(' ')[2]}"
    return Line(method_words(group), _verdicts(members), values, closed, None, len(members), members)


def _verdicts(members: list[Line]) -> str:
    numbers = Counter(member.verdict for member in members)
    if len(numbers) == 1:
        return members[0].verdict
    return ", ".join(f"{fmt.count(number)} {words.lower()}" for words, number in numbers.most_common())


class ComparisonTable(QAbstractItemModel):
    """Columns are name, verdict, then the measures in the order of the report's table."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: list[Line] = []
        self._measures: list[Mapping[str, Any]] = []

    def set_comparison(self, found: Mapping[str, Any]) -> None:
        """Show another comparison."""
        self.beginResetModel()
        self._lines, self._measures = lines_of(found), list(found["measures"])
        self.endResetModel()

    def group(self, column: int) -> str:
        """The group of a column's measure; empty for name and verdict."""
        return str(self._measures[column - FIRST]["group"]) if column >= FIRST else ""

    def groups(self) -> tuple[str, ...]:
        """The groups of measures there are, in their order."""
        return tuple(dict.fromkeys(str(measure["group"]) for measure in self._measures))

    def line(self, index: Index) -> Line:
        """The row of an index."""
        owner = int(index.internalId())
        return self._lines[index.row()] if owner == _TOP else self._lines[owner - 1].children[index.row()]

    def index_of(self, run: str) -> QModelIndex:
        """The first cell of a run's row; invalid where there is none."""
        for top, line in enumerate(self._lines):
            if line.run == run:
                return self.index(top, NAME)
            for row, child in enumerate(line.children):
                if child.run == run:
                    return self.index(row, NAME, self.index(top, NAME))
        return QModelIndex()

    # ---- structure

    def index(self, row: int, column: int, parent: Index = ROOT) -> QModelIndex:
        if not self.hasIndex(row, column, parent):
            return QModelIndex()
        return self.createIndex(row, column, parent.row() + 1 if parent.isValid() else _TOP)

    def parent(self, index: Index = ROOT) -> QModelIndex:  # type: ignore[override]
        owner = int(index.internalId()) if index.isValid() else _TOP
        return QModelIndex() if owner == _TOP else self.createIndex(owner - 1, NAME, _TOP)

    def rowCount(self, parent: Index = ROOT) -> int:
        if not parent.isValid():
            return len(self._lines)
        if parent.internalId() != _TOP or parent.column() > 0:
            return 0
        return len(self._lines[parent.row()].children)

    def columnCount(self, parent: Index = ROOT) -> int:
        return FIRST + len(self._measures)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < self.columnCount():
            return None
        if section < FIRST:
            return ("Method", "Verdict")[section] if role == Qt.ItemDataRole.DisplayRole else None
        measure = self._measures[section - FIRST]
        if role == Qt.ItemDataRole.DisplayRole:
            return measure["title"]
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{measure['title']}\n{measure['explanation']}"
        return int(NUMBER) | int(Qt.TextFlag.TextWordWrap) if role == Qt.ItemDataRole.TextAlignmentRole else None

    # ---- content

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        line = self.line(index)
        if role == RUN_ROLE:
            return line.run
        if index.column() < FIRST:
            return self._words(line, index.column(), role)
        return self._value(line, self._measures[index.column() - FIRST], role)

    def _words(self, line: Line, column: int, role: int) -> Any:
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            text = line.verdict if column == VERDICT else line.name
            own = line.run if column == NAME and role == Qt.ItemDataRole.ToolTipRole else None
            return f"{text}\n{own}" if own else text
        if role == Qt.ItemDataRole.FontRole and line.children and column == NAME:
            font = theme.font("table")
            font.setWeight(font.Weight.DemiBold)
            return font
        return None

    def _value(self, line: Line, measure: Mapping[str, Any], role: int) -> Any:
        value, half = line.values.get(measure["key"], (None, None))
        if role == Qt.ItemDataRole.DisplayRole:
            return spread_words(value, half, measure["unit"])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return NUMBER
        if role == Qt.ItemDataRole.ForegroundRole and value is None:
            return theme.brush("text_3")
        if role == Qt.ItemDataRole.ToolTipRole:
            if value is None:
                return "Not measured in this report."
            closed = line.closed.get(measure["closure_key"])
            parts = [_OVER_SEEDS.format(line.seeds)] if half is not None else []
            parts += [f"{fmt.closed(closed)} % of the gap closed"] if closed is not None else []
            return "\n".join(parts) or None
        return None


def spread_words(value: float | None, half: float | None, unit: str) -> str:
    """Write a value, and half of its interval over seeds: "96.7 ± 1.2"."""
    text = written(value, unit)
    return text if half is None or value is None else f"{text} ± {_half(half, value, unit)}"


def _half(half: float, value: float, unit: str) -> str:
    if unit == "percent":  # `written` says "> 99.9" near the ends, which a width never means
        return fmt.decimal(100 * half, 1)
    return fmt.decimal(half, 1) if unit == "count" else written(half, unit)
