"""Hugging Face's networks of convolutions, under the keys of their files: ResNet, ConvNeXt and its second version.

Each takes its settings under the names of config.json. Outputs agree with transformers' to rounding.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torchvision.models.convnext import LayerNorm2d
from torchvision.ops import StochasticDepth

from core.models.activations import HF_ACTIVATIONS
from core.models.architectures import Size
from core.models.hf_parts import Network, Settings


class _ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm and activation, if any: (n, c, h, w) to (n, C, h/stride, w/stride)."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1, activation: str = "") -> None:
        super().__init__(
            OrderedDict(
                convolution=nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False),
                normalization=nn.BatchNorm2d(out),
                activation=HF_ACTIVATIONS[activation]() if activation else nn.Identity(),
            )
        )


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
        self.layer, self.activation = nn.Sequential(*layers), HF_ACTIVATIONS[settings["hidden_act"]]()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.layer(x) + self.shortcut(x))


class ResNet(Network):
    """ResNetForImageClassification; the stride of a stage is in its 3x3 convolution unless the settings say else."""

    base = "resnet"

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
        parts = {
            "embedder": nn.ModuleDict({"embedder": stem, "pooler": nn.MaxPool2d(3, 2, padding=1)}),
            "encoder": nn.ModuleDict({"stages": stages}),
            "pooler": nn.AdaptiveAvgPool2d(1),
        }
        self.assemble(parts, channels, num_classes)

    def head(self, width: int, num_classes: int) -> nn.Module:
        """Return what makes logits of the embedding."""
        return nn.Sequential(nn.Flatten(), nn.Linear(width, num_classes))

    def embedding(self, images: Tensor) -> Tensor:
        """Return the mean of all places."""
        x = self.part("embedder.pooler")(self.part("embedder.embedder")(images))
        for stage in self.part("encoder.stages"):
            x = stage["layers"](x)
        mean: Tensor = self.part("pooler")(x).flatten(1)
        return mean


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
        self.activation = HF_ACTIVATIONS[settings["hidden_act"]]()
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


class ConvNext(Network):
    """ConvNextForImageClassification: the mean of all places goes through a norm to the head."""

    base = "convnext"

    def __init__(self, settings: Settings, num_classes: int, in_channels: int, input_size: Size) -> None:
        super().__init__()
        widths, depths, patch = settings["hidden_sizes"], settings["depths"], settings["patch_size"]
        rates = iter(torch.linspace(0, settings["drop_path_rate"], sum(depths)).tolist())
        stages, before = nn.ModuleList(), widths[0]
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            down = nn.Sequential(LayerNorm2d(before, 1e-6), nn.Conv2d(before, width, 2, 2)) if number else None
            layers = nn.ModuleList(_ConvNextLayer(settings, width, next(rates)) for _ in range(depth))
            stages.append(nn.ModuleDict({"downsampling_layer": down or nn.Sequential(), "layers": layers}))
            before = width
        stem = nn.Conv2d(in_channels, widths[0], patch, patch)
        parts = {
            "embeddings": nn.ModuleDict({"patch_embeddings": stem, "layernorm": LayerNorm2d(widths[0], 1e-6)}),
            "encoder": nn.ModuleDict({"stages": stages}),
            "layernorm": nn.LayerNorm(before, settings["layer_norm_eps"]),
        }
        self.assemble(parts, before, num_classes)

    def embedding(self, images: Tensor) -> Tensor:
        """Return the mean of all places behind the norm."""
        x = self.part("embeddings.layernorm")(self.part("embeddings.patch_embeddings")(images))
        for stage in self.part("encoder.stages"):
            x = stage["downsampling_layer"](x)
            for layer in stage["layers"]:
                x = layer(x)
        made: Tensor = self.part("layernorm")(x.mean((-2, -1)))
        return made


class ConvNextV2(ConvNext):
    """ConvNextV2ForImageClassification: response normalisation instead of a layer scale."""

    base = "convnextv2"
