"""Pictures of feature spaces: the plane of largest variance, and one model's plane turned onto another's."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from core.metrics.probe import class_means
from core.metrics.spaces import FeatureSpace, one_blas_thread


@dataclass(frozen=True)
class Projection:
    """Where samples lie in a model's plane. points: (n, 2) float64; explained: share of the variance in the plane."""

    points: Tensor
    explained: float


def principal_projection(features: Tensor) -> Projection:
    """Project features ((n, C) float) onto their two principal components.

    Features with one channel, or without any variance, get zeros in what is missing. Raises ValueError where they
    are not finite.
    """
    space = FeatureSpace(features)
    plane, explained = space.principal(2)
    points = torch.zeros(len(features), 2, dtype=plane.dtype, device=plane.device)
    points[:, : plane.shape[1]] = (features.detach().to(plane) - space.mean.to(plane)) @ plane
    return Projection(points, explained)


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
