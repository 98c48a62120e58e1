"""The runs as a table: state, method, preset, forget set, model, data, seed, accuracies, verdict, time, curves."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt

from app.models.tables import Column, ColumnTable
from app.plots.sparkline import SPARK_ROLE, Spark
from app.services import format as fmt
from app.services import icons
from app.services import run_words as words
from app.services.run_library import DAMAGED, DELETING, NEWER, RunRow, thinned
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import STATE_ICONS
from core.events import State

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun

STATE, METHOD, PRESET, FORGET, MODEL, DATA, SEED, RETAIN, FORGET_ACCURACY, VERDICT, STARTED, CURVE = range(12)
HIDEABLE = tuple(range(PRESET, CURVE + 1))
SORT_ROLE = int(Qt.ItemDataRole.UserRole) + 1
PATH_ROLE = int(Qt.ItemDataRole.UserRole) + 2
VERDICTS = {
    "close": mark("Close", "verdict"), "partly": mark("Partly forgotten", "verdict"),
    "hidden": mark("Hidden", "verdict"), "not": mark("Not forgotten", "verdict"),
    "nothing": mark("Nothing to tell", "verdict"), "no_reference": mark("Not compared", "verdict"),
}  # fmt: skip
_PLAIN = {PRESET: "preset", FORGET: "forget_text", MODEL: "model", DATA: "data"}  # columns that show a field of the row
_OTHERS = {  # what a row may be besides a run in one of its states: words and shape
    DAMAGED: (mark("Damaged"), "problem"), NEWER: (mark("Newer version"), "problem"),
    DELETING: (mark("Deleting"), "running"), "": (mark("Preparing"), "running"),
}  # fmt: skip


class RunTableModel(ColumnTable):
    """Rows are `RunRow`s; the run under way here is overlaid with what it reports."""

    columns = (
        Column(mark("State")), Column(mark("Method")),
        Column(mark("Preset"), mark("Named settings of the method; – for its defaults")),
        Column(mark("Forget set", "title of a narrow column"), meaning="title of a narrow column"),
        Column(mark("Model"), mark("The model the run began with")), Column(mark("Data")),
        Column(mark("Seed"), number=True),
        Column(mark("Retain, %"), mark("Accuracy on unseen images of the classes that stay"), number=True),
        Column(mark("Forget, %"), mark("Accuracy on unseen images of the forgotten classes; for single images, on the "
                                       "forget images"), number=True),
        Column(mark("Verdict"), mark("Against retrained models; – where the run was not checked")),
        Column(mark("Started")), Column(mark("Curves"), mark("Retain and forget accuracy over the run")),
    )  # fmt: skip

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[RunRow] = []
        self._live: LiveRun | None = None
        self._live_shown: tuple[Any, ...] = ()
        self._live_spark = Spark()
        self._titles: dict[str, str] = {}
        theme.changed.connect(self.tell_changed)

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
        live = self._live if self._live is not None and self._live.path == row.path else None
        spark = self._live_spark if live is not None else Spark(row.spark_retain, row.spark_forget)
        if role == SPARK_ROLE and column == CURVE:
            return spark
        if role == PATH_ROLE:
            return row.path
        state = live.state.value if live is not None else row.state
        if role == Qt.ItemDataRole.DecorationRole and column == STATE:
            shape = _OTHERS[state][1] if state in _OTHERS else words.state_shape(State(state))
            return icons.icon(STATE_ICONS[shape], "text_2")
        value: float | None = None  # an accuracy
        if column == RETAIN:
            value = row.retain_accuracy if live is None else _last(spark.retain)
        elif column == FORGET_ACCURACY:
            value = row.forget_accuracy if live is None else _last(spark.forget)
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(row, column, value, spark)
        if role == SORT_ROLE and column in (RETAIN, FORGET_ACCURACY):
            return -1.0 if value is None else value
        if role == SORT_ROLE and column in (SEED, STARTED, CURVE):
            return row.seed if column == SEED else row.created
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole, SORT_ROLE):
            return None
        if column == CURVE:
            return spark.text if role == Qt.ItemDataRole.AccessibleTextRole else ""
        if column == STATE:
            text = _state_words(state, row if live is None else live)
        elif column in (RETAIN, FORGET_ACCURACY):
            text = fmt.percent(value, unit=False)
        else:
            text = self._text(row, column)
        return text.lower() if role == SORT_ROLE else text

    # ---- parts

    def _text(self, row: RunRow, column: int) -> str:
        if column == METHOD:
            return tr("Training") if row.kind == "train" else self._titles.get(row.method, row.method)
        if column in _PLAIN:
            return str(getattr(row, _PLAIN[column])) or fmt.DASH
        if column == SEED:
            return str(row.seed) if row.method else fmt.DASH
        if column == VERDICT:
            return tr(VERDICTS[row.verdict], "verdict") if row.verdict in VERDICTS else fmt.DASH
        return _when(row.created)


def _state_words(state: str, run: RunRow | LiveRun) -> str:
    """Name a state, with how far the run is where it has an end in sight."""
    if state in _OTHERS:
        return tr(_OTHERS[state][0])
    word = words.state_word(State(state))
    if state in (State.RUNNING, State.PAUSED, State.INTERRUPTED) and run.steps:
        return f"{word}, {100 * run.step // run.steps} %"
    return word


def _tip(row: RunRow, column: int, accuracy: float | None, spark: Spark) -> str | None:
    if row.error and column == STATE:
        return row.error
    if column == VERDICT and not row.verdict:
        return tr("This run was not checked against a retrained model.")
    if column in (RETAIN, FORGET_ACCURACY) and accuracy is None:
        return tr("Nothing was measured here.")
    if column in (CURVE, MODEL):
        return spark.text if column == CURVE else row.model_tip or None
    return str(row.path) if column in (METHOD, FORGET, STARTED) else None


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
        return tr("today {time}", time=f"{then:%H:%M}")
    return f"{then:%Y-%m-%d %H:%M}"
