"""From a trained model to a run folder: what is shown, what is written, and what a second command may do to it."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest
import torch

from core.engine.step import Board, Diverged
from core.runs.folder import RunFolder

from .conftest import contents, unlearn

SHORT = ("--set", "rounds=1", "relearn_min_steps=10")
ACCURACIES = ("retain_accuracy", "forget_accuracy", "retain_test_accuracy", "forget_test_accuracy")


def test_training_leaves_weights_and_card(cli, model):
    assert {"model.safetensors", "model.json", "job.json", "status.json"} <= set(contents(model))
    card = json.loads((model / "model.json").read_text())
    assert card["architecture"] == "small-cnn" and len(card["classes"]) == 10
    assert card["measures"]["retain_test_accuracy"] > 0.8


def test_training_without_a_class_says_so_and_never_names_it(cli, tmp_path):
    result = cli(
        "train", "--dataset", "digits", "--arch", "mlp", "--out", tmp_path / "r", "--exclude-class", "3",
        "--recipe", "epochs=4", "lr=0.05",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "without class 3" in result.out
    card = json.loads((tmp_path / "r" / "model.json").read_text())
    assert card["forgotten"]["classes"] == ["3"] and card["measures"]["forget_test_accuracy"] == 0.0
    rows = list(csv.DictReader((tmp_path / "r" / "forget.csv").open()))
    assert rows and {row["class"] for row in rows} == {"3"}


def test_a_run_shows_the_table_and_leaves_the_files(cli, model, digits, tmp_path):
    result = cli(*unlearn(model, tmp_path / "u"))
    assert result.code == 0 and result.err.startswith("Images: ") and result.err.count("\n") == 1
    assert f"class 3 · {digits.threes} of {digits.all:,} (10.2 %) · class forgetting" in result.out
    rows = [line.split("  ")[0] for line in result.out.splitlines()]
    assert rows.index("Original") < rows.index("Unlearned") < rows.index("Head-only edit")
    assert "(k 9," in result.out and "not centred" in result.out
    assert "no verdict" in result.out
    assert str(tmp_path / "u" / "model.safetensors") in result.out
    names = {"job.json", "forget.csv", "events.jsonl", "model.safetensors", "model.pt", "model.json", "report.html"}
    assert names | {"report.json", "status.json"} <= set(contents(tmp_path / "u"))


def test_json_is_one_document_and_nothing_else(cli, model, digits, tmp_path):
    found = cli(*unlearn(model, tmp_path / "u", "--json")).document
    assert found["state"] == "finished" and found["method"] == "muda"
    assert found["forget"] == {"mode": "class", "classes": ["3"], "count": digits.threes}
    assert all(0 <= found["models"]["unlearned"][key] <= 1 for key in ACCURACIES)
    assert found["models"]["unlearned"]["forget_test_accuracy"] < found["models"]["original"]["forget_test_accuracy"]
    assert found["files"]["model"] == str(tmp_path / "u" / "model.safetensors")
    assert found["verdict"]["code"] == "no_reference"


def test_a_plan_says_what_the_run_would_take_and_runs_nothing(cli, model, tmp_path):
    command = unlearn(model, tmp_path / "r")
    result = cli(*command, "--plan")
    assert result.code == 0 and not (tmp_path / "r").exists()
    words = {"Steps": "[0-9]+", "Cost": "About .* retraining", "Time": "(under|about) [0-9.]+ ",
             "Memory": "about .*B more", "Disk": ".*B of .*B free"}  # fmt: skip
    for label, said in words.items():
        assert re.search(rf"^{label} +{said}", result.out, re.MULTILINE), (label, result.out)
    planned, done = cli(*command, "--plan", "--json").document, cli(*command, "--json").document
    assert planned["steps"] == done["steps"] == planned["stages"][-1]["last"] and planned["seconds"] > 0
    assert planned["method"] == "muda" and planned["share_of_retraining"] > 0
    assert "2 tries before it" in cli(*unlearn(model, tmp_path / "s"), "--plan", "--tune", "2").out


def test_the_seed_decides_the_result(cli, model, tmp_path):
    states = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert cli(*unlearn(model, tmp_path / name, *SHORT, "--seed", seed)).code == 0
        states.append((tmp_path / name / "model.pt").read_bytes())
    assert states[0] == states[1] != states[2]


def test_a_folder_that_holds_a_run_is_left_alone_unless_it_is_resumed(cli, model, unlearned):
    before = contents(unlearned)
    again = cli(*unlearn(model, unlearned))
    assert again.code == 3 and "--resume" in again.error
    resumed = cli(*unlearn(model, unlearned, "--resume"))
    assert resumed.code == 0 and "nothing was changed" in resumed.out
    assert cli("resume", unlearned).code == 0
    assert contents(unlearned) == before


def test_resume_refuses_another_job(cli, model, unlearned):
    before = contents(unlearned)
    other = cli(*unlearn(model, unlearned, "--resume", "--set", "lr=0.001", "--seed", 4, forget=("--forget-class", 4)))
    assert other.code == 3
    assert all(word in other.error for word in ("forget set", "seed", "lr"))
    assert contents(unlearned) == before


def test_a_run_never_writes_over_a_model_that_lies_in_its_folder(cli, model, tmp_path):
    weights = tmp_path / "model.safetensors"
    weights.write_bytes((model / "model.safetensors").read_bytes())
    before = contents(tmp_path)
    result = cli(*unlearn(weights, tmp_path))
    assert result.code == 3 and "would replace" in result.error
    assert contents(tmp_path) == before


def test_several_classes_by_name_and_index(cli, model, tmp_path):
    forget = ("--forget-class", "3", "5", "--forget-class", "0")
    found = cli(*unlearn(model, tmp_path / "u", "--json", *SHORT, forget=forget)).document
    assert found["forget"]["classes"] == ["0", "3", "5"]


def test_classes_and_a_list_together(cli, model, digits, tmp_path):
    (tmp_path / "l.txt").write_text("0\n1\n2\n")
    forget = ("--forget-class", "3", "--forget-samples", tmp_path / "l.txt")
    found = cli(*unlearn(model, tmp_path / "u", "--json", *SHORT, forget=forget)).document
    assert found["forget"]["mode"] == "mixed" and 1 <= found["forget"]["count"] - digits.threes <= 3


def test_a_random_share_is_drawn_by_the_seed(cli, model, digits, tmp_path):
    lists = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        result = cli(*unlearn(model, tmp_path / name, *SHORT, "--seed", seed,
                              forget=("--forget-random", "0.05")))  # fmt: skip
        assert result.code == 0, result.err
        lists.append((tmp_path / name / "forget.csv").read_text())
    assert lists[0] == lists[1] != lists[2] and lists[0].count("\n") == 1 + round(0.05 * digits.all)
    assert " DA" not in result.out, "alignment says nothing of single images"


def test_lines_that_match_nothing_can_be_passed_over(cli, model, tmp_path):
    (tmp_path / "l.txt").write_text("5\n6\n123456\nnever.png\n")
    command = unlearn(model, tmp_path / "u", *SHORT, forget=("--forget-samples", tmp_path / "l.txt"))
    refused = cli(*command)
    assert refused.code == 3 and "2 of 4 entries" in refused.error and "'123456'" in refused.error
    passed = cli(*command, "--allow-missing")
    assert passed.code == 0 and "2 of 4 entries" in passed.err and "error:" not in passed.err
    assert (tmp_path / "u" / "forget.csv").read_text().count("\n") == 3


@pytest.fixture
def folders(tmp_path):
    """A data set of class folders, with names to list."""
    from PIL import Image

    generator = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 4)):
        for label, name in enumerate(("cat", "dog")):
            (tmp_path / "d" / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = generator.integers(0, 100, (8, 8)) + 120 * label
                Image.fromarray(pixels.astype("uint8")).save(tmp_path / "d" / part / name / f"{part}_{name}_{i}.png")
    return tmp_path / "d"


def test_lists_of_names_tell_the_nearest_and_what_is_only_in_the_test_part(cli, folders, tmp_path):
    train = ["train", "--dataset", folders, "--arch", "mlp", "--recipe", "epochs=1", "--out", tmp_path / "o"]
    (tmp_path / "l.txt").write_text("train_cat_1.png\ntrain_dog_1.jpg\ntest_cat_0.png\n")
    refused = cli(*train, "--exclude-samples", tmp_path / "l.txt")
    assert refused.code == 3 and "line 2 'train_dog_1.jpg' (nearest: " in refused.error
    assert "train_dog_1.png" in refused.error
    result = cli(*train, "--exclude-samples", tmp_path / "l.txt", "--allow-missing")
    assert result.code == 0, result.err
    assert "1 of 3 entries of l.txt found, 1 in the test part. Not found: line 2" in result.err
    assert "1 entry names images of the test part (test_cat_0.png). The model was not trained on them, so" in result.err
    rows = list(csv.DictReader((tmp_path / "o" / "forget.csv").open()))
    assert [row["path"].rpartition("/")[2] for row in rows] == ["train_cat_1.png"]


def test_passing_over_lines_of_a_list_names_all_of_them(cli, folders, tmp_path):
    (tmp_path / "l.txt").write_text("train_cat_1.png\n" + "".join(f"wrong_{i}.png\n" for i in range(9)))
    refused = cli("inspect", folders, "--forget-samples", tmp_path / "l.txt")
    assert refused.code == 3 and refused.error.endswith(" and 6 more. Correct the list, or pass over them with "
                                                        "--allow-missing, which names all.")  # fmt: skip
    passed = cli("inspect", folders, "--forget-samples", tmp_path / "l.txt", "--allow-missing")
    assert passed.code == 0 and "1 of 10 entries of l.txt found. Not found:\n" in passed.err
    assert [f"\nline {i + 2} 'wrong_{i}.png'" in passed.err for i in range(9)] == [True] * 9


def test_a_method_that_changes_nothing_says_unchanged(cli, model, tmp_path):
    result = cli(*unlearn(model, tmp_path / "u", "--set", "rounds=0"))
    assert result.code == 0, result.err
    assert "unchanged" in result.out and result.out.count("unchanged") == 1
    assert json.loads((tmp_path / "u" / "report.json").read_text())["unchanged"] is True


def test_the_head_only_edit_has_the_originals_features(cli, model, tmp_path):
    found = cli(*unlearn(model, tmp_path / "u", "--json", method="head-only")).document
    original, edited = found["models"]["original"], found["models"]["unlearned"]
    assert edited["forget_accuracy"] == 0.0
    assert edited["probe"] == original["probe"] and edited["dimensional_alignment"] == original["dimensional_alignment"]


def test_evaluate_has_the_keys_of_the_contract(cli, model):
    found = cli("evaluate", "--model", model, "--dataset", "digits", "--forget-class", 3, "--json").document
    assert all(0 <= found[key] <= 1 for key in ACCURACIES)
    assert {"value", "k", "energy", "centred", "profile"} <= found["dimensional_alignment"].keys()
    assert {"forget", "retain", "f1"} <= found["probe"].keys() and 0 < found["nmi"] <= 1


def test_evaluate_without_a_forget_set_gives_what_needs_none(cli, model):
    found = cli("evaluate", "--model", model, "--dataset", "digits", "--json").document
    assert found["retain_accuracy"] > 0.8 and found["forget_accuracy"] is None
    assert found["dimensional_alignment"] is None
    text = cli("evaluate", "--model", model, "--dataset", "digits").out
    assert "retain-test" in text and "forget" not in text


def test_evaluate_holds_a_model_against_references(cli, model, unlearned, tmp_path):
    train = ["train", "--dataset", "digits", "--arch", "small-cnn", "--recipe", "epochs=3", "--exclude-class", 3]
    assert cli(*train, "--out", tmp_path / "r").code == 0
    command = [
        "evaluate", "--model", unlearned, "--dataset", "digits", "--forget-class", 3,
        "--reference", f"original={model}", "--reference", f"retrained={tmp_path / 'r'}",
    ]  # fmt: skip
    found = cli(*command, "--json").document
    assert set(found["references"]) == {"original", "retrained"}
    assert found["verdict"]["code"] in ("close", "partly", "hidden", "not", "nothing")
    assert 0 <= found["distances"]["forget_test"]["agreement_with_original"] <= 1
    text = cli(*command).out
    assert "Retrained" in text and "Jensen-Shannon" in text
    twice = cli(*command, "--reference", f"original={model}")
    assert twice.code == 2 and "given twice" in twice.error


def test_runs_lists_states_and_accuracies(cli, digits, unlearned):
    rows = cli("runs", unlearned.parent, "--json").document
    row = next(row for row in rows if row["run"] == unlearned.name)
    assert row["state"] == "finished" and row["method"] == "muda" and row["forget"]["classes"] == ["3"]
    assert row["forget_test_accuracy"] is not None and row["verdict"] == "no_reference"
    text = cli("runs", unlearned.parent).out
    assert "forget set" in text.splitlines()[0] and f"class 3 ({digits.threes} of {digits.all:,})" in text


def test_runs_lists_a_damaged_one_too(cli, tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "job.json").write_text("{")
    (row,) = cli("runs", tmp_path, "--json").document
    assert row["state"] == "damaged" and "not valid JSON" in row["error"]
    assert "damaged" in cli("runs", tmp_path).out


def test_a_report_is_held_against_its_files(cli, model, tmp_path):
    assert cli(*unlearn(model, tmp_path / "u", *SHORT)).code == 0
    for target in ("report.json", "report.html", ""):
        found = cli("verify-report", tmp_path / "u" / target, "--json").document
        assert found["valid"] is True and "model.safetensors" in found["files"]
    with (tmp_path / "u" / "events.jsonl").open("a") as file:
        file.write("{}\n")
    (tmp_path / "u" / "forget.csv").unlink()
    result = cli("verify-report", tmp_path / "u" / "report.json")
    assert result.code == 3
    assert "events.jsonl is not what" in result.error and "forget.csv is missing" in result.error


def test_a_report_cannot_make_anyone_read_other_files(cli, tmp_path):
    (tmp_path / "report.json").write_text(json.dumps({"files": {"../secret": "0" * 64}}))
    (tmp_path.parent / "secret").write_text("x")
    result = cli("verify-report", tmp_path / "report.json")
    assert result.code == 3 and "no file beside the report" in result.error


def test_a_loss_that_stays_infinite_ends_with_4_and_keeps_the_folder(cli, model, tmp_path, monkeypatch):
    def diverge(board):
        raise Diverged(3)

    monkeypatch.setattr(Board, "settle", diverge)
    result = cli(*unlearn(model, tmp_path / "u"))
    assert result.code == 4 and "infinite" in result.error and "step size" in result.error
    assert RunFolder(tmp_path / "u").status().state == "failed"
    assert not (tmp_path / "u" / "model.safetensors").exists()
    monkeypatch.undo()
    assert cli("resume", tmp_path / "u").code == 0, "a failed run can be taken up again"


def test_weights_that_became_infinite_are_never_written(cli, model, tmp_path, monkeypatch):
    from core.engine.engine import Engine

    advance = Engine.advance

    def broken(engine):
        advance(engine)
        next(b for n, b in engine.experiment.model.module.named_buffers() if "running_var" in n).fill_(float("inf"))

    monkeypatch.setattr(Engine, "advance", broken)
    result = cli(*unlearn(model, tmp_path / "u", "--set", "epochs=0.1", "min_steps=0", method="finetune"))
    assert result.code == 4 and "infinite" in result.error
    assert not (tmp_path / "u" / "model.safetensors").exists()


def test_user_code_is_run_only_with_trust(cli, tmp_path):
    code = tmp_path / "net.py"
    code.write_text(
        "from torch import nn\n\n"
        "def make(num_classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, num_classes))\n"
    )
    train = ["train", "--dataset", "digits", "--arch", f"{code}:make", "--recipe", "epochs=2", "--out", tmp_path / "o"]
    refused = cli(*train)
    assert refused.code == 3 and "--trust-code" in refused.error and not (tmp_path / "o").exists()
    assert cli(*train, "--trust-code").code == 0
    found = cli(*unlearn(tmp_path / "o", tmp_path / "u", "--trust-code", "--json")).document
    assert found["state"] == "finished"
    torch.testing.assert_close(
        torch.load(tmp_path / "u" / "model.pt", weights_only=True)["1.weight"].shape, torch.Size([16, 64])
    )
