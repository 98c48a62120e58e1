"""Retrained reference: fresh weights, the retain set, the original's recipe. With nothing to forget: the original."""

from __future__ import annotations

import math
from typing import Any

import torch.nn.functional as F

from core.data.batches import Batch
from core.data.canaries import label_shifts, with_shifts
from core.methods.base import Aux, Context, Facts, Method, Preset, StageOutput, Terms, Train
from core.methods.common import Group, forgotten_classes, keeping, optimiser_parameters
from core.methods.losses import cross_entropies, mean_over
from core.parameters import Values

TRAINING = Group("Training")

AUGMENTATIONS = ("none", "crop", "crop and flip")

FEWEST_STEPS = 300
"""Of a recipe nobody stated. Ten passes over 320 photographs are 30 steps, after which a ResNet-18 knew a third of
them; after 300 it knew them all."""
_PASSES, _BATCH, _RATE = 10, 128, 0.1  # the defaults below
_SMALL_BATCH = 32  # costs a quarter a step; the step size goes with it


def assumed_recipe(images: int) -> dict[str, Any]:
    """Return the parameters for `images` training images where the original's recipe is not known: those that differ.

    Few images are visited more often, in smaller batches, so that a network from scratch can learn them at all.
    """
    if _PASSES * math.ceil(images / _BATCH) >= FEWEST_STEPS:
        return {}
    passes = max(_PASSES, math.ceil(FEWEST_STEPS / max(1, math.ceil(images / _SMALL_BATCH))))
    return {"epochs": passes, "batch": _SMALL_BATCH, "lr": _RATE * _SMALL_BATCH / _BATCH}


def plan(values: Values, facts: Facts) -> list[Train]:
    """Return passes over the retain set in the original's order, in which forget images leave holes."""
    if not values.get("canaries", 0):  # a job of an earlier version has none
        return [keeping("train", values, phase="train")]
    return [keeping("train", values, _with_canaries, "train", refresh=_planted)]


def _planted(context: Context) -> Aux:
    """Return by how much each image's label is moved on, "canaries", (n,) int64, and the classes that are left out."""
    facts = context.facts
    shifts = label_shifts(facts.images, int(context.values.canaries), context.num_classes)
    return {"canaries": shifts.to(context.device), **forgotten_classes(context)}


def _with_canaries(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the cross-entropy on the batch's labels, those of canaries moved on, of those that are learnt."""
    left_out = aux["forget_classes"]
    labels, learnt = with_shifts(batch.labels, aux["canaries"][batch.ids], out.logits.shape[1], left_out)
    if not len(left_out):
        return {"loss": F.cross_entropy(out.logits, labels)}
    return {"loss": mean_over(cross_entropies(out.logits, labels), learnt)}


RETRAIN = Method(
    id="retrain",
    title="Retrained reference",
    summary="Trains a new model from scratch without the forget set: what every other result is held against.",
    citation="",
    status="reference",
    group="reference",
    parameters=(
        TRAINING("epochs", _PASSES, "Passes over the training images.", high=10000, unit="passes"),
        TRAINING.choice("augmentation", AUGMENTATIONS, "none", "Random changes of training images."),
        TRAINING.images(
            "canaries", 0,
            "Images that are given a wrong label on purpose, the same for every seed: known truth that an attack finds "
            "what was learnt. A training without a class has none that are labelled so. For tests of attacks: such a "
            "model is not for use.",
        ),
        *optimiser_parameters(lr=_RATE, schedule="one-cycle", weight_decay=5e-4),
    ),
    plan=plan,
    needs=("retain set",),
    presets=(
        Preset("recipe", "The original's recipe", "Taken from the model card where there is one."),
        Preset(
            "colour",
            "Colour photographs, 32 × 32",
            "Long enough for CIFAR-like images, with crop and flip.",
            {"epochs": 30, "augmentation": "crop and flip"},
        ),
    ),
    starts_from="fresh",
    notes=(
        "Where the original was fine-tuned from pretrained weights it begins with these, not with fresh ones: features "
        "of a forgotten class may then come back (arXiv 2602.18505).",
        "The head keeps its full width, so the forgotten class has an output that is only trained downwards.",
    ),
)
