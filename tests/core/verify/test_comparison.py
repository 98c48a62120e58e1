"""Runs side by side: means over seeds, agreement of measures, and what makes runs not comparable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from core.verify.comparison import (
    Run,
    _interval,
    agreement_matrix,
    blocks,
    compare,
    job_differences,
    kendall_tau,
    mean_interval,
    render_comparison,
)
from tests.core.verify.sample_report import sample_report


def job(**changes: Any) -> dict[str, Any]:
    known = {
        "method": "muda", "seed": 7, "app_version": "1", "threads": 1, "parameters": {"lr": 0.05, "rounds": 3},
        "data": {"fingerprint": "f1"}, "forget": {"sha256": "s1", "class_names": ["sandal"], "count": 500},
        "model": {"sha256": "m1"},
    }  # fmt: skip
    return {**known, **changes}


def run(name: str, accuracy: float = 0.92, closure: dict | None = None, **changes: Any) -> Run:
    report = sample_report()
    report["models"]["unlearned"]["retain_test_accuracy"] = accuracy
    report |= {"run": name, "seed": changes.get("seed", 7), "closure": closure or report["closure"]}
    return Run(name, report, job(**changes))


def test_an_interval_is_that_of_students_t():
    values = [0.90, 0.93, 0.95, 0.91]
    found = mean_interval([*values, None])
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (found["n"], found["low"], found["high"]) == (4, pytest.approx(low), pytest.approx(high))
    assert mean_interval([0.9]) == {"n": 1, "mean": 0.9, "low": None, "high": None, "values": [0.9]}
    assert mean_interval([None])["mean"] is None


def test_runs_that_differ_in_their_seed_alone_are_one_group():
    runs = [run("a", 0.90, seed=1), run("b", 0.94, seed=2, threads=4), run("c", seed=1, parameters={"lr": 0.1})]
    found = compare(runs)
    assert [group["runs"] for group in found["groups"]] == [["a", "b"], ["c"]]
    taken = found["groups"][0]["measures"]["retain_test_accuracy"]
    assert taken["n"] == 2 and taken["mean"] == pytest.approx(0.92)
    assert found["groups"][0]["seeds"] == [1, 2]


def test_how_an_original_was_proven_is_no_difference_between_runs():
    accepted, expected = ({"sha256": "m1", "proof": {name: True, "test": 0.5}} for name in ("accepted", "expected"))
    found = compare([run("a", seed=1, model=accepted), run("b", seed=2, model=expected)])
    assert [group["runs"] for group in found["groups"]] == [["a", "b"]] and list(found["job_differences"]) == ["seed"]


def test_runs_whose_original_was_in_doubt_are_named():
    certain, doubtful = run("a"), run("b", seed=2)
    doubtful.report["proof"] = {"doubts": ["It is poor."], "accepted": True}
    (said,) = compare([certain, doubtful])["differences"]
    assert said == "Nothing proved that the originals of b are used as they were trained."


def test_a_later_request_has_the_original_of_the_first():
    later = {"model": {"sha256": "m2"}, "origin": {"sha256": "m1", "path": "/a/m.pt"}}
    assert compare([run("a"), run("b", **later)])["differences"] == []
    elsewhere = {**later, "origin": {"sha256": "m3", "path": "/a/m.pt"}}
    assert "different originals" in compare([run("a"), run("b", **elsewhere)])["differences"][0]


def test_models_and_data_that_were_moved_are_the_same_by_their_hash():
    here = {"model": {"sha256": "m1", "path": "/a/m.pt"}, "data": {"fingerprint": "f1", "spec": "/a/images"}}
    there = {"model": {"sha256": "m1", "path": "/b/m.pt"}, "data": {"fingerprint": "f1", "spec": "/b/images"}}
    other = {"model": {"sha256": "m2", "path": "/a/m.pt"}}
    unknown = {"model": {"sha256": "", "path": "/a/m.pt"}}, {"model": {"sha256": "", "path": "/b/m.pt"}}
    found = compare([run("a", seed=1, **here), run("b", seed=2, **there), run("c", seed=3, **other)])
    assert [group["runs"] for group in found["groups"]] == [["a", "b"], ["c"]]
    assert found["job_differences"]["model.path"] == {"a": "/a/m.pt", "b": "/b/m.pt", "c": "/a/m.pt"}  # still told
    nothing_known = compare([run("a", seed=1, **unknown[0]), run("b", seed=2, **unknown[1])])
    assert len(nothing_known["groups"]) == 2


def test_jobs_differ_in_what_was_asked_and_not_in_where_it_ran():
    runs = [run("a"), run("b", parameters={"lr": 0.1}, threads=8, app_version="2")]
    assert job_differences(runs) == {
        "parameters.lr": {"a": 0.05, "b": 0.1}, "parameters.rounds": {"a": 3, "b": None},
    }  # fmt: skip


def test_lists_of_a_job_are_told_in_words():
    of = {"sha256": "s1", "count": 500}
    runs = [run("a", forget={**of, "class_names": ["car", "boat"]}), run("b", forget={**of, "class_names": []})]
    assert job_differences(runs) == {"forget.class_names": {"a": "car, boat", "b": "none"}}


def test_agreement_of_measures_is_told_over_the_runs():
    closures = [{"probe": 0.1, "nmi": 0.9, "x": None}, {"probe": 0.2, "nmi": 0.8}, {"probe": 0.3, "nmi": 0.7}]
    found = compare([run(f"r{i}", closure=closure, seed=i) for i, closure in enumerate(closures)])
    assert found["agreement"] == {"probe": {"nmi": -1.0}, "nmi": {"probe": -1.0}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"fingerprint": "f2"}}, "The runs are on different data"),
        ({"forget": {"sha256": "s2", "class_names": [], "count": 3}}, "b: single images, 3 images"),
    ],
)
def test_other_data_or_another_forget_set_is_said_and_nothing_is_averaged(changes, words):
    found = compare([run("a"), run("b", **changes)])
    assert not found["comparable"] and words in found["differences"][0]
    assert found["groups"] == [] and found["agreement"] == {} and found["anchors"] == {}


def test_weaker_differences_are_said_and_runs_stay_comparable():
    other = run("b", model={"sha256": "m2"})
    other.report.update(suite="full", suite_version=99, retrained={})
    found = compare([run("a"), other])
    assert found["comparable"] and len(found["differences"]) == 4


def test_tables_and_page_hold_the_reports_numbers():
    found = compare([run("a", 0.9012, seed=1), run("b", 0.9456, seed=2)])
    measures = next(block for block in blocks(found) if block.title == "Measures")
    assert measures.header == ["", "Original", "Head-only edit", "Retrained", "a", "b"]
    row = next(cells for cells in measures.rows if cells[0] == "Retain accuracy, unseen, %")
    assert row == ["Retain accuracy, unseen, %", "93.0", "93.0", "93.0", "90.1", "94.6"]
    group = next(block for block in blocks(found) if "seeds 1, 2" in block.title)
    interval = next(cells for cells in group.rows if cells[0] == "Retain accuracy, unseen, %")
    assert interval[1:4] == ["2", "92.3", "90.1 and 94.6"]
    three = compare([run("a", 0.9012, seed=1), run("b", 0.9456, seed=2), run("c", 0.999, seed=3)])
    of_three = next(block for block in blocks(three) if "seeds 1, 2, 3" in block.title)
    interval = next(cells for cells in of_three.rows if cells[0] == "Retain accuracy, unseen, %")
    assert interval[1:4] == ["3", "94.9", "82.7 … 100.0"]  # a share is never above 1
    closed = {cells[0]: cells[4] for cells in group.rows}
    assert closed["Forget accuracy, unseen, %"] == "100 %"
    assert closed["Forget accuracy, training, %"] == "–"  # the verdict's measure is that of unseen images
    hostile = run("<script>alert(1)</script>")
    html = render_comparison(compare([run("a"), hostile]), "<b>title</b>")
    assert "<script>" not in html and "&lt;b&gt;title&lt;/b&gt;" in html and "94.6" not in html


def test_published_measures_stand_in_a_table_of_their_own():
    runs = [run("a", seed=1), run("b", seed=2)]
    for number, one in enumerate(runs):
        one.report["published"] = {
            "original": {"ua": 0.02, "average_gap": 0.4}, "unlearned": {"ua": 0.9 + number / 10, "average_gap": None},
            "retrained": {"ua": 0.95},
        }  # fmt: skip
    found = compare(runs)
    assert [m["key"] for m in found["measures"] if m["group"] == "As published"] == ["published_ua"]
    assert found["runs"][1]["measures"]["published_ua"] == 1.0 and found["anchors"]["original"]["published_ua"] == 0.02
    assert found["groups"][0]["measures"]["published_ua"]["mean"] == pytest.approx(0.95)
    by_title = {block.title: block for block in blocks(found)}
    assert by_title["As published"].rows == [["UA, %", "2.0", "–", "95.0", "90.0", "100.0"]]
    assert all(row[0] != "UA, %" for row in by_title["Measures"].rows)
    assert "ToW" not in render_comparison(found, "runs") and "UA, %" in render_comparison(found, "runs")


def test_kendall_by_hand_with_ties():
    """Of six pairs four agree, one is tied in the first list and another in the second: 4 / √(5 · 5)."""
    assert kendall_tau([1, 1, 2, 3], [1, 2, 2, 3]) == pytest.approx(0.8)
    assert kendall_tau([1, 2, 3, 4], [4, 3, 1, 2]) == pytest.approx(-4 / 6)
    assert kendall_tau([1, 1, 1], [1, 2, 3]) is None


def test_kendall_leaves_out_what_is_missing_and_needs_three():
    assert kendall_tau([1, 2, None, 3], [3, 2, 9, 1]) == -1
    assert kendall_tau([1, 2], [1, 2]) is None
    assert agreement_matrix({"a": [1, 2, 3], "b": [1, 2, 3]}) == {"a": {"b": 1.0}, "b": {"a": 1.0}}


def test_an_interval_goes_below_zero_only_where_a_measure_does():
    seeds = {"n": 3, "mean": 0.5, "low": -1.25, "high": 2.25, "values": [0.0, 0.5, 1.0]}
    assert _interval(seeds, "number") == "0.0 … 2.2"
    assert _interval({**seeds, "values": [-0.5, 0.5, 1.5]}, "number") == "−1.2 … 2.2"  # one of a package
