"""Boundary Unlearning: looks at the forget set alone and trains it toward wrong answers.

Boundary Unlearning (Chen et al. 2023, arXiv 2303.11570) moves the decision boundary of the class to forget, by giving
its images to the nearest other class ("shrink") or to an extra class that is taken away afterwards ("expand").

Shrink, for each batch of the forget set:
    x' = x + eps · sign(d CE(original(x), y) / dx)             one step toward the boundary (FGSM)
    t  = the class that stays for which original(x') is largest
    L  = CE(network(x), t)

Expand:
    z' = (z, f · w)        logits of the network, and the extra class's: one fixed random row w over the features
    L  = CE(z', K)         on forget images; the extra class is not part of the network and so goes by itself
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from core.data.batches import Batch, derive_seed
from core.methods.base import (
    WHOLE,
    Aux,
    Context,
    Facts,
    Method,
    Networks,
    Preset,
    SearchRange,
    StageOutput,
    Terms,
    Train,
)
from core.methods.common import Group, forgetting, forgotten_classes, optimiser_parameters
from core.methods.losses import cross_entropies, hidden_classes, mean_of
from core.models.tap import TappedModel
from core.parameters import Parameter, Values

FORGETTING = Group("Forgetting")

CITATION = "Chen et al. 2023: Boundary Unlearning (arXiv 2303.11570)"

EPOCHS = FORGETTING.passes(10.0, "Passes over the forget set; published: 10.")


def optimiser(lr: float, momentum: float) -> tuple[Parameter, ...]:
    """Return the parameters of the published optimiser, SGD on batches of 64; its momentum of 0.9 is not ours.

    With that, the few steps of a small forget set run past the goal before the loss turns.
    """
    return optimiser_parameters(lr=lr, batch=64, momentum=momentum)


def logits_and_gradient(
    network: TappedModel, images: torch.Tensor, value: Callable[[torch.Tensor], torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a network's logits (n, K) on images, and the gradient to these, (n, C, H, W), of a value of the logits."""
    moving = images.detach().clone().requires_grad_(True)
    logits = network(moving).logits.float()
    (gradient,) = torch.autograd.grad(value(logits), moving)
    return logits.detach(), gradient


def adversarial(networks: Networks, batch: Batch, size: float) -> torch.Tensor:
    """Return images (n, C, H, W) one signed gradient step away from their class, within the range of pixels.

    `size` is a share of that range, so that a step is the same whatever the preprocessing.
    """
    assert networks.teacher is not None
    _, gradient = logits_and_gradient(
        networks.teacher, batch.images, lambda logits: F.cross_entropy(logits, batch.labels, reduction="sum")
    )
    moved = batch.images.detach() + size * (networks.high - networks.low) * gradient.sign()
    return torch.minimum(torch.maximum(moved, networks.low), networks.high)


def nearest_wrong(networks: Networks, batch: Batch, aux: Aux, values: Values) -> Batch:
    """Return the batch with each image's nearest class that stays as its label; never the true one."""
    assert networks.teacher is not None
    moved = adversarial(networks, batch, values.adversarial_step)
    with torch.no_grad():
        logits = networks.teacher(moved).logits.float()
    hidden = hidden_classes("forget classes", logits, batch.labels, aux["forget_classes"])
    return dataclasses.replace(batch, labels=logits.masked_fill(hidden, float("-inf")).argmax(dim=1))


def toward_labels(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the cross-entropy on the labels that `nearest_wrong` gave the batch, each image by its weight."""
    return {"loss": mean_of(cross_entropies(out.logits, batch.labels), batch.weights)}


def shrink(values: Values, facts: Facts) -> list[Train]:
    """Return one stage over the forget set, whose images get the nearest class that stays as their label."""
    return [
        forgetting(
            "shrink the class",
            toward_labels,
            values,
            refresh=forgotten_classes,
            prepare=nearest_wrong,
            by_image=True,
            teacher_passes=3,
        )
    ]


BOUNDARY_SHRINK = Method(
    id="boundary-shrink",
    title="Boundary Shrink",
    summary="Gives the images to forget to the nearest class that stays, without looking at the images to keep.",
    citation=CITATION,
    group="relabelling",
    parameters=(
        EPOCHS,
        FORGETTING.fewest_steps("a small forget set"),
        FORGETTING.share(
            "adversarial_step",
            0.1,
            "Length of the step that finds the nearest class, as a share of the range of pixels; published: 0.1.",
            low_open=True,
        ),
        *optimiser(lr=0.01, momentum=0.0),
    ),
    plan=shrink,
    needs=("forget set", "teacher"),
    suits=WHOLE,
    presets=(
        Preset.default(
            "400 steps at least, and larger ones than published, with which the other classes settle again; chosen on "
            "digits and Fashion-MNIST. Published step sizes start at 1e-5 with momentum 0.9 and are searched for every "
            "model.",
            {"min_steps": 400},
        ),
    ),
    notes=(
        "Nothing holds the images to keep: a forgotten class costs a point of accuracy on the others on Fashion-MNIST, "
        "five on digits, and a step size too large far more.",
        "Ours: the true class and the other forgotten ones are never the nearest (published code keeps the true label "
        "where the step does not reach another class), the step is a share of the range of pixels whatever the "
        "preprocessing, and batch-norm statistics stay as they are.",
        "Left out: the curvature term and the weighting of labels, extras of the published code.",
    ),
    honours_weights=True,
    search=(SearchRange("epochs", 0.2, 1.0, relative=True),),
)


def extra_row(context: Context) -> Aux:
    """Return the extra class's row (C,), drawn as a new linear layer's weights are: uniform within 1/sqrt(C)."""
    channels = context.model.feature_dim
    generator = torch.Generator().manual_seed(derive_seed(context.seed, "extra class"))
    row = (2 * torch.rand(channels, generator=generator) - 1) / math.sqrt(channels)
    return {"extra_row": row.to(context.device)}


def toward_extra(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the cross-entropy toward the extra class, the last of K + 1, each image by its weight."""
    extended = torch.cat([out.logits, (out.features @ aux["extra_row"])[:, None]], dim=1)
    target = torch.full_like(batch.labels, out.logits.shape[1])
    return {"loss": mean_of(cross_entropies(extended, target), batch.weights)}


def expand(values: Values, facts: Facts) -> list[Train]:
    """Return one stage over the forget set, toward a class that the network does not have."""
    return [forgetting("expand into an extra class", toward_extra, values, refresh=extra_row)]


BOUNDARY_EXPAND = Method(
    id="boundary-expand",
    title="Boundary Expand",
    summary="Sends the images to forget to an extra class that is taken away afterwards, without looking at the images "
    "to keep.",
    citation=CITATION,
    group="relabelling",
    parameters=(EPOCHS, FORGETTING.most_steps("the run"), *optimiser(lr=0.0003, momentum=0.5)),
    plan=expand,
    needs=("forget set",),
    suits=WHOLE,
    presets=(
        Preset.default(
            "At most 30 small steps, because nothing holds the images to keep; chosen on digits and Fashion-MNIST. "
            "Published step sizes start at 1e-5 with momentum 0.9 and are searched for every model.",
            {"max_steps": 30},
        ),
    ),
    notes=(
        "Nothing holds the images to keep: a forgotten class costs five points of accuracy on the others on "
        "Fashion-MNIST, and up to thirty on digits.",
        "Without the extra class the largest of the other outputs wins, and for some images that is still the true "
        "class: on the digits example for up to a third of them.",
        "Ours: the extra class is a fixed random row beside the network's outputs. In the publication it is a new unit "
        "of the head, trained along and cut off at the end; the network here has the same layers throughout, so every "
        "checkpoint of a run is a model.",
        "Batch-norm statistics stay as they are.",
    ),
    honours_weights=True,
    search=(SearchRange("epochs", 0.2, 1.0, relative=True),),
)
