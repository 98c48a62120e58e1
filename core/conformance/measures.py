"""What must hold for every measure of a package, on each kind of forget set of the toy data."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch

from core.conformance.checks import require
from core.conformance.toy import make_experiment
from core.engine.outputs import FullOutputs, collect_full
from core.verify.plugged import ModelMeasure, ModelOutputs, faults, value_of
from core.verify.suite import Subject, head_only

KINDS = ("class", "sample", "mixed")


def declares_a_complete_card(measure: ModelMeasure) -> None:
    """The record holds all that tables and reports are made of."""
    require(not (wrong := faults(measure)), "; ".join(wrong))


def gives_a_finite_number(measure: ModelMeasure) -> None:
    """It gives a finite number, or None where it says nothing, and says something of some kind of forget set."""
    values = [value_of(measure, outputs) for kind in KINDS for outputs in _models(kind)]
    require(any(value is not None for value in values), "It has no value for any kind of forget set")


def gives_the_same_again(measure: ModelMeasure) -> None:
    """The same outputs give the same value, whatever was drawn before."""
    for kind in KINDS:
        first = [value_of(measure, outputs) for outputs in _models(kind)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            again = [value_of(measure, outputs) for outputs in _models(kind)]
        require(first == again, f"On {kind} forgetting the same outputs gave {first}, then {again}")


CHECKS: tuple[Callable[[ModelMeasure], None], ...] = (
    declares_a_complete_card, gives_a_finite_number, gives_the_same_again,
)  # fmt: skip


def _models(kind: str) -> tuple[ModelOutputs, ...]:
    """Return what a measure reads of the network that knows the toy data and, of a whole class, its head-only edit."""
    experiment, full = make_experiment("finetune", forget=kind), _outputs()
    classes = experiment.splits.forget_classes
    every = (full, head_only(full, classes)) if classes else (full,)
    return tuple(ModelOutputs(Subject(one, experiment.splits)) for one in every)


@cache
def _outputs() -> FullOutputs:
    experiment = make_experiment("finetune")
    return collect_full(experiment.model, experiment.train, experiment.test)
