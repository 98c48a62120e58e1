"""Our own small networks: fast on a processor, with module names that read well as checkpoint keys."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SMALL_CNN_CHANNELS = (16, 32, 64)
SMALL_CNN_FEATURES = 128
MLP_WIDTHS = (256, 128, 64)


class ConvBlock(nn.Module):
    """3x3 convolution, batch norm, ReLU and 2x2 max-pooling that rounds up, so that no pixel is dropped."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        """Halve height and width of `x: (n, c, h, w)`."""
        return self.pool(self.relu(self.norm(self.conv(x))))


class SmallCNN(nn.Module):
    """Three convolution blocks, one hidden layer of 128 features and a linear head."""

    def __init__(self, num_classes: int, in_channels: int, input_size: tuple[int, int]) -> None:
        super().__init__()
        self.input_shape = (in_channels, *input_size)
        first, second, third = SMALL_CNN_CHANNELS
        self.block1 = ConvBlock(in_channels, first)
        self.block2 = ConvBlock(first, second)
        self.block3 = ConvBlock(second, third)
        self.hidden = nn.Linear(third * small_cnn_cells(input_size), SMALL_CNN_FEATURES)
        self.relu = nn.ReLU()
        self.head = nn.Linear(SMALL_CNN_FEATURES, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, K) for `x: (n, c, h, w)`."""
        x = self.block3(self.block2(self.block1(x)))
        return self.head(self.relu(self.hidden(torch.flatten(x, 1))))


class MLP(nn.Module):
    """Three hidden layers of 256, 128 and 64 units and a linear head; works on flattened pixels."""

    def __init__(self, num_classes: int, in_channels: int, input_size: tuple[int, int]) -> None:
        super().__init__()
        self.input_shape = (in_channels, *input_size)
        first, second, third = MLP_WIDTHS
        self.hidden1 = nn.Linear(math.prod(self.input_shape), first)
        self.hidden2 = nn.Linear(first, second)
        self.hidden3 = nn.Linear(second, third)
        self.relu = nn.ReLU()
        self.head = nn.Linear(third, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, K) for `x: (n, c, h, w)`."""
        x = torch.flatten(x, 1)
        for layer in (self.hidden1, self.hidden2, self.hidden3):
            x = self.relu(layer(x))
        return self.head(x)


def small_cnn_cells(input_size: tuple[int, int]) -> int:
    """Number of cells left of an image after the three poolings; each halves and rounds up."""
    height, width = input_size
    return math.ceil(height / 8) * math.ceil(width / 8)
