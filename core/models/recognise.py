"""Which networks a state dict may belong to, from its keys and shapes alone."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from core.errors import InputError, UnknownNetworkError, first_few
from core.models import timm_models, variants, wrapped
from core.models.architectures import (
    ENCODER_PREFIX,
    ODD_CLASSES,
    OURS,
    Architecture,
    ModelSpec,
    Shapes,
    Size,
    architectures,
    build_on_meta,
    get_architecture,
    signature,
    times,
)
from core.models.tasks import refuse_other_tasks
from core.models.torchvision_models import CIFAR
from core.models.user_code import FACTORY_OPTION

OPTIONAL = ("num_batches_tracked", "self.relative_position_index")
"""Ends of keys that are absent from files written before PyTorch 0.4.1, and from those of transformers 5 (it follows
from the window)."""

# timm's networks with keys and shapes of torchvision's that compute otherwise: they blur or average where they halve.
_TWINS = {"resnet50": ("timm/resnetaa50", "timm/resnetblur50")}

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
_WITHOUT_TIMM = (
    '. With the package timm installed, its networks are recognised too: pip install "unlearn-studio[timm]"'
)


@dataclass(frozen=True)
class Comparison:
    """How a state dict compares with a network; `spec` has the numbers its shapes give, 0 where they give none.

    problems: keys by what is wrong with them ("missing", "unexpected", "other shape"), the last as sentences:
    "fc.weight is 10x512, not 10x2048".
    """

    spec: ModelSpec
    problems: Mapping[str, list[str]]

    @property
    def fits(self) -> bool:
        """Whether keys and shapes agree."""
        return not any(self.problems.values())

    @property
    def reason(self) -> str:
        """What does not agree: the number of keys of each kind of problem and the first of them."""
        return "; ".join(f"{len(keys)} {kind} ({first_few(keys)})" for kind, keys in self.problems.items() if keys)


def around(spec: ModelSpec) -> tuple[ModelSpec, ...]:
    """Return the networks that differ from `spec` in one seldom changed setting that keys and shapes do not tell.

    So do some of timm's, where it is installed.
    """
    of_timm = _TWINS.get(spec.architecture.partition(":")[0], ()) if timm_models.installed() else ()
    return tuple(replace(spec, architecture=id) for id in (*variants.around(spec.architecture), *of_timm))


def told_apart(specs: Sequence[ModelSpec]) -> tuple[tuple[str, str], ...]:
    """Return the name of each network and what it does otherwise than the first: "conv1 is Conv2d with stride=(1, 1)".

    Compared are the classes and settings of layers, of which the first that differ are named. Networks that compute
    the same as the first are left out.
    """
    first = _layers(specs[0])
    usual: dict[str, str] = {}  # what the first network does where another does otherwise
    told: list[tuple[str, str]] = []
    for spec in specs[1:]:
        layers = _layers(spec)
        names = [name for name in dict.fromkeys([*first, *layers]) if first.get(name) != layers.get(name)]
        if names:
            told.append((spec.architecture, "; ".join(_words(name, layers, first) for name in names[:_TOLD])))
            for name in names[:_TOLD]:
                usual.setdefault(name, _words(name, first, layers))
    return ((specs[0].architecture, "; ".join(usual.values())), *told) if told else ()


def fitting(shapes: Shapes, *, timm: bool = True, whole: Shapes | None = None) -> tuple[ModelSpec, ...]:
    """Return the networks whose keys and shapes are those of a state dict, the most usual first.

    Several fit where shapes do not tell how a network computes (stride and pooling of a ResNet's stem). timm's are
    tried where none that is registered here fits, unless `timm` is false; of those that compute the same the shortest
    name is taken. `whole`: shapes of which these are a part, so that timm's are looked through once for all.

    Raises InputError where none fits, with the nearest ones and what keeps them from fitting, or with what the weights
    are instead of an image classifier.
    """
    tried = []
    for architecture in _candidates(shapes):
        comparison = compare(architecture, shapes)
        if not comparison.fits:
            template = _signature(architecture.id, comparison.spec.in_channels or 3, architecture.default_size)
            shown = variants.shown_by(architecture, template, shapes)
            if shown != architecture.id:
                comparison = compare(get_architecture(shown), shapes)
        if comparison.fits:
            spec = comparison.spec
            return tuple(replace(spec, architecture=id) for id in variants.alike(spec.architecture))
        tried.append(comparison)
    refuse_other_tasks(shapes)
    if encoders := _encoders(tried, shapes):
        return encoders
    if together := _put_together(shapes):
        return together
    if timm and timm_models.installed():
        of_timm = [compare(architecture, shapes) for architecture in timm_models.fitting_timm(shapes, whole or shapes)]
        if fits := [comparison.spec for comparison in of_timm if comparison.fits]:
            others = [id for id, _ in told_apart(fits)]
            return tuple(spec for spec in fits if spec is fits[0] or spec.architecture in others)
        of_any_size = [compare(architecture, shapes) for architecture in timm_models.vision_transformers(shapes)]
        if sized := tuple(comparison.spec for comparison in of_any_size if comparison.fits):
            return sized
        tried += of_timm
    tried.sort(key=lambda comparison: sum(map(len, comparison.problems.values())))
    near = "; ".join(f"{comparison.spec.architecture}: {comparison.reason}" for comparison in tried[:3])
    begins = f"its {len(shapes)} keys begin with" if len(shapes) > 1 else "its only key is"
    raise UnknownNetworkError(
        f"The architecture was not recognised: {near or f'{begins} {first_few(shapes)}'}",
        f"Name it with --arch, or give its code with {FACTORY_OPTION}"
        + ("" if timm_models.installed() else _WITHOUT_TIMM),
    )


def _put_together(shapes: Shapes) -> tuple[ModelSpec, ...]:
    """Return the networks of a backbone and a head beside it; none where weights are not of that kind.

    Raises InputError where there is a known backbone, but what stands behind it is not.
    """
    found = wrapped.parted(shapes, FAMILY_KEYS)
    if found is None:
        return ()
    family, names, own = found
    try:
        inside = fitting(own, timm=False)
        specs = [replace(spec, architecture=variants.named(spec.architecture, {"wrap": names})) for spec in inside]
        if compare(get_architecture(specs[0].architecture), shapes).fits:
            return tuple(specs)
    except InputError:
        pass
    backbone, head = names.replace(".n", "").split("+")
    raise UnknownNetworkError(
        f"The weights are a {family} under {backbone!r} with {head!r} behind it in a way that they do not show",
        f"Give the whole network with {FACTORY_OPTION}",
    )


def _encoders(tried: Sequence[Comparison], shapes: Shapes) -> tuple[ModelSpec, ...]:
    """Return the networks whose weights these are but for the layer that makes their outputs; none for others.

    Raises InputError where more of the head than that layer is left out.
    """
    for comparison in tried:
        missing, spec = comparison.problems["missing"], comparison.spec
        if missing and len(missing) == sum(map(len, comparison.problems.values())):
            template = _signature(spec.architecture, spec.in_channels or 3, spec.input_size)
            if all(ODD_CLASSES in template[key] for key in missing):
                names = [ENCODER_PREFIX + id for id in variants.alike(spec.architecture)]
                found = [compare(get_architecture(name), shapes) for name in names]
                return tuple(each.spec for each in found if each.fits)
    return ()


def compare(architecture: Architecture, shapes: Shapes) -> Comparison:
    """Compare a state dict's keys and shapes with an architecture, whatever its class count and input channels."""
    given = architecture.read_input(shapes) if architecture.read_input else None
    channels, size = given or (3, architecture.default_size)
    template = _signature(architecture.id, channels, size)
    stem = next((key for key, shape in template.items() if len(shape) == 4), "")
    heads = (key for key, shape in template.items() if shape[:1] == (ODD_CLASSES,) and shapes.get(key))
    classes = next((shapes[key][0] for key in heads), 0)
    if given is None and len(shapes.get(stem, ())) == 4:
        channels = shapes[stem][1]
    wanted = {key: tuple(classes if side == ODD_CLASSES else side for side in shape) for key, shape in template.items()}
    if stem:
        wanted[stem] = (wanted[stem][0], channels, *wanted[stem][2:])
    return compare_exactly(wanted, shapes, ModelSpec(architecture.id, classes, channels, size))


def compare_exactly(wanted: Shapes, shapes: Shapes, spec: ModelSpec) -> Comparison:
    """Compare a state dict with the very keys and shapes of `spec`'s network."""
    problems = {
        "missing": [key for key in wanted if key not in shapes and not key.endswith(OPTIONAL)],
        "unexpected": [key for key in shapes if key not in wanted],
        "other shape": [
            f"{key} is {times(shapes[key])}, not {times(shape)}"
            for key, shape in wanted.items()
            if shapes.get(key, shape) != shape
        ],
    }
    return Comparison(spec, problems)


def _signature(id: str, channels: int, size: Size) -> dict[str, tuple[int, ...]]:
    """Return keys and shapes of an architecture for ODD_CLASSES classes, so that what is as wide as these shows.

    Raises InputError where it cannot be built.
    """
    found = _tried(id, channels, size)
    if isinstance(found, InputError):
        raise found.with_traceback(None)
    return found


@functools.lru_cache(maxsize=256)
def _tried(id: str, channels: int, size: Size) -> dict[str, tuple[int, ...]] | InputError:
    """Return what `_signature` does, or the error: a network too large to be built is tried once, not for each part."""
    try:
        return signature(ModelSpec(id, ODD_CLASSES, channels, size))
    except InputError as error:
        return error


def _candidates(shapes: Shapes) -> list[Architecture]:
    """Return the architectures of the families that share a key with these weights, the nearest in size first.

    Size is the number of values: the right one of a family then comes first or second, and the others are not built.
    Forms of one with a name of their own (`resnet18-cifar`) are found by their settings.
    """
    families = {family for family, keys in FAMILY_KEYS.items() if any(key in shapes for key in keys)}
    size = sum(math.prod(shape) for shape in shapes.values())
    registered = OURS.values() if families == {"small"} else architectures()
    members = [each for each in registered if each.family in families and each.id not in CIFAR]
    return sorted(members, key=lambda architecture: abs((_published_parameters(architecture.id) or size) - size))


def _published_parameters(id: str) -> int | None:
    """Return how many parameters torchvision's published weights of an architecture have; None where it has none."""
    if id in OURS:
        return None
    from torchvision import models

    return next(iter(models.get_model_weights(id.removesuffix("-no-aux")))).meta.get("num_params")


# --- how networks differ ------------------------------------------------------------------------------------------

_TOLD = 3  # layers that are named where two networks compute differently
# Attributes of layers that change nothing an evaluated network says.
_IMMATERIAL = {"training", "p", "drop_prob", "drop_rate", "scale_by_keep", "grad_checkpointing", "inplace"}
_Layer = tuple[str, dict[str, Any]]  # class and plain settings


def _layers(spec: ModelSpec) -> dict[str, _Layer]:
    """Return class and settings of each layer of a network, by its name: what makes it compute as it does."""
    return {name: (type(module).__name__, _settings(module)) for name, module in build_on_meta(spec).named_modules()}


def _settings(module: nn.Module) -> dict[str, Any]:
    """Return a layer's plain attributes and the names of its functions, without what changes no output."""
    return {
        name: value.__name__ if callable(value) else value
        for name, value in sorted(vars(module).items())
        if not name.startswith("_")
        and name not in _IMMATERIAL
        and (isinstance(value, (bool, int, float, str, tuple)) or hasattr(value, "__name__"))
    }


def _words(name: str, layers: Mapping[str, _Layer], others: Mapping[str, _Layer]) -> str:
    """Return a layer in words: its name, its class, and the settings in which it differs from the other's."""
    where, beside = name or "the network", others.get(name)
    if name not in layers:
        return f"{where} is not there"
    kind, values = layers[name]
    shared = beside[1] if beside and beside[0] == kind else values
    own = [f"{setting}={value}" for setting, value in values.items() if (setting, value) not in shared.items()]
    return f"{where} is {kind} with {', '.join(own)}" if own else f"{where} is {kind}"
