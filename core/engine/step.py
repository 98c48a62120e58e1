"""Optimisers, gradient masks and loss terms of single steps: the small parts the engine's loop is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from core.methods.base import Aux, Optimiser

MASK_PREFIX = "mask/"  # aux "mask/<parameter>" (bool): True where a weight may move


def make_optimiser(spec: Optimiser, parameters: list[nn.Parameter], device: torch.device) -> torch.optim.Optimizer:
    """Build a torch optimiser; fused where the device has it, because a step must cost little beside its passes."""
    fused = device.type in ("cuda", "cpu")
    if spec.name == "adamw":
        return torch.optim.AdamW(parameters, lr=spec.lr, weight_decay=spec.weight_decay, fused=fused)
    return torch.optim.SGD(
        parameters,
        lr=spec.lr,
        momentum=spec.momentum,
        weight_decay=spec.weight_decay,
        nesterov=spec.name == "nesterov" and spec.momentum > 0,  # without momentum there is nothing to look ahead on
        fused=fused,
    )


def fill_gradients(optimiser: torch.optim.Optimizer) -> None:
    """Give weights that a loss does not reach a gradient of zero: they decay and keep their momentum like the others.

    (A loss on features leaves the head out. torch's fused SGD fails where a weight gets its first gradient after
    others have had theirs: it finds no momentum for it.)
    """
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)


class WeightMask:
    """Keeps weights outside a mask bit-identical: masking gradients is not enough, decay and momentum move them."""

    def __init__(self, module: nn.Module, aux: Aux) -> None:
        self._masks = [
            (parameter, aux[MASK_PREFIX + name])
            for name, parameter in module.named_parameters()
            if MASK_PREFIX + name in aux
        ]
        self._before: list[torch.Tensor] = []

    def before(self) -> None:
        """Zero the gradients of masked weights and remember the weights."""
        self._before = [parameter.detach().clone() for parameter, _ in self._masks]
        for parameter, mask in self._masks:
            if parameter.grad is not None:
                parameter.grad.mul_(mask)

    def after(self) -> None:
        """Put masked weights back."""
        with torch.no_grad():
            for (parameter, mask), old in zip(self._masks, self._before, strict=True):
                parameter.copy_(torch.where(mask, parameter, old))


@dataclass(frozen=True)
class Drained:
    """Loss terms of the steps of one phase, on the CPU; None where a term did not apply."""

    phase: str
    steps: list[int]
    terms: dict[str, list[float | None]]


class Diverged(Exception):  # noqa: N818 (no error: the run begins again)
    """A loss or a weight is not finite; `step` is the one whose loss or whose weights it was."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


class Board:
    """Holds loss terms as device tensors and hands them over in one transfer: no synchronisation per step."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, str, dict[str, torch.Tensor]]] = []
        self._read: list[tuple[int, str, dict[str, float]]] = []

    def __len__(self) -> int:
        return len(self._rows) + len(self._read)

    def put(self, step: int, phase: str, terms: dict[str, torch.Tensor]) -> None:
        """Note the terms (0-d tensors) of a step."""
        self._rows.append((step, phase, {name: value.detach() for name, value in terms.items()}))

    def settle(self) -> None:
        """Wait for the losses of all steps noted so far; raises Diverged where one is infinite or not a number."""
        rows, self._rows = self._rows, []
        if rows:
            flat = [value.float() for _, _, terms in rows for value in terms.values()]
            numbers = iter(torch.stack(flat).cpu().tolist())
            self._read += [(step, phase, {name: next(numbers) for name in terms}) for step, phase, terms in rows]
        for step, _, terms in self._read:
            if not math.isfinite(terms["loss"]):
                self._read = []
                raise Diverged(step)

    def drain(self) -> list[Drained]:
        """Return everything noted since the last call, one group a phase, in order of steps. Raises Diverged."""
        self.settle()
        groups: dict[str, Drained] = {}
        for step, phase, terms in self._read:
            group = groups.setdefault(phase, Drained(phase, [], {}))
            for name in terms:
                group.terms.setdefault(name, [None] * len(group.steps))
            group.steps.append(step)
            for name, column in group.terms.items():
                column.append(terms.get(name))
        self._read = []
        return list(groups.values())


def all_finite(module: nn.Module) -> bool:
    """Tell whether every weight and every running statistic of a network is a finite number."""
    finite = [torch.isfinite(value).all() for value in module.state_dict().values()]
    return not finite or bool(torch.stack(finite).all())
