"""What frozen features still hold of a class: found again by a linear probe, by nearest class means, and by clustering.

The probe is a multinomial logistic regression on all original classes, trained on standardised features of training
samples of all classes (the forget set included), scored on test samples. Class means are the simplest such classifier.
Clustering tells whether features fall into the original classes when nobody names them. The goal is the retrained
value, not chance: a network that never saw a class usually still separates it to some degree.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.metrics.rows import ROWS_PER_CHUNK, MetricResult, as_float64, stratified_subset
from core.metrics.spaces import gram_dtype, one_blas_thread

SAMPLE_BUDGET = 6000
"""Training samples of the probe, spread over the classes: enough for C = 512, and fits take seconds."""

INVERSE_REGULARISATION = 1.0
"""scikit-learn's C on standardised features; between 0.1 and 1 digits' results move by less than two samples."""

TOLERANCE, MAX_ITERATIONS = 1e-4, 500
"""On standardised features L-BFGS needs 10 to 60 iterations; coarser tolerances moved forget recall by 4 points."""

SAMPLE_CAP = 5000
"""Test samples clustered, spread over the classes; the mutual information of more changes in the third decimal."""

STARTS = 5
"""Random starts of k-means; the tightest result is kept."""


@dataclass(frozen=True)
class Recovered(MetricResult):
    """How well a classifier of features finds classes again, 0..1; None where there are no such test samples."""

    forget: float | None  # recall of forget-test samples: called their own class
    retain: float | None  # accuracy on retain-test samples
    predicted: NDArray[np.int64] = field(compare=False, repr=False)
    """(m,): the class each test sample is called, for comparisons between models sample by sample."""


@dataclass(frozen=True)
class LinearProbe(Recovered):
    """What the linear probe finds."""

    f1: float | None  # forget classes against the rest
    samples: int  # training samples used


def linear_probe(
    train_features: Tensor,
    train_labels: Tensor,
    test_features: Tensor,
    test_labels: Tensor,
    forget_classes: Collection[int],
    *,
    budget: int = SAMPLE_BUDGET,
) -> LinearProbe | None:
    """Fit on training features ((n, C), labels (n,), all classes) and score on test features ((m, C), (m,)).

    `forget_classes` are the wholly forgotten classes; with none (sample forgetting) only `retain` has a value.
    Deterministic. None where a set is empty, holds a single class, or features are not finite.
    """
    if not len(train_features) or not len(test_features):
        return None
    labels = train_labels.cpu().numpy()
    used = stratified_subset(labels, budget)
    rows, tested = as_float64(train_features[used]), as_float64(test_features)
    if not (np.isfinite(rows).all() and np.isfinite(tested).all()) or len(np.unique(labels[used])) < 2:
        return None
    with one_blas_thread():
        model, (tested,) = standardised_regression(
            rows, labels[used], tested, C=INVERSE_REGULARISATION, tol=TOLERANCE, max_iter=MAX_ITERATIONS
        )
        predicted = model.predict(tested)
    truth = test_labels.cpu().numpy()
    forget, called_forget = (np.isin(named, list(forget_classes)) for named in (truth, predicted))
    from sklearn.metrics import f1_score

    return LinearProbe(
        **_shares(predicted, truth, forget),
        f1=float(f1_score(forget, called_forget)) if forget.any() else None,
        samples=len(used),
        predicted=predicted,
    )


def standardised_regression(
    rows: NDArray[np.float64], labels: NDArray[np.int64], *tested: NDArray[np.float64], **settings: Any
) -> tuple[Any, list[NDArray[np.float64]]]:
    """Fit scikit-learn's logistic regression on `rows` ((n, C), labels (n,)), standardised by their mean and scale.

    Returns it with `tested` ((m, C) each) standardised alike. settings: of LogisticRegression.
    """
    from sklearn.linear_model import LogisticRegression

    mean, scale = rows.mean(0), rows.std(0)
    scale[scale == 0] = 1.0  # a dead channel carries nothing and must not divide by zero
    model = LogisticRegression(**settings).fit((rows - mean) / scale, labels)
    return model, [(others - mean) / scale for others in tested]


def _shares(
    predicted: NDArray[np.int64], truth: NDArray[np.int64], forget: NDArray[np.bool_]
) -> dict[str, float | None]:
    """Return the shares of right predictions on the samples of the mask `forget` ((n,)) and on the others."""
    right = predicted == truth
    return {
        name: float(right[mask].mean()) if mask.any() else None
        for name, mask in (("forget", forget), ("retain", ~forget))
    }


def class_means(features: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Return the mean feature of each class, (K, C) float64, and the samples it comes from, (K,) int64."""
    labels = labels.to(features.device)
    counts = torch.bincount(labels, minlength=num_classes)
    sums = torch.zeros(num_classes, features.shape[1], dtype=gram_dtype(features.device), device=features.device)
    chunks = zip(features.detach().split(ROWS_PER_CHUNK), labels.split(ROWS_PER_CHUNK), strict=True)
    for rows, named in chunks:
        sums.index_add_(0, named, rows.to(sums))
    return sums / counts.clamp_min(1).unsqueeze(1), counts


def nearest_means(features: Tensor, means: Tensor, counts: Tensor) -> Tensor:
    """Return the class with the mean ((K, C)) nearest each feature ((n, C)), (n,) int64; never one without samples."""
    rows = features.detach().to(means)
    # ‖f − m‖² without the ‖f‖² all classes share: one product instead of n·K differences
    distances = means.square().sum(1) - 2 * rows @ means.T
    distances[:, counts == 0] = float("inf")
    return distances.argmin(1)


def measure_class_means(
    train_features: Tensor,
    train_labels: Tensor,
    test_features: Tensor,
    test_labels: Tensor,
    num_classes: int,
    forget_classes: Collection[int],
) -> Recovered | None:
    """Take class means from training features ((n, C), all classes), score on test features ((m, C)).

    With no `forget_classes` (sample forgetting) only `retain` has a value. None where a set is empty, or
    features are not finite.
    """
    if not len(train_features) or not len(test_features):
        return None
    means, counts = class_means(train_features, train_labels, num_classes)
    if not bool(torch.isfinite(means).all() and torch.isfinite(test_features).all()):
        return None
    truth, predicted = test_labels.cpu().numpy(), nearest_means(test_features, means, counts).cpu().numpy()
    return Recovered(**_shares(predicted, truth, np.isin(truth, list(forget_classes))), predicted=predicted)


@dataclass(frozen=True)
class Clustering(MetricResult):
    """Normalised mutual information of clusters with true labels, 0..1."""

    nmi: float
    forget_vs_rest: float | None  # with the two-way label "forget class or not"; None without forget classes
    samples: int
    labels: tuple[int, ...] = field(default=(), repr=False)  # of the samples clustered, and the cluster of each
    clusters: tuple[int, ...] = field(default=(), repr=False)


def measure_clustering(
    features: Tensor, labels: Tensor, num_classes: int, forget_classes: Collection[int] = ()
) -> Clustering | None:
    """Cluster test features ((n, C)) by k-means, K = `num_classes` (all that were trained on), against `labels` ((n,)).

    Deterministic. None where the set is smaller than K, or features are not finite.
    """
    truth = labels.cpu().numpy()
    used = stratified_subset(truth, SAMPLE_CAP)
    rows, truth = as_float64(features)[used], truth[used]
    if not np.isfinite(rows).all() or len(rows) < num_classes:
        return None
    clusters = k_means(rows, num_classes)
    forget = np.isin(truth, list(forget_classes))
    return Clustering(
        nmi=nmi(truth, clusters),
        forget_vs_rest=nmi(forget.astype(np.int64), clusters) if forget.any() and not forget.all() else None,
        samples=len(rows),
        labels=tuple(truth.tolist()),
        clusters=tuple(clusters.tolist()),
    )


def k_means(rows: NDArray[np.float64], clusters: int) -> NDArray[np.int64]:
    """Return the cluster of each row ((n, C) float64), (n,) int, from the best of STARTS seeded starts."""
    from sklearn.cluster import KMeans

    with one_blas_thread(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Number of distinct clusters")  # collapsed features are a result
        return KMeans(clusters, n_init=STARTS, random_state=0).fit_predict(rows).astype(np.int64)


def nmi(labels: NDArray[np.int64], clusters: NDArray[np.int64]) -> float:
    """Return the normalised mutual information of two labelings ((n,) int), 0..1, normalised by their mean entropy."""
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(labels, clusters))
