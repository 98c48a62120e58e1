"""NegGrad+: lowers the loss on the retain set and raises it on the forget set, in the same step.

    for batch_r of the retain set, beside it a batch_f of the forget set:
        L = a * CE(batch_r) - (1 - a) * CE(batch_f), forget rows above the ceiling left out

In a pass over the retain set every forget image is seen |D_r|/|D_f| times, so one `a` cannot serve forget sets of
different size. Unless `a` is set, it follows from how much a forget image is to count against an image to keep.
"""

from __future__ import annotations

from functools import partial

import torch

from core.data.batches import Batch
from core.methods.base import Aux, Facts, Method, Preset, SearchRange, StageOutput, Terms, Train
from core.methods.common import Group, contrasting, optimiser_parameters
from core.methods.losses import cross_entropies, mean_over
from core.parameters import Values

WEIGHTS = Group("Weights")


def retain_weight(values: Values, facts: Facts) -> float:
    """Return a, 0..1: as set, or such that a forget image counts `image_weight` times as much as an image to keep."""
    if values.retain_weight > 0:
        return float(values.retain_weight)
    return facts.retain / (facts.retain + values.image_weight * facts.forget)


def contrast(out: StageOutput, batch: Batch, aux: Aux, values: Values, *, a: float) -> Terms:
    """Return a * CE(retain rows) - (1 - a) * CE(forget rows), forget rows above their ceiling without gradient."""
    rows = cross_entropies(out.logits, batch.labels)
    risen = capped(rows, batch, values)
    retain = mean_over(rows, ~batch.forget)
    forget = mean_over(risen, batch.forget, batch.weights)
    terms = {"classification": retain, "forget cross-entropy": mean_over(rows, batch.forget)}
    return {"loss": a * retain - (1 - a) * forget, **terms}


def capped(rows: torch.Tensor, batch: Batch, values: Values) -> torch.Tensor:
    """Return losses (n,) no higher than the ceiling of each image's kind; above it a loss has no gradient."""
    alone = values.single_ceiling or values.ceiling
    below = rows.clamp(max=values.ceiling) if values.ceiling > 0 else rows
    return torch.where(batch.alone, rows.clamp(max=alone) if alone > 0 else rows, below)


def plan(values: Values, facts: Facts) -> list[Train]:
    """Return one stage over the retain set, with a batch of the forget set beside each of its batches."""
    return [contrasting("descend and ascend", partial(contrast, a=retain_weight(values, facts)), values)]


def explain(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say what the weight is."""
    a = retain_weight(values, facts)
    how = "as set" if values.retain_weight > 0 else f"one forget image counts like {values.image_weight:g} to keep"
    return (
        f"Weights: {a:.4f} for the loss on images to keep, {1 - a:.4f} against the loss on the forget set ({how}).",
    )


NEGGRAD_PLUS = Method(
    id="neggrad-plus",
    title="NegGrad+",
    summary="Lowers the loss on the images to keep and raises it on those to forget, in the same step.",
    citation="Kurmanji et al. 2023 (arXiv 2302.09880); strong when tuned: Cadet et al. 2024 (arXiv 2410.01276)",
    parameters=(
        WEIGHTS.passes(4.0, "Passes over the images to keep."),
        WEIGHTS("image_weight", 1.0, "How much one image to forget counts against one to keep.", log=True),
        WEIGHTS.share(
            "retain_weight",
            0.0,
            "The weight a of the loss on images to keep; 0: from the image weight and the sizes of the two sets. "
            "Published values go from 0.85 to 0.9999.",
        ),
        WEIGHTS(
            "ceiling",
            10.0,
            "Loss above which a forget image is pushed no further; 0: none. Chance is the logarithm of the number of "
            "classes; a network that never saw a class gives it 5 and more.",
            title="Loss ceiling",
        ),
        WEIGHTS(
            "single_ceiling",
            0.0,
            "The same for images that go alone, because unseen images of a class that stays are mostly right; 0: as "
            "the loss ceiling.",
            title="Loss ceiling of single images",
        ),
        *optimiser_parameters(lr=0.05, schedule="cosine", clip=1.0),
    ),
    plan=plan,
    needs=("forget set", "retain set"),
    presets=(
        Preset.for_singles(
            "A forget image stops at a low loss, because unseen images of a class that stays are mostly right.",
            {"ceiling": 1.0, "schedule": "constant"},
        ),
        Preset.default(
            "Every image has the same weight; published weights of the forget set go from 0.0001 to 0.15.",
            {"single_ceiling": 1.0},
        ),
    ),
    notes=(
        "Published code takes one weight for all forget sets; ours follows the sizes of the sets unless it is set.",
        "Ours: the ceiling, without which the loss on the forget set rises far above a retrained network's.",
        "Batch-norm statistics stay as they are, because half of every step's images are to be forgotten.",
    ),
    explain=explain,
    honours_weights=True,
    search=(SearchRange("image_weight", 0.2, 5.0, relative=True),),
)
