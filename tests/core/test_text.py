"""Names from files: shown and not obeyed, and no formulas of a spreadsheet."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from core.errors import InputError
from core.selection import Selection
from core.session.forget_lists import read_list_text, write_forget_list
from core.text import LONGEST_NAME, cell, from_cell, named, visible
from core.verify.shown import ShownTable, as_csv

HOSTILE = {
    "\x1b[2J": r"\x1b[2J", "\x1b]0;t\x07": r"\x1b]0;t\x07", "\x9b31m": r"\x9b31m", "a\r\nb": r"a\r\nb", "\t": r"\t",
    "\x7f": r"\x7f", "\u202egnp.exe": r"\u202egnp.exe", "a\u200bb": r"a\u200bb", "\ufeffa": r"\ufeffa",
    "\u2028": r"\u2028", "\u2066": r"\u2066", "\udc80": r"\udc80", "\U000e0041": r"\U000e0041", "\x00": r"\x00",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_steers_is_written_out(name):
    assert visible(name) == named(name) == HOSTILE[name]
    assert visible(name).isprintable()


@pytest.mark.parametrize("name", ["Bär", "犬", "🐕", "a b", "a\xa0b", "e\u0301", "−1 …", ""])
def test_what_is_drawn_stays(name):
    assert visible(name) == name


def test_lines_of_a_text_stay_where_they_are_its_own():
    assert visible("a\n\x1bb\r\n", lines=True) == "a\n\\x1bb\\r\n"


def test_a_name_too_long_to_be_one_is_cut():
    assert named("x" * LONGEST_NAME) == "x" * LONGEST_NAME
    assert named("x" * 10**7) == "x" * (LONGEST_NAME - 1) + "…"
    assert len(named("\x1b" * 10**7)) == LONGEST_NAME


FORMULAS = ["=1+1", "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-", "'=1", "''@x"]
NO_FORMULAS = ["-1", "+2.5", "-1e-3", "-1,204.5", "-3.2 %", "-0.4 ± 0.1", "-1.2 and -1.4", "a=b", "'quoted'", "", "'a"]


@pytest.mark.parametrize("text", FORMULAS + NO_FORMULAS)
def test_a_field_of_a_spreadsheet_is_text_and_is_read_back(text):
    written = cell(text)
    assert (written != text) == (text in FORMULAS)
    assert written[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n") or text in NO_FORMULAS
    assert from_cell(written) == text


def test_a_forget_list_holds_no_formula_and_gives_names_back_exactly(tmp_path):
    names = (*FORMULAS[:11], "plain")
    labels = np.arange(len(names))
    paths = [f"{name}/{number}.png" for number, name in enumerate(names)]
    selection = Selection.empty(labels, names).with_classes(range(len(names)))
    write_forget_list(tmp_path / "forget.csv", selection, paths)
    rows = list(csv.reader(io.StringIO(read_list_text(tmp_path / "forget.csv"), newline="")))[1:]
    assert [row[1:3] for row in rows] == [[cell(name), cell(path)] for name, path in zip(names, paths, strict=True)]
    assert not [field for row in rows for field in row if field[:1] in tuple("=+-@\t\r\n")]
    from core.session.forget_lists import _rows
    from core.session.naming import Names

    read = _rows(read_list_text(tmp_path / "forget.csv"), Names())
    assert [(row.class_name, row.path) for row in read] == list(zip(names, paths, strict=True))


def test_tables_hold_no_formula_and_numbers_stay_numbers():
    table = ShownTable("T", ["=a", "b"], [["=1+1", "−0.5"], ["@x", "−1,204"], ["c", "−0.4 ± 0.1"]])
    assert as_csv([table]) == "'=a,b\n'=1+1,-0.5\n'@x,-1204\nc,-0.4 ± 0.1\n"


def test_errors_are_one_line_whatever_they_name():
    assert InputError("There is no \x1b[2Ja\nb\u202e").text == r"There is no \x1b[2Ja b\u202e."
