"""Operations of passes and of blocks, against counts by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.engine.experiment import FORWARD, GRADIENT, block_shares, operations
from core.models.tap import TappedModel
from tests.core.toy import make_experiment

# Multiply-adds of one 6x6 image: 3x3 convolution to 6 channels, 54 -> 10, 10 -> 4; torch counts two operations each.
CONV, HIDDEN, HEAD = 2 * 36 * 9 * 6, 2 * 54 * 10, 2 * 10 * 4


def test_kinds_of_passes_cost_what_they_compute():
    setting = make_experiment("finetune")

    def of(kind: str) -> float:
        return operations({kind: 3}, setting.model, setting.train.batch(torch.arange(2)).images) / 3

    whole = CONV + HIDDEN + HEAD
    assert of(FORWARD) == whole
    assert of(GRADIENT) == of("step:all") == 3 * whole - CONV  # images get no gradient
    assert of("front:last-2") == CONV
    assert of("tail:last-2") == 3 * (HIDDEN + HEAD) - HIDDEN  # nor do the cached activations
    assert of("step:head") == whole + HEAD


class Attending(nn.Module):
    """Three tokens of four values, one layer of attention, a head of two outputs."""

    def __init__(self):
        super().__init__()
        self.input_shape = (1, 3, 4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        tokens = x.flatten(1, 2)
        return self.head(self.attention(tokens, tokens, tokens, need_weights=False)[0].mean(dim=1))


def test_attention_is_counted_where_it_would_run_in_one_kernel():
    model = TappedModel(Attending().eval(), 2)
    projections, products, head = 3 * 4 * 12 + 3 * 4 * 4, 2 * 3 * 3 * 4, 4 * 2
    whole = 2 * (projections + products + head)  # a product and a sum each
    assert operations({FORWARD: 1}, model, torch.zeros(2, 1, 3, 4)) == whole


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
    assert len(model.blocks) == 3
    for count in (1, 5):
        shares = block_shares(model, torch.zeros(count, 1, 8, 8))
        assert shares == pytest.approx((2304 / 8192, 4608 / 8192, 1280 / 8192))


def test_nothing_is_left_behind():
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    model = TappedModel(module, 2, input_shape=(1, 2, 2))
    shares = block_shares(model, torch.zeros(1, 1, 2, 2))
    assert sum(shares) == pytest.approx(1.0) and len(shares) == len(model.blocks)
    assert all(not layer._forward_hooks for layer in module.modules())
    assert all(parameter.grad is None for parameter in module.parameters())
