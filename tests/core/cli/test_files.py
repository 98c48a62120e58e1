"""Files of all kinds: what `inspect` says of them, and that a stranger's checkpoint comes back as it came in."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

from core.files import _umask, open_to_append

from .conftest import unlearn


def test_a_model(cli, model):
    path = model / "model.safetensors"
    found = cli("inspect", path, "--json").document
    assert found["kind"] == "model" and found["architecture"] == "small-cnn" and found["num_classes"] == 10
    assert found["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found["format"] == "safetensors" and found["card"] is True and found["input_size"] == [8, 8]
    text = cli("inspect", path).out
    assert "small-cnn" in text and found["sha256"] in text


def test_a_checkpoint_of_someone_else(cli, tmp_path):
    import torchvision

    torch.manual_seed(0)
    state = {f"module.{k}": v for k, v in torchvision.models.resnet18(num_classes=7).state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state, "optimizer": {"x": torch.zeros(2)}}, tmp_path / "net.pth")
    found = cli("inspect", tmp_path / "net.pth", "--json").document
    assert found["architecture"] == "resnet18" and found["num_classes"] == 7 and found["input_size"] is None
    form = found["form"]
    assert form["container"] == "state_dict" and form["prefix"] == "module." and form["scalars"] == {"epoch": 3}
    assert form["dropped"] == ["optimizer"]
    text = cli("inspect", tmp_path / "net.pth").out
    assert "optimizer (they may still hold this model's weights)" in text and "epoch=3" in text


def test_data_by_name_and_by_path(cli, images, digits):
    found = cli("inspect", "digits", "--json").document
    assert found["kind"] == "dataset" and found["train"] == digits.all and found["per_class"]["3"] == digits.threes
    found = cli("inspect", images, "--json").document
    assert found["kind"] == "dataset" and found["channels"] == 3 and found["image_size"] == [12, 12]
    assert found["train"] == 150 and found["test"] == 50 and len(found["fingerprint"]) == 64


def test_files_of_a_data_set_that_are_left_out_are_listed(cli, tmp_path):
    for folder in ("train/a", "train/b", "test/a"):
        (tmp_path / folder).mkdir(parents=True)
        Image.new("L", (8, 8), 100).save(tmp_path / folder / "good.png")
    for number in range(22):
        (tmp_path / "train" / "a" / f"bad\n{number:02d}.png").write_bytes(b"?")
    (tmp_path / "train" / "b" / "loop").symlink_to("..")
    found = cli("inspect", tmp_path, "--json").document["unreadable"]
    assert len(found) == 23 and {"path": "train/a/bad\n03.png", "reason": found[-1]["reason"]} in found
    lines = cli("inspect", tmp_path).out.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("Left out"))
    assert lines[first].endswith(" 23")
    assert lines[first + 1].strip() == "train/b/loop: a link to a folder that holds it, not followed"
    assert lines[first + 2].strip() == r"train/a/bad\n00.png: not an image, or of an unknown kind"
    assert lines[first + 21].strip() == "and 3 more, which --json lists"


def test_data_without_a_test_part(cli, tmp_path):
    np.savez(tmp_path / "d.npz", x_train=np.zeros((20, 8, 8), "uint8"), y_train=np.arange(20) % 2)
    found = cli("inspect", tmp_path / "d.npz", "--json").document
    assert (found["train"], found["test"], found["test_origin"]) == (20, 0, None)
    assert "--test-fraction" in cli("inspect", tmp_path / "d.npz").out
    parted = cli("inspect", tmp_path / "d.npz", "--test-fraction", "0.5", "--json").document
    assert (parted["train"], parted["test"], parted["test_origin"]) == (10, 10, "set aside")


@pytest.mark.skipif(os.name == "nt", reason="has no such rights")
def test_what_tells_of_single_images_is_for_its_owner_alone(cli, unlearned, home, tmp_path, monkeypatch):
    """Lists of people, logs that may name them, and values of single images; what is given on stays readable."""
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(home))  # the one the run was made in
    modes = {path.name: path.stat().st_mode & 0o777 for path in unlearned.iterdir() if path.is_file()}
    private = {name for name, mode in modes.items() if mode == 0o600}
    assert private - {".lock"} == {"forget.csv", "events.jsonl", "verify.jsonl"}
    readable = 0o666 & ~_umask()
    assert modes["report.html"] == modes["model.safetensors"] == modes["job.json"] == readable
    cached = [path for kind in ("outputs", "measures") for path in (home / "cache" / kind).rglob("*") if path.is_file()]
    assert cached and {path.stat().st_mode & 0o777 for path in cached} == {0o600}
    out = tmp_path / "given.pt"
    assert cli("export", unlearned, "--format", "pt", "--out", out, "--forget-list", "--report").code == 0
    given = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert [mode for name, mode in given.items() if "forget" in name] == [0o600]
    assert given["given.pt"] == readable and readable in [mode for name, mode in given.items() if "report" in name]
    (unlearned / "events.jsonl").chmod(0o644)  # as earlier versions left it
    with open_to_append(unlearned / "events.jsonl"):
        assert (unlearned / "events.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_run_and_a_folder_of_runs(cli, unlearned):
    found = cli("inspect", unlearned, "--json").document
    assert found["kind"] == "run" and found["state"] == "finished" and found["forget"]["classes"] == ["3"]
    text = cli("inspect", unlearned).out
    assert "Forget-test accuracy" in text and "a run" in text
    found = cli("inspect", unlearned.parent, "--json").document
    assert found["kind"] == "runs" and unlearned.name in [row["run"] for row in found["runs"]]


def test_a_report(cli, unlearned):
    found = cli("inspect", unlearned / "report.html", "--json").document
    assert found["kind"] == "report" and found["method"] == "muda" and "model.pt" in found["files"]


def test_forget_lists_need_no_data(cli, unlearned, tmp_path):
    found = cli("inspect", unlearned / "forget.csv", "--json").document
    assert found["kind"] == "forget list" and found["classes"] == ["3"] and found["by_name"] == 0
    (tmp_path / "l.txt").write_text("3\n17\na/b.png\n")
    found = cli("inspect", tmp_path / "l.txt", "--json").document
    assert (found["entries"], found["by_index"], found["by_name"]) == (3, 2, 1)


def test_export_gives_the_form_back(cli, unlearned, tmp_path):
    result = cli("export", unlearned, "--format", "same", "--out", tmp_path / "b.safetensors")
    assert result.code == 0 and result.err == ""
    assert "Written and read back: same 22 keys, types and shapes; largest difference on 256 images: 0." in result.out
    found = cli("export", unlearned, "--format", "pt", "--out", tmp_path / "c.pt", "--report", "--json").document
    assert found["largest_difference"] == 0 and found["keys"] == 22
    assert found["sha256"] == hashlib.sha256((tmp_path / "c.pt").read_bytes()).hexdigest()
    assert [path.rpartition("/")[2] for path in found["also"]] == ["c.json", "c-report.html"]


def test_export_replaces_only_when_asked(cli, unlearned, tmp_path):
    command = ["export", unlearned, "--format", "pt", "--out", tmp_path / "c.pt"]
    assert cli(*command).code == 0
    again = cli(*command)
    assert again.code == 3 and "--force" in again.error
    assert cli(*command, "--force").code == 0


def test_an_exported_model_goes_where_the_old_one_went(cli, unlearned, model, tmp_path):
    assert cli("export", unlearned, "--format", "pt", "--out", tmp_path / "c.pt").code == 0
    measure = ["--dataset", "digits", "--forget-class", 3, "--json"]
    ours = cli("evaluate", "--model", tmp_path / "c.pt", *measure).document
    assert ours == cli("evaluate", "--model", unlearned, *measure).document
    assert cli(*unlearn(tmp_path / "c.pt", tmp_path / "next", forget=("--forget-class", 4))).code == 0


def test_a_strangers_checkpoint_is_given_back_as_it_came_in(cli, tmp_path):
    """A ResNet-18 under "state_dict" with "module." keys: same keys, types and shapes, and the file is not touched."""
    import torchvision

    torch.manual_seed(0)
    state = {f"module.{k}": v for k, v in torchvision.models.resnet18(num_classes=4).state_dict().items()}
    path = tmp_path / "net.pth"
    torch.save({"epoch": 3, "state_dict": state}, path)
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 60)
    pixels = (generator.integers(0, 90, (60, 16, 16, 3)) + labels[:, None, None, None] * 40).astype("uint8")
    np.savez(tmp_path / "d.npz", x_train=pixels[:40], y_train=labels[:40], x_test=pixels[40:], y_test=labels[40:])
    before = path.read_bytes()
    # A step of plain fine-tuning: losses of a network that was never trained become infinite in whatever does more.
    command = ["unlearn", "--model", path, "--dataset", tmp_path / "d.npz", "--forget-class", "2", "--method"]
    result = cli(*command, "finetune", "--set", "epochs=1", "min_steps=1", "lr=0.001", "--out", tmp_path / "u")
    assert result.code == 0, result.err
    assert path.read_bytes() == before
    path.unlink()
    assert cli("export", tmp_path / "u", "--format", "same", "--out", tmp_path / "back.pth").code == 0
    back = torch.load(tmp_path / "back.pth", weights_only=True)
    assert back["epoch"] == 3 and list(back["state_dict"]) == list(state)
    for key, value in back["state_dict"].items():
        assert value.dtype == state[key].dtype and value.shape == state[key].shape
    assert any(not torch.equal(value, state[key]) for key, value in back["state_dict"].items())
    assert json.loads((tmp_path / "back.json").read_text())["architecture"] == "resnet18"


def test_the_example_without_a_window(cli, model, tmp_path, monkeypatch, capsys):
    """With the digits in its place; what the one that ships claims is held where it runs in the window."""
    from core.session import example
    from core.session.bench import Bench
    from main import main
    from tests.digits import DIGITS

    bench = Bench().with_data("digits").with_model(model / "model.safetensors")
    recipe = {**DIGITS, "preset": "", "retrained": [1]}
    monkeypatch.setattr(example, "open_example", lambda control, tell: example.example_of(bench, recipe))
    command = ["--example", "--no-window", "--out", str(tmp_path / "e")]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "without a window" in out and "The whole example took" in out
    assert "model.pt: Written and read back" in out and "Found again by" in out
    report = json.loads((tmp_path / "e" / "report.json").read_text())
    assert list(report["retrained"]) == ["seed 1"] and report["suite"] == "full"
    assert " ".join(report["verdict"]["sentence"].split()) in " ".join(out.split())
    assert main(command) == 3 and "already holds a run" in capsys.readouterr().err
