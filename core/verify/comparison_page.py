"""A comparison as tables: for the terminal, and as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.verify import numbers
from core.verify.published_table import GROUP as PUBLISHED_GROUP
from core.verify.report import page_environment
from core.version import VERSION

Comparison = Mapping[str, Any]

NOTES = {
    "measures": "Retrained: mean over the retrained models of the first run's report. No value is good for being high "
    "or low; the retrained one is the goal.",
    "closure": "Share of the gap between original and retrained that is closed; a dash: not informative here.",
    "groups": "Runs that differ in their seed alone: mean, and the 95 % interval of the mean over seeds.",
    "agreement": "Kendall's tau between measures' closures across the runs: 1 the same order, −1 the opposite one. "
    "Metrics disagree; there is no single score.",
    "job": "Entries in which the job files differ.",
}


@dataclass(frozen=True)
class Block:
    """One table: its title, cells as text, and what must stand below it. `why` explains a row."""

    title: str
    header: list[str]
    rows: list[list[str]]
    note: str = ""
    why: list[str] = field(default_factory=list)


def blocks(found: Comparison) -> list[Block]:
    """Return a comparison's tables in reading order; those without rows are left out."""
    names = [run["run"] for run in found["runs"]]
    made = [_measures(found, names), _published(found, names), _closures(found, names), *_groups(found)]
    made += [agreement_block(found), jobs_block(found)]
    return [block for block in made if block.rows]


def render_comparison(found: Comparison, title: str) -> str:
    """Return a comparison as one HTML page without scripts and without anything fetched from elsewhere."""
    shown = [
        {
            "title": block.title,
            "header": block.header,
            "note": block.note,
            "rows": [{"cells": cells, "why": why} for cells, why in zip(block.rows, _padded(block), strict=True)],
        }
        for block in blocks(found)
    ]
    sentence = "This run was not checked."
    runs = [{"run": run["run"], "sentence": run["verdict"]["sentence"] or sentence} for run in found["runs"]]
    return (
        page_environment()
        .get_template("compare.html.j2")
        .render(title=title, version=VERSION, differences=found["differences"], runs=runs, tables=shown)
    )


def cell(unit: str, value: float | None) -> str:
    """Write a value as tables do: without the unit that its title has."""
    if value is None:
        return numbers.DASH
    if unit == "percent":
        return numbers.percent(value, unit=False)
    if unit == "ratio":
        return numbers.ratio(value)
    return f"{value:.1f}" if unit in ("number", "seconds") else numbers.count(value)


def _measures(found: Comparison, names: list[str]) -> Block:
    own = [measure for measure in found["measures"] if measure["group"] != PUBLISHED_GROUP]
    return _values_block("Measures", own, found, names)


def _published(found: Comparison, names: list[str]) -> Block:
    field_own = [measure for measure in found["measures"] if measure["group"] == PUBLISHED_GROUP]
    return _values_block(PUBLISHED_GROUP, field_own, found, names)


def _values_block(title: str, measures: Sequence[Mapping[str, str]], found: Comparison, names: list[str]) -> Block:
    anchors = {title: found["anchors"].get(key) or {} for key, title in _ANCHORS.items()} if found["anchors"] else {}
    rows, why = [], []
    for measure in measures:
        key, unit = measure["key"], measure["unit"]
        values = [anchor.get(key) for anchor in anchors.values()]
        values += [run["measures"].get(key) for run in found["runs"]]
        rows.append([measure["title"], *(cell(unit, value) for value in values)])
        why.append(measure["explanation"])
    return Block(title, ["", *anchors, *names], rows, NOTES["measures"] if anchors else "", why)


def _closures(found: Comparison, names: list[str]) -> Block:
    keys = dict.fromkeys(key for run in found["runs"] for key in run["closure"])
    rows = [[_title(key), *(_share(run["closure"].get(key)) for run in found["runs"])] for key in keys]
    rows = [row for row in rows if any(text != numbers.DASH for text in row[1:])]
    return Block("Gap closed", ["", *names], rows, NOTES["closure"])


def _groups(found: Comparison) -> list[Block]:
    several = [group for group in found["groups"] if len(group["runs"]) > 1]
    made = []
    for group in several:
        units = {measure["key"]: measure for measure in found["measures"]}
        rows = []
        for key, taken in group["measures"].items():
            if key not in units or not taken["n"]:
                continue
            unit, closure = units[key]["unit"], group["closure"].get(_VERDICT_KEYS.get(key, key)) or {}
            rows.append([
                units[key]["title"], str(taken["n"]), cell(unit, taken["mean"]), _interval(unit, taken),
                _share(closure.get("mean")),
            ])  # fmt: skip
        seeds = ", ".join(map(str, group["seeds"]))
        preset = f", {group['preset']}" if group["preset"] else ""
        title = f"{group['title']}{preset}: seeds {seeds}"
        made.append(Block(title, ["", "runs", "mean", "95 % interval", "gap closed"], rows, NOTES["groups"]))
    return made


def agreement_block(found: Comparison) -> Block:
    """Return how far measures agree across the runs; without rows where that cannot be told."""
    matrix = found["agreement"]
    rows = [
        [_title(key), *("" if key == other else _tau(matrix[key].get(other)) for other in matrix)] for key in matrix
    ]
    rows = rows if any(text not in ("", numbers.DASH) for row in rows for text in row[1:]) else []
    return Block("Agreement of measures", ["", *map(_title, matrix)], rows, NOTES["agreement"])


def jobs_block(found: Comparison) -> Block:
    """Return the entries in which the runs' job files differ."""
    names = [run["run"] for run in found["runs"]]
    rows = [
        [entry, *(numbers.DASH if values[name] is None else str(values[name]) for name in names)]
        for entry, values in found["job_differences"].items()
    ]
    return Block("Difference of the jobs", ["", *names], rows, NOTES["job"])


_ANCHORS = {"original": "Original", "head_only": "Head-only edit", "retrained": "Retrained"}
_VERDICT_KEYS = {"forget_test_accuracy": "forget_accuracy", "js_forget": "output_distance"}


def _title(key: str) -> str:
    from core.verify.closure import MEASURES

    return next((measure.title for measure in MEASURES if measure.key == key), key).capitalize()


def _share(value: float | None) -> str:
    return numbers.DASH if value is None else f"{numbers.whole_percent(value)} %"


def _interval(unit: str, taken: Mapping[str, Any]) -> str:
    """Write an interval; no measure is below 0 and no share above 1, whatever a t-interval of few seeds says."""
    if taken["low"] is None:
        return numbers.DASH
    high = min(1.0, taken["high"]) if unit == "percent" and taken["mean"] <= 1 else taken["high"]
    return f"{cell(unit, max(0.0, taken['low']))} … {cell(unit, high)}"


def _tau(value: float | None) -> str:
    return numbers.DASH if value is None else f"{value:.2f}".replace("-", numbers.MINUS)


def _padded(block: Block) -> list[str]:
    return block.why or [""] * len(block.rows)
