"""Label-free dampening: as selective synaptic dampening, with importances that need no labels.

    importance = mean over a set of |d ||logits||^2 / d weight| of single images

Published (arXiv 2402.19308); there the gradient is of a batch's mean, here of single images, as in `ssd`.
"""

from __future__ import annotations

import torch

from core.methods.base import Context, Edit, Facts
from core.methods.ssd import Importance, dampening, dampening_method
from core.parameters import Values


def squared_norms(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the squared length of each sample's logits, (n,); labels are not looked at."""
    return logits.square().sum(dim=1)


def output_importance(context: Context, which: str, limit: int | None) -> Importance:
    """Return the mean size of the gradient of the logits' squared norm over single samples of a set."""
    total: dict[str, torch.Tensor] = {}
    count = 0
    for rows in context.sample_gradients(which, squared_norms, limit):
        for name, found in rows.items():
            sizes = found.abs().sum(dim=0)
            total[name] = total[name] + sizes if name in total else sizes
        count += len(next(iter(rows.values())))
    return {name: value / max(1, count) for name, value in total.items()}


def plan(values: Values, facts: Facts) -> list[Edit]:
    """One change of weights."""
    return dampening(values, facts, output_importance)


LFSSD = dampening_method(
    "pull on the outputs",
    id="lfssd",
    title="Label-free dampening",
    summary="Shrinks the weights that move the outputs more for the forget set than for all images; needs no labels. "
    "It can hardly tell single images from the rest of their class.",
    citation="Foster, Fogarty, Schoepf, Öztireli, Brintrup 2024 (arXiv 2402.19308)",
    plan=plan,
    notes=(
        "Published constants (alpha 10 for a class, 3.5 for single images) are for gradients of batch means; with "
        "gradients of single images alpha acts only below the ratio of all images to forget images, so it is searched.",
        "Importances look at no labels; the search does, to tell what retain accuracy it costs.",
        "Batch-norm weights are dampened like all others; their running statistics stay.",
    ),
)
