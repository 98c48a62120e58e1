"""Networks that people put together of a torchvision backbone without its head and a head of their own beside it.

`wrap=backbone+head` in an id names the two: keys begin with `backbone.` and `head.`. `wrap=features.n+fc` has the
layers of the backbone by their numbers, as `Sequential(*list(resnet.children())[:-1])` has them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from core.models.architectures import Shapes, put
from core.models.heads import PLACES

NONE = "none"  # the setting of networks that stand alone
RULE = "none, or the names of backbone and head as in backbone+head"
_NAMES = re.compile(r"(\w+)(\.n)?\+(\w+)")
# Children of the networks whose whole is a sequence of them, in order; the head is the last.
_CHILDREN = {"resnet": ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")}
_ALONE = ("googlenet", "inception")  # their auxiliary heads make several outputs in training


class Wrapped(nn.Module):
    """A backbone that gives features (n, C) and a head on it: images (n, c, h, w) to logits (n, K)."""

    def __init__(self, names: str, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        match = _NAMES.fullmatch(names)
        assert match is not None  # `clean` saw it
        self.names, (self._backbone, _, self._head) = names, match.groups()
        self.add_module(self._backbone, backbone)
        self.add_module(self._head, head)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, K) for images (n, c, h, w)."""
        features = self.get_submodule(self._backbone)(images)
        logits: Tensor = self.get_submodule(self._head)(features.flatten(1))
        return logits


def clean(text: str) -> str:
    """Return the setting in its one form; "" for what is none."""
    match = _NAMES.fullmatch(text)
    return text if text == NONE or (match is not None and match[1] != match[3]) else ""


def read(module: nn.Module, family: str) -> str:
    """Return how a network is put together; "" for families that cannot be parted."""
    if isinstance(module, Wrapped):
        return module.names
    return NONE if family in PLACES and family not in _ALONE else ""


def write(module: nn.Module, family: str, value: str, in_channels: int) -> nn.Module | None:
    """Return the network parted as `value` says."""
    if value == NONE:
        return None
    path = _head_of(family)
    head = module.get_submodule(path)
    put(module, path, nn.Identity())
    if ".n" not in value:
        return Wrapped(value, module, head)
    if family not in _CHILDREN:
        raise ValueError(f"the layers of this network are no sequence, so wrap cannot be {value}")
    return Wrapped(value, nn.Sequential(*(module.get_submodule(name) for name in _CHILDREN[family])), head)


def parted(shapes: Shapes, family_keys: Mapping[str, tuple[str, ...]]) -> tuple[str, str, dict[str, Any]] | None:
    """Return family, setting and the shapes under the network's own keys, for weights of a backbone and a head.

    family_keys: keys that a network of each family has. None where they are no backbone with one thing beside it.
    """
    tops = list(dict.fromkeys(key.partition(".")[0] for key in shapes))
    if len(tops) != 2:
        return None
    families = [name for name in family_keys if name in PLACES and name not in _ALONE]
    for backbone, head in (tops, tops[::-1]):
        inside = _under(shapes, backbone)
        for number, renamed in ((False, inside), (True, _by_name(inside, _CHILDREN["resnet"]))):
            family = next((name for name in families if any(key in renamed for key in family_keys[name])), None)
            if family is None or any(key.startswith(f"{_head_of(family)}.") for key in renamed):
                continue
            behind = {f"{_head_of(family)}.{key}": shape for key, shape in _under(shapes, head).items()}
            return family, f"{backbone}{'.n' * number}+{head}", {**renamed, **behind}
    return None


def _head_of(family: str) -> str:
    whole, last = PLACES[family]
    return whole or last


def _under(shapes: Shapes, name: str) -> dict[str, tuple[int, ...]]:
    return {key.removeprefix(f"{name}."): shape for key, shape in shapes.items() if key.startswith(f"{name}.")}


def _by_name(shapes: Shapes, names: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Return shapes whose keys begin with numbers of layers under the layers' names; none where one has no name."""
    renamed = {}
    for key, shape in shapes.items():
        number, _, rest = key.partition(".")
        if not number.isdecimal() or int(number) >= len(names):
            return {}
        renamed[f"{names[int(number)]}.{rest}"] = shape
    return renamed
