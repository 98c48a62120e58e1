"""Influence unlearning: one Newton-like step away from where the forget set pulled the weights.

    v = |D_f| / |D| * (mean gradient on the forget set - mean gradient on the retain set)
    A = damping * I + mean over single retain images of g g^T                (empirical Fisher matrix, "WoodFisher")
    weight <- weight + scale * A^-1 v

At a minimum of the loss on all data, v is minus the retain set's gradient, and scale 1 is the Newton step on the retain
set with A for the Hessian. Published (arXiv 2304.04934 and its code Unlearn-Sparse, MIT; A from arXiv 2004.14340). The
inverse of a sum of rank-one updates is usually built one update after another, for which every gradient must be held;
the published loop holds only its first, so that its result is not A^-1 v. Here A^-1 v is found by conjugate gradients,
which need A only as a product: the same matrix, with four vectors in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch

from core.methods.base import Context, Facts, Preset, SearchRange
from core.methods.common import Group, in_shapes
from core.methods.losses import cross_entropies
from core.methods.strength import STRENGTH, closed_form, searched, strength_of, weights_of
from core.parameters import Values

CURVATURE = Group("Curvature")

KEPT_BYTES = 2**30  # of single gradients held between products; where there are more they are computed again each time
TOLERANCE = 1e-2  # of the residual's length beside v's: far below what the search changes
MOST_PRODUCTS = 100
WEAKEST, STRONGEST = 1e-4, 1e4  # scales of the search around the Newton step's 1

Rows = Callable[[], Iterable[torch.Tensor]]  # gives single gradients, (m, d) at a time


def solve(rows: Rows, vector: torch.Tensor, damping: float) -> torch.Tensor:
    """Return A^-1 v, (d,), by conjugate gradients. A = damping * I + mean of g g^T over all rows; vector v: (d,)."""

    def product(x: torch.Tensor) -> torch.Tensor:
        total, count = torch.zeros_like(x), 0
        for chunk in rows():
            total += chunk.T @ (chunk @ x)
            count += len(chunk)
        return damping * x + total / max(1, count)

    solution, residual = torch.zeros_like(vector), vector.clone()
    direction, size = residual.clone(), residual.dot(residual)
    goal = float(size) * TOLERANCE**2
    for _ in range(MOST_PRODUCTS):
        if float(size) <= goal:
            break
        image = product(direction)
        step = size / direction.dot(image)
        solution += step * direction
        residual -= step * image
        size, before = residual.dot(residual), size
        direction = residual + size / before * direction
    return solution


def removal(context: Context) -> dict[str, torch.Tensor]:
    """Return v by parameter name: what taking the forget set out adds to the gradient."""
    share = context.facts.forget / context.facts.images
    forget, retain = context.gradient("forget", cross_entropies), context.gradient("retain", cross_entropies)
    return {name: share * (forget[name] - retain[name]) for name in forget}


def single_gradients(context: Context, limit: int) -> Rows:
    """Return a source of single retain gradients, (m, d) at a time in the order of the parameters."""

    def anew() -> Iterator[torch.Tensor]:
        for gradients in context.sample_gradients("retain", cross_entropies, limit):
            yield torch.cat([rows.flatten(1).float() for rows in gradients.values()], dim=1)

    kept: list[torch.Tensor] = []
    size = 0
    for chunk in anew():
        kept.append(chunk)
        size += chunk.nbytes
        if size > KEPT_BYTES:
            return anew
    return lambda: kept


def step_away(context: Context) -> None:
    """Change the network: take the step, with the given scale or one that images to keep bear."""
    values = context.values
    before = weights_of(context)
    wanted = removal(context)
    flat = torch.cat([wanted[name].flatten() for name in before])
    change = solve(single_gradients(context, values.samples), flat, values.damping)
    step = in_shapes(change, before)

    def at(scale: float) -> dict[str, torch.Tensor]:
        return {name: weight + scale * step[name] for name, weight in before.items()}

    scale = strength_of(context, at, values.scale, WEAKEST, STRONGEST)
    context.say(f"Stepped away at scale {scale:.3g}, by {scale * float(change.norm()):.3g} in all weights together.")
    context.model.write(at(scale))


def gradients(values: Values, facts: Facts) -> int:
    """Return how many images gradients are taken of: of all once, and single ones once where these fit memory."""
    return facts.images + min(facts.retain, values.samples or facts.retain)


INFLUENCE = closed_form(
    "step away",
    step_away,
    gradients,
    id="influence",
    title="Influence step",
    summary="Takes one Newton-like step that undoes the forget set's influence on the weights, as far as the images to "
    "keep allow; no training.",
    citation="Izzo et al. 2021 (arXiv 2002.10077); Jia et al. 2023 (arXiv 2304.04934)",
    parameters=(
        *searched(
            STRENGTH(
                "scale",
                1.0,
                "How often the step is taken: 1 is the Newton step; published: 1 to 20.",
                high=1e6,
                log=True,
                title="Scale of the step",
            ),
            "the scale",
        ),
        CURVATURE(
            "damping",
            1e-2,
            "Added to the diagonal of the matrix that is inverted; larger values turn the step toward plain gradients.",
            high=1e3,
            low_open=True,
            log=True,
        ),
        CURVATURE.images(
            "samples",
            500,
            "Single images to keep behind the curvature; published: 1000. 0 takes all. Where their gradients take more "
            "than 1 GiB the step takes many times longer.",
            title="Images behind curvature",
        ),
    ),
    needs=("forget set", "retain set"),
    presets=(
        Preset.for_singles(
            "Goes on until the images are at their goal, or the bound is reached.",
            {"max_drop": 0.02},
            "Scale searched",
        ),
        Preset(
            "search",
            "Scale searched",
            "Networks are not at a minimum, so the Newton step's scale of 1 is seldom the one that is borne.",
            {"max_drop": 0.05},
        ),
    ),
    search=(SearchRange("damping", 1e-5, 1e-1),),
    notes=(
        "The curvature's inverse is applied by conjugate gradients to the matrix that the published rank-one updates "
        "are meant to build.",
        "Running statistics of batch norm stay; gradients are taken in eval mode.",
    ),
)
