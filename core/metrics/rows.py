"""What measures read and give: fixed subsets of rows, the same for every model, stored tables, and results by key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ROWS_PER_CHUNK = 8192
"""Rows converted to float64 at once."""


@dataclass(frozen=True)
class MetricResult:
    """What a measure gives. Its fields are keys of report.json, but those hidden with repr=False: kept per sample."""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields of the report as plain data, in their order."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.repr}


class Rows:
    """The rows `ids` ((n,) int64) of a table ((m, C), often a file mapped into memory), read as a tensor is.

    Indexing and `split` give real tensors of what was asked for; nothing else is ever copied. `silenced` columns read
    as `value`, which makes an edited copy of a table cost nothing.
    """

    ndim = 2

    def __init__(
        self, base: Tensor | Rows, ids: Tensor | None = None, silenced: Sequence[int] = (), value: float = 0.0
    ) -> None:
        self._base, self._ids, self._silenced, self._value = base, ids, list(silenced), value

    def __len__(self) -> int:
        return len(self._base) if self._ids is None else len(self._ids)

    def __getitem__(self, which: Any) -> Tensor:
        if self._ids is not None:
            which = self._ids[which]
        taken = self._base[which]
        if self._silenced:
            taken = taken.clone()
            taken[..., self._silenced] = self._value
        return taken

    @property
    def shape(self) -> torch.Size:
        """(n, C)."""
        return torch.Size((len(self), self._base.shape[1]))

    @property
    def device(self) -> torch.device:
        """Where the table lies."""
        return self._base.device

    def detach(self) -> Rows:
        """Return itself: stored rows have no gradient."""
        return self

    def split(self, size: int) -> Iterator[Tensor]:
        """Yield the rows in pieces of `size`."""
        for start in range(0, len(self), size):
            yield self[start : start + size]


def as_float64(features: Tensor) -> NDArray[np.float64]:
    """Return a tensor from any device as a float64 array."""
    return features.detach().cpu().double().numpy()


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
