"""Every architecture, without allocating a weight: recognised from its keys, no other fits, and tapped at its head."""

from __future__ import annotations

import pytest
import torch

from core.models.architectures import ModelSpec, architectures, build_on_meta, get_architecture
from core.models.recognise import compare, fitting
from core.models.tap import TappedModel

CLASSES = 7


@pytest.mark.slow
@pytest.mark.parametrize("architecture", [a.id for a in architectures()])
def test_recognised_and_tapped_at_its_head(architecture):
    known = get_architecture(architecture)
    module = build_on_meta(ModelSpec(architecture, CLASSES, 3, known.default_size)).to("meta").eval()
    shapes = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    found = fitting(shapes)[0]
    assert (found.architecture, found.num_classes, found.in_channels) == (architecture, CLASSES, 3)
    alike = [a for a in architectures() if a.family == known.family and a.id != architecture]
    assert not [a.id for a in alike if compare(a, shapes).fits]

    tap = TappedModel(module, CLASSES, input_shape=(3, *known.default_size))
    received = []
    tap.head.register_forward_pre_hook(lambda head, inputs: received.append(inputs[0]))
    with torch.no_grad():
        out = tap(torch.empty(2, 3, *known.default_size, device="meta"))
    assert out.features.shape == (2, tap.feature_dim)
    assert tap.head_name == list(shapes)[-1].rpartition(".")[0] or architecture.startswith("maxvit")
    assert out.features.shape[1] == received[0].shape[1]
