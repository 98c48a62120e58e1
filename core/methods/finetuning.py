"""Fine-tuning on the retain set: of the whole network, under an L1 penalty, or of the last blocks alone.

L1-sparse pulls all weights to zero, by a weight that fades:
    L = CE(retain batch) + a(t) * sum of |w| over weights and biases outside normalisation layers
    a(t) falls from `l1` to 0 in a straight line, and stays 0 for the last `unpenalised` share of the run

CF-k and EU-k train the last k blocks and leave the network before them as it is. EU-k gives these blocks fresh weights
first, as if only they were retrained; CF-k goes on from the original's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from core.data.batches import Batch, derive_seed
from core.methods.base import Aux, Context, Edit, Facts, Method, Preset, SearchRange, Stage, StageOutput, Terms, Train
from core.methods.common import Group, keeping, optimiser_parameters
from core.models.architectures import reinitialise
from core.parameters import Values

TRAINING = Group("Training")


def fine_tune(values: Values, facts: Facts) -> list[Train]:
    """Return passes over the retain set that go on from the original's weights."""
    return [keeping("fine-tune", values)]


FINETUNE = Method(
    id="finetune",
    title="Fine-tuning",
    summary="Goes on training on the images to keep and hopes that the others fade. A small step size forgets nothing.",
    citation="Baseline in Golatkar et al. 2020 (arXiv 1911.04933)",
    parameters=(
        TRAINING.passes(2.0, "Passes over the images to keep."),
        TRAINING.fewest_steps("a small set of images to keep"),
        *optimiser_parameters(lr=0.2, schedule="cosine", weight_decay=5e-4),
    ),
    plan=fine_tune,
    needs=("retain set",),
    presets=(
        Preset.default(
            "A step above the literature's 0.01 to 0.1, which forget nothing in a few passes, and 200 steps at least; "
            "chosen on digits and Fashion-MNIST.",
            {"min_steps": 200},
        ),
        Preset(
            "correction",
            "Correction",
            "For wrong labels: longer, with a step that keeps what the others taught (benchmarks.corrective).",
            {"epochs": 4.0, "lr": 0.1, "min_steps": 200},
            made_for="labels",
        ),
    ),
)


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


def under_penalty(values: Values, facts: Facts) -> list[Train]:
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
    plan=under_penalty,
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


TAIL = Group("Tail")

BLOCKS = (
    TAIL(
        "k",
        2,
        "How many of the last building blocks are trained, the head included; 1 trains the head alone. Beyond the "
        "number of blocks, all are.",
        low=1,
        unit="blocks",
        title="Last blocks",
    ),
    TAIL(
        "cached",
        False,
        "Compute what the trained blocks receive once for all images: several times faster, but images are not "
        "augmented then.",
        title="Cache the frozen part",
    ),
)


def tail_stage(name: str, values: Values) -> Train:
    """Return passes of cross-entropy over the retain set that move the last k blocks only."""
    return keeping(name, values, tunes=f"last-{values.k}", cached=values.cached)


def explain_tail(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say what stays."""
    if values.k == 1:
        return ("Only the head is trained: features stay as they are, so nothing in them is forgotten.",)
    return (f"The last {values.k} blocks are trained; what stands before them still knows the forget set.",)


def fine_tune_tail(values: Values, facts: Facts) -> list[Train]:
    """Return one stage that trains the tail from the original's weights."""
    return [tail_stage(f"fine-tune the last {values.k} blocks", values)]


CF_K = Method(
    id="cf-k",
    title="CF-k",
    summary="Goes on training the last blocks on the images to keep and hopes that the others fade there. Small steps "
    "forget nothing, and what stands before the blocks never does.",
    citation="Goel et al. 2022 (arXiv 2201.06640)",
    parameters=(
        TAIL.passes(5.0, "Passes over the images to keep; long runs are usual."),
        TAIL.fewest_steps("a small set of images to keep"),
        *BLOCKS,
        *optimiser_parameters(lr=0.2, schedule="cosine", weight_decay=0.005),
    ),
    plan=fine_tune_tail,
    needs=("retain set",),
    presets=(
        Preset.default(
            "A large step and a decay, without which the tail stays where it is, and 400 steps at least; chosen on "
            "digits and Fashion-MNIST. Published runs take 0.1 for 60 passes.",
            {"min_steps": 400},
        ),
        Preset(
            "cached",
            "Cached",
            "The same with the frozen part computed once: for models that were trained without augmentation.",
            {"min_steps": 400, "cached": True},
        ),
    ),
    notes=(
        "The decay is ours: a trained tail gets hardly any gradient from images it knows, and would keep the rest.",
        "Blocks are the application's building blocks of a network, the head last. Batch norm before them stays in "
        "evaluation mode.",
    ),
    explain=explain_tail,
    search=(SearchRange("weight_decay", 0.1, 5.0, relative=True),),
)


def forget_tail(context: Context) -> None:
    """Give the last k blocks the weights they would start training with, norms' statistics included."""
    for number, block in enumerate(context.model.tuned_modules(f"last-{context.values.k}")):
        reinitialise(block, derive_seed(context.seed, "eu-k", number))


def relearn(values: Values, facts: Facts) -> list[Stage]:
    """Return the edit that gives the tail fresh weights, and the stage that trains it."""
    return [
        Edit("fresh weights for the last blocks", forget_tail),
        tail_stage(f"train the last {values.k} blocks", values),
    ]


EU_K = Method(
    id="eu-k",
    title="EU-k",
    summary="Gives the last blocks fresh weights and trains them on the images to keep. What stands before them still "
    "knows the forget set.",
    citation="Goel et al. 2022 (arXiv 2201.06640)",
    parameters=(
        TAIL.passes(
            10.0, "Passes over the images to keep; as many as the original took make the tail a retrained one."
        ),
        *BLOCKS,
        *optimiser_parameters(lr=0.05, schedule="one-cycle", weight_decay=5e-4),
    ),
    plan=relearn,
    needs=("retain set",),
    presets=(
        Preset.default("The head and the block before it, for as long as a small network needs."),
        Preset(
            "cached",
            "Cached",
            "The same with the frozen part computed once: for models that were trained without augmentation.",
            {"cached": True},
        ),
    ),
    notes=(
        "A class is gone from the outputs at once, whatever the features know: look at the probe and the geometry.",
        "Blocks are the application's building blocks of a network, the head last. Their batch norm starts anew, that "
        "before them stays in evaluation mode.",
    ),
    explain=explain_tail,
)
