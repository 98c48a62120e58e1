"""Bad teacher: forget rows go to the untrained network, the others to the original, in the proportion of a mixture."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from core.engine.passes import SetPasses
from core.methods import get_method
from core.methods.base import Facts, StageOutput
from core.methods.distillation import forget_weight, imitate
from core.parameters import resolve
from tests.core.toy import make_engine, make_experiment, rows_of, run_to_end

PARAMETERS = get_method("bad-teacher").parameters


def made(seed=0, count=6, classes=5):
    generator = torch.Generator().manual_seed(seed)
    logits, teacher, untrained = torch.randn(3, count, classes, generator=generator)
    forget = torch.arange(count) % 3 == 0
    weight = torch.where(forget, 2.0, 1.0)
    batch = rows_of(torch.zeros(count, dtype=torch.int64), forget, weight)
    return StageOutput(logits, logits, teacher=teacher, untrained=untrained), batch


def test_the_loss_is_the_published_divergence_per_image_summed_over_classes():
    out, batch = made()
    loss = imitate(out, batch, {}, resolve(PARAMETERS), p=0.25)["loss"]
    student = F.softmax(out.logits.double(), dim=1)
    target = torch.where(
        batch.forget[:, None], F.softmax(out.untrained.double(), dim=1), F.softmax(out.teacher.double(), dim=1)
    )
    rows = (target * (target / student).log()).sum(dim=1)
    expected = 0.75 * rows[~batch.forget].mean() + 0.25 * 2 * rows[batch.forget].mean()
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_divergence_is_from_the_teachers_not_to_them():
    """KL is not symmetric: a student that says nothing where its teacher is sure must pay for it."""
    sure, unsure = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    batch = rows_of(torch.tensor([0]), False)
    out = StageOutput(unsure, unsure, teacher=sure, untrained=unsure)
    assert float(imitate(out, batch, {}, resolve(PARAMETERS), p=0.0)["loss"]) == pytest.approx(0.692, abs=1e-3)


def test_the_weight_is_the_share_in_a_shuffled_mixture_unless_set():
    values = resolve(PARAMETERS, {"retain_share": 0.3})
    assert forget_weight(values, Facts(100, 0, 900, 10)) == pytest.approx(100 / 370)
    assert forget_weight(resolve(PARAMETERS, {"forget_weight": 0.5}), Facts(1, 0, 9, 10)) == 0.5


def test_it_reads_a_share_of_the_retain_set_only():
    experiment = make_experiment("bad-teacher", retain_share=0.3, epochs=1, batch=4)
    members = experiment.members(experiment.plan[0])
    assert len(members) == round(0.3 * len(experiment.splits.retain_train))
    assert experiment.timeline.total == -(-len(members) // 4)


def test_outputs_on_the_class_come_near_the_untrained_network_and_the_others_stay_near_the_original():
    experiment = make_experiment("bad-teacher", epochs=30, retain_share=1.0, batch=16, lr=0.05)
    context = SetPasses(experiment, lambda: None)
    before, kept = context.accuracy("forget"), context.accuracy("retain")
    engine = make_engine(experiment)
    terms = [e.terms for e in run_to_end(engine) if e.type == "step_metrics"]
    first, last = terms[0]["from the untrained"][0], terms[-1]["from the untrained"][-1]
    assert last < first / 2
    assert context.accuracy("forget") < before
    assert context.accuracy("retain") > kept - 0.1
