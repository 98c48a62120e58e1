"""SFR-on: a step up the loss on the forget set, on the weights that matter more for it, then steps of repair.

    mask <- where mean (d CE / d weight)^2 over forget images >= threshold * that over images to keep
    for each batch of the forget set:
        L = -a(t) * sum c_i CE_i / sum c_i         c_i = CE_i^-evenness, a constant: images still known count more
            masked weights alone; gradient clipped; images above the ceiling left out
        a(t) falls from `forget_weight` to 0 by half a cosine, and the step size with it
        `retain_steps` times:  L = CE(retain batch)                          all weights, the same momentum

Published (arXiv 2409.19732). Its text has slow weights follow the fast ones of this inner loop by a share; in the
published code that share is 1 for classification, so the fast weights are all there is, as here.

Ours: the ceiling, without which a class of the digits costs the network; squared gradients are of single images, not
of batches; and unless a threshold is set, the mask takes the `share` of weights with the largest ratio.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import torch

from core.data.batches import Batch, batches_in
from core.methods.ascent import capped
from core.methods.base import (
    Alternate,
    Aux,
    Context,
    Facts,
    Length,
    Method,
    Preset,
    SearchRange,
    StageOutput,
    Terms,
)
from core.methods.common import Group, forgetting, keeping, optimiser_of, optimiser_parameters
from core.methods.losses import cross_entropies
from core.methods.relabelling import top_share
from core.methods.strength import mean_sizes
from core.parameters import Values

FORGETTING = Group("Forgetting")
MASK = Group("Mask")

SMALLEST = 1e-15  # added to what is divided by, as published


def saliency_mask(context: Context) -> Aux:
    """Return "mask/<parameter>", bool: True where a step on the forget set may move a weight."""
    values = context.values
    gone, kept = (
        mean_sizes(context, which, cross_entropies, torch.square, values.samples) for which in ("forget", "retain")
    )
    ratio = {name: (size + SMALLEST) / (kept[name] + SMALLEST) for name, size in gone.items()}
    if values.threshold > 0:
        chosen = {name: value >= values.threshold for name, value in ratio.items()}
    else:
        chosen = top_share(ratio, values.share)
    movable = sum(int(where.sum()) for where in chosen.values()) / sum(where.numel() for where in chosen.values())
    context.say(f"Steps on the forget set move {100 * movable:.1f} % of the weights.")
    return {f"mask/{name}": where for name, where in chosen.items()}


def forget_weight(values: Values, progress: float) -> float:
    """Return a at `progress` (0..1) of the run."""
    return float(values.forget_weight) * (1 + math.cos(math.pi * progress)) / 2


def ascend(out: StageOutput, batch: Batch, aux: Aux, values: Values, *, corrective: bool = False) -> Terms:
    """Return minus the weighed mean of the losses; an image above its ceiling has no gradient."""
    rows = cross_entropies(out.logits, batch.labels)
    counts = (rows.detach() + SMALLEST).pow(-values.evenness)
    risen = (counts * batch.weights * capped(rows, batch, values, corrective)).sum() / counts.sum()
    return {"loss": -forget_weight(values, out.progress) * risen, "forget cross-entropy": rows.mean()}


def forget_and_repair(values: Values, facts: Facts) -> list[Alternate]:
    """Return one stage in which a step on the forget set and steps on the retain set take turns."""
    turns = max(1, round(batches_in(values.epochs, facts.retain, values.batch) / values.retain_steps))
    unclipped = replace(optimiser_of(values), clip=0.0)
    loss = partial(ascend, corrective=facts.corrective)
    forget = forgetting("forget", loss, values, length=Length(steps=turns), refresh=saliency_mask)
    repair = keeping("repair", values, optimiser=unclipped, masked=False)
    return [Alternate("forget and repair", (forget, *[repair] * values.retain_steps))]


def explain_turns(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say what takes turns and what the mask is."""
    rule = (
        f"weights whose squared gradient on the forget set is at least {values.threshold:g} times that on images to "
        "keep"
        if values.threshold > 0
        else f"{100 * values.share:.0f} % of the weights"
    )
    each = "each step" if values.retain_steps == 1 else f"every {values.retain_steps} steps"
    return (f"Steps on the forget set move {rule}; {each} on images to keep, which move all, there is one.",)


SFR_ON = Method(
    id="sfr-on",
    title="SFR-on",
    summary="Raises the loss on the images to forget on the weights that matter more for them, and repairs after each "
    "such step with several on the images to keep.",
    citation="Huang et al. 2024 (arXiv 2409.19732); constants from the authors' code (no licence found)",
    parameters=(
        FORGETTING.passes(4.0, "Passes over the images to keep; published: 1,500 steps, which are 4.3 on CIFAR-10."),
        FORGETTING(
            "retain_steps", 5, "Steps on images to keep after each one on the forget set; published: 5.", low=1
        ),
        FORGETTING(
            "forget_weight",
            25.0,
            "Weight of the loss on the forget set at the start; it falls to 0. Published: 25.",
            high=1e5,
            log=True,
        ),
        FORGETTING.share(
            "evenness",
            0.5,
            "How much more an image counts whose loss is still low: its loss to minus this power; published: 0.5.",
        ),
        FORGETTING(
            "ceiling",
            8.0,
            "Loss above which a forget image is pushed no further; 0: none, as published.",
            title="Loss ceiling",
        ),
        FORGETTING(
            "single_ceiling",
            1.0,
            "The same for images that go alone, because unseen images of a class that stays are mostly right; 0, and "
            "in a correction: as the loss ceiling.",
            title="Loss ceiling of single images",
        ),
        MASK.share(
            "share",
            0.5,
            "Share of all weights that steps on the forget set may move, those that matter most for it beside the "
            "images to keep.",
            low_open=True,
            title="Share that forgets",
        ),
        MASK(
            "threshold",
            0.0,
            "How many times as large as on images to keep a weight's squared gradient on the forget set must be, in "
            "place of a share; 0: by the share. Published: 1.",
            high=1e9,
            title="Saliency threshold",
        ),
        MASK.images("samples", 2000, "Images of each set behind the mask; 0: all, as published."),
        *optimiser_parameters(lr=0.03, schedule="cosine", batch=64, weight_decay=5e-4, clip=1.0),
    ),
    plan=forget_and_repair,
    needs=("forget set", "retain set"),
    presets=(
        Preset.default(
            "The published weights and turns, with a ceiling, half of the weights and a tighter clip; chosen on "
            "digits and Fashion-MNIST."
        ),
        Preset(
            "published",
            "As published",
            "The authors' setting for 10 % random samples of CIFAR-10. On small data it hardly moves: a class that is "
            "known for sure has next to no gradient to begin with.",
            {
                "epochs": 4.3, "ceiling": 0.0, "single_ceiling": 0.0, "threshold": 1.0, "samples": 0, "lr": 0.01,
                "batch": 128, "clip": 7.0,
            },
        ),
    ),
    notes=(
        "Ours: the ceilings, without which the loss on the forget set rises far above a retrained network's and small "
        "networks are lost.",
        "Ours: the mask takes a share of the weights; the published threshold is there, and leaves a third of them "
        "for a class and fewer for some random images. Squared gradients are of single images, not of batches.",
        "In steps on the forget set weights outside the mask stay bit for bit. Published code clears their gradients, "
        "so that momentum of steps on images to keep still moves them.",
        "The slow weights of the publication follow the fast ones whole in its code for classification, so there are "
        "none here.",
        "Batch-norm statistics stay as they are while forget images pass; published code lets them move.",
    ),
    explain=explain_turns,
    copies=lambda values, facts: 0.25,  # the mask: a byte for each weight of four
    honours_weights=True,
    search=(SearchRange("forget_weight", 0.1, 10.0, relative=True),),
)  # fmt: skip
