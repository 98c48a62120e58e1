"""Activations by name, as ids of networks and configurations call them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), the activation of OpenAI's CLIP."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation of `x`, of the same shape."""
        return x * (1.702 * x).sigmoid()


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "leaky_relu0.1": functools.partial(nn.LeakyReLU, 0.1),
    "leaky_relu0.2": functools.partial(nn.LeakyReLU, 0.2),
    "gelu_tanh": functools.partial(nn.GELU, "tanh"),
    "quick_gelu": QuickGELU,
    "relu6": nn.ReLU6,
    "mish": nn.Mish,
    "hardswish": nn.Hardswish,
    "tanh": nn.Tanh,
}
HF_ACTIVATIONS = {
    **ACTIVATIONS, "gelu_new": ACTIVATIONS["gelu_tanh"], "gelu_pytorch_tanh": ACTIVATIONS["gelu_tanh"],
    "swish": nn.SiLU, "selu": nn.SELU, "sigmoid": nn.Sigmoid,
}  # fmt: skip
"""The same as Hugging Face's configurations call them: further names, and further activations."""


def activation_name(part: nn.Module) -> str:
    """Return the name of an activation; "" for anything else."""
    for name, make in ACTIVATIONS.items():
        like = make()
        if type(like) is type(part) and _numbers(like) == _numbers(part):
            return name
    return ""


def _numbers(part: nn.Module) -> dict[str, Any]:
    return {name: value for name, value in vars(part).items() if name[0] != "_" and name not in ("inplace", "training")}
