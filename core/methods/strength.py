"""Search for the strength of a one-shot change: strong enough to forget, weak enough for the images to keep.

Closed-form methods have one number that decides between doing nothing and destroying the network, and its usable window
is narrow and another one for every network. So it is searched by bisection in its logarithm, with the network's own
accuracies as the judge. No image that numbers are later shown for takes part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from core.errors import RunError
from core.methods.base import LOOK_SAMPLES, Context, Edit, Facts, Method, Objective
from core.methods.common import Group
from core.parameters import Parameter, Values

ROUNDS = 12  # halvings of the range's logarithm: nine decades come down to half a percent of a strength

STRENGTH = Group("Strength")

Weights = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Trial:
    """A strength that was tried, and retain accuracy and `excess` (0..1) with the weights it gives."""

    strength: float
    retain: float
    excess: float


def searched(parameter: Parameter, called: str) -> tuple[Parameter, ...]:
    """Return a strength's parameter with those of the search for it; sentences call the strength `called`."""
    return (
        parameter,
        STRENGTH(
            "search",
            True,
            f"Search for {parameter.name} with the network's accuracies as the judge, and leave the value given "
            "unused.",
            title=f"Search for {called}",
        ),
        STRENGTH.share(
            "max_drop",
            0.02,
            "Largest fall of accuracy on training images to keep that the search accepts; 0.02 is two points.",
            title="Largest fall of retain accuracy",
        ),
    )


def search_strength(
    context: Context, weights_at: Callable[[float], Weights], weakest: float, strongest: float
) -> Trial:
    """Return the strength that forgets most among those that lower retain accuracy by at most `max_drop`.

    `weights_at(strength)` gives the changed weights by parameter name; `strongest` may be the smaller number, as for a
    threshold. Enough is forgotten where the excess is 0; among strengths that forget equally the weakest is taken. The
    network is left as it was. Raises RunError where even the weakest lowers retain accuracy by more.
    """
    drop = float(context.values.max_drop)
    floor = context.accuracy("retain") - drop
    unseen = context.accuracy("unseen") if context.facts.aims_at_unseen else 0.0
    first, last = math.log(weakest), math.log(strongest)

    def judge(share: float) -> Trial:
        strength = math.exp(first + share * (last - first))
        with context.model.trying(weights_at(strength)):
            return Trial(strength, context.accuracy("retain"), excess(context, unseen))

    end = judge(1.0)
    if end.retain >= floor and end.excess > 0:
        return end
    best = end if end.retain >= floor else None
    weak, strong = 0.0, 1.0  # shares of the way between the bounds
    share = 0.0
    for _ in range(ROUNDS + 1):
        trial = judge(share)
        kept = trial.retain >= floor
        if kept and (best is None or trial.excess <= best.excess):
            best = trial
        if kept and trial.excess > 0:
            weak = share
        else:
            strong = share
        if strong == 0.0:
            break  # the weakest is enough, or already too much
        share = (weak + strong) / 2
    if best is None:
        raise RunError(
            f"No strength between {weakest:g} and {strongest:g} keeps the fall of retain accuracy below {drop:g}",
            "Allow a larger fall (max_drop), or choose the strength yourself (search=false)",
        )
    return best


def excess(context: Context, unseen: float) -> float:
    """Return how much too often images to forget are recognised, 0..1, as a mean over all of them.

    Of classes that go no image is to be recognised, and images that go alone as often as `unseen` ones (0..1); in a
    correction `unseen` is 0, for their labels are the fault.
    """
    facts, over = context.facts, 0.0
    if facts.class_images:
        over += facts.class_images * context.accuracy("classes")
    if facts.single_images:
        over += facts.single_images * max(0.0, context.accuracy("singles") - unseen)
    return over / facts.forget


def strength_of(
    context: Context, weights_at: Callable[[float], Weights], given: float, weakest: float, strongest: float
) -> float:
    """Return the strength of a change: searched between the bounds, or as given where no search is wanted."""
    return search_strength(context, weights_at, weakest, strongest).strength if context.values.search else given


def looks_of_search(values: Values, facts: Facts) -> int:
    """Return how many images a search for the strength passes through the network at most; 0 where none is wanted."""
    looks = (ROUNDS + 3) * sum(min(LOOK_SAMPLES, images) for images in (facts.retain, facts.forget))
    return looks if values.search else 0


def searches_by_unseen(values: Values, facts: Facts) -> bool:
    """Tell whether a search for the strength looks at unseen images."""
    return bool(values.search) and facts.aims_at_unseen


def explain_search(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say where a search for the strength ends."""
    if not values.search:
        return ()
    classes = ["no image of the classes is recognised"] if facts.class_images else []
    of_singles = "single images are recognised as often as unseen ones"
    of_singles = "no image is given its label" if facts.corrective else of_singles
    goals = " and ".join([*classes, *([of_singles] if facts.single_images else [])])
    points = 100 * values.max_drop
    bound = f"{points:g} point{'s' * (points != 1)} of retain accuracy"
    return (f"The search ends where {goals}, or at the strongest change that costs no more than {bound}.",)


def closed_form(
    name: str, edit: Callable[[Context], None], gradients: Callable[[Values, Facts], int], **card: Any
) -> Method:
    """Return a method that changes weights once, in a stage of this name, by a strength that is searched.

    `gradients` gives the number of images that gradients are taken of; `card` holds the method's further fields. A
    search looks at images of both sets, and at unseen ones where single images go.
    """

    def plan(values: Values, facts: Facts) -> list[Edit]:
        return [Edit(name, edit, looks=looks_of_search(values, facts), gradients=gradients(values, facts))]

    return Method(
        group="closed form", plan=plan, explain=explain_search, reads_unseen=searches_by_unseen, shared=False, **card
    )


def weights_of(context: Context) -> dict[str, torch.Tensor]:
    """Return copies of the weights that an edit may change, by parameter name."""
    return {name: p.detach().clone() for name, p in context.model.trained_parameters().items()}


def mean_sizes(
    context: Context, which: str, objective: Objective, size: Callable[[torch.Tensor], torch.Tensor], limit: int
) -> dict[str, torch.Tensor]:
    """Return the mean over a set of how large single samples' gradients are, by parameter name, in its shape.

    `size` (torch.square, torch.abs) is taken entry by entry: means of squares are the diagonal of an empirical Fisher
    matrix. Of single samples, so that the mean does not depend on any batch size; about `limit` of them; 0: all.
    """
    total: dict[str, torch.Tensor] = {}
    count = 0
    for gradients in context.sample_gradients(which, objective, limit):
        for name, rows in gradients.items():
            part = size(rows).sum(dim=0)
            total[name] = total[name] + part if name in total else part
        count += len(next(iter(gradients.values())))
    return {name: value / max(1, count) for name, value in total.items()}
