"""Suspects where a network's outputs are no numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.errors import InputError
from core.session.bench import Bench
from core.session.suspects import find_suspects


def test_features_that_are_not_finite_are_named_and_doubt_no_label(bench, monkeypatch):
    outputs = bench.outputs(bench.model)
    features = outputs.train.features.clone()
    features[[17, 40]] = torch.nan
    broken = replace(outputs, train=replace(outputs.train, features=features))
    monkeypatch.setattr(Bench, "outputs", lambda *_: broken)
    with pytest.raises(InputError, match=r"features of 2 training images are not finite, the first is image 17"):
        find_suspects(bench, "label")
