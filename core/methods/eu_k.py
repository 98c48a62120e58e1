"""EU-k: gives the last k blocks fresh weights and trains them on the retain set, as if only they were retrained."""

from __future__ import annotations

from core.data.batches import derive_seed
from core.methods.base import Context, Edit, Facts, Method, Preset, Stage
from core.methods.cf_k import TAIL, explain_tail, tail_stage
from core.methods.common import optimiser_parameters
from core.models.architectures import reinitialise
from core.parameters import Parameter, Values


def forget_tail(context: Context) -> None:
    """Give the last k blocks the weights they would start training with, norms' statistics included."""
    for number, block in enumerate(context.model.tuned_modules(f"last-{context.values.k}")):
        reinitialise(block, derive_seed(context.seed, "eu-k", number))


def plan(values: Values, facts: Facts) -> list[Stage]:
    """Fresh weights for the tail, then passes over the retain set."""
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
    status="baseline",
    group="gradient",
    parameters=(
        Parameter(
            "epochs",
            "float",
            10.0,
            "Passes over the images to keep; as many as the original took make the tail a retrained one.",
            low=0,
            high=1000,
            unit="passes",
            group="Tail",
        ),
        *TAIL,
        *optimiser_parameters(lr=0.05, schedule="one-cycle", weight_decay=5e-4),
    ),
    plan=plan,
    needs=frozenset({"retain set"}),
    presets=(
        Preset("default", "Default", "The head and the block before it, for as long as a small network needs."),
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
