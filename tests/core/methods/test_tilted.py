"""TRW: similarities of classes and the tilted target by hand, and a class that goes to those it looks like."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from core.engine.passes import SetPasses
from core.errors import RunError
from core.methods import get_method
from core.methods.base import StageOutput
from core.methods.tilted import forget_share, imitate_tilted, similarities, tilt, tilted_targets
from core.parameters import resolve
from tests.core.toy import make_engine, make_experiment, rows_of, run_to_end

VALUES = resolve(get_method("trw").parameters, {})


def loss_of(logits, teacher, labels, forget, tilts, weights=None, p=0.25):
    out = StageOutput(logits, torch.zeros(len(logits), 2), teacher=teacher)
    aux = {"tilt": tilts, "forget_classes": torch.tensor([0])}
    return imitate_tilted(out, rows_of(labels, forget, weights), aux, VALUES, p=p)


def test_similarities_by_hand():
    rows = torch.tensor([[1.0, 1.0], [1.0, 0.0], [-1.0, 1.0], [-1.0, -2.0]])  # their mean is 0
    s = similarities(rows, (0,), sharpness=0.5)
    cosines = [1 / math.sqrt(2), 0.0, -3 / math.sqrt(10)]
    weights = [math.exp(c / 0.5) for c in cosines]
    assert s[0].tolist() == pytest.approx([0.0] + [w / sum(weights) for w in weights], abs=1e-6)
    assert torch.allclose(s.sum(dim=1), torch.ones(4)) and not s[:, 0].any() and not s.diagonal().any()
    assert torch.allclose(similarities(rows + 7, (0,), 0.5), s, atol=1e-6)  # what all rows share says nothing


def test_principal_directions_leave_small_ones_out():
    rows = torch.tensor([[3.0, 0.1], [3.0, -0.1], [-3.0, 0.1], [-3.0, -0.1]])
    assert similarities(rows, (), 0.1, dimensions=1)[0, 1] == pytest.approx(1.0, abs=1e-6)
    turned = rows @ torch.tensor([[0.6, 0.8], [-0.8, 0.6]])
    assert torch.allclose(similarities(turned, (), 0.1, 1), similarities(rows, (), 0.1, 1), atol=1e-6)


def test_the_tilt_is_beta_times_similarities_of_the_heads_rows_in_as_many_directions_as_asked_for():
    experiment = make_experiment("trw", beta=3.0, sharpness=0.4, dimensions=1)
    weight = experiment.model.head.weight
    with torch.no_grad():
        weight.zero_()
        weight[:, :2] = torch.tensor([[3.0, 1.0], [3.0, -1.0], [-3.0, 1.0], [-3.0, -1.0]])
    found = tilt(SetPasses(experiment, lambda: None))["tilt"]
    near, far = math.exp(1 / 0.4), math.exp(-1 / 0.4)  # along the first column cosines are 1 and -1
    whole = near + 2 * far
    assert found[1].tolist() == pytest.approx([3 * near / whole, 0, 3 * far / whole, 3 * far / whole])
    assert found[0].tolist() == pytest.approx([0, 0, 1.5, 1.5])  # class 1 goes


def test_the_target_is_the_original_without_the_class_times_the_exponential_of_the_tilt():
    p = torch.tensor([0.7, 0.1, 0.15, 0.05])
    tilts = torch.zeros(4, 4)
    tilts[0] = 10 * torch.tensor([0.0, 0.6, 0.3, 0.1])
    q = tilted_targets(p.log()[None], torch.tensor([0]), tilts, torch.tensor([0])).softmax(dim=1)[0]
    unscaled = [0.0, 0.1 * math.exp(6), 0.15 * math.exp(3), 0.05 * math.exp(1)]
    assert q.tolist() == pytest.approx([value / sum(unscaled) for value in unscaled], abs=1e-6)


def test_the_loss_by_hand():
    torch.manual_seed(0)
    logits, teacher = torch.randn(5, 4, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    labels, forget = torch.tensor([1, 2, 3, 0, 0]), torch.tensor([False, False, False, True, True])
    tilts = torch.rand(4, 4, dtype=torch.float64) * 3
    terms = loss_of(logits, teacher, labels, forget, tilts)
    kept = -sum(logits[i].log_softmax(0)[labels[i]] for i in range(3)) / 3
    tilted = 0.0
    for i in (3, 4):
        q = (teacher[i].softmax(0) * tilts[0].exp())[1:]
        q = q / q.sum()
        tilted += float((q * (q.log() - logits[i].log_softmax(0)[1:])).sum()) / 2
    assert float(terms["classification"]) == pytest.approx(float(kept))
    assert float(terms["to the tilted original"]) == pytest.approx(tilted)
    assert float(terms["loss"]) == pytest.approx(0.75 * float(kept) + 0.25 * tilted)


def test_the_loss_is_least_where_outputs_are_the_target():
    teacher = torch.tensor([[3.0, 1.0, 0.5, -1.0]])
    tilts = torch.rand(4, 4)
    target = tilted_targets(teacher, torch.tensor([0]), tilts, torch.tensor([0]))
    at_target = target.masked_fill(target == float("-inf"), -40.0)
    label, forget = torch.tensor([0]), torch.tensor([True])
    least = float(loss_of(at_target, teacher, label, forget, tilts)["loss"])
    assert least == pytest.approx(0.0, abs=1e-5)
    assert float(loss_of(teacher, teacher, label, forget, tilts)["loss"]) > 0.1


def test_a_weight_of_two_counts_like_two_images():
    logits, teacher, tilts = torch.randn(2, 4), torch.randn(2, 4), torch.zeros(4, 4)
    labels, forget = torch.tensor([0, 0]), torch.tensor([True, True])
    heavy = loss_of(logits, teacher, labels, forget, tilts, weights=torch.tensor([2.0, 0.0]))
    plain = loss_of(logits[:1], teacher[:1], labels[:1], forget[:1], tilts)
    assert float(heavy["to the tilted original"]) == pytest.approx(float(plain["to the tilted original"]), rel=1e-5)


def test_the_weight_is_the_forget_sets_share_unless_it_is_set():
    experiment = make_experiment("trw")
    assert forget_share(experiment.values, experiment.facts) == pytest.approx(20 / 80)
    assert experiment.plan[0].loss.keywords["p"] == pytest.approx(20 / 80)
    assert forget_share(make_experiment("trw", forget_weight=0.6).values, experiment.facts) == 0.6


def test_images_to_forget_are_taken_for_the_class_most_like_theirs():
    experiment = make_experiment("trw", epochs=40, batch=16, lr=0.05, forget_weight=0.5, sharpness=0.05)
    context = SetPasses(experiment, lambda: None)
    rows = experiment.model.head.weight.detach().clone()
    centred = F.normalize(rows - rows.mean(dim=0), dim=1)
    cosines = centred @ centred[1]
    cosines[1] = -2
    kept, before = context.accuracy("retain"), context.accuracy("forget")
    run_to_end(make_engine(experiment))
    assert before > 0.8 and context.accuracy("forget") == 0.0
    assert context.accuracy("retain") > kept - 0.1
    named = context.outputs("forget").logits.argmax(dim=1)
    assert (named == int(cosines.argmax())).float().mean() > 0.9


def test_one_class_that_stays_is_refused_and_two_are_not():
    experiment = make_experiment("trw")
    context = SetPasses(experiment, lambda: None)
    context.forget_classes = (0, 1)
    assert tilt(context)["tilt"][0, 2:].sum() == pytest.approx(10.0)
    context.forget_classes = (0, 1, 2)
    with pytest.raises(RunError, match="at least two classes that stay"):
        tilt(context)
