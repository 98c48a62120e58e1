"""timm's architectures: built by name, and found again from keys and shapes among all there are."""

from __future__ import annotations

import functools
import math
import threading
import warnings
from collections.abc import Iterator, Set
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from core.errors import InputError, unknown_name
from core.models.architectures import ODD_CLASSES, TIMM_PREFIX, Architecture, Shapes, Size, meta_building

# Parameters of another shape after which a network under construction is given up. Two is the most that any of
# timm 1.0's networks makes on the way and does not keep; a wrong candidate makes five within a few layers.
_STRANGERS = 4


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
        size_is_structural=config.fixed_input_size,
        read_input=functools.partial(_read_patches, size) if config.fixed_input_size else None,
    )  # fmt: skip


def fitting_timm(shapes: Shapes, whole: Shapes) -> tuple[Architecture, ...]:
    """Return all of timm's architectures with these keys, the shortest name first; they may differ in shapes.

    whole: shapes of which these are all, or a part. They are looked up once, and their parts then cost nothing.
    """
    channels = next((shape[1] for shape in whole.values() if len(shape) == 4 and shape[1] < 16), 3)
    alike = _made_of(frozenset(whole.values()), channels)
    names = [name for name, keys in alike.items() if keys == shapes.keys()]
    return tuple(timm_architecture(f"{TIMM_PREFIX}{name}") for name in sorted(names, key=lambda n: (len(n), n)))


@functools.lru_cache(maxsize=4)
def _made_of(shapes: frozenset[tuple[int, ...]], channels: int) -> dict[str, frozenset[str]]:
    """Return the keys of timm's networks whose weights mostly have these shapes, by name.

    Each network is built without memory and given up at the first few parameters of other shapes, so that a thousand
    candidates take seconds.
    """
    import timm

    alike = {}
    for name in timm.list_models():
        try:
            with meta_building(), _giving_up(shapes), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about networks that are not meant
                module = timm.create_model(name, num_classes=ODD_CLASSES, in_chans=channels)
        except Exception:  # given up, or a network that takes no such options or wants another package
            continue
        alike[name] = frozenset(module.state_dict())
    return alike


def published_config(id: str) -> dict[str, Any]:
    """Return what timm notes of the published weights of `timm/NAME`: input size, mean, std, interpolation."""
    return dict(_config(id.removeprefix(TIMM_PREFIX)).to_dict())


def _config(name: str) -> Any:
    """Return timm's note of a network's published weights, by its name without a prefix; its defaults for none."""
    from timm.models import PretrainedCfg, get_pretrained_cfg

    return get_pretrained_cfg(name, allow_unregistered=True) or PretrainedCfg()


def _build(name: str, num_classes: int, in_channels: int, input_size: Size) -> nn.Module:
    """Return timm's network of this name with fresh weights, at another input size where its weights depend on that."""
    import timm

    config = _config(name)
    options: dict[str, Any] = {}
    if config.fixed_input_size and tuple(input_size) != tuple(config.input_size[1:]):
        options["img_size"] = tuple(input_size)
    return timm.create_model(name, pretrained=False, num_classes=num_classes, in_chans=in_channels, **options)


def _read_patches(usual: Size, shapes: Shapes) -> tuple[int, Size] | None:
    """Return channels and size of a patch transformer's input, from the shapes of its weights.

    The number of position embeddings gives the size: the `usual` one where that has so many patches, else a square.
    None where the weights are no patch transformer's.
    """
    patch, places = shapes.get("patch_embed.proj.weight"), shapes.get("pos_embed")
    if patch is None or places is None or len(patch) != 4 or len(places) != 3:
        return None
    counts = [places[1] - extra for extra in (1, 0, 2, 5)]  # without class, distillation and register tokens
    if (usual[0] // patch[2]) * (usual[1] // patch[3]) in counts:
        return patch[1], usual
    sides = [math.isqrt(count) for count in counts if count > 0 and math.isqrt(count) ** 2 == count]
    return (patch[1], (sides[0] * patch[2], sides[0] * patch[3])) if sides else None


class _GivenUpError(Exception):
    """Ends the construction of a network that cannot be the one whose weights were given."""


@contextmanager
def _giving_up(shapes: Set[tuple[int, ...]]) -> Iterator[None]:
    """End the construction of networks in this block at more than a few weights whose shapes are not among `shapes`.

    Raises _GivenUpError out of the network's constructor: most candidates are ruled out by their first layers.
    """
    thread, strangers = threading.get_ident(), 0

    def count(module: nn.Module, name: str, parameter: Any) -> None:
        nonlocal strangers
        if parameter is None or threading.get_ident() != thread:  # the hook is everybody's
            return
        shape = tuple(parameter.shape)
        if len(shape) > 1 and ODD_CLASSES not in shape and shape not in shapes:
            strangers += 1
            if strangers > _STRANGERS:
                raise _GivenUpError

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
