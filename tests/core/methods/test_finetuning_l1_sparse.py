"""L1-sparse: the penalty against values by hand, its course, and the layers it leaves alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from core.engine.passes import SetPasses
from core.methods import get_method
from core.methods.base import StageOutput
from core.methods.finetuning import normalises, normalising_parameters, penalty_weight, sparse_classification
from core.parameters import resolve
from tests.core.toy import make_engine, make_experiment, rows_of, run_to_end

PARAMETERS = get_method("l1-sparse").parameters


@pytest.mark.parametrize(
    ("unpenalised", "progress", "expected"),
    [(0, 0, 1), (0, 0.25, 0.75), (0, 1, 0), (0.2, 0.4, 0.5), (0.2, 0.8, 0), (0.2, 0.9, 0), (1, 0, 0)],
)
def test_the_penalty_falls_in_a_straight_line_and_stays_at_zero(unpenalised, progress, expected):
    values = resolve(PARAMETERS, {"l1": 0.5, "unpenalised": unpenalised})
    assert penalty_weight(values, progress) == pytest.approx(0.5 * expected)


def test_the_loss_against_values_by_hand():
    logits, labels = torch.tensor([[1.0, 2.0], [0.0, 3.0]]), torch.tensor([1, 0])
    parameters = {
        "conv.weight": torch.nn.Parameter(torch.tensor([[-2.0, 1.0]])),
        "bn.weight": torch.nn.Parameter(torch.tensor([100.0])),
        "head.bias": torch.nn.Parameter(torch.tensor([0.5])),
    }
    batch = rows_of(labels, False)
    out = StageOutput(logits, logits, parameters=parameters, progress=0.5)
    terms = sparse_classification(out, batch, {"norm/bn.weight": torch.tensor(True)}, resolve(PARAMETERS, {"l1": 0.1}))
    expected = float(F.cross_entropy(logits, labels)) + 0.1 * 0.5 * 3.5
    assert terms["loss"].item() == pytest.approx(expected, rel=1e-6)
    terms["loss"].backward()
    assert parameters["conv.weight"].grad.tolist() == [[pytest.approx(-0.05), pytest.approx(0.05)]]
    assert parameters["bn.weight"].grad is None


def test_single_images_take_half_the_step_of_classes_under_a_larger_penalty():
    method = get_method("l1-sparse")
    singles, classes = (resolve(PARAMETERS, method.preset("", {kind}).values) for kind in ("sample", "class"))
    assert singles.lr == classes.lr / 2 == 0.1 and singles.l1 == 15 * classes.l1 == 0.003


def test_normalisation_layers_are_named_and_nothing_else():
    aux = normalising_parameters(SetPasses(make_experiment("l1-sparse"), lambda: None))
    assert aux.keys() == {"norm/block1.1.weight", "norm/block1.1.bias"}


class OwnNorm(nn.Module):
    """What a library or a user calls a normalisation layer of its own."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))


class NormedLinear(nn.Module):
    """A layer with weights to prune, whatever its name says."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 2))


@pytest.mark.parametrize(
    ("layer", "normalising"),
    [
        (nn.BatchNorm1d(3), True), (nn.InstanceNorm2d(3, affine=True), True), (nn.LayerNorm(3), True),
        (nn.GroupNorm(1, 3), True), (nn.RMSNorm(3), True), (OwnNorm(3), True),
        (NormedLinear(), False), (nn.Linear(3, 2), False), (nn.PReLU(), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else str(value),
)  # fmt: skip
def test_every_kind_of_normalisation_layer_is_spared(layer, normalising):
    assert normalises(layer) is normalising


def test_weights_shrink_and_batch_norm_scales_do_not_follow():
    results = {}
    for l1 in (0.0, 0.05):
        experiment = make_experiment("l1-sparse", l1=l1, epochs=4, batch=16, lr=0.05)
        run_to_end(make_engine(experiment))
        named = dict(experiment.model.module.named_parameters())
        norm = named.pop("block1.1.weight").abs().mean() + named.pop("block1.1.bias").abs().mean()
        results[l1] = sum(p.abs().sum().item() for p in named.values()), norm.item()
    assert results[0.05][0] < 0.7 * results[0.0][0]
    assert results[0.05][1] > 0.95 * results[0.0][1]


def test_the_class_is_forgotten_and_the_others_are_kept():
    experiment = make_experiment("l1-sparse", epochs=20, batch=16, l1=0.004, lr=0.1)
    context = SetPasses(experiment, lambda: None)
    before, kept = context.accuracy("forget"), context.accuracy("retain")
    run_to_end(make_engine(experiment))
    assert context.accuracy("forget") < before / 3
    assert context.accuracy("retain") > kept - 0.05
