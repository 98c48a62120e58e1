"""The table of the quality benchmark is read back as it was written, and takes new rows of single methods."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.quality import DOCS, SECTIONS
from benchmarks.quality_table import HEAD, closure_plot, markdown, merged, parse


def row(title: str, closure: str = "0.50 ± 0.10") -> list[str]:
    first = HEAD.index("closure JS")
    cells = [title, *["1.0"] * (len(HEAD) - 1)]
    cells[first : first + 4] = [closure] * 4
    return cells


@pytest.fixture
def table() -> list[list[str]]:
    models = [[title, *[""] * (len(HEAD) - 1)] for title in ("Original", "Retrained")]
    return [list(HEAD), *models, row("muda"), row("scrub")]


def test_a_table_is_read_back_as_it_was_written(table):
    assert parse(markdown(table)) == table


def test_rows_of_a_method_take_the_place_of_theirs_and_leave_the_others(table):
    news = [*table[:1], ["Original", *["9"] * 16], ["Retrained", *["9"] * 16], row("scrub", "0.90"), row("new", "0.70")]
    assert merged(table, news) == [*table[:4], row("scrub", "0.90"), row("new", "0.70")]
    assert merged(table, []) == table


def test_the_plot_has_a_mark_for_each_closure_that_is_known(table):
    svg = ElementTree.fromstring(closure_plot([*table, row("esc", "–")]))
    titles = [title.text for title in svg.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == 2 * 4 and "scrub, linear probe: 0.50" in titles


def test_the_plot_of_the_documents_is_that_of_their_table():
    text = (DOCS / "methods.md").read_text(encoding="utf-8")
    table = parse(text.split(f"### {SECTIONS[0][0]}\n\n")[1].split("\n\n")[0])
    assert closure_plot(table) == (DOCS / "images" / "closure.svg").read_text(encoding="utf-8")
