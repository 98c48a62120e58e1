"""Gradient ascent: raises the loss on the images to forget until a goal is reached, and touches nothing else.

in stretches of a pass over the forget set:
    L = -CE(forget batch), rows above the ceiling left out        gradient clipped
    end the run where the goal is reached                         the loss has no lower bound of its own
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch.nn.functional as F

from core.data.batches import Batch, batches_per_epoch
from core.methods.base import Aux, Context, Facts, Length, Method, Preset, StageOutput, Terms, Train
from core.methods.common import optimiser_of, optimiser_parameters, step_limit
from core.methods.losses import mean_of
from core.parameters import Parameter, Values

GOALS = ("forget accuracy", "unseen accuracy", "none")
GOAL_SAMPLES = 2000  # of each set looked at by the stop rule


def ascend(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Minus the cross-entropy; an image whose loss is above the ceiling pulls no further."""
    rows = F.cross_entropy(out.logits, batch.labels, reduction="none")
    risen = rows.clamp(max=values.ceiling) if values.ceiling > 0 else rows
    return {"loss": -mean_of(risen, batch.weights), "forget cross-entropy": rows.mean()}


def reached(context: Context) -> bool:
    """Stop rule: accuracy on the forget set at its goal, a number or the accuracy on unseen images."""
    values = context.values
    goal = values.stop_accuracy
    if values.goal == "unseen accuracy":
        goal = context.accuracy("unseen", limit=GOAL_SAMPLES)
    return context.accuracy("forget", limit=GOAL_SAMPLES) <= goal


def plan(values: Values, facts: Facts) -> list[Train]:
    """Cut the passes into stretches, because the goal can be looked at where a stage ends."""
    per_pass = batches_per_epoch(facts.forget, values.batch)
    total = math.ceil(values.epochs * per_pass)
    if values.max_steps:
        total = min(total, values.max_steps)
    stretch = max(1, round(per_pass / values.checks))
    if values.check_steps:
        stretch = min(stretch, values.check_steps)
    return [
        Train(
            name=f"ascend, steps {first + 1} to {min(total, first + stretch)}",
            phase="forget",
            reads="forget",
            loss=ascend,
            length=Length(steps=min(total, first + stretch) - first),
            batch=values.batch,
            optimiser=optimiser_of(values, span="run"),
            batch_norm="frozen",
            augment=False,
            until=None if values.goal == "none" else reached,
        )
        for first in range(0, total, stretch)
    ]


def explain(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say when it stops."""
    if values.goal == "none":
        return ("No goal: it goes on for all passes, and more steps than needed destroy the network.",)
    goal = f"{values.stop_accuracy:.1%}" if values.goal == "forget accuracy" else "the accuracy on unseen images"
    often = f"{values.checks} × a pass"
    if values.check_steps:
        often += (
            f" and at least every {values.check_steps} steps" if values.check_steps > 1 else " and after every step"
        )
    return (f"Stops where accuracy on the forget set is at or below {goal}, looked at {often}.",)


GRADIENT_ASCENT = Method(
    id="gradient-ascent",
    title="Gradient ascent",
    summary="Raises the loss on the images to forget until a goal is reached. It does not look at the images to keep, "
    "so a step too many costs them.",
    citation="Baseline in Golatkar et al. 2020 (arXiv 1911.04933) and Thudi et al. 2022 (arXiv 2109.13398); constants "
    "from the code of Fan et al. 2024 (arXiv 2310.12508, MIT licence)",
    status="baseline",
    group="gradient",
    parameters=(
        Parameter(
            "epochs",
            "float",
            20.0,
            "Passes over the forget set at most; published code takes 5 and has no goal.",
            low=0,
            high=1000,
            unit="passes",
            group="Ascent",
        ),
        replace(step_limit(0, "the run"), group="Ascent"),
        Parameter(
            "goal",
            "choice",
            "forget accuracy",
            "What ends the run: forget accuracy at a number, forget accuracy no higher than that on unseen images, or "
            "nothing.",
            choices=GOALS,
            group="Ascent",
        ),
        Parameter(
            "stop_accuracy",
            "float",
            0.05,
            "Forget accuracy at which to stop (goal: forget accuracy).",
            low=0,
            high=1,
            group="Ascent",
        ),
        Parameter(
            "checks",
            "int",
            4,
            "How often in a pass the goal is looked at; momentum starts anew there.",
            low=1,
            high=1000,
            group="Ascent",
        ),
        Parameter(
            "check_steps",
            "int",
            0,
            "Most steps between two looks, so that a large forget set does not run past the goal; 0: no limit.",
            low=0,
            high=10**6,
            unit="steps",
            group="Ascent",
            title="Most steps between looks",
        ),
        Parameter(
            "ceiling",
            "float",
            0.0,
            "Loss above which an image is pushed no further; 0: none. Chance is the logarithm of the class count.",
            low=0,
            high=1000,
            group="Ascent",
            title="Loss ceiling",
        ),
        *optimiser_parameters(lr=0.05, clip=1.0),
    ),
    plan=plan,
    needs=frozenset({"forget set"}),
    reads_unseen=lambda values, facts: values.goal == "unseen accuracy",
    presets=(
        Preset(
            "default",
            "Default",
            "Small clipped steps up to a ceiling, with a look at the goal after each and 200 steps at most; chosen on "
            "digits and Fashion-MNIST. Published step sizes go from 0.0001 to 0.1 and must be searched for each model.",
            {"lr": 0.01, "ceiling": 1.0, "epochs": 100.0, "max_steps": 200, "check_steps": 1},
            suits=frozenset({"class"}),
        ),
        Preset(
            "samples",
            "Single images",
            "Small steps until the images are guessed no better than unseen ones.",
            {"goal": "unseen accuracy", "lr": 0.003, "batch": 32, "epochs": 10.0},
            frozenset({"sample"}),
        ),
    ),
    notes=(
        "Nothing holds the images to keep: a forgotten class costs seven points of accuracy on the others on "
        "Fashion-MNIST, fourteen on digits.",
        "Ours: the stop rule, the clip and the ceiling. Published code runs a fixed number of passes, which collapses "
        "the network where the step size is not searched.",
        "Batch-norm statistics stay as they are; published code lets them drift to the forget set.",
    ),
    explain=explain,
    honours_weights=True,
)
