"""timm's architectures: built by name, and found again from keys and shapes among all there are."""

from __future__ import annotations

import functools
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from core.errors import AmbiguousModelError, InputError, unknown_name
from core.models.architectures import TIMM_PREFIX, Architecture, ModelSpec, Shapes, Size, build_on_meta, meta_building

_MARK = 1777  # class count of trial networks: a prime no other layer has as its width
# Parameters of another shape after which a network under construction is given up. Two is the most that any of
# timm 1.0's networks makes on the way and does not keep; a wrong candidate makes five within a few layers.
_STRANGERS = 4
_SHOWN = 6  # candidates named where several fit
# Attributes of layers that change nothing an evaluated network says.
_IMMATERIAL = {"training", "p", "drop_prob", "drop_rate", "scale_by_keep", "grad_checkpointing", "inplace"}


def installed() -> bool:
    """Whether timm can be used."""
    return find_spec("timm") is not None


def timm_architecture(id: str) -> Architecture:
    """Return `timm/NAME`. Raises InputError without timm, NotFoundError for an unknown name."""
    if not installed():
        raise InputError(f"{id} needs the package timm", 'Install it: pip install "unlearn-studio[timm]"')
    import timm

    name = id.removeprefix(TIMM_PREFIX).partition(".")[0]  # behind the point: which published weights
    if not timm.is_model(name):
        raise unknown_name("timm architecture", name, timm.list_models())
    config = _config(name)
    size = config.input_size[1:]
    return Architecture(
        f"{TIMM_PREFIX}{name}", f"{name} (timm)", "timm's", "timm", functools.partial(_build, name), size, 1,
        size_is_structural=config.fixed_input_size, read_input=_reader(size) if config.fixed_input_size else None,
    )  # fmt: skip


def fitting_timm(shapes: Shapes) -> tuple[Architecture, ...]:
    """Return all of timm's architectures with these keys, the shortest name first; they may differ in shapes.

    Each network is built without memory and given up at the first few parameters that the state dict does not have,
    so that a thousand candidates take seconds.
    """
    import timm

    channels = next((shape[1] for shape in shapes.values() if len(shape) == 4 and shape[1] < 16), 3)
    found = []
    for name in timm.list_models():
        try:
            with meta_building(), _giving_up(set(shapes.values())), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about networks that are not meant
                module = timm.create_model(name, num_classes=_MARK, in_chans=channels)
        except Exception:  # given up, or a network that takes no such options or wants another package
            continue
        if module.state_dict().keys() == shapes.keys():
            found.append(name)
    return tuple(timm_architecture(f"{TIMM_PREFIX}{name}") for name in sorted(found, key=lambda n: (len(n), n)))


def choose(specs: list[ModelSpec]) -> ModelSpec:
    """Return the first of several networks that fit the same weights if all compute the same.

    Compared are the classes and settings of their layers. Raises AmbiguousModelError with what sets them apart.
    """
    layers = [_layers(spec) for spec in specs]
    reasons = [_difference(layers[0], other) for other in layers[1:]]
    if not any(reasons):
        return specs[0]
    first = next(reason for reason in reasons if reason)
    candidates = [(specs[0].architecture, first[0])]
    candidates += [(spec.architecture, reason[1]) for spec, reason in zip(specs[1:], reasons, strict=True) if reason]
    raise AmbiguousModelError("The weights fit several architectures that compute differently", candidates[:_SHOWN])


def published_config(id: str) -> dict[str, Any]:
    """Return what timm notes of the published weights of `timm/NAME`: input size, mean, std, interpolation."""
    return dict(_config(id.removeprefix(TIMM_PREFIX)).to_dict())


def _config(name: str) -> Any:
    from timm.models import get_pretrained_cfg

    return get_pretrained_cfg(name, allow_unregistered=True) or _unpublished()


def _unpublished() -> Any:
    from timm.models import PretrainedCfg

    return PretrainedCfg()


def _build(name: str, num_classes: int, in_channels: int, input_size: Size) -> nn.Module:
    import timm

    config = _config(name)
    options: dict[str, Any] = {}
    if config.fixed_input_size and tuple(input_size) != tuple(config.input_size[1:]):
        options["img_size"] = tuple(input_size)
    return timm.create_model(name, pretrained=False, num_classes=num_classes, in_chans=in_channels, **options)


def _reader(usual: Size) -> Any:
    return functools.partial(_read_patches, usual)


def _read_patches(usual: Size, shapes: Shapes) -> tuple[int, Size] | None:
    """Channels and size of a patch transformer's input, from its patches and position embeddings."""
    patch, places = shapes.get("patch_embed.proj.weight"), shapes.get("pos_embed")
    if patch is None or places is None or len(patch) != 4 or len(places) != 3:
        return None
    usual_count = (usual[0] // patch[2]) * (usual[1] // patch[3])
    for extra in (1, 0, 2, 5):  # class, distillation and register tokens
        count = places[1] - extra
        if count == usual_count:
            return patch[1], usual
    for extra in (1, 0, 2, 5):
        side = math.isqrt(max(0, places[1] - extra))
        if side and side * side == places[1] - extra:
            return patch[1], (side * patch[2], side * patch[3])
    return None


class _GivenUpError(Exception):
    """Ends the construction of a network that cannot be the one looked for."""


@contextmanager
def _giving_up(known: set[tuple[int, ...]]) -> Iterator[None]:
    """Raise in the constructor of a network that makes more than a few weights of shapes not among `known`."""
    thread, strangers = threading.get_ident(), 0

    def count(module: nn.Module, name: str, parameter: Any) -> None:
        nonlocal strangers
        if parameter is None or threading.get_ident() != thread:  # the hook is everybody's
            return
        shape = tuple(parameter.shape)
        if len(shape) > 1 and _MARK not in shape and shape not in known:
            strangers += 1
            if strangers > _STRANGERS:
                raise _GivenUpError

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def _layers(spec: ModelSpec) -> dict[str, str]:
    """Each layer's class and plain settings, in words, by its name."""
    return {name: _words(module) for name, module in build_on_meta(spec).named_modules()}


def _words(module: nn.Module) -> str:
    settings = {
        name: value.__name__ if callable(value) else value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and name not in _IMMATERIAL
        and (isinstance(value, (bool, int, float, str, tuple)) or hasattr(value, "__name__"))
    }
    return f"{type(module).__name__}({', '.join(f'{name}={value}' for name, value in sorted(settings.items()))})"


def _difference(first: dict[str, str], other: dict[str, str]) -> tuple[str, str] | None:
    """What sets two networks apart, said of either: the first layer with another class or setting."""
    for name in dict.fromkeys([*first, *other]):
        ours, theirs = first.get(name), other.get(name)
        if ours != theirs:
            where = name or "the network"
            return f"{where} is {_short(ours, theirs)}", f"{where} is {_short(theirs, ours)}"
    return None


def _short(layer: str | None, beside: str | None) -> str:
    """A layer without the settings it shares with another."""
    if layer is None:
        return "not there"
    kind, _, settings = layer.removesuffix(")").partition("(")
    if beside is None or not beside.startswith(f"{kind}("):
        return kind
    shared = set(beside.removesuffix(")").partition("(")[2].split(", "))
    own = [each for each in settings.split(", ") if each not in shared]
    return f"{kind} with {', '.join(own)}" if own else kind
