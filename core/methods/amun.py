"""AMUN: forget images are unlearned through adversarial images near them, with the labels the original gives these.

    for each forget image x of class y, once, on the original:
        x' <- x; radius <- `start`
        up to `steps` times, until x' is taken for a class y' other than y:
            x' <- x' + radius / 10 * g / |g|,  g = gradient of CE(original(x'), y);  back into the ball and the range
        else the radius doubles, and again
    L = (1 - p) * mean CE over batch_r  +  p * mean CE(network(x'), y') over as many x'
        batch_r of the retain set, or of all images with their own labels;  p = their share in a shuffled mixture

Published (arXiv 2503.00917) for single images: the images to forget stay in their class and become less sure. Where the
images to keep are at hand, the publication goes on with those to forget among them (`own_labels`), or without.

Here g is the gradient of the odds against y, which has the direction of the cross-entropy's and does not vanish where
an image is known for sure. Distances are shares of the range of pixels, whatever the preprocessing.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch

from core.data.batches import Batch, joined
from core.methods.base import (
    SINGLE,
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
from core.methods.boundary import logits_and_gradient
from core.methods.common import Group, forgetting, optimiser_parameters
from core.methods.losses import cross_entropies, mean_over
from core.parameters import Values

SEARCH = Group("Search")
TRAINING = Group("Training")

STEP = 0.1  # of the search, as a share of the radius, as published
MOST_DOUBLINGS = 12  # of the radius: far beyond any image; published code goes on for good
SMALLEST = 1e-10  # length of a vector that is divided by it, as published
NO_SAMPLE = -1  # id of an image that is none of the data's

IMAGES, LABELS, WEIGHTS = "adversarial", "adversarial_labels", "adversarial_weights"


def odds_summed(logits: torch.Tensor, *, labels: torch.Tensor) -> torch.Tensor:
    """Return the sum of the logarithms of the odds against each image's class, 0-d. logits: (n, K), labels: (n,) int64.

    Cross-entropy is log(1 + exp of such a logarithm): it rises with it, so both have gradients of one direction.
    """
    others = logits.scatter(1, labels[:, None], float("-inf")).logsumexp(dim=1)
    return (others - logits.gather(1, labels[:, None]).squeeze(1)).sum()


def lengths(rows: torch.Tensor) -> torch.Tensor:
    """Return the Euclidean lengths of images (n, C, H, W) in a shape to divide them by, and not below SMALLEST."""
    return rows.flatten(1).norm(dim=1).clamp_min(SMALLEST).view(-1, 1, 1, 1)


def stepped(
    images: torch.Tensor, start: torch.Tensor, gradient: torch.Tensor, radius: torch.Tensor, span: torch.Tensor
) -> torch.Tensor:
    """Return images (n, C, H, W) a tenth of their radius further up, none further than its radius from its start.

    gradient: to the images; radius: (n,), in shares of the range of pixels; span: (C, 1, 1), that range.
    """
    ball, uphill = radius.view(-1, 1, 1, 1), gradient * span
    away = (images - start) / span + STEP * ball * uphill / lengths(uphill)
    return start + span * away * (ball / lengths(away)).clamp_max(1)


def nearest(context: Context, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return an adversarial image for each image of a batch, (n, C, H, W), and what the network takes it for, (n,).

    Where no radius is enough the image is the last one tried, and its label the class next to its own.
    """
    network, (low, high), steps = context.model, context.pixel_range, context.values.steps
    found, named = batch.images.clone(), batch.labels.clone()
    left = torch.arange(len(batch), device=batch.labels.device)
    images, radius = batch.images, torch.full((len(batch),), float(context.values.start), device=batch.images.device)
    for taken in range((MOST_DOUBLINGS + 1) * steps + 1):
        labels = batch.labels[left]
        logits, gradient = logits_and_gradient(network, images, partial(odds_summed, labels=labels))
        context.passed(len(left))
        found[left], named[left] = images, logits.scatter(1, labels[:, None], float("-inf")).argmax(dim=1)
        still = torch.nonzero(logits.argmax(dim=1) == labels).flatten()
        if not len(still):
            break
        left, images, gradient, radius = left[still], images[still], gradient[still], radius[still]
        radius = radius * 2 if taken and taken % steps == 0 else radius
        moved = stepped(images, batch.images[left], gradient, radius, high - low)
        images = torch.minimum(torch.maximum(moved, low), high)
        context.check()
    return found, named


def adversarial_images(context: Context) -> Aux:
    """Return the adversarial images of the forget set, (m, C, H, W), with labels and weights, (m,) each."""
    parts: dict[str, list[torch.Tensor]] = {IMAGES: [], LABELS: [], WEIGHTS: []}
    distances = []
    low, high = context.pixel_range
    with context.model.frozen():
        for batch in context.batches("forget"):
            found, named = nearest(context, batch)
            distances.append(lengths((found - batch.images) / (high - low)).flatten())
            for name, value in ((IMAGES, found), (LABELS, named), (WEIGHTS, batch.weights)):
                parts[name].append(value)
    far = torch.cat(distances)
    context.say(
        f"The adversarial images are {float(far.median()):.2g} of the range of pixels away in the median, "
        f"{float(far.max()):.2g} at most."
    )
    return {name: torch.cat(values) for name, values in parts.items()}


def with_adversarial(networks: Networks, batch: Batch, aux: Aux, values: Values) -> Batch:
    """Return the batch with as many adversarial images behind it, drawn without repetition, as are there at most.

    They alone are marked as to be forgotten.
    """
    generator, there = networks.generator, len(aux[IMAGES])
    drawn = torch.randperm(there, generator=generator, device=generator.device)[: len(batch)]
    beside = Batch(
        images=aux[IMAGES][drawn],
        labels=aux[LABELS][drawn],
        ids=torch.full_like(drawn, NO_SAMPLE),
        forget=torch.ones_like(drawn, dtype=torch.bool),
        weights=aux[WEIGHTS][drawn],
        alone=torch.ones_like(drawn, dtype=torch.bool),
    )
    return joined(replace(batch, forget=torch.zeros_like(batch.forget)), beside)


def learn_both(out: StageOutput, batch: Batch, aux: Aux, values: Values, *, p: float) -> Terms:
    """Return the weighed cross-entropies of images read and of adversarial ones. p, 0..1: the weight of the latter."""
    rows = cross_entropies(out.logits, batch.labels)
    read, beside = mean_over(rows, ~batch.forget), mean_over(rows, batch.forget, batch.weights)
    return {"loss": (1 - p) * read + p * beside, "images read": read, "adversarial images": beside}


def on_adversarial_images(values: Values, facts: Facts) -> list[Train]:
    """Return one stage over the retain set, or over all images, with adversarial images behind each batch."""
    read = facts.images if values.own_labels else facts.retain
    return [
        forgetting(
            "learn adversarial images",
            partial(learn_both, p=facts.forget / (read + facts.forget)),
            values,
            "all" if values.own_labels else "retain",
            augment=True,
            refresh=adversarial_images,
            drops=(IMAGES, LABELS, WEIGHTS),
            prepare=with_adversarial,
        )
    ]


def explain_adversarial(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say what is read beside adversarial images."""
    if values.own_labels and facts.corrective:
        return ("The images to forget are read too, with their own labels: in a correction these are the fault.",)
    if values.own_labels:
        return ("The images to forget are read too, with their own labels: they are to become less sure, not wrong.",)
    return ("The images to forget themselves are not read after the search.",)


AMUN = Method(
    id="amun",
    title="AMUN",
    summary="Teaches the network the nearest adversarial image of each image to forget, with the label the original "
    "gives it, among images to keep: it becomes less sure there and hardly changes elsewhere.",
    citation="Ebrahimpour-Boroojeny et al. 2025 (arXiv 2503.00917); constants from the authors' code (no licence "
    "found)",
    group="relabelling",
    parameters=(
        SEARCH(
            "start",
            0.1,
            "Radius at which the search begins, as a share of the range of pixels (Euclidean, over a whole image); "
            "published: 0.01 and 0.04.",
            low_open=True,
            log=True,
            title="First radius",
        ),
        SEARCH(
            "steps",
            10,
            "Steps of the search at each radius, a tenth of it long; published: 50, of which most go along the edge.",
            low=1,
            high=10000,
        ),
        TRAINING.passes(3.0, "Passes over the images to keep; published: 10, with steps ten times smaller in each."),
        TRAINING(
            "own_labels",
            False,
            "Whether images to forget are read too, with their own labels. The publication has both.",
            title="Forget images with their own labels",
        ),
        *optimiser_parameters(lr=0.03, schedule="cosine", weight_decay=5e-4),
    ),
    plan=on_adversarial_images,
    needs=("forget set", "retain set"),
    suits=SINGLE,
    presets=(
        Preset.default(
            "A short search and without the forget images themselves; chosen on digits and Fashion-MNIST."
        ),
        Preset(
            "published",
            "As published",
            "The authors' code for 10 % random samples of CIFAR-10. Its step size falls tenfold after each pass, so "
            "the first is nine tenths of the way.",
            {
                "start": 0.04, "steps": 50, "epochs": 1.1, "own_labels": True, "lr": 0.01, "schedule": "constant",
            },
        ),
    ),
    notes=(
        "For single images, as published. An adversarial image lies barely across the boundary, so of a whole class "
        "moved there some of Fashion-MNIST's was still recognised.",
        "The search comes before the first step and takes some fifty passes for each image to forget: for a tenth of "
        "the images about what retraining costs. What it found is a constant of the run and stands in its checkpoints.",
        "Ours: adversarial images are drawn anew for each batch and weighed by their share; published code shuffles "
        "them into the images read. Those are augmented, adversarial images never.",
        "Left out: going on without any image to keep.",
        "Batch-norm statistics stay as they are; published code lets them move.",
    ),
    explain=explain_adversarial,
    honours_weights=True,
    search=(SearchRange("epochs", 0.3, 3.0, relative=True),),
)  # fmt: skip
