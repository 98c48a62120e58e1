"""When a command of the Runs page makes sense for the chosen runs: one sentence why not, or nothing where it does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from app.services.run_library import RunRow
from core.engine.states import ACTIVE, State
from core.runs.folder import FORGET, RunFolder

CHOOSE_ONE = "Choose one run."
UNREADABLE = "This run cannot be read."
DAMAGED = "damaged"


def why_no_open(rows: Sequence[RunRow]) -> str:
    """Why no run can be opened."""
    if len(rows) != 1:
        return CHOOSE_ONE
    return UNREADABLE if rows[0].state == DAMAGED else ""


def why_no_resume(rows: Sequence[RunRow]) -> str:
    """Why no run can go on."""
    if len(rows) != 1:
        return CHOOSE_ONE
    return "" if rows[0].state == State.INTERRUPTED.value else "Only an interrupted run can be resumed."


def why_no_compare(rows: Sequence[RunRow]) -> str:
    """Why runs cannot be held side by side."""
    if len(rows) < 2:
        return "Choose two or more runs."
    return "" if all(row.has_report for row in rows) else "Only finished runs that forget can be compared."


def why_no_duplicate(rows: Sequence[RunRow]) -> str:
    """Why no run can be started again."""
    if len(rows) != 1:
        return CHOOSE_ONE
    if rows[0].state == DAMAGED:
        return UNREADABLE
    return "" if rows[0].kind == "unlearn" else "A training is started on Project."


def why_no_later(rows: Sequence[RunRow]) -> str:
    """Why no later request can start from a run's result."""
    if len(rows) != 1:
        return CHOOSE_ONE
    if rows[0].kind != "unlearn":
        return "This run trained a model and forgot nothing. Open its model on Project."
    if not rows[0].has_report:
        return "A later request starts from a run that ended with a model."
    folder = RunFolder(rows[0].path)
    if not folder.has_result:
        return "The model of this run is gone."
    if not folder.file(FORGET).is_file():
        return "The forget list of this run was removed, so nobody knows which images must not come back."
    return ""


def why_no_delete(rows: Sequence[RunRow], held: Collection[Path]) -> str:
    """Why runs cannot be deleted; `held` are the folders of runs that go or wait here."""
    if not rows:
        return "Choose a run."
    active = {state.value for state in ACTIVE}
    busy = any(row.state in active or not row.state or row.path in held for row in rows)
    return "Stop the run first." if busy else ""
