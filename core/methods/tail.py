"""CF-k and EU-k: train the last k blocks on the retain set and leave the network before them as it is.

EU-k gives the blocks fresh weights first, as if only they were retrained; CF-k goes on from the original's.
"""

from __future__ import annotations

from core.data.batches import derive_seed
from core.methods.base import Context, Edit, Facts, Method, Preset, SearchRange, Stage, Train
from core.methods.common import Group, keeping, optimiser_parameters
from core.models.architectures import reinitialise
from core.parameters import Values

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


def fine_tune(values: Values, facts: Facts) -> list[Train]:
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
    plan=fine_tune,
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
