"""`inspect DATA --forget-…`: twins among kept images and what is likely to suffer, as text and as JSON."""

from __future__ import annotations

import csv

import numpy as np
import pytest


@pytest.fixture(scope="module")
def data(images, tmp_path_factory):
    """The small coloured data set with copies of its first two training images at the end."""
    held = dict(np.load(images))
    for name in ("x_train", "y_train"):
        held[name] = np.concatenate([held[name], held[name][:2]])
    path = tmp_path_factory.mktemp("twins") / "twins.npz"
    np.savez(path, **held)
    return path


@pytest.fixture
def wanted(tmp_path):
    path = tmp_path / "wanted.csv"
    path.write_text("0\n1\n")
    return path


def test_twins_are_named_and_written_into_a_list(cli, data, wanted, tmp_path):
    out = tmp_path / "more.csv"
    found = cli("inspect", data, "--forget-samples", wanted, "--with-similar", out, "--json").document
    similar = found["similar"]
    assert similar["exact"] == 2 and similar["complete"]
    assert [(pair["kept"], pair["forgotten"]) for pair in similar["pairs"][:2]] == [(150, 0), (151, 1)]
    with out.open() as file:
        listed = {int(row["index"]) for row in csv.DictReader(file)}
    assert listed == {0, 1} | {pair["kept"] for pair in similar["pairs"]}
    text = cli("inspect", data, "--forget-samples", wanted).out
    assert "2 pixel by pixel" in text and "same pixels" in text


def test_with_a_model_it_says_what_is_likely_to_suffer(cli, model):
    found = cli("inspect", "digits", "--model", model, "--forget-class", "3", "--json").document
    near = found["near"]
    assert "3" not in {row["class"] for row in near["classes"]} and len(near["classes"]) == 9
    values = [row["features"] for row in near["by_features"]]
    assert values == sorted(values, reverse=True) and values[0] > 0.5
    assert all(row["class"] != "3" for row in near["by_gradient"])
    text = cli("inspect", "digits", "--model", model, "--forget-class", "3").out
    assert "Likely to suffer:" in text and "nearest images" in text


def test_options_without_a_forget_set_are_refused(cli, data, tmp_path):
    result = cli("inspect", data, "--with-similar", tmp_path / "x.csv")
    assert result.code == 2 and "--forget-class" in result.error
    assert cli("inspect", data, "--forget-class", "nine").code == 3
