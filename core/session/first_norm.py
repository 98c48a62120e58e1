"""What reaches a network's first batch norm: its statistics tell whether images are prepared as in training."""

from __future__ import annotations

import torch
from torch import nn


class ReachedError(Exception):
    """Ends a pass at the first batch norm."""


class FirstNorm:
    """Takes the statistics of what reaches a network's first batch norm while it is entered."""

    def __init__(self, module: nn.Module, alone: bool) -> None:
        """`alone`: the pass ends there, with a ReachedError."""
        self._alone = alone
        kinds = (nn.BatchNorm1d, nn.BatchNorm2d)
        norms = (part for part in module.modules() if isinstance(part, kinds) and part.track_running_stats)
        self._norm = next(norms, None)
        self._sums: list[torch.Tensor] = []  # of the values, of their squares (2, C) each; and how many there are
        self._count = 0

    def __enter__(self) -> FirstNorm:
        if self._norm is not None:
            self._hook = self._norm.register_forward_hook(self._take)
        return self

    def __exit__(self, *_: object) -> None:
        if self._norm is not None:
            self._hook.remove()

    def _take(self, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        values = inputs[0].transpose(0, 1).flatten(1).double()
        self._sums.append(torch.stack([values.sum(1), values.square().sum(1)]))
        self._count += values.shape[1]
        if self._alone:
            raise ReachedError

    @property
    def misfit(self) -> float | None:
        """Mean over channels of how far mean and variance are from the norm's running ones; None without a norm."""
        if self._norm is None or not self._sums or self._norm.running_mean is None or self._norm.running_var is None:
            return None
        mean, square = torch.stack(self._sums).sum(0) / self._count
        running, variance = self._norm.running_mean.double(), self._norm.running_var.double().clamp_min(1e-12)
        spread = (square - mean.square()).clamp_min(1e-12)
        away = (mean - running).abs() / variance.sqrt() + (spread / variance).log().abs()
        return float(away.mean()) if bool(away.isfinite().all()) else None
