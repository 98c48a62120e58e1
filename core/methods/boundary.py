"""What the two boundary methods share: they look at the forget set alone and train it toward wrong answers.

Boundary Unlearning (Chen et al. 2023, arXiv 2303.11570) moves the decision boundary of the class to forget, by giving
its images to the nearest other class ("shrink") or to an extra class that is taken away afterwards ("expand").
"""

from __future__ import annotations

from typing import Any

from core.methods.common import optimiser_of, optimiser_parameters
from core.parameters import Parameter, Values

CITATION = "Chen et al. 2023: Boundary Unlearning (arXiv 2303.11570)"

EPOCHS = Parameter(
    "epochs",
    "float",
    10.0,
    "Passes over the forget set; published: 10.",
    low=0,
    high=1000,
    unit="passes",
    group="Forgetting",
)


def optimiser(lr: float, momentum: float) -> tuple[Parameter, ...]:
    """Return the parameters of the published optimiser, SGD on batches of 64; its momentum of 0.9 is not ours.

    With that, the few steps of a small forget set run past the goal before the loss turns.
    """
    return optimiser_parameters(lr=lr, batch=64, momentum=momentum)


def stage_options(values: Values) -> dict[str, Any]:
    """Return what both stages set alike: statistics stay, because only images of one kind pass."""
    return {
        "phase": "forget",
        "reads": "forget",
        "batch": values.batch,
        "optimiser": optimiser_of(values),
        "batch_norm": "frozen",
        "augment": False,
    }
