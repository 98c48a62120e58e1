"""Encoders: networks without the layer that makes classes, whose output is an embedding.

An encoder is written `encoder/NAME`, NAME an architecture whose last layer is left out, and has 0 classes wherever a
number of them stands. Its logits have no columns: whatever needs any says so, or fails loudly, and nothing is made up.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from core.errors import InputError, UnknownNetworkError, first_few
from core.models.architectures import (
    ENCODER_PREFIX,
    HF_PREFIX,
    ODD_CLASSES,
    Architecture,
    Shapes,
    Size,
    build_on_meta,
    get_architecture,
    meta_building,
    put,
)
from core.models.architectures import ModelSpec as Spec
from core.models.hub import hub_architecture
from core.models.tap import Output, TappedModel, evaluating, main_logits, pool
from core.models.user_code import FACTORY_OPTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.models.weights import Weights

NO_CLASSES = "an encoder gives features and no classes"
"""Why what needs classes is absent."""

# Names of what is no encoder's and no classifier's head: what contrastive training puts behind an encoder, what
# transformers does, and the other half of a CLIP.
_LEFT_OUT = ("proj", "predictor", "pooler", "text_model")
_NUMBERING = "embeddings.position_ids"  # 0, 1, 2, …, in older files of transformers
_SHOWN = 3


def encoder_architecture(id: str) -> Architecture:
    """Return the architecture `encoder/NAME`: NAME without the layer that makes its outputs.

    Hugging Face's have the keys that they have in files without a head.

    Raises NotFoundError for an unknown NAME, InputError where its head is not found.
    """
    if id.startswith(ENCODER_PREFIX + HF_PREFIX):
        return hub_architecture(id)
    base = get_architecture(id.removeprefix(ENCODER_PREFIX))

    def build(num_classes: int, in_channels: int, input_size: Size) -> nn.Module:
        module = base.build(2, in_channels, input_size)
        put(module, head_of(base.id, in_channels, input_size), nn.Identity())
        return module

    return dataclasses.replace(base, id=id, title=f"{base.title}, without a head", build=build)


@functools.lru_cache(maxsize=64)
def head_of(id: str, in_channels: int, input_size: Size) -> str:
    """Return the name of the layer of an architecture that makes its outputs."""
    module = build_on_meta(Spec(id, ODD_CLASSES, in_channels, input_size))
    named = [name for name, part in module.named_modules() if _makes(part)]
    if len(named) == 1:
        return named[0]
    with meta_building():
        return TappedModel(module, ODD_CLASSES, input_shape=(in_channels, *input_size)).head_name


def _makes(part: nn.Module) -> bool:
    weight = getattr(part, "weight", None)
    return isinstance(weight, Tensor) and weight.ndim >= 2 and len(weight) == ODD_CLASSES


def is_all_but_left_out(architecture: str, problems: Mapping[str, list[str]]) -> bool:
    """Whether a file has all of an encoder, and nothing beside it that may be a head.

    problems: keys of the file by what keeps them from being those of the architecture.
    """
    if not architecture.startswith(ENCODER_PREFIX) or problems["missing"] or problems["other shape"]:
        return False
    return all(_is_left_out(key) or key.endswith(_NUMBERING) for key in problems["unexpected"])


def _is_left_out(key: str) -> bool:
    return any(word in part.lower() for part in key.split(".")[:-1] for word in _LEFT_OUT)


def _refuse_layers_beside(file: str, architecture: str, prefix: str, beside: Shapes) -> None:
    """Raise UnknownNetworkError where a file has layers behind an encoder that may be a classifier's head.

    beside: shapes of what stands in the file beside the encoder. A projection or a predictor of contrastive training is
    none, and whoever names the encoder (--key) has said that it is meant alone.
    """
    heads = [key for key, shape in beside.items() if len(shape) >= 2 and not _is_left_out(key)]
    if heads:
        name, place = architecture.removeprefix(ENCODER_PREFIX), prefix.removesuffix(".")
        raise UnknownNetworkError(
            f"{file} has an encoder ({name}) under {place!r}, and beside it {first_few(heads, _SHOWN)}, perhaps its "
            "head",
            f"Say that the encoder alone is meant with --key {place}, or give the whole network with {FACTORY_OPTION}",
        )


def refuse_layers_behind(spec: Spec, whole: Weights, part: Weights, file: str) -> None:
    """Raise InputError where a part was taken for the network whose outputs go into further layers of the file."""
    prefix = part.form.prefix.removeprefix(whole.form.prefix)
    if not spec.num_classes:
        beside = {key: shape for key, shape in whole.shapes.items() if not key.startswith(prefix)}
        _refuse_layers_beside(file, spec.architecture, prefix, beside)
    behind = (
        key for key, value in whole.tensors.items()
        if not key.startswith(prefix) and key.endswith("weight") and value.is_floating_point()
        and value.ndim == 2 and value.shape[1] == spec.num_classes
    )  # fmt: skip
    key = next(behind, None)
    if key is not None:
        raise UnknownNetworkError(
            f"{file} has {spec.architecture} under {prefix!r}, and layers behind its {spec.num_classes} outputs: {key}",
            f"Give the whole network with {FACTORY_OPTION}",
        )


def tapped(
    module: nn.Module, num_classes: int, layers: int = 1, *, input_shape: tuple[int, int, int] | None = None
) -> TappedModel:
    """Return a network that gives logits and features or, with 0 classes, an encoder that gives features alone."""
    kind = TappedModel if num_classes else TappedEncoder
    return kind(module, num_classes, layers, input_shape=input_shape)


class TappedEncoder(TappedModel):
    """A network whose output is its features: (n, C), or with positions, whose mean is taken. Logits are (n, 0)."""

    def __init__(
        self, module: nn.Module, num_classes: int, layers: int = 1, *, input_shape: tuple[int, int, int] | None = None
    ) -> None:
        self._nothing = nn.Identity()  # in place of the head that is not there
        super().__init__(module, num_classes, layers, input_shape=input_shape)
        self.head = self._nothing

    @functools.cached_property
    def feature_dim(self) -> int:  # type: ignore[override]
        """C, the width of the embedding: found by one pass on an empty image."""
        if self._input_shape is None:
            raise InputError("Nothing says what images the encoder takes")
        device = next(self.module.parameters()).device
        with evaluating(self.module):
            return int(self(torch.zeros(1, *self._input_shape, device=device)).features.shape[1])

    @functools.cached_property
    def blocks(self) -> list[tuple[str, nn.Module]]:
        """The building blocks like those of a classifier, and nothing in the place of its head."""
        found = TappedModel.blocks.func(self)  # type: ignore[attr-defined]
        return [*found[:-1], ("", self._nothing)]

    def __call__(self, x: Tensor) -> Output:
        """Run the network on `x: (n, c, h, w)` in whatever mode and precision it is set to."""
        seen: dict[str, Tensor] = {}
        with self._watching(seen):
            embedding = main_logits(_embedding(self.module(x)))
        features = pool(embedding, channels_at=1 if embedding.ndim == 4 else -1)
        return Output(features.new_zeros(len(features), 0), features, tuple(seen[name] for name, _ in self._extra))

    def _find_head(self) -> str:
        return ""


def _embedding(output: Any) -> Any:
    """Return what is the embedding in an output: what is pooled already, else the last of the hidden states."""
    for name in ("pooler_output", "last_hidden_state"):
        if (found := getattr(output, name, None)) is not None:
            return found
    return output
