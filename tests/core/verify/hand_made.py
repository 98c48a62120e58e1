"""Outputs made by hand, for tests of what is computed from them: no network is trained, numbers can be repeated."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from core.data.splits import Splits
from core.engine.outputs import FullOutputs
from core.models.tap import SetOutputs

CLASSES, CHANNELS = 4, 8
FORGOTTEN = 1


def splits(train: int = 70, test: int = 150, forgotten: tuple[int, ...] = (FORGOTTEN,), singles: int = 0) -> Splits:
    """`train` and `test` images a class, sorted by class as folders are; a third of the unseen ones is set aside.

    `singles`: so many images of class 0 go alone.
    """
    labels, test_labels = (torch.arange(CLASSES).repeat_interleave(count) for count in (train, test))
    forget = torch.isin(labels, torch.tensor(forgotten, dtype=torch.int64))
    evaluation = torch.arange(len(test_labels)) % 3 != 0
    alone = torch.arange(len(labels)) < singles
    return Splits(labels, test_labels, forget | alone, alone, forgotten, CLASSES, evaluation)


def outputs(splits: Splits, seed: int, margin: float = 1.5) -> FullOutputs:
    """What a network with noisy outputs says: features around a centre a class, logits a linear map of them."""
    generator = torch.Generator().manual_seed(seed)
    centres, head = (torch.randn(CLASSES, CHANNELS, generator=generator) for _ in range(2))

    def part(labels: torch.Tensor) -> SetOutputs:
        features = (centres[labels] + 1.2 * torch.randn(len(labels), CHANNELS, generator=generator)).clamp_min(0.0)
        noise = torch.randn(len(labels), CLASSES, generator=generator)
        return SetOutputs(features @ head.T + margin * F.one_hot(labels, CLASSES) + noise, features, labels)

    return FullOutputs(part(splits.labels), part(splits.test_labels))


def poisoned(full: FullOutputs, rows: torch.Tensor) -> FullOutputs:
    """The same outputs with other ones on the test images `rows` ((m,) int64 or (n,) bool)."""
    logits, features = full.test.logits.clone(), full.test.features.clone()
    logits[rows], features[rows] = -3 * logits[rows], 5 * features[rows] + 1
    return FullOutputs(full.train, SetOutputs(logits, features, full.test.labels))
