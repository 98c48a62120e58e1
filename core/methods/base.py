"""The vocabulary in which a method describes itself; the engine runs what is described here and knows no method.

A method is a frozen record. Its `plan` is pure and cheap and returns stages; a stage names the set it reads, a loss
(a pure function) and a length. Everything that must be right in one place (precision, eval mode, order, optimiser,
checkpoints, pause) is the engine's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import nn

from core.data.batches import Batch
from core.models.tap import TappedModel
from core.parameters import Parameter, Values

Aux = dict[str, torch.Tensor]
Terms = dict[str, torch.Tensor]
Reads = Literal["retain", "forget", "all"]


@dataclass(frozen=True)
class StageOutput:
    """What a loss sees of the forward pass, float32, outside the autocast region.

    logits, teacher: (n, K); features: (n, C); layers: pooled outputs of further layers, deepest last.
    `teacher` is None unless the stage needs it.
    """

    logits: torch.Tensor
    features: torch.Tensor
    layers: tuple[torch.Tensor, ...] = ()
    teacher: torch.Tensor | None = None


class Context(Protocol):
    """What a refresh or an edit may ask of the engine: chunked, interruptible, in eval mode without gradients."""

    model: TappedModel
    values: Values
    seed: int
    num_classes: int
    forget_classes: tuple[int, ...]
    device: torch.device

    def logits(self, which: str, limit: int | None = None) -> torch.Tensor:
        """Return (n, K) logits of a set: "retain", "forget" or "unseen" (the calibration half)."""

    def features(self, which: str, limit: int | None = None) -> torch.Tensor:
        """Return (n, C) features of a set, a stratified subset where `limit` is smaller."""

    def layer_features(self, which: str, limit: int | None = None) -> list[torch.Tensor]:
        """Return the pooled features of every tapped layer, deepest last."""

    def losses(self, which: str, limit: int | None = None) -> torch.Tensor:
        """Return (n,) cross-entropies of a set."""

    def accuracy(self, which: str, limit: int | None = None) -> float:
        """Return the share of a set that the model gets right, 0..1."""


@dataclass(frozen=True)
class Optimiser:
    """How a stage steps. `span` says over what the schedule runs: the stage, or all stages of the run."""

    name: str = "sgd"
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.0
    clip: float = 0.0  # largest gradient norm; 0: not clipped
    schedule: str = "constant"  # constant | cosine | one-cycle
    span: str = "stage"


@dataclass(frozen=True)
class Length:
    """How long a stage is: passes over the set it reads (fractions allowed), or steps."""

    epochs: float | None = None
    steps: int | None = None


@dataclass(frozen=True)
class Train:
    """A stage of optimiser steps on one set."""

    name: str
    phase: str  # forget | recover | train: what the strip above the plots shows
    reads: Reads
    loss: Callable[[StageOutput, Batch, Aux, Values], Terms]
    length: Length
    batch: int = 128
    optimiser: Optimiser = Optimiser()
    refresh: Callable[[Context], Aux] | None = None  # at the start of the stage; its result is a constant there
    refresh_every: int = 0  # and again every so many steps
    keeps: tuple[str, ...] = ()  # aux of the stage before that stays
    batch_norm: Literal["train", "frozen"] = "train"
    tunes: str = "all"  # all | head | last-N (building blocks)
    needs: frozenset[str] = frozenset()  # "teacher", "features"
    share: float = 1.0  # of the set that may be read at all, stratified, fixed for the run
    stream: str = ""  # order and augmentation stream; the stage's phase where empty
    augment: bool = True
    until: Callable[[Context], bool] | None = None  # after the stage: end the run here?


@dataclass(frozen=True)
class Alternate:
    """Stages whose batches take turns: one step of each part, over and over, as long as the first part lasts."""

    name: str
    parts: tuple[Train, ...]
    until: Callable[[Context], bool] | None = None

    @property
    def refresh(self) -> Callable[[Context], Aux] | None:
        """The first part's: one constant for all."""
        return self.parts[0].refresh


@dataclass(frozen=True)
class Edit:
    """A one-shot change of weights. Computes first, writes in its last act, so that it can be repeated."""

    name: str
    edit: Callable[[Context], None]
    phase: str = "edit"


Stage = Train | Alternate | Edit


def parts_of(stage: Stage) -> tuple[Train, ...]:
    """Return the stages whose steps a stage consists of: itself, those that take turns, or none for an edit."""
    return stage.parts if isinstance(stage, Alternate) else (stage,) if isinstance(stage, Train) else ()


@dataclass(frozen=True)
class Facts:
    """What a plan may depend on besides parameters: sizes and the kind of forget set."""

    forget: int
    retain: int
    mode: Literal["class", "sample", "mixed"]
    num_classes: int


@dataclass(frozen=True)
class Preset:
    """A named set of parameters with its reason. `suits` says for which forget sets it is meant."""

    name: str
    title: str
    reason: str
    values: Mapping[str, Any] = field(default_factory=dict)
    suits: frozenset[str] = frozenset({"class", "sample"})


@dataclass(frozen=True)
class Method:
    """Everything the application knows of a method: its card, its form, its plan."""

    id: str
    title: str
    summary: str
    citation: str
    status: Literal["reference", "control", "baseline", "reconstruction"]
    parameters: tuple[Parameter, ...]
    plan: Callable[[Values, Facts], Sequence[Stage]]
    needs: frozenset[str] = frozenset()  # shown on the card: "retain set", "forget set", "teacher"
    suits: frozenset[str] = frozenset({"class", "sample"})
    presets: tuple[Preset, ...] = ()
    starts_from: Literal["original", "fresh"] = "original"
    trained_on: frozenset[str] = frozenset()  # measures it optimises: shown, never deciding in a verdict
    notes: tuple[str, ...] = ()  # what is documented and what is ours
    explain: Callable[[Values, Facts], tuple[str, ...]] | None = None  # which parts are active for this forget set
    layers: Callable[[Values], int] = lambda values: 1  # how many layers the losses look at

    def preset(self, name: str = "", mode: str = "class") -> Preset:
        """Return the preset of that name, or the first that suits the forget set. Raises NotFoundError."""
        from core.errors import unknown_name

        if not name:
            kind = "class" if mode == "class" else "sample"
            return next((p for p in self.presets if kind in p.suits), Preset("default", "Default", ""))
        for preset in self.presets:
            if preset.name == name:
                return preset
        raise unknown_name(f"preset of {self.id}", name, [p.name for p in self.presets])


def trainable(model: TappedModel, tunes: str) -> list[nn.Parameter]:
    """Return the parameters a stage moves: "all", "head" or "last-N" building blocks."""
    if tunes == "all":
        return list(model.module.parameters())
    if tunes == "head":
        return list(model.head.parameters())
    blocks = model.blocks()[-int(tunes.removeprefix("last-")) :]
    return [p for _, block in blocks for p in block.parameters()]
