"""Goals for methods that see the images to forget alone: a fixed number of steps does too little or destroys."""

from __future__ import annotations

from dataclasses import replace

import torch

from core.data.batches import Batch, batches_per_epoch
from core.methods.base import Aux, Context, Facts, Train
from core.methods.common import Group
from core.parameters import Parameter, Values

GOALS = ("forget accuracy", "unseen accuracy", "none")
UNSEEN = "unseen_accuracy"  # aux: the original's, 0-d
OPEN = "open"  # aux: which goals are not reached yet, 1 or 0: (2,) of images that go with their class, and alone


def goal_parameters(group: Group) -> tuple[Parameter, ...]:
    """Return the parameters of the stop rule."""
    return (
        group.choice(
            "goal",
            GOALS,
            "forget accuracy",
            "What ends the run: forget accuracy at a number, forget accuracy no higher than the original's on unseen "
            "images (for single images, whose classes stay; in a correction at the number), or nothing.",
        ),
        stop_accuracy(group, 0.05),
        group("checks", 4, "How often in a pass the goal is looked at.", low=1),
        group(
            "check_steps",
            0,
            "Most steps between two looks, so that a large forget set does not run past the goal; 0: no limit.",
            high=10**6,
            unit="steps",
            title="Most steps between looks",
        ),
    )


def stop_accuracy(group: Group, default: float) -> Parameter:
    """Return the parameter of the goal that is a number."""
    return group.share("stop_accuracy", default, "Forget accuracy at which to stop (goal: forget accuracy).")


def until_goal(stage: Train, values: Values, facts: Facts) -> Train:
    """Return a stage over the forget set with the rule that ends it once its goals are reached."""
    if values.goal == "none":
        return stage
    every = max(1, round(batches_per_epoch(facts.forget, stage.batch) / values.checks))
    every = min(every, values.check_steps or every)
    return replace(stage, refresh=look, refresh_every=every, until=reached, until_every=every)


def judges_by_unseen(values: Values, facts: Facts) -> bool:
    """Tell whether single images are forgotten where they are as often right as unseen ones: beside classes always.

    In a correction they never are: their labels are the fault, and go as far as those of whole classes.
    """
    with_classes = values.goal == "forget accuracy" and facts.class_images > 0
    return facts.aims_at_unseen and (with_classes or values.goal == "unseen accuracy")


def unseen_accuracy(context: Context) -> torch.Tensor:
    """Return the original's accuracy on unseen images, 0-d: the one of the first look, among the constants since."""
    earlier = context.aux.get(UNSEEN)
    return torch.tensor(context.accuracy("unseen")) if earlier is None else earlier


def look(context: Context) -> Aux:
    """Return which goals are still open, of images that go with their class and of images that go alone.

    Classes, and in a correction all images, are forgotten where their accuracy is at a number, other single images
    where it is at the original's on unseen images, because the network's own falls along with theirs.
    """
    facts, aux = context.facts, {}
    goal = torch.tensor(float(context.values.stop_accuracy))
    if judges_by_unseen(context.values, facts):
        goal = aux[UNSEEN] = unseen_accuracy(context)
    classes = facts.class_images > 0 and context.accuracy("classes") > context.values.stop_accuracy
    singles = facts.single_images > 0 and context.accuracy("singles") > float(goal)
    return {**aux, OPEN: torch.tensor([float(classes), float(singles)], device=context.device)}


def reached(context: Context) -> bool:
    """Tell whether the run may end: no goal was open at the last look."""
    return not bool(context.aux[OPEN].any())


def pull(batch: Batch, aux: Aux) -> torch.Tensor:
    """Return how much each image is drawn away, (n,): its weight, or nothing where the goal of its kind is reached."""
    return batch.weights * aux[OPEN][batch.alone.long()] if OPEN in aux else batch.weights


def explain_goal(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say when the run stops."""
    if values.goal == "none":
        return ("No goal: it goes on for all passes, and more steps than needed destroy the network.",)
    number, unseen = f"{100 * values.stop_accuracy:.1f} %", "the original's accuracy on unseen images"
    by_unseen = judges_by_unseen(values, facts)
    if by_unseen and facts.class_images:
        what = f"accuracy on whole classes is at or below {number} and on single images at or below {unseen}"
    else:
        what = f"accuracy on the forget set is at or below {unseen if by_unseen else number}"
    often = f"{values.checks} × a pass"
    if values.check_steps:
        often += (
            f" and at least every {values.check_steps} steps" if values.check_steps > 1 else " and after every step"
        )
    return (f"Stops where {what}, looked at {often}.",)
