"""Geometry of features: how alike those of two networks are whatever their rotation and scale, and their pictures."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.metrics.linear_algebra import FeatureSpace, eigendecomposition, one_blas_thread
from core.metrics.probe import as_float64, class_means


def linear_cka(features: Tensor, reference: Tensor) -> float | None:
    """Return linear centred kernel alignment of two networks' features ((n, C), (n, D)) of the same samples, 0..1.

    1 up to rotation and scale. Never to be read alone: it can move without a change of function. None where a set is
    empty or constant. Source: Kornblith et al., arXiv 1905.00414.
    """
    pair = _centred(features, reference)
    if pair is None:
        return None
    x, y = pair
    with one_blas_thread():
        shared = np.square(x.T @ y).sum()
        value = shared / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    return float(min(1.0, value))


def procrustes_distance(features: Tensor, reference: Tensor) -> float | None:
    """Return the squared distance of two feature sets ((n, C), (n, D)) after the best rotation, 0..2.

    Both are centred and scaled to unit norm first; 0 up to rotation and scale. None as in `linear_cka`.
    Source: Ding et al., "Grounding representation similarity through statistical testing", arXiv 2108.01661.
    """
    pair = _centred(features, reference)
    if pair is None:
        return None
    with one_blas_thread():
        nuclear = np.linalg.svd(pair[0].T @ pair[1], compute_uv=False).sum()
    return float(max(0.0, 2.0 - 2.0 * nuclear))


def _centred(features: Tensor, reference: Tensor) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return both sets centred and scaled to unit Frobenius norm."""
    if not len(features):
        return None
    scaled = []
    for rows in (as_float64(features), as_float64(reference)):
        centred = rows - rows.mean(0)
        norm = np.linalg.norm(centred)
        if not np.isfinite(norm) or norm == 0:
            return None
        scaled.append(centred / norm)
    return scaled[0], scaled[1]


@dataclass(frozen=True)
class Projection:
    """Where samples lie in a model's plane. points: (n, 2) float64; explained: share of the variance in the plane."""

    points: Tensor
    explained: float


def principal_projection(features: Tensor) -> Projection:
    """Project features ((n, C) float) onto their two principal components.

    The sign of each component is fixed by its largest entry, so that the same features give the same picture.
    Features with one channel, or without any variance, get zeros in what is missing. Raises ValueError where they
    are not finite.
    """
    space = FeatureSpace(features)
    variances, directions = eigendecomposition(space.centred_gram(space.mean))
    plane = directions[:, :2]
    largest = plane.abs().argmax(0)
    signs = plane.gather(0, largest.unsqueeze(0)).sign()
    centred = features.detach().to(plane) - space.mean.to(plane)
    points = torch.zeros(len(features), 2, dtype=plane.dtype, device=plane.device)
    points[:, : plane.shape[1]] = centred @ (plane * signs)
    total = float(variances.sum())
    return Projection(points, float(variances[:2].sum()) / total if total > 0 else 0.0)


def turned_projection(
    features: Tensor, labels: Tensor, retain_classes: Collection[int], onto: Projection | None = None
) -> Projection:
    """Project features ((n, C)) onto their own principal plane, turned onto another model's picture.

    Two networks share no axes. The turn (a rotation, or one with a reflection) is the orthogonal fit of this model's
    retain class means to those of `onto`, which holds the same samples; scale and shape are left as they are.
    labels: (n,) int. Without `onto`, or with no two retain classes to fit, the plane is not turned.
    """
    own = principal_projection(features)
    if onto is None:
        return own
    if len(onto.points) != len(own.points):
        raise ValueError(f"{len(own.points)} samples cannot be turned onto {len(onto.points)} others")
    num_classes = int(labels.max()) + 1 if len(labels) else 0
    means, counts = class_means(own.points, labels, num_classes)
    targets, _ = class_means(onto.points, labels, num_classes)
    kept = torch.tensor([c for c in sorted(retain_classes) if c < num_classes and counts[c] > 0], dtype=torch.int64)
    if len(kept) < 2:
        return own
    return Projection(own.points @ orthogonal_fit(means[kept], targets[kept]), own.explained)


def orthogonal_fit(points: Tensor, targets: Tensor) -> Tensor:
    """Return the orthogonal matrix R ((d, d) float64) that brings points ((m, d)) nearest to targets ((m, d)).

    Both are centred first, and R minimises the squared distance of points R to targets: the orthogonal Procrustes
    problem (Schönemann 1966).
    """
    centred = points.double() - points.double().mean(0)
    wanted = targets.double() - targets.double().mean(0)
    with one_blas_thread():
        left, _, right = torch.linalg.svd(centred.T @ wanted)
    return left @ right
