"""Which network a state dict belongs to, from its keys and shapes alone, and which models are no image classifiers."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from core.errors import InputError, first_few
from core.models import timm_models, variants
from core.models.architectures import (
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
from core.models.tap import main_logits
from core.models.torchvision_models import CIFAR

# Absent from files written before PyTorch 0.4.1, and from those of transformers 5 (it follows from the window).
_OPTIONAL = ("num_batches_tracked", "self.relative_position_index")

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


def fitting(shapes: Shapes, *, wide: bool = False) -> tuple[ModelSpec, ...]:
    """Return the networks whose keys and shapes are those of a state dict, the most usual first.

    Several fit where shapes do not tell how a network computes (stride and pooling of a ResNet's stem). With `wide`
    also those that differ from one of them in one setting that is seldom changed (activation, eps, dilation, …).
    timm's are tried where none that is registered here fits; of those that compute the same the shortest name is taken.

    Raises InputError where none fits, with the nearest ones and what keeps them from fitting, or with what the weights
    are instead of an image classifier.
    """
    first = _fitting(shapes)
    others = (other for spec in first for other in around(spec)) if wide else ()
    return tuple(dict.fromkeys([*first, *others]))


def around(spec: ModelSpec) -> tuple[ModelSpec, ...]:
    """Return the networks that differ from `spec` in one seldom changed setting that keys and shapes do not tell."""
    return tuple(replace(spec, architecture=id) for id in variants.around(spec.architecture))


def told_apart(specs: Sequence[ModelSpec]) -> tuple[tuple[str, str], ...]:
    """Return the name of each network and what it does otherwise than the first: "conv1 is Conv2d with stride=(1, 1)".

    Compared are the classes and settings of their layers. Networks that compute the same as the first are left out.
    """
    first = _layers(specs[0])
    told: list[tuple[str, str]] = []
    for spec in specs[1:]:
        layers = _layers(spec)
        name = next((name for name in dict.fromkeys([*first, *layers]) if first.get(name) != layers.get(name)), None)
        if name is not None:
            where = name or "the network"
            if not told:
                told.append((specs[0].architecture, f"{where} is {_words(first.get(name), layers.get(name))}"))
            told.append((spec.architecture, f"{where} is {_words(layers.get(name), first.get(name))}"))
    return tuple(told)


def _fitting(shapes: Shapes) -> tuple[ModelSpec, ...]:
    """Return the usual networks that fit; raises InputError where none does."""
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
    timm = timm_models.installed()
    if timm:
        of_timm = [compare(architecture, shapes) for architecture in timm_models.fitting_timm(shapes)]
        if fits := [comparison.spec for comparison in of_timm if comparison.fits]:
            others = [id for id, _ in told_apart(fits)]
            return tuple(spec for spec in fits if spec is fits[0] or spec.architecture in others)
        tried += of_timm
    tried.sort(key=lambda comparison: sum(map(len, comparison.problems.values())))
    near = "; ".join(f"{comparison.spec.architecture}: {comparison.reason}" for comparison in tried[:3])
    raise InputError(
        f"The architecture was not recognised: {near or f'its {len(shapes)} keys begin with {first_few(shapes)}'}",
        "Name it with --arch, or give its code with --arch FILE.py:FACTORY --trust-code"
        + ("" if timm else ". With the package timm installed, its networks are recognised too"),
    )


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
        "missing": [key for key in wanted if key not in shapes and not key.endswith(_OPTIONAL)],
        "unexpected": [key for key in shapes if key not in wanted],
        "other shape": [
            f"{key} is {times(shapes[key])}, not {times(shape)}"
            for key, shape in wanted.items()
            if shapes.get(key, shape) != shape
        ],
    }
    return Comparison(spec, problems)


@functools.lru_cache(maxsize=256)
def _signature(id: str, channels: int, size: Size) -> dict[str, tuple[int, ...]]:
    """Return keys and shapes of an architecture for ODD_CLASSES classes, so that what is as wide as these shows."""
    return signature(ModelSpec(id, ODD_CLASSES, channels, size))


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


def _words(layer: _Layer | None, beside: _Layer | None) -> str:
    """Return a layer in words: its class, and the settings in which it differs from one of the same class."""
    if layer is None:
        return "not there"
    kind, values = layer
    shared = beside[1] if beside and beside[0] == kind else values
    own = [f"{name}={value}" for name, value in values.items() if (name, value) not in shared.items()]
    return f"{kind} with {', '.join(own)}" if own else kind


# --- models for other tasks ---------------------------------------------------------------------------------------

_ONE_CLASS = "Unlearn Studio works on image classifiers, which give each image one of several classes"

# What some key of such a network holds; the first that is found names it, so the more special ones come first.
_BY_KEY = (
    ("roi_heads.mask_predictor.", "a Mask R-CNN, an instance segmentation model"),
    ("roi_heads.keypoint_predictor.", "a Keypoint R-CNN, a keypoint detection model"),
    ("roi_heads.box_predictor.", "a Faster R-CNN, an object detection model"),
    ("rpn.head.", "an R-CNN, an object detection model"),
    ("head.regression_head.bbox_ctrness.", "an FCOS, an object detection model"),
    ("head.regression_head.bbox_reg.", "a RetinaNet, an object detection model"),
    ("head.regression_head.module_list.", "an SSD, an object detection model"),
    (".dfl.conv.weight", "a YOLO, an object detection model"),
    ("bbox_embed.", "a DETR, an object detection model"),
    ("bbox_predictor.", "a DETR, an object detection model"),
    ("classifier.0.convs.", "a DeepLabV3, a segmentation model"),
    ("classifier.low_classifier.", "an LR-ASPP, a segmentation model"),
    ("decode_head.", "a segmentation model"),
    ("aux_classifier.", "a segmentation model"),
    ("update_block.", "a RAFT, an optical flow model"),
    ("text_model.", "a model of images and text"),
    ("transformer.resblocks.", "a model of images and text (CLIP)"),
)
_FCN = ("backbone.conv1.weight", "classifier.4.weight")  # torchvision's, without the auxiliary head
_STATED = ("task", "task_type", "problem_type")  # where cards, checkpoints and configurations say it
_TASKS = {
    "multilabel": "a multi-label model: an image has any number of classes",
    "regression": "a regression model: its outputs are numbers, not classes",
    "detection": "an object detection model",
    "segmentation": "a segmentation model",
}


def refuse_other_tasks(shapes: Shapes) -> None:
    """Raise InputError where the keys of a state dict are those of a model for another task."""
    named = next((name for part, name in _BY_KEY if any(part in key for key in shapes)), None)
    if named is None and all(key in shapes and len(shapes[key]) == 4 for key in _FCN):
        named = "an FCN, a segmentation model"
    if named is None and any(len(shape) == 5 for shape in shapes.values()):
        named = "a model of videos or volumes (it has three-dimensional convolutions)"
    if named is not None:
        raise InputError(f"The weights are those of {named}", _ONE_CLASS)


def refuse_stated_task(stated: Mapping[str, Any], where: str) -> None:
    """Raise InputError where a card, or what stands beside a state dict, says that the model does something else."""
    for field in _STATED:
        task = str(stated.get(field) or "").lower()
        plain = task.replace("-", "").replace("_", "").replace(" ", "")
        named = next((name for word, name in _TASKS.items() if word in plain), None)
        if named is not None:
            raise InputError(f"{where} says {field} {task!r}: this is {named}", _ONE_CLASS)


def refuse_single_output(num_outputs: int) -> None:
    """Raise InputError for a model with one output."""
    if num_outputs == 1:
        raise InputError(
            "The model has one output: a number (regression), or yes or no through a sigmoid",
            f"{_ONE_CLASS}; a yes-or-no model needs a head with two outputs",
        )


def refuse_outputs(module: nn.Module, image_shape: tuple[int, int, int], name: str) -> None:
    """Raise InputError where a network of unknown code gives something else than one row of logits for an image.

    `image_shape`: (channels, height, width). The network runs once on two empty images; where it cannot run on that
    size nothing is said, the first pass on real images tells.
    """
    training = module.training
    watch = _Watch()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), watch:
            output = module.eval()(torch.zeros(2, *image_shape))
    except Exception:  # a foreign network may raise anything on a size it was not made for
        return
    finally:
        module.train(training)
    _judge(output, watch, name)


class _Watch(TorchFunctionMode):
    """Notes in a forward pass which tensors came straight out of a layer, a sigmoid or a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[str, Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        kind = getattr(func, "__name__", "").rstrip("_")
        if kind in ("linear", "conv2d", "sigmoid", "softmax") and isinstance(output, Tensor):
            self.made.append((kind, output))
        return output

    def maker(self, tensor: Tensor) -> str:
        """Return what made a tensor: linear, conv2d, sigmoid or softmax; "" for anything else."""
        return next((kind for kind, made in reversed(self.made) if made is tensor), "")


def _judge(output: Any, watch: _Watch, name: str) -> None:
    """Raise InputError where what a network gave for two images is no row of logits of one head for each.

    watch: what noted its pass; name: the network, in words.
    """
    first = output[0] if isinstance(output, (list, tuple)) and output else output
    if isinstance(first, Mapping) and "boxes" in first:
        raise InputError(
            f"{name} gives a list of findings for each image: this is an object detection model", _ONE_CLASS
        )
    named = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    parts = list(output.values()) if isinstance(output, Mapping) else output
    parts = list(parts) if isinstance(parts, (tuple, list)) else [parts]
    heads = [part for part in parts if isinstance(part, Tensor) and watch.maker(part) == "linear"]
    if named is None and len(heads) > 1:
        widths = " and ".join(str(head.shape[-1]) for head in heads)
        raise InputError(
            f"{name} has several heads, with {widths} outputs",
            f"{_ONE_CLASS}. Let the factory return a network that gives the logits of one head",
        )
    try:
        logits = main_logits(output)
    except InputError:
        return  # the first pass on images says it again
    if logits.ndim == 4 and min(logits.shape[-2:]) > 1:
        raise InputError(f"{name} gives a map of outputs for each image: this is a segmentation model", _ONE_CLASS)
    if logits.ndim == 1:
        raise InputError(f"{name} gives one number for each image: {_TASKS['regression']}", _ONE_CLASS)
    if watch.maker(logits) == "sigmoid":
        raise InputError(f"{name} ends in a sigmoid: this is {_TASKS['multilabel']}", _ONE_CLASS)
    if watch.maker(logits) == "softmax":
        raise InputError(
            f"{name} ends in a softmax: it gives probabilities, and losses here take logits",
            "Let the factory leave out the softmax; the weights are the same",
        )
