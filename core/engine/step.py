"""The back half of a step: from its loss to moved weights, and the loss terms kept until they are reported."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from core import distributed
from core.engine.experiment import Experiment
from core.engine.shares import Share, add_up_gradients
from core.errors import NonFiniteError
from core.methods.base import Aux, Balance, Optimiser, Terms, Train
from core.methods.sine import Sine, along, sines_in

MASK_PREFIX = "mask/"  # aux "mask/<parameter>" (bool): True where a weight may move
RATE_PREFIX = "rate/"  # aux "rate/<parameter>" (float): factor on each weight's gradient, before norms are clipped


class Stepper:
    """Moves the weights that a stage trains: its optimiser and mask, the scaler, and the modes of the network."""

    def __init__(self, experiment: Experiment) -> None:
        self._model, self._device = experiment.model, experiment.device
        self._norms = [m for m in self._model.module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=experiment.precision == "float16")
        self._optimiser: torch.optim.Optimizer | None = None
        self._parameters: list[nn.Parameter] = []
        self._masks: list[tuple[nn.Parameter, torch.Tensor]] = []  # parameters and which of their weights may move
        self._rates: list[tuple[nn.Parameter, torch.Tensor]] = []  # parameters and factors on their gradients
        self._sines: list[Sine] = []  # parameters that move along a sine
        self._modes: tuple[str, str] | None = None  # batch norm and tuned part that train and eval modes are set for

    def enter(self, part: Train, aux: Aux) -> None:
        """Begin a stage: gradients for what it trains, a fresh optimiser, the mask among its constants."""
        self._parameters = self._model.tuned_parameters(part.tunes)
        chosen = set(map(id, self._parameters))
        for parameter in self._model.module.parameters():
            parameter.requires_grad_(id(parameter) in chosen)
        self._optimiser = make_optimiser(part.optimiser, self._parameters, self._device)
        named = dict(self._model.module.named_parameters())
        self._masks = [(p, aux[MASK_PREFIX + name]) for name, p in named.items() if MASK_PREFIX + name in aux]
        self._sines = [sine for sine in sines_in(aux, named) if id(sine.parameter) in chosen]
        self._rates = [(p, aux[RATE_PREFIX + name]) for name, p in named.items() if RATE_PREFIX + name in aux]

    def set_modes(self, part: Train) -> None:
        """Train mode for what is tuned; everything else, and batch norm where the stage says so, keeps to eval mode."""
        if self._modes == (part.batch_norm, part.tunes):
            return
        self._model.module.eval()
        for module in self._model.tuned_modules(part.tunes):
            module.train()
        if part.batch_norm == "frozen":
            for norm in self._norms:
                norm.eval()
        self._modes = (part.batch_norm, part.tunes)

    def take(self, part: Train, terms: Terms, rate: float, share: Share) -> None:
        """Go one step of `part` with step size `rate`, the gradient's norm clipped where it says so.

        Down the term "loss" (0-d), or along a mixture of several terms' gradients where the part balances these.
        `share`: of the batch that the terms are of; gradients are added up over the ranks.
        """
        assert self._optimiser is not None
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        if part.balance is None:
            self._descend(terms["loss"], share)
        else:
            self._mix(part.balance, terms, share)
        self._scaler.unscale_(self._optimiser)
        for parameter, factor in self._rates:
            if parameter.grad is not None:
                parameter.grad.mul_(factor)
        for sine in self._sines:
            sine.to_angle()
        clip = part.optimiser.clip
        if clip > 0:
            torch.nn.utils.clip_grad_norm_(self._parameters, clip)
        with along(self._sines), held_outside(self._masks if part.masked else []):
            self._scaler.step(self._optimiser)
        self._scaler.update()
        self._optimiser.zero_grad(set_to_none=True)

    def _descend(self, loss: torch.Tensor, share: Share, *, again: bool = False) -> None:
        """Put the gradient of a term into the weights, scaled; `again`: another term of the same outputs follows.

        Weights that the term does not reach get a gradient of zero: they decay and keep their momentum like the
        others. (A loss on features leaves the head out. torch's fused SGD fails where a weight gets its first gradient
        after others have had theirs: it finds no momentum for it.)
        """
        self._scaler.scale(loss).backward(retain_graph=again)
        for parameter in self._parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        add_up_gradients(self._parameters, share)

    def _mix(self, balance: Balance, terms: Terms, share: Share) -> None:
        """Put the mixture of the terms' gradients into the weights, scaled."""
        gradients: list[list[torch.Tensor]] = []  # by term, of the whole batch
        for name in balance.terms:
            self._descend(terms[name], share, again=name != balance.terms[-1])
            gradients.append([parameter.grad for parameter in self._parameters if parameter.grad is not None])
            for parameter in self._parameters:
                parameter.grad = None
        scale = self._scaler.scale(torch.ones((), device=self._device))
        products = [[inner_product(one, other) for other in gradients] for one in gradients]
        weights = balance.weights(torch.stack([torch.stack(row) for row in products]) / scale.square())
        for parameter, *own in zip(self._parameters, *gradients, strict=True):
            parameter.grad = sum((w * g for w, g in zip(weights, own, strict=True)), torch.zeros_like(parameter))

    def state(self, *, inside: bool) -> dict[str, Any]:
        """Return what a checkpoint holds; of the optimiser only `inside` a stage, because each begins with its own."""
        return {
            "optimiser": copy.deepcopy(self._optimiser.state_dict()) if inside and self._optimiser else None,
            "scaler": self._scaler.state_dict() or None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` returned; inside a stage `enter` comes first."""
        if state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])
        if self._optimiser and state["optimiser"] is not None:
            self._optimiser.load_state_dict(state["optimiser"])


def inner_product(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the inner product of two gradients that lie in parts, 0-d."""
    return torch.stack([(a * b).sum() for a, b in zip(one, other, strict=True)]).sum()


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


@contextmanager
def held_outside(masks: list[tuple[nn.Parameter, torch.Tensor]]) -> Iterator[None]:
    """Keep weights outside their masks (bool) bit-identical while an optimiser steps.

    Masking gradients is not enough: decay and momentum move weights, too.
    """
    before = [parameter.detach().clone() for parameter, _ in masks]
    for parameter, mask in masks:
        if parameter.grad is not None:
            parameter.grad.mul_(mask)
    yield
    with torch.no_grad():
        for (parameter, mask), old in zip(masks, before, strict=True):
            parameter.copy_(torch.where(mask, parameter, old))


# Steps of one phase, and their loss terms by name; None where a term did not apply.
Drained = tuple[list[int], dict[str, list[float | None]]]


class Diverged(Exception):  # noqa: N818 (no error: the run begins again)
    """A loss or a weight is not finite; `step` is the first such step as far as it is known."""

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
        """Keep the terms (0-d tensors) of a step."""
        self._rows.append((step, phase, {name: value.detach() for name, value in terms.items()}))

    def settle(self) -> None:
        """Read the terms of all steps kept so far; raises Diverged where a loss is infinite or not a number."""
        rows, self._rows = self._rows, []
        if rows:
            flat = [value.float() for _, _, terms in rows for value in terms.values()]
            stacked = torch.stack(flat).cpu()
            distributed.broadcast(stacked)  # so that all ranks see the same step diverge
            numbers = iter(stacked.tolist())
            self._read += [(step, phase, {name: next(numbers) for name in terms}) for step, phase, terms in rows]
        for step, _, terms in self._read:
            if not math.isfinite(terms["loss"]):
                self._read = []
                raise Diverged(step)

    def drain(self) -> dict[str, Drained]:
        """Return all steps and terms kept since the last call by phase, in order of steps. Raises Diverged."""
        self.settle()
        phases: dict[str, Drained] = {}
        for step, phase, terms in self._read:
            steps, columns = phases.setdefault(phase, ([], {}))
            for name in terms:
                columns.setdefault(name, [None] * len(steps))
            steps.append(step)
            for name, column in columns.items():
                column.append(terms.get(name))
        self._read = []
        return phases


def require_finite(module: nn.Module) -> None:
    """Raise NonFiniteError naming a weight or a batch norm statistic that is not finite; losses need not show it."""
    for name, value in module.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            raise NonFiniteError(f"{name} became infinite", "Choose a smaller step size or a gradient clip")


def all_finite(module: nn.Module) -> bool:
    """Tell whether every weight and every running statistic of a network is a finite number."""
    finite = [torch.isfinite(value).all() for value in module.state_dict().values()]
    return not finite or bool(torch.stack(finite).all())
