"""Which models are no image classifiers, told from their keys, from what is said of them, or by running them."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from core.errors import InputError
from core.models.architectures import Shapes, Size
from core.models.tap import evaluating, main_logits

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
    ("segmentation_head.", "a segmentation model"),
    ("up_blocks.0.", "a U-Net, a model that makes images"),
    ("outc.conv.weight", "a U-Net, a segmentation model"),
    ("decoder.blocks.0.", "a segmentation model (an encoder and a decoder)"),
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


@dataclass(frozen=True)
class Trial:
    """A network's pass on two empty images of `image_shape` (channels, height, width)."""

    image_shape: tuple[int, int, int]
    output: Any
    watch: _Watch

    @property
    def num_outputs(self) -> int:
        """How many logits the network gives for an image; 0 where it gives none."""
        try:
            logits = main_logits(self.output)
        except InputError:
            return 0
        return logits.shape[1] if logits.ndim == 2 else 0

    def refuse(self, name: str) -> None:
        """Raise InputError where the network, `name` in words, gives no row of logits of one head for each image."""
        output, maker = self.output, self.watch.maker
        first = output[0] if isinstance(output, (list, tuple)) and output else output
        if isinstance(first, Mapping) and "boxes" in first:
            raise InputError(
                f"{name} gives a list of findings for each image: this is an object detection model", _ONE_CLASS
            )
        named = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
        parts = list(output.values()) if isinstance(output, Mapping) else output
        parts = list(parts) if isinstance(parts, (tuple, list)) else [parts]
        heads = [part for part in parts if isinstance(part, Tensor) and maker(part) == "linear"]
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
        if maker(logits) == "sigmoid":
            raise InputError(f"{name} ends in a sigmoid: this is {_TASKS['multilabel']}", _ONE_CLASS)
        if maker(logits) == "softmax":
            raise InputError(
                f"{name} ends in a softmax: it gives probabilities, and losses here take logits",
                "Let the factory leave out the softmax; the weights are the same",
            )


FILL_IN = "Let a factory (--arch FILE.py:FACTORY) return a network that takes the images and fills in the rest"
"""What to do with a network of several inputs."""
SIZES: tuple[Size, ...] = tuple((side, side) for side in (224, 32, 64, 28, 96, 128, 299, 384, 256, 48, 16, 8))
"""Sizes of images that networks are tried with where nothing tells theirs."""


def try_out(module: nn.Module, channels: Iterable[int], sizes: Iterable[Size], name: str) -> Trial | None:
    """Run a network of unknown code on two empty images, of the first shape that it takes; None where it takes none.

    channels, sizes: what to try, in this order. The network is left in the mode it was in, the global generator as it
    was. Raises InputError where the network, `name` in words, takes more than images.
    """
    needed = needed_inputs(module)
    if len(needed) > 1:
        raise InputError(
            f"{name} takes {len(needed)} inputs ({', '.join(needed)}), and a model here is given images alone", FILL_IN
        )
    with evaluating(module):
        for count, size in itertools.product(dict.fromkeys(channels), dict.fromkeys(sizes)):
            watch = _Watch()
            try:
                with torch.random.fork_rng(devices=[]), watch:
                    output = module(torch.zeros(2, count, *size))
            except Exception:  # a foreign network may raise anything on a shape it was not made for
                continue
            return Trial((count, *size), output, watch)
    return None


def needed_inputs(module: nn.Module) -> list[str]:
    """Return the names of the inputs that a network must be given; none where that is not known."""
    try:
        given = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in given if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


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
