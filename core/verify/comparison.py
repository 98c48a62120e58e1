"""Runs side by side, as data, as tables and as one HTML page: measures, closures, means over seeds, rank agreement."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from core.verify import numbers
from core.verify.closure import MEASURES, t_quantile
from core.verify.numbers import number
from core.verify.pages import template
from core.verify.ranking import ranked, ranking_block
from core.verify.shown import ShownTable, over_seeds
from core.verify.table import MODELS, PUBLISHED, TableRow, measure_rows, published_rows
from core.version import VERSION

Report = Mapping[str, Any]
Comparison = Mapping[str, Any]

ANCHORS = ("original", "head_only", "retrained")
"""Models that all runs have in common."""

NO_DIFFERENCE = (
    "app_version", "libraries", "checkpoint_seconds", "monitoring_budget", "threads", "model.proof", "start.said_by",
)  # fmt: skip
"""Parts of a job that say where and when it ran, and how its original was proven, not what it did."""

FEWEST_RUNS = 3
"""Runs that rank agreement needs at least: of two runs any two measures agree or disagree by a coin."""

PLACES = {
    "model.path": "model.sha256",
    "origin.path": "origin.sha256",
    "start.path": "start.sha256",
    "data.spec": "data.fingerprint",
    "data.data_root": "data.fingerprint",
    "data.notices": "data.fingerprint",
}
"""Entries that say where something lies or how it was read, and the hash of what was there: moved, it is the same."""


NOTES = {
    "measures": "Retrained: mean over the retrained models of the first run's report. No value is good for being high "
    "or low; the retrained one is the goal.",
    "closure": "Share of the gap between original and retrained that is closed; a dash: not informative here.",
    "groups": "Runs that differ in their seed alone: mean, and the 95 % interval of the mean over seeds; of two runs "
    "both values.",
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

    @cached_property
    def rows(self) -> dict[str, TableRow]:
        """The rows of the report's tables by key."""
        return {row.key: row for row in (*measure_rows(self.report), *published_rows(self.report))}

    @property
    def closure(self) -> dict[str, float | None]:
        """The share of the gap that is closed, by measure of the verdict."""
        return dict(self.report.get("closure") or {})

    def values(self, model: str) -> dict[str, float | None]:
        """Return a model's value of each measure; what counts something is a whole number, where it is one."""
        values = {key: (row.values[model], row.unit) for key, row in self.rows.items()}
        return {
            key: int(value) if value is not None and unit == "count" and value.is_integer() else value
            for key, (value, unit) in values.items()
        }


def compare(runs: Sequence[Run]) -> dict[str, Any]:
    """Return two or more runs side by side as plain data.

    `measures` are those of a report's table, then those the field publishes (group "As published"); `closure_key` is
    the key of the closure that is made of a measure, null where none is. `comparable` is false where the runs are not
    about the same data and forget set; `differences` says so in sentences, and also what else weakens a comparison.
    `groups` are runs that differ in their seed alone: mean and 95 % interval over seeds of every measure and closure.
    `ranking` has the groups in their order (core/verify/ranking.py).
    `agreement` is Kendall's tau between measures across the runs (of their closures, so that all point the same way);
    empty where runs are not comparable.
    """
    serious, further = _differences(runs)
    groups = [] if serious else _groups(runs)
    measures: dict[str, TableRow] = {}
    for row in (row for run in runs for row in run.rows.values()):
        if row.values["unlearned"] is not None:
            measures.setdefault(row.key, row)
    closures = _by_measure([run.closure for run in runs])
    return {
        "comparable": not serious,
        "forgets": "" if serious else _forgets(runs[0].job),
        "differences": [*serious, *further],
        "measures": [
            {
                "key": key, "title": row.title, "group": row.group, "unit": row.unit, "explanation": row.explanation,
                "closure_key": row.verdict and row.verdict["key"],
            }
            for key, row in measures.items()
        ],
        "anchors": {} if serious else {name: runs[0].values(name) for name in ANCHORS},
        "runs": [_run(run) for run in runs],
        "groups": groups,
        "ranking": ranked(groups, {run.name: run.report for run in runs}),
        "agreement": {} if serious else agreement_matrix(
            {key: values for key, values in closures.items() if any(value is not None for value in values)}
        ),
        "job_differences": job_differences(runs),
    }  # fmt: skip


def by_forget_set(runs: Sequence[Run]) -> list[list[Run]]:
    """Return runs in groups that are about the same images of the same data, in the order of their first one."""
    groups: dict[tuple[Any, Any], list[Run]] = {}
    for run in runs:
        key = ((run.job.get("data") or {}).get("fingerprint"), (run.job.get("forget") or {}).get("sha256"))
        groups.setdefault(key, []).append(run)
    return list(groups.values())


def job_differences(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """Return what the job files differ in: dotted name -> run -> value (null where a job has no such entry)."""
    flat = {run.name: _flat(run.job) for run in runs}
    names = sorted({name for job in flat.values() for name in job})
    values = {name: {run: job.get(name) for run, job in flat.items()} for name in names}
    return {name: by_run for name, by_run in values.items() if len(set(by_run.values())) > 1}


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
    return {
        first: {second: kendall_tau(values[first], values[second]) for second in values if second != first}
        for first in values
    }


def mean_interval(values: Sequence[float | None]) -> dict[str, Any]:
    """Return the values, n, mean and its 95 % interval t(n−1)·s/√n; low and high are null for fewer than two."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    mean = statistics.fmean(finite) if finite else None
    if mean is None or len(finite) < 2:
        return {"n": len(finite), "mean": mean, "low": None, "high": None, "values": finite}
    half = t_quantile(len(finite) - 1) * statistics.stdev(finite) / math.sqrt(len(finite))
    return {"n": len(finite), "mean": mean, "low": mean - half, "high": mean + half, "values": finite}


def _by_measure(runs: Sequence[Mapping[str, float | None]]) -> dict[str, list[float | None]]:
    """Return what each run has of every measure, one value a run, from each run's values by measure."""
    return {key: [values.get(key) for values in runs] for key in dict.fromkeys(itertools.chain.from_iterable(runs))}


def _method(report: Report) -> dict[str, Any]:
    details = report.get("method_details") or {}
    method = report.get("method")
    return {"method": method, "title": details.get("title") or method, "preset": details.get("preset")}


def _run(run: Run) -> dict[str, Any]:
    report = run.report
    return {
        "run": run.name,
        **_method(report),
        "seed": report.get("seed"),
        "suite": report.get("suite"),
        "verdict": {key: (report.get("verdict") or {}).get(key) for key in ("code", "damaged", "sentence")},
        "measures": run.values("unlearned"),
        "retrained": run.values("retrained"),
        "closure": run.closure,
        "cost": dict(report.get("cost") or {}),
    }


def _groups(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return the runs that differ in their seed alone as one group each, with means and intervals."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(_settings(run.job), []).append(run)

    def means(values: list[dict[str, float | None]]) -> dict[str, Any]:
        return {key: mean_interval(by_run) for key, by_run in _by_measure(values).items()}

    return [
        {
            **_method(members[0].report),
            "runs": [run.name for run in members],
            "seeds": [run.report.get("seed") for run in members],
            "verdicts": [(run.report.get("verdict") or {}).get("code") for run in members],
            "measures": means([run.values("unlearned") for run in members]),
            "closure": means([run.closure for run in members]),
        }
        for members in groups.values()
    ]


def _differences(runs: Sequence[Run]) -> tuple[list[str], list[str]]:
    """Return what makes runs not comparable, and what weakens a comparison, in sentences."""

    def differing(*weighed: tuple[Callable[[Run], Any], str]) -> list[str]:
        return [sentence for part, sentence in weighed if len({part(run) for run in runs}) > 1]

    sets = "; ".join(f"{run.name}: {_forgets(run.job)}" for run in runs)
    serious = differing(
        (lambda run: (run.job.get("data") or {}).get("fingerprint"),
         "The runs are on different data, so their numbers cannot be compared."),
        (lambda run: (run.job.get("forget") or {}).get("sha256"),
         f"The runs forget different images, so their numbers cannot be compared ({sets})."),
    )  # fmt: skip
    further = differing(
        (lambda run: _held_against(run.job),
         "The runs start from different originals: closures have different zero points."),
        (lambda run: tuple(sorted(run.report.get("retrained") or ())),
         "The reports were made with different retrained models: `verify` with the same ones first."),
        (lambda run: run.report.get("suite_version"),
         "The reports were made with different versions of the suite: `verify` all of them again."),
        (lambda run: run.report.get("suite"),
         "Some reports hold the full suite and some the quick one: rows that only some have stay empty."),
    )  # fmt: skip
    doubtful = [run.name for run in runs if (run.report.get("proof") or {}).get("doubts")]
    if doubtful:
        further.append(f"Nothing proved that the originals of {', '.join(doubtful)} are used as they were trained.")
    return serious, further


def _held_against(job: Mapping[str, Any]) -> str:
    """Return the hash of a run's original: for a later request the model before the first one."""
    return str((job.get("origin") or job.get("model") or {}).get("sha256") or "")


def _forgets(job: Mapping[str, Any]) -> str:
    forget = job.get("forget") or {}
    names = ", ".join(forget.get("class_names") or ())
    return f"{names or 'single images'}, {forget.get('count')} images"


def _settings(job: Mapping[str, Any]) -> str:
    """Return what a job asked for beside its seed, to be compared; what is known by its hash may lie anywhere."""
    flat = _flat(job)
    left_out = {"seed", *(place for place, sha256 in PLACES.items() if flat.get(sha256))}
    return repr(sorted((name, value) for name, value in flat.items() if name not in left_out))


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Return a job's entries by dotted name, without what says where it ran; lists as text, so that they compare."""
    if isinstance(value, Mapping):
        entries: dict[str, Any] = {}
        for key, inner in value.items():
            entry = f"{name}.{key}" if name else str(key)
            entries |= {} if entry in NO_DIFFERENCE else _flat(inner, entry)
        return entries
    return {name: ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else value}


# -- as tables and as a page ------------------------------------------------------------------------------------------


def blocks(comparison: Comparison) -> list[ShownTable]:
    """Return a comparison's tables in reading order; those without rows are left out."""
    ours = [measure for measure in comparison["measures"] if measure["group"] != PUBLISHED]
    theirs = [measure for measure in comparison["measures"] if measure["group"] == PUBLISHED]
    tables = [
        ranking_block(comparison["ranking"]),
        _measures_table("Measures", ours, comparison), _measures_table(PUBLISHED, theirs, comparison),
        _closures_table(comparison),
        *(_group_table(group, comparison["measures"]) for group in comparison["groups"] if len(group["runs"]) > 1),
        agreement_block(comparison), jobs_block(comparison),
    ]  # fmt: skip
    return [table for table in tables if table.rows]


def render_comparison(comparison: Comparison, title: str) -> str:
    """Return a comparison as one HTML page without scripts and without anything fetched from elsewhere."""
    return template("compare.html.j2").render(
        title=title, version=VERSION, comparison=comparison, tables=blocks(comparison)
    )


def _names(comparison: Comparison) -> list[str]:
    return [run["run"] for run in comparison["runs"]]


def _measures_table(title: str, measures: Sequence[Mapping[str, str]], comparison: Comparison) -> ShownTable:
    anchors = comparison["anchors"]
    columns = [*anchors.values(), *(run["measures"] for run in comparison["runs"])]
    rows = [
        [measure["title"], *(number(values.get(measure["key"]), measure["unit"]) for values in columns)]
        for measure in measures
    ]
    return ShownTable(
        title, ["", *(MODELS[name] for name in anchors), *_names(comparison)], rows,
        NOTES["measures"] if anchors else "", {measure["title"]: measure["explanation"] for measure in measures},
    )  # fmt: skip


def _closures_table(comparison: Comparison) -> ShownTable:
    rows = [
        [_title(key), *map(_share, values)]
        for key, values in _by_measure([run["closure"] for run in comparison["runs"]]).items()
        if any(value is not None for value in values)
    ]
    return ShownTable("Gap closed", ["", *_names(comparison)], rows, NOTES["closure"])


def _group_table(group: Mapping[str, Any], measures: Sequence[Mapping[str, str]]) -> ShownTable:
    rows = []
    for measure in measures:
        seeds, unit = group["measures"].get(measure["key"]) or {}, measure["unit"]
        if seeds.get("n"):
            closure = group["closure"].get(measure["closure_key"]) or {}
            rows.append([
                measure["title"], str(seeds["n"]), number(seeds["mean"], unit), _interval(seeds, unit),
                _share(closure.get("mean")),
            ])  # fmt: skip
    preset = f", {group['preset']}" if group["preset"] else ""
    title = f"{group['title']}{preset}: seeds {', '.join(map(str, group['seeds']))}"
    return ShownTable(title, ["", "runs", "mean", "95 % interval", "gap closed"], rows, NOTES["groups"])


def agreement_block(comparison: Comparison) -> ShownTable:
    """Return how far measures agree across the runs; without rows where that cannot be told."""
    matrix = comparison["agreement"]
    rows = [
        [_title(key), *("" if key == other else _tau(taus.get(other)) for other in matrix)]
        for key, taus in matrix.items()
    ]
    can_be_told = any(tau is not None for taus in matrix.values() for tau in taus.values())
    return ShownTable("Rank agreement", ["", *map(_title, matrix)], rows if can_be_told else [], NOTES["agreement"])


def jobs_block(comparison: Comparison) -> ShownTable:
    """Return the entries in which the runs' job files differ."""
    names = _names(comparison)
    rows = [
        [entry, *(numbers.DASH if values[name] is None else str(values[name]) for name in names)]
        for entry, values in comparison["job_differences"].items()
    ]
    return ShownTable("Different settings", ["", *names], rows, NOTES["job"])


def _title(key: str) -> str:
    return next((measure.title for measure in MEASURES if measure.key == key), key).capitalize()


def _share(value: float | None) -> str:
    return numbers.DASH if value is None else f"{numbers.whole_percent(value)} %"


def _interval(seeds: Mapping[str, Any], unit: str) -> str:
    """Write an interval, or both values of two; no share is above 1, and nothing below 0 that never is.

    Only measures of packages may be. A t-interval knows of neither.
    """
    if seeds["low"] is None:
        return numbers.DASH
    if seeds["n"] == 2:
        return over_seeds(seeds, unit)
    high = min(1.0, seeds["high"]) if unit == "percent" and seeds["mean"] <= 1 else seeds["high"]
    low = max(0.0, seeds["low"]) if min(seeds["values"]) >= 0 else seeds["low"]
    return f"{number(low, unit)} … {number(high, unit)}"


def _tau(value: float | None) -> str:
    return numbers.DASH if value is None else f"{value:.2f}".replace("-", numbers.MINUS)
