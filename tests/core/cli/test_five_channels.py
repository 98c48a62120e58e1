"""A network of five input channels, trained by plain torch on an array: unlearned and measured."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from core.models.architectures import ModelSpec, build_model

SPEC = ModelSpec("small-cnn", 4, 5, (12, 12))


def test_five_channels(cli, tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(240) % 4
    pixels = rng.integers(0, 90, (240, 5, 12, 12))
    pixels[np.arange(240), labels + 1] += 140  # the class is the channel that is bright
    x, y = pixels.astype(np.uint8), torch.from_numpy(labels)
    np.savez(tmp_path / "five.npz", x_train=x[:180], y_train=labels[:180], x_test=x[180:], y_test=labels[180:])
    images = torch.from_numpy(x).float() / 255
    images = (images - images.mean((0, 2, 3), keepdim=True)) / images.std((0, 2, 3), keepdim=True)
    torch.manual_seed(0)
    network = build_model(SPEC).train()
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(40):
        optimiser.zero_grad()
        F.cross_entropy(network(images[:180]), y[:180]).backward()
        optimiser.step()
    torch.save(network.state_dict(), tmp_path / "five.pt")
    done = cli("unlearn", "--model", tmp_path / "five.pt", "--dataset", tmp_path / "five.npz", "--forget-class", 2,
               "--method", "muda", "--set", "rounds=2", "relearn_min_steps=10", "--out", tmp_path / "out",
               "--threads", 1)  # fmt: skip
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["models"]["original"]["retain_test_accuracy"] > 0.9
    unlearned = build_model(SPEC).eval()
    unlearned.load_state_dict(load_file(tmp_path / "out" / "model.safetensors"))
    prepared = json.loads((tmp_path / "out" / "job.json").read_text())["model"]["preprocessing"]
    mean, std = (torch.tensor(prepared[name]).view(1, 5, 1, 1) for name in ("mean", "std"))
    stays = y[:180] != 2
    with torch.no_grad():
        named = unlearned((torch.from_numpy(x[:180]).float() / 255 - mean) / std).argmax(1)
    right = (named == y[:180])[stays].float().mean().item()
    assert report["models"]["unlearned"]["retain_accuracy"] == pytest.approx(right, abs=1e-3)
