"""The runs as a table: state, method, preset, forget set, accuracies, verdict, model, data, seed, time, curves."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt

from app.models.tables import Column, ColumnTable
from app.plots.sparkline import SPARK_ROLE, Spark
from app.services import format as fmt
from app.services import icons
from app.services import run_words as words
from app.services.run_library import DAMAGED, DELETING, NEWER, RunRow, last_of, thinned
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import STATE_ICONS
from core.events import ACTIVE, State

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun

STATE, METHOD, PRESET, FORGET, RETAIN, FORGET_ACCURACY, VERDICT, MODEL, DATA, SEED, STARTED, CURVE = range(12)
HIDEABLE = tuple(range(PRESET, CURVE + 1))
SORT_ROLE = int(Qt.ItemDataRole.UserRole) + 1
PATH_ROLE = int(Qt.ItemDataRole.UserRole) + 2
VERDICTS = {
    "close": mark("Close", "verdict"), "partly": mark("Partly forgotten", "verdict"),
    "hidden": mark("Hidden", "verdict"), "not": mark("Not forgotten", "verdict"),
    "corrected": mark("Corrected", "verdict"), "partly_corrected": mark("Partly corrected", "verdict"),
    "not_corrected": mark("Not corrected", "verdict"),
    "nothing": mark("Nothing to tell", "verdict"), "no_reference": mark("Not compared", "verdict"),
}  # fmt: skip
_FIELDS = {  # of a row, which a column says or is sorted by
    FORGET: "forget_text", MODEL: "model", DATA: "data", SEED: "seed", RETAIN: "retain_accuracy",
    FORGET_ACCURACY: "forget_accuracy", STARTED: "created", CURVE: "created",
}  # fmt: skip
_ACCURACIES = (RETAIN, FORGET_ACCURACY)
_SORTED_BY_VALUE = (*_ACCURACIES, SEED, STARTED, CURVE)
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
        Column(mark("Retain, %"), mark("Accuracy on unseen images of the classes that stay"), number=True),
        Column(mark("Forget, %"), mark("Accuracy on unseen images of the forgotten classes; for single images, on the "
                                       "forget images"), number=True),
        Column(mark("Verdict"), mark("Against retrained models; – where the run was not checked")),
        Column(mark("Model"), mark("The model the run began with")), Column(mark("Data")),
        Column(mark("Seed"), number=True),
        Column(mark("Started")), Column(mark("Curves"), mark("Retain and forget accuracy over the run")),
    )  # fmt: skip

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[RunRow] = []
        self._titles: Mapping[tuple[str, str], str] = {}
        self._live: Path | None = None  # the run under way here
        self._told: dict[str, Any] = {}  # fields of its row as it reports them
        self._seen: tuple[Any, ...] = ()  # what it reported at the last look
        theme.changed.connect(self.tell_changed)

    # ---- content

    def set_rows(self, rows: Sequence[RunRow]) -> None:
        """Show these runs; those known keep their rows."""
        self.replace_rows(self._rows, rows, lambda row: row.path)

    def set_titles(self, titles: Mapping[tuple[str, str], str]) -> None:
        """Titles of methods and of their presets, by the ids of both; that of a method is the one of preset ""."""
        self._titles = titles
        self.tell_changed(METHOD, PRESET)

    def set_live(self, run: LiveRun | None) -> None:
        """Overlay the run under way; cheap where nothing visible changed."""
        seen = _visible(run)
        if seen == self._seen:
            return
        changed = (self._live, run.path if run is not None else None)
        self._live, self._seen, self._told = changed[1], seen, _told_by(run) if run is not None else {}
        for number, row in enumerate(self._rows):
            if row.path in changed:
                self.dataChanged.emit(self.index(number, 0), self.index(number, CURVE))

    def row_at(self, row: int) -> RunRow:
        """The run of a row, as it was read."""
        return self._rows[row]

    # ---- what Qt asks

    def count(self) -> int:
        return len(self._rows)

    def cell(self, number: int, column: int, role: int) -> Any:
        row = self._rows[number]
        if row.path == self._live:
            row = replace(row, **self._told)
        if role == SORT_ROLE:  # first: of thousands of rows it is asked for most
            value = getattr(row, _FIELDS[column]) if column in _SORTED_BY_VALUE else self._text(row, column).lower()
            return -1.0 if value is None else value
        if role == PATH_ROLE:
            return row.path
        if role == SPARK_ROLE:
            return _spark(row) if column == CURVE else None
        if role == Qt.ItemDataRole.DecorationRole and column == STATE:
            shape = _OTHERS[row.state][1] if row.state in _OTHERS else words.state_shape(State(row.state))
            shape = "problem" if row.damage else shape
            return icons.icon(STATE_ICONS[shape], "text_2")
        if role == Qt.ItemDataRole.ToolTipRole:
            said = {STATE: " ".join(filter(None, (row.error, row.damage))), MODEL: row.model_tip,
                    CURVE: _spark(row).text}  # fmt: skip
            return said.get(column) or str(row.path)
        if role == Qt.ItemDataRole.AccessibleTextRole and column == CURVE:
            return _spark(row).text
        shown = role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole)
        return self._text(row, column) if shown else None

    # ---- parts

    def _text(self, row: RunRow, column: int) -> str:
        if column == STATE:
            return _state_words(row)
        if column == METHOD:
            return tr("Training") if row.kind == "train" else self._titles.get((row.method, ""), row.method)
        if column == PRESET:
            return self._titles.get((row.method, row.preset), row.preset) if row.preset else fmt.DASH
        if column == VERDICT:
            return tr(VERDICTS[row.verdict], "verdict") if row.verdict in VERDICTS else fmt.DASH
        if column == CURVE:
            return ""
        value = getattr(row, _FIELDS[column])
        if column in _ACCURACIES:
            return fmt.percent(value, unit=False)
        if column == STARTED:
            return _when(value)
        return fmt.DASH if value in (None, "") else str(value)


def _state_words(row: RunRow) -> str:
    """Name a state, with how far the run is where it has an end in sight."""
    if row.state in _OTHERS:
        return tr(_OTHERS[row.state][0])
    word = words.state_word(State(row.state))
    if row.damage:
        return tr("{state}, damaged", state=word)
    if row.state in (State.RUNNING.value, State.PAUSED.value, State.INTERRUPTED.value) and row.steps:
        word = f"{word}, {100 * row.step // row.steps} %"
    return tr("{state}, on {host}", state=word, host=row.host) if row.host and row.state in ACTIVE else word


def _spark(row: RunRow) -> Spark:
    return Spark(row.spark_retain, row.spark_forget)


def _visible(run: LiveRun | None) -> tuple[Any, ...]:
    if run is None:
        return ()
    return run.path, run.state, 100 * run.step // max(run.steps, 1), len(run.history.evaluations)


def _told_by(run: LiveRun) -> dict[str, Any]:
    found = thinned(run.history.evaluations)
    sample = run.forget_mode == "sample"
    retain = tuple(e.retain_test_accuracy for e in found)
    forget = tuple(e.forget_accuracy if sample else e.forget_test_accuracy for e in found)
    return {"state": run.state.value, "step": run.step, "steps": run.steps, "spark_retain": retain,
            "spark_forget": forget, "retain_accuracy": last_of(retain), "forget_accuracy": last_of(forget)}  # fmt: skip


def _when(created: float) -> str:
    if not created:
        return fmt.DASH
    then = datetime.datetime.fromtimestamp(created)
    return tr("today {time}", time=f"{then:%H:%M}") if then.date() == datetime.date.today() else f"{then:%Y-%m-%d}"
