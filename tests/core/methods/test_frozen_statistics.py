"""Methods that train on forget images alone, or beside others, keep the batch statistics of the original."""

from __future__ import annotations

import pytest
import torch

from tests.core.methods.cases import SHORT
from tests.core.toy import make_engine, make_experiment, run_to_end


@pytest.mark.parametrize(
    "method",
    ["bad-teacher", "boundary-shrink", "gradient-ascent", "head-only", "lipschitz", "lotus", "munba", "neggrad-plus"],
)
def test_batch_statistics_stay_those_of_the_original(method):
    experiment = make_experiment(method, **SHORT[method])
    norm, kernel = experiment.model.module.block1[1], experiment.model.module.block1[0].weight
    mean, spread, before = norm.running_mean.clone(), norm.running_var.clone(), kernel.detach().clone()
    run_to_end(make_engine(experiment))
    assert torch.equal(norm.running_mean, mean) and torch.equal(norm.running_var, spread)
    assert torch.equal(kernel, before) is (method == "head-only")  # that is: steps were taken
