"""SCRUB: away from the original on the forget set, toward it on the retain set, in turn; with a way back.

    for pass in 1..epochs:
        in the first max_epochs:  maximise KL(original || network)                             batches of the forget set
        minimise ce_weight * CE + kl_weight * KL(original || network)                          batches of the retain set
        where it rewinds:  snapshot
        with a goal:       end where the forget set is wrong enough and the retain set right again; no max pass where
                           the forget set is wrong enough already                              (ours; a preset's choice)
    rewind:  back to the snapshot whose error on single images is nearest to the error that the final network makes on
             unseen images of the same classes, among those that have forgotten the classes to forget

The publication calls the two weights alpha and gamma, and not always the same way round; here they have names.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F

from core.data.batches import Batch
from core.methods.base import (
    Aux,
    Context,
    Edit,
    Facts,
    Length,
    Method,
    Preset,
    Refresh,
    SearchRange,
    Stage,
    StageOutput,
    Terms,
)
from core.methods.common import Group, optimiser_of, optimiser_parameters, training
from core.methods.goals import stop_accuracy
from core.methods.losses import divergence, mean_of
from core.parameters import Values

PASSES = Group("Passes")
LOSS = Group("Loss")

SNAPSHOT = "snapshot/"
ERROR, CLASSES = "error", "classes"  # of a snapshot: error on single images, accuracy on classes that go
RETAIN = "retain_accuracy"  # aux: the original's on training images to keep, 0-d
FEWEST_PASSES = 2  # before a goal ends a run: the first leaves small networks far from recovered


def leave(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return minus the divergence from the original, each image by its weight: what a max pass lowers."""
    return {"loss": -mean_of(divergence(out.logits, out.teacher, values.temperature), batch.weights)}


def stay(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the weighed sum of cross-entropy and divergence from the original: what a min pass lowers."""
    classification = F.cross_entropy(out.logits, batch.labels)
    distillation = divergence(out.logits, out.teacher, values.temperature).mean()
    return {
        "loss": values.ce_weight * classification + values.kl_weight * distillation,
        "classification": classification,
        "distillation": distillation,
    }


def snapshot(context: Context, *, number: int) -> Aux:
    """Return the network as it is after pass `number`, buffers included, and what rewinding judges it by."""
    state = context.model.module.state_dict()
    kept = {f"{SNAPSHOT}{number}/weights/{name}": value.detach().clone() for name, value in state.items()}
    for name, value in judged(context).items():
        kept[f"{SNAPSHOT}{number}/{name}"] = torch.tensor(value, device=context.device)
    return kept


def judged(context: Context) -> dict[str, float]:
    """Return the error on single images and, where classes go too, the accuracy on their images, 0..1."""
    classes = {CLASSES: context.accuracy("classes", limit=0)} if context.facts.class_images else {}
    return {ERROR: 1 - context.accuracy("singles", limit=0), **classes}


def error_in_mix(logits: torch.Tensor, labels: torch.Tensor, mix: torch.Tensor) -> float | None:
    """Return the share of images got wrong when classes come as in `mix`, 0..1; None where it has no image of them.

    logits: (n, K); labels: (n,); mix: (K,) numbers of images. Classes without an image are left out of the mix.
    """
    counts = torch.bincount(labels, minlength=len(mix)).double()
    wrong = torch.bincount(labels, weights=(logits.argmax(dim=1) != labels).double(), minlength=len(mix))
    share = mix.double() * (counts > 0)
    return float((share * wrong / counts.clamp_min(1)).sum() / share.sum()) if share.sum() > 0 else None


def unseen_error(context: Context) -> float | None:
    """Return the network's error on unseen images of the single images' classes, 0..1; None where there are none."""
    mix = torch.bincount(context.labels("singles"), minlength=context.num_classes)
    unseen = context.outputs("unseen")
    return error_in_mix(unseen.logits, unseen.labels, mix)


def nearest_snapshot(errors: dict[int, float], goal: float) -> int:
    """Return the number of the snapshot whose error is nearest to the goal; the latest of several."""
    return min(sorted(errors, reverse=True), key=lambda number: abs(errors[number] - goal))


def rewind(context: Context) -> None:
    """Load the snapshot that errs on single images as the final network errs on unseen images of their classes.

    Where classes go too, only snapshots take part that have forgotten them, or have come nearest to it.
    """
    last = int(context.values.epochs)
    goal = unseen_error(context)
    if goal is None:
        context.say("No unseen images of the single images' classes to compare with: the last pass is kept.")
        return
    now = judged(context)

    def after_each_pass(name: str) -> dict[int, float]:
        return {n: float(context.aux[f"{SNAPSHOT}{n}/{name}"]) for n in range(1, last)} | {last: now[name]}

    errors = after_each_pass(ERROR)
    eligible = errors
    if CLASSES in now:
        right = after_each_pass(CLASSES)
        enough = max(context.values.stop_accuracy, min(right.values())) + 1e-6  # snapshots hold float32
        eligible = {number: errors[number] for number in errors if right[number] <= enough}
    chosen = nearest_snapshot(eligible, goal)
    context.say(
        f"Unseen images of the same classes: {100 * goal:.1f} % wrong. Single images after each pass: "
        f"{', '.join(f'{100 * errors[number]:.1f} %' for number in sorted(errors))}. Kept: pass {chosen}."
    )
    if chosen != last:
        prefix = f"{SNAPSHOT}{chosen}/weights/"
        state = {n.removeprefix(prefix): value for n, value in context.aux.items() if n.startswith(prefix)}
        context.model.module.load_state_dict(state)


def rewinds(values: Values, facts: Facts) -> bool:
    """Tell whether a run goes back: for single images only, because whole classes are to be wrong throughout.

    In a correction so are all images.
    """
    return bool(values.rewind) and facts.aims_at_unseen


def retain_accuracy(context: Context) -> Aux:
    """Return the original's accuracy on images to keep, as a constant."""
    return {RETAIN: torch.tensor(context.accuracy("retain"))}


def wrong_enough(context: Context) -> bool:
    """Tell whether classes, and in a correction all images, are at their goal, and other single images as wrong as
    unseen ones: then no max pass is needed.
    """  # noqa: D205
    if context.facts.class_images and context.accuracy("classes") > context.values.stop_accuracy:
        return False
    if not context.facts.single_images:
        return True
    if context.facts.corrective:
        return context.accuracy("singles") <= float(context.values.stop_accuracy)
    goal = unseen_error(context)
    return goal is None or 1 - context.accuracy("singles") >= goal


def done(context: Context) -> bool:
    """Tell whether the run may end: the forget set is wrong enough, and retain accuracy within `max_drop` of before."""
    if not wrong_enough(context):
        return False
    return context.accuracy("retain") >= float(context.aux[RETAIN]) - context.values.max_drop


def has_goal(values: Values, facts: Facts) -> bool:
    """Tell whether a run may end before its last pass. Rewinding chooses among all passes."""
    return values.goal != "none" and not rewinds(values, facts)


def copies(values: Values, facts: Facts) -> float:
    """Return how many snapshots a run comes to hold: of all passes but the last, because its end says which one."""
    return float(values.epochs - 1) if rewinds(values, facts) else 0.0


def plan(values: Values, facts: Facts) -> list[Stage]:
    """Lay out max and min passes; a snapshot is taken where the next pass begins, a goal is looked at where it ends."""
    rewinding, goal = rewinds(values, facts), has_goal(values, facts)
    skips = goal or (values.goal != "none" and facts.class_images > 0)
    one_schedule = optimiser_of(values, span="run")
    minimise = training(
        "min", "recover", "retain", stay, values, length=Length(1), optimiser=one_schedule, needs=("teacher",)
    )
    maximise = replace(
        minimise,
        phase="forget",
        reads="forget",
        loss=leave,
        length=Length(1, most=values.max_steps),
        batch=values.forget_batch,
        batch_norm=values.batch_norm,
        augment=False,
    )
    stages: list[Stage] = []
    for number in range(1, values.epochs + 1):
        of = f"pass {number} of {values.epochs}"
        parts = [replace(minimise, name=f"min, {of}", until=done if goal and number >= FEWEST_PASSES else None)]
        if number <= values.max_epochs:
            parts.insert(0, replace(maximise, name=f"max, {of}", unless=wrong_enough if skips and number > 1 else None))
        first: Refresh | None = retain_accuracy if goal and number == 1 else None
        if rewinding and number > 1:
            first = partial(snapshot, number=number - 1)
        stages += [replace(parts[0], refresh=first), *parts[1:]]
    return [*stages, Edit("rewind", rewind)] if rewinding else stages


def explain(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say how many passes do what, and whether there is a way back."""
    upward = min(values.max_epochs, values.epochs)
    parts = [f"{upward} of {values.epochs} passes move away from the original on the forget set; all of them recover."]
    if rewinds(values, facts):
        parts.append("At the end it goes back to the pass that errs on single images as it does on unseen images.")
    elif values.rewind:
        what = "no image is to be given its label" if facts.corrective else "whole classes are to be wrong throughout"
        parts.append(f"No rewinding: {what}.")
    if has_goal(values, facts):
        parts.append(
            f"Ends after a pass, the second at the earliest, with accuracy on the forget set at or below "
            f"{100 * values.stop_accuracy:.1f} % and at most {100 * values.max_drop:g} points lost on training images "
            "to keep. "
            "While the first holds, passes only recover."
        )
    return tuple(parts)


SCRUB = Method(
    id="scrub",
    title="SCRUB",
    summary="Moves away from the original's outputs on the forget set and stays near them on the others, in turn; for "
    "single images it can go back to the pass that forgot just enough.",
    citation="Kurmanji et al. 2023 (arXiv 2302.09880); constants from the authors' notebooks",
    group="distillation",
    parameters=(
        PASSES("epochs", 3, "Passes over the images to keep; published values: 3, 5 and 10.", low=1, unit="passes"),
        PASSES(
            "max_epochs",
            2,
            "The first so many passes begin with one over the forget set; published values: 2 and 3. As many as there "
            "are passes leave none that only recovers.",
            unit="passes",
        ),
        PASSES(
            "forget_batch",
            32,
            "Images of the forget set in one step; smaller batches take more steps in a pass.",
            low=1,
            high=65536,
            log=True,
            unit="images",
        ),
        PASSES.most_steps("one pass over the forget set"),
        PASSES.choice(
            "goal",
            ("forget accuracy", "none"),
            "none",
            "What ends the run before its last pass: forget accuracy at a number and images to keep recovered, or "
            "nothing, as published. Rewinding looks at all passes.",
        ),
        stop_accuracy(PASSES, 0.01),
        PASSES.share(
            "max_drop",
            0.015,
            "Largest fall of accuracy on training images to keep at which to stop (goal: forget accuracy); 0.01 is a "
            "point.",
            title="Largest fall of retain accuracy",
        ),
        PASSES(
            "rewind",
            False,
            "For single images, except in a correction: end at the pass whose error on the forget set is nearest to "
            "that on unseen images of its classes. The weights after every pass are kept until then, in memory and in "
            "checkpoints.",
        ),
        LOSS(
            "ce_weight",
            0.99,
            "Weight of the cross-entropy on images to keep; published values: 0.99 and 1 (there gamma).",
            title="Cross-entropy weight",
        ),
        LOSS(
            "kl_weight",
            0.001,
            "Weight of the divergence from the original on images to keep; published values: 0.001 and 0.5 (there "
            "alpha).",
            title="Divergence weight",
        ),
        LOSS.temperature(4.0, "Softens both outputs before they are compared; published values: 2 and 4."),
        LOSS.choice(
            "batch_norm",
            ("train", "frozen"),
            "train",
            "On forget batches: the batch's own statistics, as published, or the running ones.",
            title="Batch norm on forget batches",
        ),
        *optimiser_parameters(lr=0.02, clip=5.0),
    ),
    plan=plan,
    needs=("forget set", "retain set", "teacher"),
    presets=(
        Preset.for_singles(
            "More passes, a clip, at most 10 forget steps in a max pass, and back to the pass that forgot just enough.",
            {"epochs": 6, "max_epochs": 5, "clip": 2.0, "rewind": True, "max_steps": 10},
        ),
        Preset.default(
            "Published weights and temperature, a larger step for short runs, a clip and at most 5 forget steps in a "
            "max pass, without which these can destroy the network. Passes go on until the classes are forgotten and "
            "the others recovered, two or three for most; chosen on digits and Fashion-MNIST.",
            {"epochs": 6, "max_epochs": 6, "max_steps": 5, "goal": "forget accuracy", "rewind": True},
        ),
        Preset(
            "published-large",
            "Published, large scale",
            "The notebooks' setting for ResNets on CIFAR-10: step size 0.0005, 3 passes, 2 of them max.",
            {"lr": 5e-4, "weight_decay": 5e-4, "forget_batch": 128, "clip": 0.0},
        ),
        Preset(
            "published-small",
            "Published, small scale",
            "The notebooks' setting for small data: AdamW at 0.0005 with weight decay 0.1, 10 passes, 3 of them max.",
            {
                "optimiser": "adamw",
                "lr": 5e-4,
                "weight_decay": 0.1,
                "epochs": 10,
                "max_epochs": 3,
                "ce_weight": 1.0,
                "kl_weight": 0.5,
                "temperature": 2.0,
                "forget_batch": 128,
                "clip": 0.0,
            },
        ),
    ),
    notes=(
        "Where network and original are equal the divergence has no gradient. With batch norm the forget batches' own "
        "statistics make the first difference, as published; without it, or frozen, the first max pass does nothing "
        "and the recovering pass after it makes the difference.",
        "Left out of the published code: the smoothed copy of the weights (0 at large scale), the distance of weights, "
        "and step sizes divided by ten late in the run. Every stage starts with fresh momentum.",
        "Ours: the goal. A fixed number of passes leaves a third of two classes at once, and takes one too many for a "
        "class that is forgotten sooner.",
        "Rewinding compares with unseen images of the calibration half, which results are not shown for.",
    ),
    explain=explain,
    reads_unseen=rewinds,
    copies=copies,
    honours_weights=True,
    search=(SearchRange("kl_weight", 0.001, 1.0),),
)
