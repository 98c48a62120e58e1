"""timm's architectures: built by name, and found again from keys and shapes among all there are."""

from __future__ import annotations

import contextlib
import functools
import threading
import warnings
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Annotated, Any

import msgspec
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from core.errors import InputError, UnknownNetworkError, unknown_name
from core.files import convert
from core.models.architectures import (
    ENCODER_PREFIX,
    ODD_CLASSES,
    TIMM_PREFIX,
    Architecture,
    Shapes,
    Size,
    meta_building,
    read_patches,
    settings_in,
)
from core.models.user_code import FACTORY_OPTION

Number = Annotated[str, msgspec.Meta(pattern="^[0-9]{1,9}$")]
"""The number of an output, as the key of a JSON object."""

# Parameters of another shape after which a network under construction is given up. Two is the most that any of
# timm 1.0's networks makes on the way and does not keep; a wrong candidate makes five within a few layers.
_STRANGERS = 4
# Keys of a patch transformer's first convolution and position embeddings, and how many of these may be of no patch: of
# a class, a distillation and four register tokens.
_PLACES = ("patch_embed.proj.weight", "pos_embed", (1, 0, 2, 5))


def installed() -> bool:
    """Whether timm can be used."""
    return find_spec("timm") is not None


def timm_architecture(id: str) -> Architecture:
    """Return `timm/NAME`, or `timm/NAME:ARGUMENT=VALUE,…` with arguments for timm's create_model.

    Raises InputError without timm or for an argument without a value, NotFoundError for an unknown name.
    """
    if not installed():
        raise InputError(f"{id} needs the package timm", 'Install it: pip install "unlearn-studio[timm]"')
    import timm

    base, texts = settings_in(id.removeprefix(TIMM_PREFIX))
    name = base.partition(".")[0]  # behind the point: which published weights
    if not timm.is_model(name):
        raise unknown_name("timm architecture", name, timm.list_models())
    arguments = {key: value_of(value) for key, value in texts.items()}
    if "" in arguments.values():
        missing = next(key for key, value in arguments.items() if value == "")
        raise UnknownNetworkError(
            f"The argument {missing} of timm's {name} is no number, word or list of whole numbers",
            f"Give the network's code with {FACTORY_OPTION}",
        )
    config = _config(name)
    size = config.input_size[1:]
    full = TIMM_PREFIX + name + "".join(id.partition(":")[1:])
    build = functools.partial(_build, name, arguments)
    return Architecture(
        full, f"{full.removeprefix(TIMM_PREFIX)} (timm)", "timm's", "timm", build, size, 1,
        size_is_structural=config.fixed_input_size,
        read_input=functools.partial(read_patches, *_PLACES, usual=size) if config.fixed_input_size else None,
    )  # fmt: skip


def has_arguments(id: str) -> bool:
    """Whether a `timm/…` id states arguments for timm itself, not only settings that any network has."""
    from core.models.settings import SETTINGS

    return not settings_in(id)[1].keys() <= SETTINGS.keys()


def text_of(value: Any) -> str:
    """Return a plain value as it stands in an id: true, 1e-12, 2-2-6-2; "" for what cannot stand there."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "-".join(map(str, value)) if all(type(part) is int for part in value) else ""
    return str(value) if isinstance(value, (int, float)) or (isinstance(value, str) and value.isidentifier()) else ""


def value_of(text: str) -> Any:
    """Return the value that `text_of` was given, lists as tuples."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    parts = text.split("-")
    return tuple(map(int, parts)) if len(parts) > 1 and all(map(str.isdecimal, parts)) else text


def is_config(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is timm's."""
    return isinstance(config.get("architecture"), str) and isinstance(config.get("pretrained_cfg"), dict)


class _Labelled(msgspec.Struct):
    """What timm notes of published weights: the names of their outputs, as far as this is read here."""

    label_names: list[str] | dict[Number, str] | None = None


class _Arguments(msgspec.Struct):
    """The arguments of a network that a card states under names of its own."""

    img_size: int | list[int] | None = None
    in_chans: int | None = None


class _Config(msgspec.Struct):
    """The entries of timm's config.json that say what a card says."""

    architecture: str
    pretrained_cfg: _Labelled
    model_args: _Arguments | None = None
    num_classes: int | None = None
    label_names: list[str] | dict[Number, str] | None = None


def config_card(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what timm's config.json says of the model beside it, as a card; None without timm, or another's file.

    Without timm such weights can still be those of a network that is known here. Raises InputError for an entry of
    another type than it has.
    """
    if not installed() or not is_config(config):
        return None
    stated = convert(config, _Config, "config.json")
    inputs = stated.model_args or _Arguments()
    arguments: dict[str, Any] = dict(config.get("model_args") or {})
    pool = arguments.pop("global_pool", config.get("global_pool"))
    for name in ("img_size", "in_chans", "num_classes"):
        arguments.pop(name, None)
    if isinstance(pool, str) and pool and pool != _usual_pool(stated.architecture):
        arguments["global_pool"] = pool
    text = ",".join(f"{key}={text_of(value)}" for key, value in arguments.items() if value is not None)
    size = inputs.img_size
    card: dict[str, Any] = {
        "num_classes": stated.num_classes, "in_channels": inputs.in_chans,
        "input_size": [size, size] if isinstance(size, int) else size,
    }  # fmt: skip
    labels = stated.label_names or stated.pretrained_cfg.label_names
    if labels:
        card["classes"] = [labels[key] for key in sorted(labels, key=int)] if isinstance(labels, dict) else labels
    known = {key: value for key, value in card.items() if value is not None}
    headless = ENCODER_PREFIX if stated.num_classes == 0 else ""
    return {"architecture": f"{headless}{TIMM_PREFIX}{stated.architecture}" + (f":{text}" if text else ""), **known}


def _usual_pool(name: str) -> str:
    """Return how timm's network of this name pools; "" where it does not say."""
    import timm

    if not timm.is_model(name):
        return ""
    with meta_building(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = timm.create_model(name, num_classes=2)
    for part in (module, getattr(module, "head", None)):
        pool = getattr(part, "global_pool", None)
        pool = getattr(pool, "pool_type", pool)
        if isinstance(pool, str):
            return pool
    return ""


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


_VIT = "vit_base_patch16_224"  # whose arguments are changed to those of any other plain vision transformer
_HEADS = (12, 6, 3, 8, 4, 16, 2, 1)


def vision_transformers(shapes: Shapes) -> tuple[Architecture, ...]:
    """Return timm's vision transformers of any width and depth that may have these weights, the most usual first.

    Weights do not show the number of attention heads: there is one for each that is usual.
    """
    patch, hidden = shapes.get("patch_embed.proj.weight", ()), shapes.get("blocks.0.mlp.fc1.weight", ())
    if len(patch) != 4 or len(hidden) != 2:
        return ()
    width = patch[0]
    numbers = {key.split(".")[1] for key in shapes if key.startswith("blocks.")}
    shown = {  # and what is usual
        "patch_size": (patch[2], 16), "embed_dim": (width, 768), "depth": (len(numbers), 12),
        "mlp_ratio": (hidden[0] / width, 4.0), "qkv_bias": ("blocks.0.attn.qkv.bias" in shapes, True),
        "qk_norm": ("blocks.0.attn.q_norm.weight" in shapes, False), "pre_norm": ("norm_pre.weight" in shapes, False),
        "class_token": ("cls_token" in shapes, True),
    }  # fmt: skip
    stated: dict[str, Any] = {key: value for key, (value, usual) in shown.items() if value != usual}
    if "reg_token" in shapes:
        stated["reg_tokens"] = shapes["reg_token"][1]
    if "blocks.0.ls1.gamma" in shapes:
        stated["init_values"] = 1e-5
    if "fc_norm.weight" in shapes or "cls_token" not in shapes:
        stated["global_pool"] = "avg"
    usually = [width // 64 * (width % 64 == 0), width // 32 * (width % 32 == 0)]
    heads = dict.fromkeys(number for number in (*usually, *_HEADS) if number and width % number == 0)
    texts = [",".join(f"{key}={text_of(value)}" for key, value in {**stated, "num_heads": n}.items()) for n in heads]
    return tuple(timm_architecture(f"{TIMM_PREFIX}{_VIT}:{text}") for text in texts)


def published_config(id: str) -> dict[str, Any]:
    """Return what timm notes of the published weights of `timm/NAME`: input size, mean, std, interpolation."""
    return dict(_config(id.removeprefix(TIMM_PREFIX)).to_dict())


def _config(name: str) -> Any:
    """Return timm's note of a network's published weights, by its name without a prefix; its defaults for none."""
    from timm.models import PretrainedCfg, get_pretrained_cfg

    return get_pretrained_cfg(name, allow_unregistered=True) or PretrainedCfg()


def _build(name: str, arguments: Mapping[str, Any], num_classes: int, in_channels: int, input_size: Size) -> nn.Module:
    """Return timm's network of this name with fresh weights, at another input size where its weights depend on that."""
    import timm

    config = _config(name)
    options = dict(arguments)
    if config.fixed_input_size and tuple(input_size) != tuple(config.input_size[1:]):
        options["img_size"] = tuple(input_size)
    try:
        return timm.create_model(name, pretrained=False, num_classes=num_classes, in_chans=in_channels, **options)
    except TypeError as error:  # an argument that it does not have
        raise ValueError(str(error)) from error


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
