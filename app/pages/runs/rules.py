"""When a command of the Runs page makes sense for the chosen runs: one sentence why not, or nothing where it does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from app.services.run_library import DELETING, NEWER, RunRow
from core.events import ACTIVE, State

CHOOSE_ONE = "Choose one run."
WHY_UNREADABLE = {
    NEWER: "This run was written by a newer version. Update Unlearn Studio to open it.",
    DELETING: "This run is being deleted.",
}


def why_unreadable(row: RunRow) -> str:
    """Why nothing can be done with a run but deleting it."""
    return "" if row.readable else WHY_UNREADABLE.get(row.state, "This run cannot be read.")


def why_no_open(rows: Sequence[RunRow]) -> str:
    """Why no run can be opened."""
    if len(rows) != 1:
        return CHOOSE_ONE
    return why_unreadable(rows[0])


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
    if not rows[0].readable:
        return why_unreadable(rows[0])
    return "" if rows[0].kind == "unlearn" else "A training is started on Project."


def why_no_later(rows: Sequence[RunRow]) -> str:
    """Why no later request can start from a run's result."""
    if len(rows) != 1:
        return CHOOSE_ONE
    if not rows[0].readable:
        return why_unreadable(rows[0])
    if rows[0].kind != "unlearn":
        return "This run trained a model and forgot nothing. Open its model on Project."
    if not rows[0].has_report:
        return "A later request starts from a run that ended with a model."
    if not rows[0].has_model:
        return "The model of this run is gone."
    if not rows[0].has_list:
        return "The forget list of this run was removed, so nobody knows which images must not come back."
    return ""


def why_no_delete(rows: Sequence[RunRow], held: Collection[Path]) -> str:
    """Why runs cannot be deleted; `held` are the folders of runs that go or wait here."""
    if not rows:
        return "Choose a run."
    if any(row.state == DELETING for row in rows):
        return "This run is being deleted." if len(rows) == 1 else "One of these runs is being deleted."
    active = {state.value for state in ACTIVE}
    busy = any(row.state in active or not row.state or row.path in held for row in rows)
    return "Stop the run first." if busy else ""
