"""Erasing space: features lose the leading directions of the forget set's features, by an edit of the head.

    F = features of the forget set, (n, C), not centred;  F^T F = V diag(l) V^T,  l falling
    P = I - V_k V_k^T,  k = C * p / 100;  the head sees P f:  W <- W P

Published (ESC, CVPR 2025). There P is a layer of its own; here it is folded into the head's weight, which is exact.
There k is rounded down, which is none in narrow layers; here one direction for each class to forget goes at least.
"""

from __future__ import annotations

from core.methods.base import Context, Edit, Facts, Method, Preset, SearchRange
from core.methods.projection import CHECKED, complement, fold, head_weight
from core.metrics.linear_algebra import gram, leading_eigenvectors
from core.parameters import Parameter, Values


def erase(context: Context) -> None:
    """Drop the leading forget directions from what the head sees."""
    weight = head_weight(context)
    matrix = gram(context.features("forget"))
    count = dropped(len(matrix), context.values.share, len(context.forget_classes))
    fold(weight, complement(leading_eigenvectors(matrix, count)))
    context.say(f"Dropped {count} of {len(matrix)} feature directions.")


def dropped(width: int, share: float, classes: int) -> int:
    """Return how many of `width` directions a share in percent is: rounded down, but one for each class at least."""
    return min(max(1, classes, int(width * share / 100)), width)


def plan(values: Values, facts: Facts) -> list[Edit]:
    """One change of the head."""
    return [Edit("erase", erase, looks=facts.forget + CHECKED)]


ESC = Method(
    id="esc",
    title="Erasing space",
    summary="Drops the leading directions of the forget set's features from what the last layer sees; no training. "
    "Only the last layer changes: features stay as they were.",
    citation="Lee et al. 2025, ESC: Erasing Space Concept (CVPR 2025)",
    status="baseline",
    group="closed form",
    parameters=(
        Parameter(
            "share",
            "float",
            1.5,
            "Share of feature directions to drop, at least one for each class; published: 1.5 (7 of ResNet-18's 512).",
            low=0,
            high=100,
            unit="%",
            group="Projection",
            title="Directions to drop",
        ),
    ),
    plan=plan,
    needs=frozenset({"forget set"}),
    suits=frozenset({"class"}),
    presets=(
        Preset(
            "published",
            "As published",
            "The published share; in narrow layers one direction for each class.",
            {"share": 1.5},
            frozenset({"class"}),
        ),
    ),
    search=(SearchRange("share", 0.5, 20.0),),
    notes=(
        "An edit on the head's side: a probe or an attack that reads features finds the class as before. The "
        "publication counts the projection as part of the encoder.",
        "The first direction of features that are not centred also holds what all classes share, which can cost "
        "retain accuracy.",
        "The variant that learns which entries to drop (ESC-T) is not included.",
    ),
)
