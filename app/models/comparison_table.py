"""Several runs as rows for a view: anchors, then methods in their rank with their runs and what these came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt

from app.models.measure_table import GLYPHS, written
from app.models.run_table import VERDICTS
from app.models.tables import ALIGN, COLOUR, FONT, SAID, TEXT, TIP, Cell, Line
from app.services import format as fmt
from app.services.translation import mark, tr
from app.widgets.table import NUMBER
from core.verify.lamps import LAMPS, LIGHTS, report_lamps

if TYPE_CHECKING:
    from core.session.batch import Group, Row

NAME, VERDICT, LAMPS_COLUMN, FIRST = range(4)  # columns; the measures begin at FIRST
RUN_ROLE = int(Qt.ItemDataRole.UserRole) + 60  # the run's name; None where the row is no single run
ANCHORS = {
    "original": mark("Original"), "head_only": mark("Head-only edit (control)"), "retrained": mark("Retrained"),
}  # fmt: skip
OUTCOMES = {
    "finished": mark("Finished"), "skipped": mark("Finished"), "stopped": mark("Stopped early"),
    "running": mark("Running"), "waiting": mark("Waiting"), "interrupted": mark("Interrupted"),
    "failed": mark("Failed"), "missing": mark("Not started"),
}  # fmt: skip
Values = Mapping[str, float | None]
Lights = Mapping[str, Sequence[str]]  # lamp -> what it says of each run


@dataclass
class Told:
    """What is known of one run or of several: their verdict in words, their lamps and measures, and the single runs."""

    name: str
    verdict: str = ""
    lights: Lights = field(default_factory=dict)
    values: Mapping[str, Sequence[float]] = field(default_factory=dict)  # measure -> a value a run that has one
    closed: Values = field(default_factory=dict)  # measure -> share of the gap closed
    run: str | None = None
    tip: str = ""
    below: list[Told] = field(default_factory=list)


def told_runs(found: Mapping[str, Any], reports: Mapping[str, Mapping[str, Any]]) -> list[Told]:
    """Return the rows of a comparison as `core.verify.comparison.compare` makes it; `reports`: by the runs' names."""
    controls = [report_lamps(report).get("head_only") or {} for report in reports.values()]
    # A method's own measures do not count for it: the control is told by the report where most do.
    control = max(controls, key=lambda lamps: sum(light != "unknown" for light in lamps.values()), default={})
    rows = [
        Told(tr(ANCHORS[key]), lights=_singly(control) if key == "head_only" else {}, values=_known(values))
        for key, values in found["anchors"].items()
        if any(value is not None for value in values.values())
    ]
    runs = {run["run"]: told_run(run, reports[run["run"]]) for run in found["runs"]}
    groups = {tuple(group["runs"]): group for group in found["groups"]}
    words = Counter(method_words(place) for place in found["ranking"])
    for place in found["ranking"]:
        members = [runs.pop(name) for name in place["runs"]]
        row, title = members[0], method_words(place)
        if len(members) > 1:
            closed = {key: taken["mean"] for key, taken in groups[tuple(place["runs"])]["closure"].items()}
            seeds = {run["run"]: run["seed"] for run in found["runs"]}
            for member in members:
                member.name = tr("Seed {number}", number=seeds[member.run])
            row = _together(title, members, closed=closed)
        row.name = f"{place['rank'] or fmt.DASH}  {title if words[title] == 1 else row.name}"
        rows.append(row)
    return [*rows, *runs.values()]


def told_batch(groups: Iterable[Group], finished: Mapping[str, Told], titles: Mapping[str, str]) -> list[Told]:
    """Return the rows of a batch: a row a method and forget set, below it its runs, also those without a result.

    finished: runs with a report, by the name that the batch gives them. titles: of methods, by id.
    """
    rows = []
    for group in groups:
        members = [_batch_member(row, finished) for row in group.rows]
        id_ = group.rows[0].method
        own, title = group.method.removesuffix(f" ({id_})"), titles.get(id_, id_)
        tip = tr("{done} of %n runs have a result", n=len(members), done=fmt.count(group.ended))
        rows.append(_together(f"{group.forget} · {title if own == id_ else f'{own}, {title}'}", members, tip))
    return rows


def _batch_member(row: Row, finished: Mapping[str, Told]) -> Told:
    told = finished.get(row.run) or Told("", tr(OUTCOMES[row.outcome]), tip=row.error or row.run)
    told.name = tr("Seed {number}", number=row.seed)
    return told


def method_words(run: Mapping[str, Any]) -> str:
    """Name a run's or group's method, with its preset where that is not the default."""
    preset = run.get("preset")
    return f"{run['title']}, {preset}" if preset and preset != "default" else str(run["title"])


def told_run(run: Mapping[str, Any], report: Mapping[str, Any]) -> Told:
    """Return what is known of a single run."""
    name = tr("{method}, seed {number}", method=method_words(run), number=run["seed"])
    verdict = VERDICTS.get(run["verdict"].get("code") or "", fmt.DASH)
    lights = _singly(report_lamps(report).get("unlearned") or {})
    return Told(name, tr(verdict, "verdict"), lights, _known(run["measures"]), run["closure"], run["run"])


def _together(name: str, members: list[Told], tip: str = "", closed: Values | None = None) -> Told:
    keys = dict.fromkeys(key for member in members for key in member.values)
    values = {key: [value for member in members for value in member.values.get(key, ())] for key in keys}
    lights = {lamp: [light for member in members for light in member.lights.get(lamp, ())] for lamp in LAMPS}
    verdict = _counted(member.verdict for member in members)
    return Told(name, verdict, lights, values, closed or {}, None, tip, members)


def _singly(lamps: Mapping[str, str]) -> Lights:
    return {lamp: [light] for lamp, light in lamps.items()}


def _known(values: Values) -> dict[str, list[float]]:
    return {key: [value] for key, value in values.items() if value is not None}


def _counted(words: Iterable[str]) -> str:
    """Write what several runs got: the words where all got the same, else "2 × Close, 1 × Hidden"."""
    numbers = Counter(filter(None, words))
    if len(numbers) < 2:
        return next(iter(numbers), "")
    return ", ".join(f"{fmt.count(number)} × {word}" for word, number in numbers.most_common())


def comparison_header(measures: Sequence[Mapping[str, Any]]) -> list[Cell]:
    """Return the titles of the columns: name, verdict, lamps, then the measures in the order of the report's table."""
    align = int(NUMBER) | int(Qt.TextFlag.TextWordWrap)
    lights = "\n".join(f"{GLYPHS[light]} {words}" for light, words in LIGHTS.items())
    titles: list[Cell] = [
        {TEXT: measure["title"], TIP: f"{measure['title']}\n{measure['explanation']}", ALIGN: align}
        for measure in measures
    ]
    return [{TEXT: tr("Method")}, {TEXT: tr("Verdict")}, {TEXT: ", ".join(LAMPS.values()), TIP: lights}, *titles]


def comparison_lines(rows: Iterable[Told], measures: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Return rows with their cells written; in a worker, since an interval loads scipy."""
    return [Line(row.run or row.name, _cells(row, measures), comparison_lines(row.below, measures)) for row in rows]


def _cells(row: Told, measures: Sequence[Mapping[str, Any]]) -> list[Cell]:
    tips = [row.name, *filter(None, (row.run, row.tip))]
    name: Cell = {TEXT: row.name, TIP: "\n".join(tips),
                  FONT: ("table", True) if row.below else None}  # fmt: skip
    lamps: Cell = {TEXT: fmt.DASH if row.verdict else ""}
    if any(row.lights.values()):
        shapes = ["".join(dict.fromkeys(GLYPHS[light] for light in row.lights[lamp])) or fmt.DASH for lamp in LAMPS]
        words = [f"{LAMPS[lamp]}: {_counted(LIGHTS[light] for light in row.lights[lamp])}" for lamp in LAMPS]
        lamps = {TEXT: "  ".join(shapes), TIP: "\n".join(words),
                 SAID: ", ".join(words)}  # fmt: skip
    verdict: Cell = {TEXT: row.verdict, TIP: row.verdict or None}
    cells = [name, verdict, lamps, *(_value(row, measure) for measure in measures)]
    return [{RUN_ROLE: row.run, **cell} for cell in cells]


def _value(row: Told, measure: Mapping[str, Any]) -> Cell:
    values, unit = row.values.get(measure["key"], ()), measure["unit"]
    if not values:
        return {TEXT: fmt.DASH, TIP: tr("Not measured in this report."),
                ALIGN: NUMBER, COLOUR: "text_3"}  # fmt: skip
    closed, each = row.closed.get(measure["closure_key"]), ", ".join(written(value, unit) for value in values)
    tips = []
    if len(values) > 2:
        tips.append(tr("Mean over %n seeds ± half of its 95 % interval: {values}", n=len(values), values=each))
    if closed is not None:
        tips.append(tr("{share} % of the gap closed", share=fmt.closed(closed)))
    return {TEXT: values_words(values, unit), TIP: "\n".join(tips) or None,
            ALIGN: NUMBER}  # fmt: skip


def values_words(values: Sequence[float], unit: str) -> str:
    """Write a measure of one run or of several seeds: both values of two, of more their mean ± half its interval."""
    said = [written(value, unit) for value in values]
    if len(said) < 2 or said == [said[0]] * 2:
        return said[0] if said else fmt.DASH
    if len(said) == 2:
        return tr("{value} and {other}", value=said[0], other=said[1])
    from core.verify.comparison import mean_interval

    taken = mean_interval(values)
    half = (taken["high"] - taken["low"]) / 2
    # `written` says "> 99.9" near the ends, which a width never means.
    words = fmt.decimal(100 * half, 1) if unit == "percent" else written(half, "seconds" if unit == "count" else unit)
    return f"{written(taken['mean'], unit)} ± {words}"
