"""Networks of Hugging Face's image classifiers under the keys of their files: what transformers builds, without it.

Each takes its settings under the names of config.json. Outputs agree with transformers' to rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import StochasticDepth

from core.models.activations import HF_ACTIVATIONS
from core.models.architectures import Size
from core.models.hf_convolutions import ConvNext, ConvNextV2, ResNet, Settings


def _dense(width: int, out: int) -> nn.ModuleDict:
    return nn.ModuleDict({"dense": nn.Linear(width, out)})


# --- transformers ----------------------------------------------------------------------------------------------------


class Attention(nn.Module):
    """Mixes tokens (n, t, d) with query, key and value in layers of their own; (n, t, d) before the output layer.

    window: side of the square of tokens whose relative positions have learned biases; 0 for none.
    """

    def __init__(self, width: int, heads: int, settings: Settings, window: int = 0) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be shared among {heads} attention heads")
        self.heads, self.dropout, self.window = heads, settings["attention_probs_dropout_prob"], window
        self.query = nn.Linear(width, width, bias=settings["qkv_bias"])
        self.key = nn.Linear(width, width, bias=settings["qkv_bias"])
        self.value = nn.Linear(width, width, bias=settings["qkv_bias"])
        if window:
            self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
            self.relative_position_index: Tensor
            self.register_buffer("relative_position_index", _relative_positions(window))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return (n, t, d); `mask`: what is added to the attention of the tokens of w windows, (w, t, t)."""
        n, t, _ = x.shape
        query, key, value = (
            layer(x).view(n, t, self.heads, -1).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        added = None
        if self.window:
            biases = self.relative_position_bias_table[self.relative_position_index.flatten()]
            added = biases.view(t, t, self.heads).permute(2, 0, 1).unsqueeze(0)  # (1, heads, t, t)
            if mask is not None:
                added = added + mask.unsqueeze(1).repeat(n // mask.shape[0], 1, 1, 1)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=added, dropout_p=dropout)
        return torch.cat(mixed.unbind(1), dim=-1)  # not a view of it, which exporters cannot follow

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        """Load weights; the table of relative positions, which follows from the window, stands in older files only."""
        if self.window:
            state_dict.setdefault(f"{prefix}relative_position_index", self.relative_position_index)
        super()._load_from_state_dict(state_dict, prefix, *arguments)


def _relative_positions(window: int) -> Tensor:
    """Return for each pair of tokens of a window, (t, t), the row of the table with the bias of their distance."""
    rows, columns = torch.arange(window).repeat_interleave(window), torch.arange(window).repeat(window)
    down, right = rows[:, None] - rows[None, :], columns[:, None] - columns[None, :]
    return (down + window - 1) * (2 * window - 1) + right + window - 1


class _TokenLayer(nn.Module):
    """Attention and a hidden layer, each after a norm and beside a shortcut: (n, t, d) to (n, t, d)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        width, hidden, eps = settings["hidden_size"], settings["intermediate_size"], settings["layer_norm_eps"]
        self.attention: Any
        attention = Attention(width, settings["num_attention_heads"], settings)
        self.attention = nn.ModuleDict({"attention": attention, "output": _dense(width, width)})
        self.intermediate, self.output = _dense(width, hidden), _dense(hidden, width)
        self.layernorm_before, self.layernorm_after = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.activation = HF_ACTIVATIONS[settings["hidden_act"]]()
        self.dropout = nn.Dropout(settings["hidden_dropout_prob"])

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.attention["attention"](self.layernorm_before(x))
        x = x + self.dropout(self.attention["output"]["dense"](mixed))
        hidden = self.activation(self.intermediate["dense"](self.layernorm_after(x)))
        return x + self.dropout(self.output["dense"](hidden))


class _Patches(nn.Module):
    """Turns images (n, c, h, w) into tokens (n, t, d): the class token, a distillation token if any, the patches."""

    def __init__(self, settings: Settings, in_channels: int, input_size: Size, distilled: bool) -> None:
        super().__init__()
        width, patch = settings["hidden_size"], settings["patch_size"]
        places = (input_size[0] // patch) * (input_size[1] // patch) + 1 + distilled
        self.cls_token = nn.Parameter(_small(1, 1, width))
        if distilled:
            self.distillation_token = nn.Parameter(_small(1, 1, width))
        self.position_embeddings = nn.Parameter(_small(1, places, width))
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


def _small(*shape: int) -> Tensor:
    return nn.init.trunc_normal_(torch.empty(shape), std=0.02)


class ViT(nn.Module):
    """ViTForImageClassification: the class token of the last layer goes to the head."""

    base, distilled = "vit", False

    def __init__(self, settings: Settings, num_classes: int, in_channels: int, input_size: Size) -> None:
        super().__init__()
        layers = nn.ModuleList(_TokenLayer(settings) for _ in range(settings["num_hidden_layers"]))
        body = nn.ModuleDict({
            "embeddings": _Patches(settings, in_channels, input_size, self.distilled),
            "encoder": nn.ModuleDict({"layer": layers}),
            "layernorm": nn.LayerNorm(settings["hidden_size"], settings["layer_norm_eps"]),
        })  # fmt: skip
        self.add_module(self.base, body)
        self.classifier = nn.Linear(settings["hidden_size"], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, K) for images (n, c, h, w)."""
        body: Any = self.get_submodule(self.base)
        tokens = body["embeddings"](images)
        for layer in body["encoder"]["layer"]:
            tokens = layer(tokens)
        return self.classifier(body["layernorm"](tokens)[:, 0])


class DeiT(ViT):
    """DeiTForImageClassification: a ViT with a distillation token that the head does not see."""

    base, distilled = "deit", True


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
        self.attention: Any
        attention = Attention(width, settings["num_attention_heads"], settings)
        self.attention = nn.ModuleDict({"attention": attention, "output": _dense(width, width)})
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
        super().__init__(settings, in_channels, (side, side), False)
        self.patch, self.side = settings["patch_size"], side // settings["patch_size"]
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


class Dinov2(nn.Module):
    """Dinov2ForImageClassification: the class token and the mean of the patches go to the head together."""

    def __init__(self, settings: Settings, num_classes: int, in_channels: int, input_size: Size) -> None:
        super().__init__()
        width = settings["hidden_size"]
        layers = nn.ModuleList(_ScaledLayer(settings) for _ in range(settings["num_hidden_layers"]))
        self.dinov2: Any = nn.ModuleDict({
            "embeddings": _AnyPatches(settings, in_channels),
            "encoder": nn.ModuleDict({"layer": layers}),
            "layernorm": nn.LayerNorm(width, settings["layer_norm_eps"]),
        })  # fmt: skip
        self.classifier = nn.Linear(2 * width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, K) for images (n, c, h, w)."""
        tokens = self.dinov2["embeddings"](images)
        for layer in self.dinov2["encoder"]["layer"]:
            tokens = layer(tokens)
        tokens = self.dinov2["layernorm"](tokens)
        logits: Tensor = self.classifier(torch.cat((tokens[:, 0], tokens[:, 1:].mean(1)), dim=1))
        return logits


class _WindowLayer(nn.Module):
    """Attention within windows, shifted in every other layer, and a hidden layer: (n, h, w, d) to (n, h, w, d)."""

    def __init__(self, settings: Settings, width: int, heads: int, shifted: bool, drop_path: float) -> None:
        super().__init__()
        hidden, eps = int(settings["mlp_ratio"] * width), settings["layer_norm_eps"]
        self.window: int = settings["window_size"]
        self.attention: Any
        self.shift = self.window // 2 if shifted else 0
        attention = Attention(width, heads, settings, self.window)
        self.attention = nn.ModuleDict({"self": attention, "output": _dense(width, width)})
        self.intermediate, self.output = _dense(width, hidden), _dense(hidden, width)
        self.layernorm_before, self.layernorm_after = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.activation = HF_ACTIVATIONS[settings["hidden_act"]]()
        self.dropout = nn.Dropout(settings["hidden_dropout_prob"])
        self.drop_path = StochasticDepth(drop_path, "row")

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self._attended(self.layernorm_before(x)))
        hidden = self.activation(self.intermediate["dense"](self.layernorm_after(x)))
        return x + self.dropout(self.output["dense"](hidden))

    def _attended(self, x: Tensor) -> Tensor:
        n, height, width, channels = x.shape
        window = self.window
        shift = self.shift if min(height, width) > window else 0  # one window needs no shifting
        x = F.pad(x, (0, 0, 0, -width % window, 0, -height % window))
        padded = (x.shape[1], x.shape[2])
        if shift:
            x = torch.roll(x, (-shift, -shift), (1, 2))
        mask = self._mask(padded, shift, x) if shift else None
        mixed = self.attention["self"](_windows(x, window), mask)
        mixed = self.dropout(self.attention["output"]["dense"](mixed))
        rows, columns = padded[0] // window, padded[1] // window
        x = mixed.view(n, rows, columns, window, window, channels).transpose(2, 3).reshape(n, *padded, channels)
        if shift:
            x = torch.roll(x, (shift, shift), (1, 2))
        return x[:, :height, :width]

    def _mask(self, padded: Size, shift: int, like: Tensor) -> Tensor:
        """Return -100 (windows, t, t) between tokens that only the shift made neighbours, else 0."""
        regions = []
        for side in padded:
            at = torch.arange(side, device=like.device)
            regions.append((at >= side - self.window).long() + (at >= side - shift).long())
        parts = (regions[0][:, None] * 3 + regions[1][None, :]).to(like.dtype)[None, :, :, None]
        parts = _windows(parts, self.window)[..., 0]
        return torch.where(parts[:, None, :] == parts[:, :, None], 0.0, -100.0).to(like.dtype)


def _windows(x: Tensor, window: int) -> Tensor:
    """Return (n, h, w, d) as tokens of windows, (n * windows, window * window, d)."""
    n, height, width, channels = x.shape
    x = x.view(n, height // window, window, width // window, window, channels)
    return x.transpose(2, 3).reshape(-1, window * window, channels)


class _Merging(nn.Module):
    """Joins each 2x2 patches: (n, h, w, d) to (n, h/2, w/2, 2d); odd sides are padded."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduction, self.norm = nn.Linear(4 * width, 2 * width, bias=False), nn.LayerNorm(4 * width)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        parts = [x[:, row::2, column::2] for column in range(2) for row in range(2)]
        return self.reduction(self.norm(torch.cat(parts, dim=-1)))


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


class Swin(nn.Module):
    """SwinForImageClassification: the mean of all places of the last stage goes to the head."""

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
                stage["downsample"] = _Merging(wide)
            stages.append(stage)
        last = width * 2 ** (len(depths) - 1)
        self.swin = nn.ModuleDict({
            "embeddings": _WindowPatches(settings, in_channels),
            "encoder": nn.ModuleDict({"layers": stages}),
            "layernorm": nn.LayerNorm(last, settings["layer_norm_eps"]),
        })  # fmt: skip
        self.classifier = nn.Linear(last, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, K) for images (n, c, h, w)."""
        swin: Any = self.swin
        x = swin["embeddings"](images)
        for stage in swin["encoder"]["layers"]:
            for block in stage["blocks"]:
                x = block(x)
            if "downsample" in stage:
                x = stage["downsample"](x)
        return self.classifier(swin["layernorm"](x).flatten(1, 2).mean(1))


NETWORKS: dict[str, type[nn.Module]] = {
    network.__name__: network for network in (ViT, DeiT, Dinov2, Swin, ResNet, ConvNext, ConvNextV2)
}
"""All of Hugging Face's networks that are built here, by the name of their class."""
