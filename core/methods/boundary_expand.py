"""Boundary Expand: forget images are sent to an extra class, which is not part of the network and so goes by itself.

z' = (z, f · w)        logits of the network, and the extra class's: one fixed random row w over the features
L  = CE(z', K)         on forget images
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from core.data.batches import Batch, derive_seed
from core.methods.base import (
    STEP_SIZE_SEARCH,
    Aux,
    Context,
    Facts,
    Method,
    Preset,
    SearchRange,
    StageOutput,
    Terms,
    Train,
)
from core.methods.boundary import CITATION, EPOCHS, optimiser, stage_options
from core.methods.common import limited, step_limit
from core.methods.losses import cross_entropies, mean_of
from core.parameters import Values


def extra_row(context: Context) -> Aux:
    """Return the extra class's row (C,), drawn as a new linear layer's weights are: uniform within 1/sqrt(C)."""
    channels = context.model.feature_dim
    generator = torch.Generator().manual_seed(derive_seed(context.seed, "extra class"))
    row = (2 * torch.rand(channels, generator=generator) - 1) / math.sqrt(channels)
    return {"extra_row": row.to(context.device)}


def toward_extra(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Cross-entropy toward the extra class, the last of K + 1."""
    extended = torch.cat([out.logits, (out.features @ aux["extra_row"])[:, None]], dim=1)
    target = torch.full_like(batch.labels, out.logits.shape[1])
    return {"loss": mean_of(cross_entropies(extended, target), batch.weights)}


def plan(values: Values, facts: Facts) -> list[Train]:
    """One stage over the forget set."""
    return [
        Train(
            name="expand into an extra class",
            loss=toward_extra,
            length=limited(values.epochs, facts.forget, values.batch, values.max_steps),
            refresh=extra_row,
            **stage_options(values),
        )
    ]


BOUNDARY_EXPAND = Method(
    id="boundary-expand",
    title="Boundary Expand",
    summary="Sends the images to forget to an extra class that is taken away afterwards, without looking at the images "
    "to keep.",
    citation=CITATION,
    status="baseline",
    group="relabelling",
    parameters=(EPOCHS, replace(step_limit(0, "the run"), group="Forgetting"), *optimiser(lr=0.0003, momentum=0.5)),
    plan=plan,
    needs=frozenset({"forget set"}),
    suits=frozenset({"class"}),
    presets=(
        Preset(
            "default",
            "Default",
            "At most 30 small steps, because nothing holds the images to keep; chosen on digits and Fashion-MNIST. "
            "Published step sizes start at 1e-5 with momentum 0.9 and are searched for every model.",
            {"max_steps": 30},
            suits=frozenset({"class"}),
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
    search=(STEP_SIZE_SEARCH, SearchRange("epochs", 0.2, 1.0, relative=True)),
)
