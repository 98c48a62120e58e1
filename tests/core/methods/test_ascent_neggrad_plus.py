"""NegGrad+: both losses in one step, in a proportion that follows the sizes of the sets unless it is set."""

from __future__ import annotations

import pytest
import torch

from core.engine.passes import SetPasses
from core.methods import get_method
from core.methods.ascent import capped, contrast, explain_weights, retain_weight
from core.methods.base import Facts, StageOutput
from core.parameters import resolve
from tests.core.toy import make_engine, make_experiment, rows_of, run_to_end

METHOD = get_method("neggrad-plus")
PARAMETERS = METHOD.parameters


def test_the_loss_against_values_by_hand():
    logits = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.5, 0.5], [3.0, 0.0]])
    labels, forget = torch.tensor([0, 0, 1, 0]), torch.tensor([False, False, True, True])
    weight = torch.tensor([1.0, 1.0, 1.0, 3.0])
    rows = -torch.log_softmax(logits.double(), 1)[torch.arange(4), labels]
    terms = contrast(
        StageOutput(logits, logits), rows_of(labels, forget, weight), {}, resolve(PARAMETERS, {"ceiling": 0}), a=0.7
    )
    expected = 0.7 * rows[:2].mean() - 0.3 * (rows[2] + 3 * rows[3]) / 2
    assert float(terms["loss"]) == pytest.approx(float(expected), rel=1e-6)


def test_a_forget_image_above_the_ceiling_pulls_no_further_and_retain_images_always_do():
    logits = torch.tensor([[9.0, 0.0], [9.0, 0.0]], requires_grad=True)
    labels, forget = torch.tensor([1, 1]), torch.tensor([False, True])
    values = resolve(PARAMETERS, {"ceiling": 4.0})
    contrast(StageOutput(logits, logits), rows_of(labels, forget, torch.ones(2)), {}, values, a=0.5)["loss"].backward()
    assert torch.count_nonzero(logits.grad[1]) == 0
    assert logits.grad[0, 1] < 0  # descends towards the label


@pytest.mark.parametrize(
    ("ceiling", "single_ceiling", "expected"),
    [(4.0, 0.5, [4, 0.5]), (0.5, 4.0, [0.5, 4]), (4.0, 0.0, [4, 4]), (0.0, 2.0, [9, 2]), (0.0, 0.0, [9, 9])],
)
def test_images_that_go_alone_have_a_ceiling_of_their_own(ceiling, single_ceiling, expected):
    values = resolve(PARAMETERS, {"ceiling": ceiling, "single_ceiling": single_ceiling})
    batch = rows_of(torch.tensor([0, 0]), alone=torch.tensor([False, True]))
    assert capped(torch.tensor([9.0, 9.0]), batch, values).tolist() == expected
    assert capped(torch.tensor([9.0, 9.0]), batch, values, corrective=True).tolist() == [expected[0]] * 2


def test_beside_classes_single_images_stop_where_they_stop_without():
    of_singles, of_both = (METHOD.preset("", kinds).values for kinds in ({"sample"}, {"class", "sample"}))
    batch = rows_of(torch.tensor([0, 0]), alone=torch.tensor([False, True]))
    assert capped(torch.tensor([9.0, 9.0]), batch, resolve(PARAMETERS, of_singles))[1] == 1.0
    assert capped(torch.tensor([9.0, 9.0]), batch, resolve(PARAMETERS, of_both)).tolist() == [9.0, 1.0]


def test_the_weight_follows_the_share_so_that_every_image_counts_the_same():
    values = resolve(PARAMETERS)
    assert retain_weight(values, Facts(100, 0, 900, 10)) == pytest.approx(0.9)
    assert retain_weight(values, Facts(0, 10, 990, 10)) == pytest.approx(0.99)
    double = resolve(PARAMETERS, {"image_weight": 2.0})
    assert retain_weight(double, Facts(100, 0, 900, 10)) == pytest.approx(900 / 1100)


def test_a_weight_that_is_set_stays_as_set():
    values = resolve(PARAMETERS, {"retain_weight": 0.95})
    assert retain_weight(values, Facts(1, 0, 9, 10)) == 0.95
    assert "0.9500" in explain_weights(values, Facts(1, 0, 9, 10))[0]


@pytest.mark.parametrize("mode", ["class", "sample"])
def test_forget_losses_rise_and_the_images_to_keep_are_held(mode):
    values = {"epochs": 8, "batch": 16, "lr": 0.05, "ceiling": 4.0, "image_weight": 3.0}
    experiment = make_experiment("neggrad-plus", forget=mode, **values)
    context = SetPasses(experiment, lambda: None)
    forget, retain = context.outputs("forget").losses.mean(), context.accuracy("retain")
    run_to_end(make_engine(experiment))
    assert context.outputs("forget").losses.mean() > forget + 0.3
    assert context.accuracy("retain") > retain - 0.1
