"""Auxiliary heads take no part in what a network says: closed forms leave them as they are, too."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.models.architectures import CARRIED_ALONG
from tests.core.toy import make_engine, make_experiment, run_to_end, weights


class WithAuxiliaryHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.ReLU()), nn.Linear(8, 4)
        self.auxiliary = nn.Linear(8, 4)
        setattr(self.auxiliary, CARRIED_ALONG, True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(images))


@pytest.mark.parametrize(
    ("method", "values"),
    [
        ("fisher", {"search": False, "alpha": 1e-4}),
        ("ssd", {"search": False, "alpha": 1.0}),
        ("influence", {"search": False, "scale": 1.0}),
        ("finetune", {"epochs": 1}),
    ],
)
def test_an_auxiliary_head_stays_as_it_is(method, values):
    experiment = make_experiment(method, WithAuxiliaryHead(), **values)
    before = weights(experiment.model.module)
    run_to_end(make_engine(experiment))
    after = weights(experiment.model.module)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    for name in ("auxiliary.weight", "auxiliary.bias"):
        assert torch.equal(before[name], after[name])
