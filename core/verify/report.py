"""The report page: report.json's content and the run's events as one self-contained HTML file that prints well.

What it says stands in `report.html.j2`: the first page speaks to the person who asked for the deletion, everything
after it is for those who check. Missing parts are left out, so a report of any stage and version can be shown.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from core.verify.closure import CLOSED, look_up
from core.verify.lamps import LAMPS, LIGHTS, report_lamps
from core.verify.lamps import MARKERS as LAMP_MARKERS
from core.verify.pages import MARKERS, gap_bar, template
from core.verify.plots import plots
from core.verify.table import (
    MODELS,
    PUBLISHED_NOTE,
    gaps_shown,
    judged,
    measure_rows,
    model_measures,
    published_rows,
    retrained_models,
    seen_before,
    unseen,
)

Report = Mapping[str, Any]


def render_report(report: Report, events: Sequence[Mapping[str, Any]]) -> str:
    """Return the report as one HTML page without scripts and without anything fetched from elsewhere.

    `report` is report.json's content, `events` the run's events as dictionaries. All text is escaped.
    """
    rows = measure_rows(report)
    retrained = len(retrained_models(report))
    shown = {*(report.get("models") or {}), *(["retrained"] if retrained else [])}
    shown.discard("fresh")  # nothing but relearning measures an untrained network
    verdict = report.get("verdict") or {}
    return template("report.html.j2").render(
        report=report,
        rows={row.key: row for row in rows},
        groups=[(title, list(group)) for title, group in itertools.groupby(rows, attrgetter("group"))],
        published=published_rows(report),
        published_note=PUBLISHED_NOTE,
        models={name: title for name, title in MODELS.items() if name in shown},
        all_models=MODELS,
        lamps=report_lamps(report),
        lamp_titles=LAMPS,
        lamp_markers=LAMP_MARKERS,
        lights=LIGHTS,
        markers=MARKERS,
        gap_bar=gap_bar,
        closed=look_up(verdict, ("thresholds", "closed")) or CLOSED,
        trained_on=[row.get("title", row.get("key")) for row in verdict.get("measures") or () if row.get("trained_on")],
        unlearned=model_measures(report, "unlearned"),
        retrained=retrained,
        gaps_shown=gaps_shown(report),
        seen_before=seen_before(report),
        seen=unseen(report),
        judged=judged(report),
        plots=plots(report, events),
    )
