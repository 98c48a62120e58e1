"""Tables as text: what page, command line and window show of reports, and the same as CSV, Markdown and LaTeX files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.files import write_atomic
from core.text import cell
from core.verify.numbers import DASH, MINUS, number, percent, whole_percent
from core.verify.table import COLUMNS, MODELS, gaps_shown, measure_rows, published_rows


@dataclass(frozen=True)
class ShownTable:
    """A table as text; the first cell of a row is its title. A row of one cell is a heading of those below it."""

    title: str
    header: list[str]
    rows: list[list[str]]
    note: str = ""
    explanations: Mapping[str, str] = field(default_factory=dict)  # by title of a row: its tool tip


def measures_block(report: Mapping[str, Any]) -> ShownTable:
    """Return the table of a run's report: a row a measure, a column a model, and, where it has a yardstick, the share
    of the gap closed.
    """  # noqa: D205
    gaps = gaps_shown(report)
    rows: list[list[str]] = []
    group = ""
    for row in (*measure_rows(report), *published_rows(report)):
        if row.group != group:
            group = row.group
            rows.append([group])
        closure = (row.standing or {}).get("closure")
        closed = [DASH if closure is None else f"{whole_percent(closure)} %"] if gaps else []
        rows.append([row.title, *(number(row.values[name], row.unit) for name in COLUMNS), *closed])
    return ShownTable(
        str((report.get("method_details") or {}).get("title") or "Measures"),
        ["Measure", *(MODELS[name] for name in COLUMNS), *(["Gap closed"] if gaps else [])], rows,
        str((report.get("verdict") or {}).get("sentence") or ""),
    )  # fmt: skip


ENSEMBLE_COLUMNS = {
    "unlearned": "Unlearned", "unlearned_half": "as many as in the floor", "floor": "Floor: retrained halves",
    "original": "Originals",
}  # fmt: skip
ENSEMBLE_SETS = {"forget_train": "Forget images", "retain_train": "Retain images", "unseen": "Unseen images"}


def ensembles_block(ensembles: Mapping[str, Mapping[str, Any]]) -> ShownTable:
    """Return a table of ensembles of runs beside one of retrained models: a row a set of images, values in nats.

    ensembles: what `session.ensembles.compare_ensembles` returns, by the name of what the runs have in common.
    """
    every = [of_set for found in ensembles.values() for of_set in found["sets"].values()]
    kept = [key for key in ENSEMBLE_COLUMNS if any(of_set[key] for of_set in every)]
    rows, notes = [], []
    for name, found in ensembles.items():
        what = "KLoM" if found["measure"] == "klom" else "distance of margins (not KLoM)"
        sizes = f"{found['unlearned_models']} unlearned and {found['retrained_models']} retrained models"
        notes += [f"{name}, {sizes}: {what}, nats.", found["note"]]
        for key, title in ENSEMBLE_SETS.items():
            of_set = found["sets"][key]
            values = [f"{of_set[kept_key]['mean']:.3f}" if of_set[kept_key] else DASH for kept_key in kept]
            rows.append([f"{name}: {title.lower()}" if len(ensembles) > 1 else title, *values])
    note = " ".join(dict.fromkeys(filter(None, notes)))
    return ShownTable("Ensembles", ["Mean over images", *(ENSEMBLE_COLUMNS[key] for key in kept)], rows, note)


def over_seeds(taken: Mapping[str, Any], unit: str) -> str:
    """Write a measure over seeds: both values of two (once where they are one), of more their mean ± half its interval.

    `taken`: what `comparison.mean_interval` returns. An interval of two values says next to nothing: t(1) is 12.7.
    """
    values = taken.get("values") or ()
    if len(values) == 2:
        return " and ".join(dict.fromkeys(number(value, unit) for value in values))
    if taken["low"] is None:
        return number(taken["mean"], unit)
    half = (taken["high"] - taken["low"]) / 2
    return f"{number(taken['mean'], unit)} ± {100 * half:.1f}" if unit == "percent" else (
        f"{number(taken['mean'], unit)} ± {number(half, 'number' if unit == 'count' else unit)}"
    )  # fmt: skip


def shares_over_seeds(taken: Mapping[str, Any]) -> str:
    """The same for a share, with its unit: "96.7 ± 1.2 %"."""
    return percent(taken["mean"]) if taken["low"] is None else f"{over_seeds(taken, 'percent')} %"


# -- as files ---------------------------------------------------------------------------------------------------------


def check_ending(path: Path) -> None:
    """Raise UsageError where a file's ending names no form of table."""
    if path.suffix.lower() not in FORMS:
        raise UsageError(f"{path.name} names no form of table", f"Let it end in {', '.join(FORMS)}")


def write_tables(path: Path, tables: Sequence[ShownTable]) -> None:
    """Write tables as a file's ending says. Raises UsageError for another ending."""
    check_ending(path)
    write_atomic(path, FORMS[path.suffix.lower()](tables).encode())


def as_csv(tables: Sequence[ShownTable]) -> str:
    """Return tables as CSV, a blank line between two; without headings, numbers as programs read them, no formulas."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    for place, table in enumerate(tables):
        if place:
            out.writerow([])
        out.writerow(map(cell, table.header))
        out.writerows([cell(_plain(text)) for text in row] for row in table.rows if len(row) > 1)
    return text.getvalue()


def as_markdown(tables: Sequence[ShownTable]) -> str:
    """Return tables as Markdown (pipes), each under its title; columns of numbers are flush right."""
    return "\n\n".join(_markdown(table) for table in tables) + "\n"


def as_latex(tables: Sequence[ShownTable]) -> str:
    r"""Return tables as LaTeX with the rules of booktabs (\usepackage{booktabs}), a `table` each, with its caption."""
    return "% needs \\usepackage{booktabs}\n" + "\n".join(_latex(table) for table in tables)


FORMS = {".csv": as_csv, ".md": as_markdown, ".tex": as_latex}
"""How a file's ending says that tables are written."""


def _markdown(table: ShownTable) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(re.sub(r"([|\\`*_<\[])", r"\\\1", cell) for cell in cells) + " |"

    def padded(row: list[str]) -> list[str]:
        return row + [""] * (len(table.header) - len(row))

    rule = "|" + "|".join(" --- " if left else " ---: " for left in _flush_left(table)) + "|"
    note = f"\n\n{table.note}" if table.note else ""
    lines = [f"### {table.title}", "", line(table.header), rule, *(line(padded(row)) for row in table.rows)]
    return "\n".join(lines) + note


def _latex(table: ShownTable) -> str:
    def line(cells: Sequence[str]) -> str:
        return "    " + " & ".join(map(escaped, cells)) + r" \\"

    lines = []
    for place, row in enumerate(table.rows):
        if len(row) == 1 < len(table.header):
            rule = ["    \\addlinespace"] if place else []
            lines += [*rule, f"    \\multicolumn{{{len(table.header)}}}{{l}}{{\\textit{{{escaped(row[0])}}}}} \\\\"]
        else:
            lines.append(line(row))
    columns = "".join("l" if left else "r" for left in _flush_left(table))
    note = f" {escaped(table.note)}" if table.note else ""
    return "\n".join([
        "\\begin{table}", "  \\centering", f"  \\caption{{{escaped(table.title)}.{note}}}",
        f"  \\begin{{tabular}}{{{columns}}}", "    \\toprule", line(table.header), "    \\midrule", *lines,
        "    \\bottomrule", "  \\end{tabular}", "\\end{table}", "",
    ])  # fmt: skip


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    MINUS: "$-$", DASH: "--", "±": r"$\pm$", "…": r"\dots{}", "·": r"$\cdot$", "→": r"$\rightarrow$", "≥": r"$\geq$",
}  # fmt: skip


def escaped(text: str) -> str:
    """Return a text as LaTeX writes it, whatever characters it holds."""
    return "".join(_LATEX.get(character, character) for character in text)


def _plain(text: str) -> str:
    """Return a cell without what only people read: "–" is an empty field, "−" a minus, "1,204" a number."""
    if text == DASH:
        return ""
    text = text.replace(MINUS, "-")
    return text.replace(",", "") if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", text) else text


def _flush_left(table: ShownTable) -> list[bool]:
    """Return for each column whether it holds words: its first, and those with a cell that begins with no number."""
    rows = [row for row in table.rows if len(row) > 1]
    number_like = re.compile(rf"(> )?[{MINUS}-]?\d|{DASH}$|$")
    return [
        place == 0 or any(not number_like.match(row[place]) for row in rows if place < len(row))
        for place in range(len(table.header))
    ]
