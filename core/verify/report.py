"""The report page: report.json's content and the run's events as one self-contained HTML file that prints well.

The first page speaks to the person who asked for the deletion; everything after it is for those who check. Missing
parts are left out, so a report of any stage and version can be shown.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from core.verify import numbers
from core.verify import report_text as text
from core.verify.charts import gap_bar, marker
from core.verify.plots import plots
from core.verify.report_text import reference_count
from core.verify.table import (
    MODELS,
    PUBLISHED_NOTE,
    TableRow,
    measure_rows,
    model_measures,
    published_rows,
    seen_before,
)

Report = Mapping[str, Any]

TEMPLATES = Path(__file__).resolve().parents[2] / "resources" / "report"


@dataclass(frozen=True)
class Column:
    """The head of a column: a name, a marker before it, and what stands in small print below."""

    title: str
    more: str = ""
    marker: str = ""
    left: bool = False  # its cells are no numbers


@dataclass(frozen=True)
class Cell:
    """A cell as text, or as markup; `kind` is its class, `why` its tool tip, `more` stands in small print below."""

    text: str
    kind: str = ""
    why: str = ""
    more: str = ""


@dataclass(frozen=True)
class Line:
    """A row: its title, its cells, the title's tool tip, and what stands in small print below the title."""

    title: str
    cells: list[Cell]
    why: str = ""
    note: str = ""


@dataclass(frozen=True)
class ShownTable:
    """A table of a page, in groups of rows with a title each (empty: without a line of its own)."""

    columns: list[Column]
    groups: list[tuple[str, list[Line]]]
    title: str = ""
    note: str = ""
    kind: str = ""


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
        measures=_measures(report),
        plots=plots(report, events),
        published=_published(report),
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
    origin = {"own": "a separate test split", "set aside": "set aside from training images, seen before"}
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
    seen = "images seen before" if seen_before(report) else "unseen images"
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


def _measures(report: Report) -> ShownTable | None:
    """Return the table of all measures but cost, in groups, with a gap bar where something was retrained."""
    if not report.get("models"):
        return None
    names = _names(report)
    has_gaps = bool(report.get("verdict")) and reference_count(report) > 0
    columns = _columns(report, names)
    columns += [Column("Gap closed", "Original → Retrained", left=True)] if has_gaps else []
    groups: dict[str, list[Line]] = {}
    for row in measure_rows(report):
        if row.group != "Cost":
            cells = [*_cells(row, names), *([_gap(row)] if has_gaps else [])]
            groups.setdefault(row.group, []).append(Line(row.title, cells, row.explanation, row.note))
    control = text.CONTROL if model_measures(report, "head_only") else ""
    note = " ".join(part for part in (text.hatched(report), control) if part)
    return ShownTable(columns, list(groups.items()), "What was measured", note)


def _published(report: Report) -> ShownTable | None:
    """Return the field's own measures as a table, with the value of each retrained model; None where not taken."""
    names, lines = _names(report), []
    for row in published_rows(report):
        *cells, last = _cells(replace(row, missing={}), names)
        single = [number(row.unit, value) for value in row.retrained]
        last = replace(last, more="single ones: " + ", ".join(single) if len(single) > 1 else "")
        lines.append(Line(row.title, [*cells, last], note=row.explanation.removesuffix(PUBLISHED_NOTE).strip()))
    if not lines:
        return None
    return ShownTable(
        _columns(report, names), [("", lines)], "As the field publishes them", text.PUBLISHED, "published"
    )


def _names(report: Report) -> list[str]:
    """Return the models that have a column; an untrained network has none, because only relearning measures it."""
    models, retrained = report.get("models") or {}, reference_count(report) > 0
    return [name for name in MODELS if name != "fresh" and (name in models or (name == "retrained" and retrained))]


def _columns(report: Report, names: Sequence[str]) -> list[Column]:
    count = reference_count(report)
    more = {"head_only": "(control)", "retrained": f"mean of {count}" if count > 1 else ""}
    return [Column("Measure"), *(Column(MODELS[name], more.get(name, ""), marker(name)) for name in names)]


def _cells(row: TableRow, names: Sequence[str]) -> list[Cell]:
    def kind(name: str) -> str:
        return "ours" if name == "unlearned" else "missing" if row.missing.get(name) else ""

    return [Cell(number(row.unit, row.values.get(name)), kind(name), row.missing.get(name, "")) for name in names]


def _gap(row: TableRow) -> Cell:
    """Return the cell that shows how much of the gap between original and retrained is closed."""
    verdict = row.verdict
    if not verdict:
        return Cell("", "gapcell")
    if not verdict.get("informative"):
        reason = "not informative here"
        return Cell(gap_bar(None, label=reason), "gapcell", more=reason)
    share, ends = _closure_text(verdict), row.whisker
    bar = gap_bar(
        verdict.get("position"), (ends[1] - ends[0]) / 2 if ends else None,
        label=f"{share} of the gap closed" if share else "not informative here",
    )  # fmt: skip
    return Cell(bar + Markup('<span class="number">{}</span>').format(share) if share else bar, "gapcell")


def _closure_text(verdict: Mapping[str, Any]) -> str:
    closure = verdict.get("closure")
    return "" if closure is None else f"{numbers.whole_percent(closure)} %"


def number(unit: str, value: float | None) -> str:
    """Write a value as tables do: without the unit, which its title has."""
    if value is None:
        return numbers.DASH
    match unit:
        case "percent":
            return numbers.percent(value, unit=False)
        case "ratio":
            return numbers.ratio(value)
        case "number" | "seconds":
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
