"""The settings of networks: where each stands in a built one, how it is read and written, which values are usual.

They are what weights do not tell, or tell by their shapes alone.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from core.models import heads, wrapped
from core.models.activations import ACTIVATIONS, activation_name
from core.models.architectures import Shapes, put

STEMS = {
    "alexnet": ("features.0", "features.2"), "convnext": ("features.0.0", ""),
    "densenet": ("features.conv0", "features.pool0"), "efficientnet": ("features.0.0", ""),
    "googlenet": ("conv1.conv", "maxpool1"), "inception": ("Conv2d_1a_3x3.conv", "maxpool1"),
    "mnasnet": ("layers.0", ""), "mobilenetv2": ("features.0.0", ""), "mobilenetv3": ("features.0.0", ""),
    "regnet": ("stem.0", ""), "resnet": ("conv1", "maxpool"), "shufflenetv2": ("conv1.0", "maxpool"),
    "squeezenet": ("features.0", "features.2"), "vgg": ("features.0", ""),
}  # fmt: skip
"""By family: the first convolution, and the pooling right after it ("" for none)."""
OFTEN_CHANGED = {"resnet"}
"""Families whose stems are so often changed for small images that every stem is tried from the start."""

_POOLS: dict[str, Callable[[], nn.Module]] = {
    "max": functools.partial(nn.MaxPool2d, 3, 2, 1),
    "none": nn.Identity,
    "max2": functools.partial(nn.MaxPool2d, 2),
    "avg": functools.partial(nn.AvgPool2d, 3, 2, 1),
}
_NORMS = (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)


@dataclass(frozen=True)
class Setting:
    """One setting. `read(module, family)` gives its value as text, "" where a network has no such place.

    values: the usual ones, most usual first. rule: which values there are, in words. clean(text): the one way to write
    a value, "" for what is none. write(module, family, value, in_channels): changes a built network, or gives another
    one with it inside. seen(shapes, family): the value that the shapes of weights show, "" where they show none; None
    where shapes never do. like(value): values that shapes cannot tell from it, itself among them; rare(value):
    further ones that are seldom used.
    """

    name: str
    help: str
    values: tuple[str, ...]
    rule: str
    clean: Callable[[str], str]
    read: Callable[[nn.Module, str], str]
    write: Callable[[nn.Module, str, str, int], nn.Module | None]
    seen: Callable[[Shapes, str], str] | None = None
    like: Callable[[str], tuple[str, ...]] | None = None
    rare: Callable[[str], tuple[str, ...]] | None = None


# --- where each setting stands -------------------------------------------------------------------------------------


def _part(module: nn.Module, path: str) -> nn.Module | None:
    """Return the part of a network at `path`; None where it has none."""
    try:
        return module.get_submodule(path) if path else None
    except AttributeError:
        return None


def _stem(module: nn.Module, family: str) -> nn.Conv2d | None:
    conv = _part(module, STEMS.get(family, ("", ""))[0])
    return conv if isinstance(conv, nn.Conv2d) else None


def _of_stem(attribute: str) -> Callable[[nn.Module, str], str]:
    """Return a reader of one number of the first convolution."""

    def read(module: nn.Module, family: str) -> str:
        conv = _stem(module, family)
        return "" if conv is None else str(getattr(conv, attribute)[0])

    return read


def _write_stem(module: nn.Module, family: str, value: str, in_channels: int) -> None:
    old, side = _stem(module, family), int(value)
    assert old is not None  # the reader saw it
    padding = side // 2 if _read_pad(module, family) == "same" else old.padding
    new = nn.Conv2d(in_channels, old.out_channels, side, old.stride, padding, bias=old.bias is not None)  # type: ignore[arg-type]
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")  # as torchvision does
    put(module, STEMS[family][0], new)


def _write_stride(module: nn.Module, family: str, value: str, in_channels: int) -> None:
    conv = _stem(module, family)
    assert conv is not None
    conv.stride = (int(value), int(value))


def _read_pad(module: nn.Module, family: str) -> str:
    conv = _stem(module, family)
    if conv is None:
        return ""
    return {conv.kernel_size[0] // 2: "same", 0: "none"}.get(int(conv.padding[0]), "")


def _write_pad(module: nn.Module, family: str, value: str, in_channels: int) -> None:
    conv = _stem(module, family)
    assert conv is not None
    side = conv.kernel_size[0] // 2 if value == "same" else 0
    conv.padding = (side, side)


def _read_bias(module: nn.Module, family: str) -> str:
    conv = _stem(module, family)
    return "" if conv is None else "no" if conv.bias is None else "yes"


def _write_bias(module: nn.Module, family: str, value: str, in_channels: int) -> None:
    conv = _stem(module, family)
    assert conv is not None
    conv.register_parameter("bias", nn.Parameter(torch.zeros(conv.out_channels)) if value == "yes" else None)


def _seen_stem(shapes: Shapes, family: str) -> str:
    shape = shapes.get(f"{STEMS.get(family, ('', ''))[0]}.weight", ())
    return str(shape[-1]) if len(shape) == 4 else ""


def _seen_bias(shapes: Shapes, family: str) -> str:
    if not _seen_stem(shapes, family):
        return ""
    return "yes" if f"{STEMS[family][0]}.bias" in shapes else "no"


def _read_pool(module: nn.Module, family: str) -> str:
    part = _part(module, STEMS.get(family, ("", ""))[1])
    if isinstance(part, nn.MaxPool2d):
        return "max2" if part.kernel_size == 2 else "max"
    return "none" if isinstance(part, nn.Identity) else "avg" if isinstance(part, nn.AvgPool2d) else ""


def _write_pool(module: nn.Module, family: str, value: str, in_channels: int) -> None:
    put(module, STEMS[family][1], _POOLS[value]())


def _read_activation(module: nn.Module, family: str) -> str:
    """Return the activation that a network has most of, of several the last: Swin V2 has others in its attention."""
    found = Counter(name for part in reversed([*module.modules()]) if (name := activation_name(part)))
    return found.most_common(1)[0][0] if found else ""


def _write_activation(module: nn.Module, family: str, value: str, in_channels: int) -> None:
    present = _read_activation(module, family)
    for path, part in list(module.named_modules()):
        if activation_name(part) == present:
            put(module, path, ACTIVATIONS[value]())


def _read_eps(module: nn.Module, family: str) -> str:
    """Return the number that most norms of a network add to the variance."""
    found = Counter(part.eps for part in module.modules() if isinstance(part, _NORMS))
    return _number(str(found.most_common(1)[0][0])) if found else ""


def _write_eps(module: nn.Module, family: str, value: str, in_channels: int) -> None:
    for part in module.modules():
        if isinstance(part, _NORMS):
            part.eps = float(value)


def _blocks(module: nn.Module, family: str, kind: str = "") -> list[Any]:
    """Return the residual blocks of a ResNet, or those of one kind."""
    if family != "resnet":
        return []
    names = (kind,) if kind else ("BasicBlock", "Bottleneck")
    return [part for part in module.modules() if type(part).__name__ in names]


def _read_bottleneck(module: nn.Module, family: str) -> str:
    strided = [block for block in _blocks(module, family, "Bottleneck") if block.stride != 1]
    return "" if not strided else "v1" if strided[0].conv1.stride != (1, 1) else "v1.5"


def _write_bottleneck(module: nn.Module, family: str, value: str, in_channels: int) -> None:
    for block in _blocks(module, family, "Bottleneck"):
        block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride


def _read_last_stride(module: nn.Module, family: str) -> str:
    last = _blocks(module.layer4, family) if family == "resnet" and isinstance(module.layer4, nn.Module) else []
    return str(max(conv.stride[0] for conv in (last[0].conv1, last[0].conv2))) if last else ""


def _write_last_stride(module: nn.Module, family: str, value: str, in_channels: int) -> None:
    _stride_of(module.get_submodule("layer4"), int(value))


def _stride_of(stage: nn.Module, value: int) -> None:
    """Give a stage of a ResNet another stride; what convolutions of stride 1 there are beside it stay."""
    for part in stage.modules():
        if isinstance(part, nn.Conv2d) and part.stride != (1, 1):
            part.stride = (value, value)


_DILATED = {"none": (), "layer4": ("layer4",), "layer3-4": ("layer3", "layer4")}


def _read_dilation(module: nn.Module, family: str) -> str:
    if not _blocks(module, family, "Bottleneck"):
        return ""
    stages = ("layer3", "layer4")
    dilated = tuple(s for s in stages if _blocks(module.get_submodule(s), family)[-1].conv2.dilation != (1, 1))
    return next((name for name, parts in _DILATED.items() if parts == dilated), "")


def _write_dilation(module: nn.Module, family: str, value: str, in_channels: int) -> None:
    """Dilate the 3x3 convolutions of stages in place of their stride, as torchvision's option does."""
    dilation = 1
    for name in _DILATED[value]:
        stage = module.get_submodule(name)
        _stride_of(stage, 1)
        for number, block in enumerate(_blocks(stage, family)):
            step = dilation if number == 0 else 2 * dilation
            block.conv2.dilation = block.conv2.padding = (step, step)
        dilation *= 2


def _attentions(module: nn.Module, family: str) -> list[nn.MultiheadAttention]:
    parts = module.modules() if family == "vision_transformer" else ()
    return [part for part in parts if isinstance(part, nn.MultiheadAttention)]


def _read_heads(module: nn.Module, family: str) -> str:
    found = _attentions(module, family)
    return str(found[0].num_heads) if found else ""


def _write_heads(module: nn.Module, family: str, value: str, in_channels: int) -> None:
    for part in _attentions(module, family):
        if part.embed_dim % int(value):
            raise ValueError(f"{value} heads do not divide its width of {part.embed_dim}")
        part.num_heads, part.head_dim = int(value), part.embed_dim // int(value)


def _read_norm_first(module: nn.Module, family: str) -> str:
    if family != "vision_transformer":
        return ""
    return "no" if any(isinstance(part, _post_norm_block()) for part in module.modules()) else "yes"


def _write_norm_first(module: nn.Module, family: str, value: str, in_channels: int) -> None:
    for part in module.modules():
        if type(part).__name__ == "EncoderBlock":
            part.__class__ = _post_norm_block()


@functools.cache
def _post_norm_block() -> Any:
    from torchvision.models.vision_transformer import EncoderBlock

    class PostNormBlock(EncoderBlock):
        """A block of a transformer that normalises after each sum, as the first ones did, with the same keys."""

        def forward(self, input: Tensor) -> Tensor:
            """Turn tokens (n, t, C) into tokens of the same shape."""
            x, _ = self.self_attention(input, input, input, need_weights=False)
            x = self.ln_1(self.dropout(x) + input)
            return self.ln_2(x + self.mlp(x))

    return PostNormBlock


_GROUPS = ("group32", "group16", "group8", "group4", "group2", "group1", "instance")


def _read_norm(module: nn.Module, family: str) -> str:
    """Return what a network normalises with; a group for each channel is what instance norm does."""
    norms = [part for part in module.modules() if isinstance(part, (nn.BatchNorm2d, nn.GroupNorm))]
    groups = [part for part in norms if isinstance(part, nn.GroupNorm)]
    if len(groups) < len(norms) or not norms:
        return "batch" if norms else ""
    each = all(part.num_groups == part.num_channels for part in groups)
    return "instance" if each else f"group{groups[0].num_groups}"


def _write_norm(module: nn.Module, family: str, value: str, in_channels: int) -> None:
    groups = int(value.removeprefix("group") if value.startswith("group") else 0)
    for path, part in list(module.named_modules()):
        if isinstance(part, nn.BatchNorm2d):
            put(module, path, nn.GroupNorm(groups or part.num_features, part.num_features))


def _seen_norm(shapes: Shapes, family: str) -> str:
    """Return batch norm where there are statistics; else the most groups, of the usual numbers, that can be."""
    places = [f"{place}." for place in heads.PLACES.get(family, ()) if place]
    body = {key: shape for key, shape in shapes.items() if not any(key.startswith(place) for place in places)}
    if any(key.endswith("running_mean") for key in body):
        return "batch"
    widths = [shape[0] for key, shape in body.items() if len(shape) == 1 and key.endswith("weight")]
    shared = math.gcd(*widths)
    return next((name for name in _GROUPS[:-1] if shared % int(name.removeprefix("group")) == 0), "") if widths else ""


def _head_at(part: int) -> tuple[Any, Any, Any]:
    """Return reader, writer and viewer of the whole head (0) or its last layer (1)."""

    def place(family: str) -> str:
        return heads.PLACES.get(family, ("", ""))[part]

    def read(module: nn.Module, family: str) -> str:
        return heads.text_of(_part(module, place(family)))

    def write(module: nn.Module, family: str, value: str, in_channels: int) -> None:
        width, classes = heads.features_and_classes(module.get_submodule(place(family)))
        put(module, place(family), heads.build(value, width, classes))

    def seen(shapes: Shapes, family: str) -> str:
        return heads.seen(shapes, place(family))

    return read, write, seen


# --- the table -----------------------------------------------------------------------------------------------------

_Rule = tuple[str, Callable[[str], str]]  # which values there are, in words, and what cleans a text


def _whole(least: int, most: int) -> _Rule:
    return (
        f"a whole number from {least} to {most}",
        lambda text: str(int(text)) if text.isdecimal() and least <= int(text) <= most else "",
    )


def _one_of(names: Iterable[str]) -> _Rule:
    known = tuple(names)
    return f"one of {', '.join(known)}", lambda text: text if text in known else ""


def _number(text: str) -> str:
    """Return a number between 0 and 1 in its short form, "" for anything else."""
    try:
        return f"{float(text):g}".replace("e-0", "e-") if 0 < float(text) < 1 else ""
    except ValueError:
        return ""


_YES = ("yes", "no")
_HEADS = ("linear", "drop/linear", "linear256/relu/drop/linear")
SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            "stem", "side of the first convolution", ("3", "7", "5"), *_whole(1, 16),
            _of_stem("kernel_size"), _write_stem, _seen_stem,
        ),
        Setting(
            "stride", "stride of the first convolution", ("1", "2"), *_whole(1, 16), _of_stem("stride"), _write_stride
        ),
        Setting(
            "pool", "pooling after the first convolution", tuple(_POOLS), *_one_of(_POOLS), _read_pool, _write_pool
        ),
        Setting(
            "pad", "padding of the first convolution: half its side, or none", ("same", "none"),
            *_one_of(("same", "none")), _read_pad, _write_pad,
        ),
        Setting("bias", "bias of the first convolution", _YES, *_one_of(_YES), _read_bias, _write_bias, _seen_bias),
        Setting(
            "act", "the activation it has most of", tuple(ACTIVATIONS), *_one_of(ACTIVATIONS),
            _read_activation, _write_activation,
        ),
        Setting(
            "eps", "what norms add to the variance", ("1e-5", "0.001", "1e-6", "1e-12"),
            "a number like 1e-5 or 0.001", _number, _read_eps, _write_eps,
        ),
        Setting(
            "bottleneck", "stride in the 1x1 convolution (v1) or in the 3x3 one (v1.5)", ("v1.5", "v1"),
            *_one_of(("v1.5", "v1")), _read_bottleneck, _write_bottleneck,
        ),
        Setting(
            "last_stride", "stride of the last stage", ("2", "1"), *_whole(1, 2),
            _read_last_stride, _write_last_stride,
        ),
        Setting(
            "dilate", "stages with dilation in place of a stride", tuple(_DILATED), *_one_of(_DILATED),
            _read_dilation, _write_dilation,
        ),
        Setting(
            "heads", "attention heads", ("12", "6", "8", "4", "3", "16"), *_whole(1, 64), _read_heads, _write_heads
        ),
        Setting(
            "norm_first", "norms before attention and MLP, not after the sums", _YES, *_one_of(_YES),
            _read_norm_first, _write_norm_first,
        ),
        Setting(
            "norm", "normalisation, and the groups of group normalisation", ("batch", *_GROUPS),
            f"batch, instance or group with a number, as in {_GROUPS[0]}",
            lambda text: text if re.fullmatch(r"batch|instance|group[1-9]\d*", text) else "",
            _read_norm, _write_norm, _seen_norm, lambda value: (value,) if value == "batch" else (value, *_GROUPS),
        ),
        Setting("head", "the classifier head", _HEADS, heads.RULE, heads.clean, *_head_at(0), heads.like, heads.rare),
        Setting(
            "last", "what stands in the place of the head's last layer", _HEADS, heads.RULE, heads.clean,
            *_head_at(1), heads.like, heads.rare,
        ),
        Setting(  # the last one: the network inside is changed before
            "wrap", "names of the backbone and of the head beside it", (wrapped.NONE, "backbone+head"), wrapped.RULE,
            wrapped.clean, wrapped.read, wrapped.write, lambda shapes, family: "",
        ),
    )
}  # fmt: skip
