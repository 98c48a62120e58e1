"""Clustering: whether test features still fall into the original classes when nobody names them."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.metrics.linear_algebra import one_blas_thread
from core.metrics.probe import as_float64
from core.metrics.rows import stratified_subset

SAMPLE_CAP = 5000
"""Test samples clustered, spread over the classes; the mutual information of more changes in the third decimal."""

STARTS = 5
"""Random starts of k-means; the tightest result is kept."""


@dataclass(frozen=True)
class Clustering:
    """Normalised mutual information of clusters with true labels, 0..1."""

    nmi: float
    forget_vs_rest: float | None  # with the two-way label "forget class or not"; None without forget classes
    samples: int
    labels: tuple[int, ...] = ()  # of the samples clustered, and the cluster of each: for intervals
    clusters: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain scalars."""
        return {"nmi": self.nmi, "forget_vs_rest": self.forget_vs_rest, "samples": self.samples}


def measure_clustering(
    features: Tensor | None,
    labels: Tensor,
    num_classes: int,
    forget_classes: Collection[int] = (),
    *,
    starts: int = STARTS,
    cap: int = SAMPLE_CAP,
    seed: int = 0,
) -> Clustering | None:
    """Cluster test features ((n, C)) by k-means, K = `num_classes` (all original ones), against `labels` ((n,)).

    Deterministic. None where the set is missing, smaller than K, or features are not finite.
    """
    if features is None or len(features) < num_classes:
        return None
    truth = labels.cpu().numpy()
    used = stratified_subset(truth, cap, seed)
    rows, truth = as_float64(features)[used], truth[used]
    if not np.isfinite(rows).all() or len(rows) < num_classes:
        return None
    clusters = k_means(rows, num_classes, starts=starts, seed=seed)
    forget = np.isin(truth, list(forget_classes))
    return Clustering(
        nmi=nmi(truth, clusters),
        forget_vs_rest=nmi(forget.astype(np.int64), clusters) if forget.any() and not forget.all() else None,
        samples=len(rows),
        labels=tuple(truth.tolist()),
        clusters=tuple(clusters.tolist()),
    )


def k_means(rows: NDArray[np.float64], clusters: int, *, starts: int = STARTS, seed: int = 0) -> NDArray[np.int64]:
    """Return the cluster of each row ((n, C) float64), (n,) int, from the best of `starts` seeded starts."""
    from sklearn.cluster import KMeans

    with one_blas_thread(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Number of distinct clusters")  # collapsed features are a result
        return KMeans(clusters, n_init=starts, random_state=seed).fit_predict(rows).astype(np.int64)


def nmi(labels: NDArray[np.int64], clusters: NDArray[np.int64]) -> float:
    """Return the normalised mutual information of two labelings ((n,) int), 0..1, normalised by their mean entropy."""
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(labels, clusters))
