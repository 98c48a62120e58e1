"""SalUn: random labels on the salient weights only, those whose forget gradient is largest.

    mask <- the `share` of all weights with the largest |mean gradient of CE over the forget set|, ranked globally
    random labels, where weights outside the mask stay as they are, bit for bit

Masking gradients alone is not enough: weight decay and momentum move a weight without a gradient. The engine puts
masked weights back after every step.
"""

from __future__ import annotations

import torch

from core.methods.base import STEP_SIZE_SEARCH, Aux, Context, Facts, Method, Preset, SearchRange, Train
from core.methods.common import optimiser_parameters
from core.methods.losses import cross_entropies
from core.methods.relabelling import RELABELLING, relabelling_stages
from core.parameters import Parameter, Values


def saliency_mask(context: Context) -> Aux:
    """Return "mask/<parameter>", bool: True where a weight may move."""
    gradient = context.gradient("forget", cross_entropies)
    return {f"mask/{name}": chosen for name, chosen in top_share(gradient, context.values.share).items()}


def top_share(gradient: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    """Return where the largest `share` of all entries by size lies, across tensors: bool in each one's shape.

    Exactly round(share * total) entries are True, also where many are equal.
    """
    sizes = torch.cat([value.abs().flatten() for value in gradient.values()])
    chosen = torch.zeros(len(sizes), dtype=torch.bool, device=sizes.device)
    chosen[sizes.topk(round(share * len(sizes)), sorted=False).indices] = True
    parts = chosen.split([value.numel() for value in gradient.values()])
    return {name: part.reshape(value.shape) for (name, value), part in zip(gradient.items(), parts, strict=True)}


def plan(values: Values, facts: Facts) -> list[Train]:
    """Random labels with a mask that is made before the first step and kept to the last."""
    return relabelling_stages(values, facts, first=saliency_mask, keeps=("mask/",))


def explain(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say how much may move."""
    parts = [f"{100 * values.share:.0f} % of all weights may move; the others stay as they are."]
    if values.labels == "any class":
        parts.append(f"One in {facts.num_classes} images is taught its own label again: any class may be drawn.")
    return tuple(parts)


SALUN = Method(
    id="salun",
    title="SalUn",
    summary="Random labels, with steps only on the weights that matter most for the images to forget.",
    citation="Fan et al. 2024 (arXiv 2310.12508); constants from the authors' code (MIT licence)",
    status="baseline",
    group="relabelling",
    parameters=(
        Parameter(
            "share",
            "float",
            0.5,
            "Share of all weights that stays trainable, those with the largest forget gradient; the rest is frozen. "
            "Published values go from 0.1 to 0.9.",
            low=0,
            high=1,
            low_open=True,
            group="Mask",
            title="Share kept trainable",
        ),
        *RELABELLING,
        *optimiser_parameters(lr=0.03, schedule="cosine", batch=64),
    ),
    plan=plan,
    needs=frozenset({"forget set", "retain set"}),
    presets=(
        Preset(
            "samples",
            "Single images",
            "Small steps, because a wrong label is more than unseen images have.",
            {"lr": 0.01, "epochs": 1},
            frozenset({"sample"}),
        ),
        Preset(
            "default",
            "Default",
            "Half of the weights, as published, with wrong labels that are wrong and at most 10 steps toward them in a "
            "pass; chosen on digits and Fashion-MNIST.",
            {"lr": 0.02, "max_steps": 10},
        ),
        Preset(
            "published",
            "As published",
            "The authors' setting for 10 % random samples of CIFAR-10; step sizes there go from 0.0005 to 0.05.",
            {
                "labels": "any class",
                "draw": "every pass",
                "epochs": 10,
                "batch": 256,
                "lr": 0.013,
                "weight_decay": 5e-4,
            },
        ),
    ),
    notes=(
        "As published, the mask is made from the size of the mean gradient, so gradients of different images cancel; "
        "it ranks all weights together, batch norm and head included.",
        "Batch-norm statistics are no weights: they stay as they are on forget images and move on images to keep. "
        "Every stage starts with fresh momentum.",
        "The default never teaches an image its own label; the published variant may.",
    ),
    explain=explain,
    copies=lambda values, facts: 0.25,  # the mask: a byte for each weight of four
    honours_weights=True,
    search=(STEP_SIZE_SEARCH, SearchRange("share", 0.1, 0.9, log=False)),
)
