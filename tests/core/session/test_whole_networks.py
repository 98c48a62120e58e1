"""An own network saved whole goes round: opened, unlearned, resumed, given back whole to the program that wrote it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from core.engine.control import Control
from core.errors import UnsafeFileError
from core.events import State
from core.models.checkpoint import read_model
from core.models.trust import Trust
from core.selection import Selection
from core.session.bench import Bench
from core.session.exporting import export, open_source
from core.session.jobs import create_run, make_unlearn_job
from core.session.running import run
from tests.core.programs import run_program

NETWORK = """
from torch import nn

class Squash(nn.Module):
    def forward(self, x):
        return x / (1 + x.abs())

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.a_head = nn.Linear(48, 10)
        self.body = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), Squash(), nn.MaxPool2d(4))
    def forward(self, x):
        return self.a_head(self.body(x).flatten(1))
"""
TRAIN = """
import torch
from own import Own
data = torch.load("data.pt", weights_only=True)
torch.manual_seed(0)
net = Own()
optimizer = torch.optim.Adam(net.parameters(), 0.01)
for step in range(150):
    ids = torch.randint(len(data["y"]), (64,))
    loss = torch.nn.functional.cross_entropy(net(data["x"][ids]), data["y"][ids])
    optimizer.zero_grad(); loss.backward(); optimizer.step()
torch.save(net, "bare.pth")
torch.save({"model": net, "epoch": 7}, "in a dictionary.pth")
"""
LOAD = """
import torch
data = torch.load("data.pt", weights_only=True)
for name in ("bare", "in a dictionary"):
    content = torch.load(f"{name}/back.pth", weights_only=False)
    net = content if name == "bare" else content["model"]
    assert type(net).__module__ == "own" and type(net).__name__ == "Own", type(net)
    assert name == "bare" or content["epoch"] == 7
    net.eval()
    torch.save(net(data["tx"]).detach(), f"{name}/logits.pt")
"""


def test_a_whole_network_goes_round(tmp_path, digits):
    (tmp_path / "own.py").write_text(NETWORK)
    apply = digits.preprocessing.apply
    held = {"x": apply(digits.train.images), "y": digits.train.labels, "tx": apply(digits.test.images)}
    torch.save(held, tmp_path / "data.pt")
    run_program(tmp_path, TRAIN)
    networks = {}
    for name in ("bare", "in a dictionary"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.pth").rename(tmp_path / name / "net.pth")
        (tmp_path / name / "own.py").write_text(NETWORK)
        networks[name] = gone_round(tmp_path / name, digits)
    subprocess.run([sys.executable, "-c", LOAD], check=True, cwd=tmp_path)
    for name, network in networks.items():
        with torch.no_grad():
            logits = torch.load(tmp_path / name / "logits.pt", weights_only=True)
            assert torch.equal(logits, network(held["tx"])), name


def gone_round(tmp_path, digits):
    """Open net.pth, unlearn with it and write it back; returns the network that was written."""
    trust = Trust(pickle=True)
    with pytest.raises(UnsafeFileError):
        Bench().open(tmp_path / "net.pth", "digits")
    bench = Bench(device="cpu", threads=1, trust=trust).open(tmp_path / "net.pth", "digits")
    assert bench.model.spec.user_code == f"{tmp_path / 'net.pth'}:Own" and bench.model.form.module == "own.Own"

    three = Selection.empty(digits.train.labels.numpy(), digits.classes).with_classes([3])
    job = make_unlearn_job(bench.on("cpu", "float32", threads=1), three, "finetune", settings={"epochs": 1})
    folder = create_run(tmp_path / "run", job, three, digits)
    # Opened anew from the job, as when a run is resumed: the same file, under the same trust.
    assert run(folder, Control(), lambda event: None, Bench(trust=trust)) is State.FINISHED
    with pytest.raises(UnsafeFileError, match="--trust-pickle"):
        export(folder.path, "same", tmp_path / "back.pth", Bench(), with_card=False)
    result = export(folder.path, "same", tmp_path / "back.pth", Bench(trust=trust), with_card=False)
    assert result.keys == len(bench.model.state_dict) and len(result.notes) == 1  # that it was not checked
    network = open_source(folder.path, Bench(trust=trust)).module
    changed = read_model(tmp_path / "back.pth", trust).opened()
    assert not torch.equal(changed.state_dict["a_head.weight"], bench.model.state_dict["a_head.weight"])

    fresh = [bench.untrained(job.model, seed).module.state_dict()["a_head.weight"] for seed in (1, 1, 2)]
    assert torch.equal(fresh[0], fresh[1]) and not torch.equal(fresh[0], fresh[2])
    (tmp_path / "net.pth").rename(tmp_path / "gone.pth")
    source = replace(open_source(tmp_path / "gone.pth", Bench(trust=trust)), folder=folder, job=job)
    assert source.pickled is None
    return network
