"""CF-k: fine-tunes the last k blocks on the retain set and leaves the network before them as it is.

What the stage does is shared with EU-k, which gives the same blocks fresh weights first.
"""

from __future__ import annotations

from dataclasses import replace

from core.methods.base import STEP_SIZE_SEARCH, Facts, Method, Preset, SearchRange, Train
from core.methods.common import at_least, least_steps, optimiser_parameters, training
from core.parameters import Parameter, Values

TAIL = (
    Parameter(
        "k",
        "int",
        2,
        "How many of the last building blocks are trained, the head included; 1 trains the head alone. Beyond the "
        "number of blocks, all are.",
        low=1,
        high=1000,
        unit="blocks",
        group="Tail",
        title="Last blocks",
    ),
    Parameter(
        "cached",
        "bool",
        False,
        "Compute what the trained blocks receive once for all images: several times faster, but images are not "
        "augmented then.",
        group="Tail",
        title="Cache the frozen part",
    ),
)


def tail_stage(name: str, values: Values) -> Train:
    """Return passes of cross-entropy over the retain set that move the last k blocks only."""
    return replace(training(name, "recover", values), tunes=f"last-{values.k}", cached=values.cached)


def explain_tail(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say what stays."""
    if values.k == 1:
        return ("Only the head is trained: features stay as they are, so nothing in them is forgotten.",)
    return (f"The last {values.k} blocks are trained; what stands before them still knows the forget set.",)


def plan(values: Values, facts: Facts) -> list[Train]:
    """Train the tail from the original weights."""
    length = at_least(values.epochs, facts.retain, values.batch, values.min_steps)
    return [replace(tail_stage(f"fine-tune the last {values.k} blocks", values), length=length)]


CF_K = Method(
    id="cf-k",
    title="CF-k",
    summary="Goes on training the last blocks on the images to keep and hopes that the others fade there. Small steps "
    "forget nothing, and what stands before the blocks never does.",
    citation="Goel et al. 2022 (arXiv 2201.06640)",
    status="baseline",
    group="gradient",
    parameters=(
        Parameter(
            "epochs",
            "float",
            5.0,
            "Passes over the images to keep; long runs are usual.",
            low=0,
            high=1000,
            unit="passes",
            group="Tail",
        ),
        least_steps("a small set of images to keep", "Tail"),
        *TAIL,
        *optimiser_parameters(lr=0.2, schedule="cosine", weight_decay=0.005),
    ),
    plan=plan,
    needs=frozenset({"retain set"}),
    presets=(
        Preset(
            "default",
            "Default",
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
    search=(STEP_SIZE_SEARCH, SearchRange("weight_decay", 0.1, 5.0, relative=True)),
)
