"""What there is: methods, data sets, architectures, and that the lists of names agree with what they stand for."""

from __future__ import annotations

import re

import pytest

import main
from core import cli as command_line


def test_main_lists_every_subcommand_that_is_not_hidden(capsys):
    with pytest.raises(SystemExit):
        main.main(["--help"])
    listed = re.findall(r"^  ([a-z][a-z-]+)  +[A-Z]", capsys.readouterr().out, flags=re.MULTILINE)
    assert listed == [name for name in command_line.COMMANDS if name != "example"]


@pytest.mark.parametrize("what", ["methods", "datasets", "architectures"])
def test_lists_are_objects_with_an_id(cli, what):
    rows = cli(what, "--json").document
    assert len(rows) > 2 and all(row["id"] and row["title"] and row["summary"] for row in rows)
    text = cli(what)
    assert text.code == 0 and all(row["id"] in text.out for row in rows)


def test_methods_carry_their_parameters_and_presets(cli):
    rows = cli("methods", "--json").document
    keys = {"id", "title", "summary", "citation", "parameters", "presets", "suits", "needs", "status", "notes"}
    assert all(keys <= row.keys() for row in rows)
    muda = next(row for row in rows if row["id"] == "muda")
    rounds = next(p for p in muda["parameters"] if p["name"] == "rounds")
    assert rounds["kind"] == "int" and "whole number" in rounds["rule"]
    assert {"class", "sample"} == set(muda["suits"])


def test_one_method_in_full(cli):
    text = cli("methods", "muda").out
    assert "rounds=" in text and "--preset NAME" in text and "Documented" in text
    assert [row["id"] for row in cli("methods", "muda", "--json").document] == ["muda"]
    missing = cli("methods", "mida")
    assert missing.code == 3 and "muda" in missing.error


def test_datasets_say_what_is_on_this_machine(cli, tmp_path):
    rows = {row["id"]: row for row in cli("datasets", "--json", "--data-root", tmp_path).document}
    assert rows["digits"]["available"] is True
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"{name}-ubyte").touch()
    rows = {row["id"]: row for row in cli("datasets", "--json", "--data-root", tmp_path).document}
    assert rows["mnist"]["available"] is True and rows["mnist"]["folder"] == str(folder)


def test_architectures_name_their_smallest_input(cli):
    rows = {row["id"]: row for row in cli("architectures", "--json").document}
    assert rows["resnet18"]["default_size"] == [224, 224] and rows["small-cnn"]["min_size"] >= 1
