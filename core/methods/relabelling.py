"""Wrong labels for the images to forget, and the stages that teach them: shared by random-labels and SalUn.

A draw in [0, 1) is kept for every sample id, so which label an image gets depends on the seed, the image and the pass,
and on nothing about batches: a resume, another batch size or another order give it the same label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from core.data.batches import Batch, derive_seed
from core.methods.base import Aux, Context, Facts, Length, StageOutput, Terms, Train
from core.methods.common import classification, limited, optimiser_of, step_limit
from core.methods.losses import cross_entropies, mean_of
from core.parameters import Parameter, Values

LABELS = ("kept classes", "other classes", "any class")
DRAWS = ("once", "every pass")
ORDERS = ("forget first", "mixed")

RELABELLING = (
    Parameter(
        "epochs",
        "int",
        3,
        "Passes over both sets; published code takes 3 to 10.",
        low=0,
        high=10000,
        unit="passes",
        group="Labels",
    ),
    Parameter(
        "labels",
        "choice",
        "kept classes",
        "Wrong labels come from the classes that stay, from all but the true one, or from all with the true one.",
        choices=LABELS,
        group="Labels",
    ),
    Parameter(
        "draw",
        "choice",
        "once",
        "Whether an image keeps its wrong label, or gets a new one in every pass.",
        choices=DRAWS,
        group="Labels",
    ),
    Parameter(
        "order",
        "choice",
        "forget first",
        "In every pass the forget set and then the images to keep, or both shuffled together.",
        choices=ORDERS,
        group="Labels",
    ),
    replace(step_limit(0, "a pass over the forget set, where it comes first"), group="Labels"),
)


def draws(context: Context, *, count: int, number: int) -> Aux:
    """Return a number in [0, 1) for each of `count` sample ids, and which labels each class may get."""
    generator = torch.Generator().manual_seed(derive_seed(context.seed, "wrong labels", number))
    return {
        "draws": torch.rand(count, generator=generator).to(context.device),
        "allowed": allowed_labels(context.values.labels, context.num_classes, context.forget_classes).to(
            context.device
        ),
    }


def allowed_labels(rule: str, num_classes: int, forget_classes: tuple[int, ...]) -> torch.Tensor:
    """Return (K, K) bool: row y says which labels an image of class y may get.

    Where every other class is to be forgotten too, "kept classes" leaves all but the true one.
    """
    allowed = torch.ones(num_classes, num_classes, dtype=torch.bool)
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
    """Cross-entropy with wrong labels on forget samples and true ones on the others."""
    labels = torch.where(batch.forget, wrong_labels(batch.labels, batch.ids, aux), batch.labels)
    return {"loss": mean_of(cross_entropies(out.logits, labels), batch.weights)}


def relabelling_stages(
    values: Values, facts: Facts, first: Callable[[Context], Aux] | None = None, keeps: tuple[str, ...] = ()
) -> list[Train]:
    """Lay out the passes. `first` makes further constants before the first step; `keeps` names those that stay."""
    count = facts.forget + facts.retain
    mixed = values.order == "mixed"
    relabel = Train(
        name="relabel",
        phase="forget",
        reads="all" if mixed else "forget",
        loss=relabelled,
        length=Length(epochs=1) if mixed else limited(1, facts.forget, values.batch, values.max_steps),
        batch=values.batch,
        optimiser=optimiser_of(values, span="run"),
        keeps=keeps,
        batch_norm="train" if mixed else "frozen",
    )
    recover = replace(
        relabel,
        name="recover",
        phase="recover",
        reads="retain",
        loss=classification,
        length=Length(epochs=1),
        batch_norm="train",
    )
    stages: list[Train] = []
    for number in range(values.epochs):
        drawn = partial(draws, count=count, number=number if values.draw == "every pass" else 0)
        refresh = partial(_both, first, drawn) if first is not None and number == 0 else drawn
        of = f"pass {number + 1} of {values.epochs}"
        stages.append(replace(relabel, name=f"relabel, {of}", refresh=refresh))
        if not mixed:
            stages.append(replace(recover, name=f"recover, {of}"))
    return stages


def _both(one: Callable[[Context], Aux], other: Callable[[Context], Aux], context: Context) -> Aux:
    return {**one(context), **other(context)}
