"""Weights that move along a sine: W = W₀ + a · sin(V / a) with V from 0, so that none leaves W₀ by more than a.

After SineProject (Garg, Saratchandran, Lucey: arXiv 2511.18444), which trains V of W₀ + sin(V) in the frozen projector
of a vision-language model. A reconstruction: its code was not at hand. Ours are the layers (the last linear ones of a
classifier), that V begins at 0, and the bound a, a multiple of the root mean square of W₀: weights here are far smaller
than 1, so that an a of 1 would bind nothing. Dividing V by a keeps the first step as large as a plain one.

The optimiser steps on V, and the network holds W all the time but within that step: so whatever reads or writes weights
(measures, checkpoints, exports) finds plain ones, and nothing is left to be folded at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.methods.base import Aux

_ANGLE, _START, _BOUND = "sine/", "sine start/", "sine bound/"  # constants: each with the parameter's name behind it


def sine_constants(weights: Mapping[str, Tensor], reach: float) -> Aux:
    """Return the constants that let weights, by parameter name, move along a sine from where they are now.

    reach: the bound of each, in multiples of the root mean square of the weights.
    """
    made: Aux = {}
    for name, weight in weights.items():
        start = weight.detach().clone()
        bound = reach * start.square().mean().sqrt()
        if bool(bound > 0):
            made |= {_ANGLE + name: torch.zeros_like(start), _START + name: start, _BOUND + name: bound}
    return made


@dataclass(frozen=True, eq=False)
class Sine:
    """One parameter that moves along a sine; `angle` (V) is moved in place, and so is part of every checkpoint."""

    parameter: nn.Parameter
    angle: Tensor
    start: Tensor
    bound: Tensor

    def to_angle(self) -> None:
        """Turn the gradient of the weights into that of the angle: times cos(V / a)."""
        if self.parameter.grad is not None:
            self.parameter.grad.mul_((self.angle / self.bound).cos())


def sines_in(aux: Aux, named: Mapping[str, nn.Parameter]) -> list[Sine]:
    """Return the parameters that move along a sine, of those by name, as the constants of a run say."""
    return [
        Sine(parameter, aux[_ANGLE + name], aux[_START + name], aux[_BOUND + name])
        for name, parameter in named.items()
        if _ANGLE + name in aux
    ]


@contextmanager
def along(sines: Sequence[Sine]) -> Iterator[None]:
    """Have an optimiser step on angles: they stand in the parameters meanwhile, which are weights again afterwards."""
    with torch.no_grad():
        for sine in sines:
            sine.parameter.copy_(sine.angle)
    yield
    with torch.no_grad():
        for sine in sines:
            sine.angle.copy_(sine.parameter)
            sine.parameter.copy_(sine.start + sine.bound * (sine.angle / sine.bound).sin())
