"""The runs as a table: state, method, preset, forget set, model, data, seed, accuracies, verdict, time, curves."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QModelIndex, QObject, QSortFilterProxyModel, Qt
from PySide6.QtWidgets import QWidget

from app.models.tables import Column, ColumnTable
from app.plots.sparkline import SPARK_ROLE, Spark
from app.services import format as fmt
from app.services import icons
from app.services import run_words as words
from app.services.run_library import DAMAGED, DELETING, NEWER, RunRow, thinned
from app.services.theme import theme
from app.widgets.buttons import STATE_ICONS
from core.events import State

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun

STATE, METHOD, PRESET, FORGET, MODEL, DATA, SEED, RETAIN, FORGET_ACCURACY, VERDICT, STARTED, CURVE = range(12)
HIDEABLE = (PRESET, FORGET, MODEL, DATA, SEED, RETAIN, FORGET_ACCURACY, VERDICT, STARTED, CURVE)
SORT_ROLE = int(Qt.ItemDataRole.UserRole) + 1
PATH_ROLE = int(Qt.ItemDataRole.UserRole) + 2
VERDICTS = {
    "close": "Close", "partly": "Partly forgotten", "hidden": "Hidden", "not": "Not forgotten",
    "nothing": "Nothing to tell", "no_reference": "Not compared",
}  # fmt: skip
METHODS = {"train": "Training"}
_PLAIN = {PRESET: "preset", FORGET: "forget_text", MODEL: "model", DATA: "data"}  # columns that show a field of the row
_OTHERS = {  # what a row may be besides a run in one of its states: shape and words
    DAMAGED: ("problem", "Damaged"), NEWER: ("problem", "Newer version"), DELETING: ("running", "Deleting"),
    "": ("running", "Preparing"),
}  # fmt: skip


class RunTableModel(ColumnTable):
    """Rows are `RunRow`s; the run under way here is overlaid with what it reports."""

    columns = (
        Column("State"), Column("Method"), Column("Preset", "Named settings of the method; – for its defaults"),
        Column("Forget set"), Column("Model", "The model the run began with"), Column("Data"),
        Column("Seed", number=True),
        Column("Retain, %", "Accuracy on unseen images of the classes that stay", number=True),
        Column("Forget, %", "Accuracy on unseen images of the forgotten classes; for single images, on the forget "
               "images", number=True),
        Column("Verdict", "Against retrained models; – where the run was not checked"), Column("Started"),
        Column("Curves", "Retain and forget accuracy over the run"),
    )  # fmt: skip

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[RunRow] = []
        self._live: LiveRun | None = None
        self._live_shown: tuple[Any, ...] = ()
        self._live_spark = Spark()
        self._titles: dict[str, str] = {}
        theme.changed.connect(self._restyle)

    # ---- content

    def set_rows(self, rows: Sequence[RunRow]) -> None:
        """Show these runs; those known keep their rows."""
        self.replace_rows(self._rows, rows, lambda row: row.path)

    def set_titles(self, titles: dict[str, str]) -> None:
        """Titles of methods by id."""
        self._titles = titles
        self.tell_changed(METHOD, METHOD)

    def set_live(self, run: LiveRun | None) -> None:
        """Overlay the run under way; cheap where nothing visible changed."""
        old, self._live = self._live, run
        shown = _visible(run)
        if shown == self._live_shown and old is run:
            return
        self._live_shown = shown
        self._live_spark = _spark_of(run) if run is not None else Spark()
        for one in {one.path for one in (old, run) if one is not None}:
            row = self.row_of(one)
            if row is not None:
                self.dataChanged.emit(self.index(row, 0), self.index(row, CURVE))

    def row_at(self, row: int) -> RunRow:
        """The run of a row."""
        return self._rows[row]

    def row_of(self, path: Path) -> int | None:
        """The row of a run."""
        return next((number for number, row in enumerate(self._rows) if row.path == path), None)

    # ---- what Qt asks

    def count(self) -> int:
        return len(self._rows)

    def cell(self, number: int, column: int, role: int) -> Any:
        row = self._rows[number]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column)
        if role == SORT_ROLE:
            return self._key(row, column)
        if role == SPARK_ROLE and column == CURVE:
            return self._spark(row)
        if role == PATH_ROLE:
            return row.path
        if role == Qt.ItemDataRole.DecorationRole and column == STATE:
            return icons.icon(STATE_ICONS[self._shape(row)], "text_2")
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(row, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._spark(row).text if column == CURVE else self._text(row, column)
        return None

    # ---- parts

    def _text(self, row: RunRow, column: int) -> str:
        if column == STATE:
            return self._state_words(row)
        if column == METHOD:
            return self._titles.get(row.method, METHODS.get(row.method, row.method))
        if column in _PLAIN:
            return str(getattr(row, _PLAIN[column])) or fmt.DASH
        if column == SEED:
            return str(row.seed) if row.method else fmt.DASH
        if column in (RETAIN, FORGET_ACCURACY):
            return fmt.percent(self._accuracies(row)[column == FORGET_ACCURACY], unit=False)
        if column == VERDICT:
            return VERDICTS.get(row.verdict, fmt.DASH)
        if column == STARTED:
            return _when(row.created)
        return ""

    def _key(self, row: RunRow, column: int) -> Any:
        if column in (RETAIN, FORGET_ACCURACY):
            value = self._accuracies(row)[column == FORGET_ACCURACY]
            return -1.0 if value is None else value
        if column in (STARTED, CURVE):
            return row.created
        if column == SEED:
            return row.seed
        return self._text(row, column).lower()

    def _state(self, row: RunRow) -> str:
        live = self._live
        return live.state.value if live is not None and live.path == row.path else row.state

    def _shape(self, row: RunRow) -> str:
        state = self._state(row)
        return _OTHERS[state][0] if state in _OTHERS else words.state_shape(State(state))

    def _state_words(self, row: RunRow) -> str:
        state = self._state(row)
        if state in _OTHERS:
            return _OTHERS[state][1]
        word = words.state_word(State(state))
        live = self._live
        step, steps = (live.step, live.steps) if live is not None and live.path == row.path else (row.step, row.steps)
        if state in ("running", "paused", "interrupted") and steps:
            return f"{word}, {100 * step // steps} %"
        return word

    def _accuracies(self, row: RunRow) -> tuple[float | None, float | None]:
        live = self._live
        if live is not None and live.path == row.path:
            spark = self._spark(row)
            return _last(spark.retain), _last(spark.forget)
        return row.retain_accuracy, row.forget_accuracy

    def _spark(self, row: RunRow) -> Spark:
        if self._live is not None and self._live.path == row.path:
            return self._live_spark
        return Spark(row.spark_retain, row.spark_forget)

    def _tip(self, row: RunRow, column: int) -> str | None:
        if row.error and column == STATE:
            return row.error
        if column == VERDICT and not row.verdict:
            return "This run was not checked against a retrained model."
        if column in (RETAIN, FORGET_ACCURACY) and self._accuracies(row)[column == FORGET_ACCURACY] is None:
            return "Nothing was measured here."
        if column == CURVE:
            return self._spark(row).text
        if column == MODEL:
            return row.model_tip or None
        return str(row.path) if column in (METHOD, FORGET, STARTED) else None

    def _restyle(self) -> None:
        self.tell_changed()


def _spark_of(run: LiveRun) -> Spark:
    found = thinned(run.history.evaluations)
    sample = run.forget_mode == "sample"
    return Spark(
        tuple(e.retain_test_accuracy for e in found),
        tuple(e.forget_accuracy if sample else e.forget_test_accuracy for e in found),
    )


def _visible(run: LiveRun | None) -> tuple[Any, ...]:
    if run is None:
        return ()
    return run.path, run.state, 100 * run.step // max(run.steps, 1), len(run.history.evaluations)


def _last(values: tuple[float | None, ...]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _when(created: float) -> str:
    if not created:
        return fmt.DASH
    then, now = datetime.datetime.fromtimestamp(created), datetime.datetime.now()
    if then.date() == now.date():
        return f"today {then:%H:%M}"
    return f"{then:%Y-%m-%d %H:%M}"


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
        searched = (STATE, METHOD, PRESET, FORGET, MODEL, DATA, VERDICT)
        return any(self._text in str(model.index(row, column, parent).data() or "").lower() for column in searched)
