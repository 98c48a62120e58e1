"""Gradient ascent: raises the loss on the images to forget until a goal is reached, and touches nothing else.

for each batch of the forget set:
    L = -CE(forget batch), rows above the ceiling left out        gradient clipped
    every so many steps: end the run where the goal is reached    the loss has no lower bound of its own
"""

from __future__ import annotations

from core.data.batches import Batch
from core.methods.base import Aux, Facts, Method, Preset, StageOutput, Terms, Train
from core.methods.common import Group, forgetting, optimiser_parameters
from core.methods.goals import explain_goal, goal_parameters, judges_by_unseen, pull, until_goal
from core.methods.losses import cross_entropies, mean_of
from core.parameters import Values

ASCENT = Group("Ascent")


def ascend(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return minus the cross-entropy; an image above the ceiling, or of a kind at its goal, has no gradient."""
    rows = cross_entropies(out.logits, batch.labels)
    risen = rows.clamp(max=values.ceiling) if values.ceiling > 0 else rows
    return {"loss": -mean_of(risen, pull(batch, aux)), "forget cross-entropy": rows.mean()}


def plan(values: Values, facts: Facts) -> list[Train]:
    """Return passes over the forget set that end at the goal."""
    return [until_goal(forgetting("ascend", ascend, values), values, facts)]


GRADIENT_ASCENT = Method(
    id="gradient-ascent",
    title="Gradient ascent",
    summary="Raises the loss on the images to forget until a goal is reached. It does not look at the images to keep, "
    "so a step too many costs them.",
    citation="Baseline in Golatkar et al. 2020 (arXiv 1911.04933) and Thudi et al. 2022 (arXiv 2109.13398); constants "
    "from the code of Fan et al. 2024 (arXiv 2310.12508, MIT licence)",
    parameters=(
        ASCENT.passes(20.0, "Passes over the forget set at most; published code takes 5 and has no goal."),
        ASCENT.most_steps("the run"),
        *goal_parameters(ASCENT),
        ASCENT(
            "ceiling",
            0.0,
            "Loss above which an image is pushed no further; 0: none. Chance is the logarithm of the class count.",
            title="Loss ceiling",
        ),
        *optimiser_parameters(lr=0.05, clip=1.0, momentum=0.0),
    ),
    plan=plan,
    needs=("forget set",),
    reads_unseen=judges_by_unseen,
    presets=(
        Preset.for_singles(
            "Small steps until the images are guessed no better than unseen ones.",
            {"goal": "unseen accuracy", "lr": 0.003, "batch": 32, "epochs": 10.0, "max_steps": 200, "check_steps": 1},
        ),
        Preset.default(
            "Small clipped steps up to a ceiling, with a look at the goal after each and 200 steps at most; chosen on "
            "digits and Fashion-MNIST. Published step sizes go from 0.0001 to 0.1 and must be searched for each model.",
            {"lr": 0.02, "ceiling": 1.0, "epochs": 100.0, "max_steps": 200, "check_steps": 1},
        ),
    ),
    notes=(
        "Nothing holds the images to keep: a forgotten class costs seven points of accuracy on the others on "
        "Fashion-MNIST, fourteen on digits.",
        "Ours: the stop rule, the clip and the ceiling. Published code runs a fixed number of passes, which collapses "
        "the network where the step size is not searched.",
        "Ours: no momentum, with which steps run past the goal before a look can end them.",
        "Batch-norm statistics stay as they are; published code lets them drift to the forget set.",
    ),
    explain=explain_goal,
    honours_weights=True,
)
