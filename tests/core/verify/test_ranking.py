"""Runs in one ranked table, and tables as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from core.errors import UsageError
from core.verify.comparison import Run, by_forget_set, compare, mean_interval
from core.verify.ranking import ranking_block
from core.verify.shown import (
    ShownTable,
    as_csv,
    as_latex,
    as_markdown,
    measures_block,
    over_seeds,
    shares_over_seeds,
    write_tables,
)
from tests.core.verify.sample_report import sample_report
from tests.core.verify.test_comparison import job
from tests.core.verify.test_verdict import FURTHER, HALFWAY, HEAD_ONLY, ORIGINAL, judge


def run(name: str, model: dict, method: str, seed: int = 1, damaged: bool = False) -> Run:
    report = sample_report(
        run=name, seed=seed, method=method, verdict={**judge(model).as_dict(), "damaged": damaged},
        method_details={"title": method.title(), "preset": "default"},
    )  # fmt: skip
    return Run(name, report, job(method=method, seed=seed))


def test_runs_are_ranked_by_verdict_then_damage_then_how_far_they_are():
    runs = [
        run("o", ORIGINAL, "nothing"), run("h", HEAD_ONLY, "head-only"), run("d", FURTHER, "broken", damaged=True),
        run("p", HALFWAY, "half"), run("c1", FURTHER, "good"), run("c2", FURTHER, "good", seed=2),
    ]  # fmt: skip
    found = compare(runs)["ranking"]
    assert [(row["rank"], row["method"]) for row in found] == [
        (1, "good"), (2, "broken"), (3, "half"), (4, "head-only"), (5, "nothing"),
    ]  # fmt: skip
    table = ranking_block(found)
    assert table.rows[0] == [
        "1", "Good", "1, 2", "close", "like retrained", "like retrained", "like retrained", "14 of 14", "92.0"
    ]  # fmt: skip
    assert table.rows[3][3:7] == ["hidden", "between", "like the original", "like retrained"]
    assert "no single score" in table.note


def test_what_ranks_alike_has_one_rank_and_what_was_not_compared_none():
    same = compare([run("a", FURTHER, "one"), run("b", FURTHER, "other"), run("c", ORIGINAL, "last")])["ranking"]
    assert [row["rank"] for row in same] == [1, 1, 3]
    bare = [run("a", FURTHER, "one"), run("b", FURTHER, "other")]
    for one in bare:
        one.report["verdict"] = judge(FURTHER, []).as_dict()
    assert ranking_block(compare(bare)["ranking"]).rows == []
    assert [row["rank"] for row in compare([*bare, run("c", ORIGINAL, "last")])["ranking"]] == [1, None, None]


def test_seeds_with_different_verdicts_are_counted():
    (row,) = compare([run("a", FURTHER, "one"), run("b", HEAD_ONLY, "one", seed=2)])["ranking"]
    cells = ranking_block([row]).rows[0]
    assert cells[3] == "1 close, 1 hidden" and cells[5] == "1 like retrained, 1 like the original"


def test_runs_of_other_forget_sets_are_compared_apart():
    other = Run("b", sample_report(), job(forget={"sha256": "s2"}))
    groups = by_forget_set([run("a", FURTHER, "one"), other, run("c", FURTHER, "two")])
    assert [[one.name for one in group] for group in groups] == [["a", "c"], ["b"]]


def test_two_values_are_both_said_and_of_more_the_mean():
    """92.2 ± 28.6 % from two seeds says that nothing is known, where both are."""
    assert over_seeds(mean_interval([0.9, 0.944]), "percent") == "90.0 and 94.4"
    assert shares_over_seeds(mean_interval([0.9, 0.944])) == "90.0 and 94.4 %"
    assert shares_over_seeds(mean_interval([0.90, 0.92, 0.94])) == "92.0 ± 5.0 %"
    assert shares_over_seeds(mean_interval([0.9])) == "90.0 %" and shares_over_seeds(mean_interval([])) == "–"
    assert over_seeds(mean_interval([100, 101, 102]), "count") == "101 ± 2.5"


HOSTILE = ShownTable(
    "A & B_1 {50 %}", ["", "x|y", "JS, ~"], [["Outputs"], ["a_b & c", "−0.5", "–"], ["#1 \\ ^", "1,204", "> 99.9"]],
    "100 % of $5",
)  # fmt: skip


def test_latex_has_the_rules_of_booktabs_and_nothing_that_breaks_it():
    text = as_latex([HOSTILE])
    assert text.splitlines() == [
        "% needs \\usepackage{booktabs}", "\\begin{table}", "  \\centering",
        r"  \caption{A \& B\_1 \{50 \%\}. 100 \% of \$5}", "  \\begin{tabular}{lrr}", "    \\toprule",
        r"     & x|y & JS, \textasciitilde{} \\", "    \\midrule", r"    \multicolumn{3}{l}{\textit{Outputs}} \\",
        r"    a\_b \& c & $-$0.5 & -- \\",
        r"    \#1 \textbackslash{} \textasciicircum{} & 1,204 & \textgreater{} 99.9 \\",
        "    \\bottomrule", "  \\end{tabular}", "\\end{table}",
    ]  # fmt: skip


def test_markdown_and_csv_of_the_same():
    lines = as_markdown([HOSTILE]).splitlines()
    assert [lines[0], *lines[2:4]] == ["### A & B_1 {50 %}", r"|  | x\|y | JS, ~ |", "| --- | ---: | ---: |"]
    assert lines[4] == "| Outputs |  |  |" and lines[5] == r"| a\_b & c | −0.5 | – |"
    assert list(csv.reader(as_csv([HOSTILE, HOSTILE]).splitlines())) == [
        ["", "x|y", "JS, ~"], ["a_b & c", "-0.5", ""], ["#1 \\ ^", "1204", "> 99.9"], [],
        ["", "x|y", "JS, ~"], ["a_b & c", "-0.5", ""], ["#1 \\ ^", "1204", "> 99.9"],
    ]  # fmt: skip


def test_the_table_of_a_report_is_written_as_its_ending_says(tmp_path: Path):
    table = measures_block(sample_report())
    assert table.rows[0] == ["Outputs"]
    assert table.rows[1] == ["Forget accuracy, unseen, %", "98.0", "0.0", "0.0", "0.0", "100 %"]
    for without in ({"retrained": {}, "models": {}}, {"verdict": {"code": "corrected", "purpose": "corrective"}}):
        shown = measures_block(sample_report(**without))  # a correction is held against no retrained model
        assert shown.header == table.header[:-1] and all(len(row) in (1, 5) for row in shown.rows)
    for ending, start in ((".csv", "Measure,Original"), (".md", "### MUDA"), (".tex", "% needs")):
        write_tables(tmp_path / f"table{ending}", [table])
        assert (tmp_path / f"table{ending}").read_text().startswith(start)
    with pytest.raises(UsageError, match=r"table\.xls names no form of table"):
        write_tables(tmp_path / "table.xls", [table])
