"""Goals for methods that see the images to forget alone: a fixed number of steps does too little or destroys."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from core.data.batches import batches_per_epoch
from core.methods.base import Aux, Context, Facts, Length, Train
from core.parameters import Parameter, Values

GOALS = ("forget accuracy", "unseen accuracy", "none")
UNSEEN = "unseen_accuracy"  # aux: the goal for single images, 0-d
GOAL_SAMPLES = 2000  # of each set looked at by the stop rule


def goal_parameters(group: str, goal: str = "forget accuracy") -> tuple[Parameter, ...]:
    """Return the parameters of the stop rule."""
    return (
        Parameter(
            "goal",
            "choice",
            goal,
            "What ends the run: forget accuracy at a number, forget accuracy no higher than the original's on unseen "
            "images (for single images, whose classes stay), or nothing.",
            choices=GOALS,
            group=group,
        ),
        stop_accuracy(0.05, group),
        Parameter(
            "checks",
            "int",
            4,
            "How often in a pass the goal is looked at; momentum starts anew there.",
            low=1,
            high=1000,
            group=group,
        ),
        Parameter(
            "check_steps",
            "int",
            0,
            "Most steps between two looks, so that a large forget set does not run past the goal; 0: no limit.",
            low=0,
            high=10**6,
            unit="steps",
            group=group,
            title="Most steps between looks",
        ),
    )


def stop_accuracy(default: float, group: str) -> Parameter:
    """Return the parameter of the goal that is a number."""
    return Parameter(
        "stop_accuracy",
        "float",
        default,
        "Forget accuracy at which to stop (goal: forget accuracy).",
        low=0,
        high=1,
        group=group,
    )


def until_goal(stage: Train, values: Values, facts: Facts) -> list[Train]:
    """Cut `epochs` passes over the forget set, `max_steps` at most, into stretches with a look at the goal after each.

    Stretches are stages of their own, because the goal can be looked at where a stage ends.
    """
    per_pass = batches_per_epoch(facts.forget, stage.batch)
    total = math.ceil(values.epochs * per_pass)
    total = min(total, values.max_steps or total)
    stretch = max(1, round(per_pass / values.checks))
    if values.check_steps:
        stretch = min(stretch, values.check_steps)
    until = None if values.goal == "none" else reached
    measured = values.goal == "unseen accuracy"
    return [
        replace(
            stage,
            name=f"{stage.name}, steps {first + 1} to {min(total, first + stretch)}",
            length=Length(steps=min(total, first + stretch) - first),
            refresh=unseen_accuracy if measured and not first else None,
            keeps=(UNSEEN,) if measured else (),
            until=until,
        )
        for first in range(0, total, stretch)
    ]


def unseen_accuracy(context: Context) -> Aux:
    """Return the original's accuracy on unseen images: later it falls along with that on the forget set."""
    return {UNSEEN: torch.tensor(context.accuracy("unseen", limit=GOAL_SAMPLES))}


def reached(context: Context) -> bool:
    """Stop rule: accuracy on the forget set at its goal, a number or the original's accuracy on unseen images."""
    values = context.values
    goal = float(context.aux[UNSEEN]) if values.goal == "unseen accuracy" else values.stop_accuracy
    return context.accuracy("forget", limit=GOAL_SAMPLES) <= goal


def explain_goal(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say when the run stops."""
    return (_goal_in_words(values),)


def _goal_in_words(values: Values) -> str:
    if values.goal == "none":
        return "No goal: it goes on for all passes, and more steps than needed destroy the network."
    goal = (
        f"{100 * values.stop_accuracy:.1f} %"
        if values.goal == "forget accuracy"
        else "the original's accuracy on unseen images"
    )
    often = f"{values.checks} × a pass"
    if values.check_steps:
        often += (
            f" and at least every {values.check_steps} steps" if values.check_steps > 1 else " and after every step"
        )
    return f"Stops where accuracy on the forget set is at or below {goal}, looked at {often}."
