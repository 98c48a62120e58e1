"""`inspect DATA --forget-…`: twins among kept images and what is likely to suffer, as text and as JSON."""

from __future__ import annotations

import csv
import json

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


def test_what_is_near_by_a_model_that_may_be_used_wrongly_comes_with_a_warning(cli, model, tmp_path):
    (tmp_path / "otherwise.json").write_text(json.dumps({"size": 8, "mean": 0.95, "std": 0.05}))
    asked = ("inspect", "digits", "--model", model, "--forget-class", "3")
    assert cli(*asked, "--json").document["warnings"] == []
    found = cli(*asked, "--preprocess", tmp_path / "otherwise.json", "--json")
    assert "a linear probe" in found.document["warnings"][0] and found.document["warnings"][0] in found.err


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


def test_levels_are_words_and_numbers(cli, data, wanted):
    found = {
        level: cli("inspect", data, "--forget-samples", wanted, "--similar", level, "--json").document["similar"]
        for level in ("exact", "same", "near", "0.7")
    }
    assert [similar["threshold"] for similar in found.values()] == [1.0, 0.87, 0.6, 0.7]
    assert found["exact"]["count"] == found["exact"]["exact"] == 2
    assert found["exact"]["count"] <= found["same"]["count"] <= found["0.7"]["count"] <= found["near"]["count"]
    assert "the same picture (agreement from 0.87)" in cli("inspect", data, "--forget-samples", wanted).out
    for level in ("alike", "0.5", "1.1"):
        assert cli("inspect", data, "--forget-samples", wanted, "--similar", level).code == 2


def test_it_says_what_it_adds_and_that_it_found_none(cli, data, images, wanted, tmp_path):
    out = tmp_path / "more.csv"
    text = cli("inspect", data, "--forget-samples", wanted, "--with-similar", out, "--similar", "exact").out
    assert "same pixels" in text and "2 of them added as similar" in text
    with out.open() as file:
        assert {row["index"]: row["similar_from"] for row in csv.DictReader(file)} == {
            "0": "", "1": "", "150": "1", "151": "1",
        }  # fmt: skip
    text = cli("inspect", images, "--forget-samples", wanted, "--with-similar", out, "--similar", "exact").out
    assert "none found, the same pixels (agreement from 1). Nothing is added." in text
    assert out.read_text().splitlines()[0] == "index,class,path,weight"


def test_a_run_tells_what_was_added_from_which_agreement(cli, data, wanted, tmp_path):
    out, original, run = tmp_path / "more.csv", tmp_path / "original", tmp_path / "run"
    cli("inspect", data, "--forget-samples", wanted, "--with-similar", out, "--similar", "exact")
    cli("train", "--dataset", data, "--arch", "small-cnn", "--out", original, "--recipe", "epochs=10")
    done = cli(
        "unlearn", "--model", original, "--dataset", data, "--forget-samples", out, "--method", "finetune",
        "--set", "epochs=1", "--out", run,
    )  # fmt: skip
    assert done.code == 0, done.error
    stated = json.loads((run / "job.json").read_text())["forget"]
    assert (stated["count"], stated["similar"], stated["similar_from"]) == (4, 2, 1.0)
    with (run / "forget.csv").open() as file:
        assert [row["similar_from"] for row in csv.DictReader(file)] == ["", "", "1", "1"]
    report = json.loads((run / "report.json").read_text())
    assert report["forget_similar"] == {"count": 2, "threshold": 1.0}
    assert report["similar_kept"]["threshold"] == 0.87
    page = (run / "report.html").read_text()
    assert "2 forget images were added for showing the same picture as another one (agreement from 1)." in page
    assert "(agreement from 0.87)" in page
