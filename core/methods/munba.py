"""MUNBa: in every step forgetting and keeping bargain for how much each of their gradients counts.

    for batch_r of the retain set, beside it a batch_f of the forget set:
        g_r, g_f = gradients of CE(batch_r) and of CE(batch_f, wrong labels)
        step along a_r * g_r + a_f * g_f, clipped
        a_r, a_f > 0 solve  [[g_r.g_r, g_r.g_f], [g_r.g_f, g_f.g_f]] (a_r, a_f) = (1 / a_r, 1 / a_f)
            that is  a_i = 1 / (|g_i| sqrt(1 + cos(g_r, g_f)))
        where a gradient vanishes or they are opposite: a_r, a_f = 1, 0.1

Published (arXiv 2411.15537): the Nash bargaining solution. Both gradients count by their directions alone, and the step
has the length sqrt(2) before the clip, however small the losses are: only the step size makes it end.

Published code bargains as far as a pass over the forget set goes, and fills the pass over the retain set up with plain
steps. Its text maximises the loss on the forget set, its code lowers that on random labels, drawn in every step.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch

from core.data.batches import Batch, batches_in
from core.methods.base import Aux, Balance, Facts, Length, Method, Preset, SearchRange, StageOutput, Terms, Train
from core.methods.common import Group, contrasting, keeping, optimiser_of, optimiser_parameters
from core.methods.losses import cross_entropies, mean_over
from core.methods.relabelling import CHOICES, DRAWS, draws, explain_labels, wrong_labels
from core.parameters import Values

BARGAIN = Group("Bargain")
LABELS = Group("Labels")

TURNS = ("every step", "over the forget set")
NO_DEAL = 1.0, 0.1  # how much keeping and forgetting count where there is no solution, as published
SMALLEST = 1e-8  # of 1 + cos and, squared, of the product of both lengths: below it there is no solution


def bargained(products: torch.Tensor) -> torch.Tensor:
    """Return how much the gradients of keeping and of forgetting count, (2,), from their inner products, (2, 2)."""
    lengths = products.diagonal().clamp_min(0).sqrt()
    area = lengths.prod()
    agreement = 1 + products[0, 1] / area
    deal = (area > SMALLEST**2) & (agreement > SMALLEST)
    weights = 1 / (lengths * agreement.sqrt())
    return torch.stack([torch.where(deal, weight, none) for weight, none in zip(weights, NO_DEAL, strict=True)])


def propose(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the cross-entropies on retain rows and on forget rows with wrong labels, and their sum, to be shown."""
    labels = torch.where(batch.forget, wrong_labels(batch.labels, batch.ids, aux), batch.labels)
    rows = cross_entropies(out.logits, labels)
    keep, forget = mean_over(rows, ~batch.forget), mean_over(rows, batch.forget, batch.weights)
    return {"loss": keep + forget, "keeping": keep, "forgetting": forget}


def bargains(values: Values, facts: Facts) -> list[Train]:
    """Lay out the passes: every step a bargain, or bargains over the forget set and plain steps after them."""
    always = values.turns == "every step"
    length = Length(1, most=0 if always else values.max_steps)
    plain = batches_in(1, facts.retain, values.batch) - length.steps_over(facts.forget, values.batch)
    stepped = optimiser_of(values, span="run")
    stages: list[Train] = []
    for number in range(values.epochs):
        of = f"pass {number + 1} of {values.epochs}"
        bargain = contrasting(
            f"bargain, {of}",
            propose,
            values,
            length=length,
            optimiser=stepped,
            balance=Balance(("keeping", "forgetting"), bargained),
            refresh=partial(draws, number=number if values.draw == "every pass" else 0),
        )
        stages.append(bargain if always else replace(bargain, reads="forget", beside="retain"))
        if not always and plain > 0:
            unclipped = replace(stepped, clip=0.0)
            stages.append(keeping(f"keep, {of}", values, length=Length(steps=plain), optimiser=unclipped))
    return stages


MUNBA = Method(
    id="munba",
    title="MUNBa",
    summary="Teaches the images to forget wrong labels and the others their own in the same step, in which both "
    "gradients bargain for how much they count.",
    citation="Wu and Harandi 2025 (arXiv 2411.15537); constants from the authors' code (no licence found)",
    group="relabelling",
    parameters=(
        BARGAIN("epochs", 4, "Passes over the images to keep; published: 10.", low=1, unit="passes"),
        BARGAIN.choice(
            "turns",
            TURNS,
            "every step",
            "Whether every step bargains, or, as published, as many in each pass as the forget set has batches, and "
            "the others look at images to keep alone.",
        ),
        BARGAIN.most_steps("a pass over the forget set, where it bargains over that"),
        LABELS.choice(
            "labels",
            CHOICES,
            "kept classes",
            "Wrong labels come from the classes that stay, from all but the true one, or, as published, from all with "
            "the true one.",
        ),
        LABELS.choice(
            "draw",
            DRAWS,
            "once",
            "Whether an image keeps its wrong label, or gets a new one in every pass; published: a new one in every "
            "step, which a pass over the forget set comes to.",
        ),
        *optimiser_parameters(lr=0.02, schedule="cosine", weight_decay=5e-4, clip=1.0),
    ),
    plan=bargains,
    needs=("forget set", "retain set"),
    presets=(
        Preset.for_singles(
            "Bargains over the forget set alone, as published, because a wrong label is more than unseen images have.",
            {"turns": "over the forget set", "epochs": 3, "batch": 32, "lr": 0.05},
        ),
        Preset.default(
            "Every step a bargain, for fewer passes than published, and wrong labels that are wrong; chosen on digits "
            "and Fashion-MNIST."
        ),
        Preset(
            "published",
            "As published",
            "The defaults of the authors' code, for ResNet-18. A small class has so few batches of 256 that it is "
            "hardly forgotten.",
            {
                "epochs": 10, "turns": "over the forget set", "labels": "any class", "draw": "every pass", "lr": 0.01,
                "batch": 256, "schedule": "constant",
            },
        ),
    ),
    notes=(
        "Both gradients count by their directions alone, so steps are equally long however far forgetting has come.",
        "Ours: every step of the default bargains, and an image keeps one wrong label, of a class that stays.",
        "Published code forgets by random labels, which is done here; its text raises the loss on the true ones.",
        "The solution is taken in closed form, as in the published code, which sets up an iterative solver and leaves "
        "it aside.",
        "Batch-norm statistics stay as they are in steps that bargain; published code lets them move. Every stage "
        "starts with fresh momentum.",
    ),
    explain=explain_labels,
    honours_weights=True,
    search=(SearchRange("epochs", 1, 6, log=False),),
)  # fmt: skip
