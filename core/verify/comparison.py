"""Runs side by side, as data, as tables and as one HTML page: measures, closures, means over seeds, rank agreement."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.verify import numbers
from core.verify.closure import CONFIDENCE
from core.verify.numbers import number
from core.verify.pages import Cell, Column, Line, ShownTable, template
from core.verify.table import PUBLISHED, TableRow, measure_rows, published_rows
from core.version import VERSION

Report = Mapping[str, Any]

NO_DIFFERENCE = ("app_version", "libraries", "checkpoint_seconds", "monitoring_budget", "threads")
"""Parts of a job that say where and when it ran, not what it did."""

FEWEST_RUNS = 3
"""Runs that rank agreement needs at least: of two runs any two measures agree or disagree by a coin."""

BY_SEED = ("seed",)
"""Parts of a job in which runs of one group may differ."""

PLACES = {
    "model.path": "model.sha256",
    "origin.path": "origin.sha256",
    "data.spec": "data.fingerprint",
    "data.data_root": "data.fingerprint",
}
"""Entries that say where something lies, and the hash of what lay there: moved, it is the same."""


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
class Run:
    """One run to compare: what it is called, its report.json and its job.json."""

    name: str
    report: Report
    job: Mapping[str, Any]


def compare(runs: Sequence[Run]) -> dict[str, Any]:
    """Return two or more runs side by side as plain data.

    `measures` are those of a report's table, then those the field publishes (group "As published"). `comparable` is
    false where the runs are not about the same data and forget set; `differences` says so in sentences, and also what
    else weakens a comparison. `groups` are runs that differ in their seed alone: mean and 95 % interval over seeds of
    every measure and closure. `agreement` is Kendall's tau between measures across the runs (of their closures, so
    that all point the same way); empty where runs are not comparable.
    """
    rows = [_rows_of(run.report) for run in runs]
    serious, further = _differences(runs)
    taken = {key for row in rows for key, each in row.items() if each.values["unlearned"] is not None}
    keys = [key for key in _ordered(rows) if key in taken]
    closures = {
        key: [(run.report.get("closure") or {}).get(key) for run in runs]
        for key in dict.fromkeys(key for run in runs for key in run.report.get("closure") or {})
    }
    known = {key: values for key, values in closures.items() if any(value is not None for value in values)}
    return {
        "comparable": not serious,
        "differences": [*serious, *further],
        "measures": [_titled(key, rows) for key in keys],
        "anchors": {} if serious else {name: _values(rows[0], name) for name in ("original", "head_only", "retrained")},
        "runs": [_run(run, row) for run, row in zip(runs, rows, strict=True)],
        "groups": [] if serious else _groups(runs, rows),
        "agreement": {} if serious else agreement_matrix(known),
        "job_differences": job_differences(runs),
    }


def job_differences(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """Return what the job files differ in: dotted name -> run -> value (null where a job has no such entry)."""
    flat = {run.name: _flat(run.job) for run in runs}
    names = sorted({name for job in flat.values() for name in job})
    found = {}
    for name in names:
        values = {run: job.get(name) for run, job in flat.items()}
        if any(value != next(iter(values.values())) for value in values.values()):
            found[name] = values
    return found


def kendall_tau(first: Sequence[float | None], second: Sequence[float | None]) -> float | None:
    """Return Kendall's tau-b of two value lists over the same runs, −1..1; pairs with a missing value are left out.

    None for fewer than FEWEST_RUNS pairs, or where one list has no order at all (all values tied).
    """
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    if len(pairs) < FEWEST_RUNS:
        return None
    from scipy.stats import kendalltau

    tau = float(kendalltau(*zip(*pairs, strict=True)).statistic)
    return tau if math.isfinite(tau) else None


def agreement_matrix(values: Mapping[str, Sequence[float | None]]) -> dict[str, dict[str, float | None]]:
    """Return tau of every measure with every other: measure -> measure -> tau. `values`: by measure, one a run."""
    return {one: {other: kendall_tau(values[one], values[other]) for other in values if other != one} for one in values}


def mean_interval(values: Sequence[float | None]) -> dict[str, Any]:
    """Return n, mean and the 95 % interval t(n−1)·s/√n of the mean; low and high are null for fewer than two."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return {"n": 0, "mean": None, "low": None, "high": None}
    mean = statistics.fmean(known)
    if len(known) < 2:
        return {"n": 1, "mean": mean, "low": None, "high": None}
    from scipy.special import stdtrit

    factor = float(stdtrit(len(known) - 1, (1 + CONFIDENCE) / 2))
    half = factor * statistics.stdev(known) / math.sqrt(len(known))
    return {"n": len(known), "mean": mean, "low": mean - half, "high": mean + half}


def _rows_of(report: Report) -> dict[str, TableRow]:
    return {row.key: row for row in (*measure_rows(report), *published_rows(report))}


def _ordered(rows: Sequence[Mapping[str, TableRow]]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _titled(key: str, rows: Sequence[Mapping[str, TableRow]]) -> dict[str, str]:
    row = next(row[key] for row in rows if key in row)
    return {"key": key, "title": row.title, "group": row.group, "unit": row.unit, "explanation": row.explanation}


def _values(rows: Mapping[str, TableRow], model: str) -> dict[str, float | None]:
    return {key: row.values[model] for key, row in rows.items()}


def _run(run: Run, rows: Mapping[str, TableRow]) -> dict[str, Any]:
    report, details = run.report, run.report.get("method_details") or {}
    return {
        "run": run.name,
        "method": report.get("method"),
        "title": details.get("title") or report.get("method"),
        "preset": details.get("preset"),
        "seed": report.get("seed"),
        "suite": report.get("suite"),
        "verdict": {key: (report.get("verdict") or {}).get(key) for key in ("code", "damaged", "sentence")},
        "measures": _values(rows, "unlearned"),
        "retrained": _values(rows, "retrained"),
        "closure": dict(report.get("closure") or {}),
        "cost": dict(report.get("cost") or {}),
    }


def _groups(runs: Sequence[Run], rows: Sequence[Mapping[str, TableRow]]) -> list[dict[str, Any]]:
    found: dict[str, list[int]] = {}
    for index, run in enumerate(runs):
        job = _content({name: value for name, value in _flat(run.job).items() if name.split(".")[0] not in BY_SEED})
        found.setdefault(repr(sorted(job.items())), []).append(index)
    groups = []
    for members in found.values():
        first = runs[members[0]].report
        keys = _ordered([rows[i] for i in members])
        closed = dict.fromkeys(key for i in members for key in runs[i].report.get("closure") or {})
        groups.append({
            "method": first.get("method"),
            "title": (first.get("method_details") or {}).get("title") or first.get("method"),
            "preset": (first.get("method_details") or {}).get("preset"),
            "runs": [runs[i].name for i in members],
            "seeds": [runs[i].report.get("seed") for i in members],
            "verdicts": [(runs[i].report.get("verdict") or {}).get("code") for i in members],
            "measures": {
                key: mean_interval([rows[i][key].values["unlearned"] for i in members if key in rows[i]])
                for key in keys
            },
            "closure": {
                key: mean_interval([(runs[i].report.get("closure") or {}).get(key) for i in members]) for key in closed
            },
        })  # fmt: skip
    return groups


def _differences(runs: Sequence[Run]) -> tuple[list[str], list[str]]:
    """Return what makes runs not comparable, and what weakens a comparison, in sentences."""
    serious = []
    if _several(runs, ("data", "fingerprint")):
        serious.append("The runs are on different data, so their numbers cannot be compared.")
    if _several(runs, ("forget", "sha256")):
        sets = "; ".join(f"{run.name}: {_forgets(run.job)}" for run in runs)
        sentence = "The runs forget different images, so their numbers cannot be compared"
        serious.append(f"{sentence} ({sets}).")
    further = []
    if len({_held_against(run.job) for run in runs}) > 1:
        further.append("The runs start from different originals: closures have different zero points.")
    if len({tuple(sorted(run.report.get("retrained") or ())) for run in runs}) > 1:
        further.append("The reports were made with different retrained models: `verify` with the same ones first.")
    if len({run.report.get("suite_version") for run in runs}) > 1:
        further.append("The reports were made with different versions of the suite: `verify` all of them again.")
    if len({run.report.get("suite") for run in runs}) > 1:
        further.append("Some reports hold the full suite and some the quick one: rows that only some have stay empty.")
    return serious, further


def _several(runs: Sequence[Run], path: tuple[str, str]) -> bool:
    return len({(run.job.get(path[0]) or {}).get(path[1]) for run in runs}) > 1


def _held_against(job: Mapping[str, Any]) -> str:
    """Return the hash of a run's original: for a later request the model before the first one."""
    return str((job.get("origin") or job.get("model") or {}).get("sha256") or "")


def _forgets(job: Mapping[str, Any]) -> str:
    forget = job.get("forget") or {}
    names = ", ".join(forget.get("class_names") or ())
    return f"{names or 'single images'}, {forget.get('count')} images"


def _content(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a flat job the places of what it knows by hash."""
    return {name: value for name, value in flat.items() if name not in PLACES or not flat.get(PLACES[name])}


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Return a job's entries by dotted name, without what says where it ran; lists as text, so that they compare."""
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for key, inner in value.items():
            if name or key not in NO_DIFFERENCE:
                found |= _flat(inner, f"{name}.{key}" if name else str(key))
        return found
    return {name: ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else value}


# -- as tables and as a page ------------------------------------------------------------------------------------------


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
    ours = [measure for measure in found["measures"] if measure["group"] != PUBLISHED]
    theirs = [measure for measure in found["measures"] if measure["group"] == PUBLISHED]
    made = [_values_block("Measures", ours, found, names), _values_block(PUBLISHED, theirs, found, names)]
    made += [_closures_block(found, names), *_group_blocks(found), agreement_block(found), jobs_block(found)]
    return [block for block in made if block.rows]


def render_comparison(found: Comparison, title: str) -> str:
    """Return a comparison as one HTML page without scripts and without anything fetched from elsewhere."""
    tables = [
        ShownTable(
            [Column(name) for name in block.header],
            [("", [
                Line(row[0], [Cell(text) for text in row[1:]], why)
                for row, why in zip(block.rows, block.why or [""] * len(block.rows), strict=True)
            ])],
            block.title,
            block.note,
        )
        for block in blocks(found)
    ]
    sentence = "This run was not checked."
    runs = [{"run": run["run"], "sentence": run["verdict"]["sentence"] or sentence} for run in found["runs"]]
    return template("compare.html.j2").render(
        title=title, version=VERSION, differences=found["differences"], runs=runs, tables=tables
    )


def _values_block(title: str, measures: Sequence[Mapping[str, str]], found: Comparison, names: list[str]) -> Block:
    anchors = {title: found["anchors"].get(key) or {} for key, title in _ANCHORS.items()} if found["anchors"] else {}
    rows, why = [], []
    for measure in measures:
        key, unit = measure["key"], measure["unit"]
        values = [anchor.get(key) for anchor in anchors.values()]
        values += [run["measures"].get(key) for run in found["runs"]]
        rows.append([measure["title"], *(number(unit, value) for value in values)])
        why.append(measure["explanation"])
    return Block(title, ["", *anchors, *names], rows, NOTES["measures"] if anchors else "", why)


def _closures_block(found: Comparison, names: list[str]) -> Block:
    keys = dict.fromkeys(key for run in found["runs"] for key in run["closure"])
    rows = [[_title(key), *(_share(run["closure"].get(key)) for run in found["runs"])] for key in keys]
    rows = [row for row in rows if any(text != numbers.DASH for text in row[1:])]
    return Block("Gap closed", ["", *names], rows, NOTES["closure"])


def _group_blocks(found: Comparison) -> list[Block]:
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
                units[key]["title"], str(taken["n"]), number(unit, taken["mean"]), _interval(unit, taken),
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
    return Block("Rank agreement", ["", *map(_title, matrix)], rows, NOTES["agreement"])


def jobs_block(found: Comparison) -> Block:
    """Return the entries in which the runs' job files differ."""
    names = [run["run"] for run in found["runs"]]
    rows = [
        [entry, *(numbers.DASH if values[name] is None else str(values[name]) for name in names)]
        for entry, values in found["job_differences"].items()
    ]
    return Block("Different settings", ["", *names], rows, NOTES["job"])


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
    return f"{number(unit, max(0.0, taken['low']))} … {number(unit, high)}"


def _tau(value: float | None) -> str:
    return numbers.DASH if value is None else f"{value:.2f}".replace("-", numbers.MINUS)
