"""The settings of networks: where each stands in a built one, how it is read and written, which values are usual.

They are what weights do not tell, or tell by their shapes alone.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Callable
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


_Parts = Callable[[nn.Module, str], list[Any]]
_Access = tuple[Callable[[nn.Module, str], str], Callable[[nn.Module, str, str, int], None]]


def _of(parts: _Parts, read: Callable[[list[Any]], str], write: Callable[[Any, str], None]) -> _Access:
    """Return reader and writer of a setting of certain parts; networks without such parts do not have it.

    read: returns the value that all the parts have. write: gives one of them a value.
    """

    def reader(module: nn.Module, family: str) -> str:
        found = parts(module, family)
        return read(found) if found else ""

    def writer(module: nn.Module, family: str, value: str, in_channels: int) -> None:
        for part in parts(module, family):
            write(part, value)

    return reader, writer


def _called(family: str, *names: str, within: str = "") -> _Parts:
    """Return what finds the parts of these classes in networks of a family, or in one part of these."""

    def parts(module: nn.Module, other: str) -> list[Any]:
        inside = module.get_submodule(within).modules() if other == family else ()
        return [part for part in inside if type(part).__name__ in names]

    return parts


def _part(module: nn.Module, path: str) -> nn.Module | None:
    """Return the part of a network at `path`; None where it has none."""
    try:
        return module.get_submodule(path) if path else None
    except AttributeError:
        return None


def _stem(module: nn.Module, family: str) -> list[nn.Conv2d]:
    """Return the first convolution, alone in its list."""
    conv = _part(module, STEMS.get(family, ("", ""))[0])
    return [conv] if isinstance(conv, nn.Conv2d) else []


def _read_side(module: nn.Module, family: str) -> str:
    return "".join(str(conv.kernel_size[0]) for conv in _stem(module, family))


def _write_stem(module: nn.Module, family: str, value: str, in_channels: int) -> None:
    (old,), side = _stem(module, family), int(value)
    padding = side // 2 if _pad([old]) == "same" else old.padding
    new = nn.Conv2d(in_channels, old.out_channels, side, old.stride, padding, bias=old.bias is not None)  # type: ignore[arg-type]
    nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")  # as torchvision does
    put(module, STEMS[family][0], new)


def _set_stride(conv: nn.Conv2d, value: str) -> None:
    conv.stride = (int(value), int(value))


def _pad(convs: list[nn.Conv2d]) -> str:
    return {convs[0].kernel_size[0] // 2: "same", 0: "none"}.get(int(convs[0].padding[0]), "")


def _set_pad(conv: nn.Conv2d, value: str) -> None:
    side = conv.kernel_size[0] // 2 if value == "same" else 0
    conv.padding = (side, side)


def _set_bias(conv: nn.Conv2d, value: str) -> None:
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


def _norms(module: nn.Module, family: str) -> list[Any]:
    return [part for part in module.modules() if isinstance(part, (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm))]


def _eps(norms: list[Any]) -> str:
    """Return the number that most norms of a network add to the variance."""
    return _number(str(Counter(norm.eps for norm in norms).most_common(1)[0][0]))


def _set_eps(norm: Any, value: str) -> None:
    norm.eps = float(value)


_BLOCKS = ("BasicBlock", "Bottleneck")


def _bottleneck(blocks: list[Any]) -> str:
    strided = [block for block in blocks if block.stride != 1]
    return "" if not strided else "v1" if strided[0].conv1.stride != (1, 1) else "v1.5"


def _swap_strides(block: Any, value: str) -> None:
    block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride


def _last_stride(blocks: list[Any]) -> str:
    return str(max(conv.stride[0] for conv in (blocks[0].conv1, blocks[0].conv2)))


def _restride(block: nn.Module, value: str) -> None:
    """Give a block of a ResNet another stride; what convolutions of stride 1 there are in it stay."""
    for part in block.modules():
        if isinstance(part, nn.Conv2d) and part.stride != (1, 1):
            _set_stride(part, value)


_DILATED = {"none": (), "layer4": ("layer4",), "layer3-4": ("layer3", "layer4")}


def _read_dilation(module: nn.Module, family: str) -> str:
    ends = {stage: _called("resnet", "Bottleneck", within=stage)(module, family)[-1:] for stage in _DILATED["layer3-4"]}
    if not all(ends.values()):
        return ""
    dilated = tuple(stage for stage, (last,) in ends.items() if last.conv2.dilation != (1, 1))
    return next((name for name, stages in _DILATED.items() if stages == dilated), "")


def _write_dilation(module: nn.Module, family: str, value: str, in_channels: int) -> None:
    """Dilate the 3x3 convolutions of stages in place of their stride, as torchvision's option does."""
    dilation = 1
    for number, stage in enumerate(_DILATED[value], 1):
        for block in _called("resnet", "Bottleneck", within=stage)(module, family):
            _restride(block, "1")
            block.conv2.dilation = block.conv2.padding = (dilation, dilation)
            dilation = 2**number  # the first block of a stage has that of the stage before


def _set_heads(attention: nn.MultiheadAttention, value: str) -> None:
    if attention.embed_dim % int(value):
        raise ValueError(f"{value} heads do not divide its width of {attention.embed_dim}")
    attention.num_heads, attention.head_dim = int(value), attention.embed_dim // int(value)


def _set_norm_last(block: nn.Module, value: str) -> None:
    block.__class__ = _post_norm_block()


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

_Rule = tuple[tuple[str, ...], str, Callable[[str], str]]  # usual values, which there are in words, what cleans a text


def _whole(usual: tuple[str, ...], least: int, most: int) -> _Rule:
    return (
        usual, f"a whole number from {least} to {most}",
        lambda text: str(int(text)) if text.isdecimal() and least <= int(text) <= most else "",
    )  # fmt: skip


def _one_of(*names: str) -> _Rule:
    return names, f"one of {', '.join(names)}", lambda text: text if text in names else ""


def _number(text: str) -> str:
    """Return a number between 0 and 1 in its short form, "" for anything else."""
    try:
        return f"{float(text):g}".replace("e-0", "e-") if 0 < float(text) < 1 else ""
    except ValueError:
        return ""


_HEADS = ("linear", "drop/linear", "linear256/relu/drop/linear")
SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            "stem", "side of the first convolution", *_whole(("3", "7", "5"), 1, 16),
            _read_side, _write_stem, _seen_stem,
        ),
        Setting(
            "stride", "stride of the first convolution", *_whole(("1", "2"), 1, 16),
            *_of(_stem, lambda convs: str(convs[0].stride[0]), _set_stride),
        ),
        Setting(
            "pool", "pooling after the first convolution", *_one_of(*_POOLS), _read_pool, _write_pool
        ),
        Setting(
            "pad", "padding of the first convolution: half its side, or none", *_one_of("same", "none"),
            *_of(_stem, _pad, _set_pad),
        ),
        Setting(
            "bias", "bias of the first convolution", *_one_of("yes", "no"),
            *_of(_stem, lambda convs: "no" if convs[0].bias is None else "yes", _set_bias), _seen_bias,
        ),
        Setting(
            "act", "the activation it has most of", *_one_of(*ACTIVATIONS),
            _read_activation, _write_activation,
        ),
        Setting(
            "eps", "what norms add to the variance", ("1e-5", "0.001", "1e-6", "1e-12"),
            "a number like 1e-5 or 0.001", _number, *_of(_norms, _eps, _set_eps),
        ),
        Setting(
            "bottleneck", "stride in the 1x1 convolution (v1) or in the 3x3 one (v1.5)", *_one_of("v1.5", "v1"),
            *_of(_called("resnet", "Bottleneck"), _bottleneck, _swap_strides),
        ),
        Setting(
            "last_stride", "stride of the last stage", *_whole(("2", "1"), 1, 2),
            *_of(_called("resnet", *_BLOCKS, within="layer4"), _last_stride, _restride),
        ),
        Setting(
            "dilate", "stages with dilation in place of a stride", *_one_of(*_DILATED),
            _read_dilation, _write_dilation,
        ),
        Setting(
            "heads", "attention heads", *_whole(("12", "6", "8", "4", "3", "16"), 1, 64),
            *_of(_called("vision_transformer", "MultiheadAttention"), lambda them: str(them[0].num_heads), _set_heads),
        ),
        Setting(
            "norm_first", "norms before attention and MLP, not after the sums", *_one_of("yes", "no"),
            *_of(
                _called("vision_transformer", "EncoderBlock", "PostNormBlock"),
                lambda blocks: "yes" if type(blocks[0]).__name__ == "EncoderBlock" else "no", _set_norm_last,
            ),
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
