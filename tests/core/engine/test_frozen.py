"""What a refresh may do with the network besides reading: gradients to inputs, and nothing left behind."""

from __future__ import annotations

import pytest
import torch

from core.engine.passes import SetPasses
from tests.core.toy import make_experiment, same, weights


def test_gradients_flow_to_inputs_alone_in_eval_mode_and_everything_is_as_before():
    experiment = make_experiment("finetune")
    module = experiment.model.module
    module.train()
    module.head.weight.requires_grad_(False)
    before, modes = weights(module), [part.training for part in module.modules()]
    context = SetPasses(experiment, lambda: None)
    images = torch.randn(5, *context.input_shape, requires_grad=True)
    network = experiment.model
    with torch.no_grad(), network.frozen():
        assert not any(part.training for part in network.module.modules())
        once, again = network(images).logits, network(images).logits
        once.sum().backward()
    assert torch.equal(once, again) and bool(images.grad.abs().sum() > 0)
    assert all(parameter.grad is None for parameter in module.parameters())
    assert same(before, weights(module)) and modes == [part.training for part in module.modules()]
    assert [n for n, p in module.named_parameters() if not p.requires_grad] == ["head.weight"]


def test_a_loop_of_its_own_can_be_interrupted():
    def end() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SetPasses(make_experiment("finetune"), end).check()
