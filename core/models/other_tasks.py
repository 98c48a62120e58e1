"""Models that are no image classifiers, refused by the name of what they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from core.errors import InputError
from core.models.architectures import Shapes

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
        said = str(stated.get(field) or "").lower()
        plain = said.replace("-", "").replace("_", "").replace(" ", "")
        named = next((name for word, name in _TASKS.items() if word in plain), None)
        if named is not None:
            raise InputError(f"{where} says {field} {said!r}: this is {named}", _ONE_CLASS)


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
    """Remembers which tensors came straight out of a layer, a sigmoid or a softmax."""

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
        """Return what made a tensor, "" where it was something else."""
        return next((kind for kind, made in reversed(self.made) if made is tensor), "")


def _judge(output: Any, watch: _Watch, name: str) -> None:
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
    logits = named if isinstance(named, Tensor) else next((part for part in parts if isinstance(part, Tensor)), None)
    if logits is None:
        return  # main_logits says what it is
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
