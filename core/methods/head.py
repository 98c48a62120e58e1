"""Edits of the head alone: outputs forget, features do not. Plain weights, so that they survive every export.

The head-only control silences the rows of the forgotten classes: every verification must catch it. ESC and LOFT project
features before the head reads them.

A linear head gives W x + b of features x: (C,). With features projected first it gives W (P x) + b = (W P) x + b, so
the edited weight W P says exactly what a network with the projection built in would say. The same holds for a
convolution of one by one pixel, position by position. What stands before the head does not change.

Erasing space (ESC, CVPR 2025) drops the leading directions of the forget set's features:
    F = features of the forget set, (n, C), not centred;  F^T F = V diag(l) V^T,  l falling
    P = I - V_k V_k^T,  k = C * p / 100
There P is a layer of its own, here it is folded into the head, which is exact; there k is rounded down, which is none
in narrow layers, here one direction for each class to forget goes at least.

Learnt projection (LOFT, arXiv 2601.22456) keeps the retain set's energy and drops the forget set's:
    S_r, S_f = second moments of retain and forget features, (C, C), not centred;  S_r += ridge * trace(S_r) / C * I
    S_f v = m S_r v,  V^T S_r V = I;  m falling: forget energy per unit of retain energy
    P = I - S_r V_k V_k^T
V_k^T P = 0: of what the k directions measure nothing is left. The oblique projection is the one that costs the retain
set least: for its features W P x is the best linear guess of W x, in the mean square, from what all other directions
measure (up to the ridge). Of the publication only the idea was available: a frozen backbone, one pass for features,
one projection that keeps retain and drops forget variance. Criterion, closed form and constants are ours.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from core.data.batches import Batch
from core.errors import RunError
from core.methods.base import (
    LOOK_SAMPLES,
    WHOLE,
    Aux,
    Context,
    Edit,
    Facts,
    Method,
    Preset,
    SearchRange,
    Stage,
    StageOutput,
    Terms,
)
from core.methods.common import Group, forgetting, forgotten_classes, optimiser_parameters
from core.methods.losses import columns, masked_distillation
from core.metrics.spaces import eigendecomposition, gram, leading_eigenvectors
from core.parameters import Values

EDIT = Group("Edit")

# Added to a forgotten class's logit: far below any real logit, still finite in float16 (largest value 65,504).
SILENCED = -1.0e4


def silence_head(context: Context) -> None:
    """Change the head's weights so that it never names a forgotten class: no extra layer, so that it survives export.

    Raises RunError where no whole class goes, or the head has no row of weights for each class.
    """
    classes = torch.tensor(context.forget_classes, dtype=torch.int64)
    if len(classes) == 0:
        raise RunError("The head-only control needs at least one whole class to forget")
    head = context.model.head
    weight, bias = getattr(head, "weight", None), getattr(head, "bias", None)
    if not isinstance(weight, nn.Parameter):
        raise RunError(f"The head {context.model.head_name} has no weight row per class to edit")
    if bias is not None:
        with torch.no_grad():
            weight[classes] = 0
            bias[classes] = SILENCED
        return
    row = silent_row(weight, context.outputs("retain", limit=LOOK_SAMPLES).features, context.forget_classes)
    with torch.no_grad():
        weight[classes] = row.to(weight.dtype).reshape(1, *weight.shape[1:])


def silent_row(weight: torch.Tensor, features: torch.Tensor, forget_classes: tuple[int, ...]) -> torch.Tensor:
    """Return a weight row (C,) for heads without bias whose logit stays below every kept class's.

    The mean of the kept rows never wins (a mean is at most the maximum); a pull against the mean feature direction
    pushes it down. weight: (K, C, ...), features: (n, C).
    """
    rows = weight.detach().flatten(1).float()
    kept = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
    kept[list(forget_classes)] = False
    mean = features.mean(dim=0).to(rows)
    spread = rows.norm(dim=1).max()
    return rows[kept].mean(dim=0) - 10 * spread * mean / mean.norm().clamp_min(1e-12)


def distil(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the divergence of the head's outputs from the original's with the forgotten classes hidden."""
    return {"loss": masked_distillation(out.logits, out.teacher, columns(out.logits, aux["forget_classes"]))}


def silencing(values: Values, facts: Facts) -> list[Stage]:
    """Return the edit that silences the rows, or a stage that trains the head on the original's masked outputs."""
    if values.variant == "mask":
        return [Edit("silence the head", silence_head)]
    return [
        forgetting(
            "distil the head", distil, values, reads="all", refresh=forgotten_classes, tunes="head", needs=("teacher",)
        )
    ]


HEAD_ONLY = Method(
    id="head-only",
    title="Head-only edit (control)",
    summary="Edits only the last layer: accuracy on the forgotten class is 0, the features stay as they were. "
    "A control that checks must catch, not a way to forget.",
    citation="Control after arXiv 2405.17878 (masked distillation of the head)",
    status="control",
    group="reference",
    parameters=(
        EDIT.choice(
            "variant",
            ("mask", "distil"),
            "mask",
            "Set the forgotten rows so that they never win, or train the head on the original's outputs without them.",
        ),
        EDIT.passes(1.0, "Passes over the training images (distil only)."),
        *optimiser_parameters(lr=0.05),
    ),
    plan=silencing,
    needs=("forget classes",),
    suits=WHOLE,
    presets=(
        Preset("mask", "Mask the rows", "Instant; the plainest output-only edit.", {"variant": "mask"}),
        Preset(
            "distil",
            "Distil the head",
            "The strongest output-only edit: it also mimics the other classes.",
            {"variant": "distil"},
        ),
    ),
)


PROJECTION = Group("Projection")

CHECKED = 64  # images that show whether a head is linear: a layer that is not differs on the first
TOLERANCE = 1e-3  # of the largest logit; float32 and TF32 stay below


def head_weight(context: Context) -> nn.Parameter:
    """Return the head's weight, (K, C) or (K, C, 1, 1). Raises RunError for a head that is no linear map of features.

    The class does not tell: heads that normalise their input or their weight may inherit from a linear layer.
    """
    head = context.model.head
    weight, bias = getattr(head, "weight", None), getattr(head, "bias", None)
    error = RunError(
        f"The head {context.model.head_name} is not a linear map of features, so a projection cannot be folded into it",
        "Choose another method for this network",
    )
    features = context.outputs("all", limit=CHECKED).features.to(context.device)
    if not isinstance(weight, nn.Parameter) or weight.shape[1] != features.shape[1]:
        raise error
    expected = F.linear(features, weight.detach().flatten(1), bias)
    with torch.no_grad():
        given = head(features if weight.ndim == 2 else features[:, :, None, None]).flatten(1)
    if given.shape != expected.shape or (given - expected).abs().max() > TOLERANCE * expected.abs().max():
        raise error
    return weight


def fold(weight: nn.Parameter, projection: torch.Tensor) -> None:
    """Write W P into the weight W, computed in float64. projection: P, (C, C), which maps features to features."""
    folded = weight.detach().flatten(1).double() @ projection.to(weight.device, torch.float64)
    with torch.no_grad():
        weight.copy_(folded.reshape(weight.shape))


def complement(directions: torch.Tensor) -> torch.Tensor:
    """Return the orthogonal projection that drops directions. directions: (C, k) with orthonormal columns -> (C, C)."""
    return torch.eye(len(directions), dtype=directions.dtype, device=directions.device) - directions @ directions.T


def erase(context: Context) -> None:
    """Change the head: it no longer sees the leading directions of the forget set's features."""
    weight = head_weight(context)
    matrix = gram(context.outputs("forget").features)
    count = dropped(len(matrix), context.values.share, len(context.forget_classes))
    fold(weight, complement(leading_eigenvectors(matrix, count)))
    context.say(f"Dropped {count} of {len(matrix)} feature directions.")


def dropped(width: int, share: float, classes: int) -> int:
    """Return how many of `width` directions a share in percent is: rounded down, but one for each class at least."""
    return min(max(1, classes, int(width * share / 100)), width)


def erasing(values: Values, facts: Facts) -> list[Edit]:
    """Return the edit of the head, with the images it looks at."""
    return [Edit("erase", erase, looks=facts.forget + CHECKED)]


ESC = Method(
    id="esc",
    title="Erasing space",
    summary="Drops the leading directions of the forget set's features from what the last layer sees; no training. "
    "Only the last layer changes: features stay as they were.",
    citation="Lee et al. 2025, ESC: Erasing Space Concept (CVPR 2025)",
    group="closed form",
    parameters=(
        PROJECTION(
            "share",
            1.5,
            "Share of feature directions to drop, at least one for each class; published: 1.5 (7 of ResNet-18's 512).",
            high=100,
            unit="%",
            title="Directions to drop",
        ),
    ),
    plan=erasing,
    shared=False,
    needs=("forget set",),
    suits=WHOLE,
    presets=(
        Preset(
            "published",
            "As published",
            "The published share; in narrow layers one direction for each class.",
            {"share": 1.5},
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


def project(context: Context) -> None:
    """Change the head: it no longer sees the directions with most forget energy for each unit of retain energy."""
    values = context.values
    weight = head_weight(context)
    retain, forget = (moments(context, which, values.samples) for which in ("retain", "forget"))
    count = min(values.directions or max(1, len(context.forget_classes)), len(retain))
    projection, ratios = discriminating_projection(retain, forget, count, values.ridge)
    fold(weight, projection)
    context.say(
        f"Dropped {count} of {len(retain)} feature directions; in the last of them the forget set has "
        f"{float(ratios[count - 1]):.3g} times the retain set's energy."
    )


def moments(context: Context, which: str, limit: int) -> torch.Tensor:
    """Return the second moments of a set's features, (C, C) float64."""
    features = context.outputs(which, limit).features
    return gram(features) / len(features)


def discriminating_projection(
    retain: torch.Tensor, forget: torch.Tensor, count: int, ridge: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the projection P (C, C) and all energy ratios m (C,), falling. retain, forget: (C, C) second moments."""
    dropped, measured, ratios = discriminating_directions(retain, forget, count, ridge)
    return torch.eye(len(retain), dtype=torch.float64) - dropped @ measured.T, ratios


def discriminating_directions(
    retain: torch.Tensor, forget: torch.Tensor, count: int, ridge: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return S_r V and V, (C, count) each, of which P = I - (S_r V) V^T is made, and all energy ratios m (C,), falling.

    retain, forget: (C, C) second moments. Solved through retain = L L^T: L^-1 forget L^-T has the eigenvalues m and the
    eigenvectors L^T V.
    """
    identity = torch.eye(len(retain), dtype=torch.float64)
    energy = retain.double() + ridge * retain.diagonal().double().mean() * identity
    root = torch.linalg.cholesky(energy)
    half = torch.linalg.solve_triangular(root, forget.double(), upper=False)
    whitened = torch.linalg.solve_triangular(root, half.T, upper=False)
    ratios, vectors = eigendecomposition((whitened + whitened.T) / 2)
    vectors = vectors[:, :count]
    return root @ vectors, torch.linalg.solve_triangular(root.T, vectors, upper=True), ratios


def projecting(values: Values, facts: Facts) -> list[Edit]:
    """Return the edit of the head, with the images it looks at."""
    return [Edit("project", project, looks=facts.forget + facts.retain + CHECKED)]


LOFT = Method(
    id="loft",
    title="Learnt feature projection",
    summary="Drops from what the last layer sees the directions in which the forget set has most energy for each unit "
    "of the retain set's; no training. Only the last layer changes: features stay as they were.",
    citation="LOFT (arXiv 2601.22456)",
    group="closed form",
    parameters=(
        PROJECTION(
            "directions",
            0,
            "Feature directions to drop; 0 drops one for each class to forget.",
            high=65536,
            title="Directions to drop",
        ),
        PROJECTION.share(
            "ridge",
            0.01,
            "Share of the mean retain energy added in every direction, so that directions with next to none of it do "
            "not count for their noise.",
            low_open=True,
            log=True,
        ),
        PROJECTION.images(
            "samples",
            10_000,
            "Images of each set behind the projection, the same share of every class; 0 takes all.",
            title="Images behind it",
        ),
    ),
    plan=projecting,
    shared=False,
    needs=("forget set", "retain set"),
    suits=WHOLE,
    presets=(
        Preset(
            "default",
            "One direction a class",
            "One direction holds what sets a class apart from all others; more cost retain accuracy.",
            {"directions": 0},
        ),
    ),
    search=(SearchRange("ridge", 1e-4, 0.1),),
    notes=(
        "An edit on the head's side: a probe or an attack that reads features finds the class as before.",
        "Of the publication only the idea was available to us: criterion, closed form and constants are ours.",
    ),
)
