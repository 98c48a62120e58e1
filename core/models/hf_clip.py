"""The image half of Hugging Face's CLIP under the keys of its files: what transformers builds, without it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from core.models.activations import HF_ACTIVATIONS
from core.models.architectures import Size
from core.models.hf_parts import Attention, Network, Settings, small


class _Attention(Attention):
    """Attention with its output layer: tokens (n, t, d) to (n, t, d)."""

    names = ("q_proj", "k_proj", "v_proj")

    def __init__(self, settings: Settings) -> None:
        width = settings["hidden_size"]
        super().__init__(width, settings["num_attention_heads"], settings["attention_dropout"], bias=True)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.out_proj(super().forward(x))
        return mixed


class _Layer(nn.Module):
    """Attention and a hidden layer, each after a norm and beside a shortcut: tokens (n, t, d) to (n, t, d)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        width, hidden, eps = settings["hidden_size"], settings["intermediate_size"], settings["layer_norm_eps"]
        self.self_attn = _Attention(settings)
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.mlp: Any = nn.ModuleDict({"fc1": nn.Linear(width, hidden), "fc2": nn.Linear(hidden, width)})
        self.activation = HF_ACTIVATIONS[settings["hidden_act"]]()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp["fc2"](self.activation(self.mlp["fc1"](self.layer_norm2(x))))


class _Patches(nn.Module):
    """Turns images (n, c, h, w) into tokens (n, t, d): the class token and the patches, with their places."""

    def __init__(self, settings: Settings, in_channels: int, input_size: Size) -> None:
        super().__init__()
        width, patch = settings["hidden_size"], settings["patch_size"]
        places = (input_size[0] // patch) * (input_size[1] // patch) + 1
        self.class_embedding = nn.Parameter(small(width))
        self.patch_embedding = nn.Conv2d(in_channels, width, patch, patch, bias=False)
        self.position_embedding = nn.Embedding(places, width)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patch_embedding(images).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.class_embedding.expand(images.shape[0], 1, -1), patches), dim=1)
        return tokens + self.position_embedding.weight


class CLIPVision(Network):
    """CLIPVisionModel: the class token of the last layer goes through a norm; what projects it to text is left out."""

    base = "vision_model"

    def __init__(self, settings: Settings, num_classes: int, in_channels: int, input_size: Size) -> None:
        super().__init__()
        width, eps = settings["hidden_size"], settings["layer_norm_eps"]
        layers = nn.ModuleList(_Layer(settings) for _ in range(settings["num_hidden_layers"]))
        parts = {
            "embeddings": _Patches(settings, in_channels, input_size), "pre_layrnorm": nn.LayerNorm(width, eps),
            "encoder": nn.ModuleDict({"layers": layers}), "post_layernorm": nn.LayerNorm(width, eps),
        }  # fmt: skip
        self.assemble(parts, width, num_classes)

    def embedding(self, images: Tensor) -> Tensor:
        """Return the class token."""
        tokens = self.part("pre_layrnorm")(self.part("embeddings")(images))
        for layer in self.part("encoder.layers"):
            tokens = layer(tokens)
        made: Tensor = self.part("post_layernorm")(tokens[:, 0])
        return made
