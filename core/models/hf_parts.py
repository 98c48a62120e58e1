"""What Hugging Face's networks share: settings, attention, and how parts become a classifier or an encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Settings = Mapping[str, Any]


class Network(nn.Module, ABC):
    """Parts and a head that makes classes of the embedding they give; with 0 classes the parts alone, an encoder.

    A classifier has its parts under `base`, an encoder without a name in front: so their keys are in files.
    """

    base: str  # name of all but the head

    def assemble(self, parts: dict[str, nn.Module], width: int, num_classes: int) -> None:
        """Take the parts, and a head for an embedding of `width` where there are classes."""
        self.within = f"{self.base}." if num_classes else ""
        if num_classes:
            self.add_module(self.base, nn.ModuleDict(parts))
        else:
            for name, part in parts.items():
                self.add_module(name, part)
        self.classifier = self.head(width, num_classes) if num_classes else nn.Identity()

    def head(self, width: int, num_classes: int) -> nn.Module:
        """Return what makes logits of the embedding."""
        return nn.Linear(width, num_classes)

    def part(self, name: str) -> Any:
        """Return one of the parts, or one within it: "encoder.layer"."""
        return self.get_submodule(self.within + name)

    @abstractmethod
    def embedding(self, images: Tensor) -> Tensor:
        """Return what the head takes, (n, d), for images (n, c, h, w)."""

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, K) for images (n, c, h, w), of an encoder the embedding (n, d)."""
        made: Tensor = self.classifier(self.embedding(images))
        return made


class Attention(nn.Module):
    """Mixes tokens (n, t, d) with query, key and value in layers of their own; (n, t, d) before the output layer."""

    names = ("query", "key", "value")

    def __init__(self, width: int, heads: int, dropout: float, bias: bool) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be shared among {heads} attention heads")
        self.heads, self.dropout = heads, dropout
        for name in self.names:
            self.add_module(name, nn.Linear(width, width, bias=bias))

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, t, d)."""
        n, t, _ = x.shape
        query, key, value = (
            self.get_submodule(name)(x).view(n, t, self.heads, -1).transpose(1, 2) for name in self.names
        )
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        return torch.cat(mixed.unbind(1), dim=-1)  # not a view of it, which exporters cannot follow


def small(*shape: int) -> Tensor:
    """Return the small random values that tokens and position embeddings begin with."""
    return nn.init.trunc_normal_(torch.empty(shape), std=0.02)
