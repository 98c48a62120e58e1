"""Fixed, stratified subsets: the same samples for every model, so that differences come from the models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def stratified_subset(labels: NDArray[np.int64], budget: int, seed: int = 0) -> NDArray[np.int64]:
    """Return at most `budget` positions of `labels` ((n,) int), ascending: of each class its share, rounded down.

    At least one of each class where so many fit: small classes have theirs before large ones get a further one. All
    positions where they fit. Deterministic in (labels, budget, seed).
    """
    total = len(labels)
    if total <= budget:
        return np.arange(total)
    generator = np.random.default_rng(seed)
    keys = generator.random(total)
    chosen, ranks = [], []
    for name in np.unique(labels):
        members = np.flatnonzero(labels == name)
        quota = max(1, int(len(members) * budget / total))
        chosen.append(members[np.argsort(keys[members], kind="stable")[:quota]])
        ranks.append(np.arange(quota))
    taken = np.concatenate(chosen)
    return np.sort(taken[np.lexsort((keys[taken], np.concatenate(ranks)))[:budget]])
