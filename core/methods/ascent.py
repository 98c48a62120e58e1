"""Gradient ascent: raises the loss on the forget set, alone until a goal is reached, or with a descent in each step.

Gradient ascent, for each batch of the forget set:
    L = -CE(forget batch), rows above the ceiling left out        gradient clipped
    every so many steps: end the run where the goal is reached    the loss has no lower bound of its own

NegGrad+, for batch_r of the retain set, beside it a batch_f of the forget set:
    L = a * CE(batch_r) - (1 - a) * CE(batch_f), forget rows above the ceiling left out

In a pass over the retain set every forget image is seen |D_r|/|D_f| times, so one `a` cannot serve forget sets of
different size. Unless `a` is set, it follows from how much a forget image is to count against an image to keep.
"""

from __future__ import annotations

from functools import partial

import torch

from core.data.batches import Batch
from core.methods.base import Aux, Facts, Method, Preset, SearchRange, StageOutput, Terms, Train
from core.methods.common import Group, contrasting, forgetting, optimiser_parameters
from core.methods.goals import explain_goal, goal_parameters, judges_by_unseen, pull, until_goal
from core.methods.losses import cross_entropies, mean_of, mean_over
from core.parameters import Values

ASCENT = Group("Ascent")


def ascend(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return minus the cross-entropy; an image above the ceiling, or of a kind at its goal, has no gradient."""
    rows = cross_entropies(out.logits, batch.labels)
    risen = rows.clamp(max=values.ceiling) if values.ceiling > 0 else rows
    return {"loss": -mean_of(risen, pull(batch, aux)), "forget cross-entropy": rows.mean()}


def ascending(values: Values, facts: Facts) -> list[Train]:
    """Return passes over the forget set that end at the goal."""
    return [until_goal(forgetting("ascend", ascend, values), values, facts)]


GRADIENT_ASCENT = Method(
    id="gradient-ascent",
    title="Gradient ascent",
    summary="Raises the loss on the images to forget until a goal is reached. It does not look at the images to keep, "
    "so a step too many costs them.",
    citation="Baseline in Golatkar et al. 2020 (arXiv 1911.04933) and Thudi et al. 2022 (arXiv 2109.13398); constants "
    "from the code of Fan et al. 2024 (arXiv 2310.12508, MIT licence)",
    parameters=(
        ASCENT.passes(20.0, "Passes over the forget set at most; published code takes 5 and has no goal."),
        ASCENT.most_steps("the run"),
        *goal_parameters(ASCENT),
        ASCENT(
            "ceiling",
            0.0,
            "Loss above which an image is pushed no further; 0: none. Chance is the logarithm of the class count.",
            title="Loss ceiling",
        ),
        *optimiser_parameters(lr=0.05, clip=1.0, momentum=0.0),
    ),
    plan=ascending,
    needs=("forget set",),
    reads_unseen=judges_by_unseen,
    presets=(
        Preset.for_singles(
            "Small steps until the images are guessed no better than unseen ones.",
            {"goal": "unseen accuracy", "lr": 0.003, "batch": 32, "epochs": 10.0, "max_steps": 200, "check_steps": 1},
        ),
        Preset.default(
            "Small clipped steps up to a ceiling, with a look at the goal after each and 200 steps at most; chosen on "
            "digits and Fashion-MNIST. Published step sizes go from 0.0001 to 0.1 and must be searched for each model.",
            {"lr": 0.02, "ceiling": 1.0, "epochs": 100.0, "max_steps": 200, "check_steps": 1},
        ),
    ),
    notes=(
        "Nothing holds the images to keep: a forgotten class costs seven points of accuracy on the others on "
        "Fashion-MNIST, fourteen on digits.",
        "Ours: the stop rule, the clip and the ceiling. Published code runs a fixed number of passes, which collapses "
        "the network where the step size is not searched.",
        "Ours: no momentum, with which steps run past the goal before a look can end them.",
        "Batch-norm statistics stay as they are; published code lets them drift to the forget set.",
    ),
    explain=explain_goal,
    honours_weights=True,
)


WEIGHTS = Group("Weights")


def retain_weight(values: Values, facts: Facts) -> float:
    """Return a, 0..1: as set, or such that a forget image counts `image_weight` times as much as an image to keep."""
    if values.retain_weight > 0:
        return float(values.retain_weight)
    return facts.retain / (facts.retain + values.image_weight * facts.forget)


def contrast(
    out: StageOutput, batch: Batch, aux: Aux, values: Values, *, a: float, corrective: bool = False
) -> Terms:
    """Return a * CE(retain rows) - (1 - a) * CE(forget rows), forget rows above their ceiling without gradient."""
    rows = cross_entropies(out.logits, batch.labels)
    risen = capped(rows, batch, values, corrective)
    retain = mean_over(rows, ~batch.forget)
    forget = mean_over(risen, batch.forget, batch.weights)
    terms = {"classification": retain, "forget cross-entropy": mean_over(rows, batch.forget)}
    return {"loss": a * retain - (1 - a) * forget, **terms}


def capped(rows: torch.Tensor, batch: Batch, values: Values, corrective: bool = False) -> torch.Tensor:
    """Return losses (n,) no higher than the ceiling of each image's kind; above it a loss has no gradient.

    corrective: labels are wrong, so single images have no ceiling of their own.
    """
    alone = values.ceiling if corrective else values.single_ceiling or values.ceiling
    below = rows.clamp(max=values.ceiling) if values.ceiling > 0 else rows
    return torch.where(batch.alone, rows.clamp(max=alone) if alone > 0 else rows, below)


def descending_too(values: Values, facts: Facts) -> list[Train]:
    """Return one stage over the retain set, with a batch of the forget set beside each of its batches."""
    loss = partial(contrast, a=retain_weight(values, facts), corrective=facts.corrective)
    return [contrasting("descend and ascend", loss, values)]


def explain_weights(values: Values, facts: Facts) -> tuple[str, ...]:
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
            "The same for images that go alone, because unseen images of a class that stays are mostly right; 0, and "
            "in a correction: as the loss ceiling.",
            title="Loss ceiling of single images",
        ),
        *optimiser_parameters(lr=0.05, schedule="cosine", clip=1.0),
    ),
    plan=descending_too,
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
    explain=explain_weights,
    honours_weights=True,
    search=(SearchRange("image_weight", 0.2, 5.0, relative=True),),
)
