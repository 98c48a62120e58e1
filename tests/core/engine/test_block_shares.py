"""Operations per block against counts by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.engine.work import block_shares
from core.models.tap import TappedModel


def test_a_network_counted_by_hand():
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),  # 8 × 8 places × 4 channels × 9 weights = 2,304
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 8, 3, padding=1),  # 4 × 4 × 8 × 36 = 4,608
        nn.Flatten(),
        nn.Linear(128, 10),  # 10 × 128 = 1,280
    )
    model = TappedModel(module, 10, input_shape=(1, 8, 8))
    assert len(model.blocks()) == 3
    for count in (1, 5):
        shares = block_shares(model, torch.zeros(count, 1, 8, 8))
        assert shares == pytest.approx((2304 / 8192, 4608 / 8192, 1280 / 8192))


def test_nothing_is_left_behind():
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    model = TappedModel(module, 2, input_shape=(1, 2, 2))
    shares = block_shares(model, torch.zeros(1, 1, 2, 2))
    assert sum(shares) == pytest.approx(1.0) and len(shares) == len(model.blocks())
    assert all(not layer._forward_hooks for layer in module.modules())
    assert all(parameter.grad is None for parameter in module.parameters())
