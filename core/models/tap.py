"""Logits and features from one forward pass of a network that is not wrapped, so that its state-dict keys stay."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import InputError, MismatchError
from core.models.architectures import CARRIED_ALONG

# Sizes tried, in this order, when a network has to be walked once without knowing its input.
_PROBE_SIZES = (64, 224, 32, 8, 28, 96, 128, 256, 299, 384, 16, 48)
_LARGE_SHARE = 0.7  # a module with more than this share of the network's parameters is a body, not a block
_CHAIN_SHARE = 0.5  # a module that is in the main one chain of like blocks is a stage, not a block
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True)
class Output:
    """Outputs of a tapped network for n images.

    `logits: (n, K)`; `features: (n, C)` as the head receives them; `layers`: pooled outputs `(n, C_l)` of further
    blocks, the one nearest to the head last.
    """

    logits: Tensor
    features: Tensor
    layers: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class SetOutputs:
    """What a network gives for one set, on the CPU. logits: (n, K), features: (n, C) float32; labels: (n,) int64.

    layers: pooled outputs (n, C_l) float32 of further tapped blocks, the one nearest to the head last.
    """

    logits: Tensor
    features: Tensor
    labels: Tensor
    layers: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def losses(self) -> Tensor:
        """The cross-entropy of each sample, (n,)."""
        return nn.functional.cross_entropy(self.logits, self.labels, reduction="none")


class TappedModel:
    """A classifier that gives logits and features: call it on images (n, c, h, w) to get an Output.

    The head is found by structure: the last layer with K outputs that is used on the way to the logits. Features
    are the head's input; where that has positions (convolutional heads, tokens), their mean. Gradients flow through
    both. Hooks are on the network only during a call, so that copying, saving or compiling it is not affected.

    `layers` 1 taps the features alone, n adds the pooled outputs of the last n - 1 blocks before the head.
    `input_shape` (channels, height, width) is needed where a network accepts none of the common sizes and has
    several layers with K outputs, or its `blocks` are asked for.

    Raises InputError where no head is found, MismatchError where a pass gives another number of outputs.
    """

    def __init__(
        self, module: nn.Module, num_classes: int, layers: int = 1, *, input_shape: tuple[int, int, int] | None = None
    ) -> None:
        self.module = module
        self.num_classes = num_classes
        self._input_shape = input_shape
        self.head_name = self._find_head()
        self.head: nn.Module = module.get_submodule(self.head_name)
        self._extra = self.blocks[:-1][1 - layers :] if layers > 1 else []

    @property
    def feature_dim(self) -> int:
        """C, the number of features the head receives."""
        return int(_weight(self.head).shape[1])

    def __call__(self, x: Tensor) -> Output:
        """Run the network on `x: (n, c, h, w)` in whatever mode and precision it is set to."""
        seen: dict[str, Tensor] = {}
        with self._watching(seen), self.head.register_forward_pre_hook(functools.partial(_keep_input, seen)):
            logits = main_logits(self.module(x))
        if logits.ndim != 2 or logits.shape[1] != self.num_classes:
            shape = "x".join(map(str, logits.shape[1:]))
            raise MismatchError(f"The model gives {shape} outputs for an image, not {self.num_classes}")
        if "" not in seen:
            raise InputError(f"The model made its outputs without its head {self.head_name}")
        features = pool(seen[""], channels_at=1 if _weight(self.head).ndim > 2 else -1)
        return Output(logits, features, tuple(seen[name] for name, _ in self._extra))

    @contextmanager
    def _watching(self, seen: dict[str, Tensor]) -> Iterator[None]:
        """Keep the pooled outputs of further blocks in `seen` while the network runs."""
        with ExitStack() as hooks:
            for name, block in self._extra:
                hooks.enter_context(block.register_forward_hook(functools.partial(_keep_output, seen, name)))
            yield

    @functools.cached_property
    def blocks(self) -> list[tuple[str, nn.Module]]:
        """Building blocks with parameters, by name, in the order data passes them, the head last.

        Branches that do not lead to the logits (auxiliary heads) are left out; so are parameters that stand in
        no module of their own (a class token, position embeddings).
        """
        names = list(_block_names(self.module, self.head_name))
        trace = _trace(self.module, names, self._input_shape)
        if trace is not None:
            names = list(dict.fromkeys(trace))  # only those that lead to the logits
        names = [name for name in names if name != self.head_name] + [self.head_name]
        return [(name, self.module.get_submodule(name)) for name in names]

    def trained_parameters(self) -> dict[str, nn.Parameter]:
        """Parameters of the network by name, without auxiliary heads, which are carried along as they are."""
        carried = {id(p) for m in self.module.modules() if getattr(m, CARRIED_ALONG, False) for p in m.parameters()}
        return {name: p for name, p in self.module.named_parameters() if id(p) not in carried}

    def write(self, weights: Mapping[str, Tensor]) -> None:
        """Put weights, by parameter name, into the network."""
        named = dict(self.module.named_parameters())
        with torch.no_grad():
            for name, value in weights.items():
                named[name].copy_(value)

    @contextmanager
    def trying(self, weights: Mapping[str, Tensor]) -> Iterator[None]:
        """Give the network these weights, by parameter name, for a while; the old ones are put back, whatever happens.

        For measuring with them.
        """
        named = dict(self.module.named_parameters())
        before = {name: named[name].detach().clone() for name in weights}
        try:
            self.write(weights)
            yield
        finally:
            self.write(before)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Keep the network in eval mode for a while: gradients flow to its images, not to its weights."""
        with evaluating(self.module), gradients_to(self.module, ()):
            yield

    def tuned_modules(self, tunes: str) -> list[nn.Module]:
        """Return the parts of the network a stage trains, in the order data passes them.

        `tunes`: "all", "head", or the end of `blocks`: "last-N" with N blocks that have weights, "last-P%" with that
        share of them. A normalisation that stands between blocks on its own (before the head of a transformer, say)
        comes along without being counted: it learns too little to stand for a block.
        """
        if tunes == "all":
            return [self.module]
        if tunes == "head":
            return [self.head]
        missing = blocks_tuned(tunes, sum(has_weights(block) for _, block in self.blocks))
        tuned: list[nn.Module] = []
        for _, block in reversed(self.blocks):
            if missing <= 0:
                break
            tuned.insert(0, block)
            missing -= has_weights(block)
        return tuned

    def tuned_parameters(self, tunes: str) -> list[nn.Parameter]:
        """Return the parameters a stage trains; of "all" those of auxiliary heads are left out."""
        if tunes == "all":
            return list(self.trained_parameters().values())
        return [p for part in self.tuned_modules(tunes) for p in part.parameters()]

    def _find_head(self) -> str:
        candidates = [name for name, m in self.module.named_modules() if _makes_classes(m, self.num_classes)]
        if not candidates:
            raise InputError(
                f"No layer of the model makes {self.num_classes} outputs",
                "The classifier head must be a layer with a weight of (classes, features)",
            )
        if len(candidates) == 1:
            return candidates[0]
        trace = _trace(self.module, candidates, self._input_shape)
        if trace and len(set(trace)) > 1:  # a layer that a factory gives constants is no head
            trace = _trace(self.module, candidates, self._input_shape, of_images=True) or trace
        # Without a trace the order of definition decides: heads come last in nearly every network.
        return trace[-1] if trace else candidates[-1]


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a network into eval mode without gradients for a while; every part goes back into the mode it was in."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def gradients_to(module: nn.Module, wanted: Iterable[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Let gradients flow to these parameters of a network alone for a while; yields them in the network's order.

    With none, gradients reach the images alone. Every parameter's flag is put back.
    """
    chosen = {id(parameter) for parameter in wanted}
    flags = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    try:
        for parameter, _ in flags:
            parameter.requires_grad_(id(parameter) in chosen)
        with torch.enable_grad():
            yield [parameter for parameter, _ in flags if parameter.requires_grad]
    finally:
        for parameter, flag in flags:
            parameter.requires_grad_(flag)


def main_logits(output: Any) -> Tensor:
    """Return the logits in a network's output: a tensor, a (named) tuple that begins with it, or a dict.

    Raises InputError where there is no tensor at that place.
    """
    if hasattr(output, "logits"):
        logits = output.logits
    elif isinstance(output, dict):
        logits = output.get("logits", next(iter(output.values()), None))
    elif isinstance(output, (tuple, list)):
        logits = output[0] if output else None
    else:
        logits = output
    if not isinstance(logits, Tensor):
        raise InputError(f"The model returned {type(output).__name__}, not logits")
    return logits


def blocks_tuned(tunes: str, blocks: int) -> int:
    """Return how many of so many blocks with weights "head", "last-N" or "last-P%" names, at least the head."""
    said = "1" if tunes == "head" else tunes.removeprefix("last-")
    return max(1, round(float(said[:-1]) / 100 * blocks)) if said.endswith("%") else int(said)


def has_weights(block: nn.Module) -> bool:
    """Whether a block mixes channels, or only scales and shifts them like a normalisation."""
    return any(parameter.ndim > 1 for parameter in block.parameters())


def pool(x: Tensor, channels_at: int) -> Tensor:
    """Return the mean over all positions: (n, C, h, w) with `channels_at` 1, or (n, …, C) with -1, to (n, C)."""
    axes = [axis for axis in range(1, x.ndim) if axis != channels_at % x.ndim]
    return x.mean(dim=axes) if axes else x


def _keep_input(seen: dict[str, Tensor], module: nn.Module, inputs: tuple[Any, ...]) -> None:
    seen[""] = inputs[0]


def _keep_output(seen: dict[str, Tensor], name: str, module: nn.Module, inputs: Any, output: Any) -> None:
    while isinstance(output, (tuple, list)):
        output = output[0]
    # Pooled at once: an activation that works in place would change the output afterwards.
    seen[name] = pool(output, _channel_axis(module, output))


def _channel_axis(block: nn.Module, output: Tensor) -> int:
    """Return the axis of an output's channels: 1 after convolutions, -1 for tokens and Swin's (n, h, w, C)."""
    if output.ndim != 4:
        return -1
    widths = {p.shape[0] for p in block.parameters() if p.ndim}
    return -1 if output.shape[-1] in widths and output.shape[1] not in widths else 1


def _weight(head: nn.Module) -> Tensor:
    weight = head.weight
    assert isinstance(weight, Tensor)  # _makes_classes saw it
    return weight


def _makes_classes(module: nn.Module, num_classes: int) -> bool:
    """Whether a layer could be a head: a weight (K, C), or (K, C, 1, 1) of a 1x1 convolution."""
    if isinstance(module, nn.Embedding):
        return False
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or weight.ndim < 2 or weight.shape[0] != num_classes:
        return False
    return weight.ndim == 2 or all(side == 1 for side in weight.shape[2:])


def _block_names(module: nn.Module, head_name: str, prefix: str = "", whole: int = 0) -> Iterator[str]:
    """Yield the names of the blocks of `module`.

    Plain containers, stages, bodies and modules that contain the head are not blocks: their children are looked at.
    """
    whole = whole or _size(module)
    for name, child in module.named_children():
        full = f"{prefix}{name}"
        size = _size(child)
        if not size:
            continue
        has_head = head_name.startswith(f"{full}.")
        is_body = size > _LARGE_SHARE * whole and any(_size(c) for c in child.children())
        if has_head or is_body or type(child) in _CONTAINERS or _is_stage(child):
            yield from _block_names(child, head_name, f"{full}.", whole)
        else:
            yield full


def _is_stage(module: nn.Module) -> bool:
    """Whether most of a module is one chain of blocks of the same class, as in the stages of a network."""
    if _is_chain(module):
        return True
    size = _size(module)
    return any(_is_chain(child) and _size(child) > _CHAIN_SHARE * size for child in module.children())


def _is_chain(module: nn.Module) -> bool:
    if not isinstance(module, (nn.Sequential, nn.ModuleList)) or type(module).forward not in _PLAIN_FORWARDS:
        return False
    links = [child for child in module.children() if _size(child)]
    if len(links) < 2 or len({type(link) for link in links}) > 1:
        return False
    return sum(p.ndim > 1 for p in links[0].parameters()) > 1  # else it chains layers: a convolution and its norm, say


_PLAIN_FORWARDS = (nn.Sequential.forward, nn.ModuleList.forward)


def _size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _trace(
    module: nn.Module, names: list[str], input_shape: tuple[int, int, int] | None, *, of_images: bool = False
) -> list[str] | None:
    """Return the order in which modules run in a forward pass on shapes alone; None where no input size succeeds.

    A network that cannot run without values (with constants outside its buffers, say) gets one pass on zeros.
    of_images: only modules whose input depends on the images, as gradients tell.
    """
    called: list[str] = []

    def runs(name: str, inputs: tuple[Any, ...]) -> None:
        if not of_images or any(isinstance(value, Tensor) and value.requires_grad for value in inputs):
            called.append(name)

    meta = {key: value.detach().to("meta") for key, value in [*module.named_parameters(), *module.named_buffers()]}
    with ExitStack() as hooks:
        hooks.enter_context(evaluating(module))
        hooks.enter_context(gradients_to(module, ()) if of_images else contextlib.nullcontext())
        for name in names:
            part = module.get_submodule(name)
            hooks.enter_context(part.register_forward_pre_hook(lambda part, inputs, name=name: runs(name, inputs)))
        for shape in _probe_shapes(module, input_shape):
            for values, device in ((meta, torch.device("meta")), ({}, next(module.parameters()).device)):
                called.clear()
                images = torch.zeros((2, *shape), device=device, requires_grad=of_images).clone()
                # A foreign network may raise anything on a size it was not made for.
                with contextlib.suppress(Exception):
                    torch.func.functional_call(module, values, (images,))
                    return called
    return None


def _probe_shapes(module: nn.Module, input_shape: tuple[int, int, int] | None) -> Iterator[tuple[int, ...]]:
    if shape := input_shape or getattr(module, "input_shape", None):
        yield tuple(shape)
        return
    conv = next((m for m in module.modules() if isinstance(m, nn.Conv2d)), None)
    if conv is None:
        widths = [m.in_features for m in module.modules() if isinstance(m, nn.Linear)]
        yield from ((1, 1, width) for width in dict.fromkeys(widths))  # the first layer may be defined later
        return
    for size in _PROBE_SIZES:
        yield (conv.in_channels, size, size)
