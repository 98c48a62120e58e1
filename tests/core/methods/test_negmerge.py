"""NegMerge: what task vectors agree on, by hand; that they point to the forget set, and that they are taken off."""

from __future__ import annotations

import math

import pytest
import torch

from core.engine.passes import SetPasses
from core.methods.base import StageOutput, Train
from core.methods.negmerge import agreed, negate, step_sizes, true_labels
from core.parameters import Values
from tests.core.toy import make_engine, make_experiment, rows_of, run_to_end, trained_net, weights

SHORT = {"models": 3, "epochs": 1, "batch": 8, "lr": 0.05}


def run(**values):
    """The experiment after its end, and for each fine-tuning the network just before its vector is taken."""
    experiment = make_experiment("negmerge", **{**SHORT, **values})
    engine, tuned = make_engine(experiment), []
    while engine.step < engine.timeline.total:
        stage = engine.timeline.locate(engine.step)[0].stage
        if stage.name.startswith("task vector"):
            tuned.append(weights(experiment.model.module))
        engine.advance()
    return experiment, tuned


def by_hand(tuned, strength):
    """The definition, entry by entry over all tensors at once."""
    start = weights(trained_net())
    result = {}
    for name in dict(trained_net().named_parameters()):
        vectors = torch.stack([network[name] - start[name] for network in tuned])
        same_sign = (vectors > 0).all(dim=0) | (vectors < 0).all(dim=0)
        result[name] = start[name] - strength * vectors.mean(dim=0) * same_sign
    return result


def test_what_vectors_agree_on_by_hand():
    vectors = torch.tensor([[1.0, -1.0, 2.0, 0.0, -3.0], [3.0, -2.0, -1.0, 1.0, -1.0]])
    merged = agreed(vectors.sum(dim=0), vectors.sign().sum(dim=0).to(torch.int8), 2)
    assert merged.tolist() == [2.0, -1.5, 0.0, 0.0, -2.0]


def test_step_sizes_are_spread_evenly_in_their_logarithm():
    values = Values({"lr": 0.1, "spread": 4.0, "models": 3})
    assert step_sizes(values) == pytest.approx([0.025, 0.1, 0.4])
    assert step_sizes(Values({"lr": 0.1, "spread": 4.0, "models": 1})) == [0.1]


def test_an_image_is_learnt_once_more_by_its_weight():
    logits, labels = torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1])
    batch = rows_of(labels, weights=torch.tensor([3.0, 1.0]))
    loss = true_labels(StageOutput(logits, logits), batch, {}, Values({}))["loss"]
    assert float(loss) == pytest.approx((3 * math.log(2) + math.log(1 + math.e)) / 2)


def test_each_fine_tuning_has_a_step_size_and_an_order_of_its_own_and_images_as_they_are():
    experiment = make_experiment("negmerge", **SHORT, spread=4.0, search=False)
    tunings = [stage for stage in experiment.plan if isinstance(stage, Train)]
    assert [stage.optimiser.lr for stage in tunings] == pytest.approx([0.0125, 0.05, 0.2])
    assert not any(stage.augment for stage in tunings)
    engine, read = make_engine(experiment), []
    given = engine._forward.batch
    engine._forward.batch = lambda *asked: read.append(given(*asked)) or read[-1]
    run_to_end(engine)
    orders = torch.cat([batch.whole.ids for batch in read]).view(3, 20).tolist()
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(orders[2])
    assert len({tuple(order) for order in orders}) == 3


def test_the_result_is_the_definition_of_what_the_fine_tunings_gave():
    experiment, tuned = run(search=False, strength=0.7)
    assert len(tuned) == 3
    after, expected = weights(experiment.model.module), by_hand(tuned, 0.7)
    for name, value in expected.items():
        assert torch.allclose(after[name], value, atol=1e-6), name
    statistics = [name for name in after if name not in expected]
    assert statistics and all(torch.equal(after[name], weights(trained_net())[name]) for name in statistics)


def test_every_fine_tuning_starts_from_the_original_and_goes_its_own_way():
    _, tuned = run(search=False, spread=1.0)
    _, alone = run(search=False, spread=1.0, models=1)
    assert all(torch.equal(tuned[0][name], alone[0][name]) for name in tuned[0])
    assert not any(torch.equal(tuned[0]["head.weight"], other["head.weight"]) for other in tuned[1:])


def test_fine_tunings_lower_the_loss_on_the_forget_set_and_the_result_raises_it():
    def loss(state):
        experiment = make_experiment("negmerge", **SHORT)
        experiment.model.module.load_state_dict(state)
        return float(SetPasses(experiment, lambda: None).outputs("forget").losses.mean())

    experiment, tuned = run(search=False, strength=1.0)
    before = loss(weights(trained_net()))
    assert all(loss(state) < before for state in tuned)
    assert loss(weights(experiment.model.module)) > before


def test_the_class_goes_and_the_others_stay_within_the_bound():
    experiment, _ = run(epochs=3, max_drop=0.05)
    context = SetPasses(experiment, lambda: None)
    before = SetPasses(make_experiment("negmerge", **SHORT), lambda: None)
    assert before.accuracy("forget") > 0.8
    assert context.accuracy("forget") < 0.4
    assert context.accuracy("retain") >= before.accuracy("retain") - 0.05


def test_the_log_says_of_how_many_weights_the_signs_agree():
    experiment = make_experiment("negmerge", **SHORT, strength=0.5, search=False)
    context = SetPasses(experiment, lambda: None)
    named = dict(experiment.model.module.named_parameters())
    context.aux = {f"sum/{name}": torch.ones_like(value) for name, value in named.items()}
    for name, value in named.items():
        context.aux[f"signs/{name}"] = torch.full(value.shape, -3 if name == "head.bias" else 1, dtype=torch.int8)
    negate(context)
    share = 100 * 4 / sum(value.numel() for value in named.values())
    assert context.messages == [
        f"The 3 task vectors agree in the sign of {share:.1f} % of all weights; negated 0.5 times."
    ]
