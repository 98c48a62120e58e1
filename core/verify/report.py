"""The report page: report.json's content and the run's events as one self-contained HTML file that prints well.

The first page speaks to the person who asked for the deletion; everything after it is for those who check. Missing
parts are left out, so a report of any stage and version can be shown.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from core.verify import numbers
from core.verify import report_text as text
from core.verify.marks import gap_bar, marker
from core.verify.published import TITLES
from core.verify.report_plots import plots
from core.verify.report_text import reference_count
from core.verify.table import TableRow, measure_rows

Report = Mapping[str, Any]

TEMPLATES = Path(__file__).resolve().parents[2] / "resources" / "report"

COLUMNS = {
    "original": "Original",
    "unlearned": "Unlearned",
    "head_only": "Head-only edit (control)",
    "retrained": "Retrained",
    "fresh": "Untrained",
}
"""Models in the order of the table, with the names the window uses."""

def render_report(report: Report, events: Sequence[Mapping[str, Any]]) -> str:
    """Return the report as one HTML page without scripts and without anything fetched from elsewhere.

    `report` is report.json's content, `events` the run's events as dictionaries. All text is escaped.
    """
    verdict = report.get("verdict") or {}
    return page_environment().get_template("report.html.j2").render(
        title=text.title(report),
        subtitle=_subtitle(report),
        asked=text.asked(report),
        chain=text.chain(report),
        facts=_facts(report),
        figures=_figures(report),
        sentence=verdict.get("sentence") or "This result was not checked.",
        code=verdict.get("code") or "none",
        meaning=text.MEANING.get(verdict.get("code") or "", ""),
        proof=text.PROOF,
        hatched=text.hatched(report),
        control=text.CONTROL if (report.get("models") or {}).get("head_only") else "",
        columns=_columns(report),
        has_gaps=bool(verdict) and reference_count(report) > 0,
        groups=_groups(report),
        plots=plots(report, events),
        published=_published(report),
        published_note=text.PUBLISHED,
        parameters=_parameters(report),
        thresholds=_flat(verdict.get("thresholds")),
        versions=_versions(report),
        files=report.get("files") or {},
        notes=(report.get("method_details") or {}).get("notes") or [],
        citation=(report.get("method_details") or {}).get("citation") or "",
        limits=text.limits(report),
        warnings=report.get("warnings") or [],
    )


def page_environment() -> jinja2.Environment:
    """Return what renders pages: everything is escaped, and a name that is missing is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip


def _subtitle(report: Report) -> list[str]:
    """Return when, which run, which version: what a report is cited by."""
    parts = [
        _moment(report.get("created")),
        f"run {report['run']}" if report.get("run") else "",
        f"Unlearn Studio {report['app_version']}" if report.get("app_version") else "",
    ]
    return [part for part in parts if part]


def _facts(report: Report) -> list[tuple[str, list[tuple[str, str, bool]]]]:
    """Return cards of (title, rows of label, value, whether it is a hash)."""
    data, model, cost = (report.get(key) or {} for key in ("dataset", "model", "cost"))
    details = report.get("method_details") or {}
    origin = {"own": "a test part of its own", "set aside": "set aside from training images, seen before"}
    share = cost.get("share_of_retraining")
    where = " · ".join(str(report[key]) for key in ("device", "precision") if report.get(key))
    samples = cost.get("samples_seen")
    on_what = [
        ("Data", data.get("title") or data.get("spec"), False),
        ("Unseen images", origin.get(data.get("test_origin") or "", ""), False),
        ("Fingerprint", data.get("fingerprint"), True),
        ("Model", " · ".join(str(model[key]) for key in ("path", "architecture") if model.get(key)), False),
        ("SHA-256", model.get("sha256"), True),
    ]
    what_done = [
        ("Method", details.get("title") or report.get("method"), False),
        ("Preset", details.get("preset"), False),
        ("Time", numbers.duration(cost.get("seconds")) if cost.get("seconds") is not None else "", False),
        ("Of retraining", _share_of_time(share), False),
        ("Retrained", text.retrained_how(report), False),
        ("Steps", numbers.count(cost.get("steps")) if cost.get("steps") is not None else "", False),
        ("Samples seen", numbers.count(samples) if samples is not None else "", False),
        ("Run on", where, False),
        ("Ended", "stopped before its end, and kept" if report.get("state") == "stopped" else "", False),
        ("Original", "unchanged: the file was only read", False),
    ]
    cards = [("On what", on_what), ("What was done", what_done)]
    return [(title, [(a, str(b), c) for a, b, c in rows if b not in (None, "")]) for title, rows in cards]


def _share_of_time(share: float | None) -> str:
    if share is None:
        return ""
    return f"{numbers.percent(share)} of its time" if share < 2 else f"{share:.1f} times its time"


def _figures(report: Report) -> list[dict[str, str]]:
    """Return the three numbers of the first page, each beside the same number for the original and for retraining."""
    rows = {row.key: row for row in measure_rows(report)}
    by_class = report.get("forget_mode") != "sample"
    forget = "forget_test_accuracy" if by_class else "forget_accuracy"
    seen = "images seen before" if (report.get("dataset") or {}).get("test_origin") == "set aside" else "unseen images"
    whose = "the class" if len(report.get("forget_classes") or ()) == 1 else "these classes"
    wanted = {
        forget: f"of {seen} of {whose} are still recognised" if by_class else "of the forget images are named rightly",
        "probe": "of them are found again in the model's features, by a linear probe",
        "retain_test_accuracy": f"of all other {seen} are recognised",
    }
    found = []
    for key, label in wanted.items():
        row = rows.get(key)
        if row is None or row.values.get("unlearned") is None:
            continue
        retrained = row.values.get("retrained")
        goal = f"retrained {numbers.percent(retrained)}" if retrained is not None else "no retrained model yet"
        beside = f"original {numbers.percent(row.values.get('original'))} · {goal}"
        found.append({"number": numbers.percent(row.values["unlearned"]), "label": label, "beside": beside})
    return found


def _columns(report: Report) -> list[dict[str, Any]]:
    models = report.get("models") or {}
    count = reference_count(report)
    shown = []
    for name, title in COLUMNS.items():
        if name == "fresh":  # only relearning measures it, and draws it
            continue
        if name not in models and not (name == "retrained" and count):
            continue
        more = f"mean of {count}" if name == "retrained" and count > 1 else ""
        title, _, bracket = title.partition(" (")
        more = f"({bracket}" if bracket else more
        shown.append({"key": name, "title": title, "marker": marker(name), "more": more})
    return shown


def _groups(report: Report) -> list[dict[str, Any]]:
    """Return the table: groups of rows, each with its cells and its gap bar where it has one."""
    if not report.get("models"):
        return []
    columns = [column["key"] for column in _columns(report)]
    rows = [row for row in measure_rows(report) if row.group != "Cost"]
    rows += _further_rows(report, {row.verdict["key"] for row in rows if row.verdict})
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(_shown_row(row, columns, reference_count(report)))
    return [{"title": title, "rows": shown} for title, shown in groups.items()]


def _further_rows(report: Report, shown: set[str]) -> list[TableRow]:
    """Return rows for measures of the verdict that the table does not list, such as attacks."""
    models = ("original", "unlearned", "head_only", "retrained")
    found = []
    for row in (report.get("verdict") or {}).get("measures") or []:
        if row.get("key") in shown or all(row.get(name) is None for name in models):
            continue
        unit = "percent" if row.get("unit") == "percent" else "ratio"
        title = str(row.get("title", row["key"])).capitalize() + {"percent": ", %", "ratio": ""}[unit]
        if row["key"] == "membership":
            title = "Membership attack, AUC"
        values = {name: row.get(name) for name in models}
        found.append(TableRow(row["key"], "Attacks", title, unit, values, verdict=row))  # type: ignore[arg-type]
    return found


def _published(report: Report) -> dict[str, Any] | None:
    """Return the field's own measures as a table: one row a measure, one column a model; None where not taken."""
    rows = report.get("published") or {}
    names = [name for name in ("original", "unlearned", "head_only", "retrained") if name in rows]
    if not names:
        return None
    others = [name for name in rows if name not in COLUMNS]
    shown = []
    for key, (title, unit, definition) in TITLES.items():
        values = [rows[name].get(key) for name in names]
        if all(value is None for value in values):
            continue
        each = [_cell(unit, rows[name].get(key)) for name in others if rows[name].get(key) is not None]
        spread = "single ones: " + ", ".join(each) if len(each) > 1 else ""
        shown.append({
            "title": title, "definition": definition, "cells": [_cell(unit, value) for value in values],
            "ours": names.index("unlearned") if "unlearned" in names else -1, "spread": spread,
        })  # fmt: skip
    columns = [column for column in _columns(report) if column["key"] in names]
    columns.sort(key=lambda column: names.index(column["key"]))
    return {"columns": columns, "rows": shown}


def _shown_row(row: TableRow, columns: Sequence[str], references: int) -> dict[str, Any]:
    verdict = row.verdict or {}
    shown: dict[str, Any] = {
        "title": row.title,
        "note": row.note,
        "explanation": row.explanation,
        "cells": [
            {
                "text": _cell(row.unit, row.values.get(name)),
                "why": row.missing.get(name, ""),
                "ours": name == "unlearned",
            }
            for name in columns
        ],
        "bar": "",
        "closure": "",
        "reason": "",
    }
    if verdict and references:
        informative, position = bool(verdict.get("informative")), verdict.get("position")
        ends = row.whisker
        share = _closure_text(verdict) if informative else ""
        label = f"{share} of the gap closed" if share else "not informative here"
        shown["bar"] = gap_bar(
            position if informative else None, (ends[1] - ends[0]) / 2 if ends else None, label=label
        )
        shown["closure"] = share
        shown["reason"] = "" if informative else "not informative here"
    return shown


def _closure_text(verdict: Mapping[str, Any]) -> str:
    closure = verdict.get("closure")
    return "" if closure is None else f"{numbers.whole_percent(closure)} %"


def _cell(unit: str, value: float | None) -> str:
    if value is None:
        return numbers.DASH
    match unit:
        case "percent":
            return numbers.percent(value, unit=False)
        case "ratio":
            return numbers.ratio(value)
        case "number":
            return f"{value:.1f}"
        case _:
            return numbers.count(value)


def _parameters(report: Report) -> list[tuple[str, str]]:
    found = _flat((report.get("method_details") or {}).get("parameters"))
    if report.get("seed") is not None:
        found.append(("seed", str(report["seed"])))
    return found


def _versions(report: Report) -> list[tuple[str, str]]:
    found = [("Unlearn Studio", str(report["app_version"]))] if report.get("app_version") else []
    return found + _flat(report.get("libraries")) + _flat(report.get("machine"))


def _flat(values: Any) -> list[tuple[str, str]]:
    if not isinstance(values, Mapping):
        return []
    return [(str(key), _plain(value)) for key, value in values.items() if value is not None]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value)) or numbers.DASH
    return str(value)


def _moment(written: Any) -> str:
    """Return an ISO moment as "24 November 2026, 17:14 UTC"; as it is where it is none."""
    try:
        moment = datetime.datetime.fromisoformat(str(written)).astimezone(datetime.UTC)
    except ValueError:
        return str(written or "")
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
