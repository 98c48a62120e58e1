"""A report's table as rows for a view: groups of measures, a column a model, and how far each gap is closed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt

from app.models.tables import ALIGN, COLOUR, FONT, SAID, TEXT, TIP, Cell, Line
from app.services import format as fmt
from app.services.tokens import MODELS
from app.services.translation import mark, tr
from app.widgets.table import GAP_ROLE, NUMBER, Gap
from core.verify.table import COLUMNS, TRAINED_ON, TableRow

GAP_COLUMN = len(COLUMNS) + 1
GLYPHS = {"original": "□", "between": "◐", "retrained": "◆", "unknown": "○"}  # lamps of a verdict, as its words
_MODEL_TIPS = {
    "head_only": mark(
        "Head-only edit (control): the original with only its classifier head edited. Outputs forget, features do not."
    ),
    "original": mark("The model that was opened."),
    "unlearned": mark("The result of this run."),
    "retrained": mark("Trained from scratch without the forget images. Its value is the goal."),
}
_GAP_TIP = mark(
    "Left mark: the original's value. Right mark: the retrained value. The bar ends at the unlearned model; the "
    "whisker is its 95 % interval."
)


def measure_header() -> list[Cell]:
    """Return the titles of the columns."""
    models: list[Cell] = [
        {TEXT: MODELS[model].short, TIP: tr(_MODEL_TIPS[model]), ALIGN: NUMBER}
        for model in COLUMNS
    ]
    gap: Cell = {TEXT: tr("Gap closed", "title of a narrow column"), TIP: tr(_GAP_TIP)}
    return [{TEXT: tr("Measure")}, *models, gap]


def measure_lines(rows: Sequence[TableRow], gaps: bool) -> list[Line]:
    """Return groups that hold their measures; what must be said beside a measure is a line of one cell below it.

    gaps: whether it is shown how far each gap is closed, as `core.verify.table.gaps_shown` says.
    """
    lines: list[Line] = []
    for row in rows:
        if not lines or lines[-1].key != row.group:
            lines.append(Line(row.group, [{TEXT: row.group, FONT: ("body", True)}]))
        tip = "\n".join(part for part in (row.explanation, row.note) if part)
        cells: list[Cell] = [{TEXT: row.title, TIP: tip}]
        cells += [_value(row, model) for model in COLUMNS]
        lines[-1].below.append(Line(row.key, [*cells, _gap(row) if row.standing and gaps else {}]))
        if row.note:
            lines[-1].below.append(Line((row.key, "note"), [{
                TEXT: row.note, TIP: row.note, FONT: ("caption", False),
                COLOUR: "text_2",
            }]))  # fmt: skip
    return lines


def _value(row: TableRow, model: str) -> Cell:
    value, text = row.values[model], written(row.values[model], row.unit)
    tip = (row.missing if value is None else row.details).get(model)
    if model == "retrained" and len(row.retrained) > 1:
        each = ", ".join(written(one, row.unit) for one in row.retrained)
        tip = tr("Mean of %n retrained models: {values}", n=len(row.retrained), values=each)
    return {
        TEXT: text, ALIGN: NUMBER, TIP: tip,
        Qt.ItemDataRole.AccessibleDescriptionRole: tip, COLOUR: "text_3" if value is None else None,
        SAID: f"{MODELS[model].short}: {text if value is not None else tip or ''}",
    }  # fmt: skip


def _gap(row: TableRow) -> Cell:
    """Return the bar of a measure the verdict knows, or of an attack that it does not rest on."""
    found = row.standing or {}
    # A measure the method was trained on is informative about the method, not for the verdict: its bar is drawn.
    informative = bool(found.get("informative"))
    low, high = row.whisker or (None, None)
    gap = Gap(found.get("position") if informative else None, low, high, informative)
    reason = tr("the rest lies within chance") if row.within_chance else "" if informative else found.get("note")
    words = f"{gap.text}: {reason}" if reason else gap.text
    words = words[:1].upper() + words[1:]
    if row.trained_on:
        words += f"\n{TRAINED_ON[:1].upper()}{TRAINED_ON[1:]}."
    return {GAP_ROLE: gap, TIP: words, SAID: words}


def written(value: float | None, unit: str) -> str:
    """Write a number of the table; its unit stands in the row's title."""
    if value is None:
        return fmt.DASH
    if unit == "percent":
        return fmt.percent(value, unit=False) if value <= 1 else fmt.decimal(100 * value, 1)  # a cost may be above
    if unit == "count":
        return fmt.count(round(value))
    return fmt.decimal(value, {"ratio": 3, "number": 2, "seconds": 1}[unit])
