"""Networks of Hugging Face's classifiers and encoders under the keys of their files: what transformers builds.

Each takes its settings under the names of config.json. Outputs agree with transformers' to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.swin_transformer import PatchMerging, shifted_window_attention
from torchvision.ops import StochasticDepth

from core.models.activations import HF_ACTIVATIONS
from core.models.architectures import Size
from core.models.hf_clip import CLIPVision
from core.models.hf_convolutions import ConvNext, ConvNextV2, ResNet
from core.models.hf_parts import Attention, Network, Settings, small


def _dense(width: int, out: int) -> nn.ModuleDict:
    return nn.ModuleDict({"dense": nn.Linear(width, out)})


def _attention(settings: Settings, width: int) -> Attention:
    dropout, bias = settings["attention_probs_dropout_prob"], settings["qkv_bias"]
    return Attention(width, settings["num_attention_heads"], dropout, bias)


class _TokenLayer(nn.Module):
    """Attention and a hidden layer, each after a norm and beside a shortcut: tokens (n, …, d) to (n, …, d)."""

    def __init__(self, settings: Settings, width: int, hidden: int, name: str, attention: Attention) -> None:
        """`name`: what the family calls the attention before its output layer."""
        super().__init__()
        eps = settings["layer_norm_eps"]
        self.attention: Any = nn.ModuleDict({name: attention, "output": _dense(width, width)})
        self.intermediate, self.output = _dense(width, hidden), _dense(hidden, width)
        self.layernorm_before, self.layernorm_after = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.activation = HF_ACTIVATIONS[settings["hidden_act"]]()
        self.dropout = nn.Dropout(settings["hidden_dropout_prob"])

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attended(self.layernorm_before(x))
        hidden = self.activation(self.intermediate["dense"](self.layernorm_after(x)))
        return x + self.dropout(self.output["dense"](hidden))

    def attended(self, x: Tensor) -> Tensor:
        """Return what attention makes of the tokens."""
        mixed: Tensor = self.dropout(self.attention["output"]["dense"](self.attention["attention"](x)))
        return mixed


# --- vision transformers ---------------------------------------------------------------------------------------------


class _Patches(nn.Module):
    """Turns images (n, c, h, w) into tokens (n, t, d): the class token, a distillation token if any, the patches."""

    def __init__(self, settings: Settings, in_channels: int, input_size: Size, distilled: bool) -> None:
        super().__init__()
        width, patch = settings["hidden_size"], settings["patch_size"]
        self.patch = patch
        places = (input_size[0] // patch) * (input_size[1] // patch) + 1 + distilled
        self.cls_token = nn.Parameter(small(1, 1, width))
        if distilled:
            self.distillation_token = nn.Parameter(small(1, 1, width))
        self.position_embeddings = nn.Parameter(small(1, places, width))
        self.patch_embeddings = nn.ModuleDict({"projection": nn.Conv2d(in_channels, width, patch, patch)})
        self.dropout = nn.Dropout(settings["hidden_dropout_prob"])

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patch_embeddings["projection"](images).flatten(2).transpose(1, 2)
        own = [self.cls_token, self.distillation_token] if hasattr(self, "distillation_token") else [self.cls_token]
        tokens = [*(token.expand(images.shape[0], -1, -1) for token in own), patches]
        return self.dropout(torch.cat(tokens, dim=1) + self.places(images))

    def places(self, images: Tensor) -> Tensor:
        """Return what is added to tell the places of an image's tokens, (1, t, d)."""
        return self.position_embeddings


class ViT(Network):
    """ViTForImageClassification: the class token of the last layer goes to the head."""

    base, taken = "vit", 1  # how many tokens' worth of features the head takes

    def __init__(self, settings: Settings, num_classes: int, in_channels: int, input_size: Size) -> None:
        super().__init__()
        width = settings["hidden_size"]
        layers = nn.ModuleList(self.layer(settings) for _ in range(settings["num_hidden_layers"]))
        parts = {
            "embeddings": self.patches(settings, in_channels, input_size),
            "encoder": nn.ModuleDict({"layer": layers}),
            "layernorm": nn.LayerNorm(width, settings["layer_norm_eps"]),
        }
        self.assemble(parts, self.taken * width, num_classes)

    def layer(self, settings: Settings) -> nn.Module:
        """Return one of its layers."""
        width, hidden = settings["hidden_size"], settings["intermediate_size"]
        return _TokenLayer(settings, width, hidden, "attention", _attention(settings, width))

    def patches(self, settings: Settings, in_channels: int, input_size: Size) -> nn.Module:
        """Return what makes tokens of images."""
        return _Patches(settings, in_channels, input_size, distilled=False)

    def features(self, tokens: Tensor) -> Tensor:
        """Return what the head takes of tokens (n, t, d)."""
        return tokens[:, 0]

    def embedding(self, images: Tensor) -> Tensor:
        """Return the features of the last layer's tokens."""
        tokens = self.part("embeddings")(images)
        for layer in self.part("encoder.layer"):
            tokens = layer(tokens)
        return self.features(self.part("layernorm")(tokens))


class DeiT(ViT):
    """DeiTForImageClassification: a ViT with a distillation token that the head does not see."""

    base = "deit"

    def patches(self, settings: Settings, in_channels: int, input_size: Size) -> nn.Module:
        """Return what makes tokens of images."""
        return _Patches(settings, in_channels, input_size, distilled=True)


class _Scale(nn.Module):
    """A learned factor for each channel of the last axis."""

    def __init__(self, width: int, scale: float) -> None:
        super().__init__()
        self.lambda1 = nn.Parameter(torch.full((width,), scale))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.lambda1


class _ScaledLayer(nn.Module):
    """DINOv2's layer: attention and a hidden layer, each scaled beside a shortcut: (n, t, d) to (n, t, d)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        width, eps, scale = settings["hidden_size"], settings["layer_norm_eps"], settings["layerscale_value"]
        hidden = int(width * settings["mlp_ratio"])
        self.attention: Any = nn.ModuleDict({
            "attention": _attention(settings, width), "output": _dense(width, width),
        })  # fmt: skip
        self.mlp: Any = nn.ModuleDict({"fc1": nn.Linear(width, hidden), "fc2": nn.Linear(hidden, width)})
        self.norm1, self.norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.layer_scale1, self.layer_scale2 = _Scale(width, scale), _Scale(width, scale)
        self.activation = HF_ACTIVATIONS[settings["hidden_act"]]()
        self.drop_path = StochasticDepth(settings["drop_path_rate"], "row")

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.attention["output"]["dense"](self.attention["attention"](self.norm1(x)))
        x = x + self.drop_path(self.layer_scale1(mixed))
        hidden = self.mlp["fc2"](self.activation(self.mlp["fc1"](self.norm2(x))))
        return x + self.drop_path(self.layer_scale2(hidden))


class _AnyPatches(_Patches):
    """Patches of images of any size: position embeddings are for one grid and resized to others."""

    def __init__(self, settings: Settings, in_channels: int) -> None:
        side = settings["image_size"]
        super().__init__(settings, in_channels, (side, side), distilled=False)
        self.side = side // self.patch
        if settings["use_mask_token"]:  # of pretraining; carried along
            self.mask_token = nn.Parameter(torch.zeros(1, settings["hidden_size"]))

    def places(self, images: Tensor) -> Tensor:
        """Return the embeddings of the grid of patches that images of this size have."""
        grid = (images.shape[2] // self.patch, images.shape[3] // self.patch)
        if grid == (self.side, self.side):
            return self.position_embeddings
        known = self.position_embeddings[:, 1:].unflatten(1, (self.side, self.side)).permute(0, 3, 1, 2)
        resized = F.interpolate(known, size=grid, mode="bicubic", align_corners=False)
        return torch.cat((self.position_embeddings[:, :1], resized.flatten(2).transpose(1, 2)), dim=1)


class Dinov2(ViT):
    """Dinov2ForImageClassification: the class token and the mean of the patches go to the head together."""

    base, taken = "dinov2", 2

    def layer(self, settings: Settings) -> nn.Module:
        """Return one of its layers."""
        return _ScaledLayer(settings)

    def patches(self, settings: Settings, in_channels: int, input_size: Size) -> nn.Module:
        """Return what makes tokens of images."""
        return _AnyPatches(settings, in_channels)

    def features(self, tokens: Tensor) -> Tensor:
        """Return what the head takes of tokens (n, t, d)."""
        return torch.cat((tokens[:, 0], tokens[:, 1:].mean(1)), dim=1)


# --- Swin ------------------------------------------------------------------------------------------------------------


class _WindowAttention(Attention):
    """The parts of attention within windows, with a learned bias for each distance of two tokens."""

    def __init__(self, width: int, heads: int, settings: Settings) -> None:
        super().__init__(width, heads, settings["attention_probs_dropout_prob"], settings["qkv_bias"])
        window = settings["window_size"]
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.relative_position_index: Tensor
        self.register_buffer("relative_position_index", _relative_positions(window))

    def biases(self) -> Tensor:
        """Return what is added to the attention of each pair of tokens of a window, (1, heads, t, t)."""
        return self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1).unsqueeze(0)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        """Load weights; the table of relative positions, which follows from the window, stands in older files only."""
        state_dict.setdefault(f"{prefix}relative_position_index", self.relative_position_index)
        super()._load_from_state_dict(state_dict, prefix, *arguments)


def _relative_positions(window: int) -> Tensor:
    """Return for each pair of tokens of a window, (t, t), the row of the table with the bias of their distance."""
    rows, columns = torch.arange(window).repeat_interleave(window), torch.arange(window).repeat(window)
    down, right = rows[:, None] - rows[None, :], columns[:, None] - columns[None, :]
    return (down + window - 1) * (2 * window - 1) + right + window - 1


class _WindowLayer(_TokenLayer):
    """Attention within windows, shifted in every other layer, and a hidden layer: (n, h, w, d) to (n, h, w, d)."""

    def __init__(self, settings: Settings, width: int, heads: int, shifted: bool, drop_path: float) -> None:
        attention = _WindowAttention(width, heads, settings)
        super().__init__(settings, width, int(settings["mlp_ratio"] * width), "self", attention)
        self.window: int = settings["window_size"]
        self.shift = self.window // 2 if shifted else 0
        self.drop_path = StochasticDepth(drop_path, "row")

    def attended(self, x: Tensor) -> Tensor:
        """Return what attention makes of the tokens."""
        own, output = self.attention["self"], self.attention["output"]["dense"]
        layers = (own.query, own.key, own.value)
        shift = self.shift if min(x.shape[1:3]) > self.window else 0  # one window needs no shifting
        mixed: Tensor = shifted_window_attention(
            x, torch.cat([layer.weight for layer in layers]), output.weight, own.biases(), [self.window] * 2, own.heads,
            [shift] * 2, own.dropout, self.dropout.p,
            None if own.query.bias is None else torch.cat([layer.bias for layer in layers]), output.bias,
            training=self.training,
        )  # fmt: skip
        return self.drop_path(mixed)


class _WindowPatches(nn.Module):
    """Turns images (n, c, h, w), padded to whole patches, into (n, rows, columns, d)."""

    def __init__(self, settings: Settings, in_channels: int) -> None:
        super().__init__()
        self.patch, width = settings["patch_size"], settings["embed_dim"]
        projection = nn.Conv2d(in_channels, width, self.patch, self.patch)
        self.patch_embeddings, self.norm = nn.ModuleDict({"projection": projection}), nn.LayerNorm(width)
        self.dropout = nn.Dropout(settings["hidden_dropout_prob"])

    def forward(self, images: Tensor) -> Tensor:
        images = F.pad(images, (0, -images.shape[3] % self.patch, 0, -images.shape[2] % self.patch))
        return self.dropout(self.norm(self.patch_embeddings["projection"](images).permute(0, 2, 3, 1)))


class Swin(Network):
    """SwinForImageClassification: the mean of all places of the last stage goes to the head."""

    base = "swin"

    def __init__(self, settings: Settings, num_classes: int, in_channels: int, input_size: Size) -> None:
        super().__init__()
        depths, width = settings["depths"], settings["embed_dim"]
        rates = iter(torch.linspace(0, settings["drop_path_rate"], sum(depths)).tolist())
        stages = nn.ModuleList()
        for number, (depth, heads) in enumerate(zip(depths, settings["num_heads"], strict=True)):
            wide = width * 2**number
            blocks = [_WindowLayer(settings, wide, heads, at % 2 == 1, next(rates)) for at in range(depth)]
            stage = nn.ModuleDict({"blocks": nn.ModuleList(blocks)})
            if number < len(depths) - 1:
                stage["downsample"] = PatchMerging(wide)
            stages.append(stage)
        last = width * 2 ** (len(depths) - 1)
        parts = {
            "embeddings": _WindowPatches(settings, in_channels),
            "encoder": nn.ModuleDict({"layers": stages}),
            "layernorm": nn.LayerNorm(last, settings["layer_norm_eps"]),
        }
        self.assemble(parts, last, num_classes)

    def embedding(self, images: Tensor) -> Tensor:
        """Return the mean of all places."""
        x = self.part("embeddings")(images)
        for stage in self.part("encoder.layers"):
            for block in stage["blocks"]:
                x = block(x)
            if "downsample" in stage:
                x = stage["downsample"](x)
        mean: Tensor = self.part("layernorm")(x).flatten(1, 2).mean(1)
        return mean


NETWORKS: dict[str, Callable[[Settings, int, int, Size], Network]] = {
    network.__name__: network for network in (ViT, DeiT, Dinov2, Swin, ResNet, ConvNext, ConvNextV2, CLIPVision)
}
"""All of Hugging Face's networks that are built here, by the name of their class."""
