"""Run folders that are made up for a test and count as finished, whatever they lack."""

from __future__ import annotations

from core.files import write_json
from core.runs.folder import REMOVED, RunFolder, Status


def call_finished(folder: RunFolder) -> None:
    """Have a run count as finished, as if what it lacks had been removed on request."""
    excuse(folder)
    folder.write_status(Status("finished", 1, 0.0, 10, 10))


def excuse(folder: RunFolder) -> None:
    """Note what a run lacks as removed."""
    removed = {name: {"sha256": "0" * 64, "removed": "today"} for name in folder.missing()}
    write_json(folder.file(REMOVED), removed)
