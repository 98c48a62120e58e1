"""Canaries: training images that are given a wrong label on purpose, as known truth that an attack works at all."""

from __future__ import annotations

import torch

from core.data.splits import Splits


def label_shifts(images: int, count: int, num_classes: int, seed: int = 0) -> torch.Tensor:
    """Return by how much the label of each image is moved on, modulo the classes: (images,) int64, 0 for most.

    `count` images, all of them at most, get another class, each other one as likely. The same ones whatever the
    training's seed and whatever it leaves out, so that an original and its retrained models have them in common.
    """
    shifts = torch.zeros(images, dtype=torch.int64)
    if num_classes > 1:
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(images, generator=generator)[:count]
        shifts[chosen] = torch.randint(1, num_classes, (len(chosen),), generator=generator)
    return shifts


def with_shifts(
    labels: torch.Tensor, shifts: torch.Tensor, num_classes: int, left_out: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return labels moved on by their shifts, all (n,) int64, and which of them a training learns: (n,) bool.

    None that has become one of the classes `left_out`: it would teach that class.
    """
    moved = (labels + shifts) % num_classes
    return moved, ~torch.isin(moved, left_out)


def learnt_canaries(splits: Splits, count: int) -> torch.Tensor:
    """Return which images a training without a forget set learns with a wrong label: (n,) bool."""
    shifts = label_shifts(len(splits.labels), count, splits.num_classes)
    left_out = torch.tensor(splits.forget_classes, dtype=torch.int64)
    _, learnt = with_shifts(splits.labels, shifts, splits.num_classes, left_out)
    return (shifts > 0) & ~splits.forget & learnt
