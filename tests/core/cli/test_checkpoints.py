"""Checkpoints as training programs write them, from `inspect` to the exported file, held against plain torch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from core.runs.folder import RunFolder

from .conftest import unlearn


class Plain(nn.Module):
    """The network of these files in plain torch, as its owner has it."""

    def __init__(self):
        super().__init__()

        def block(before, after):
            conv = nn.Conv2d(before, after, 3, padding=1, bias=False)
            return nn.ModuleDict({"conv": conv, "norm": nn.BatchNorm2d(after)})

        self.block1, self.block2, self.block3 = block(1, 16), block(16, 32), block(32, 64)
        self.hidden, self.head = nn.Linear(64, 128), nn.Linear(128, 10)

    def forward(self, x):
        for block in (self.block1, self.block2, self.block3):
            x = nn.functional.max_pool2d(block["norm"](block["conv"](x)).relu(), 2, ceil_mode=True)
        return self.head(self.hidden(x.flatten(1)).relu())


class Module(nn.Module):
    """A module around the network, as Lightning's are: with the loss's class weights and a metric's state."""

    def __init__(self):
        super().__init__()
        self.model, self.criterion = Plain(), nn.CrossEntropyLoss(weight=torch.linspace(0.5, 1.5, 10))
        self.register_buffer("confusion", torch.arange(100).reshape(10, 10))


@pytest.fixture(scope="module")
def states(model):
    """Two networks: the trained one, and the same with another head."""
    trained = load_file(model / "model.safetensors")
    torch.manual_seed(0)
    return trained, {**trained, "head.weight": torch.rand_like(trained["head.weight"])}


@pytest.fixture(scope="module")
def two(states, tmp_path_factory):
    path = tmp_path_factory.mktemp("two") / "gan.pt"
    torch.save({"nets": {"good": states[0], "other": states[1]}, "epoch": 7}, path)
    return path


@pytest.fixture(scope="module")
def run(cli, two, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "keyed"
    result = cli(*unlearn(two, folder, "--key", "nets.good", method="finetune"))
    assert result.code == 0, result.err
    return folder


def images():
    from core.data.sources import open_dataset
    from core.data.splits import evaluation_half

    data = open_dataset("digits")
    half = evaluation_half(data.test)  # the one that numbers are given of
    return data.preprocessing.apply(data.test.images)[half], data.test.labels[half]


def accuracies(state, forget=3):
    """Retain-test and forget-test accuracy of a state dict, by a plain loop."""
    net = Plain()
    net.load_state_dict(state)
    x, labels = images()
    with torch.no_grad():
        right = net.eval()(x).argmax(1) == labels
    return [float(right[labels != forget].float().mean()), float(right[labels == forget].float().mean())]


def said(cli, *arguments):
    stated = Path(os.environ["UNLEARN_STUDIO_HOME"]) / "preprocess.json"
    stated.parent.mkdir(parents=True, exist_ok=True)
    stated.write_text('{"size": 8, "mean": 0.3045, "std": 0.3752}')
    measures = cli(
        "evaluate",
        *arguments,
        "--dataset",
        "digits",
        "--forget-class",
        3,
        "--preprocess",
        stated,
        "--accept-accuracy",
        "--json",
    ).document
    return [measures["retain_test_accuracy"], measures["forget_test_accuracy"]]


def test_several_networks_are_asked_about_and_chosen(cli, two, states):
    for command in (["inspect", two], ["evaluate", "--model", two, "--dataset", "digits"]):
        result = cli(*command)
        assert result.code == 3
        assert "gan.pt holds 2 state dicts. Choose the network with --key: nets.good (22 keys); " in result.error
    text = cli("inspect", two, "--key", "nets.good").out
    assert "under 'nets.good'" in text and "nets.good (22 keys), nets.other (22 keys): --key NAME chooses" in text
    assert "nets.other (they may still hold this model's weights)" in text
    found = cli("inspect", two, "--key", "nets.other", "--json").document
    assert found["form"]["key"] == "nets.other" and found["entries"] == {"nets.good": 22, "nets.other": 22}
    for name, state in zip(("nets.good", "nets.other"), states, strict=True):
        assert said(cli, "--model", two, "--key", name) == pytest.approx(accuracies(state), abs=1e-6)
    missing = cli("inspect", two, "--key", "nets.god")
    assert missing.code == 3 and "has no weights under 'nets.god'. Did you mean nets.good" in missing.error


def test_a_run_keeps_the_choice(cli, run, two, states, tmp_path):
    assert RunFolder(run).job().model.key == "nets.good"
    again = cli(*unlearn(two, run, "--key", "nets.good", "--resume", method="finetune"))
    assert again.code == 0, again.err
    other = cli(*unlearn(two, run, "--key", "nets.other", "--resume", "--accept-accuracy", method="finetune"))
    assert other.code == 3 and "differs in model" in other.err
    assert cli("verify", run, "--json").code == 0
    assert cli("export", run, "--format", "same", "--out", tmp_path / "out.pt").code == 0
    written = torch.load(tmp_path / "out.pt", weights_only=True)
    assert set(written) == {"nets", "epoch"} and set(written["nets"]) == {"good"}
    assert said(cli, "--model", tmp_path / "out.pt") == pytest.approx(accuracies(written["nets"]["good"]), abs=1e-6)
    report = RunFolder(run).report()["models"]
    before = [report["original"][name] for name in ("retain_test_accuracy", "forget_test_accuracy")]
    assert before == pytest.approx(accuracies(states[0]), abs=1e-6)
    after = [report["unlearned"][name] for name in ("retain_test_accuracy", "forget_test_accuracy")]
    assert after == pytest.approx(accuracies(written["nets"]["good"]), abs=1e-6)


def test_a_later_request_and_the_chain_find_the_first_model(cli, run, tmp_path):
    result = cli(*unlearn(run, tmp_path / "next", forget=("--forget-class", 5), method="finetune"))
    assert result.code == 0, result.err
    assert RunFolder(tmp_path / "next").job().origin.key == "nets.good"
    report = RunFolder(tmp_path / "next").report()
    assert report["model"]["path"] == "gan.pt" and report["models"]["original"]["retain_test_accuracy"] > 0.9


def test_a_batch_and_an_export_take_the_choice(cli, two, states, tmp_path):
    (tmp_path / "b.toml").write_text(
        f'model = "{two}"\nkey = "nets.other"\ndataset = "digits"\nmethods = ["finetune"]\n'
        "accept_accuracy = true\n"
        '[[forget]]\nclasses = ["3"]\n'
    )
    result = cli("batch", tmp_path / "b.toml", "--out", tmp_path / "runs")
    assert result.code == 0, result.err
    assert RunFolder(tmp_path / "runs" / "3-finetune-s0").job().model.key == "nets.other"
    out = tmp_path / "other.safetensors"
    assert cli("export", two, "--key", "nets.other", "--format", "safetensors", "--out", out).code == 0
    assert torch.equal(load_file(out)["head.weight"], states[1]["head.weight"])


def test_a_lightning_checkpoint_goes_round_without_a_factory(cli, states, tmp_path):
    module = Module()
    module.model.load_state_dict(states[0])
    content = {
        "epoch": 2, "global_step": 90, "pytorch-lightning_version": "2.6.0", "state_dict": module.state_dict(),
        "optimizer_states": [{"state": {}, "param_groups": []}], "hyper_parameters": {"lr": 0.1},
    }  # fmt: skip
    torch.save(content, tmp_path / "net.ckpt")
    text = cli("inspect", tmp_path / "net.ckpt").out
    assert "confusion, criterion.weight (given back as is)" in text
    result = cli(*unlearn(tmp_path / "net.ckpt", tmp_path / "run", method="finetune"))
    assert result.code == 0, result.err
    (tmp_path / "net.ckpt").unlink()
    assert cli("export", tmp_path / "run", "--format", "same", "--out", tmp_path / "out.ckpt").code == 0
    written = torch.load(tmp_path / "out.ckpt", weights_only=True)
    again = Module()
    again.criterion.weight.zero_()
    again.load_state_dict(written["state_dict"])  # strict: every key of the owner's module
    assert torch.equal(again.criterion.weight, module.criterion.weight)
    assert torch.equal(again.confusion, module.confusion)
    assert written["hyper_parameters"] == {"lr": 0.1} and written["epoch"] == 2
    measures = RunFolder(tmp_path / "run").report()["models"]["unlearned"]
    found = [measures[name] for name in ("retain_test_accuracy", "forget_test_accuracy")]
    assert found == pytest.approx(accuracies(again.model.state_dict()), abs=1e-6)


def test_what_lies_near_a_forget_set_is_asked_of_data(cli, unlearned, model):
    result = cli("inspect", unlearned, "--forget-class", 3)
    assert result.code == 3
    assert "is a run, and what lies near a forget set is looked for in data. Name digits in its place" in result.error
    result = cli("inspect", model / "model.safetensors", "--forget-class", 3)
    assert result.code == 3 and "is a model, and what lies near" in result.error


def test_a_card_is_the_model_it_describes(cli, model):
    found = cli("inspect", model / "model.json", "--json").document
    assert found == cli("inspect", model / "model.safetensors", "--json").document


def test_a_reference_of_the_same_layout_needs_no_option(cli, two, states, run, tmp_path):
    """A retrained model's file has its networks in the same places as the original's."""
    torch.save({"nets": {"good": states[1], "other": states[0]}, "epoch": 1}, tmp_path / "again.pt")
    measured = cli("evaluate", "--model", two, "--key", "nets.good", "--dataset", "digits", "--forget-class", 3,
                   "--reference", f"retrained={tmp_path / 'again.pt'}", "--json")  # fmt: skip
    assert measured.code == 0, measured.err
    found = measured.document["references"]["retrained"]
    assert found["retain_test_accuracy"] == pytest.approx(accuracies(states[1])[0], abs=1e-6)
