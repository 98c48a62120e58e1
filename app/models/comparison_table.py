"""Item model of several runs: anchors, then methods in their rank with what their seeds came to, and their runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt

from app.models.measure_table import written
from app.models.run_table import VERDICTS
from app.models.tables import ROOT, Index, TwoLevels
from app.services import format as fmt
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.table import NUMBER
from core.verify.lamps import LAMPS, LIGHTS, report_lamps

if TYPE_CHECKING:
    from PySide6.QtCore import QModelIndex

    from core.session.batch import Group, Row

NAME, VERDICT, OUTPUTS, FEATURES, ATTACKS, FIRST = range(6)  # columns; the measures begin at FIRST
RUN_ROLE = int(Qt.ItemDataRole.UserRole) + 60  # the run's name; None where the row is no single run
ANCHORS = {"original": "Original", "head_only": "Head-only edit (control)", "retrained": "Retrained"}
OUTCOMES = {
    "finished": "finished", "skipped": "finished", "stopped": "stopped early", "running": "going", "waiting": "waiting",
    "interrupted": "interrupted", "failed": "failed", "missing": "not started",
}  # fmt: skip
GLYPHS = {"original": "□", "between": "◐", "retrained": "◆", "unknown": "○"}  # as the lamps of one run are drawn
SHORT = {"original": "original", "between": "between", "retrained": "retrained", "unknown": "unknown"}
Values = Mapping[str, float | None]
Lights = Mapping[str, Sequence[str]]  # lamp -> what it says of each run


@dataclass
class Line:
    """One row: its name, verdict and lamps in words, the values of its runs by measure, and the runs below it."""

    name: str
    verdict: str = ""
    lights: Lights = field(default_factory=dict)
    values: Mapping[str, Sequence[float]] = field(default_factory=dict)  # measure -> a value a run that has one
    closed: Values = field(default_factory=dict)  # measure -> share of the gap closed
    run: str | None = None
    tip: str = ""
    children: list[Line] = field(default_factory=list)
    cells: dict[str, tuple[str, str]] = field(default_factory=dict)  # measure -> its text and its tool tip


def lines_of(found: Mapping[str, Any], reports: Mapping[str, Mapping[str, Any]]) -> list[Line]:
    """Return the rows of a comparison as `core.verify.comparison.compare` makes it; `reports`: by the runs' names."""
    told = [report_lamps(report).get("head_only") or {} for report in reports.values()]
    # A method's own measures do not count for it: the control is told by the report where most do.
    controls = max(told, key=lambda lamps: sum(light != "unknown" for light in lamps.values()), default={})
    lines = [
        Line(
            ANCHORS[key], values=_known(values),
            lights={lamp: [light] for lamp, light in controls.items()} if key == "head_only" else {},
        )
        for key, values in found["anchors"].items()
        if any(value is not None for value in values.values())
    ]  # fmt: skip
    runs = {run["run"]: run for run in found["runs"]}
    groups = {tuple(group["runs"]): group for group in found["groups"]}
    grouped, words = set(), Counter(method_words(place) for place in found["ranking"])
    for place in found["ranking"]:
        group = groups[tuple(place["runs"])]
        members = [run_line(runs[name], reports[name]) for name in place["runs"]]
        grouped |= set(place["runs"])
        line = members[0] if len(members) == 1 else _group_line(group, members)
        if words[method_words(place)] == 1:
            line.name = method_words(place)
        line.name = f"{place['rank'] or fmt.DASH}  {line.name}"
        lines.append(line)
    return lines + [run_line(run, reports[name]) for name, run in runs.items() if name not in grouped]


def batch_lines(groups: Iterable[Group], finished: Mapping[str, Line], titles: Mapping[str, str]) -> list[Line]:
    """Return the rows of a batch: a row a method and forget set, below it its runs, also those without a result.

    finished: the lines of runs with a report, by the name that the batch gives them.
    """
    lines = []
    for group in groups:
        members = [_batch_member(row, finished) for row in group.rows]
        id_ = group.rows[0].method
        own, title = group.method.removesuffix(f" ({id_})"), titles.get(id_, id_)
        name = f"{group.forget} · {title if own == id_ else f'{own}, {title}'}"
        ended = [finished[row.run] for row in group.rows if row.run in finished]
        lines.append(Line(
            name, _counted(member.verdict for member in members), _lights_of(ended), _values_of(ended), run=None,
            children=members, tip=tr("{done} of %n runs have a result", n=len(members), done=fmt.count(group.ended)),
        ))  # fmt: skip
    return lines


def _batch_member(row: Row, finished: Mapping[str, Line]) -> Line:
    line = finished.get(row.run)
    if line is None:
        return Line(f"Seed {row.seed}", OUTCOMES[row.outcome].capitalize(), tip=row.error or row.run)
    line.name = f"Seed {row.seed}"
    return line


def method_words(run: Mapping[str, Any]) -> str:
    """Name a run's or group's method, with its preset where that is not the default."""
    preset = run.get("preset")
    return f"{run['title']}, {preset}" if preset and preset != "default" else str(run["title"])


def run_line(run: Mapping[str, Any], report: Mapping[str, Any]) -> Line:
    """Return the row of a single run."""
    code = run["verdict"].get("code") or ""
    lights = {lamp: [light] for lamp, light in (report_lamps(report).get("unlearned") or {}).items()}
    name = f"{method_words(run)}, seed {run['seed']}"
    return Line(name, VERDICTS.get(code, fmt.DASH), lights, _known(run["measures"]), run["closure"], run["run"])


def _group_line(group: Mapping[str, Any], members: list[Line]) -> Line:
    closed = {key: taken["mean"] for key, taken in group["closure"].items()}
    for member in members:
        member.name = f"Seed {member.name.rpartition(' ')[2]}"
    verdict = _counted(member.verdict for member in members)
    return Line(method_words(group), verdict, _lights_of(members), _values_of(members), closed, children=members)


def _known(values: Values) -> dict[str, list[float]]:
    return {key: [value] for key, value in values.items() if value is not None}


def _values_of(members: Sequence[Line]) -> dict[str, list[float]]:
    keys = dict.fromkeys(key for member in members for key in member.values)
    return {key: [value for member in members for value in member.values.get(key, ())] for key in keys}


def _lights_of(members: Sequence[Line]) -> dict[str, list[str]]:
    return {lamp: [light for member in members for light in member.lights.get(lamp, ())] for lamp in LAMPS}


def _counted(words: Iterable[str]) -> str:
    """Write what several runs got: the words where all got the same, else "2 close, 1 hidden"."""
    numbers = Counter(filter(None, words))
    if len(numbers) < 2:
        return next(iter(numbers), "")
    return ", ".join(f"{fmt.count(number)} {word.lower()}" for word, number in numbers.most_common())


class ComparisonTable(TwoLevels):
    """Columns are name, verdict, the three lamps, then the measures in the order of the report's table."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: Sequence[Line] = ()
        self._measures: Sequence[Mapping[str, Any]] = ()

    def set_lines(self, lines: Sequence[Line], measures: Sequence[Mapping[str, Any]]) -> None:
        """Show other runs, whose cells are written; where the rows stay the same ones, only their cells change."""
        same = _names(lines) == _names(self._lines) and list(measures) == list(self._measures)
        if not same:
            self.beginResetModel()
        self._lines, self._measures = lines, measures
        if same:
            self.tell_changed()
        else:
            self.endResetModel()

    def group(self, column: int) -> str:
        """The group of a column's measure; empty for name, verdict and lamps."""
        return str(self._measures[column - FIRST]["group"]) if column >= FIRST else ""

    def groups(self) -> tuple[str, ...]:
        """The groups of measures there are, in their order."""
        return tuple(dict.fromkeys(str(measure["group"]) for measure in self._measures))

    def line(self, index: Index) -> Line:
        """The row of an index."""
        top, inner = self.place_of(index)
        return self._lines[top] if inner is None else self._lines[top].children[inner]

    def index_of(self, run: str) -> QModelIndex:
        """The first cell of a run's row; invalid where there is none."""
        for top, line in enumerate(self._lines):
            if line.run == run:
                return self.index(top, NAME)
            for row, child in enumerate(line.children):
                if child.run == run:
                    return self.index(row, NAME, self.index(top, NAME))
        return self.index(-1, 0)

    def children(self, top: int | None) -> int:  # type: ignore[override]
        return len(self._lines) if top is None else len(self._lines[top].children)

    def columnCount(self, parent: Index = ROOT) -> int:
        return FIRST + len(self._measures)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < self.columnCount():
            return None
        if section < FIRST:
            titles = ("Method", "Verdict", *LAMPS.values())
            return titles[section] if role == Qt.ItemDataRole.DisplayRole else None
        measure = self._measures[section - FIRST]
        if role == Qt.ItemDataRole.DisplayRole:
            return measure["title"]
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{measure['title']}\n{measure['explanation']}"
        return int(NUMBER) | int(Qt.TextFlag.TextWordWrap) if role == Qt.ItemDataRole.TextAlignmentRole else None

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
            text = line.name if column == NAME else line.verdict if column == VERDICT else _lamp(line, column)
            if role == Qt.ItemDataRole.ToolTipRole and column >= OUTPUTS:
                return _counted(LIGHTS[light] for light in _lights(line, column)).capitalize() or None
            more = [part for part in (line.run, line.tip) if part and column == NAME]
            return "\n".join([text, *more]) if role == Qt.ItemDataRole.ToolTipRole else text
        if role == Qt.ItemDataRole.FontRole and line.children and column == NAME:
            font = theme.font("table")
            font.setWeight(font.Weight.DemiBold)
            return font
        return None

    def _value(self, line: Line, measure: Mapping[str, Any], role: int) -> Any:
        text, tip = line.cells.get(measure["key"], (fmt.DASH, "Not measured in this report."))
        if role == Qt.ItemDataRole.DisplayRole:
            return text
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return NUMBER
        if role == Qt.ItemDataRole.ForegroundRole and text == fmt.DASH:
            return theme.brush("text_3")
        return tip or None if role == Qt.ItemDataRole.ToolTipRole else None


def _names(lines: Sequence[Line]) -> list[tuple[str, list[str]]]:
    return [(line.name, [child.name for child in line.children]) for line in lines]


def _lights(line: Line, column: int) -> Sequence[str]:
    return line.lights.get(tuple(LAMPS)[column - OUTPUTS], ())


def _lamp(line: Line, column: int) -> str:
    lights = _lights(line, column)
    return _counted(f"{GLYPHS[light]} {SHORT[light]}" for light in lights) or (fmt.DASH if line.verdict else "")


def write_cells(lines: Iterable[Line], measures: Sequence[Mapping[str, Any]]) -> None:
    """Write the cells of rows and of those below them; in a worker, since an interval loads scipy."""
    for line in lines:
        for measure in measures:
            values = line.values.get(measure["key"], ())
            if values:
                closed = line.closed.get(measure["closure_key"])
                tip = [_each(values, measure["unit"])] if len(values) > 1 else []
                tip += [f"{fmt.closed(closed)} % of the gap closed"] if closed is not None else []
                line.cells[measure["key"]] = values_words(values, measure["unit"]), "\n".join(tip)
        write_cells(line.children, measures)


def values_words(values: Sequence[float], unit: str) -> str:
    """Write a measure of one run or of several seeds: both values of two, of more their mean ± half its interval."""
    if len(values) < 2:
        return written(values[0] if values else None, unit)
    if len(values) == 2:
        return " and ".join(dict.fromkeys(written(value, unit) for value in values))
    from core.verify.comparison import mean_interval

    taken = mean_interval(values)
    half = (taken["high"] - taken["low"]) / 2
    # `written` says "> 99.9" near the ends, which a width never means.
    words = fmt.decimal(100 * half, 1) if unit == "percent" else written(half, "seconds" if unit == "count" else unit)
    return f"{written(taken['mean'], unit)} ± {words}"


def _each(values: Sequence[float], unit: str) -> str:
    each = ", ".join(written(value, unit) for value in values)
    if len(values) == 2:
        return tr("Both seeds: {values}", values=each)
    return tr("Mean over %n seeds ± half of its 95 % interval: {values}", n=len(values), values=each)
