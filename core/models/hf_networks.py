"""Networks of Hugging Face's image classifiers under the keys of their files: what transformers builds, without it.

Each takes its settings under the names of config.json. Outputs agree with transformers' to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import StochasticDepth

from core.models import activations
from core.models.architectures import Size

Settings = Mapping[str, Any]


# What config.json calls activations: the names used here, and further ones for the same.
ACTIVATIONS = {
    **activations.ACTIVATIONS, "gelu_new": activations.ACTIVATIONS["gelu_tanh"],
    "gelu_pytorch_tanh": activations.ACTIVATIONS["gelu_tanh"], "swish": nn.SiLU, "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
}  # fmt: skip


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
        self.activation = ACTIVATIONS[settings["hidden_act"]]()
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
        return self.dropout(torch.cat(tokens, dim=1) + self.position_embeddings)


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
        self.activation = ACTIVATIONS[settings["hidden_act"]]()
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


# --- convolutions ----------------------------------------------------------------------------------------------------


class _ConvNorm(nn.Module):
    """Convolution without bias, batch norm and activation, if any: (n, c, h, w) to (n, C, h/stride, w/stride)."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1, activation: str = "") -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False)
        self.normalization = nn.BatchNorm2d(out)
        self.activation = ACTIVATIONS[activation]() if activation else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.normalization(self.convolution(x)))


class _Residual(nn.Module):
    """Two or three convolutions beside a shortcut; those within always have ReLU, whatever the settings say."""

    def __init__(self, settings: Settings, channels: int, out: int, stride: int) -> None:
        super().__init__()
        same = channels == out and stride == 1
        self.shortcut = nn.Identity() if same else _ConvNorm(channels, out, 1, stride)
        if settings["layer_type"] == "bottleneck":
            narrow, early = out // 4, settings["downsample_in_bottleneck"]
            layers = [
                _ConvNorm(channels, narrow, 1, stride if early else 1, "relu"),
                _ConvNorm(narrow, narrow, 3, 1 if early else stride, "relu"),
                _ConvNorm(narrow, out, 1),
            ]
        else:
            layers = [_ConvNorm(channels, out, 3, stride, "relu"), _ConvNorm(out, out, 3)]
        self.layer, self.activation = nn.Sequential(*layers), ACTIVATIONS[settings["hidden_act"]]()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.layer(x) + self.shortcut(x))


class ResNet(nn.Module):
    """ResNetForImageClassification; the stride of a stage is in its 3x3 convolution unless the settings say else."""

    def __init__(self, settings: Settings, num_classes: int, in_channels: int, input_size: Size) -> None:
        super().__init__()
        widths, channels = settings["hidden_sizes"], settings["embedding_size"]
        stem = _ConvNorm(in_channels, channels, 7, 2, settings["hidden_act"])
        stages = nn.ModuleList()
        for number, (width, depth) in enumerate(zip(widths, settings["depths"], strict=True)):
            stride = 2 if number or settings["downsample_in_first_stage"] else 1
            layers = [_Residual(settings, channels, width, stride)]
            layers += [_Residual(settings, width, width, 1) for _ in range(depth - 1)]
            stages.append(nn.ModuleDict({"layers": nn.Sequential(*layers)}))
            channels = width
        self.resnet = nn.ModuleDict({
            "embedder": nn.ModuleDict({"embedder": stem, "pooler": nn.MaxPool2d(3, 2, padding=1)}),
            "encoder": nn.ModuleDict({"stages": stages}),
            "pooler": nn.AdaptiveAvgPool2d(1),
        })  # fmt: skip
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(channels, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, K) for images (n, c, h, w)."""
        resnet: Any = self.resnet
        x = resnet["embedder"]["pooler"](resnet["embedder"]["embedder"](images))
        for stage in resnet["encoder"]["stages"]:
            x = stage["layers"](x)
        return self.classifier(resnet["pooler"](x))


class _ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (n, c, h, w)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _ResponseNorm(nn.Module):
    """ConvNeXt V2's global response normalisation of (n, h, w, c)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(1, 1, 1, width)), nn.Parameter(torch.zeros(1, 1, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        norms = torch.linalg.vector_norm(x, ord=2, dim=(1, 2), keepdim=True)
        return self.weight * (x * norms / (norms.mean(dim=-1, keepdim=True) + 1e-6)) + self.bias + x


class _ConvNextLayer(nn.Module):
    """A 7x7 convolution of each channel and two layers over channels beside a shortcut: (n, c, h, w) stays so."""

    def __init__(self, settings: Settings, width: int, drop_path: float) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.layernorm = nn.LayerNorm(width, 1e-6)
        self.pwconv1, self.pwconv2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.activation = ACTIVATIONS[settings["hidden_act"]]()
        self.drop_path = StochasticDepth(drop_path, "row")
        scale = settings.get("layer_scale_init_value")
        if scale is None:  # the second version
            self.grn = _ResponseNorm(4 * width)
        elif scale > 0:
            self.layer_scale_parameter = nn.Parameter(torch.full((width,), scale))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.activation(self.pwconv1(self.layernorm(self.dwconv(x).permute(0, 2, 3, 1))))
        if hasattr(self, "grn"):
            hidden = self.grn(hidden)
        hidden = self.pwconv2(hidden)
        if hasattr(self, "layer_scale_parameter"):
            hidden = self.layer_scale_parameter * hidden
        return x + self.drop_path(hidden.permute(0, 3, 1, 2))


class ConvNext(nn.Module):
    """ConvNextForImageClassification: the mean of all places goes through a norm to the head."""

    base = "convnext"

    def __init__(self, settings: Settings, num_classes: int, in_channels: int, input_size: Size) -> None:
        super().__init__()
        widths, depths, patch = settings["hidden_sizes"], settings["depths"], settings["patch_size"]
        rates = iter(torch.linspace(0, settings["drop_path_rate"], sum(depths)).tolist())
        stages, before = nn.ModuleList(), widths[0]
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            down = nn.Sequential(_ChannelNorm(before, 1e-6), nn.Conv2d(before, width, 2, 2)) if number else None
            layers = nn.ModuleList(_ConvNextLayer(settings, width, next(rates)) for _ in range(depth))
            stages.append(nn.ModuleDict({"downsampling_layer": down or nn.Sequential(), "layers": layers}))
            before = width
        stem = nn.Conv2d(in_channels, widths[0], patch, patch)
        body = nn.ModuleDict({
            "embeddings": nn.ModuleDict({"patch_embeddings": stem, "layernorm": _ChannelNorm(widths[0], 1e-6)}),
            "encoder": nn.ModuleDict({"stages": stages}),
            "layernorm": nn.LayerNorm(before, settings["layer_norm_eps"]),
        })  # fmt: skip
        self.add_module(self.base, body)
        self.classifier = nn.Linear(before, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, K) for images (n, c, h, w)."""
        body: Any = self.get_submodule(self.base)
        x = body["embeddings"]["layernorm"](body["embeddings"]["patch_embeddings"](images))
        for stage in body["encoder"]["stages"]:
            x = stage["downsampling_layer"](x)
            for layer in stage["layers"]:
                x = layer(x)
        return self.classifier(body["layernorm"](x.mean((-2, -1))))


class ConvNextV2(ConvNext):
    """ConvNextV2ForImageClassification: response normalisation instead of a layer scale."""

    base = "convnextv2"
