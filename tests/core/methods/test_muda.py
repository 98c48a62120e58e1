"""MUDA does what it says: alignment rises, outputs forget, single images get unseen losses, the stop rule stops."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from core.data.batches import Batch
from core.engine.passes import SetPasses
from core.methods import get_method
from core.methods.base import Edit, Facts, StageOutput, parts_of
from core.methods.losses import quantile_matching
from core.methods.muda import (
    alignment_terms,
    basis_of,
    explain,
    forget,
    forgotten,
    plan,
    recover,
    recover_features,
    retain_basis,
)
from core.metrics.spaces import gram
from core.models.tap import has_weights
from core.parameters import Values, resolve
from tests.core.toy import ToyNet, make_engine, make_experiment, rows_of, run_to_end, same, trained_net, weights

PARAMETERS = get_method("muda").parameters


def alignment_of(engine):
    """DA of the forget set as the last event says."""
    return [e.value for e in run_to_end(engine) if e.type == "alignment"]


def test_alignment_rises_and_the_class_is_forgotten():
    engine = make_engine(make_experiment("muda", batch=8, rounds=4, lr=0.05))
    events = run_to_end(engine)
    alignments = [e.value for e in events if e.type == "alignment"]
    accuracies = [e.forget_test_accuracy for e in events if e.type == "evaluation"]
    assert alignments[-1] > alignments[0] + 0.01
    assert accuracies[-1] == 0 < accuracies[0]


def test_one_step_along_the_alignment_loss_moves_features_into_the_retain_space():
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(8, 3, generator=generator))[0]
    features = torch.randn(12, 8, generator=generator, requires_grad=True)
    aux = {"basis_0": basis, "mean_0": torch.zeros(8)}
    inside = features.detach() @ basis @ basis.T
    alignment_terms(StageOutput(features, features), torch.ones(12), aux).backward()
    moved = features.detach() - 0.5 * features.grad
    share = lambda x: float((x @ basis).square().sum() / x.square().sum())  # noqa: E731
    assert share(moved) > share(features.detach())
    assert float(alignment_terms(StageOutput(inside, inside), torch.ones(12), aux)) == pytest.approx(0, abs=1e-5)


def test_rows_of_other_kinds_add_nothing_to_the_alignment():
    generator = torch.Generator().manual_seed(0)
    aux = {"basis_0": torch.eye(6)[:, :2], "mean_0": torch.zeros(6)}
    features = torch.randn(10, 6, generator=generator)
    rows = torch.arange(10) < 4
    masked = alignment_terms(StageOutput(features, features), rows.float(), aux)
    alone = alignment_terms(StageOutput(features[:4], features[:4]), torch.ones(4), aux)
    assert float(masked) == pytest.approx(float(alone), rel=1e-6)


@pytest.mark.parametrize(("rule", "expected"), [("classes", 9), ("number", 4), ("energy", 2)])
def test_k_follows_its_rule_and_stays_below_the_number_of_features(rule, expected):
    values = resolve(PARAMETERS, {"k_rule": rule, "k_number": 4, "k_energy": 0.9})
    context = SimpleNamespace(values=values, num_classes=10, forget_classes=(3,), imageless=())
    features = torch.diag(torch.tensor([8.0, 1.5, *[0.05] * 10], dtype=torch.float64).sqrt())
    assert basis_of(context, features).shape == (12, expected)
    assert basis_of(context, features[:3, :3]).shape[1] <= 2


def test_the_basis_spans_the_leading_retain_directions_of_the_current_network():
    experiment = make_experiment("muda")
    aux = retain_basis(SetPasses(experiment, lambda: None))
    features = SetPasses(experiment, lambda: None).outputs("retain").features
    _values, vectors = torch.linalg.eigh(gram(features))
    top = vectors[:, -3:].float()
    assert torch.allclose(aux["basis_0"] @ aux["basis_0"].T, top @ top.T, atol=1e-4)
    assert "unseen_losses" not in aux  # whole classes: nothing is matched to them
    single = retain_basis(SetPasses(make_experiment("muda", forget="sample"), lambda: None))["unseen_losses"]
    assert len(single) and torch.equal(single, single.sort().values)


def relearnt(net=None, **values):
    chosen = {"relearn_blocks": 2, "relearn_min_steps": 4, "rounds": 1, "min_steps": 1, **values}
    return make_experiment("muda", net, **chosen)


def test_the_last_blocks_begin_with_fresh_weights_and_the_others_stay():
    engine = make_engine(relearnt())
    before = weights(engine.experiment.model.module)
    engine.advance()
    after = weights(engine.experiment.model.module)
    tail = [name for name in before if name.startswith(("head", "block2"))]
    assert tail and all(not torch.equal(before[name], after[name]) for name in tail)
    assert all(torch.equal(before[name], after[name]) for name in set(before) - set(tail))
    again = make_engine(relearnt())
    again.advance()
    assert same(after, weights(again.experiment.model.module))


def test_a_share_of_the_blocks_begins_anew_where_their_number_is_left_out():
    by_share, by_number = (make_engine(relearnt(**tail)) for tail in ({"relearn_blocks": 0, "relearn_depth": 0.67}, {}))
    assert sum(has_weights(block) for _, block in by_share.experiment.model.blocks) == 3  # two thirds of them are two
    run_to_end(by_share), run_to_end(by_number)
    assert same(*(weights(engine.experiment.model.module) for engine in (by_share, by_number)))
    sentence = "The last 60 % of the blocks begin anew and learn again from what stays."
    assert explain(resolve(PARAMETERS, {"relearn_depth": 0.6}), Facts(100, 0, 900, 10))[0] == sentence


@pytest.mark.parametrize("nothing", [{"rounds": 0}, {"lr": 0.0}])
def test_without_rounds_or_steps_the_tail_keeps_its_weights(nothing):
    engine = make_engine(relearnt(**nothing))
    before = {name: p.detach().clone() for name, p in engine.experiment.model.module.named_parameters()}
    run_to_end(engine)
    assert same(before, dict(engine.experiment.model.module.named_parameters()))


def test_a_share_of_the_old_weights_may_be_kept():
    def tail(keep: float) -> torch.Tensor:
        engine = make_engine(relearnt(relearn_keep=keep))
        engine.advance()
        return engine.experiment.model.head.weight.detach().clone()

    old, fresh = trained_net().head.weight.detach(), tail(0.0)
    assert torch.equal(tail(1.0), old)
    assert torch.allclose(tail(0.25), 0.25 * old + 0.75 * fresh, atol=1e-6)


def test_a_cached_front_leads_to_the_same_model_as_none():
    results, net = [], trained_net().eval()
    net.block2[1].p = 0.0
    for cached in (True, False):
        engine = make_engine(relearnt(copy.deepcopy(net), batch=8, lr=0.05, cache_front=cached))
        results.append(run_to_end(engine) and weights(engine.experiment.model.module))
    assert all(torch.allclose(results[0][name], results[1][name], atol=2e-5) for name in results[0])


def test_the_forget_loss_names_its_terms_and_sums_them():
    experiment = make_experiment("muda", w_da=2.0, w_sd=0.5)
    aux = retain_basis(SetPasses(experiment, lambda: None))
    ids = experiment.splits.forget_train[:6]
    batch: Batch = experiment.train.batch(ids)
    out = experiment.model(batch.images)
    teacher = experiment.teacher(batch.images).logits
    terms = forget(StageOutput(out.logits, out.features, (), teacher), batch, aux, experiment.values)
    assert set(terms) == {"loss", "alignment", "distillation"}
    parts = terms["alignment"] + terms["distillation"]
    assert terms["loss"].item() == pytest.approx(parts.item(), rel=1e-6)


def test_single_images_end_up_with_losses_like_unseen_ones():
    torch.manual_seed(0)
    net = ToyNet(dropout=0.0)
    run_to_end(make_engine(make_experiment("retrain", net, forget=None, epochs=40, batch=16, lr=0.1)))
    only_matching = {"w_da": 0.0, "w_sd": 0.0, "w_match": 1.0, "recover_share": 0.0}
    experiment = make_experiment("muda", net, forget="sample", rounds=10, lr=0.02, batch=16, **only_matching)
    context = SetPasses(experiment, lambda: None)
    unseen, before = context.outputs("unseen").losses.mean(), context.outputs("forget").losses.mean()
    run_to_end(make_engine(experiment))
    after = context.outputs("forget").losses.mean()
    assert before < unseen / 2  # memorised
    assert abs(after - unseen) < abs(before - unseen) / 2


def test_the_stop_rule_ends_early_at_a_round():
    loose = make_engine(
        make_experiment("muda", rounds=20, stop_rule="when forgotten", stop_accuracy=1.0, stop_alignment=0.0)
    )
    run_to_end(loose)
    first = loose.timeline.segments[0]
    assert loose.step == loose.timeline.total and loose.samples_seen < 64 * first.steps + 1
    strict = make_engine(
        make_experiment("muda", rounds=2, stop_rule="when forgotten", stop_accuracy=0.0, stop_alignment=1.0)
    )
    run_to_end(strict)
    assert strict.samples_seen > loose.samples_seen


@pytest.mark.parametrize(("classes", "singles"), [(6000, 0), (0, 6000), (5000, 1000)])
def test_the_plan_scales_with_the_data_and_says_which_parts_are_active(classes, singles):
    values = resolve(PARAMETERS, {"alternation": "round", "rounds": 3})
    facts = Facts(classes, singles, 54000, 10)
    stages = plan(values, facts)
    assert len(stages) == 6
    assert stages[0].length.steps == math.ceil(0.25 * 6000 / 64)
    assert stages[1].length.steps == math.ceil(0.1 * 54000 / 64)
    text = " ".join(explain(values, facts))
    assert ("Alignment (weight" in text) is (classes > 0)
    assert ("says nothing" in text) is (singles > 0)
    assert "no method for it" not in text
    corrective = " ".join(explain(values, replace(facts, purpose="labels")))
    assert ("no method for it" in corrective) is (singles > 0)


def test_the_plan_says_what_the_last_blocks_begin_with_in_a_whole_sentence():
    values = resolve(PARAMETERS, {"relearn_blocks": 3, "relearn_keep": 0.1})
    sentence = "The last 3 blocks begin anew, 10 % of their weights kept, and learn again from what stays."
    assert explain(values, Facts(100, 0, 900, 10))[0] == sentence
    stages = plan(values, Facts(100, 0, 900, 10))
    assert [stage.name for stage in stages[:2]] == ["fresh weights for the last blocks", "learn the last blocks again"]


def test_a_whole_network_that_begins_anew_has_no_front_to_keep_and_sees_images_augmented():
    half = resolve(PARAMETERS, {"relearn_depth": 0.5, "relearn_keep": 0.4})
    whole = resolve(PARAMETERS, {"relearn_depth": 1.0, "relearn_keep": 0.4})
    facts = Facts(0, 100, 900, 10)
    for values, cached in ((half, True), (whole, False)):
        assert {p.cached for stage in plan(values, facts)[1:] for p in parts_of(stage)} == {cached}
    assert explain(half, facts)[0].startswith("The last 50 % of the blocks begin anew, 40 % of their weights kept,")
    mixed = "The whole network begins with fresh weights, mixed with 40 % of the old ones, and learns again from"
    assert explain(whole, facts)[0] == f"{mixed} what stays."
    fresh = explain(resolve(PARAMETERS, {"relearn_depth": 1.0}), facts)[0]
    assert fresh == "The whole network begins with fresh weights and learns again from what stays."


def test_a_mixture_with_fresh_weights_forgets_what_was_known_by_heart_and_learns_the_rest_again():
    torch.manual_seed(0)
    net = ToyNet(dropout=0.0)
    run_to_end(make_engine(make_experiment("retrain", net, forget=None, epochs=40, batch=16, lr=0.1)))
    before, unseen = (mean_loss(make_experiment("muda", net, forget="sample"), part) for part in ("forget", "unseen"))
    assert before < unseen / 10  # memorised
    found = {}
    for keep in (0.0, 0.45, 1.0):
        values = {**get_method("muda").preset("deep-samples").values, "relearn_keep": keep, "batch": 16}
        experiment = make_experiment("muda", copy.deepcopy(net), forget="sample", **values)
        run_to_end(make_engine(experiment))
        found[keep] = [mean_loss(experiment, part) for part in ("forget", "retain")]
    assert found[0.0][0] > found[0.45][0] > 10 * found[1.0][0]  # further passes alone leave it
    assert all(retain < unseen / 10 for _, retain in found.values())


def mean_loss(experiment, part):
    return float(SetPasses(experiment, lambda: None).outputs(part).losses.mean())


def test_small_data_gets_the_shortest_phase_allowed():
    values = resolve(PARAMETERS, {"alternation": "round", "rounds": 1, "min_steps": 7, "recover_share": 0.0})
    stages = plan(values, Facts(10, 0, 90, 10))
    assert [s.length.steps for s in stages] == [7]


@pytest.mark.parametrize("alternation", ["batch", "round"])
def test_a_phase_without_a_share_takes_no_step_and_the_stop_rule_still_looks(alternation):
    common = {"alternation": alternation, "rounds": 5, "stop_rule": "when forgotten", "stop_alignment": 0.0}
    for nothing, left in (({"recover_share": 0.0}, "forget"), ({"forget_epochs": 0.0, "w_kd": 0.5}, "recover")):
        experiment = make_experiment("muda", batch=8, stop_accuracy=0.0, **common, **nothing)
        assert {part.phase for stage in experiment.plan for part in parts_of(stage)} == {left}
        assert experiment.timeline.total == 5 * 10  # of min_steps
        engine = make_engine(make_experiment("muda", batch=8, stop_accuracy=1.0, **common, **nothing))
        run_to_end(engine)
        assert 0 < engine.samples_seen <= 10 * 8  # one round
    assert make_experiment("muda", recover_share=0.0, forget_epochs=0.0, alternation=alternation).timeline.total == 0


@pytest.mark.parametrize(
    ("forget", "said", "silent"),
    [("class", "w_da", "w_match"), ("sample", "w_match", "w_da"), ("class", "w_sd", ""), ("sample", "w_sd", "")],
)
def test_a_forget_phase_whose_loss_has_no_term_for_these_images_takes_no_step(forget, said, silent):
    nothing = {"w_da": 0.0, "w_sd": 0.0, "w_match": 0.0}
    other = {silent: 1.0} if silent else {}
    for chosen, phases in ((nothing | other, {"recover"}), (nothing | {said: 1.0}, {"forget", "recover"})):
        experiment = make_experiment("muda", forget=forget, **chosen)
        assert {part.phase for stage in experiment.plan for part in parts_of(stage)} == phases
        text = " ".join(explain(experiment.values, experiment.facts))
        assert ("Loss matching" in text) is (said == "w_match" and "forget" in phases)
        assert ("Alignment (weight" in text) is (said == "w_da" and "forget" in phases)


def test_rows_of_classes_have_no_part_in_the_matching_of_single_images():
    experiment = make_experiment("muda", forget="mixed", w_da=0.0, w_sd=0.0)
    aux = retain_basis(SetPasses(experiment, lambda: None))
    batch = experiment.train.batch(experiment.splits.forget_train)
    out = experiment.model(batch.images)
    single = batch.labels != 1
    assert 0 < int(single.sum()) < len(batch)
    found = forget(StageOutput(out.logits, out.features), batch, aux, experiment.values)["loss"]
    losses = F.cross_entropy(out.logits[single], batch.labels[single], reduction="none")
    matched = quantile_matching(losses, aux["unseen_losses"], torch.ones(len(losses)), single[single])
    assert found.item() == pytest.approx(matched.item(), rel=1e-6)
    classes = experiment.train.batch(experiment.splits.forget_train[~single])
    none = experiment.model(classes.images)
    terms = forget(StageOutput(none.logits, none.features), classes, aux, experiment.values)
    assert terms["loss"].item() == 0.0  # a batch without single images
    terms["loss"].backward()
    assert all(p.grad is None or bool(torch.isfinite(p.grad).all()) for p in experiment.model.module.parameters())


def test_single_images_have_no_part_in_the_alignment_of_classes():
    values = resolve(PARAMETERS, {"w_da": 2.0, "w_sd": 0.0, "w_match": 0.0})
    features = torch.randn(10, 6, generator=torch.Generator().manual_seed(0))
    aux = {"basis_0": torch.eye(6)[:, :2], "mean_0": torch.zeros(6)}
    alone, weight = torch.arange(10) >= 4, torch.linspace(0.5, 2.0, 10)
    batch = rows_of(torch.arange(10) % 3, True, weight, alone)
    found = forget(StageOutput(features, features), batch, aux, values)["alignment"]
    wanted = alignment_terms(StageOutput(features[:4], features[:4]), weight[:4], aux)
    assert float(found) == pytest.approx(2 * float(wanted), rel=1e-6)


@pytest.mark.parametrize(
    ("singles", "unseen", "reached"), [(0.8, 0.9, True), (0.9, 0.8, False), (0.25, 0.2, True), (0.4, 0.2, False)]
)
def test_single_images_are_forgotten_at_the_number_or_where_they_are_as_right_as_unseen_ones(singles, unseen, reached):
    known = {"singles": singles, "unseen": unseen}
    context = SimpleNamespace(
        values=resolve(PARAMETERS, {"stop_accuracy": 0.3}), facts=Facts(0, 9, 40, 4), forget_classes=(),
        accuracy=lambda which, limit=None: known[which],
    )  # fmt: skip
    assert forgotten(context) == reached


# -- by hand ---------------------------------------------------------------------------------------------------------


def test_recovering_is_the_cross_entropy_and_the_divergence_from_the_original_without_the_forgotten_classes():
    logits, teacher = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels, kept = torch.tensor([0, 2, 0, 2]), [0, 2]  # class 1 goes
    values = resolve(PARAMETERS, {"w_kd": 0.5, "temperature": 2.0})
    out = StageOutput(logits, logits, teacher=teacher)
    terms = recover(out, rows_of(labels, False), {"forget_classes": torch.tensor([1])}, values)
    p, q = (teacher[:, kept] / 2).softmax(dim=1), (logits / 2).softmax(dim=1)[:, kept]
    divergence = 4 * float((p * (p / q).log()).sum(dim=1).mean())
    classification = -float(logits.log_softmax(dim=1)[range(4), labels].mean())
    assert float(terms["retain distillation"]) == pytest.approx(0.5 * divergence)
    assert float(terms["loss"]) == pytest.approx(classification + 0.5 * divergence)


def test_features_of_an_encoder_are_held_to_the_originals_by_a_share_of_their_mean_square():
    features, original = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    out = StageOutput(features, features, teacher=original)
    terms = recover_features(out, rows_of(torch.zeros(2, dtype=torch.int64), False), {}, Values({"w_fd": 2.0}))
    assert float(terms["loss"]) == pytest.approx(2.0 * ((0 + 4 + 9 + 4) / 4) / ((1 + 0 + 0 + 4) / 4))


@pytest.mark.parametrize(("goal", "accuracy", "reached"), [(0.59, 0.1, True), (0.61, 0.1, False), (0.59, 0.2, False)])
def test_classes_are_forgotten_where_accuracy_and_alignment_are_at_their_goals(goal, accuracy, reached):
    """The retain features span the first two of four directions, of which those of the class have 0.6 in length."""
    features = {
        "retain": torch.eye(4, dtype=torch.float64)[[0, 1, 0, 1]],
        "classes": torch.tensor([[0.6, 0.0, 0.8, 0.0]], dtype=torch.float64).expand(5, 4),
    }
    context = SimpleNamespace(
        values=resolve(PARAMETERS, {"stop_accuracy": 0.15, "stop_alignment": goal}), facts=Facts(5, 0, 40, 3),
        num_classes=3, forget_classes=(2,), imageless=(), accuracy=lambda which, limit=None: accuracy,
        outputs=lambda which, limit=0: SimpleNamespace(features=features[which]),
    )  # fmt: skip
    assert forgotten(context) is reached


@pytest.mark.parametrize(("least", "steps"), [(1, 22), (40, 40)])
def test_phases_read_their_sets_for_their_lengths_and_step_sizes(least, steps):
    """900 images to keep in batches of 64: 1.5 passes are 22 steps, 0.8 of one 12; of the 100 others, 2."""
    chosen = {
        "relearn_blocks": 2, "relearn_passes": 1.5, "relearn_min_steps": least, "rounds": 1, "min_steps": 1,
        "recover_share": 0.8, "forget_epochs": 1.0, "lr": 0.04, "recover_lr_factor": 0.5, "batch": 64,
    }  # fmt: skip
    _, learn, turns = plan(resolve(PARAMETERS, chosen), Facts(100, 0, 900, 10))
    assert (learn.reads, learn.length.steps, learn.optimiser.lr) == ("retain", steps, 0.02)
    assert [(part.reads, part.optimiser.lr) for part in turns.parts] == [("forget", 0.04), *[("retain", 0.02)] * 6]
    assert turns.parts[0].length.steps == 2


# -- presets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "made_for", "name"),
    [
        ("class", "", "default"), ("class", "labels", "default"), ("sample", "", "samples"),
        ("class", "transformer", "transformer"), ("sample", "transformer", "transformer-samples"),
        ("class", "encoder", "encoder"), ("class", "deep", "default"), ("sample", "deep", "deep-samples"),
    ],
)  # fmt: skip
def test_each_kind_of_network_and_forget_set_gets_the_preset_made_for_it(kind, made_for, name):
    assert get_method("muda").preset("", {kind}, made_for).name == name


def test_classes_and_single_images_together_get_the_preset_of_the_network():
    assert get_method("muda").preset("", {"class", "sample"}, "transformer").name == "transformer"


@pytest.mark.parametrize(
    ("name", "retain", "tunes", "optimiser", "batch", "steps", "rounds"),
    [
        ("default", 54000, "last-3", "nesterov", 128, 675, 2),  # 1.6 passes of 421.9 batches
        ("samples", 54000, "last-3", "nesterov", 128, 1266, 1),  # 3 passes
        ("transformer", 54000, "last-60%", "adamw", 64, 1688, 1),  # 2 passes of 843.8
        ("transformer-samples", 54000, "last-80%", "adamw", 64, 2025, 1),  # 2.4 passes of 843.8
        ("default", 4500, "last-3", "nesterov", 128, 150, 2),  # at least: 1.6 passes are 57
        ("transformer", 4500, "last-60%", "adamw", 64, 200, 1),  # at least: 2 passes are 141
        ("few-images", 4500, "last-3", "nesterov", 64, 127, 1),  # 1.8 passes of 70.3
        ("few-images", 450, "last-3", "nesterov", 64, 100, 1),
        ("deep-samples", 4500, "last-100%", "nesterov", 64, 106, 1),  # 1.5 passes of 70.3
    ],
)
def test_what_presets_learn_again_and_in_how_many_rounds(name, retain, tunes, optimiser, batch, steps, rounds):
    method = get_method("muda")
    values = resolve(method.parameters, method.preset(name).values)
    edit, learn, *turns = plan(values, Facts(retain // 9, 0, retain, 10))
    assert isinstance(edit, Edit) and len(turns) == rounds
    assert (learn.tunes, learn.optimiser.name, learn.batch, learn.length.steps) == (tunes, optimiser, batch, steps)
    assert {(part.tunes, part.batch) for turn in turns for part in turn.parts} == {(tunes, batch)}
