"""The tiny data set and network of the conformance checks, and batches of labels alone."""

from __future__ import annotations

import torch

from core.conformance.toy import (
    CLASSES,
    DATA,
    SIDE,
    ToyNet,
    forget_mask,
    make_engine,
    make_experiment,
    run_to_end,
    same,
    toy_dataset,
    trained_net,
    weights,
)
from core.data.batches import Batch

__all__ = [
    "CLASSES", "DATA", "SIDE", "ToyNet", "forget_mask", "make_engine", "make_experiment", "rows_of", "run_to_end",
    "same", "toy_dataset", "trained_net", "weights",
]  # fmt: skip


def rows_of(
    labels: torch.Tensor,
    forget: torch.Tensor | bool = True,
    weights: torch.Tensor | None = None,
    alone: torch.Tensor | bool = False,
    images: torch.Tensor | None = None,
) -> Batch:
    """A batch with these labels for a loss that does not look at images: all to forget, with their class."""
    n = len(labels)
    return Batch(
        images=torch.zeros(n, 1, 1, 1) if images is None else images,
        labels=labels,
        ids=torch.arange(n),
        forget=torch.zeros(n, dtype=torch.bool) | forget,
        weights=torch.ones(n) if weights is None else weights,
        alone=torch.zeros(n, dtype=torch.bool) | alone,
    )
