"""Heads of torchvision's networks as people write them: read from a network or from shapes, built, from one text.

`drop/linear` is a Sequential of dropout and the last layer, `linear256/relu/drop/linear` one with 256 hidden units,
`linear` that layer alone. A name before a point is that of a layer with a name of its own (`fc1.linear256`). Dropout
changes nothing an evaluated network says and its rate is in no weights, so it is built without effect.
"""

from __future__ import annotations

import itertools
import re
from collections import OrderedDict
from dataclasses import dataclass, replace

from torch import nn

from core.models.activations import ACTIVATIONS, activation_name
from core.models.architectures import Shapes

PLACES = {
    "alexnet": ("classifier", "classifier.6"), "convnext": ("", "classifier.2"), "densenet": ("classifier", ""),
    "efficientnet": ("classifier", "classifier.1"), "googlenet": ("fc", ""), "inception": ("fc", ""),
    "maxvit": ("", "classifier.5"), "mnasnet": ("classifier", "classifier.1"),
    "mobilenetv2": ("classifier", "classifier.1"), "mobilenetv3": ("classifier", "classifier.3"), "regnet": ("fc", ""),
    "resnet": ("fc", ""), "shufflenetv2": ("fc", ""), "swin_transformer": ("head", ""),
    "vgg": ("classifier", "classifier.6"), "vision_transformer": ("heads", "heads.head"),
}  # fmt: skip
"""By family: the whole head, and its last layer where that is a part of it; "" for what there is not."""

RULE = (
    "layers joined by /: linear with its width (the last without), bn, ln, drop or an activation, "
    "as in linear256/relu/drop/linear"
)
_LAYER = re.compile(rf"(?:(\w+)\.)?(linear(\d*)(?:-nobias)?|bn|ln|drop|{'|'.join(map(re.escape, ACTIVATIONS))})")
_USUAL = ("relu", "gelu", "silu", "tanh", "leaky_relu")
_MOST = 6  # layers with names of their own whose order is sought


@dataclass(frozen=True)
class _Layer:
    """One layer of a head. kind: linear, bn, ln, drop or an activation; width: of a linear one, 0 for the last."""

    kind: str
    width: int = 0
    bias: bool = True
    name: str = ""  # in its Sequential; "" for its number
    takes: int = 0  # features that it takes, where its weights show them

    @property
    def text(self) -> str:
        """The layer as it stands in the text of a head."""
        own = f"linear{self.width or ''}{'' if self.bias else '-nobias'}" if self.kind == "linear" else self.kind
        return f"{self.name}.{own}" if self.name else own


def clean(text: str) -> str:
    """Return the text of a head in its one form; "" for what is none."""
    return _text(_parsed(text))


def _text(layers: list[_Layer]) -> str:
    return "/".join(layer.text for layer in layers)


def _text_of_head(layers: list[_Layer]) -> str:
    """Return the text of layers that end with the one that makes the outputs; "" where they do not."""
    if not layers or layers[-1].kind != "linear":
        return ""
    return clean(_text([*layers[:-1], replace(layers[-1], width=0)]))


def _parsed(text: str) -> list[_Layer]:
    """Return the layers of a head's text; none where it is not one."""
    layers = []
    for part in text.split("/"):
        match = _LAYER.fullmatch(part)
        if match is None:
            return []
        kind = "linear" if match[2].startswith("linear") else match[2]
        layers.append(_Layer(kind, int(match[3] or 0), not match[2].endswith("-nobias"), match[1] or ""))
    linear = [layer for layer in layers if layer.kind == "linear"]
    hidden_known = linear and layers[-1].kind == "linear" and all(layer.width for layer in linear[:-1])
    return layers if hidden_known and not linear[-1].width else []


def build(text: str, width: int, num_classes: int) -> nn.Module:
    """Build the head that a text says for features of a width; weights are drawn from the global generator."""
    layers = _parsed(text)
    if layers == [replace(layers[0], kind="linear", name="")]:
        return nn.Linear(width, num_classes, bias=layers[0].bias)
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for number, layer in enumerate(layers):
        if layer.kind == "linear":
            part: nn.Module = nn.Linear(width, layer.width or num_classes, bias=layer.bias)
            width = layer.width
        elif layer.kind in ("bn", "ln"):
            part = nn.BatchNorm1d(width) if layer.kind == "bn" else nn.LayerNorm(width)
        else:
            part = nn.Dropout(0.0) if layer.kind == "drop" else ACTIVATIONS[layer.kind]()
        parts[layer.name or str(number)] = part
    return nn.Sequential(parts)


def text_of(head: nn.Module | None) -> str:
    """Return the text of a built head; "" where it has other layers than texts know."""
    if isinstance(head, nn.Linear):
        return _Layer("linear", bias=head.bias is not None).text
    if not isinstance(head, nn.Sequential):
        return ""
    layers = []
    for number, (name, part) in enumerate(head.named_children()):
        if isinstance(part, nn.Linear):
            layer = _Layer("linear", part.out_features, part.bias is not None)
        else:
            known = ((nn.BatchNorm1d, "bn"), (nn.LayerNorm, "ln"), ((nn.Dropout, nn.Identity), "drop"))
            kind = next((kind for types, kind in known if isinstance(part, types)), activation_name(part))
            layer = _Layer(kind)
        layers.append(replace(layer, name="" if name == str(number) and len(head) > 1 else name))
    return _text_of_head(layers)


def features_and_classes(head: nn.Module) -> tuple[int, int]:
    """Return what a head takes and gives."""
    linear = [part for part in head.modules() if isinstance(part, nn.Linear)]
    return linear[0].in_features, linear[-1].out_features


# --- from shapes ---------------------------------------------------------------------------------------------------


def seen(shapes: Shapes, place: str) -> str:
    """Return the text of the head whose weights stand under `place`; "" where they are those of no chain of layers.

    Layers without weights leave gaps between the numbers of the others. The first gap after a linear layer is taken for
    its activation, ReLU, and any other for dropout.
    """
    if not place:
        return ""
    if f"{place}.weight" in shapes:
        return _text_of_head([layer for layer in [_layer(shapes, place)] if layer])
    names = dict.fromkeys(key.rpartition(".")[0] for key in shapes if key.startswith(f"{place}."))
    parts = {name.removeprefix(f"{place}."): _layer(shapes, name) for name in names}
    found = {name: part for name, part in parts.items() if part is not None}
    if len(found) < len(parts) or any("." in name for name in found):
        return ""
    numbered = all(name.isdecimal() for name in found)
    return _text_of_head(_filled(_order(found, numbered), found, numbered))


def _layer(shapes: Shapes, name: str) -> _Layer | None:
    """Return the layer whose weights stand under `name`; None for one of another kind."""
    weight = shapes.get(f"{name}.weight", ())
    bias = f"{name}.bias" in shapes
    if len(weight) == 2:
        return _Layer("linear", weight[0], bias, takes=weight[1])
    if len(weight) == 1 and bias:
        return _Layer("bn" if f"{name}.running_mean" in shapes else "ln", weight[0], takes=weight[0])
    return None


def _order(parts: dict[str, _Layer], numbered: bool) -> list[str]:
    """Return the names of layers in the order in which data passes them: each gives what the next takes."""
    if numbered:
        orders = iter([tuple(sorted(parts, key=int))])
    else:
        orders = itertools.permutations(parts) if len(parts) <= _MOST else iter([tuple(parts)])
    for order in orders:
        if all(parts[a].width == parts[b].takes for a, b in itertools.pairwise(order)):
            return list(order)
    return []


def _filled(order: list[str], parts: dict[str, _Layer], numbered: bool) -> list[_Layer]:
    """Return all layers of a head, those without weights guessed."""
    layers: list[_Layer] = []
    waiting = False  # whether the last linear layer has no activation yet
    for at, name in enumerate(order):
        if numbered:
            gap = int(name) - len(layers)
        else:  # nothing shows what stands between layers with names
            norm_next = parts[name].kind != "linear"
            gap = int(waiting and not norm_next)
        for _ in range(gap):
            layers.append(_Layer("relu" if waiting else "drop"))
            waiting = False
        own = "" if numbered and len(order) + len(layers) > 1 else name
        layers.append(replace(parts[name], name=own))
        waiting = parts[name].kind == "linear" or (waiting and at < len(order) - 1)
    return layers


def like(text: str) -> tuple[str, ...]:
    """Return the heads of the very same keys and shapes: with another usual activation, or it behind the norm."""
    return _changed(text, _USUAL)


def rare(text: str) -> tuple[str, ...]:
    """Return further heads of the same keys and shapes: with an activation that is seldom used, or none."""
    return _changed(text, (*(name for name in ACTIVATIONS if name not in _USUAL), "drop"))


def _changed(text: str, kinds: tuple[str, ...]) -> tuple[str, ...]:
    layers, found = _parsed(text), []
    for moved in (layers, _moved(layers)):
        for kind in kinds:
            changed = [replace(layer, kind=kind) if layer.kind in ACTIVATIONS else layer for layer in moved]
            found.append(_text(changed))
    return tuple(dict.fromkeys(found))


def _moved(layers: list[_Layer]) -> list[_Layer]:
    """Return the layers with each activation that stands before a norm and dropout behind both."""
    moved = list(layers)
    for at in range(len(moved) - 2):
        first, norm, last = moved[at : at + 3]
        if first.kind in ACTIVATIONS and norm.kind in ("bn", "ln") and last.kind == "drop":
            moved[at], moved[at + 2] = last, first
    return moved
