"""Random labels and SalUn: labels that are wrong and stay with their image, and weights outside the mask that stay."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from core.engine.passes import SetPasses
from core.methods import get_method
from core.methods.base import StageOutput
from core.methods.relabelling import allowed_labels, draws, relabelled, saliency_mask, top_share, wrong_labels
from tests.core.toy import make_engine, make_experiment, rows_of, run_to_end, weights


def context_of(**values):
    experiment = make_experiment("random-labels", **values)
    return SetPasses(experiment, lambda: None), experiment


def test_a_wrong_label_is_never_the_true_one_nor_another_forgotten_class():
    labels = torch.arange(6).repeat(500)
    aux = {"draws": torch.rand(3000), "allowed": allowed_labels("kept classes", 6, (1, 4))}
    taught = wrong_labels(labels, torch.arange(3000), aux)
    assert not (taught == labels).any()
    assert not torch.isin(taught, torch.tensor([1, 4])).any()
    assert set(taught[labels == 1].tolist()) == {0, 2, 3, 5}


def test_every_allowed_label_is_as_likely_as_another():
    aux = {"draws": torch.linspace(0, 1, 9001)[:-1], "allowed": allowed_labels("other classes", 10, (3,))}
    taught = wrong_labels(torch.full((9000,), 5), torch.arange(9000), aux)
    counts = torch.bincount(taught, minlength=10)
    assert counts[5] == 0
    assert (counts[torch.arange(10) != 5] - 1000).abs().max() <= 1


def test_the_published_rule_draws_the_true_class_too_and_no_rule_runs_out_of_classes():
    assert allowed_labels("any class", 4, (0,)).all()
    everything = allowed_labels("kept classes", 3, (0, 1, 2))
    assert torch.equal(everything, ~torch.eye(3, dtype=torch.bool))
    two = allowed_labels("kept classes", 2, (1,))
    assert two.tolist() == [[False, True], [True, False]]  # an image of the kept class has no other way


def test_labels_belong_to_the_image_whatever_batch_it_comes_in():
    context, experiment = context_of()
    aux = draws(context, number=0)
    ids = experiment.splits.forget_train
    together = wrong_labels(experiment.splits.labels[ids], ids, aux)
    for place in (0, 7, len(ids) - 1):
        one = ids[place : place + 1]
        assert wrong_labels(experiment.splits.labels[one], one, aux) == together[place]


@pytest.mark.parametrize(("draw", "same"), [("once", True), ("every pass", False)])
def test_labels_stay_or_change_from_pass_to_pass(draw, same):
    experiment = make_experiment("random-labels", draw=draw, labels="other classes", epochs=2)
    context = SetPasses(experiment, lambda: None)
    first, second = (s.refresh(context)["draws"] for s in experiment.plan if s.phase == "forget")
    assert torch.equal(first, second) is same


def test_only_forget_samples_get_wrong_labels_and_they_carry_their_weights():
    torch.manual_seed(0)
    logits, labels, forget = torch.randn(4, 4), torch.tensor([1, 1, 2, 3]), torch.tensor([True, True, False, False])
    weight = torch.tensor([2.0, 0.5, 1.0, 1.0])
    batch = rows_of(labels, forget, weight)
    aux = {"draws": torch.tensor([0.0, 0.9, 0.5, 0.5]), "allowed": allowed_labels("kept classes", 4, (1,))}
    taught = torch.tensor([0, 3, 2, 3])
    loss = relabelled(StageOutput(logits, logits), batch, aux, get_values())["loss"]
    rows = -torch.log_softmax(logits.double(), 1)[torch.arange(4), taught]
    assert float(loss) == pytest.approx(float((rows * weight).mean()), rel=1e-5)


def get_values():
    return make_experiment("random-labels").values


def test_both_sets_are_read_in_turn_or_together():
    turns = make_experiment("random-labels", epochs=2).plan
    assert [s.reads for s in turns] == ["forget", "retain", "forget", "retain"]
    assert [s.batch_norm for s in turns] == ["frozen", "train", "frozen", "train"]
    assert [s.reads for s in make_experiment("random-labels", epochs=2, order="mixed").plan] == ["all", "all"]


def test_the_most_steps_are_those_of_a_pass_over_the_forget_set_alone():
    turns = make_experiment("random-labels", epochs=1, max_steps=3).plan
    assert [(s.length.epochs, s.length.most) for s in turns] == [(1, 3), (1, 0)]
    (mixed,) = make_experiment("random-labels", epochs=1, max_steps=3, order="mixed").plan
    assert (mixed.length.epochs, mixed.length.most) == (1, 0)


@pytest.mark.parametrize("method", ["random-labels", "salun"])
def test_the_class_is_forgotten_and_the_others_are_kept(method):
    experiment = make_experiment(method, epochs=6, batch=16, lr=0.1)
    context = SetPasses(experiment, lambda: None)
    before, kept = context.accuracy("forget"), context.accuracy("retain")
    run_to_end(make_engine(experiment))
    assert context.accuracy("forget") < before / 3
    assert context.accuracy("retain") > kept - 0.05


# -- SalUn ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.37, 0.5, 1.0])
def test_the_mask_has_the_share_kept_trainable_and_holds_the_largest_gradients_over_all_weights(share):
    torch.manual_seed(0)
    gradient = {"a": torch.randn(3, 4, 5), "b": 10 * torch.randn(40), "c": torch.zeros(20)}
    mask = top_share(gradient, share)
    sizes = torch.cat([g.abs().flatten() for g in gradient.values()])
    chosen = torch.cat([m.flatten() for m in mask.values()])
    assert chosen.sum() == round(share * 120)
    if share < 1:
        assert sizes[chosen].min() >= sizes[~chosen].max()
    if share < 0.3:
        assert mask["b"].float().mean() > 4 * mask["a"].float().mean()  # one ranking, not one a tensor


def test_saliency_is_the_size_of_the_mean_gradient_of_the_forget_set():
    experiment = make_experiment("salun", share=0.2)
    context = SetPasses(experiment, lambda: None)
    mask = saliency_mask(context)
    module = experiment.model.module.eval()
    batch = experiment.train.batch(experiment.splits.forget_train)
    names = [name for name, _ in module.named_parameters()]
    found = torch.autograd.grad(F.cross_entropy(module(batch.images), batch.labels), list(module.parameters()))
    expected = top_share(dict(zip(names, found, strict=True)), 0.2)
    assert mask.keys() == {f"mask/{name}" for name in names}
    differing = sum(int((mask[f"mask/{n}"] != expected[n]).sum()) for n in names)
    assert differing <= 2  # ties of rounding at the threshold


@pytest.mark.parametrize("order", ["forget first", "mixed"])
def test_frozen_weights_stay_bit_identical_under_decay_and_momentum_through_every_stage(order):
    values = {"share": 0.3, "epochs": 2, "batch": 16, "lr": 0.05, "weight_decay": 0.1, "momentum": 0.9}
    experiment = make_experiment("salun", order=order, **values)
    before = weights(experiment.model.module)
    mask = saliency_mask(SetPasses(experiment, lambda: None))
    engine = make_engine(experiment)
    run_to_end(engine)
    after = dict(experiment.model.module.named_parameters())
    frozen = moved = 0
    for name, parameter in after.items():
        free = mask[f"mask/{name}"]
        assert torch.equal(parameter[~free], before[name][~free]), name
        moved += int((parameter[free] != before[name][free]).sum())
        frozen += int((~free).sum())
    total = sum(p.numel() for p in after.values())
    assert frozen == total - round(0.3 * total)
    assert moved > 0.9 * (total - frozen)


def test_salun_with_every_weight_free_is_random_labels():
    values = {"epochs": 1, "batch": 16, "lr": 0.05}
    results = []
    for method, extra in (("random-labels", {}), ("salun", {"share": 1.0})):
        experiment = make_experiment(method, **values, **extra)
        run_to_end(make_engine(experiment))
        results.append(weights(experiment.model.module))
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


def test_help_says_that_the_share_is_the_one_kept_trainable():
    share = next(p for p in get_method("salun").parameters if p.name == "share")
    assert "stays trainable" in share.help and "kept" in share.title
