"""Pages: the templates that render them, and the tables on them, which the command line and the window show too."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from core.verify import numbers

TEMPLATES = Path(__file__).resolve().parents[2] / "resources" / "report"


@dataclass(frozen=True)
class Column:
    """The head of a column: a name, the model whose marker stands before it, and what stands in small print below."""

    title: str
    more: str = ""
    model: str = ""
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
    """A table in groups of rows with a title each (empty: without a line of its own)."""

    columns: list[Column]
    groups: Sequence[tuple[str, Sequence[Line]]]
    title: str = ""
    note: str = ""
    kind: str = ""

    @property
    def header(self) -> list[str]:
        """Titles of the columns."""
        return [column.title for column in self.columns]

    @property
    def rows(self) -> list[list[str]]:
        """Each row's title and cells as text."""
        return [[line.title, *(cell.text for cell in line.cells)] for _, lines in self.groups for line in lines]


def template(name: str) -> jinja2.Template:
    """Return a template by its file's name: everything is escaped, and a name that is missing is an error."""
    return _environment().get_template(name)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters |= {
        "fixed": "{:.1f}".format, "elided": elided, "plain": plain, "moment": moment, "percent": numbers.percent,
        "count": numbers.count, "duration": numbers.duration,
    }  # fmt: skip
    return environment


def elided(name: str, limit: int = 20) -> str:
    """Return a name, a long one with its middle left out."""
    half = (limit - 1) // 2
    return name if len(name) <= limit else f"{name[:half]}…{name[-half:]}"


def plain(value: Any) -> str:
    """Return a value of a report as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain, value)) or numbers.DASH
    return str(value)


def moment(written: str) -> str:
    """Return an ISO moment as "24 November 2026, 17:14 UTC"; as it is where it is none."""
    try:
        utc = datetime.datetime.fromisoformat(written).astimezone(datetime.UTC)
    except ValueError:
        return written
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"
