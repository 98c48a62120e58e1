"""Networks with settings: what an id like `resnet18:stem=3,pool=max` builds, and which of them fit the same weights.

A network with settings is built as it is without them and then changed, as people change torchvision's. The same
network has one id: settings that it has anyway are left out.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from core.errors import InputError, did_you_mean, unknown_name
from core.models.architectures import (
    HF_PREFIX,
    Architecture,
    ModelSpec,
    Shapes,
    Size,
    build_on_meta,
    get_architecture,
    meta_building,
    settings_in,
)
from core.models.settings import OFTEN_CHANGED, SETTINGS

_GROUP = ("stem", "stride", "pool")  # stated together, so that an id can be read without knowing the others
_USUAL = {"stride": ("1", "2"), "pool": ("none", "max")}  # of the stems that are tried from the start
_LEAST = 8  # pixels a side that are the least that means much


@functools.lru_cache(maxsize=256)
def configured(base: Architecture, text: str) -> Architecture:
    """Return the architecture that `base` becomes with the settings in `text`: "stem=3,pool=max".

    The same network has one id, whatever it was asked for by: settings that `base` has anyway are left out of it.
    Raises NotFoundError for a setting that `base` does not have and InputError for a value that it cannot take.
    """
    known, stated = settings_of(base.id), {}
    for part in text.split(","):
        name, _, value = (word.strip() for word in part.partition("="))
        if name not in known:
            raise unknown_name(f"setting of {base.id}", name, known)
        setting = SETTINGS[name]
        stated[name] = setting.clean(value)
        if not stated[name]:
            hint = did_you_mean(value, setting.values, count=1) or f"Usual are {', '.join(setting.values)}"
            raise InputError(f"{name} of {base.id} must be {setting.rule}, not {value!r}", hint)
    id = named(base.id, stated)
    root, own = settings_in(id)
    base = get_architecture(root)
    if not own:
        return base
    words = ", ".join(f"{name} {value}" for name, value in own.items())
    changed = replace(
        base, id=id, title=f"{base.title}, {words}", summary=f"{base.summary}; changed: {words}",
        build=functools.partial(build_with, base, own),
    )  # fmt: skip
    return replace(changed, min_size=_least_size(changed)) if own.keys() & set(_GROUP) else changed


def named(id: str, changes: Mapping[str, str]) -> str:
    """Return the one id of the network that the architecture `id` becomes with these settings."""
    from core.models.torchvision_models import CIFAR, SMALL_IMAGES

    base, own = settings_in(id)
    wanted = {**settings_of(base), **own, **changes}
    base = CIFAR.get(base, base)
    small = f"{base}-cifar"
    if small in CIFAR and SMALL_IMAGES.items() <= wanted.items():
        base = small
    usual = settings_of(base)
    differing = {name for name, value in wanted.items() if usual[name] != value}
    if differing & set(_GROUP):
        differing |= set(_GROUP) & wanted.keys()
    listed = ",".join(f"{name}={wanted[name]}" for name in SETTINGS if name in differing)
    return f"{base}:{listed}" if listed else base


@functools.lru_cache(maxsize=256)
def settings_of(id: str) -> Mapping[str, str]:
    """Return the settings that an architecture can have, with the values it is built with; `id` states none."""
    known = get_architecture(id)
    module = build_on_meta(ModelSpec(id, 2, 3, known.default_size))
    values = {name: setting.read(module, known.family) for name, setting in SETTINGS.items()}
    return {name: value for name, value in values.items() if value}


def build_with(
    base: Architecture, settings: Mapping[str, str], num_classes: int, in_channels: int, input_size: Size
) -> nn.Module:
    """Build a network and change it as the settings say; weights are drawn from the global generator."""
    module = base.build(num_classes, 3 if "stem" in settings else in_channels, input_size)
    for name, value in settings.items():
        if name == "stem" or SETTINGS[name].read(module, base.family) != value:
            module = SETTINGS[name].write(module, base.family, value, in_channels) or module
    return module


def _least_size(architecture: Architecture) -> int:
    """Return the least side of images that a network with a changed stem takes, found by running it on shapes."""
    with meta_building():
        module = architecture.build(2, 3, architecture.default_size).to("meta").train()
    for side in range(_LEAST, architecture.min_size, 4):
        with contextlib.suppress(RuntimeError, ValueError):
            module(torch.empty(2, 3, side, side, device="meta"))
            return side
    return architecture.min_size


# --- networks that fit the same weights ----------------------------------------------------------------------------


def shown_by(base: Architecture, template: Shapes, shapes: Shapes) -> str:
    """Return the id of `base` with the settings that weights show by their shapes, and the usual ones beside them.

    template: the shapes of the weights of `base`.
    """
    changes = {}
    for name, setting in SETTINGS.items():
        if setting.seen is not None:
            value = setting.clean(setting.seen(shapes, base.family))
            if value and value != setting.seen(template, base.family) and name in settings_of(base.id):
                changes[name] = value
    if "stem" in changes:
        usual = settings_of(base.id)
        patches = usual["stride"] == usual["stem"]  # else a changed stem is mostly one for small images
        changes["stride"] = changes["stem"] if patches else "1"
        changes |= {"pool": "none"} if "pool" in usual else {}
    return named(base.id, changes) if changes else base.id


def alike(id: str) -> tuple[str, ...]:
    """Return `id` and the ids of the usual networks that have the very same keys and shapes."""
    base, own = settings_in(id)
    tried: dict[str, tuple[str, ...]] = {}
    if get_architecture(base).family in OFTEN_CHANGED or "stem" in own:
        tried = {name: values for name, values in _USUAL.items() if name in settings_of(base)}
    if "norm" in own:
        tried["norm"] = tuple(value for value in _like("norm", own["norm"]) if _can_be(value, "norm", id))
    else:  # both together would be hundreds
        tried |= {name: _like(name, own[name]) for name in ("head", "last") if name in own}
    choices = (dict(zip(tried, values, strict=True)) for values in itertools.product(*tried.values()))
    return tuple(dict.fromkeys([id, *(named(id, choice) for choice in choices)]))


def _like(name: str, value: str | None, *, rare: bool = False) -> tuple[str, ...]:
    """Return the values of a setting that shapes cannot tell from `value`, which they show in part; none for None.

    rare: those that are seldom used as well.
    """
    setting = SETTINGS[name]
    found: tuple[str, ...] = ()
    if value is not None:
        found += setting.like(value) if setting.like else ()
        found += setting.rare(value) if setting.rare and rare else ()
    return found


def around(id: str) -> tuple[str, ...]:
    """Return the ids of the networks that differ from `id` in one setting that shapes do not show.

    Stride and pooling of a stem, which are changed together for small images, count as one. Those that `alike` names
    are left out; Hugging Face's, and timm's with arguments, state their settings in full.
    """
    if id.startswith(HF_PREFIX) or not settings_in(id)[1].keys() <= SETTINGS.keys():
        return ()
    base, own = settings_in(id)
    present, first = {**settings_of(base), **own}, alike(id)
    tried = {
        name: s.values if s.seen is None else _like(name, own.get(name), rare=True) for name, s in SETTINGS.items()
    }
    stems = [named(id, {"stride": "1", "pool": "none"})] if {"stride", "pool"} <= present.keys() else []
    others = (
        named(id, {name: value})
        for name, values in tried.items()
        if name in present
        for value in values
        if value != present[name] and _can_be(value, name, id)
    )
    return tuple(dict.fromkeys(other for other in (*stems, *others) if other not in (id, *first)))


def _can_be(value: str, name: str, id: str) -> bool:
    """Whether the network `id` can be built with a value of a setting that not every one takes."""
    if name not in ("heads", "norm"):
        return True
    try:
        build_on_meta(ModelSpec(named(id, {name: value}), 2, 3, get_architecture(id).default_size))
    except InputError:
        return False
    return True
