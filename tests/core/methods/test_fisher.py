"""Fisher forgetting: information and noise against closed forms, the search, the head's rows."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.engine.passes import SetPasses
from core.errors import RunError
from core.events import Log
from core.methods.fisher import LARGEST_VARIANCE, ROW_DEVIATION, information, noise, replace_rows
from tests.core.toy import make_engine, make_experiment, run_to_end, same, trained_net, weights


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 4))


def run_fisher(**values):
    experiment = make_experiment("fisher", **values)
    events = run_to_end(make_engine(experiment))
    return experiment, [e.message for e in events if isinstance(e, Log)]


def test_information_of_a_linear_softmax_is_its_closed_form():
    """sum_y p_y (1[y = k] - p_k)^2 = p_k (1 - p_k): no true label enters."""
    experiment = make_experiment("fisher", linear())
    found = information(SetPasses(experiment, lambda: None), 0, labels=4)
    batch = experiment.train.batch(experiment.splits.retain_train)
    x = batch.images.flatten(1).double()
    p = torch.softmax(experiment.model(batch.images).logits.detach().double(), dim=1)
    expected = ((p * (1 - p))[:, :, None] * x.square()[:, None, :]).mean(dim=0)
    assert torch.allclose(found["1.weight"].double(), expected, rtol=1e-4, atol=1e-8)
    assert torch.allclose(found["1.bias"].double(), (p * (1 - p)).mean(dim=0), rtol=1e-4)


def test_fewer_labels_leave_the_most_probable():
    experiment = make_experiment("fisher", linear())
    found = information(SetPasses(experiment, lambda: None), 0, labels=1)
    images = experiment.train.batch(experiment.splits.retain_train).images
    p = torch.softmax(experiment.model(images).logits, dim=1).double()
    top, where = p.max(dim=1)
    residual = nn.functional.one_hot(where, 4) - p
    assert torch.allclose(found["1.bias"].double(), (top[:, None] * residual.square()).mean(dim=0), rtol=1e-4)


def test_noise_has_the_inverse_information_as_variance_up_to_the_cap():
    context = SetPasses(make_experiment("fisher"), lambda: None)
    fisher = {"a": torch.full((20_000,), 4.0), "b": torch.zeros(20_000)}
    found = noise(context, fisher)
    assert float(found["a"].var()) == pytest.approx(1 / 4, rel=0.05)
    assert float(found["b"].var()) == pytest.approx(LARGEST_VARIANCE, rel=0.05)
    assert abs(float((found["a"] * found["b"]).mean())) < 0.5  # independent: their deviations are 0.5 and 31.6
    assert same(found, noise(context, fisher))


def test_noise_is_scaled_by_the_root_of_alpha():
    once, _ = run_fisher(search=False, alpha=1e-6)
    more, _ = run_fisher(search=False, alpha=4e-6)
    start = trained_net()
    for name, weight in start.named_parameters():
        small = once.model.module.get_parameter(name) - weight
        assert torch.allclose(2 * small, more.model.module.get_parameter(name) - weight, atol=1e-5)
        assert bool((small != 0).any())


def test_search_adds_as_much_as_the_bound_allows():
    experiment, said = run_fisher(max_drop=0.1, forget="sample")
    before = SetPasses(make_experiment("fisher", forget="sample"), lambda: None)
    after = SetPasses(experiment, lambda: None)
    assert before.accuracy("retain") - 0.1 <= after.accuracy("retain")
    assert not same(weights(trained_net()), weights(experiment.model.module))
    assert said[0].startswith("Added noise at alpha ")


def test_replaced_rows_are_small_and_only_of_forgotten_classes():
    experiment, _ = run_fisher(search=False, alpha=0.0, replace_rows=True)
    before, after = trained_net().head.requires_grad_(False), experiment.model.module.head.requires_grad_(False)
    kept = [0, 2, 3]
    assert torch.equal(before.weight[kept], after.weight[kept]) and torch.equal(before.bias[kept], after.bias[kept])
    assert 0 < float(after.weight[1].abs().max()) < 5 * ROW_DEVIATION
    assert abs(float(after.bias[1])) < 5 * ROW_DEVIATION
    assert SetPasses(experiment, lambda: None).accuracy("forget") < 0.2


def test_a_head_without_a_row_per_class_is_refused():
    context = SetPasses(make_experiment("fisher"), lambda: None)
    with pytest.raises(RunError, match="no weight row per class"):
        replace_rows(context, {"other": torch.zeros(3)})
