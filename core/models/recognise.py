"""Which architecture a state dict belongs to, told from its keys and shapes alone."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import InputError
from core.models import timm_models
from core.models.architectures import Architecture, ModelSpec, Shapes, Size, architectures, get_architecture, signature
from core.models.other_tasks import refuse_other_tasks

# A number of classes no layer has as its width by chance (a prime): it marks every dimension that is the class count.
_CLASSES = 1777
_OPTIONAL = "num_batches_tracked"  # absent from files written before PyTorch 0.4.1

# One key that every member of a family has, and few others do.
FAMILY_KEYS = {
    "small": ("block3.norm.weight", "hidden3.weight"),
    "alexnet": ("features.10.weight",),
    "convnext": ("features.1.0.layer_scale",),
    "densenet": ("features.denseblock1.denselayer1.norm1.weight",),
    "efficientnet": ("features.1.0.block.0.0.weight",),
    "googlenet": ("inception3a.branch1.conv.weight",),
    "inception": ("Mixed_5b.branch1x1.conv.weight",),
    "maxvit": ("blocks.0.layers.0.layers.MBconv.layers.pre_norm.weight",),
    "mnasnet": ("layers.8.0.layers.0.weight",),
    "mobilenetv2": ("features.1.conv.0.0.weight",),
    "mobilenetv3": ("features.1.block.0.0.weight",),
    "regnet": ("trunk_output.block1.block1-0.f.a.0.weight",),
    "resnet": ("layer1.0.conv1.weight",),
    "shufflenetv2": ("stage2.0.branch1.0.weight",),
    "squeezenet": ("features.3.squeeze.weight",),
    "swin_transformer": ("features.1.0.attn.relative_position_bias_table", "features.1.0.attn.logit_scale"),
    "vgg": ("features.0.weight",),
    "vision_transformer": ("encoder.pos_embedding",),
}


@dataclass(frozen=True)
class Comparison:
    """How a state dict and an architecture compare; the numbers are read from the shapes, 0 where they don't tell."""

    architecture: str
    num_classes: int
    in_channels: int
    input_size: Size
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]  # in words: "fc.weight is 10x512, not 10x2048"

    @property
    def fits(self) -> bool:
        """Whether keys and shapes agree."""
        return not self.problems

    @property
    def problems(self) -> int:
        """How many keys are missing, unexpected or of another shape."""
        return len(self.missing) + len(self.unexpected) + len(self.reshaped)

    @property
    def reason(self) -> str:
        """What does not agree, the first few keys of each kind with their count."""
        kinds = (("missing", self.missing), ("unexpected", self.unexpected), ("other shape", self.reshaped))
        return "; ".join(f"{len(keys)} {kind} ({first_few(keys)})" for kind, keys in kinds if keys)

    def spec(self) -> ModelSpec:
        """What builds the network these weights belong to."""
        return ModelSpec(self.architecture, self.num_classes, self.in_channels, self.input_size)


def recognise(shapes: Shapes) -> Comparison:
    """Return the one architecture whose keys and shapes are those of a state dict.

    No two registered architectures have the same keys and shapes (a test holds this), so the first that fits is the
    only one; where none does, timm's are tried. Raises AmbiguousModelError where several of those fit and compute
    differently, else InputError with the nearest ones and what keeps them from fitting, or with what the weights
    are instead of an image classifier.
    """
    tried = []
    for architecture in _by_likeness(_of_family(shapes), shapes):
        comparison = compare(architecture, shapes)
        if comparison.fits:
            return comparison
        tried.append(comparison)
    refuse_other_tasks(shapes)
    if timm_models.installed():
        fitting = [compare(architecture, shapes) for architecture in timm_models.fitting_timm(shapes)]
        tried += fitting
        fitting = [comparison for comparison in fitting if comparison.fits]
        if fitting:
            chosen = timm_models.choose([comparison.spec() for comparison in fitting]).architecture
            return next(comparison for comparison in fitting if comparison.architecture == chosen)
    tried.sort(key=lambda c: c.problems)
    near = "; ".join(f"{c.architecture}: {c.reason}" for c in tried[:3])
    keys = f"its {len(shapes)} keys begin with {first_few(list(shapes))}"
    raise InputError(
        f"The architecture was not recognised: {near or keys}",
        "Name it with --arch, or give its code with --arch FILE.py:FACTORY --trust-code"
        + ("" if timm_models.installed() else ". With the package timm installed, its networks are recognised too"),
    )


def compare(architecture: Architecture, shapes: Shapes) -> Comparison:
    """Hold a state dict's keys and shapes against an architecture, whatever its class count and input channels."""
    told = architecture.read_input(shapes) if architecture.read_input else None
    usual_channels = 3 if architecture.in_channels is None else architecture.in_channels[0]
    channels, size = told or (usual_channels, architecture.default_size)
    wanted = _signature(architecture.id, channels, size)
    stem = next((key for key, shape in wanted.items() if len(shape) == 4), None)
    class_count = next((shapes[k][0] for k, w in wanted.items() if w[:1] == (_CLASSES,) and shapes.get(k)), 0)
    if told is None and stem is not None and len(shapes.get(stem, ())) == 4 and architecture.in_channels is None:
        channels = shapes[stem][1]
    reshaped = []
    for key, shape in wanted.items():
        if key not in shapes:
            continue
        expected = tuple(class_count if side == _CLASSES else side for side in shape)
        if key == stem:
            expected = (expected[0], channels, *expected[2:])
        if shapes[key] != expected:
            reshaped.append(f"{key} is {_times(shapes[key])}, not {_times(expected)}")
    missing = tuple(key for key in wanted if key not in shapes and not key.endswith(_OPTIONAL))
    unexpected = tuple(key for key in shapes if key not in wanted)
    return Comparison(
        architecture.id, class_count, channels, size, missing, unexpected, tuple(reshaped)
    )  # fmt: skip


def compare_exactly(wanted: Shapes, shapes: Shapes, spec: ModelSpec) -> Comparison:
    """Hold a state dict against the very keys and shapes a network has."""
    return Comparison(
        spec.architecture,
        spec.num_classes,
        spec.in_channels,
        spec.input_size,
        tuple(key for key in wanted if key not in shapes and not key.endswith(_OPTIONAL)),
        tuple(key for key in shapes if key not in wanted),
        tuple(
            f"{key} is {_times(shapes[key])}, not {_times(shape)}"
            for key, shape in wanted.items()
            if key in shapes and shapes[key] != shape
        ),
    )


def first_few(names: Iterable[str], count: int = 3) -> str:
    """The first names, with an ellipsis where there are more."""
    names = list(names)
    return ", ".join(names[:count]) + (", …" if len(names) > count else "")


@functools.lru_cache(maxsize=256)
def _signature(id: str, channels: int, size: Size) -> dict[str, tuple[int, ...]]:
    return signature(ModelSpec(get_architecture(id).id, _CLASSES, channels, size))


def _of_family(shapes: Shapes) -> list[Architecture]:
    families = {family for family, keys in FAMILY_KEYS.items() if any(key in shapes for key in keys)}
    return [a for a in architectures() if a.family in families]


def _by_likeness(candidates: list[Architecture], shapes: Shapes) -> list[Architecture]:
    """Order candidates by how near their published parameter count is, so that the right one is tried early."""
    size = sum(math.prod(shape) for shape in shapes.values())
    return sorted(candidates, key=lambda a: abs((_published_parameters(a.id) or size) - size))


def _published_parameters(id: str) -> int | None:
    from torchvision import models

    try:
        weights = models.get_model_weights(id.removesuffix("-cifar").removesuffix("-no-aux"))
    except ValueError:
        return None
    return next(iter(weights)).meta.get("num_params")


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"
