"""LoTUS: forget images learn the original's outputs, smoothed by a temperature that follows how much is still known.

    bound <- the original's accuracy on unseen images; for images that go with their class, and in a correction, 0
    for each pass over a share of the retain set:
        gap <- the network's accuracy on the forget set - bound
        end the run where gap < -0.01
        for batch_r, beside it a batch_f of the forget set:
            L = (1 - p) * mean CE(t_r || network) over batch_r  +  p * mean CE(t_f || network) over batch_f
            t_f = softmax((logits of the original + Gumbel noise) / exp(alpha * gap))
            t_r = the class for which logits of the original + Gumbel noise is largest: a label drawn from its outputs
        p = |D_f| / (|D_f| + |share of D_r|)

Published (arXiv 2503.18314) for single images and for classes. Published code shuffles both sets together. Taking a
batch of each and weighing by p has the same expected gradient, with less noise where the forget set is small.

Ours: the forgotten classes are hidden in t_f for images that go with their class. Published, their own class is among
the targets, and a class that is no longer recognised has the temperature 1, which teaches it anew.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F

from core.data.batches import Batch, batches_in
from core.methods.base import SINGLE, WHOLE, Aux, Context, Facts, Method, Preset, SearchRange, StageOutput, Terms, Train
from core.methods.common import Group, contrasting, forgotten_classes, optimiser_parameters, share_of_mixture
from core.methods.goals import UNSEEN, unseen_accuracy
from core.methods.losses import columns, cross_entropies, mean_over
from core.parameters import Values

TEACHER = Group("Teacher")

GAPS = "gaps"  # aux: how far accuracy lies above its bound, of images that go with their class, and alone: (2,)
UNDERSHOT = 0.01  # accuracy below the bound at which a run ends, as published


def look(context: Context) -> Aux:
    """Return the gaps between accuracies on the forget set and their bounds, and which classes targets hide."""
    facts, aux = context.facts, forgotten_classes(context)
    classes = context.accuracy("classes") if facts.class_images else 0.0
    singles = 0.0
    if facts.aims_at_unseen:
        aux[UNSEEN] = unseen_accuracy(context)
    if facts.single_images:
        singles = context.accuracy("singles") - float(aux.get(UNSEEN, 0.0))
    return {**aux, GAPS: torch.tensor([classes, singles], device=context.device)}


def undershot(context: Context) -> bool:
    """Tell whether single images were recognised less often than unseen ones at the last look."""
    return float(context.aux[GAPS][1]) <= -UNDERSHOT


def gumbel_noise(like: torch.Tensor) -> torch.Tensor:
    """Return draws of the standard Gumbel distribution in the shape of a tensor; what is drawn the step decides."""
    return -torch.empty_like(like).exponential_().log()


def smoothed(noisy: torch.Tensor, temperatures: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """Return the targets (n, K) of forget rows: probabilities from logits with noise (n, K) and temperatures (n,).

    hidden: (n, K) bool: classes that get no probability; where it would be all of a row, none is hidden.
    """
    hidden = hidden & ~hidden.all(dim=1, keepdim=True)
    return F.softmax((noisy / temperatures[:, None]).masked_fill(hidden, float("-inf")), dim=1)


def imitate(out: StageOutput, batch: Batch, aux: Aux, values: Values, *, p: float, corrective: bool = False) -> Terms:
    """Return the weighed cross-entropy with drawn labels on retain rows and smoothed outputs on forget rows.

    p, 0..1: the weight of the forget rows. corrective: labels of single images are wrong, and hidden in their targets.
    """
    noisy = out.teacher + gumbel_noise(out.teacher)
    temperatures = (values.alpha * aux[GAPS]).exp()[batch.alone.long()]
    hidden = columns(noisy, aux["forget_classes"]) & ~batch.alone[:, None]
    if corrective:
        hidden = hidden | (F.one_hot(batch.labels, noisy.shape[1]).bool() & batch.alone[:, None])
    targets = smoothed(noisy, temperatures, hidden if values.hide == "forget classes" else torch.zeros_like(hidden))
    drawn = mean_over(cross_entropies(out.logits, noisy.argmax(dim=1)), ~batch.forget)
    smooth = mean_over(F.cross_entropy(out.logits, targets, reduction="none"), batch.forget, batch.weights)
    return {"loss": (1 - p) * drawn + p * smooth, "drawn labels": drawn, "smoothed outputs": smooth}


def under_temperature(values: Values, facts: Facts) -> list[Train]:
    """Return one stage over a share of the retain set, with a look at the forget set's accuracy after each pass."""
    a_pass = batches_in(1, max(1, round(facts.retain * values.retain_share)), values.batch)
    return [
        contrasting(
            "imitate smoothed outputs",
            partial(imitate, p=share_of_mixture(facts, values.retain_share), corrective=facts.corrective),
            values,
            needs=("teacher",),
            share=values.retain_share,
            refresh=look,
            refresh_every=a_pass,
            unless=undershot if by_unseen(facts) else None,
            until=undershot if by_unseen(facts) else None,
            until_every=a_pass if by_unseen(facts) else 0,
        )
    ]


def by_unseen(facts: Facts) -> bool:
    """Tell whether the run may end by itself: where every image goes alone, because nothing lies below the bound 0."""
    return facts.aims_at_unseen and not facts.class_images


def explain_temperature(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say what the temperature follows, and when the run ends."""
    parts = []
    if facts.class_images:
        hidden = "the forgotten classes hidden" if values.hide == "forget classes" else "their class among the targets"
        parts.append(
            f"Targets of whole classes are nearly even while they are recognised, then the original's, with {hidden}."
        )
    if facts.aims_at_unseen:
        parts.append("Targets of single images are smooth while they are recognised more often than unseen ones.")
    elif facts.single_images:
        hidden = "the label in the data hidden" if values.hide == "forget classes" else "that label among the targets"
        parts.append(f"Targets of single images are smooth while they are given the label in the data, with {hidden}.")
    if by_unseen(facts):
        parts.append(
            "Stops after a pass that leaves them recognised less often than unseen images, and takes none where they "
            "are from the start."
        )
    return tuple(parts)


LOTUS = Method(
    id="lotus",
    title="LoTUS",
    summary="Smooths outputs on the forget set by a temperature that follows how much of it is still recognised, and "
    "holds the others by labels drawn from the original's outputs.",
    citation="Spartalis et al. 2025 (arXiv 2503.18314); constants from the authors' code (no licence found)",
    group="distillation",
    parameters=(
        TEACHER.passes(10.0, "Passes over the share of the images to keep; published: 10, and 3 for transformers."),
        TEACHER.share(
            "retain_share", 0.3, "Share of the images to keep that is read; published: 0.3.", low_open=True
        ),
        TEACHER(
            "alpha",
            2.0,
            "How fast the temperature grows with accuracy above its bound. Published: 8 for CIFAR-10, 2 for data of "
            "more classes, 32 for whole classes.",
            title="Temperature growth",
        ),
        TEACHER.choice(
            "hide",
            ("forget classes", "nothing"),
            "forget classes",
            "What is hidden in the original's outputs on images that go with their class: every forgotten class, or, "
            "as published, nothing. In a correction of single images it is the label in the data.",
        ),
        *optimiser_parameters(lr=0.02, schedule="cosine", clip=1.0),
    ),
    plan=under_temperature,
    needs=("forget set", "retain set", "teacher"),
    reads_unseen=lambda values, facts: facts.aims_at_unseen,
    presets=(
        Preset.for_singles(
            "The published growth for ten classes; larger ones end after a pass or two with damage.", {"alpha": 8.0}
        ),
        Preset.default(
            "Published length and share of images; the step size is for small data, chosen on digits and "
            "Fashion-MNIST. A larger growth forgets no more."
        ),
        Preset(
            "published",
            "As published",
            "The authors' setting for a class on ResNet-18. It leaves a tenth of the class, as even targets do, or "
            "more.",
            {
                "alpha": 32.0, "hide": "nothing", "optimiser": "adamw", "lr": 1e-4, "weight_decay": 5e-4,
                "schedule": "constant", "clip": 0.0,
            },
            WHOLE,
        ),
        Preset(
            "published-samples",
            "As published",
            "The authors' setting for 10 % random samples of CIFAR-10 on ResNet-18.",
            {
                "alpha": 8.0, "optimiser": "adamw", "lr": 1e-4, "weight_decay": 5e-4, "schedule": "constant",
                "clip": 0.0,
            },
            SINGLE,
        ),
    ),
    notes=(
        "Ours: forgotten classes are hidden in targets of whole classes. As published the class is among its own "
        "targets: on Fashion-MNIST a run at a step size that suits other methods left most of it.",
        "Ours: a batch of each set in every step, weighed by their sizes; published code shuffles both together.",
        "Batch-norm statistics stay as they are, because half of every step's images are to be forgotten; published "
        "code lets them move.",
        "Where classes and single images go together each kind has its own temperature, and the run goes to its end.",
    ),
    explain=explain_temperature,
    honours_weights=True,
    search=(SearchRange("alpha", 1.0, 32.0),),
)  # fmt: skip
