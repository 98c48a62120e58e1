"""The results of a batch as a table: a row a method and forget set, means over seeds, as the command line has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt

from app.models.run_table import VERDICTS
from app.models.tables import Column, ColumnTable
from app.services import format as fmt
from app.services.theme import theme

if TYPE_CHECKING:
    from core.session.batch import Group

FORGET, METHOD, RUNS, RETAIN, FORGET_ACCURACY, FORGET_UNSEEN, TIME, VERDICT = range(8)
_MEAN = "mean over seeds ± half of its 95 % interval"
_MEASURES = {RETAIN: "retain_test_accuracy", FORGET_ACCURACY: "forget_accuracy",
             FORGET_UNSEEN: "forget_test_accuracy"}  # fmt: skip
OUTCOMES = {
    "finished": "finished", "skipped": "finished", "stopped": "stopped early", "running": "going", "waiting": "waiting",
    "interrupted": "interrupted", "failed": "failed", "missing": "not started",
}  # fmt: skip


class BatchTableModel(ColumnTable):
    """Rows are `Group`s in the order of the batch file."""

    columns = (
        Column("Forget set"), Column("Method"), Column("Runs", "Runs with a result, of all seeds"),
        Column("Retain, unseen", f"Accuracy on unseen images of the classes that stay, {_MEAN}", number=True),
        Column("Forget", f"Accuracy on the forget images, {_MEAN}", number=True),
        Column("Forget, unseen", f"Accuracy on unseen images of the forgotten classes, {_MEAN}", number=True),
        Column("Time", "Mean time of a run", number=True),
        Column("Verdict", "Against retrained models; – where no run was checked"),
    )  # fmt: skip

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._groups: tuple[Group, ...] = ()
        self._cells: list[list[str]] = []
        self._titles: dict[str, str] = {}
        theme.changed.connect(self._restyle)

    def set_groups(self, groups: Sequence[Group]) -> None:
        """Show other results; where the rows stay the same ones, only their cells change."""
        cells = [_cells(group) for group in groups]
        same = [group.runs for group in groups] == [group.runs for group in self._groups]
        if not same:
            self.beginResetModel()
        self._groups, self._cells = tuple(groups), cells
        if not same:
            self.endResetModel()
        else:
            self._restyle()

    def set_titles(self, titles: dict[str, str]) -> None:
        """Titles of methods by id."""
        self._titles = titles
        self.tell_changed(METHOD, METHOD)

    def group_at(self, row: int) -> Group:
        """The runs of a row."""
        return self._groups[row]

    def count(self) -> int:
        return len(self._groups)

    def cell(self, row: int, column: int, role: int) -> Any:
        text = self._cells[row][column]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._method(self._groups[row]) if column == METHOD else text
        if role == Qt.ItemDataRole.ForegroundRole:
            return theme.brush("text_3") if text == fmt.DASH else None
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(self._groups[row], column)
        return None

    def _method(self, group: Group) -> str:
        """The method's title, after the name that the batch file gave its entry where that is another one."""
        id_ = group.rows[0].method
        title = self._titles.get(id_, id_)
        own = group.method.removesuffix(f" ({id_})")
        return title if own == id_ else f"{own} · {title}"

    def _tip(self, group: Group, column: int) -> str | None:
        if column in _MEASURES:
            key = _MEASURES[column]
            known = [(row.seed, (row.measures or {}).get(key)) for row in group.rows]
            lines = [f"Seed {seed}: {fmt.percent(value)}" for seed, value in known if value is not None]
            return "\n".join(lines) or "No run has a result yet."
        if column == RUNS:
            lines = [f"{fmt.count(number)} {OUTCOMES[outcome]}" for outcome, number in group.outcomes.most_common()]
            return "\n".join([*lines, *dict.fromkeys(row.error for row in group.rows if row.error)])
        if column == VERDICT and not group.verdicts:
            return "No run of this row was checked against a retrained model."
        if column == METHOD:
            return "\n".join((self._method(group), *group.runs))
        return "\n".join(group.runs) if column == FORGET else None

    def _restyle(self) -> None:
        self.tell_changed()


def _cells(group: Group) -> list[str]:
    """Return the core's cells, with verdicts in the window's words."""
    cells = group.cells()
    found = group.verdicts
    if len(found) == 1 and sum(found.values()) == len(group.rows):
        cells[VERDICT] = VERDICTS.get(next(iter(found)), fmt.DASH)
    elif found:
        named = found.most_common()
        cells[VERDICT] = ", ".join(f"{fmt.count(number)} {VERDICTS.get(code, code).lower()}" for code, number in named)
    return cells
