"""A report while its check goes on: what was measured so far, and where that puts the unlearned model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.verify.measure_log import merge
from core.verify.verdict import decide

Report = Mapping[str, Any]

JUDGED = ("original", "unlearned", "head_only", "fresh")
"""Models of a check that are not retrained ones."""


def partial_report(report: Report, taken: Mapping[str, Mapping[str, Any]], suite: str) -> dict[str, Any]:
    """Return `report` with the measures of a check under way in place of its own.

    `taken`: model -> what was measured of it so far. The verdict keeps the rows that can be told already, with neither
    code nor sentence: those need everything. `partial` tells such a report from a whole one.
    """
    old = report.get("verdict") or {}
    trained_on = {row["key"] for row in old.get("measures") or () if row.get("trained_on")}
    models = {name: dict(values) for name, values in taken.items() if name in JUDGED}
    retrained = {name: dict(values) for name, values in taken.items() if name not in JUDGED}
    if retrained:
        models["retrained"] = next(iter(retrained.values()))
    rows = decide(models, list(retrained.values()), trained_on).measures
    return {
        **report,
        "models": models,
        "retrained": retrained,
        "published": {},
        "closure": {},
        "suite": suite,
        "partial": True,
        "verdict": {"code": None, "sentence": "", "damaged": False, "measures": [row.as_dict() for row in rows]},
    }


def add_measures(taken: dict[str, dict[str, Any]], model: str, values: Mapping[str, Any]) -> None:
    """Add what was found of a model to what is known of it."""
    merge(taken.setdefault(model, {}), values)
