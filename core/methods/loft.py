"""One learnt projection of features that keeps the retain set's energy and drops the forget set's, in the head.

    S_r, S_f = second moments of retain and forget features, (C, C), not centred;  S_r += ridge * trace(S_r) / C * I
    S_f v = m S_r v,  V^T S_r V = I;  m falling: forget energy per unit of retain energy
    P = I - S_r V_k V_k^T;  the head sees P f:  W <- W P

V_k^T P = 0: of what the k directions measure nothing is left. The oblique projection is the one that costs the retain
set least: for its features W P x is the best linear guess of W x, in the mean square, from what all other directions
measure (up to the ridge).

Of the publication (LOFT, arXiv 2601.22456) only the idea was available: a frozen backbone, one pass for features, one
projection that keeps retain and drops forget variance. The criterion, its closed form and all constants are ours.
"""

from __future__ import annotations

import torch

from core.methods.base import Context, Edit, Facts, Method, Preset, SearchRange
from core.methods.projection import CHECKED, fold, head_weight
from core.metrics.linear_algebra import eigendecomposition, gram
from core.parameters import Parameter, Values


def project(context: Context) -> None:
    """Drop the directions with most forget energy per retain energy from what the head sees."""
    values = context.values
    weight = head_weight(context)
    limit = values.samples or None
    retain, forget = moments(context, "retain", limit), moments(context, "forget", limit)
    count = min(values.directions or max(1, len(context.forget_classes)), len(retain))
    projection, ratios = discriminating_projection(retain, forget, count, values.ridge)
    fold(weight, projection)
    context.say(
        f"Dropped {count} of {len(retain)} feature directions; in the last of them the forget set has "
        f"{float(ratios[count - 1]):.3g} times the retain set's energy."
    )


def moments(context: Context, which: str, limit: int | None) -> torch.Tensor:
    """Return the second moments of a set's features, (C, C) float64."""
    features = context.features(which, limit)
    return gram(features) / len(features)


def discriminating_projection(
    retain: torch.Tensor, forget: torch.Tensor, count: int, ridge: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the projection (C, C) and all energy ratios m (C,), falling. retain, forget: (C, C) second moments.

    Solved through retain = L L^T: L^-1 forget L^-T has the eigenvalues m and the eigenvectors L^T V.
    """
    size = len(retain)
    identity = torch.eye(size, dtype=torch.float64)
    energy = retain.double() + ridge * retain.diagonal().double().mean() * identity
    root = torch.linalg.cholesky(energy)
    half = torch.linalg.solve_triangular(root, forget.double(), upper=False)
    whitened = torch.linalg.solve_triangular(root, half.T, upper=False)
    ratios, vectors = eigendecomposition((whitened + whitened.T) / 2)
    vectors = vectors[:, :count]
    # S_r V = L (L^T V) and V^T = (L^T V)^T L^-1
    return identity - root @ vectors @ torch.linalg.solve_triangular(root.T, vectors, upper=True).T, ratios


def plan(values: Values, facts: Facts) -> list[Edit]:
    """One change of the head."""
    return [Edit("project", project, looks=facts.forget + facts.retain + CHECKED)]


LOFT = Method(
    id="loft",
    title="Learnt feature projection",
    summary="Drops from what the last layer sees the directions in which the forget set has most energy for each unit "
    "of the retain set's; no training. Only the last layer changes: features stay as they were.",
    citation="LOFT (arXiv 2601.22456)",
    status="baseline",
    group="closed form",
    parameters=(
        Parameter(
            "directions",
            "int",
            0,
            "Feature directions to drop; 0 drops one for each class to forget.",
            low=0,
            high=65536,
            group="Projection",
            title="Directions to drop",
        ),
        Parameter(
            "ridge",
            "float",
            0.01,
            "Share of the mean retain energy added in every direction, so that directions with next to none of it do "
            "not count for their noise.",
            low=0,
            high=1,
            low_open=True,
            log=True,
            group="Projection",
        ),
        Parameter(
            "samples",
            "int",
            10_000,
            "Images of each set behind the projection, the same share of every class; 0 takes all.",
            low=0,
            high=10**8,
            unit="images",
            group="Projection",
            title="Images behind it",
        ),
    ),
    plan=plan,
    needs=frozenset({"forget set", "retain set"}),
    suits=frozenset({"class"}),
    presets=(
        Preset(
            "default",
            "One direction a class",
            "One direction holds what sets a class apart from all others; more cost retain accuracy.",
            {"directions": 0},
            frozenset({"class"}),
        ),
    ),
    search=(SearchRange("ridge", 1e-4, 0.1),),
    notes=(
        "An edit on the head's side: a probe or an attack that reads features finds the class as before.",
        "Of the publication only the idea was available to us: criterion, closed form and constants are ours.",
    ),
)
