"""Pictures of feature spaces: planes of largest variance, fixed or turned onto another model's picture."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
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


@dataclass(frozen=True)
class Plane:
    """A plane in a feature space of C channels that stays where it is. centre: (C,); axes: (C, 2) orthonormal columns.

    radius: root mean square distance of the points it was laid through from its centre: the unit of the pictures.
    """

    centre: Tensor
    axes: Tensor
    radius: float

    def points(self, features: Tensor) -> Tensor:
        """Return where features ((n, C)) lie in the plane: (n, 2) float64."""
        return (features.double() - self.centre) @ self.axes / self.radius

    def share(self, features: Tensor) -> float | None:
        """Return the share of the features' own variance that lies in the plane, 0..1; None without any."""
        centred = features.double() - features.double().mean(0)
        total = float(centred.square().sum())
        return min(1.0, float((centred @ self.axes).square().sum()) / total) if 0 < total < float("inf") else None


def principal_plane(features: Tensor) -> Plane | None:
    """Return the plane in which features ((n, C)) vary most, centred on their mean.

    None where they are not finite, do not vary, or have no two channels. Goes through the features rather than their
    Gram matrix: of few samples in many channels that is much faster.
    """
    rows = features.detach().cpu().double()
    if min(rows.shape) < 2 or not bool(torch.isfinite(rows).all()):
        return None
    centre = rows.mean(0)
    with one_blas_thread():
        directions = np.linalg.svd((rows - centre).numpy(), full_matrices=False)[2]
    axes = torch.from_numpy(directions[:2].T.copy())
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()  # the same features, the same picture
    radius = float(((rows - centre) @ axes).square().sum(1).mean().sqrt())
    return Plane(centre, axes, radius) if radius > 0 else None


def fitted_points(features: Tensor, targets: Tensor, labels: Tensor) -> Tensor | None:
    """Return points (n, 2) float64 of another network's features ((n, C)), seen from where its classes lie as expected.

    The view is the orthogonal fit of its class means to those of `targets` ((n, 2), the picture to be matched), with
    one scale, centred on them: what the classes of `labels` ((n,) int) say, samples with a label below 0 only follow.
    None where fewer than three classes can be fitted or features are not finite.
    """
    rows, wanted = features.detach().double(), targets.double()
    known = labels[labels >= 0].unique().tolist()
    if len(known) < 3 or rows.shape[1] < 2 or not bool(torch.isfinite(rows).all()):
        return None
    means = torch.stack([rows[labels == label].mean(0) for label in known])
    places = torch.stack([wanted[labels == label].mean(0) for label in known])
    fit = orthogonal_fit(means, places)
    seen = (means - means.mean(0)) @ fit
    spread = float(seen.square().sum())
    if not spread > 0:
        return None
    scale = float((seen * (places - places.mean(0))).sum()) / spread
    return (rows - means.mean(0)) @ fit * scale + places.mean(0)


def orthogonal_fit(points: Tensor, targets: Tensor) -> Tensor:
    """Return the orthogonal matrix R ((d, d) float64) that brings points ((m, d)) nearest to targets ((m, d)).

    Both are centred first, and R minimises the squared distance of points R to targets: the orthogonal Procrustes
    problem (Schönemann 1966). With targets (m, e), e < d, R is (d, e) with orthonormal columns, and its agreement with
    the targets, the sum of products, is the largest there is.
    """
    centred = points.double() - points.double().mean(0)
    wanted = targets.double() - targets.double().mean(0)
    with one_blas_thread():
        left, _, right = torch.linalg.svd(centred.T @ wanted, full_matrices=False)
    return left @ right
