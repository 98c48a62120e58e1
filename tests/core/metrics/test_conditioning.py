"""Condition numbers are NumPy's, from singular values in float64, of the layers that are meant."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from core.metrics import conditioning
from core.metrics.conditioning import SINGULAR, condition_number, measure_conditioning
from core.models.architectures import ModelSpec, build_model
from core.models.linear import last_linear
from core.models.tap import TappedModel


def with_values(singular: list[float], rows: int, columns: int) -> torch.Tensor:
    """A matrix with these singular values."""
    generator = torch.Generator().manual_seed(0)
    left, _ = torch.linalg.qr(torch.randn(rows, len(singular), generator=generator, dtype=torch.float64))
    right, _ = torch.linalg.qr(torch.randn(columns, len(singular), generator=generator, dtype=torch.float64))
    return left @ torch.diag(torch.tensor(singular, dtype=torch.float64)) @ right.T


@pytest.mark.parametrize("shape", [(3, 7), (7, 3)])
def test_it_is_the_ratio_of_largest_to_smallest_singular_value(shape):
    matrix = with_values([8.0, 2.0, 0.5], *shape)
    assert condition_number(matrix) == pytest.approx(16.0, rel=1e-12)
    assert condition_number(matrix) == pytest.approx(np.linalg.cond(matrix.numpy(), 2), rel=1e-10)
    assert condition_number(-3 * matrix.T) == pytest.approx(16.0, rel=1e-12)  # neither scale nor side counts


def test_it_is_taken_in_float64():
    fine = with_values([1.0, 1e-5], 40, 2).float()
    assert condition_number(fine) == pytest.approx(np.linalg.cond(fine.double().numpy(), 2), rel=1e-9)


def test_a_lost_direction_has_no_number_but_a_reason():
    silenced = torch.eye(4)
    silenced[2] = 0
    assert condition_number(silenced) is None
    assert condition_number(torch.full((2, 2), torch.nan)) is None and condition_number(torch.zeros(0, 3)) is None
    found = measure_conditioning({"body.weight": torch.eye(3) * 2, "head.weight": silenced})
    assert found.value is None and found.layers[0]["value"] == 1.0
    assert found.reason == f"head.weight: {SINGULAR}"
    json.dumps(found.as_dict(), allow_nan=False)


def test_the_larger_of_the_layers_counts_and_convolutions_of_one_pixel_are_matrices(monkeypatch):
    first, second = with_values([6.0, 2.0], 4, 2), with_values([5.0, 1.0], 2, 4)[:, :, None, None]
    found = measure_conditioning({"a": first, "b": second})
    assert found.value == pytest.approx(5.0) and [layer["value"] for layer in found.layers] == pytest.approx([3.0, 5.0])
    assert [(layer["name"], layer["rows"], layer["columns"]) for layer in found.layers] == [("a", 4, 2), ("b", 2, 4)]
    monkeypatch.setattr(conditioning, "LARGEST_SIDE", 1)
    assert measure_conditioning({"a": first}).reason == "a: too large to be decomposed here"


@pytest.mark.parametrize(
    ("architecture", "size", "names"),
    [
        ("small-cnn", 8, ["hidden.weight", "head.weight"]),
        ("resnet18-cifar", 32, ["fc.weight"]),  # a convolution stands before its head
        ("squeezenet1_1", 64, ["classifier.1.weight"]),
    ],
)
def test_the_last_linear_layers_are_the_head_and_one_right_before_it(architecture, size, names):
    spec = ModelSpec(architecture, 5, 3, (size, size))
    model = TappedModel(build_model(spec), 5, input_shape=(3, size, size))
    found = last_linear(model)
    assert list(found) == names
    parameters = dict(model.module.named_parameters())
    assert all(weight is parameters[name] for name, weight in found.items())
