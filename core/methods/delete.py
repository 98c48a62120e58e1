"""DELETE: forget images imitate the original's ranking of the other classes; the images to keep are not needed.

forget batch:  L = KL( softmax(original logits, true class hidden) || softmax(logits) )
"""

from __future__ import annotations

from core.data.batches import Batch
from core.methods.base import Aux, Facts, Length, Method, Preset, StageOutput, Terms, Train
from core.methods.common import forgotten_classes, optimiser_of, optimiser_parameters
from core.methods.losses import hidden_classes, masked_distillation
from core.parameters import Parameter, Values


def imitate_without_the_class(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Divergence from the original's outputs without the true class."""
    assert out.teacher is not None
    hidden = hidden_classes(values.mask, batch.labels, out.logits.shape[1], aux["forget_classes"])
    return {"loss": masked_distillation(out.logits, out.teacher, hidden, values.temperature, weights=batch.weights)}


def plan(values: Values, facts: Facts) -> list[Train]:
    """One stage on the forget set alone."""
    return [
        Train(
            name="distil without the class",
            phase="forget",
            reads="forget",
            loss=imitate_without_the_class,
            length=Length(epochs=values.epochs),
            batch=values.batch,
            optimiser=optimiser_of(values),
            refresh=forgotten_classes,
            batch_norm=values.batch_norm,
            needs=frozenset({"teacher"}),
            augment=False,
        )
    ]


DELETE = Method(
    id="delete",
    title="DELETE",
    summary="Makes outputs on the forgotten class like the original's with that class hidden, from its images alone.",
    citation="Zhou et al. 2025 (arXiv 2503.23751); constants from the authors' code, which names no licence",
    status="baseline",
    group="distillation",
    parameters=(
        Parameter(
            "epochs",
            "float",
            20.0,
            "Passes over the forget set; published code takes 20.",
            low=0,
            high=1000,
            unit="passes",
            group="Distillation",
        ),
        Parameter(
            "mask",
            "choice",
            "true class",
            "What is hidden in the original's outputs: the image's own class, as published, or every forgotten class.",
            choices=("true class", "forget classes"),
            group="Distillation",
        ),
        Parameter(
            "temperature",
            "float",
            1.0,
            "Softens both outputs before they are compared; published code takes 1.",
            low=0.01,
            high=1000,
            log=True,
            group="Distillation",
        ),
        Parameter(
            "batch_norm",
            "choice",
            "frozen",
            "Whether running statistics stay as they are or move to the forget set; published code has both.",
            choices=("frozen", "train"),
            group="Distillation",
        ),
        *optimiser_parameters(lr=0.001, batch=32, clip=1.0),
    ),
    plan=plan,
    needs=frozenset({"forget set", "teacher"}),
    suits=frozenset({"class"}),
    presets=(
        Preset(
            "default",
            "Default",
            "Published length, smaller batches, and a clip; the step size still wants a search on every model.",
            suits=frozenset({"class"}),
        ),
        Preset(
            "published",
            "As published",
            "The authors' setting for ResNet-18 on CIFAR-10: step size 0.0001.",
            {"lr": 1e-4, "batch": 128, "clip": 0.0},
            frozenset({"class"}),
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
