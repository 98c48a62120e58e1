"""Every architecture, without allocating a weight: recognised from its keys, no other fits, tapped at its head, small.

A network is built once for all of that.
"""

from __future__ import annotations

import pytest
import torch

from core.models.architectures import ModelSpec, architectures, build_on_meta, get_architecture
from core.models.recognise import compare, fitting
from core.models.tap import TappedModel

CLASSES = 7


@pytest.mark.slow
@pytest.mark.parametrize("architecture", [a.id for a in architectures()])
def test_recognised_and_tapped_at_its_head_and_trains_at_its_smallest_size(architecture, norms_that_only_check):
    known, channels = get_architecture(architecture), 3 if architecture == "mlp" else 4  # weights of an mlp tell none
    module = build_on_meta(ModelSpec(architecture, CLASSES, channels, known.default_size)).to("meta")
    shapes = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    found = fitting(shapes)[0]
    assert (found.architecture, found.num_classes, found.in_channels) == (architecture, CLASSES, channels)
    alike = [a for a in architectures() if a.family == known.family and a.id != architecture]
    assert not [a.id for a in alike if compare(a, shapes).fits]

    size = known.default_size if known.family == "vision_transformer" else (known.min_size,) * 2
    if known.size_is_structural and size != known.default_size:
        module = build_on_meta(ModelSpec(architecture, CLASSES, channels, size)).to("meta")
    tap = TappedModel(module, CLASSES, input_shape=(channels, *size))
    received = []
    tap.head.register_forward_pre_hook(lambda head, inputs: received.append(inputs[0]))
    out = tap(torch.empty(2, channels, *size, device="meta"))  # in training mode: its norms need two values a channel
    assert out.logits.shape == (2, CLASSES) and out.features.shape == (2, tap.feature_dim)
    assert tap.head_name == list(shapes)[-1].rpartition(".")[0] or architecture.startswith("maxvit")
    assert out.features.shape[1] == received[0].shape[1]
