"""Parameters and losses that the training-like methods share, declared once."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from core.data.batches import Batch, batches_in
from core.methods.base import Aux, Context, Length, Optimiser, StageOutput, Terms, Train
from core.parameters import Parameter, Values

OPTIMISERS = ("sgd", "nesterov", "adamw")
SCHEDULES = ("constant", "cosine", "one-cycle")


def optimiser_parameters(
    lr: float,
    schedule: str = "constant",
    weight_decay: float = 0.0,
    batch: int = 128,
    momentum: float = 0.9,
    clip: float = 0.0,
    optimiser: str = "sgd",
) -> tuple[Parameter, ...]:
    """Return the parameters of an optimiser with a method's own defaults."""
    group = "Optimiser"
    return (
        Parameter(
            "lr",
            "float",
            lr,
            "How far one step moves the weights.",
            low=0,
            high=10,
            log=True,
            group=group,
            title="Step size",
        ),
        Parameter(
            "batch",
            "int",
            batch,
            "Images in one step.",
            low=1,
            high=65536,
            log=True,
            unit="images",
            group=group,
            title="Batch size",
        ),
        Parameter(
            "optimiser",
            "choice",
            optimiser,
            "How gradients become steps; nesterov is SGD that looks one step ahead.",
            choices=OPTIMISERS,
            group=group,
        ),
        Parameter(
            "momentum", "float", momentum, "Share of the last step carried on (SGD).", low=0, high=0.999, group=group
        ),
        Parameter(
            "weight_decay",
            "float",
            weight_decay,
            "Pull of the weights toward zero.",
            low=0,
            high=1,
            log=True,
            group=group,
        ),
        Parameter(
            "schedule",
            "choice",
            schedule,
            "How the step size changes over the run.",
            choices=SCHEDULES,
            group=group,
            title="Step size schedule",
        ),
        Parameter(
            "clip",
            "float",
            clip,
            "Largest gradient norm; 0 does not clip.",
            low=0,
            high=1e6,
            group=group,
            title="Gradient clip",
        ),
    )


def optimiser_of(values: Values, *, lr: float | None = None, span: str = "stage") -> Optimiser:
    """Build the optimiser that `optimiser_parameters` describe; `lr` replaces the declared step size."""
    return Optimiser(
        values.optimiser,
        values.lr if lr is None else lr,
        values.momentum,
        values.weight_decay,
        values.clip,
        values.schedule,
        span,
    )


def step_limit(steps: int, what: str) -> Parameter:
    """Return the parameter `max_steps`, which keeps a large forget set from taking more steps than forgetting needs."""
    return Parameter(
        "max_steps",
        "int",
        steps,
        f"Most steps in {what}, however large the forget set is; 0: no limit, as published.",
        low=0,
        high=10**6,
        unit="steps",
        title="Most forget steps",
    )


def limited(epochs: float, images: int, batch: int, most: int) -> Length:
    """Return so many passes over a set of `images`, cut off after `most` steps; 0: not cut off."""
    return Length(steps=most) if 0 < most < batches_in(epochs, images, batch) else Length(epochs=epochs)


def least_steps(what: str, group: str) -> Parameter:
    """Return the parameter `min_steps`, with which few images are visited more often."""
    return Parameter(
        "min_steps",
        "int",
        0,
        f"Fewest steps: {what} is visited again until they are reached; 0: as many as the passes have.",
        low=0,
        high=10**6,
        unit="steps",
        group=group,
        title="Fewest steps",
    )


def at_least(epochs: float, images: int, batch: int, least: int) -> Length:
    """Return so many passes over a set of `images`, or `least` steps where that is more."""
    return Length(steps=least) if least > batches_in(epochs, images, batch) else Length(epochs=epochs)


def classification(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Cross-entropy on the true labels."""
    return {"loss": F.cross_entropy(out.logits, batch.labels)}


def forgotten_classes(context: Context) -> Aux:
    """Return the classes that are forgotten as a whole, as a constant of a stage: "forget_classes", (f,) int64."""
    return {"forget_classes": torch.tensor(context.forget_classes, dtype=torch.int64, device=context.device)}


def training(name: str, phase: str, values: Values) -> Train:
    """Return passes of cross-entropy over the retain set, in the one order that all methods share."""
    return Train(
        name=name,
        phase=phase,
        reads="retain",
        loss=classification,
        length=Length(epochs=values.epochs),
        batch=values.batch,
        optimiser=optimiser_of(values),
        stream="train",
    )
