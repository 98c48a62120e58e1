"""CF-k and EU-k: only the last blocks move, EU-k from fresh weights, and a cached front gives the same result."""

from __future__ import annotations

import pytest
import torch

from core.engine.passes import SetPasses
from tests.core.toy import ToyNet, make_engine, make_experiment, run_to_end, same, trained_net, weights

SHORT = {"epochs": 2, "batch": 16, "lr": 0.05}


def moved(experiment):
    before, after = weights(trained_net()), weights(experiment.model.module)
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("method", ["cf-k", "eu-k"])
@pytest.mark.parametrize(("k", "blocks"), [(1, {"head"}), (2, {"head", "block2"})])
def test_only_the_last_k_blocks_move_and_everything_before_stays_bit_identical(method, k, blocks):
    experiment = make_experiment(method, k=k, weight_decay=0.01, **SHORT)
    run_to_end(make_engine(experiment))
    assert {name.split(".")[0] for name in moved(experiment)} == blocks


def test_more_blocks_than_there_are_means_all():
    experiment = make_experiment("cf-k", k=50, **SHORT)
    run_to_end(make_engine(experiment))
    assert {name.split(".")[0] for name in moved(experiment)} == {"block1", "block2", "head"}


def test_fresh_weights_do_not_depend_on_the_original_and_follow_the_seed():
    def after_edit(seed, net=None):
        experiment = make_experiment("eu-k", net, k=2, seed=seed, **SHORT)
        engine = make_engine(experiment)
        engine.advance()
        return {n: v for n, v in weights(experiment.model.module).items() if not n.startswith("block1")}

    torch.manual_seed(5)
    first, second, other = after_edit(0), after_edit(0, ToyNet()), after_edit(1)
    assert same(first, second)
    assert not any(torch.equal(first[n], other[n]) for n in first)


def test_fresh_weights_have_the_spread_that_layers_start_with():
    experiment = make_experiment("eu-k", k=1, **SHORT)
    make_engine(experiment).advance()
    head = experiment.model.tuned_modules("last-1")[0]
    bound = head.in_features**-0.5
    assert float(head.weight.detach().abs().max()) <= bound
    assert float(head.weight.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.25)


@pytest.mark.parametrize("method", ["cf-k", "eu-k"])
def test_a_cached_front_gives_the_same_network_up_to_rounding_without_augmentation(method):
    results = []
    for cached in (False, True):
        torch.manual_seed(0)
        experiment = make_experiment(method, ToyNet(dropout=0.0), k=2, cached=cached, **SHORT)
        engine = make_engine(experiment)
        assert all(getattr(stage, "cached", cached) is cached for stage in experiment.plan)
        run_to_end(engine)
        results.append(weights(experiment.model.module))
    assert all(torch.allclose(results[0][n], results[1][n], atol=1e-5) for n in results[0])


def test_eu_k_forgets_the_class_in_its_outputs_and_keeps_the_others():
    experiment = make_experiment("eu-k", k=2, epochs=20, batch=16, lr=0.1)
    context = SetPasses(experiment, lambda: None)
    kept = context.accuracy("retain")
    run_to_end(make_engine(experiment))
    assert context.accuracy("forget") == 0
    assert context.accuracy("retain") > kept - 0.05


def test_the_card_warns_that_a_head_alone_forgets_nothing_in_the_features():
    experiment = make_experiment("cf-k", k=1)
    assert "nothing in them is forgotten" in experiment.method.explain(experiment.values, experiment.facts)[0]
