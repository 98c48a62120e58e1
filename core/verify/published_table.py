"""The field's own measures as rows of the table: a group of its own, which no verdict and no bar refers to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from core.verify.table import COLUMNS, NO_RETRAINED, NOT_TAKEN, TableRow, Unit

GROUP = "As published"

NOTE = "None is good for being high or low: the retrained value is the goal."


def published_rows(report: Mapping[str, Any]) -> tuple[TableRow, ...]:
    """Return a row for each published measure that was taken of any model; none for a report without them."""
    from core.verify.published import TITLES

    found = report.get("published") or {}
    singles = [row for name, row in found.items() if name not in (*COLUMNS, "fresh")]
    rows = []
    for key, (title, unit, definition) in TITLES.items():
        values = {name: (found.get(name) or {}).get(key) for name in COLUMNS}
        if all(value is None for value in values.values()):
            continue
        missing = {
            name: NO_RETRAINED if name == "retrained" and not report.get("retrained") else NOT_TAKEN
            for name, value in values.items()
            if value is None
        }
        each = tuple(value for row in singles if (value := row.get(key)) is not None)
        rows.append(
            TableRow(
                f"published_{key}", GROUP, title, cast(Unit, unit), values, missing, retrained=each,
                explanation=f"{definition} {NOTE}",
            )
        )  # fmt: skip
    return tuple(rows)
