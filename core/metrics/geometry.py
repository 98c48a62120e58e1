"""Pictures of feature spaces: planes of largest variance, fixed or turned onto another model's picture."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from core.metrics.probe import class_means
from core.metrics.spaces import FeatureSpace, leading_eigenvectors, one_blas_thread


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


MAIN = 32
"""Directions in which features are turned: few beside the samples, or any features could be turned onto any others."""


@dataclass(frozen=True)
class Plane:
    """The plane in which some samples' features vary most, and how other features of the same samples are seen in it.

    scores: (n, d), the samples in the d main directions, the plane's two first; radius: root mean square distance of
    the samples from the centre in the plane, the unit of its pictures; share: of the variance that lies in the plane.
    centre: (C,); axes: (C, 2), orthonormal columns.
    """

    scores: Tensor
    radius: float
    share: float
    centre: Tensor
    axes: Tensor

    @property
    def points(self) -> Tensor:
        """Where the samples lie, (n, 2)."""
        return self.scores[:, :2] / self.radius

    def seen(self, features: Tensor) -> tuple[Tensor, float | None]:
        """Return where other features ((n, C') of the same samples) lie, (n, 2), and the share of their variance there.

        Two networks share no axes, and training turns them. So features are centred, turned and scaled as a whole, by
        the orthogonal fit in their main directions that brings the samples nearest to `scores`: what is not where it
        was, no turn brings back. NaN where features are not finite or do not vary.
        """
        rows = features.detach().cpu().double()
        rows = rows - rows.mean(0)
        total = float(rows.square().sum())
        if not 0 < total < float("inf"):
            return torch.full((len(rows), 2), torch.nan, dtype=torch.float64), None
        scores = _main_scores(rows)
        with one_blas_thread():
            left, agreement, right = torch.linalg.svd(scores.T @ self.scores, full_matrices=False)
        turned = scores @ (left @ right[:, :2])
        scale = float(agreement.sum() / scores.square().sum())
        return turned * scale / self.radius, min(1.0, float(turned.square().sum()) / total)


def principal_plane(features: Tensor, first: int = 0) -> Plane | None:
    """Return the plane in which features ((n, C)) vary most; None where they are not finite or vary in no two ways.

    It is turned in itself so that the samples from the `first` on lie to the right of those before.
    """
    rows = features.detach().cpu().double()
    if min(rows.shape) < 2 or not bool(torch.isfinite(rows).all()):
        return None
    centre = rows.mean(0)
    rows = rows - centre
    scores = _main_scores(rows)
    scores = scores * scores.gather(0, scores.abs().argmax(0, keepdim=True)).sign()  # same features, same picture
    energies = scores.square().sum(0)
    if not float(energies[1]) > 0:
        return None
    radius = float((energies[:2].sum() / len(rows)).sqrt())
    share = min(1.0, float(energies[:2].sum() / rows.square().sum()))
    axes = rows.T @ scores[:, :2] / energies[:2]
    turn = _to_the_right(scores[first:, :2].mean(0) - scores[:first, :2].mean(0)) if first else torch.eye(2).double()
    return Plane(torch.cat([scores[:, :2] @ turn, scores[:, 2:]], 1), radius, share, centre, axes @ turn)


def _to_the_right(direction: Tensor) -> Tensor:
    """Return the rotation (2, 2) by which points @ rotation have a direction ((2,)) along their first axis."""
    length = float(direction.norm())
    if not 0 < length < float("inf"):
        return torch.eye(2).double()
    x, y = (direction / length).tolist()
    return torch.tensor([[x, -y], [y, x]], dtype=torch.float64)


def _main_scores(rows: Tensor) -> Tensor:
    """Return centred rows ((n, C) float64) in their MAIN leading directions, or as many as there are: (n, d).

    Through the smaller of the two Gram matrices: of few samples in many channels that is much faster.
    """
    n, channels = rows.shape
    if channels <= n:
        return rows @ leading_eigenvectors(rows.T @ rows, MAIN)
    left = leading_eigenvectors(rows @ rows.T, MAIN)
    return left * (rows.T @ left).norm(dim=0)


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
