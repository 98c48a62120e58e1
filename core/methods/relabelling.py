"""Random labels, and SalUn: teach the images to forget wrong labels, and the others their own again.

A draw in [0, 1) is kept for every sample id, so which label an image gets depends on the seed, the image and the pass,
and on nothing about batches: a resume, another batch size or another order give it the same label.

    for each pass:
        forget:   CE(forget batch, wrong labels)
        recover:  CE(retain batch, true labels)          or both sets shuffled together

Three recipes are called random labels. "Amnesiac": one wrong label an image, both sets shuffled. The other two draw new
labels in every pass, the true one included: forget set first, or both sets shuffled. Ours, the default: one wrong label
an image, never its own and never another class that is to be forgotten, forget set first.

SalUn moves salient weights only:
    mask <- the `share` of all weights with the largest |mean gradient of CE over the forget set|, ranked globally
Masking gradients alone is not enough: weight decay and momentum move a weight without a gradient. The engine puts
masked weights back after every step.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch

from core.data.batches import Batch, derive_seed
from core.methods.base import Aux, Context, Facts, Length, Method, Preset, SearchRange, StageOutput, Terms, Train
from core.methods.common import Group, classification, in_shapes, optimiser_of, optimiser_parameters, training
from core.methods.losses import cross_entropies, mean_of
from core.parameters import Values

LABELS = Group("Labels")
MASK = Group("Mask")

CHOICES = ("kept classes", "other classes", "any class")
DRAWS = ("once", "every pass")
ORDERS = ("forget first", "mixed")
EVERY_PASS = {
    "labels": "any class",
    "draw": "every pass",
    "epochs": 10,
    "batch": 256,
    "lr": 0.013,
    "weight_decay": 5e-4,
}  # as in the code of SalUn

RELABELLING = (
    LABELS("epochs", 3, "Passes over both sets; published code takes 3 to 10.", high=10000, unit="passes"),
    LABELS.choice(
        "labels",
        CHOICES,
        "kept classes",
        "Wrong labels come from the classes that stay, from all but the true one, or from all with the true one.",
    ),
    LABELS.choice("draw", DRAWS, "once", "Whether an image keeps its wrong label, or gets a new one in every pass."),
    LABELS.choice(
        "order",
        ORDERS,
        "forget first",
        "In every pass the forget set and then the images to keep, or both shuffled together.",
    ),
    LABELS.most_steps("a pass over the forget set, where it comes first"),
)


def draws(context: Context, *, number: int) -> Aux:
    """Return a number in [0, 1) for each sample id, (n_train,), the `number`-th; and which labels a class may get."""
    generator = torch.Generator().manual_seed(derive_seed(context.seed, "wrong labels", number))
    drawn = torch.rand(context.facts.images, generator=generator)
    allowed = allowed_labels(
        context.values.labels, context.num_classes, context.forget_classes, context.imageless
    )
    return {"draws": drawn.to(context.device), "allowed": allowed.to(context.device)}


def allowed_labels(
    rule: str, num_classes: int, forget_classes: tuple[int, ...], imageless: tuple[int, ...] = ()
) -> torch.Tensor:
    """Return (K, K) bool: row y says which labels an image of class y may get; never one that no image has.

    Where every other class is to be forgotten too, "kept classes" leaves all but the true one.
    """
    allowed = torch.ones(num_classes, num_classes, dtype=torch.bool)
    allowed[:, list(imageless)] = False
    if rule == "any class":
        return allowed
    allowed.fill_diagonal_(False)
    kept = allowed.clone()
    kept[:, list(forget_classes)] = False
    return torch.where(kept.any(dim=1, keepdim=True), kept, allowed) if rule == "kept classes" else allowed


def wrong_labels(labels: torch.Tensor, ids: torch.Tensor, aux: Aux) -> torch.Tensor:
    """Return the label each sample is to be taught, (n,) int64. labels, ids: (n,) int64.

    A draw u picks the floor(u * m)-th of the m labels its class allows, so each is as likely as another.
    """
    allowed = aux["allowed"][labels]
    count = allowed.sum(dim=1)
    place = torch.minimum((aux["draws"][ids] * count).long(), count - 1)
    rank = allowed.cumsum(dim=1) - 1
    return ((rank == place[:, None]) & allowed).long().argmax(dim=1)


def relabelled(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the cross-entropy with wrong labels on forget samples and true ones on the others, each by its weight."""
    labels = torch.where(batch.forget, wrong_labels(batch.labels, batch.ids, aux), batch.labels)
    return {"loss": mean_of(cross_entropies(out.logits, labels), batch.weights)}


def relabelling_stages(values: Values, facts: Facts) -> list[Train]:
    """Lay out the passes: wrong labels on the forget set, true ones on the others, in turn or in the same batches."""
    mixed = values.order == "mixed"
    relabel = training(
        "relabel",
        "forget",
        "all" if mixed else "forget",
        relabelled,
        values,
        length=Length(1, most=0 if mixed else values.max_steps),
        optimiser=optimiser_of(values, span="run"),
        batch_norm="train" if mixed else "frozen",
    )
    recover = replace(
        relabel, phase="recover", reads="retain", loss=classification, length=Length(1), batch_norm="train"
    )
    stages: list[Train] = []
    for number in range(values.epochs):
        of = f"pass {number + 1} of {values.epochs}"
        drawn = partial(draws, number=number if values.draw == "every pass" else 0)
        stages.append(replace(relabel, name=f"relabel, {of}", refresh=drawn))
        if not mixed:
            stages.append(replace(recover, name=f"recover, {of}"))
    return stages


def explain_own_labels(values: Values, facts: Facts) -> list[str]:
    """Say how many images are taught what they know already, where any are."""
    if values.labels != "any class":
        return []
    classes = facts.num_classes - facts.imageless
    return [f"One in {classes} images is taught its own label again: any class may be drawn."]


def explain_labels(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say what images are taught where that is not what it seems."""
    parts = explain_own_labels(values, facts)
    if facts.aims_at_unseen:
        parts.append("Single images are taught to be wrong, which unseen images of their class are not.")
    return tuple(parts)


RANDOM_LABELS = Method(
    id="random-labels",
    title="Random labels",
    summary="Teaches the images to forget wrong labels, then the others their own again. Outputs on the forget set end "
    "up less sure than a retrained network's.",
    citation="Graves et al. 2021, amnesiac unlearning (arXiv 2010.10981); Golatkar et al. 2020 (arXiv 1911.04933); "
    "variants as in the code of Fan et al. 2024 (arXiv 2310.12508, MIT licence)",
    group="relabelling",
    parameters=(*RELABELLING, *optimiser_parameters(lr=0.03, schedule="cosine", batch=64)),
    plan=relabelling_stages,
    needs=("forget set", "retain set"),
    presets=(
        Preset.for_singles(
            "Ours, with small steps, because a wrong label is more than unseen images have.", {"lr": 0.01, "epochs": 1}
        ),
        Preset.default(
            "Ours: one wrong label an image, a class that stays, forget set first, at most 10 steps of it in a pass; "
            "chosen on digits and Fashion-MNIST.",
            {"lr": 0.01, "epochs": 4, "max_steps": 10},
        ),
        Preset(
            "amnesiac",
            "Amnesiac",
            "As published in 2021: one wrong label an image, both sets shuffled together, 3 passes of AdamW at 0.0001.",
            {"labels": "other classes", "order": "mixed", "epochs": 3, "optimiser": "adamw", "lr": 1e-4, "batch": 128},
        ),
        Preset(
            "every-pass",
            "New labels, forget set first",
            "As in the code of SalUn for 10 classes: any class in every pass, forget set first; step sizes there go "
            "from 0.001 to 0.1.",
            EVERY_PASS,
        ),
        Preset(
            "every-pass-mixed",
            "New labels, shuffled",
            "As in the code of SalUn for 100 classes: any class in every pass, both sets shuffled together.",
            {**EVERY_PASS, "order": "mixed"},
        ),
    ),
    notes=(
        "Published code lets any class be drawn, so some images are taught their own label; the default never does, "
        "nor does it name another class that is to be forgotten.",
        "Batch-norm statistics stay as they are while only forget images pass; published code lets them move. Every "
        "stage starts with fresh momentum.",
    ),
    explain=explain_labels,
    honours_weights=True,
    search=(SearchRange("epochs", 1, 6, log=False),),
)


def saliency_mask(context: Context) -> Aux:
    """Return "mask/<parameter>", bool: True where a weight may move."""
    gradient = context.gradient("forget", cross_entropies)
    return {f"mask/{name}": chosen for name, chosen in top_share(gradient, context.values.share).items()}


def mask_and_draws(context: Context) -> Aux:
    """Return what is constant from the first pass on: the mask, and the first draws."""
    return {**saliency_mask(context), **draws(context, number=0)}


def top_share(gradient: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    """Return where the largest `share` of all entries by size lies, across tensors: bool in each one's shape.

    Exactly round(share * total) entries are True, also where many are equal.
    """
    sizes = torch.cat([value.abs().flatten() for value in gradient.values()])
    chosen = torch.zeros(len(sizes), dtype=torch.bool, device=sizes.device)
    chosen[sizes.topk(round(share * len(sizes)), sorted=False).indices] = True
    return in_shapes(chosen, gradient)


def on_salient_weights(values: Values, facts: Facts) -> list[Train]:
    """Lay out the passes of random labels, with a mask that is made before the first step and stays to the last."""
    stages = relabelling_stages(values, facts)
    return [replace(stage, refresh=mask_and_draws) for stage in stages[:1]] + stages[1:]


def explain_mask(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say how much may move."""
    movable = f"{100 * values.share:.0f} % of all weights may move; the others stay as they are."
    return (movable, *explain_own_labels(values, facts))


SALUN = Method(
    id="salun",
    title="SalUn",
    summary="Random labels, with steps only on the weights that matter most for the images to forget.",
    citation="Fan et al. 2024 (arXiv 2310.12508); constants from the authors' code (MIT licence)",
    group="relabelling",
    parameters=(
        MASK.share(
            "share",
            0.5,
            "Share of all weights that stays trainable, those with the largest forget gradient; the rest is frozen. "
            "Published values go from 0.1 to 0.9.",
            low_open=True,
            title="Share kept trainable",
        ),
        *RELABELLING,
        *optimiser_parameters(lr=0.03, schedule="cosine", batch=64),
    ),
    plan=on_salient_weights,
    needs=("forget set", "retain set"),
    presets=(
        Preset.for_singles(
            "Small steps, because a wrong label is more than unseen images have.", {"lr": 0.01, "epochs": 1}
        ),
        Preset.default(
            "Half of the weights, as published, with wrong labels that are wrong and at most 10 steps toward them in a "
            "pass; chosen on digits and Fashion-MNIST.",
            {"lr": 0.02, "max_steps": 10},
        ),
        Preset(
            "published",
            "As published",
            "The authors' setting for 10 % random samples of CIFAR-10; step sizes there go from 0.0005 to 0.05.",
            EVERY_PASS,
        ),
    ),
    notes=(
        "As published, the mask is made from the size of the mean gradient, so gradients of different images cancel; "
        "it ranks all weights together, batch norm and head included.",
        "Batch-norm statistics are no weights: they stay as they are on forget images and move on images to keep. "
        "Every stage starts with fresh momentum.",
        "The default never teaches an image its own label; the published variant may.",
    ),
    explain=explain_mask,
    copies=lambda values, facts: 0.25,  # the mask: a byte for each weight of four
    honours_weights=True,
    search=(SearchRange("share", 0.1, 0.9, log=False),),
)
