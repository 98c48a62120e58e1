"""Weights of few bits: the levels by hand, and what is left alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.models.few_bits import BITS, quantise
from tests.core.toy import trained_net, weights


def test_each_output_channel_is_rounded_to_its_own_levels():
    layer = nn.Linear(3, 2)
    layer.weight.data = torch.tensor([[7.0, -3.4, 0.49], [0.07, 0.034, -0.021]])
    bias = layer.bias.detach().clone()
    quantise(layer, 4)  # 7 levels a side: steps of 1 and of 0.01
    assert torch.allclose(layer.weight, torch.tensor([[7.0, -3.0, 0.0], [0.07, 0.03, -0.02]]), atol=1e-6)
    assert torch.equal(layer.bias, bias)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize(("layer", "axis"), [(nn.Conv2d(3, 4, 3), 0), (nn.ConvTranspose2d(3, 4, 3), 1),
                                             (nn.MultiheadAttention(8, 2), 0)])  # fmt: skip
def test_a_weight_has_no_more_levels_than_its_bits_and_moves_by_half_a_step_at_most(layer, axis, bits):
    name = "in_proj_weight" if isinstance(layer, nn.MultiheadAttention) else "weight"
    before = getattr(layer, name).detach().clone()
    quantise(layer, bits)
    after = getattr(layer, name).detach()
    for one, other in zip(before.unbind(axis), after.unbind(axis), strict=True):
        step = float(one.abs().max()) / (2 ** (bits - 1) - 1)
        assert len(torch.unique((other / step).round())) <= 2**bits - 1
        assert float((one - other).abs().max()) <= step / 2 + 1e-6 and not torch.equal(one, other)


def test_norms_and_biases_stay_and_a_second_rounding_changes_nothing():
    net = trained_net()
    before = weights(net)
    quantise(net, 8)
    once = weights(net)
    moved = {name for name in before if not torch.equal(before[name], once[name])}
    assert moved == {"block1.0.weight", "block2.2.weight", "head.weight"}
    quantise(net, 8)
    assert all(torch.allclose(value, once[name], atol=1e-6) for name, value in weights(net).items())


def test_a_channel_of_zeros_stays_one():
    layer = nn.Linear(2, 1)
    layer.weight.data.zero_()
    quantise(layer, 4)
    assert torch.equal(layer.weight, torch.zeros(1, 2))
