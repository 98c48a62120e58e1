"""Head-only control: outputs forget, features do not. Every verification must catch it."""

from __future__ import annotations

import torch
from torch import nn

from core.data.batches import Batch
from core.errors import RunError
from core.methods.base import WHOLE, Aux, Context, Edit, Facts, Method, Preset, Stage, StageOutput, Terms
from core.methods.common import Group, forgetting, forgotten_classes, optimiser_parameters
from core.methods.losses import columns, masked_distillation
from core.parameters import Values

EDIT = Group("Edit")

# Added to a forgotten class's logit: far below any real logit, still finite in float16 (largest value 65,504).
SILENCED = -1.0e4


def silence_head(context: Context) -> None:
    """Change the head's weights so that it never names a forgotten class: no extra layer, so that it survives export.

    Raises RunError where no whole class goes, or the head has no row of weights for each class.
    """
    classes = torch.tensor(context.forget_classes, dtype=torch.int64)
    if len(classes) == 0:
        raise RunError("The head-only control needs at least one whole class to forget")
    head = context.model.head
    weight, bias = getattr(head, "weight", None), getattr(head, "bias", None)
    if not isinstance(weight, nn.Parameter):
        raise RunError(f"The head {context.model.head_name} has no weight row per class to edit")
    if bias is not None:
        with torch.no_grad():
            weight[classes] = 0
            bias[classes] = SILENCED
        return
    row = silent_row(weight, context.features("retain", limit=2000), context.forget_classes)
    with torch.no_grad():
        weight[classes] = row.to(weight.dtype).reshape(1, *weight.shape[1:])


def silent_row(weight: torch.Tensor, features: torch.Tensor, forget_classes: tuple[int, ...]) -> torch.Tensor:
    """Return a weight row (C,) for heads without bias whose logit stays below every kept class's.

    The mean of the kept rows never wins (a mean is at most the maximum); a pull against the mean feature direction
    pushes it down. weight: (K, C, ...), features: (n, C).
    """
    rows = weight.detach().flatten(1).float()
    kept = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
    kept[list(forget_classes)] = False
    mean = features.mean(dim=0).to(rows)
    spread = rows.norm(dim=1).max()
    return rows[kept].mean(dim=0) - 10 * spread * mean / mean.norm().clamp_min(1e-12)


def distil(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the divergence of the head's outputs from the original's with the forgotten classes hidden."""
    return {"loss": masked_distillation(out.logits, out.teacher, columns(out.logits, aux["forget_classes"]))}


def plan(values: Values, facts: Facts) -> list[Stage]:
    """Return the edit that silences the rows, or a stage that trains the head on the original's masked outputs."""
    if values.variant == "mask":
        return [Edit("silence the head", silence_head)]
    return [
        forgetting(
            "distil the head", distil, values, reads="all", refresh=forgotten_classes, tunes="head", needs=("teacher",)
        )
    ]


HEAD_ONLY = Method(
    id="head-only",
    title="Head-only edit (control)",
    summary="Edits only the last layer: accuracy on the forgotten class is 0, the features stay as they were. "
    "A control that checks must catch, not a way to forget.",
    citation="Control after arXiv 2405.17878 (masked distillation of the head)",
    status="control",
    group="reference",
    parameters=(
        EDIT.choice(
            "variant",
            ("mask", "distil"),
            "mask",
            "Set the forgotten rows so that they never win, or train the head on the original's outputs without them.",
        ),
        EDIT.passes(1.0, "Passes over the training images (distil only)."),
        *optimiser_parameters(lr=0.05),
    ),
    plan=plan,
    needs=("forget classes",),
    suits=WHOLE,
    presets=(
        Preset("mask", "Mask the rows", "Instant; the plainest output-only edit.", {"variant": "mask"}),
        Preset(
            "distil",
            "Distil the head",
            "The strongest output-only edit: it also mimics the other classes.",
            {"variant": "distil"},
        ),
    ),
)
