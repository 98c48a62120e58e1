"""The vocabulary in which a method describes itself; the engine runs what is described here and knows no method.

A method is a frozen record. Its `plan` is pure and cheap and returns stages; a stage names the set it reads, a loss
(a pure function) and a length. Everything that must be right in one place (precision, eval mode, order, optimiser,
checkpoints, pause) is the engine's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

import torch

from core.data.batches import Batch, batches_in
from core.errors import unknown_name
from core.job import Purpose
from core.models.tap import Output, SetOutputs, TappedModel
from core.parameters import Parameter, Values
from core.selection import CLASS, SAMPLE

WHOLE, SINGLE = frozenset({CLASS}), frozenset({SAMPLE})  # kinds of images to forget
BOTH = WHOLE | SINGLE
MadeFor = Purpose | Literal["transformer", "deep"]  # a purpose, or a kind of network
Aux = dict[str, torch.Tensor]
Terms = dict[str, torch.Tensor]
Reads = Literal["retain", "forget", "all"]
Group = Literal["reference", "alignment", "relabelling", "distillation", "gradient", "closed form"]
GROUPS: tuple[Group, ...] = get_args(Group)  # in the order in which headings stand

# A number for every sample: logits (n, K) float32, labels (n,) int64 -> (n,); gradients are taken of it.
Objective = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
# Is shown the name of a layer, its input for some samples, on the device, and their labels (n,).
See = Callable[[str, torch.Tensor, torch.Tensor], None]
LOOK_SAMPLES = 2000  # of a set, behind one look at it: two points of accuracy are then well above chance
NOT_NEEDED = torch.empty(0)  # in place of outputs that a stage does not ask for


@dataclass(frozen=True)
class StageOutput(Output):
    """What a loss sees of the forward pass, float32, outside the autocast region.

    teacher, untrained: (n, K), of an encoder its features (n, C). `teacher` (the frozen original), `untrained` (a
    network of the same kind with fresh weights) and `parameters` (what the stage trains, by name, with gradient) are
    empty unless the stage names them in `needs`. Where several processes share a run these are the outputs of the whole
    batch on each of them.
    """

    teacher: torch.Tensor = NOT_NEEDED
    untrained: torch.Tensor = NOT_NEEDED
    parameters: Mapping[str, torch.Tensor] = field(default_factory=dict)
    progress: float = 0.0  # 0..1 over the stage, for weights that change with time


@dataclass(frozen=True)
class Networks:
    """What a stage's `prepare` may ask: the networks in eval mode with frozen weights, and a generator of its own.

    Gradients flow to the images where they are asked for. `low`, `high`: (C, 1, 1), the range of preprocessed pixels.
    """

    model: TappedModel
    teacher: TappedModel | None
    generator: torch.Generator
    low: torch.Tensor
    high: torch.Tensor


class Context(Protocol):
    """What a refresh or an edit may ask of the engine: chunked, interruptible, in eval mode.

    Sets: of training images "retain", "forget" and "all", and of the forget set "classes" (images that go with their
    whole class) and "singles" (images that go alone); "unseen" (the calibration half of the test images).
    `limit`: about so many samples of a set, the same share of every class; 0: all.
    """

    model: TappedModel
    values: Values
    aux: Aux  # the constants made so far in the run
    seed: int
    num_classes: int
    forget_classes: tuple[int, ...]
    imageless: tuple[int, ...]  # outputs whose class has no training image
    facts: Facts
    input_shape: tuple[int, int, int]  # channels, height, width of preprocessed images
    pixel_range: tuple[torch.Tensor, torch.Tensor]  # the lowest and highest value of preprocessed pixels, (C, 1, 1)
    device: torch.device

    def outputs(self, which: str, limit: int = 0) -> SetOutputs:
        """Return the network's outputs on a set, on the CPU: logits, features, labels, and those of tapped layers."""

    def labels(self, which: str, limit: int = 0) -> torch.Tensor:
        """Return (n,) int64 true labels, in the order of `outputs`."""

    def batches(self, which: str, limit: int = 0) -> Iterator[Batch]:
        """Yield the samples of a set with their images, unaugmented, some at a time."""

    def passed(self, images: int) -> None:
        """Count so many images passed forward and back through `model` by the caller itself, for a run's work."""

    def accuracy(self, which: str, limit: int = LOOK_SAMPLES) -> float:
        """Return the share of a set that the model gets right, 0..1."""

    def inputs(self, which: str, layers: Sequence[str], see: See, limit: int = 0) -> None:
        """Pass a set through the network once and show what inner layers, by module name, receive, chunk by chunk."""

    def gradient(self, which: str, objective: Objective, limit: int = 0) -> dict[str, torch.Tensor]:
        """Return the gradient of the objective's mean over a set, by parameter name, in each parameter's shape."""

    def sample_gradients(
        self, which: str, objective: Objective, limit: int = 0
    ) -> Iterator[dict[str, torch.Tensor]]:
        """Yield gradients of single samples, some at a time: by parameter name, (n, *shape)."""

    def check(self) -> None:
        """Raise where the run should end; called between the rounds of a loop of a method's own."""

    def say(self, message: str) -> None:
        """Put a line for people into the run's log, such as a value that was searched for."""


Refresh = Callable[[Context], Aux]  # makes constants of a stage
# Its terms by name; "loss" is what a step lowers. Images of the batch are there only where a stage has a `prepare`:
# where several processes share a run, the others hold some of them.
Loss = Callable[[StageOutput, Batch, Aux, Values], Terms]


@dataclass(frozen=True)
class Optimiser:
    """How a stage steps. `span` says over what the schedule runs: the stage, or all stages of the run."""

    name: str = "sgd"  # sgd | nesterov | adamw
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.0
    clip: float = 0.0  # largest gradient norm; 0: not clipped
    schedule: str = "constant"  # constant | cosine | one-cycle
    span: str = "stage"


@dataclass(frozen=True)
class Balance:
    """Steps along a mixture of the gradients of several terms, in place of down the term "loss".

    `weights` is given the inner products of these gradients, (m, m) in the order of `terms`, and returns how much each
    counts, (m,); a pure function that reads no number from a tensor.
    """

    terms: tuple[str, ...]
    weights: Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Length:
    """How long a stage is: passes over the set it reads (fractions allowed) within bounds in steps; or just steps."""

    epochs: float = 0.0
    steps: int | None = None
    least: int = 0  # steps: few images are visited again until it is reached
    most: int = 0  # steps: passes are cut off there; 0: they are not

    def steps_over(self, images: int, batch: int) -> int:
        """Return the number of steps over a set of so many images in batches of so many."""
        if self.steps is not None:
            return self.steps
        steps = batches_in(self.epochs, images, batch)
        return max(self.least, min(steps, self.most or steps))


@dataclass(frozen=True)
class Train:
    """A stage of optimiser steps on one set of images; everything the engine has to know to take them."""

    name: str
    phase: str  # forget | recover | train: what the strip above the plots shows
    reads: Reads
    loss: Loss
    length: Length
    batch: int = 128
    optimiser: Optimiser = Optimiser()
    balance: Balance | None = None  # which of the loss's terms a step weighs against each other by their gradients
    refresh: Refresh | None = None  # at the start of the stage; its constants stay until another refresh replaces them
    refresh_every: int = 0  # and again after so many steps of its own
    drops: tuple[str, ...] = ()  # constants that end with the stage: no later one needs them
    prepare: Callable[[Networks, Batch, Aux, Values], Batch] | None = None  # another batch in place of the one read
    by_image: bool = False  # `prepare` changes labels alone, each image by itself and without a draw
    teacher_passes: int = 0  # of the original, forward, that `prepare` takes; a gradient to the images counts as one
    copies: int = 0  # so many altered copies of its rows stand behind them (`prepare`); their outputs are constants
    beside: Reads | None = None  # a second set: each step's batch is followed by one of these, of the same size
    masked: bool = True  # whether its steps hold the weights outside of masks that are among the constants
    batch_norm: Literal["train", "frozen"] = "train"
    tunes: str = "all"  # all | head | last-N or last-P% (building blocks); what is not tuned stays in eval mode
    cached: bool = False  # what the first tuned block receives is computed once for all samples, unaugmented
    needs: tuple[str, ...] = ()  # "teacher", "untrained", "parameters"
    share: float = 1.0  # of the set that may be read at all, stratified, fixed for the run
    stream: str = ""  # order and augmentation stream; the stage's phase where empty
    augment: bool = True
    unless: Callable[[Context], bool] | None = None  # with the constants made: leave out its steps?
    until: Callable[[Context], bool] | None = None  # after the stage: end the run here?
    until_every: int = 0  # and also after so many steps within it, each time when constants have been renewed


@dataclass(frozen=True)
class Alternate:
    """Stages whose batches take turns: one step of each part, over and over, as long as the first part lasts.

    The first part's constants are made before the first step and serve all parts.
    """

    name: str
    parts: tuple[Train, ...]
    until: Callable[[Context], bool] | None = None


@dataclass(frozen=True)
class Edit:
    """A change of weights at one go. It computes first and writes last, so that it can be interrupted and repeated.

    What it returns is added to the constants (`aux`) of the stages after it. `looks` and `gradients` say for an
    estimate of its time how many images go forward through the network, and how many forward and back.
    """

    name: str
    edit: Callable[[Context], Aux | None]
    phase: str = "edit"
    looks: int = 0
    gradients: int = 0


Stage = Train | Alternate | Edit


def parts_of(stage: Stage) -> tuple[Train, ...]:
    """Return the stages whose steps a stage consists of: itself, those that take turns, or none for an edit."""
    return stage.parts if isinstance(stage, Alternate) else (stage,) if isinstance(stage, Train) else ()


@dataclass(frozen=True)
class Facts:
    """What a plan may depend on besides parameters: how many training images go, by kind, and how many stay."""

    class_images: int  # that go with their whole class
    single_images: int  # that go alone
    retain: int
    num_classes: int
    imageless: int = 0  # of these classes, those without a training image
    purpose: Purpose = ""

    @property
    def encoder(self) -> bool:
        """Whether the network gives features alone: no loss may ask for its logits."""
        return self.purpose == "encoder"

    @property
    def corrective(self) -> bool:
        """Whether images go because their labels are wrong or they are poisoned: none is to be given its label."""
        return self.purpose in ("labels", "trigger")

    @property
    def aims_at_unseen(self) -> bool:
        """Whether single images are forgotten where they are as often right as unseen ones, whose classes stay."""
        return self.single_images > 0 and not self.corrective

    @property
    def images(self) -> int:
        """Number of all training images."""
        return self.forget + self.retain

    @property
    def forget(self) -> int:
        """Number of images to forget."""
        return self.class_images + self.single_images

    @property
    def kinds(self) -> frozenset[str]:
        """Which kinds of images are to be forgotten: CLASS, SAMPLE or both."""
        return frozenset(([CLASS] if self.class_images else []) + ([SAMPLE] if self.single_images else []))


@dataclass(frozen=True)
class Preset:
    """A named set of parameters with its reason. `suits`: the kinds of images it is for, among its method's.

    `made_for`: "encoder" for networks without a head, "transformer" for networks of attention, "deep" for other ones of
    many layers that began with fresh weights, "labels" and "trigger" for corrections of wrong labels and of poisoned
    images; "" for anything else. It is the recommended one there.
    """

    name: str
    title: str
    reason: str
    values: Mapping[str, Any] = field(default_factory=dict)
    suits: frozenset[str] = BOTH
    made_for: MadeFor = ""

    @classmethod
    def default(cls, reason: str, values: Mapping[str, Any] | None = None) -> Preset:
        """Return the preset that a method is run with where nothing else is chosen."""
        return cls("default", "Default", reason, values or {})

    @classmethod
    def for_singles(cls, reason: str, values: Mapping[str, Any], title: str = "Single images") -> Preset:
        """Return the preset for single images alone; it stands before the one that takes classes too."""
        return cls("samples", title, reason, values, SINGLE)


@dataclass(frozen=True)
class SearchRange:
    """A parameter that a search for settings varies from `low` to `high`; evenly in its logarithm where `log`.

    With `relative`, the two are factors on the value the search starts from (the preset's).
    """

    name: str
    low: float
    high: float
    log: bool = True
    relative: bool = False


# Two decades around a preset: what published sweeps span.
STEP_SIZE_SEARCH = SearchRange("lr", 0.1, 10.0, relative=True)


@dataclass(frozen=True)
class Method:
    """Everything the application knows of a method: its card, its form, its plan."""

    id: str
    title: str
    summary: str
    citation: str
    parameters: tuple[Parameter, ...]
    plan: Callable[[Values, Facts], Sequence[Stage]]
    status: Literal["reference", "control", "baseline", "reconstruction"] = "baseline"
    group: Group = "gradient"  # under which heading its card stands
    needs: tuple[str, ...] = ()  # shown on the card: "retain set", "forget set", "teacher"
    suits: frozenset[str] = BOTH  # kinds of images it can forget, alone or together
    presets: tuple[Preset, ...] = ()
    starts_from: Literal["original", "fresh"] = "original"
    trained_on: frozenset[str] = frozenset()  # measures it optimises: shown, never deciding in a verdict
    notes: tuple[str, ...] = ()  # what is documented and what is ours
    explain: Callable[[Values, Facts], tuple[str, ...]] | None = None  # which parts are active for this forget set
    layers: Callable[[Values], int] = lambda values: 1  # how many layers the losses look at
    reads_unseen: Callable[[Values, Facts], bool] = lambda values, facts: False  # whether it must look at unseen images
    copies: Callable[[Values, Facts], float] = lambda values, facts: 0.0  # of the weights, among its constants at most
    honours_weights: bool = False  # whether the weights of a forget list change what it does
    search: tuple[SearchRange, ...] = ()  # what `--tune` varies, besides the step size where there is one
    shared: bool = True  # whether several processes can share a run of it: false where no step is taken

    @property
    def forgets(self) -> str:
        """Name the one kind of images that it forgets; only for a method that does not suit both."""
        return "whole classes" if CLASS in self.suits else "single images"

    @property
    def searched(self) -> tuple[SearchRange, ...]:
        """What a search for settings varies: the step size first; nothing for a method without any such parameter."""
        names = {searched.name for searched in self.search}
        own = STEP_SIZE_SEARCH.name in names or all(p.name != STEP_SIZE_SEARCH.name for p in self.parameters)
        return self.search if own else (STEP_SIZE_SEARCH, *self.search)

    @property
    def takes_encoders(self) -> bool:
        """Whether it can do with features alone; else it needs logits."""
        return any(preset.made_for == "encoder" for preset in self.presets)

    def presets_for(self, kinds: Set[str], made_for: MadeFor = "") -> tuple[Preset, ...]:
        """Return the presets for a forget set of these kinds, the recommended one first: one made for just that."""
        suited = [
            preset
            for preset in self.presets
            if kinds <= self.suits & preset.suits and (preset.made_for == "encoder") == (made_for == "encoder")
        ]
        return tuple(sorted(suited, key=lambda preset: preset.made_for != made_for))

    def preset(self, name: str = "", kinds: Set[str] = WHOLE, made_for: MadeFor = "") -> Preset:
        """Return the preset of that name, or the recommended one for the forget set. Raises NotFoundError."""
        if not name:
            return next(iter(self.presets_for(kinds, made_for)), Preset("default", "Default", ""))
        for preset in self.presets:
            if preset.name == name:
                return preset
        raise unknown_name(f"preset of {self.id}", name, [p.name for p in self.presets])
