"""DELETE: forget images imitate the original's ranking of the other classes; the images to keep are not needed.

forget batch:  L = KL( softmax(original logits, true class hidden) || softmax(logits) )
"""

from __future__ import annotations

from core.data.batches import Batch
from core.methods.base import WHOLE, Aux, Facts, Method, Preset, StageOutput, Terms, Train
from core.methods.common import Group, forgetting, forgotten_classes, optimiser_parameters
from core.methods.losses import hidden_classes, masked_distillation
from core.parameters import Values

DISTILLATION = Group("Distillation")


def imitate_without_the_class(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the divergence from the original's outputs in which the true class, or all forgotten ones, are hidden."""
    hidden = hidden_classes(values.mask, out.logits, batch.labels, aux["forget_classes"])
    return {"loss": masked_distillation(out.logits, out.teacher, hidden, values.temperature, weights=batch.weights)}


def plan(values: Values, facts: Facts) -> list[Train]:
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
    plan=plan,
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
