"""torchvision's architectures, and the forms of its ResNets for small images. torchvision is imported when needed."""

from __future__ import annotations

import functools
import warnings
from typing import Any

from torch import Tensor, nn

from core.models.architectures import CARRIED_ALONG, OURS, Architecture, Size, put, read_patches

# Smallest input each family accepts, tried out; all others take anything, and 8 pixels are the least that means much.
_MIN_SIZE = {
    "alexnet": 63, "convnext": 32, "densenet": 29, "googlenet": 15, "inception": 75, "maxvit": 224, "squeezenet": 24,
    "vgg": 32, "vision_transformer": 14,
}  # fmt: skip
_USUAL_MIN_SIZE = 8
_TITLES = {
    "alexnet": "AlexNet", "convnext": "ConvNeXt", "densenet": "DenseNet", "efficientnet": "EfficientNet",
    "googlenet": "GoogLeNet", "inception": "Inception", "maxvit": "MaxViT", "mnasnet": "MNASNet",
    "mobilenetv2": "MobileNet V2", "mobilenetv3": "MobileNet V3", "regnet": "RegNet", "resnet": "ResNet",
    "shufflenetv2": "ShuffleNet V2", "squeezenet": "SqueezeNet", "swin_transformer": "Swin Transformer",
    "vgg": "VGG", "vision_transformer": "Vision Transformer",
}  # fmt: skip
_READ_VIT = functools.partial(read_patches, "conv_proj.weight", "encoder.pos_embedding", (1,))
SMALL_IMAGES = {"stem": "3", "stride": "1", "pool": "none"}
"""Settings by which `resnet18-cifar` differs from `resnet18`."""
CIFAR = {f"{name}-cifar": name for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")}
"""ResNets with the settings SMALL_IMAGES under a name of their own, and what they are called without these."""


@functools.cache
def registry() -> dict[str, Architecture]:
    """Return all architectures but timm's by their id: our own, the ResNets for small images, torchvision's."""
    from torchvision import models

    entries = [*OURS.values(), *map(_cifar_resnet, CIFAR)]
    for name in models.list_models(module=models):
        entries.append(_torchvision(name))
        if name in ("googlenet", "inception_v3"):
            entries.append(_torchvision(name, aux=False))
    return {architecture.id: architecture for architecture in entries}


def _torchvision(name: str, aux: bool = True) -> Architecture:
    from torchvision import models

    family = models.get_model_builder(name).__module__.rsplit(".", 1)[-1]
    size = {"inception": 299}.get(family, 224)
    id = name if aux else f"{name}-no-aux"
    title = f"{_TITLES.get(family, family)} ({id})"
    summary = "torchvision's" if aux else "torchvision's, without auxiliary heads"
    vit = family == "vision_transformer"
    return Architecture(
        id, title, summary, family,
        functools.partial(_build, name, family, aux), (size, size), _MIN_SIZE.get(family, _USUAL_MIN_SIZE),
        size_is_structural=vit or family == "maxvit", read_input=_READ_VIT if vit else None,
    )  # fmt: skip


def _cifar_resnet(id: str) -> Architecture:
    from core.models.variants import build_with

    depth = CIFAR[id].removeprefix("resnet")
    return Architecture(
        id, f"ResNet-{depth} for small images",
        f"ResNet-{depth} with a 3x3 stem of stride 1 and no max-pooling; keys like torchvision's",
        "resnet", functools.partial(build_with, _torchvision(CIFAR[id]), SMALL_IMAGES), (32, 32), 8,
    )  # fmt: skip


def _build(name: str, family: str, aux: bool, num_classes: int, in_channels: int, input_size: Size) -> nn.Module:
    from torchvision import models

    options: dict[str, Any] = {}
    if family in ("googlenet", "inception"):
        options = {"aux_logits": aux, "init_weights": True}
    elif family in ("vision_transformer", "maxvit"):
        height, width = input_size
        if height != width:
            raise ValueError(f"height and width must be equal, got {height}x{width}")
        options = {"image_size": height} if family == "vision_transformer" else {"input_size": input_size}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about defaults of initialisation, set above
        module = models.get_model(name, weights=None, num_classes=num_classes, **options)
    for auxiliary in ("aux1", "aux2", "AuxLogits"):
        head = getattr(module, auxiliary, None)
        if isinstance(head, nn.Module):
            # Auxiliary heads are carried along: no training step moves them, and exports have their keys with the
            # weights that came in. They cost no time and do not rule out small images.
            setattr(head, "forward", _nothing)  # noqa: B010
            setattr(head, CARRIED_ALONG, True)
    if in_channels != 3:
        _replace_stem(module, in_channels)
    return module


def _nothing(x: Tensor) -> None:
    return None


def _replace_stem(module: nn.Module, in_channels: int) -> None:
    """Give the first convolution another number of input channels, drawn so that activations keep their spread."""
    name, old = next((n, m) for n, m in module.named_modules() if isinstance(m, nn.Conv2d))
    settings = ("kernel_size", "stride", "padding", "dilation", "padding_mode")
    options: dict[str, Any] = {setting: getattr(old, setting) for setting in settings}
    new = nn.Conv2d(in_channels, old.out_channels, bias=old.bias is not None, **options)
    if not old.weight.is_meta:
        spread = float(old.weight.detach().std()) * (old.in_channels / in_channels) ** 0.5
        nn.init.normal_(new.weight, std=spread)
    put(module, name, new)
