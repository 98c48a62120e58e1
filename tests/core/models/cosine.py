"""A head of cosines, for networks made here and, as text, for those in files of a user's own."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Cosine(nn.Module):
    """A head whose logits are scaled cosines; its weight is (K, C), but it is no nn.Linear."""

    def __init__(self, features, classes):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, features))

    def forward(self, x):
        return 16 * F.linear(F.normalize(x), F.normalize(self.weight))
