"""What a run computes with: a method and its values, the model and its frozen original, the data on the device."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from core.data.batches import NO_AUGMENTATION, Augmentation, ImageStore
from core.data.splits import Splits, stratified
from core.engine.timeline import Timeline
from core.job import Purpose
from core.methods.base import Facts, Method, Stage, Train, parts_of
from core.models.encoders import tapped
from core.models.split import split_for
from core.models.tap import TappedModel, evaluating, gradients_to, has_weights
from core.parameters import Values


@dataclass
class Experiment:
    """A method applied to a model and data. `model` is trained in place; `teacher` is its frozen original."""

    run_id: str
    method: Method
    values: Values
    seed: int
    model: TappedModel
    splits: Splits
    train: ImageStore
    test: ImageStore
    class_names: tuple[str, ...]
    device: torch.device
    precision: str = "float32"
    augmentation: Augmentation = NO_AUGMENTATION
    stored: Mapping[str, str] = field(default_factory=dict)  # types that the result's weights are kept in, by key
    purpose: Purpose = ""  # what the method is asked for
    began: str = ""  # what a network that is trained anew began with, in words; "" for fresh weights alone
    plan: tuple[Stage, ...] = field(init=False)
    timeline: Timeline = field(init=False)
    teacher: TappedModel | None = field(init=False, default=None)
    work: Counter[str] = field(init=False, default_factory=Counter)  # images passed so far, by kind of pass

    def __post_init__(self) -> None:
        self.train.set_alone(self.splits.alone)
        self.plan = tuple(self.method.plan(self.values, self.facts))
        self.timeline = Timeline(self.plan, self.sizes)
        if any("teacher" in part.needs or part.teacher_passes for stage in self.plan for part in parts_of(stage)):
            frozen = copy.deepcopy(self.model.module).eval().requires_grad_(False)
            self.teacher = tapped(frozen, self.model.num_classes, input_shape=self.input_shape)

    @property
    def facts(self) -> Facts:
        """What the plan depends on."""
        return facts_of(self.splits, self.purpose if self.model.num_classes else "encoder")

    @property
    def sizes(self) -> dict[str, int]:
        """Number of training samples a stage may read, by set."""
        return {which: len(self.ids(which)) for which in ("retain", "forget", "all")}

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what the network receives."""
        return self.train.preprocessing.channels, *self.train.preprocessing.size

    @cached_property
    def pixel_range(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The lowest and the highest value of preprocessed pixels, (C, 1, 1) each."""
        span = torch.tensor([0, 255], dtype=torch.uint8, device=self.device)
        channels, height, width = self.input_shape
        extremes = self.train.preprocessing.apply(span[:, None, None, None].expand(2, height, width, channels))
        return extremes[0, :, :1, :1], extremes[1, :, :1, :1]

    def operations(self) -> float:
        """Return the floating-point operations of all passes so far."""
        return operations(self.work, self.model, self.train.batch(torch.zeros(2, dtype=torch.int64)).images)

    def store(self, name: str) -> ImageStore:
        """Return the images of one of core.data.splits.SETS."""
        return self.train if name.endswith("train") else self.test

    def members(self, part: Train) -> torch.Tensor:
        """Return the ids a stage may read, (m,) int64: its set, or a stratified share fixed by the seed."""
        ids = self.ids(part.reads)
        if part.share >= 1:
            return ids
        return stratified(self.splits.labels, ids, max(1, round(len(ids) * part.share)), self.seed)

    def ids(self, which: str) -> torch.Tensor:
        """Return the ids of a set: of training images "retain", "forget", "all", and of the forget set "classes" (those
        that go with their class) and "singles"; of test images "unseen" (calibration half).
        """  # noqa: D205
        if which == "all":
            return torch.arange(len(self.splits.labels))
        return {
            "retain": self.splits.retain_train,
            "forget": self.splits.forget_train,
            "classes": self.splits.forget_class_train,
            "singles": self.splits.forget_single_train,
            "unseen": self.splits.calibration if len(self.splits.calibration) else self.splits.retain_test,
        }[which]


def facts_of(splits: Splits, purpose: Purpose = "") -> Facts:
    """Return what a plan may depend on, from the sets and what the method is asked for."""
    classes, singles = len(splits.forget_class_train), len(splits.forget_single_train)
    return Facts(classes, singles, len(splits.retain_train), splits.num_classes, len(splits.imageless), purpose)


def convolutional(module: nn.Module) -> bool:
    """Tell whether a network has convolutions (they gain from bfloat16 and channels-last memory)."""
    return any(isinstance(part, nn.Conv2d) for part in module.modules())


# --- what passes cost --------------------------------------------------------------------------------------------
#
# In floating-point operations of convolutions and matrix products. Time depends on the machine and on what else runs
# there; operations do not, so costs of methods are compared by both.

# Kinds of passes. Beside these two: "step:<tunes>" forward through the whole network and back to what is tuned,
# "back:<tunes>" back once more where a step takes several gradients, and where the front is cached "front:<tunes>" once
# without gradient and "tail:<tunes>" forward and back in every step.
FORWARD = "forward"  # the whole network, no gradient
GRADIENT = "gradient"  # the whole network and back to all weights, outside of a step


def operations(passes: Mapping[str, int], model: TappedModel, images: torch.Tensor) -> float:
    """Return the floating-point operations of all `passes`: by kind, how many images went through.

    images: (n, c, h, w), of any content, n ≥ 1, to count a pass with. The network and its modes stay as they are.
    """
    with evaluating(model.module):
        return sum(count * _of_kind(model, images, kind) for kind, count in passes.items() if count) / len(images)


def _of_kind(model: TappedModel, images: torch.Tensor, kind: str) -> float:
    what, _, tunes = kind.partition(":")
    if what == FORWARD:
        return _count(lambda: model(images))
    if what in (GRADIENT, "step"):
        return _trained(model, images, tunes or "all")
    if what == "back":
        return _trained(model, images, tunes) - _count(lambda: model(images))
    split = split_for(model, tunes)
    assert split is not None  # it was cut there when the images were counted
    front = _count(lambda: split.front(images))
    return front if what == "front" else _trained(model, images, tunes) - front


def _trained(model: TappedModel, images: torch.Tensor, tunes: str) -> float:
    """Operations forward through the whole network and back to the weights that are tuned."""
    with gradients_to(model.module, model.tuned_parameters(tunes)) as weights:

        def passes() -> object:
            out = model(images)
            said = out.logits if model.num_classes else out.features
            return torch.autograd.grad(said.sum(), weights, allow_unused=True)

        return _count(passes)


def _count(call: Callable[[], object]) -> float:
    return float(_counted(call).get_total_flops())


def _counted(call: Callable[[], object]) -> FlopCounterMode:
    """Run a computation and return the operations of its convolutions and matrix products, by module.

    Attention is computed step by step meanwhile: torch does not count all of its fused kernels.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            call()
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return counter


def block_shares(model: TappedModel, images: torch.Tensor) -> tuple[float, ...]:
    """Return each block's share (0..1, they sum to 1) of a forward pass's operations, in the order of `model.blocks`.

    Blocks without weights to multiply by (a normalisation on its own) are left out, as "last-N" leaves them out.
    Operations in no block count with the first one. Empty where the pass multiplies nothing.

    images: (n, c, h, w), of any content.
    """
    with torch.no_grad():
        counter = _counted(lambda: model.module(images))
    root, by_module = type(model.module).__name__, counter.get_flop_counts()
    counts = [sum(by_module[f"{root}.{name}"].values()) for name, block in model.blocks if has_weights(block)]
    total = counter.get_total_flops()
    counts[0] += total - sum(counts)
    return tuple(count / total for count in counts) if total else ()
