"""What looks at few images leave out, of networks that answer as a test says: no weights, no layers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from core.data.preprocessing import Preprocessing
from core.models.architectures import ModelSpec
from core.session import trials
from core.session.bench import Bench

CLASSES, SIDE = 4, 8
USUAL, HEAVY = (ModelSpec(name, CLASSES, 1, (SIDE, SIDE)) for name in ("resnet18:stem=3,pool=max", "resnet18-cifar"))


@dataclass
class Model:
    """As much of an opened model as a search looks at."""

    spec: ModelSpec = USUAL
    alternatives: tuple[ModelSpec, ...] = (HEAVY,)
    state_dict: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def dataset(tmp_path):
    """Images whose left half shows the class, and whose right half how hard they are (0 to 255)."""
    hard = np.random.default_rng(0).permutation(240).astype(np.uint8)
    labels = np.arange(240) % CLASSES
    images = np.zeros((240, SIDE, SIDE), np.uint8)
    images[:, :, : SIDE // 2], images[:, :, SIDE // 2 :] = 60 * labels[:, None, None], hard[:, None, None]
    np.savez(tmp_path / "codes.npz", x_train=images, y_train=labels, x_test=images[:40], y_test=labels[:40])
    return Bench().with_data(str(tmp_path / "codes.npz")).dataset


def preparation(side):
    return Preprocessing.from_dict(
        {"size": side, "mean": [0.0], "std": [1.0]} | ({} if side == SIDE else {"resize": [side, side]})
    )


def find_out(dataset, shares, sides=(SIDE,)):
    """Try USUAL and HEAVY; shares: of images that a network gets right at a size, 0.3 where it is not named."""

    def build(model):
        norm = torch.nn.BatchNorm2d(1)
        values = dataset.train.images.numpy() / 255
        norm.running_mean.fill_(values.mean())
        norm.running_var.fill_(values.var())

        def network(images):
            norm(images)
            half = images.shape[-1] // 2
            label = (images[..., :half].mean((1, 2, 3)) * 255 / 60).round().long()
            easy = images[..., half:].mean((1, 2, 3)) * 255 / 240 < shares.get((model.spec, images.shape[-1]), 0.3)
            answers = torch.where(easy, label, (label + 1) % CLASSES)
            return SimpleNamespace(logits=4 * torch.nn.functional.one_hot(answers, CLASSES).float())

        return type("Network", (), {"module": norm, "__call__": lambda self, images: network(images)})()

    preparations = [preparation(side) for side in sides]
    return trials.find_out(Model(), dataset, preparations, build, torch.device("cpu"), lambda *told: None)


def test_a_network_too_large_to_be_looked_at_is_tried_before_a_smaller_one_is_sure(dataset, monkeypatch):
    monkeypatch.setattr(trials, "FEW", 1)
    monkeypatch.setattr(trials, "LARGEST_WORK", 3e7)
    assert trials._operations(USUAL, (SIDE, SIDE)) < 3e7 < trials._operations(HEAVY, (SIDE, SIDE)) < math.inf
    assert find_out(dataset, {(USUAL, SIDE): 0.7}).sure
    found = find_out(dataset, {(USUAL, SIDE): 0.7, (HEAVY, SIDE): 0.95})
    assert found.best.network == HEAVY


def test_a_size_that_suits_another_network_than_the_most_usual_is_tried_before_one_is_sure(dataset, monkeypatch):
    monkeypatch.setattr(trials, "FEW", 1)
    monkeypatch.setattr(trials, "MANY", 1)
    monkeypatch.setattr(trials, "FIRST_LOOK", (24, 1))
    sides = (SIDE, 2 * SIDE, 4 * SIDE)
    assert find_out(dataset, {(USUAL, SIDE): 0.7}, sides).sure
    found = find_out(dataset, {(USUAL, SIDE): 0.7, (HEAVY, 2 * SIDE): 0.95}, sides)
    assert found.best.network == HEAVY and not found.sure
