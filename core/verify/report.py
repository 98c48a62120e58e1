"""The report page: report.json's content and the run's events as one self-contained HTML file that prints well.

The first page speaks to the person who asked for the deletion; everything after it is for those who check. Missing
parts are left out, so a report of any stage and version can be shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup

from core.verify import report_text as text
from core.verify.charts import MARKERS, gap_bar
from core.verify.numbers import number, whole_percent
from core.verify.pages import Cell, Column, Line, ShownTable, template
from core.verify.plots import plots
from core.verify.report_text import reference_count
from core.verify.table import (
    MODELS,
    PUBLISHED_NOTE,
    TableRow,
    measure_rows,
    model_measures,
    published_rows,
    unseen,
)

Report = Mapping[str, Any]


def render_report(report: Report, events: Sequence[Mapping[str, Any]]) -> str:
    """Return the report as one HTML page without scripts and without anything fetched from elsewhere.

    `report` is report.json's content, `events` the run's events as dictionaries. All text is escaped.
    """
    code = (report.get("verdict") or {}).get("code") or ""
    return template("report.html.j2").render(
        report=report,
        title=text.title(report),
        asked=text.asked(report),
        chain=text.chain(report),
        meaning=text.MEANING.get(code, ""),
        proof=text.PROOF,
        rows={row.key: row for row in measure_rows(report)},
        by_class=report.get("forget_mode") != "sample",
        seen=unseen(report),
        retrained_how=text.retrained_how(report),
        measures=_measures(report),
        plots=plots(report, events),
        published=_published(report),
        limits=text.limits(report),
    )


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
    return [Column("Measure"), *(Column(MODELS[name], more.get(name, ""), name, MARKERS[name]) for name in names)]


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
    share, ends = f"{whole_percent(verdict['closure'])} %", row.whisker
    bar = gap_bar(verdict["position"], (ends[1] - ends[0]) / 2 if ends else None, label=f"{share} of the gap closed")
    return Cell(bar + Markup('<span class="number">{}</span>').format(share), "gapcell")
