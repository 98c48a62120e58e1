"""The architectures there are: what each is called and needs, how its network is built, our own small networks."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from core.errors import AppError, InputError, unknown_name
from core.files import user_path
from core.models.user_code import build_from_user_code, source_key

if TYPE_CHECKING:
    from core.job import ModelPart

Shapes = Mapping[str, tuple[int, ...]]
Size = tuple[int, int]
Build = Callable[[int, int, Size], nn.Module]

TIMM_PREFIX, HF_PREFIX = "timm/", "hf/"
ENCODER_PREFIX = "encoder/"  # in front of an architecture whose last layer is left out
DEEP = 16  # layers with weights from which on a network is deep: VGG-16 has as many, a ResNet-18 has 21
ODD_CLASSES = 1777  # no layer has this prime as its width by chance, so it marks what is as wide as the class count
_MOST_PARAMETERS = 5_000  # weights and biases; the largest networks of timm register about 3,000
CARRIED_ALONG = "carried_along"  # attribute of modules whose output is not part of the logits (auxiliary heads)


@dataclass(frozen=True)
class Architecture:
    """One network design. `build(num_classes, in_channels, input_size)` draws its weights from the global generator."""

    id: str
    title: str
    summary: str
    family: str
    build: Build
    default_size: Size
    min_size: int
    size_is_structural: bool = False  # weights made for one input size do not fit another
    # Input channels and size as the shapes of the weights give them; None where weights fit any.
    read_input: Callable[[Shapes], tuple[int, Size] | None] | None = None


@dataclass(frozen=True)
class ModelSpec:
    """What is needed to build a network; `user_code` is "path.py:factory" for a network of the user's own."""

    architecture: str
    num_classes: int
    in_channels: int
    input_size: Size
    user_code: str = ""


def network_key(model: ModelSpec | ModelPart) -> str:
    """Return a text that differs between networks that compute differently with the same weights, for cache keys.

    Weights alone do not tell: several architectures have the same keys and shapes, and user code may change. Of user
    code it is the content of its file and of the user's files that it imports, wherever they lie, and the factory's
    name; nothing is run.
    """
    return source_key(model.user_code) if model.user_code else model.architecture


def is_user_code(arch: str) -> bool:
    """Whether an `--arch` text means code of the user's: "path.py:factory", or "path.pt:Class" of a pickled network."""
    path, _, name = arch.rpartition(":")
    return name.isidentifier() and bool(Path(path).suffix or Path(path).is_absolute())


def anchored(arch: str, folder: Path) -> str:
    """Return an `--arch` text as it is; the path of user code counts from `folder` and becomes absolute."""
    file, _, factory = arch.rpartition(":")
    return f"{(folder / user_path(file)).absolute()}:{factory}" if is_user_code(arch) else arch


def settings_in(id: str) -> tuple[str, dict[str, str]]:
    """Return the base of an id and the settings behind its colon, by name."""
    base, _, text = id.partition(":")
    return base, {name: value for name, _, value in (part.partition("=") for part in text.split(",") if part)}


def architectures() -> tuple[Architecture, ...]:
    """Return all architectures except timm's, our own first."""
    from core.models.torchvision_models import registry

    return tuple(registry().values())


def get_architecture(id: str) -> Architecture:
    """Return the architecture called `id`; `NAME:SETTING=VALUE,…` names one with settings.

    `timm/NAME` is one of timm's, `hf/KIND` one of Hugging Face's; both take the arguments of those libraries as well.
    `encoder/` in front of any names it without the layer that makes its outputs.

    Raises NotFoundError with the nearest names, InputError for a value that a setting cannot take.
    """
    if id.startswith(ENCODER_PREFIX):
        from core.models.encoders import encoder_architecture

        return encoder_architecture(id)
    if id.startswith(HF_PREFIX):
        from core.models.hub import hub_architecture

        return hub_architecture(id)
    base, colon, text = id.partition(":")
    if id.startswith(TIMM_PREFIX):
        from core.models.timm_models import has_arguments, timm_architecture

        if not colon or has_arguments(id):
            return timm_architecture(id)
    if colon:
        from core.models.variants import configured

        return configured(get_architecture(base), text)
    if id in OURS:
        return OURS[id]
    from core.models.torchvision_models import registry

    if id not in registry():
        raise unknown_name("architecture", id, registry())
    return registry()[id]


def build_model(spec: ModelSpec, *, trust_code: bool = False, only: Collection[str] | None = None) -> nn.Module:
    """Build the network of `spec` with fresh weights, in training mode.

    Raises NotFoundError for an unknown architecture, InputError where it cannot be built like that, and
    UnsafeFileError where it is user code and `trust_code` is false, or it is none of `only` (SHA-256; None: any may
    run).
    """
    if spec.user_code:
        return build_from_user_code(spec.user_code, spec.num_classes, trust_code=trust_code, only=only)
    architecture = get_architecture(spec.architecture)
    if min(spec.input_size) < architecture.min_size:
        least, size = architecture.min_size, times(spec.input_size)
        raise InputError(
            f"{architecture.id} needs images of at least {least}x{least} pixels, not {size}",
            "Choose a larger input size or another architecture",
        )
    try:
        with _bounded(architecture.id):
            return architecture.build(spec.num_classes, spec.in_channels, spec.input_size)
    except (AppError, MemoryError):
        raise
    except Exception as error:  # settings that do not go together make other libraries raise nearly anything
        reason = str(error).partition("\n")[0]
        raise InputError(f"{architecture.id} cannot be built for input {times(spec.input_size)}: {reason}") from error


@contextmanager
def _bounded(id: str) -> Iterator[None]:
    """End the building of a network in this block with InputError once it has more parameters than any network has.

    A file may ask for 2^31 layers.
    """
    thread, count = threading.get_ident(), 0

    def counted(module: nn.Module, name: str, parameter: Any) -> None:
        nonlocal count
        if threading.get_ident() == thread:  # the hook is everybody's
            count += 1
            if count > _MOST_PARAMETERS:
                raise InputError(
                    f"{id} has more than {_MOST_PARAMETERS:,} weights and biases, which no network here has",
                    "Check its settings",
                )

    handle = register_module_parameter_registration_hook(counted)
    try:
        yield
    finally:
        handle.remove()


def signature(spec: ModelSpec) -> dict[str, tuple[int, ...]]:
    """Return keys and shapes of the state dict of `spec`'s network, without allocating its weights."""
    return shapes_of(build_on_meta(spec).state_dict())


def is_transformer(keys: Iterable[str]) -> bool:
    """Whether weights with these keys are a network of attention without batch norm, which learns by other steps.

    Convolutions with some attention among them have batch norms, and count as convolutions.
    """
    names = [key.lower() for key in keys]
    attends = any(part in name for name in names for part in ("attn", "attention", "in_proj_weight"))
    return attends and not any(name.endswith("running_mean") for name in names)


def is_deep(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a network has so many layers with weights that its last blocks are a small part of what it learnt."""
    return sum(tensor.ndim > 1 for tensor in tensors.values()) >= DEEP


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor, under its key."""
    return {key: tuple(value.shape) for key, value in tensors.items()}


def times(shape: tuple[int, ...] | list[int]) -> str:
    """Return a shape in words: "28x28"."""
    return "x".join(map(str, shape)) or "a single number"


def build_on_meta(spec: ModelSpec) -> nn.Module:
    """Build the network of `spec` without allocating or drawing its weights: only its names and shapes are of use."""
    with meta_building():
        return build_model(spec)


def put(module: nn.Module, path: str, part: nn.Module) -> None:
    """Put a part into the place of a network that `path` names: "layer1.0.conv1"."""
    parent, _, name = path.rpartition(".")
    setattr(module.get_submodule(parent), name, part)


def reinitialise(module: nn.Module, seed: int) -> None:
    """Give every layer of `module` the weights it would start training with, and its norms fresh statistics.

    Layers draw as their class does on construction (`reset_parameters`). Parameters that stand in a module without
    such a rule (a class token, position embeddings, layer scales) are drawn from a normal distribution with the mean
    and spread they have now. The global random state stays as it is; the same seed gives the same weights.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for part in module.modules():
            reset = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
            if reset is not None:
                reset()
                continue
            for parameter in part.parameters(recurse=False):
                drawn = torch.randn(parameter.shape, dtype=torch.float32)
                spread = float(parameter.float().std(unbiased=False))
                parameter.copy_(drawn * spread + float(parameter.float().mean()))


@contextmanager
def meta_building() -> Iterator[None]:
    """Build networks in this block without memory for their weights; the global generator is left as it was."""
    with _EmptyOnMeta(), torch.random.fork_rng(devices=[]):
        yield


class _EmptyOnMeta(TorchFunctionMode):
    """Make `torch.empty` allocate nothing, so that building a network of any size is quick.

    `torch.device("meta")` would do the same to every factory function, and some of torchvision's constructors
    (RegNet's widths, Swin's index tables) compute with small tensors they need the values of.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _WRITING:
            written = args[0] if args else kwargs["tensor"]
            if written.is_meta:  # there is nothing to write to, and finding that out takes long
                return written
        if func is torch.empty and kwargs.get("device") is None:
            kwargs = {**kwargs, "device": "meta"}
        return func(*args, **kwargs)


_WRITING = frozenset({
    Tensor.normal_, Tensor.uniform_, Tensor.fill_, Tensor.zero_, Tensor.erfinv_, Tensor.mul_, Tensor.add_,
    Tensor.clamp_, nn.init.normal_, nn.init.uniform_, nn.init.constant_, nn.init.kaiming_uniform_,
})  # fmt: skip


# --- our own networks: fast on a processor, with module names that read well as checkpoint keys -------------------


class ConvBlock(nn.Sequential):
    """3x3 convolution, batch norm, ReLU and 2x2 max-pooling that rounds up, so that no pixel is dropped.

    Turns (n, c, h, w) into half the height and width. A class of its own, because it is one building block of a
    network: plain sequences are taken apart into theirs.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            OrderedDict(
                conv=nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
                norm=nn.BatchNorm2d(out_channels),
                relu=nn.ReLU(inplace=True),
                pool=nn.MaxPool2d(2, ceil_mode=True),
            )
        )


class SmallCNN(nn.Sequential):
    """Three convolution blocks, one hidden layer of 128 features and a linear head: (n, c, h, w) to logits (n, K)."""

    def __init__(self, num_classes: int, in_channels: int, input_size: Size) -> None:
        height, width = input_size
        cells = math.ceil(height / 8) * math.ceil(width / 8)  # left by three poolings that halve and round up
        super().__init__(
            OrderedDict(
                block1=ConvBlock(in_channels, 16),
                block2=ConvBlock(16, 32),
                block3=ConvBlock(32, 64),
                flatten=nn.Flatten(),
                hidden=nn.Linear(64 * cells, 128),
                relu=nn.ReLU(),
                head=nn.Linear(128, num_classes),
            )
        )
        self.input_shape = (in_channels, *input_size)


class MLP(nn.Sequential):
    """Three hidden layers of 256, 128 and 64 units on flattened pixels and a linear head: (n, c, h, w) to (n, K)."""

    def __init__(self, num_classes: int, in_channels: int, input_size: Size) -> None:
        input_shape = (in_channels, *input_size)
        super().__init__(
            OrderedDict(
                flatten=nn.Flatten(),
                hidden1=nn.Linear(math.prod(input_shape), 256),
                relu1=nn.ReLU(),
                hidden2=nn.Linear(256, 128),
                relu2=nn.ReLU(),
                hidden3=nn.Linear(128, 64),
                relu3=nn.ReLU(),
                head=nn.Linear(64, num_classes),
            )
        )
        self.input_shape = input_shape


# --- input channels and size, read from the shapes of weights -----------------------------------------------------


def _read_small_cnn(shapes: Shapes) -> tuple[int, Size] | None:
    stem, hidden = shapes.get("block1.conv.weight"), shapes.get("hidden.weight")
    if stem is None or hidden is None or len(stem) != 4 or len(hidden) != 2:
        return None
    cells = hidden[1] // 64
    side = round(cells**0.5)
    if side * side != cells or side == 0:
        return stem[1], (8, 8 * max(cells, 1))  # not square: any size with as many cells
    # 25 to 32 pixels leave the same cells; grey images of that size are mostly MNIST's and its successors'.
    return stem[1], (28, 28) if (side, stem[1]) == (4, 1) else (8 * side, 8 * side)


def read_patches(
    stem: str, places: str, extras: Sequence[int], shapes: Shapes, *, usual: Size = (0, 0), oblong: bool = False
) -> tuple[int, Size] | None:
    """Return channels and size of a patch transformer's input; None where the weights are none's, or for no square.

    stem, places: keys of its first convolution and its position embeddings. extras: how many of these may be of no
    patch. usual: a size that is taken where it has so many patches. oblong: no square is a row of patches.
    """
    patch, embeddings = shapes.get(stem, ()), shapes.get(places, ())
    if len(patch) != 4 or len(embeddings) not in (2, 3):
        return None
    counts = [embeddings[-2] - extra for extra in extras if embeddings[-2] > extra]
    if (usual[0] // patch[2]) * (usual[1] // patch[3]) in counts:
        return patch[1], usual
    grids = [(math.isqrt(count), math.isqrt(count)) for count in counts if math.isqrt(count) ** 2 == count]
    grids += [(1, count) for count in counts if oblong]
    return (patch[1], (grids[0][0] * patch[2], grids[0][1] * patch[3])) if grids else None


def _read_mlp(shapes: Shapes) -> tuple[int, Size] | None:
    hidden = shapes.get("hidden1.weight")
    if hidden is None or len(hidden) != 2:
        return None
    for channels in (1, 3, 4, 2):
        side = round((hidden[1] / channels) ** 0.5)
        if side and channels * side * side == hidden[1]:
            return channels, (side, side)
    return 1, (1, hidden[1])


def mlp_with_channels(spec: ModelSpec, channels: int) -> ModelSpec:
    """Return the MLP with the size that stated channels leave: its weights tell channels times pixels only."""
    values = spec.in_channels * math.prod(spec.input_size)
    side = math.isqrt(values // channels)
    size = (side, side) if channels * side * side == values else spec.input_size
    return replace(spec, in_channels=channels, input_size=size)


# Known without torchvision, whose import takes longer than everything else about a small network.
OURS = {
    architecture.id: architecture
    for architecture in (
        Architecture(
            "small-cnn", "Small CNN",
            "Three convolution blocks (16, 32, 64), 128 features; for images of 8 to 64 pixels",
            "small", SmallCNN, (32, 32), 1, size_is_structural=True, read_input=_read_small_cnn,
        ),
        Architecture(
            "mlp", "MLP", "Three hidden layers (256, 128, 64) on flattened pixels",
            "small", MLP, (28, 28), 1, size_is_structural=True, read_input=_read_mlp,
        ),
    )
}  # fmt: skip
