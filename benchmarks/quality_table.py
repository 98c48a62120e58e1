"""Turns the cells of the quality benchmark into figures, a table and a plot of closures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

from benchmarks.quality_cells import Cell, Made

HEAD = (
    "", "tier", "runs", "retain", "forget", "probe", "F1", "NMI", "DA", "JS", "attack AUC",
    "closure JS", "probe", "NMI", "DA", "time", "operations",
)  # fmt: skip
CLOSURES = ("output_distance", "probe", "nmi", "dimensional_alignment")
NOTHING = "–"  # where a measure says nothing
Report = dict[str, Any]


def groups(made: Iterable[Made], wanted: Callable[[Cell], bool]) -> dict[str, list[Made]]:
    """Return the wanted cells by title, in the order they were made."""
    found: dict[str, list[Made]] = {}
    for one in made:
        if wanted(one.cell):
            found.setdefault(one.cell.title, []).append(one)
    return found


def rows(found: dict[str, list[Made]]) -> list[list[str]]:
    """Return the table: original and retrained first, then one row a method and preset."""
    every = [one.report for group in found.values() for one in group]
    if not every:
        return []
    table = [list(HEAD)]
    single = _once(every)
    table.append(_reference("Original", [_of(r, "original") for r in single]))
    table.append(_reference("Retrained", [m for r in single for m in r["retrained"].values()]))
    for title, group in found.items():
        reports = [one.report for one in group]
        measured = [_of(r, "unlearned") for r in reports]
        closures = [_mean_text([(closure_of(r) or {}).get(key) for r in reports], "{:.2f}") for key in CLOSURES]
        table.append(
            [title, group[0].cell.tier, str(len(group)), *_measures(measured), *closures,
             _mean_text([r["cost"]["share_of_retraining"] for r in reports], "{:.1%}"),
             _mean_text([r["cost"].get("operations_share") for r in reports], "{:.1%}")]
        )  # fmt: skip
    return table


def figures(found: dict[str, list[Made]]) -> dict[str, Any]:
    """Return what scripts read, by title: means over the cells."""
    return {title: _figures([one.report for one in group]) for title, group in found.items()}


def markdown(table: Sequence[Sequence[str]]) -> str:
    """Return a table for a document."""
    lines = ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join([lines[0], "|" + "---|" * len(table[0]), *lines[1:]])


def parse(text: str) -> list[list[str]]:
    """Return the table that `markdown` wrote."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.strip().splitlines()]
    return [line for line in lines if set("".join(line)) != {"-"}]


def merged(table: Sequence[Sequence[str]], news: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the table with the rows of `news` in place of those of the same methods, new ones at its end."""
    of_models = 3  # head, original, retrained: as they are, for all rows
    renewed = {row[0]: list(row) for row in news[of_models:]}
    return [renewed.pop(row[0], list(row)) for row in table] + list(renewed.values())


def closure_plot(table: Sequence[Sequence[str]]) -> str:
    """Return an SVG of a table's closures: one line a method, a mark for each measure's mean, whiskers its interval."""
    shown = ("outputs (JS)", "linear probe", "clustering (NMI)", "alignment (DA)")
    first = HEAD.index("closure JS")
    methods = [row for row in table[1:] if row[first]]  # not the original and the retrained models
    marks = ("M-4,-4h8v8h-8z", "M0,-5L5,4H-5z", "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0", "M0,-5L5,0L0,5L-5,0z")
    inks = ("#4B4FC4", "#B4531A", "#1F6F8B", "#6B6F76")
    left, width, top, step = 190, 460, 44, 26
    height = top + step * len(methods) + 34

    def x(value: float) -> float:
        return left + width * (min(max(value, -0.5), 1.25) + 0.5) / 1.75

    parts = [f'<rect width="{left + width + 24}" height="{height}" fill="#FFFFFF"/>']
    for number, name in enumerate(shown):
        place = left + number * 118
        parts.append(f'<path d="{marks[number]}" fill="{inks[number]}" transform="translate({place},16)"/>')
        parts.append(f'<text x="{place + 10}" y="20">{name}</text>')
    for value, text in ((-0.5, ""), (0.0, "0: original"), (0.5, "0.5"), (1.0, "1: retrained")):
        parts.append(f'<path d="M{x(value)},{top - 12}V{height - 26}" stroke="#D5D9DF"/>')
        parts.append(f'<text x="{x(value)}" y="{height - 10}" text-anchor="middle">{text}</text>')
    for line, row in enumerate(methods):
        y, title = top + step * line + 8, escape(row[0])
        parts.append(f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{title}</text>')
        for number, name in enumerate(shown):
            value, _, interval = row[first + number].partition(" ± ")
            if value == NOTHING:
                continue
            mean, half, shift = float(value), float(interval or 0), 3 * (number - 1.5)
            parts.append(f'<path d="M{x(mean - half)},{y + shift}H{x(mean + half)}" stroke="{inks[number]}"/>')
            parts.append(
                f'<path d="{marks[number]}" fill="{inks[number]}" transform="translate({x(mean)},{y + shift})">'
                f"<title>{title}, {name}: {value}</title></path>"
            )
    style = 'font-family="sans-serif" font-size="12" fill="#1B1F24"'
    size = f'width="{left + width + 24}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(parts)}</svg>\n'


def closure_of(report: Report) -> dict[str, float]:
    """Return 1 − |u − r| / |o − r| of each measure, whether or not the gap exceeds the spread of retrained models.

    A benchmark averages over classes and seeds, so that a gap too small to judge one model by still counts here. The
    report's own closure leaves such measures out.
    """
    found: dict[str, float] = {}
    for key, path in {
        "probe": ("probe", "forget"), "nmi": ("nmi",), "dimensional_alignment": ("dimensional_alignment", "value"),
        "forget_accuracy": ("forget_test_accuracy",),
    }.items():  # fmt: skip
        o, u = (_at(_of(report, model), path) for model in ("original", "unlearned"))
        known = [v for m in report["retrained"].values() if (v := _at(m, path)) is not None]
        if o is not None and u is not None and known and abs(o - statistics.fmean(known)) > 1e-6:
            mean = statistics.fmean(known)
            found[key] = 1 - abs(u - mean) / abs(o - mean)
    o, u = (_distance(_of(report, model)) for model in ("original", "unlearned"))
    if o and u is not None:
        found["output_distance"] = 1 - u / o
    return found


def _figures(reports: list[Report]) -> dict[str, Any]:
    def mean(values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return round(statistics.fmean(known), 4) if known else None

    pairs = [(_of(r, "original"), _of(r, "unlearned")) for r in reports]
    keys = sorted({key for r in reports for key in closure_of(r)})
    return {
        "runs": len(reports),
        "retain_drop": mean(o["retain_test_accuracy"] - u["retain_test_accuracy"] for o, u in pairs),
        "forget_test_accuracy": mean(u["forget_test_accuracy"] for _, u in pairs),
        "forget_accuracy": mean(u["forget_accuracy"] for _, u in pairs),
        "closure": {key: mean(closure_of(r).get(key) for r in reports) for key in keys},
        "time_share": mean(r["cost"]["share_of_retraining"] for r in reports),
        "flop_share": mean(r["cost"].get("operations_share") for r in reports),
        "verdicts": [r["verdict"]["code"] for r in reports],
    }


def _reference(title: str, measured: list[dict[str, Any]]) -> list[str]:
    return [title, "", str(len(measured)), *_measures(measured), *[""] * (len(CLOSURES) + 2)]


def _measures(measured: list[dict[str, Any]]) -> list[str]:
    def column(path: tuple[str, ...], form: str) -> str:
        return _mean_text([_at(m, path) for m in measured], form)

    forget = ("forget_test_accuracy",) if any(_at(m, ("forget_test_accuracy",)) is not None for m in measured) else (
        "forget_accuracy",
    )  # fmt: skip
    return [
        column(("retain_test_accuracy",), "{:.1%}"), column(forget, "{:.1%}"), column(("probe", "forget"), "{:.1%}"),
        column(("probe", "f1"), "{:.3f}"), column(("nmi",), "{:.3f}"),
        column(("dimensional_alignment", "value"), "{:.3f}"), _mean_text([_distance(m) for m in measured], "{:.3f}"),
        column(("membership", "population", "auc"), "{:.3f}"),
    ]  # fmt: skip


def _once(reports: list[Report]) -> list[Report]:
    """One report a forget set: original, retrained and control are the same in all its cells."""
    return list({tuple(r["forget_classes"]) or r["forget_count"]: r for r in reports}.values())


def _of(report: Report, model: str) -> dict[str, Any]:
    return report["models"].get(model) or {}


def _distance(measures: dict[str, Any]) -> float | None:
    found = measures.get("distances") or {}
    return (found.get("forget_test") or found.get("forget") or {}).get("js_to_retrained")


def _at(measures: Any, path: Sequence[str]) -> float | None:
    for name in path:
        measures = measures.get(name) if isinstance(measures, dict) else None
    return float(measures) if isinstance(measures, (int, float)) else None


def _mean_text(values: list[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return NOTHING
    half = _half_width(known)
    text = form.format(statistics.fmean(known))
    return text if half is None else f"{text} ± {form.format(half).rstrip('%')}"


def _half_width(values: Sequence[float]) -> float | None:
    """Half of the 95 % interval of the mean; None for fewer than three values."""
    if len(values) < 3:
        return None
    from scipy.special import stdtrit

    return float(stdtrit(len(values) - 1, 0.975)) * statistics.stdev(values) / math.sqrt(len(values))
