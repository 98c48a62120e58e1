"""`batch FILE --out DIR`: one table, one document, and exit codes that tell what became of the runs."""

from __future__ import annotations

import csv

import pytest

from core.files import read_json


@pytest.fixture
def file(model, tmp_path):
    path = tmp_path / "night.toml"
    path.write_text(
        f'model = "{model}"\ndataset = "digits"\nmethods = ["head-only"]\nthreads = 1\ndevice = "cpu"\n'
        '[[forget]]\nclasses = ["3"]\n[[forget]]\nclasses = ["nine"]\n'
    )
    return path


def test_a_batch_is_a_table_and_a_document(cli, file, tmp_path):
    result = cli("batch", file, "--out", tmp_path / "out")
    assert result.code == 3  # one of the forget sets names no class of the data
    assert "[2 of 2] nine-head-only-s0" in result.out and "There is no class 'nine'" in result.err
    rows = {line.split()[0]: line.split()[1] for line in result.out.splitlines() if "head-only-s0  " in line}
    assert rows == {"3-head-only-s0": "finished", "nine-head-only-s0": "failed"}
    file.write_text(file.read_text().replace("nine", "4"))
    again = cli("batch", file, "--out", tmp_path / "out", "--json")
    assert again.code == 0, again.err
    assert [row["outcome"] for row in again.document["runs"]] == ["skipped", "finished"]


def test_a_file_that_is_none_is_refused(cli, tmp_path):
    result = cli("batch", tmp_path / "none.toml", "--out", tmp_path / "out")
    assert result.code == 3 and "none.toml" in result.error


def test_means_over_seeds_are_a_table_and_csv(cli, file, tmp_path):
    file.write_text(file.read_text().replace("nine", "4").replace("[[forget]]", 'seeds = "1-2"\n[[forget]]', 1))
    result = cli("batch", file, "--out", tmp_path / "out", "--csv", tmp_path / "means.csv")
    assert result.code == 0, result.err
    means = result.out.split("Means over seeds")[1]
    assert [line.split()[:5] for line in means.splitlines() if "head-only" in line] == [
        ["3", "head-only", "2", "of", "2"], ["4", "head-only", "2", "of", "2"],
    ]  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "means.csv").read_text().splitlines()))
    assert [row["seeds"] for row in rows] == ["1 2", "1 2"] and float(rows[0]["forget_accuracy_mean"]) == 0.0
    assert len(read_json(tmp_path / "out" / "batch.json")["groups"]) == 2
