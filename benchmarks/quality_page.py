"""The page of the quality benchmark: a table, plots and rank agreement for each network and task, from rows alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.quality_table import (
    CLOSURES,
    OF_MODELS,
    Row,
    agreement,
    costs,
    frontier,
    groups,
    mean_text,
    table,
)

HERE = Path(__file__).resolve().parent
INKS = {"JS": "#4B4FC4", "probe": "#B4531A", "NMI": "#1F6F8B", "DA": "#6B6F76"}
MARKS = {
    "JS": "M-4,-4h8v8h-8z", "probe": "M0,-5L5,4H-5z", "NMI": "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0",
    "DA": "M0,-5L5,0L0,5L-5,0z",
}  # fmt: skip
TITLES = {"JS": "outputs (JS)", "probe": "linear probe", "NMI": "clustering (NMI)", "DA": "alignment (DA)"}


@dataclass(frozen=True)
class Section:
    """Which rows stand together under a title."""

    title: str
    rows: Sequence[Row]


def sections(rows: Sequence[Row]) -> list[Section]:
    """Return rows by network, data and task, so that all methods of a section have the same tasks.

    Classes that are forgotten one at a time stand together, of the methods that have them all; and each by itself where
    another method has it.
    """
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((f"{row['network']}, {row['data']}", kind_of(row["task"])), []).append(row)
    made = []
    for (where, kind), members in found.items():
        tasks = list(dict.fromkeys(row["task"] for row in members))
        if len(tasks) == 1:
            made.append(Section(f"{where}: {tasks[0]}", members))
            continue
        have_all = [same for same in groups(members).values() if {row["task"] for row in same} == set(tasks)]
        together = [row for same in have_all for row in same]
        if any(row["method"] not in OF_MODELS for row in together):
            made.append(Section(f"{where}: {kind}, {len(tasks)} classes", together))
        for task in tasks:
            of_task = [row for row in members if row["task"] == task]
            if any(row not in together for row in of_task):
                made.append(Section(f"{where}: {task}", of_task))
    return made


def kind_of(task: str) -> str:
    """Return under what a task stands: single classes together, any other by itself."""
    return "one class at a time" if task.startswith("class ") else task


def page(rows: Sequence[Row], machines: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page. machines: by network, data and task, what rows were made on and the hashes they rest on."""
    import jinja2
    from markupsafe import Markup

    from core.verify.pages import TEMPLATES

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([HERE, TEMPLATES]), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    shown = []
    for section in sections(rows):
        plots = [
            {"title": "Closures", "svg": Markup(closure_plot(section.rows)), "caption": "Mean of each measure, with "
             "its 95 % interval from three results on; cut off at −0.5 and 1.25."},
            {"title": "What it costs", "svg": Markup(cost_plot(section.rows)), "caption": "Mean of the "
             "closures that results are judged by, against operations. Nothing cheaper closes "
             "more than what is named on the line (Pareto)."},
        ]  # fmt: skip
        shown.append({
            "title": section.title, "table": with_costs(table(section.rows), section.rows),
            "agreement": agreement(section.rows), "plots": [plot for plot in plots if plot["svg"]],
        })  # fmt: skip
    made: dict[tuple[str, str, str], list[str]] = {}
    for what, entry in machines.items():
        where, _, task = what.partition(": ")
        made.setdefault((where, entry["machine"], entry["hashes"]), []).append(task)
    cells = sum(row["method"] not in OF_MODELS for row in rows)
    retrained = Counter((row["network"], row["data"], row["task"]) for row in rows if row["method"] == "retrained")
    text = environment.get_template("quality.html.j2").render(
        sections=shown, machines=made, cells=cells, references=min(retrained.values(), default=0)
    )
    return text + "\n"


def with_costs(lines: list[list[str]], rows: Sequence[Row]) -> list[list[str]]:
    """Return a table with a column more: operations for each unit of closure, where a method closes anything."""
    price = {title: operations / closed for title, operations, closed in costs(rows) if closed > 0.05}
    return [
        [*line, "operations / closure" if number == 0 else f"{price[line[0]]:.1%}" if line[0] in price else ""]
        for number, line in enumerate(lines)
    ]


def closure_plot(rows: Sequence[Row]) -> str:
    """Return an SVG of closures: one line a method, a mark for each measure's mean, whiskers its interval; "" for none.

    The retrained models stand first: each against the others.
    """
    by_title = {t: members for t, members in groups(rows).items() if any(row["closure JS"] for row in members)}
    if not by_title:
        return ""
    left, width, top, step = 210, 440, 44, 26
    height = top + step * len(by_title) + 34

    def x(value: float) -> float:
        return round(left + width * (min(max(value, -0.5), 1.25) + 0.5) / 1.75, 2)

    parts: list[str] = []
    for number, name in enumerate(CLOSURES):
        place = left - 60 + number * 128
        parts.append(f'<path d="{MARKS[name]}" fill="{INKS[name]}" transform="translate({place},16)"/>')
        parts.append(f'<text x="{place + 10}" y="20">{TITLES[name]}</text>')
    for value, text in ((-0.5, ""), (0.0, "0: original"), (0.5, "0.5"), (1.0, "1: retrained")):
        parts.append(f'<path d="M{x(value)},{top - 12}V{height - 26}" stroke="#D5D9DF"/>')
        parts.append(f'<text x="{x(value)}" y="{height - 10}" text-anchor="middle">{text}</text>')
    for line, (title, members) in enumerate(by_title.items()):
        y = top + step * line + 8
        parts.append(f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{escape(title)}</text>')
        for number, name in enumerate(CLOSURES):
            text = mean_text([row[f"closure {name}"] for row in members], f"closure {name}")
            value, _, interval = text.partition(" ± ")
            try:
                mean = float(value)
            except ValueError:
                continue
            half, shift = float(interval or 0), 3 * (number - 1.5)
            parts.append(f'<path d="M{x(mean - half)},{y + shift}H{x(mean + half)}" stroke="{INKS[name]}"/>')
            parts.append(
                f'<path d="{MARKS[name]}" fill="{INKS[name]}" transform="translate({x(mean)},{y + shift})">'
                f"<title>{escape(title)}, {TITLES[name]}: {text}</title></path>"
            )
    return _svg(left + width + 24, height, parts)


def cost_plot(rows: Sequence[Row]) -> str:
    """Return an SVG of mean closure against operations (logarithmic), with the frontier named; "" for no points."""
    points = costs(rows)
    if not points:
        return ""
    left, width, top, height = 60, 560, 16, 300
    least, most = 1e-3, 2.0

    def x(share: float) -> float:
        place = math.log(min(max(share, least), most) / least) / math.log(most / least)
        return round(left + width * place, 2)

    def y(closed: float) -> float:
        return round(top + height * (1 - (min(max(closed, -0.5), 1.1) + 0.5) / 1.6), 2)

    parts: list[str] = []
    for share, text in ((1e-3, "0.1 %"), (1e-2, "1 %"), (0.1, "10 %"), (1.0, "100 %")):
        parts.append(f'<path d="M{x(share)},{top}V{top + height}" stroke="#E4E7EB"/>')
        parts.append(f'<text x="{x(share)}" y="{top + height + 18}" text-anchor="middle">{text}</text>')
    for closed in (-0.5, 0.0, 0.5, 1.0):
        parts.append(f'<path d="M{left},{y(closed)}H{left + width}" stroke="#E4E7EB"/>')
        parts.append(f'<text x="{left - 8}" y="{y(closed) + 4}" text-anchor="end">{closed:g}</text>')
    middle = left + width / 2
    parts.append(f'<text x="{middle}" y="{top + height + 38}" text-anchor="middle">operations, of retraining</text>')
    best = frontier(points)
    line = [point for point in points if point[0] in best]
    corners = " ".join(f"{x(share)},{y(closed)}" for _, share, closed in line)
    parts.append(f'<polyline points="{corners}" fill="none" stroke="#4B4FC4"/>')
    for title, share, closed in points:
        named, place = title in best, f'cx="{x(share)}" cy="{y(closed)}"'
        parts.append(
            f'<circle {place} r="4" fill="{"#4B4FC4" if named else "#A9AFB8"}"><title>{escape(title)}: '
            f"{closed:.2f} at {share:.1%}</title></circle>"
        )
        if named:
            parts.append(f'<text x="{x(share) + 7}" y="{y(closed) - 7}">{escape(title)}</text>')
    return _svg(left + width + 40, top + height + 48, parts)


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    """Return a drawing on white ground, so that its inks are read in a dark page too."""
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    ground = f'<rect width="{width}" height="{height}" fill="#FFFFFF"/>'
    text = 'font-family="sans-serif" font-size="12" fill="#1B1F24"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" class="drawn" {size} {text}>{ground}{"".join(parts)}</svg>\n'
