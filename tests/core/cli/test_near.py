"""`inspect DATA --forget-…`: twins among kept images and what is likely to suffer, as text and as JSON."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image


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


@pytest.fixture
def people(tmp_path):
    """Images listed in a table with a column of customers."""
    rows = ["path,label,split,customer"]
    for number in range(16):
        pixels = np.random.default_rng(number).integers(0, 255, (8, 8), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{'ab'[number % 2]},{'test' if number > 11 else 'train'},{4700 + number // 2}")
    (tmp_path / "people.csv").write_text("\n".join(rows))
    return tmp_path / "people.csv"


def test_people_are_left_out_by_a_column_of_the_table(cli, people, tmp_path):
    assert "customer (6 values)" in cli("inspect", people).out
    found = cli("inspect", people, "--forget-where", "customer=4701", "customer=470[45]", "--json")
    assert found.document["forget"] == {"mode": "sample", "count": 6} and "customer=4701: 2 images" in found.err
    train = ["train", "--dataset", people, "--arch", "mlp", "--recipe", "epochs=1", "--out", tmp_path / "out"]
    assert "Did you mean '47" in cli(*train, "--exclude-where", "customer=4791").error
    result = cli(*train, "--exclude-where", "customer=4701", "--exclude-where", "customer=5000", "--allow-missing")
    assert result.code == 0 and "No training image of people has customer '5000'" in result.err
    assert [line.split(",")[0] for line in (tmp_path / "out/forget.csv").read_text().splitlines()[1:]] == ["2", "3"]
    assert cli("inspect", people, "--forget-folder", "nowhere").code == 3
