"""Fixed, stratified subsets: the same samples for every model, so that differences come from the models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def stratified_subset(labels: NDArray[np.int64], budget: int, seed: int = 0) -> NDArray[np.int64]:
    """Return about `budget` positions of `labels` ((n,) int), ascending: of each class its share, rounded down.

    At least one of each class, so more than `budget` where there are more classes than that. All positions where they
    fit. Deterministic in (labels, budget, seed).
    """
    total = len(labels)
    if total <= budget:
        return np.arange(total)
    generator = np.random.default_rng(seed)
    keys = generator.random(total)
    chosen = []
    for name in np.unique(labels):
        members = np.flatnonzero(labels == name)
        quota = max(1, int(len(members) * budget / total))
        chosen.append(members[np.argsort(keys[members], kind="stable")[:quota]])
    return np.sort(np.concatenate(chosen))
