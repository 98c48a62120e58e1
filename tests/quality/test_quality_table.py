"""The rows of the quality benchmark: what they say of a report, how they replace each other, what is made of them."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
import torch
from safetensors.torch import save_file

from benchmarks.quality import DOCS, NETWORKS, cells_of, write
from benchmarks.quality_cells import Cell, Made, Network, Place, Task, single_tasks, weights_hash
from benchmarks.quality_check import differences_of
from benchmarks.quality_page import closure_plot, cost_plot, page, sections
from benchmarks.quality_table import (
    COLUMNS,
    agreement,
    as_csv,
    closures,
    costs,
    figures,
    frontier,
    groups,
    merged,
    read_rows,
    rows_of,
    table,
)

PLACE = Place(Network("small-cnn", "small-cnn", 0, {}), "digits")
SVG = "{http://www.w3.org/2000/svg}"


def measured(retain: float, forget: float, js: float, probe: float) -> dict:
    return {
        "retain_test_accuracy": retain, "forget_test_accuracy": forget, "probe": {"forget": probe, "f1": probe},
        "distances": {"forget_test": {"js_to_retrained": js}}, "membership": {"population": {"auc": 0.5}},
    }  # fmt: skip


def cell_of(method: str = "scrub", seed: int = 0, probe: float = 0.9, task: str = "class 3") -> Made:
    """A result whose probe is at `probe`, between the original's 1.0 and the retrained models' 0.8."""
    report = {
        "models": {"original": measured(0.95, 0.9, 0.6, 1.0), "unlearned": measured(0.94, 0.0, 0.15, probe)},
        "retrained": {f"seed {n}": measured(0.96, 0.0, 0.06, 0.8) for n in (1, 2, 3)},
        "verdict": {"code": "partly", "measures": [
            {"key": "output_distance", "decides": True, "closed": True}, {"key": "probe", "decides": True},
            {"key": "dimensional_alignment", "decides": False},
        ]},
        "cost": {"share_of_retraining": 0.25, "operations_share": 0.2},
    }
    return Made(Cell("A", method, "", Task(task, (3,)), seed), report, {}, "ab" * 32)


def test_rows_hold_what_a_report_says_and_how_much_of_each_gap_is_closed():
    rows = {row["method"]: row for row in rows_of([cell_of()], PLACE)}
    row = rows["scrub"]
    assert (row["retain"], row["forget"], row["JS"], row["operations"]) == ("0.94", "0", "0.15", "0.2")
    assert float(row["closure probe"]) == pytest.approx(0.5) and float(row["closure JS"]) == pytest.approx(0.75)
    assert (row["matching"], row["usable"], row["weights"]) == ("1", "2", "ab" * 32)
    assert row["NMI"] == row["closure NMI"] == ""  # not measured
    assert rows["original"]["closure JS"] == "" and float(rows["retrained"]["closure JS"]) == pytest.approx(0.9)


def test_a_retrained_model_is_held_against_the_others_alone():
    values = [{"JS": None, "probe": probe, "NMI": None, "DA": None} for probe in (0.8, 0.6, 0.7)]
    original = {"JS": None, "probe": 0.9, "NMI": None, "DA": None}
    assert closures(original, values[0], values[1:])["probe"] == pytest.approx(1 - 0.15 / 0.25)
    assert closures(original, original, values)["probe"] == 0


def test_rows_are_read_back_as_they_were_written_and_take_the_place_of_those_of_the_same(tmp_path):
    rows = rows_of([cell_of(), cell_of("muda")], PLACE)
    file = tmp_path / "quality.csv"
    file.write_text(as_csv(rows))
    assert read_rows(file) == rows and list(rows[0]) == list(COLUMNS)
    news = rows_of([cell_of(probe=0.8), cell_of("new")], PLACE)
    both = merged(rows, news)
    probes = {row["method"]: row["probe"] for row in both if row["method"] != "retrained"}
    assert probes == {"original": "1", "muda": "0.9", "scrub": "0.8", "new": "0.9"}
    assert [row["method"] for row in both][:4] == ["original", "retrained", "retrained", "retrained"]
    assert merged(rows, []) == rows
    assert read_rows(tmp_path / "none.csv") == []


def test_a_table_has_means_with_intervals_from_three_results_on_and_no_empty_column():
    rows = rows_of([cell_of(seed=seed, probe=0.8 + seed / 10) for seed in (0, 1, 2)] + [cell_of("muda")], PLACE)
    head, original, retrained, scrub, muda = table(rows)
    assert "NMI" not in head and "RMIA" not in head
    assert "closure probe" in head and "closure JS" in head
    # t(2) = 4.303 standard errors of 0.1 / sqrt(3)
    assert scrub[head.index("probe")] == "90.0% ± 24.8" and muda[head.index("probe")] == "90.0%"
    assert scrub[head.index("match retraining")] == "3 of 6"
    assert (original[0], retrained[0], retrained[2]) == ("Original", "Retrained", "3")


def test_costs_name_what_nothing_cheaper_closes_more_than():
    points = [("a", 0.1, 0.5), ("b", 0.2, 0.4), ("c", 0.3, 0.9)]
    assert frontier(points) == ["a", "c"]
    (title, operations, closed), *_ = costs(rows_of([cell_of()], PLACE))
    assert (title, operations) == ("scrub", 0.2) and closed == pytest.approx((0.5 + 0.75) / 2)


def test_a_method_is_not_ranked_by_what_its_verdict_does_not_rest_on():
    made = cell_of()
    for model in made.report["models"].values():  # alignment is the retrained models', and the method was trained on it
        model["dimensional_alignment"] = {"value": 0.5 if model is made.report["models"]["original"] else 0.9}
    for model in made.report["retrained"].values():
        model["dimensional_alignment"] = {"value": 0.9}
    (row,) = (row for row in rows_of([made], PLACE) if row["method"] == "scrub")
    assert row["closure DA"] == "1" and row["judged by"] == "JS probe"
    assert "closure DA" not in table([row])[0] and "closure probe" in table([row])[0]
    assert costs([row])[0][2] == pytest.approx((0.5 + 0.75) / 2)


def test_methods_of_a_section_have_the_same_classes():
    both = [cell_of(name, task=f"class {digit}") for name in ("a", "b") for digit in (3, 8)]
    alone, two = cell_of("c", task="class 8"), cell_of("a", task="two classes")
    found = {
        section.title.partition(": ")[2]: {title: {row["task"] for row in members}
                                           for title, members in groups(section.rows).items()}
        for section in sections(rows_of([*both, alone, two], PLACE))
    }  # fmt: skip
    both_classes, one = {"class 3", "class 8"}, {"class 8"}
    assert found == {
        "one class at a time, 2 classes": dict.fromkeys(("Original", "Retrained", "a", "b"), both_classes),
        "class 8": dict.fromkeys(("Original", "Retrained", "a", "b", "c"), one),
        "two classes": {title: {"two classes"} for title in ("Original", "Retrained", "a")},
    }
    assert [section.title.partition(": ")[2] for section in sections(rows_of(both, PLACE))] == [next(iter(found))]
    apart = rows_of([cell_of("a"), cell_of("b", task="class 8")], PLACE)
    assert [section.title.partition(": ")[2] for section in sections(apart)] == ["class 3", "class 8"]


def test_measures_that_order_methods_alike_agree_fully():
    made = [cell_of(f"m{n}", probe=0.8 + n / 50) for n in range(5)]
    for n, one in enumerate(made):
        one.report["models"]["unlearned"]["distances"]["forget_test"]["js_to_retrained"] = 0.1 + n / 50
        one.report["models"]["unlearned"]["retain_test_accuracy"] = 0.9 + n / 100
    lines = {line[0]: line for line in agreement(rows_of(made, PLACE))}
    assert lines["closure JS"][list(lines[""]).index("closure probe")] == "1.00"
    assert lines["closure JS"][list(lines[""]).index("retain")] == "-1.00"
    assert agreement(rows_of(made[:4], PLACE)) == []


def test_the_page_shows_each_task_with_its_plots_and_says_what_it_was_made_on():
    rows = rows_of([cell_of(), cell_of("<b>"), cell_of(task="two classes")], PLACE)
    made = {"machine": "a machine", "hashes": "data 12"}
    text = page(rows, {f"small-cnn, digits: {task}": made for task in ("class 3", "two classes")})
    assert text.count("<h2>small-cnn, digits: ") == 2 and text.count("a machine") == text.count("data 12") == 1
    assert "<dt>small-cnn, digits: class 3, two classes</dt>" in text
    assert "&lt;b&gt;" in text and "<b>" not in text
    for svg in (closure_plot(rows), cost_plot(rows)):
        assert [title.text for title in ElementTree.fromstring(svg).iter(f"{SVG}title") if "scrub" in title.text]
    assert closure_plot(rows[:1]) == cost_plot(rows[:1]) == ""


def test_rows_that_rest_on_another_original_do_not_stand_beside_new_ones(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    old = {"machine": "a machine", "hashes": "original 1"}
    tasks = ("class 3", "two classes")
    made = [cell_of(name, task=task) for task in tasks for name in ("scrub", "salun")]
    write(rows_of(made, PLACE), {f"small-cnn, digits: {task}": old for task in tasks}, tmp_path)
    again = rows_of([cell_of("scrub", probe=0.7)], PLACE)
    write(again, {"small-cnn, digits: class 3": {**old, "machine": "another one"}}, tmp_path)
    assert len(read_rows(tmp_path / "quality.csv")) == 2 * 6 and capsys.readouterr().err == ""  # the same original
    write(again, {"small-cnn, digits: class 3": {**old, "hashes": "original 2"}}, tmp_path)
    left = read_rows(tmp_path / "quality.csv")
    of_class = [row for row in left if row["task"] == "class 3"]
    assert of_class == again and len(left) == len(again) + 6
    told = "small-cnn, digits: class 3: rests on another original now; not made again and left out: salun"
    assert told in capsys.readouterr().err.splitlines()
    said = json.loads((tmp_path / "quality.json").read_text())
    assert said["small-cnn, digits: class 3"]["hashes"] == "original 2"
    assert said["small-cnn, digits: two classes"] == old


def test_scripts_read_means_by_title():
    found = figures(rows_of([cell_of()], PLACE))["scrub"]
    assert found["retain_drop"] == pytest.approx(0.01) and found["closure"]["probe"] == pytest.approx(0.5)


def test_a_check_names_what_does_not_agree():
    row = rows_of([cell_of()], PLACE)[-1]
    assert differences_of(row, {**row, "weights": "other", "retain": "0.945"}) == []
    assert differences_of(row, {**row, "retain": "0.91"}) == ["retain was 0.94 and is 0.91"]
    assert differences_of(row, {**row, "probe": ""}) == ["probe is there in one of them only"]


def test_weights_are_the_same_bits_whatever_their_card_says(tmp_path):
    one, other, third = (tmp_path / f"{name}.safetensors" for name in ("one", "other", "third"))
    save_file({"a": torch.ones(2), "b": torch.zeros(3)}, one, {"job_sha256": "1"})
    save_file({"b": torch.zeros(3), "a": torch.ones(2)}, other, {"job_sha256": "2"})
    save_file({"a": torch.ones(2), "b": torch.tensor([0.0, 0.0, 1e-30])}, third, {"job_sha256": "1"})
    assert weights_hash(one) == weights_hash(other) != weights_hash(third)


def test_every_task_of_single_images_is_one_that_the_models_of_the_attack_never_saw():
    assert single_tasks(cells_of(PLACE)) == []  # the quick plan forgets digits
    full = cells_of(Place(Network("small-cnn", "small-cnn", 0, {}, 16), "fashion-mnist"))
    assert {task.name for task in single_tasks(full)} >= {"10 % of the images", "hardest 1 %", "30 images"}
    nights = [cells_of(Place(network, "fashion-mnist")) for name, network in NETWORKS.items() if name != "small-cnn"]
    assert all(len(cells) == len(set(cells)) for cells in (full, *nights))


def test_page_and_plot_in_docs_are_made_of_the_rows_beside_them():
    rows, machines = read_rows(DOCS / "quality.csv"), json.loads((DOCS / "quality.json").read_text())
    assert {row["network"] for row in rows} == set(NETWORKS)
    assert (DOCS / "quality.html").read_text() == page(rows, machines)
    assert (DOCS / "images" / "closure.svg").read_text() == closure_plot(sections(rows)[0].rows)
