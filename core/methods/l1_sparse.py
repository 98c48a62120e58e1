"""L1-sparse: fine-tuning on the retain set under a pull of all weights to zero that fades.

L = CE(retain batch) + a(t) * sum of |w| over weights and biases outside normalisation layers
a(t) falls from `l1` to 0 in a straight line, and stays 0 for the last `unpenalised` share of the run
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from core.data.batches import Batch
from core.methods.base import Aux, Context, Facts, Method, Preset, SearchRange, StageOutput, Terms, Train
from core.methods.common import Group, keeping, optimiser_parameters
from core.parameters import Values

PENALTY = Group("Penalty")

NORMALISING = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def normalises(module: nn.Module) -> bool:
    """Tell whether a module is a normalisation layer: one of torch's, or one of somebody's own by name and shape."""
    if isinstance(module, NORMALISING):
        return True
    own = list(module.parameters(recurse=False))
    return "norm" in type(module).__name__.lower() and all(parameter.ndim <= 1 for parameter in own)


def normalising_parameters(context: Context) -> Aux:
    """Return "norm/<parameter>" for every parameter of a normalisation layer: its scale is no connection to prune."""
    modules = context.model.module.named_modules()
    names = [
        f"{prefix}.{name}" if prefix else name
        for prefix, module in modules
        if normalises(module)
        for name, _ in module.named_parameters(recurse=False)
    ]
    return {f"norm/{name}": torch.tensor(True, device=context.device) for name in names}


def penalty_weight(values: Values, progress: float) -> float:
    """Return a at `progress` (0..1) of the run."""
    penalised = 1 - values.unpenalised
    return float(values.l1) * max(0.0, 1 - progress / penalised) if penalised > 0 else 0.0


def sparse_classification(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the cross-entropy plus the weighted L1 norm of what is trained, normalisation layers left out."""
    classification = F.cross_entropy(out.logits, batch.labels)
    sizes = [p.abs().sum() for name, p in out.parameters.items() if f"norm/{name}" not in aux]
    penalty = penalty_weight(values, out.progress) * torch.stack(sizes).sum()
    return {"loss": classification + penalty, "classification": classification, "L1 penalty": penalty}


def plan(values: Values, facts: Facts) -> list[Train]:
    """Return one stage over the retain set, in the order that all methods share."""
    return [
        keeping(
            "fine-tune under the penalty",
            values,
            sparse_classification,
            refresh=normalising_parameters,
            needs=("parameters",),
        )
    ]


L1_SPARSE = Method(
    id="l1-sparse",
    title="L1-sparse",
    summary="Fine-tuning under a fading pull of all weights to zero; what only the forget set needed stays away.",
    citation="Jia et al. 2023 (arXiv 2304.04934); constants from the authors' code (MIT licence)",
    parameters=(
        PENALTY.passes(10.0, "Passes over the images to keep; published code takes 10."),
        PENALTY.fewest_steps("a small set of images to keep"),
        PENALTY(
            "l1",
            0.002,
            "Weight of the sum of all weights' sizes at the start. Published values go from 0.000001 to 0.0005, for "
            "networks of 11 million weights; smaller networks want more.",
            high=10,
            log=True,
            title="Penalty weight",
        ),
        PENALTY.share(
            "unpenalised", 0.0, "Share of the run, at its end, without the penalty.", title="Share without penalty"
        ),
        *optimiser_parameters(lr=0.2, schedule="cosine"),
    ),
    plan=plan,
    needs=("retain set",),
    presets=(
        Preset.for_singles("Half the step: enough to lose what was learnt by heart.", {"l1": 0.003, "lr": 0.1}),
        Preset.default(
            "Step size and penalty for small networks, where the product of both and of the steps decides, so 400 "
            "steps at least; chosen on digits and Fashion-MNIST.",
            {"epochs": 3.0, "l1": 0.0002, "min_steps": 400},
        ),
        Preset(
            "published",
            "As published",
            "The authors' setting for ResNet-18 on CIFAR-10.",
            {"l1": 5e-4, "lr": 0.01, "weight_decay": 5e-4, "batch": 256, "schedule": "constant"},
        ),
    ),
    notes=(
        "Published code penalises the scales and shifts of batch norm too; here normalisation layers are left out, "
        "because pulling a scale to zero turns a whole channel off.",
        "Weights shrink but are not cut to zero, as in the published unlearning step.",
        "Batch-norm statistics move with the images to keep.",
    ),
    search=(SearchRange("l1", 0.1, 10.0, relative=True),),
)
