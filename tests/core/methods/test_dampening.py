"""Dampening against a closed form, its limits, and that it forgets."""

from __future__ import annotations

import pytest
import torch

from core.engine.control import Control, Interrupted
from core.engine.passes import SetPasses
from core.events import Log
from core.methods.dampening import dampened, squared_norms
from core.methods.losses import cross_entropies
from core.methods.strength import mean_sizes
from tests.core.toy import DATA, make_engine, make_experiment, run_to_end, same, trained_net, weights

FORGET_SHARE = 1 / 4  # class 1 of four equal ones


def run_ssd(method="ssd", **values):
    engine = make_engine(make_experiment(method, **values))
    events = run_to_end(engine)
    return engine.experiment, [e.message for e in events if isinstance(e, Log)]


def test_weights_are_multiplied_as_published():
    weight = {"w": torch.tensor([8.0, 8.0, 8.0, -8.0, 8.0])}
    on_all = {"w": torch.tensor([1.0, 1.0, 1.0, 0.5, 0.0])}
    on_forget = {"w": torch.tensor([1.0, 2.0, 4.0, 4.0, 0.0])}
    changed, share = dampened(weight, on_all, on_forget, alpha=1.5, strength=1.0)
    assert changed["w"].tolist() == [8.0, 4.0, 2.0, -1.0, 8.0]
    assert share == 3 / 5
    changed, _ = dampened(weight, on_all, on_forget, alpha=1.5, strength=3.0)  # min(lambda * ratio, 1)
    assert changed["w"].tolist() == [8.0, 8.0, 6.0, -3.0, 8.0]


def test_forget_set_equal_to_all_data_changes_nothing_at_alpha_one():
    importance, weight = {"w": torch.rand(50)}, {"w": torch.randn(50)}
    changed, share = dampened(weight, importance, importance, 1.0, 0.5)
    assert share == 0.0
    assert torch.equal(changed["w"], weight["w"])


def test_importance_of_a_linear_softmax_is_its_closed_form():
    """E[((p - y) x)^2] over the set, whatever the chunks the gradients were taken in."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 4))
    experiment = make_experiment("ssd", net)
    found = mean_sizes(SetPasses(experiment, lambda: None), "forget", cross_entropies, torch.square, 0)
    batch = experiment.train.batch(experiment.splits.forget_train)
    x = batch.images.flatten(1).double()
    residual = torch.softmax(x @ net[1].weight.double().T + net[1].bias.double(), dim=1)
    residual[torch.arange(len(x)), batch.labels] -= 1
    expected = (residual.square()[:, :, None] * x.square()[:, None, :]).mean(dim=0)
    assert torch.allclose(found["1.weight"].double(), expected, rtol=1e-4, atol=1e-8)
    assert torch.allclose(found["1.bias"].double(), residual.square().mean(dim=0), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("method", ["ssd", "lfssd"])
def test_chunks_of_gradients_do_not_matter(method, monkeypatch):
    import core.engine.passes as gradients

    plain, _ = run_ssd(method, search=False, alpha=1.2)
    monkeypatch.setattr(gradients, "CHUNK", 7)
    chunked, _ = run_ssd(method, search=False, alpha=1.2)
    first, second = weights(plain.model.module), weights(chunked.model.module)
    assert not same(first, weights(trained_net()))
    assert all(torch.allclose(first[name], second[name], atol=1e-6) for name in first)


@pytest.mark.parametrize("method", ["ssd", "lfssd"])
def test_from_the_inverse_share_of_the_forget_set_on_nothing_changes(method):
    for alpha in (1.001 / FORGET_SHARE, 1e9):
        experiment, said = run_ssd(method, search=False, alpha=alpha)
        assert same(weights(experiment.model.module), weights(trained_net()))
        assert said == [f"Dampened 0.00 % of the weights at alpha {alpha:.3g}."]


@pytest.mark.parametrize("method", ["ssd", "lfssd"])
def test_statistics_of_batch_norm_and_weights_below_the_threshold_stay(method):
    experiment, _ = run_ssd(method, search=False, alpha=2.0)
    before, after = weights(trained_net()), weights(experiment.model.module)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert not any("running" in name or "tracked" in name for name in moved)
    assert all(bool((after[name].abs() <= before[name].abs()).all()) for name in moved)
    assert any(bool((after[name] == before[name]).any()) for name in moved)


@pytest.mark.parametrize("method", ["ssd", "lfssd"])
def test_search_forgets_within_the_bound(method):
    experiment, said = run_ssd(method, max_drop=0.1)
    original = make_experiment(method)
    context, before = SetPasses(experiment, lambda: None), SetPasses(original, lambda: None)
    assert context.accuracy("retain") >= before.accuracy("retain") - 0.1
    assert context.accuracy("forget") < before.accuracy("forget") - 0.3
    assert len(said) == 1 and "alpha" in said[0]


def test_importance_may_come_from_a_subset():
    few, _ = run_ssd(search=False, alpha=1.2, importance_samples=16)
    whole, _ = run_ssd(search=False, alpha=1.2, importance_samples=0)
    assert not same(weights(few.model.module), weights(whole.model.module))
    enough, _ = run_ssd(search=False, alpha=1.2, importance_samples=len(DATA.train))
    assert same(weights(enough.model.module), weights(whole.model.module))


def test_a_stop_during_importances_leaves_the_original():
    control = Control()
    experiment = make_experiment("ssd")
    engine = make_engine(experiment, control)
    control.stop()
    with pytest.raises(Interrupted):
        engine.advance()
    assert same(weights(experiment.model.module), weights(trained_net()))


def test_without_labels_importance_is_of_the_squared_length_of_the_logits():
    logits = torch.tensor([[3.0, -4.0], [0.5, 0.0]])
    for labels in (torch.tensor([0, 1]), torch.tensor([1, 0])):
        assert squared_norms(logits, labels).tolist() == [25.0, 0.25]
