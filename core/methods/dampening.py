"""Selective synaptic dampening: shrink the weights that matter more for the forget set than for all data.

    I_D, I_F = mean over all training images, over the forget set, of (d loss / d weight)^2 of single images
    where I_F > alpha * I_D:   weight <- weight * min(lambda * I_D / I_F, 1)

Published (arXiv 2308.07707). The published code squares gradients of batch means, so that its importances, and with
them what an alpha means, change with the batch size; here they are of single images. As the forget set is a part of
all data, I_F is at most |D| / |D_f| times I_D: from that alpha on nothing can be dampened.

Label-free dampening (arXiv 2402.19308) takes importances that need no labels: mean over a set of
|d ||logits||^2 / d weight| of single images; published, of a batch's mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from core.methods.base import Context, Facts, Method, Objective, Preset, SearchRange
from core.methods.common import Group
from core.methods.losses import cross_entropies
from core.methods.strength import STRENGTH, closed_form, mean_sizes, searched, strength_of, weights_of
from core.parameters import Parameter, Values

IMPORTANCE = Group("Importance")

Importance = Mapping[str, torch.Tensor]  # of each weight, by parameter name
PRESETS = (
    Preset.for_singles(
        "Expect next to no effect: what matters for single images matters for the rest of their class.",
        {"max_drop": 0.02},
        "Threshold searched",
    ),
    Preset(
        "search",
        "Threshold searched",
        "A tenth of what the published constant leaves of a chosen weight, with which fewer weights are enough; "
        "chosen on digits and Fashion-MNIST.",
        {"max_drop": 0.05, "dampening": 0.1},
    ),
)
LOWEST_ALPHA = 1.0  # of the search: below it only weights would be added that the dampening constant leaves alone


def dampened(
    weights: Importance, on_all: Importance, on_forget: Importance, alpha: float, strength: float
) -> tuple[dict[str, torch.Tensor], float]:
    """Return the dampened weights and the share (0..1) of weights that were chosen; everything by parameter name.

    A weight is chosen where on_forget > alpha * on_all and multiplied by min(strength * on_all / on_forget, 1).
    """
    changed, chosen, total = {}, 0, 0
    for name, weight in weights.items():
        here = on_forget[name] > alpha * on_all[name]
        factor = (strength * on_all[name] / on_forget[name].clamp_min(torch.finfo(torch.float32).tiny)).clamp_max(1)
        changed[name] = torch.where(here, weight * factor, weight)
        chosen += int(here.sum())
        total += weight.numel()
    return changed, chosen / max(1, total)


def dampen(context: Context, objective: Objective, size: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Change the network: shrink the weights that matter more for the forget set, with the given or searched alpha.

    How much a weight matters is the mean `size` of the gradients of the `objective` of single samples.
    """
    values, facts = context.values, context.facts
    limit = values.importance_samples
    on_all, on_forget = (mean_sizes(context, which, objective, size, limit) for which in ("all", "forget"))
    before = weights_of(context)

    def at(alpha: float) -> tuple[dict[str, torch.Tensor], float]:
        return dampened(before, on_all, on_forget, alpha, values.dampening)

    without_effect = facts.images / facts.forget
    alpha = strength_of(context, lambda alpha: at(alpha)[0], values.alpha, without_effect, LOWEST_ALPHA)
    weights, share = at(alpha)
    context.say(f"Dampened {100 * share:.2f} % of the weights at alpha {alpha:.3g}.")
    context.model.write(weights)


def dampening_parameters(importance: str) -> tuple[Parameter, ...]:
    """Return the parameters of dampening by what the form calls `importance`."""
    return (
        *searched(
            STRENGTH(
                "alpha",
                3.0,
                f"Dampen weights whose {importance} on the forget set is more than so many times that on all images; "
                "published: 10 to 50 with gradients of batches. From (all images / forget images) on it changes "
                "nothing.",
                high=1e9,
                log=True,
                title="Selection threshold",
            ),
            "the threshold",
        ),
        STRENGTH(
            "dampening",
            1.0,
            "How little of a chosen weight is left: it is multiplied by so many times the ratio of the importances, at "
            "most by 1; published: 1, on faces 0.1.",
            high=1e6,
            log=True,
            title="Dampening constant",
        ),
        IMPORTANCE.images(
            "importance_samples",
            10_000,
            "Images of each set that importances are taken from, the same share of every class; 0 takes all.",
            title="Images behind importances",
        ),
    )


def gradients(values: Values, facts: Facts) -> int:
    """Return how many images gradients are taken of: of all, and of those to forget."""
    return sum(min(images, values.importance_samples or images) for images in (facts.images, facts.forget))


def dampening_method(
    objective: Objective, size: Callable[[torch.Tensor], torch.Tensor], called: str, **card: Any
) -> Method:
    """Return a method that dampens by an importance (see `dampen`), `called` so in its form; `card` is what is its own.

    That it searches for alpha, its presets and what it reads do not depend on the kind of importance.
    """
    return closed_form(
        "dampen",
        partial(dampen, objective=objective, size=size),
        gradients,
        parameters=dampening_parameters(called),
        needs=("forget set", "retain set"),
        presets=PRESETS,
        search=(SearchRange("dampening", 0.1, 1.0),),
        **card,
    )


SSD = dampening_method(
    cross_entropies,
    torch.square,
    "importance",
    id="ssd",
    title="Selective synaptic dampening",
    summary="Shrinks the weights that matter more for the forget set than for all images; no training. "
    "It can hardly tell single images from the rest of their class.",
    citation="Foster, Schoepf, Brintrup 2024 (arXiv 2308.07707)",
    notes=(
        "Published constants (alpha 10 for ResNet-18) are for gradients of batch means; with gradients of single "
        "images alpha acts only below the ratio of all images to forget images, so it is searched.",
        "There is a cliff between no effect and damage: expect a few points of retain accuracy for a whole class.",
        "Batch-norm weights are dampened like all others; their running statistics stay.",
    ),
)


def squared_norms(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the squared length of each sample's logits, (n,); labels are not looked at."""
    return logits.square().sum(dim=1)


LFSSD = dampening_method(
    squared_norms,
    torch.abs,
    "pull on the outputs",
    id="lfssd",
    title="Label-free dampening",
    summary="Shrinks the weights that move the outputs more for the forget set than for all images; needs no labels. "
    "It can hardly tell single images from the rest of their class.",
    citation="Foster, Fogarty, Schoepf, Öztireli, Brintrup 2024 (arXiv 2402.19308)",
    notes=(
        "Published constants (alpha 10 for a class, 3.5 for single images) are for gradients of batch means; with "
        "gradients of single images alpha acts only below the ratio of all images to forget images, so it is searched.",
        "Importances look at no labels; the search does, to tell what retain accuracy it costs.",
        "Batch-norm weights are dampened like all others; their running statistics stay.",
    ),
)
