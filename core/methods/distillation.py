"""Distillation: forget images imitate a teacher that does not know them.

Bad teacher: forget images imitate a network that knows nothing, images to keep imitate the original.
    for batch_r of a share of the retain set, beside it a batch_f of the forget set:
        L = (1 - p) * mean KL(original || network)  over batch_r  +  p * mean KL(untrained || network)  over batch_f
        p = |D_f| / (|D_f| + |share of D_r|)
Published code shuffles both sets together. Taking a batch of each and weighing by p has the same expected gradient,
with less noise where the forget set is small.

DELETE: forget images imitate the original's ranking of the other classes; the images to keep are not needed.
    for each batch of the forget set:
        L = KL( softmax(original logits, true class hidden) || softmax(logits) )
"""

from __future__ import annotations

from functools import partial

from core.data.batches import Batch
from core.methods.base import WHOLE, Aux, Facts, Method, Preset, SearchRange, StageOutput, Terms, Train
from core.methods.common import (
    Group,
    contrasting,
    forgetting,
    forgotten_classes,
    optimiser_parameters,
    share_of_mixture,
)
from core.methods.losses import divergence, hidden_classes, masked_distillation, mean_over
from core.parameters import Values

TEACHERS = Group("Teachers")


def forget_weight(values: Values, facts: Facts) -> float:
    """Return p, 0..1: as set, or the share of forget images in a shuffled mixture of both sets."""
    return float(values.forget_weight) or share_of_mixture(facts, values.retain_share)


def imitate(out: StageOutput, batch: Batch, aux: Aux, values: Values, *, p: float) -> Terms:
    """Return the weighed loss: forget images imitate the untrained network, the others the original.

    p, 0..1: the weight of the untrained network.
    """
    good = mean_over(divergence(out.logits, out.teacher, values.temperature), ~batch.forget)
    bad = mean_over(divergence(out.logits, out.untrained, values.temperature), batch.forget, batch.weights)
    return {"loss": (1 - p) * good + p * bad, "from the original": good, "from the untrained": bad}


def from_two_teachers(values: Values, facts: Facts) -> list[Train]:
    """Return one stage over a share of the retain set, with a batch of the forget set beside each of its batches."""
    return [
        contrasting(
            "imitate two teachers",
            partial(imitate, p=forget_weight(values, facts)),
            values,
            needs=("teacher", "untrained"),
            share=values.retain_share,
        )
    ]


def explain_weights(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say what the weight is."""
    p = forget_weight(values, facts)
    return (f"Weights: {p:.3f} for imitating the untrained network, {1 - p:.3f} for imitating the original.",)


BAD_TEACHER = Method(
    id="bad-teacher",
    title="Bad teacher",
    summary="Makes outputs on the forget set like an untrained network's and keeps the others like the original's. "
    "Features stay much as they were.",
    citation="Chundawat et al. 2023 (arXiv 2205.08096); constants from the authors' code (MIT licence)",
    group="distillation",
    parameters=(
        TEACHERS.passes(
            10.0, "Passes over the share of the images to keep; published code takes 1, on far larger data."
        ),
        TEACHERS.share(
            "retain_share", 0.3, "Share of the images to keep that is read; published code takes 0.3.", low_open=True
        ),
        TEACHERS.share(
            "forget_weight",
            0.0,
            "Weight of the untrained teacher; 0: the share that forget images have of what is read, as published.",
        ),
        TEACHERS.temperature(1.0, "Softens outputs before they are compared; published code takes 1."),
        *optimiser_parameters(lr=0.02, schedule="cosine", clip=1.0),
    ),
    plan=from_two_teachers,
    needs=("forget set", "retain set", "teacher"),
    presets=(
        Preset.for_singles(
            "Few small steps: more of them make forget images stand out, because an untrained network is unsure of "
            "them and a retrained one is not.",
            {"epochs": 3.0, "lr": 0.01, "schedule": "constant"},
        ),
        Preset.default("The published share of images; step size and length are for small data."),
        Preset(
            "published",
            "As published",
            "One pass of AdamW at 0.0001 in batches of 256.",
            {"epochs": 1, "optimiser": "adamw", "lr": 1e-4, "batch": 256},
        ),
    ),
    notes=(
        "Divergences are sums over classes and means over images. Published code takes the mean over classes too, so "
        "its loss is smaller by the number of classes.",
        "An untrained network is not indifferent: its outputs have a structure of their own, and forget images with "
        "outputs like that can be told from images a retrained network never saw.",
        "Batch-norm statistics stay as they are; the untrained network has fresh ones.",
    ),
    explain=explain_weights,
    honours_weights=True,
    search=(SearchRange("retain_share", 0.1, 1.0, log=False),),
)


DISTILLATION = Group("Distillation")


def imitate_without_the_class(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the divergence from the original's outputs in which the true class, or all forgotten ones, are hidden."""
    hidden = hidden_classes(values.mask, out.logits, batch.labels, aux["forget_classes"])
    return {"loss": masked_distillation(out.logits, out.teacher, hidden, values.temperature, weights=batch.weights)}


def without_the_class(values: Values, facts: Facts) -> list[Train]:
    """Return one stage over the forget set alone."""
    return [
        forgetting(
            "distil without the class",
            imitate_without_the_class,
            values,
            refresh=forgotten_classes,
            batch_norm=values.batch_norm,
            needs=("teacher",),
        )
    ]


DELETE = Method(
    id="delete",
    title="DELETE",
    summary="Makes outputs on the forgotten class like the original's with that class hidden, from its images alone.",
    citation="Zhou et al. 2025 (arXiv 2503.23751); constants from the authors' code, which names no licence",
    group="distillation",
    parameters=(
        DISTILLATION.passes(20.0, "Passes over the forget set; published code takes 20."),
        DISTILLATION.choice(
            "mask",
            ("true class", "forget classes"),
            "true class",
            "What is hidden in the original's outputs: the image's own class, as published, or every forgotten class.",
        ),
        DISTILLATION.temperature(1.0, "Softens both outputs before they are compared; published code takes 1."),
        DISTILLATION.choice(
            "batch_norm",
            ("frozen", "train"),
            "frozen",
            "Whether running statistics stay as they are or move to the forget set; published code has both.",
        ),
        *optimiser_parameters(lr=0.001, batch=32, clip=1.0),
    ),
    plan=without_the_class,
    needs=("forget set", "teacher"),
    suits=WHOLE,
    presets=(
        Preset.default(
            "Published length, smaller batches, and a clip; the step size still wants a search on every model."
        ),
        Preset(
            "published",
            "As published",
            "The authors' setting for ResNet-18 on CIFAR-10: step size 0.0001.",
            {"lr": 1e-4, "batch": 128, "clip": 0.0},
        ),
    ),
    notes=(
        "Nothing holds the images to keep: too many steps cost accuracy on them, too few leave the class.",
        "For whole classes only: where the class stays, hiding it would force a wrong label on every image.",
        "With several forgotten classes the published mask hides one at a time, so they name each other; hide every "
        "forgotten class to avoid that.",
    ),
    honours_weights=True,
)
