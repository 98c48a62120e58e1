"""TRW: images to forget are to be taken for what a retrained network would take them for, the classes most alike.

    W: the head's weights, one row a class; centred, in their `dimensions` leading principal directions
    s_f(y) = softmax over the kept classes y of cos(W_f, W_y) / sharpness        how much of class f's look class y has
    q(y | x) ~ p(y | x) * exp(beta * s_f(y)) for kept classes y,  0 for forgotten ones       p: the original's outputs
    for batch_r of the retain set, beside it a batch_f of the forget set:
        L = (1 - p) * CE over batch_r  +  p * KL(q || network) over batch_f,     p: the forget set's share of both sets

Hiding a class and scaling the others up leaves them as they were beside it, which on sure outputs is noise. The tilt is
the nearest distribution to that (in KL) in which similar classes are as frequent as they are to be.

Published (arXiv 2506.20893; TREW in its version at ICML 2026): the hidden class, the exponential tilt by similarities
from the head's weights, the cosine in a projected space with a sharp softmax, beta = 10. Text and code were not
available to this project in full: centring, number of directions, sharpness and the weights of the losses are ours.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F

from core.data.batches import Batch
from core.errors import RunError
from core.methods.base import WHOLE, Aux, Context, Facts, Method, Preset, SearchRange, StageOutput, Terms, Train
from core.methods.common import Group, contrasting, forgotten_classes, optimiser_parameters
from core.methods.losses import columns, cross_entropies, divergence, mean_over
from core.parameters import Values

TILT = Group("Tilt")


def similarities(
    rows: torch.Tensor, hidden: tuple[int, ...], sharpness: float, dimensions: int = 0
) -> torch.Tensor:
    """Return s, (K, K) float32: row f says how much of class f's look each kept class has; rows add up to 1.

    rows: the head's weights, (K, C); hidden: classes that are not kept, whose columns are 0. dimensions: principal
    directions of the centred rows that the cosine is taken in; 0: all. A class is not compared with itself.
    """
    rows = rows.cpu().double()
    centred = rows - rows.mean(dim=0)
    if dimensions:
        _, _, directions = torch.linalg.svd(centred, full_matrices=False)
        centred = centred @ directions[:dimensions].T
    unit = F.normalize(centred, dim=1)
    scores = (unit @ unit.T) / sharpness
    scores.fill_diagonal_(float("-inf"))
    scores[:, list(hidden)] = float("-inf")
    return scores.softmax(dim=1).float()


def tilt(context: Context) -> Aux:
    """Return "tilt", (K, K): beta times the similarities, and "forget_classes". Raises RunError without a head's rows.

    Also where no two classes are kept: then there is nothing to tilt between.
    """
    values = context.values
    weight = getattr(context.model.head, "weight", None)
    if not isinstance(weight, torch.Tensor) or len(weight) != context.num_classes:
        raise RunError(f"The head {context.model.head_name} has no weight row per class to compare")
    if context.num_classes - len(context.forget_classes) < 2:
        raise RunError("Tilting needs at least two classes that stay", "Choose another method")
    s = similarities(weight.detach().flatten(1), context.forget_classes, values.sharpness, values.dimensions)
    return {**forgotten_classes(context), "tilt": float(values.beta) * s.to(context.device)}


def tilted_targets(
    teacher: torch.Tensor, labels: torch.Tensor, tilts: torch.Tensor, forget_classes: torch.Tensor
) -> torch.Tensor:
    """Return logits (n, K) whose softmax is q. teacher: (n, K), labels: (n,), tilts: (K, K), forget_classes: (f,)."""
    return (teacher + tilts[labels]).masked_fill(columns(teacher, forget_classes), float("-inf"))


def forget_share(values: Values, facts: Facts) -> float:
    """Return p, 0..1: as set, or the forget set's share of all images."""
    return float(values.forget_weight) if values.forget_weight > 0 else facts.forget / facts.images


def imitate_tilted(out: StageOutput, batch: Batch, aux: Aux, values: Values, *, p: float) -> Terms:
    """Return the weighed loss: images to forget imitate the tilted original, the others keep their labels."""
    target = tilted_targets(out.teacher, batch.labels, aux["tilt"], aux["forget_classes"])
    tilted = mean_over(divergence(out.logits, target), batch.forget, batch.weights)
    kept = mean_over(cross_entropies(out.logits, batch.labels), ~batch.forget)
    return {"loss": (1 - p) * kept + p * tilted, "to the tilted original": tilted, "classification": kept}


def towards_tilted(values: Values, facts: Facts) -> list[Train]:
    """Return one stage over the retain set, with a batch of the forget set beside each of its batches."""
    loss = partial(imitate_tilted, p=forget_share(values, facts))
    return [contrasting("imitate the tilted original", loss, values, refresh=tilt, needs=("teacher",))]


def explain_shares(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say what the weights are."""
    p = forget_share(values, facts)
    return (f"Weights: {p:.3f} for imitating the tilted original, {1 - p:.3f} for the true labels of the others.",)


TRW = Method(
    id="trw",
    title="Tilted reweighting (TRW)",
    summary="Makes outputs on the forgotten class what a retrained network's are likely to be: the original's without "
    "the class, tilted to the classes most like it, while the others keep their labels.",
    citation="Ebrahimpour-Boroojeny, Wang, Sundaram 2025 (arXiv 2506.20893)",
    status="reconstruction",
    group="distillation",
    parameters=(
        TILT.passes(2.0, "Passes over the images to keep."),
        TILT.fewest_steps("a small set of images to keep"),
        TILT("beta", 10.0, "Strength of the tilt; published: 10. 0 hides the class and no more.", high=100),
        TILT(
            "sharpness",
            0.5,
            "Temperature of the softmax that makes similarities of cosines; small: the most similar class takes all.",
            low=0.001,
            high=100,
            log=True,
            title="Temperature of similarities",
        ),
        TILT(
            "dimensions",
            0,
            "Principal directions of the head's rows that cosines are taken in; 0 takes all.",
            high=65536,
            title="Directions of the head",
        ),
        TILT.share(
            "forget_weight",
            0.0,
            "Weight of the images to forget in the loss; 0: their share of all images.",
            title="Weight of the forget set",
        ),
        *optimiser_parameters(lr=0.05, schedule="cosine", weight_decay=5e-4),
    ),
    plan=towards_tilted,
    needs=("forget set", "retain set", "teacher"),
    suits=WHOLE,
    presets=(
        Preset.default(
            "The published tilt, 100 steps at least; chosen on digits and Fashion-MNIST, where sharper similarities "
            "sent a whole class to one other.",
            {"min_steps": 100},
        ),
    ),
    notes=(
        "Published: the form of the tilt, similarities from the head's weights, and a strength of 10. Ours: the number "
        "of directions, the temperature of similarities, and the weights of the two losses.",
        "For whole classes only: where the class stays, hiding it would force a wrong label on every image.",
        "Outputs are what it aims at: look at the probe and the geometry for what features still know.",
    ),
    explain=explain_shares,
    honours_weights=True,
    search=(SearchRange("sharpness", 0.02, 1.0), SearchRange("beta", 1.0, 30.0)),
)
