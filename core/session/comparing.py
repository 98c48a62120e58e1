"""Reads the reports and jobs of runs, to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from core.errors import InputError
from core.runs.folder import RunFolder
from core.verify.comparison import Run


def runs_of(folders: Sequence[RunFolder]) -> list[Run]:
    """Return the runs' reports and jobs, each under a name of its own. Raises InputError for one without a report."""
    found: list[Run] = []
    names = [folder.id for folder in folders]
    for folder in folders:
        report = folder.report()
        if report is None:
            raise InputError(f"{folder.path} has no report to compare", "Finish the run, or check it with `verify`")
        name = folder.id if names.count(folder.id) == 1 else f"{folder.path.resolve().parent.name}/{folder.id}"
        if any(name == other.name for other in found):
            name = str(folder.path)
        found.append(Run(name, report, asdict(folder.job())))
    return found
