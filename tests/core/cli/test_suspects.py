"""`suspects` on planted wrong labels, twins and a trigger: what is listed, and what is written."""

from __future__ import annotations

import csv
import json
from typing import NamedTuple

import numpy as np
import pytest
import torch

from core.data.sources import open_dataset
from core.data.splits import evaluation_half
from core.metrics.suspicion import label_doubts, neighbour_shares
from core.models.tap import SetOutputs
from core.session.bench import Bench
from core.session.suspects import Stamped, find_suspects


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


def asked_of(planted: Planted) -> SetOutputs:
    """What the network says of the training images."""
    bench = Bench().on("cpu", threads=1).open(planted.model, str(planted.data))
    return bench.outputs(bench.model).train


def test_wrong_labels_come_first_with_the_label_they_had(cli, planted, tmp_path):
    out = tmp_path / "suspects.csv"
    asked = ("suspects", "--model", planted.model, "--dataset", planted.data)
    found = cli(*asked, "--count", 110, "--out", out, "--json").document
    rows = found["suspects"]
    assert found["by"] == "label" and found["written"] == {"list": str(out)} and len(rows) == 110
    caught = [row for row in rows if row["index"] in planted.wrong]
    assert len(caught) >= 0.8 * len(planted.wrong)
    assert len({row["index"] for row in rows[:40]} & planted.wrong) >= 36
    outputs, likely = asked_of(planted), found["likely"]
    taken = label_doubts(neighbour_shares(outputs.features, outputs.labels, 10), outputs.labels.numpy()).confident
    assert 5 <= likely < 110 and {row["index"] for row in rows[:likely]} == set(np.flatnonzero(taken).tolist())
    for part in (rows[:likely], rows[likely:]):
        suspicions = [row["suspicion"] for row in part]
        assert suspicions == sorted(suspicions, reverse=True)
    assert rows[0]["suspicion"] == 1
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
    outputs = asked_of(planted)
    named_wrongly = torch.nonzero(outputs.logits.argmax(1) != outputs.labels).flatten()
    assert sorted(row["index"] for row in rows["suspects"]) == named_wrongly.tolist()
    assert all(row["suggested"] for row in rows["suspects"])
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


def test_a_patch_is_not_chosen_by_the_images_its_success_is_reported_on(planted, monkeypatch):
    bench = Bench().on("cpu", threads=1).open(planted.model, str(planted.data))
    rates, tried = Stamped.rates, []

    def noted(stamped, *args):
        tried.append(stamped.ids)
        return rates(stamped, *args)

    monkeypatch.setattr(Stamped, "rates", noted)
    assert find_suspects(bench, "trigger").trigger is not None
    assert tried and not any(bool(evaluation_half(bench.dataset.test)[ids].any()) for ids in tried)


def test_without_a_trigger_none_is_claimed(cli, model, tmp_path):
    patch = tmp_path / "trigger.json"
    found = cli("suspects", "--model", model, "--dataset", "digits", "--by", "trigger", "--trigger", patch, "--json")
    assert found.document["trigger"] is None and "No patch was found" in found.document["sentence"]
    images = len(open_dataset("digits").train.labels)
    assert len(found.document["suspects"]) == round(0.01 * images) and not patch.exists()  # by spectral signature


def test_what_is_not_found_is_said_not_to_be_written_and_a_patch_is_asked_of_its_own_search(cli, model, tmp_path):
    asked = ("suspects", "--model", model, "--dataset", "digits")
    out = tmp_path / "twins.csv"
    found = cli(*asked, "--by", "twins", "--out", out)
    assert found.code == 0 and "twins.csv was not written" in found.err and not out.exists()
    refused = cli(*asked, "--by", "label", "--trigger", tmp_path / "patch.json")
    assert refused.code == 2 and "--by trigger" in refused.err


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


@pytest.fixture(scope="module")
def corrected(cli, planted, tmp_path_factory):
    """A run of fine-tuning without the poisoned images, as a correction, and the trigger's file."""
    folder = tmp_path_factory.mktemp("corrected")
    patch = folder / "trigger.json"
    pixels = [[row, column, 255] for row in range(3) for column in range(3) if (row + column) % 2]
    patch.write_text(json.dumps({"target": 7, "pixels": pixels}))
    (folder / "poisoned.csv").write_text("".join(f"{index}\n" for index in sorted(planted.poisoned)))
    done = cli(
        "unlearn", "--model", planted.model, "--dataset", planted.data, "--forget-samples", folder / "poisoned.csv",
        "--corrective", "--trigger", patch, "--method", "finetune", "--threads", 1, "--out", folder / "run",
    )  # fmt: skip
    assert done.code == 0, done.err
    return folder / "run", patch, done


def test_a_correction_is_recorded_measured_and_judged_as_one(corrected):
    run, _, done = corrected
    job, report = (json.loads((run / name).read_text()) for name in ("job.json", "report.json"))
    assert job["forget"]["purpose"] == report["forget_purpose"] == "corrective"
    assert job["forget"]["trigger"]["target"] == 7 and len(job["forget"]["trigger"]["pixels"]) == 4
    before, after = (report["models"][name]["trigger"] for name in ("original", "unlearned"))
    assert before["success"] > 0.8 > 0.3 > after["success"] and before["without"] < 0.1
    assert before["images"] == after["images"] > 100 and after["own_class"] > before["own_class"]
    verdict = report["verdict"]
    assert verdict["purpose"] == "corrective" and verdict["measures"] == []
    assert "the trigger's success" in verdict["sentence"]
    assert verdict["sentence"][:30] in done.out and "correction" in done.out
    page = (run / "report.html").read_text()
    assert "Trigger success, unseen, %" in page and "is no yardstick: it keeps what was not found" in page


def test_a_check_measures_the_trigger_of_retrained_models_too(cli, corrected):
    run, _, _ = corrected
    checked = cli("verify", run, "--retrained", "train", "--seeds", 1, "--json").document
    report = json.loads((run / "report.json").read_text())
    assert report["retrained"]["seed 1"]["trigger"]["success"] < 0.3
    assert report["verdict"]["purpose"] == "corrective" and "is no yardstick" in report["verdict"]["sentence"]
    assert checked["verdict"] == report["verdict"]
    table = run.parent / "table.csv"
    told = cli("verify", run, "--table", table).out
    assert "is no yardstick" in " ".join(told.split()) and "gap closed" not in told
    assert table.read_text().splitlines()[0] == "Measure,Original,Head-only edit,Unlearned,Retrained"


def test_what_is_no_trigger_is_refused(cli, planted, corrected, tmp_path):
    asked = ["unlearn", "--model", planted.model, "--dataset", planted.data, "--forget-random", 0.1, "--method", "ssd"]
    asked += ["--out", tmp_path / "run"]
    assert "Add --corrective" in cli(*asked, "--trigger", corrected[1]).error
    patch = tmp_path / "patch.json"
    for content, words in (
        ({"target": "7"}, "describes no trigger"),
        ({"target": "7", "pixels": [[0, 1, "x"]]}, "describes no trigger"),
        ({"target": "seven", "pixels": [[0, 1, 255]]}, "There is no class 'seven'"),
        ({"target": "7", "pixels": [[0, 8, 255]]}, "does not lie in images of 8 × 8 × 1"),
        ({"target": "7", "pixels": []}, "does not lie in images"),
    ):
        patch.write_text(json.dumps(content))
        refused = cli(*asked, "--corrective", "--trigger", patch)
        assert refused.code == 3 and words in refused.error, content
