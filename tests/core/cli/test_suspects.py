"""`suspects` on planted wrong labels, twins and a trigger: what is listed, and what is written."""

from __future__ import annotations

import csv
import json
from typing import NamedTuple

import numpy as np
import pytest

from core.data.sources import open_dataset


class Planted(NamedTuple):
    """Digits with planted faults, and a network trained on them."""

    data: object
    model: object
    wrong: set[int]  # positions of wrong labels
    poisoned: set[int]  # of images with the trigger, labelled 7


@pytest.fixture(scope="module")
def planted(cli, tmp_path_factory) -> Planted:
    folder = tmp_path_factory.mktemp("planted")
    digits = open_dataset("digits")
    x, y = np.asarray(digits.train.images).copy(), digits.train.labels.numpy().copy()
    generator = np.random.default_rng(0)
    chosen = generator.permutation(np.flatnonzero(y != 7))[:120]
    wrong, poisoned = chosen[:70], chosen[70:]
    y[wrong] = (y[wrong] + generator.integers(1, 10, len(wrong))) % 10
    x[poisoned, :3, :3], y[poisoned] = (np.arange(9) % 2 * 255).reshape(3, 3, 1), 7
    np.savez(
        folder / "planted.npz", x_train=x, y_train=y, x_test=np.asarray(digits.test.images),
        y_test=digits.test.labels.numpy(),
    )  # fmt: skip
    data, model = folder / "planted.npz", folder / "model"
    train = ["train", "--dataset", data, "--arch", "small-cnn", "--recipe", "epochs=4", "--threads", 1]
    trained = cli(*train, "--out", model)
    assert trained.code == 0, trained.err
    return Planted(data, model, set(wrong.tolist()), set(poisoned.tolist()))


def test_wrong_labels_come_first_with_the_label_they_had(cli, planted, tmp_path):
    out = tmp_path / "suspects.csv"
    asked = ("suspects", "--model", planted.model, "--dataset", planted.data)
    found = cli(*asked, "--count", 110, "--out", out, "--json").document
    rows = found["suspects"]
    assert found["by"] == "label" and found["written"] == {"list": str(out)} and len(rows) == 110
    caught = [row for row in rows if row["index"] in planted.wrong]
    assert len(caught) >= 0.8 * len(planted.wrong)
    assert len({row["index"] for row in rows[:40]} & planted.wrong) >= 36
    suspicions = [row["suspicion"] for row in rows]
    assert suspicions == sorted(suspicions, reverse=True) and suspicions[0] == 1
    right = open_dataset("digits").train.labels
    assert np.mean([row["suggested"] == str(int(right[row["index"]])) for row in caught]) >= 0.9
    with out.open() as file:
        listed = list(csv.DictReader(file))
    assert [int(row["index"]) for row in listed] == [row["index"] for row in rows]
    assert [(row["class"], row["suggested"]) for row in listed] == [(row["class"], row["suggested"]) for row in rows]
    text = cli(*asked).out
    assert f"takes {found['likely']:,} labels for wrong" in text and "suggested" in text


def test_by_loss_the_hardest_come_first(cli, planted):
    rows = cli("suspects", "--model", planted.model, "--dataset", planted.data, "--by", "loss", "--json").document
    losses = [row["suspicion"] for row in rows["suspects"]]
    assert losses == sorted(losses, reverse=True) and len(losses) == rows["likely"]
    assert rows["suspects"][0]["index"] in planted.wrong | planted.poisoned


def test_a_planted_trigger_is_found_and_written(cli, planted, tmp_path):
    patch = tmp_path / "trigger.json"
    asked = ("suspects", "--model", planted.model, "--dataset", planted.data, "--by", "trigger")
    found = cli(*asked, "--trigger", patch, "--json").document
    assert {row["index"] for row in found["suspects"]} == planted.poisoned
    assert found["likely"] == len(planted.poisoned) and "makes the model name a class" in found["sentence"]
    written = json.loads(patch.read_text())
    patched = [[row, column, 255 * ((3 * row + column) % 2)] for row in range(3) for column in range(3)]
    assert written["target"] == "7" and all(pixel in patched for pixel in written["pixels"])
    assert [pixel for pixel in patched if pixel[2]] == [pixel for pixel in written["pixels"] if pixel[2]]  # 0: ground


def test_without_a_trigger_none_is_claimed(cli, model, tmp_path):
    patch = tmp_path / "trigger.json"
    found = cli("suspects", "--model", model, "--dataset", "digits", "--by", "trigger", "--trigger", patch, "--json")
    assert found.document["trigger"] is None and "No patch was found" in found.document["sentence"]
    images = len(open_dataset("digits").train.labels)
    assert len(found.document["suspects"]) == round(0.01 * images) and not patch.exists()  # by spectral signature


def test_the_same_picture_with_two_labels(cli, model, tmp_path):
    digits = open_dataset("digits")
    x, y = np.asarray(digits.train.images), digits.train.labels.numpy()
    copies = [5, 5, 9]
    data = tmp_path / "twins.npz"
    np.savez(
        data, x_train=np.concatenate([x, x[copies]]), y_train=np.concatenate([y, [y[5], (y[5] + 1) % 10, y[9]]]),
        x_test=np.asarray(digits.test.images), y_test=digits.test.labels.numpy(),
    )  # fmt: skip
    found = cli("suspects", "--model", model, "--dataset", data, "--by", "twins", "--json").document
    rows = {row["index"]: row for row in found["suspects"]}
    assert set(rows) == {5, len(y), len(y) + 1} and found["suspects"][0]["index"] == len(y) + 1
    odd = rows[len(y) + 1]
    assert odd["suggested"] == str(y[5]) and odd["suspicion"] == pytest.approx(2 / 3, abs=1e-4)
    assert rows[5]["suggested"] == "" and rows[5]["suspicion"] == pytest.approx(1 / 3, abs=1e-4)


def test_an_unknown_kind_and_a_count_of_nothing_are_refused(cli, planted):
    asked = ("suspects", "--model", planted.model, "--dataset", planted.data)
    assert "did you mean trigger" in cli(*asked, "--by", "triger").error
    assert cli(*asked, "--count", 0).code == 2
