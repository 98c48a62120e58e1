"""Fisher forgetting: noise on the weights, large where the retain set does not care.

    F = mean over retain images of sum_y p(y | x) (d log p(y | x) / d weight)^2       (diagonal Fisher information)
    weight <- weight + sqrt(alpha * min(1 / (F + 1e-8), 1000)) * standard normal noise

Published (arXiv 1911.04933, with constants of its code and of Unlearn-Sparse, MIT). The expectation is over labels of
the network's own, not the true ones: here exactly over each image's most probable labels, instead of one draw an
image. The text of the publication has the fourth root of alpha / F; its code, like this, the square root. The code's
further factors (ten for the head and for norms, the mean over a row) are left out; that it also replaces the forgotten
classes' rows of the head is an option, because that alone is an edit of the head.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F

from core.data.batches import derive_seed
from core.errors import RunError
from core.methods.base import Context, Facts, Preset, SearchRange
from core.methods.common import Group
from core.methods.strength import STRENGTH, closed_form, mean_sizes, searched, strength_of, weights_of
from core.parameters import Values

HEAD = Group("Head")
INFORMATION = Group("Information")

SMALLEST_INFORMATION = 1e-8  # added to F, as published
LARGEST_VARIANCE = 1e3  # of the noise for alpha = 1, as published: weights without information are not lost at once
ROW_DEVIATION = 1e-2  # of replaced rows of the head, as published
WEAKEST, STRONGEST = 1e-10, 1.0  # alphas of the search: noise of 0.0003 and of 30 where there is no information


def expected_log_probability(logits: torch.Tensor, labels: torch.Tensor, rank: int) -> torch.Tensor:
    """Return sqrt(p) log p of each sample's label of that rank (0: the most probable), sqrt(p) without gradient, (n,).

    The squared gradient is that label's part of the Fisher information's expectation.
    """
    log_p = F.log_softmax(logits, dim=1).topk(rank + 1, dim=1).values[:, rank]
    return (log_p.detach() / 2).exp() * log_p


def information(context: Context, limit: int, labels: int) -> dict[str, torch.Tensor]:
    """Return the diagonal Fisher information of the retain set by parameter name, over the most probable labels."""
    total: dict[str, torch.Tensor] = {}
    for rank in range(min(labels, context.num_classes)):
        part = mean_sizes(context, "retain", partial(expected_log_probability, rank=rank), torch.square, limit)
        total = {name: value + total[name] if total else value for name, value in part.items()}
    return total


def noise(context: Context, fisher: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the noise for alpha = 1 by parameter name; it depends on the run's seed and not on the device."""
    unit = {}
    for name, value in fisher.items():
        generator = torch.Generator().manual_seed(derive_seed(context.seed, "fisher", name))
        drawn = torch.randn(value.shape, generator=generator).to(value)
        unit[name] = drawn * (1 / (value + SMALLEST_INFORMATION)).clamp_max(LARGEST_VARIANCE).sqrt()
    return unit


def scatter(context: Context) -> None:
    """Change the network: add the noise and, where asked for, replace the head's rows of the forgotten classes."""
    values = context.values
    unit = noise(context, information(context, values.samples, values.labels))
    before = weights_of(context)

    def at(alpha: float) -> dict[str, torch.Tensor]:
        return {name: weight + alpha**0.5 * unit[name] for name, weight in before.items()}

    alpha = strength_of(context, at, values.alpha, WEAKEST, STRONGEST)
    weights = at(alpha)
    if values.replace_rows:
        replace_rows(context, weights)
    context.say(f"Added noise at alpha {alpha:.3g}.")
    context.model.write(weights)


def replace_rows(context: Context, weights: dict[str, torch.Tensor]) -> None:
    """Put small noise into the head's rows of the forgotten classes, in place in `weights` by parameter name.

    Raises RunError where the head has no row per class.
    """
    named = [f"{context.model.head_name}.{name}" for name in ("weight", "bias")]
    if named[0] not in weights:
        raise RunError(f"The head {context.model.head_name} has no weight row per class to replace")
    for name in named:
        if name in weights:
            rows = weights[name][list(context.forget_classes)]
            generator = torch.Generator().manual_seed(derive_seed(context.seed, "fisher rows", name))
            drawn = torch.randn(rows.shape, generator=generator)
            weights[name][list(context.forget_classes)] = ROW_DEVIATION * drawn.to(rows)


def gradients(values: Values, facts: Facts) -> int:
    """Return how many images gradients are taken of: the sample of the retain set, once for each label."""
    return int(min(values.labels, facts.num_classes) * min(facts.retain, values.samples or facts.retain))


FISHER = closed_form(
    "add noise",
    scatter,
    gradients,
    id="fisher",
    title="Fisher forgetting",
    summary="Adds noise to the weights, large where the images to keep do not depend on them; no training. "
    "Without an edit of the last layer it forgets little before it does damage.",
    citation="Golatkar, Achille, Soatto 2020 (arXiv 1911.04933)",
    parameters=(
        *searched(
            STRENGTH(
                "alpha",
                1e-6,
                "Variance of the noise for a weight of information 1; published: 1e-9 to 1e-6.",
                high=1e3,
                log=True,
                title="Strength of the noise",
            ),
            "the strength",
        ),
        HEAD(
            "replace_rows",
            False,
            "Also replace the forgotten classes' rows of the last layer by noise, as the published code does; that "
            "alone is an edit of the head.",
            title="Replace the head's rows",
        ),
        INFORMATION.images(
            "samples",
            2000,
            "Images to keep that the information is taken from; 0 takes all, as published.",
            title="Images behind information",
        ),
        INFORMATION(
            "labels",
            10,
            "Most probable labels of each image that the information is summed over, a pass each.",
            low=1,
            high=10**6,
            title="Labels behind information",
        ),
    ),
    needs=("retain set",),
    presets=(
        Preset.for_singles("Noise alone, for no row of the head is theirs.", {"max_drop": 0.05}),
        Preset(
            "published",
            "As published",
            "Noise as strong as the images to keep bear, and new rows in the head, which are what lowers the class's "
            "accuracy.",
            {"replace_rows": True},
        ),
        Preset(
            "noise",
            "Noise alone",
            "Shows what the noise does by itself: on digits it costs both sides about the same.",
            {"max_drop": 0.05},
        ),
    ),
    search=(SearchRange("max_drop", 0.005, 0.1),),
    notes=(
        "By itself the noise hardly tells forget from retain images: it lowers both accuracies. A class goes by the "
        "replaced rows of the head, as in the published code.",
        "The information is an expectation over each image's most probable labels, without true labels. Factors of the "
        "published code for single layers are left out.",
        "Running statistics of batch norm stay. The noise follows from the run's seed.",
    ),
)
