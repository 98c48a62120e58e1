"""Retrained reference: fresh weights, the retain set, the original's recipe. With nothing to forget: the original."""

from __future__ import annotations

from core.methods.base import Facts, Method, Preset, Train
from core.methods.common import optimiser_parameters, training
from core.parameters import Parameter, Values

AUGMENTATIONS = ("none", "crop", "crop and flip")


def plan(values: Values, facts: Facts) -> list[Train]:
    """Pass after pass over the same stream of samples for original and retrained ("order with holes")."""
    return [training("train", "train", values)]


RETRAIN = Method(
    id="retrain",
    title="Retrained reference",
    summary="Trains a new model from scratch without the forget set: what every other result is held against.",
    citation="",
    status="reference",
    group="reference",
    parameters=(
        Parameter(
            "epochs", "int", 10, "Passes over the training images.", low=0, high=10000, unit="passes", group="Training"
        ),
        Parameter(
            "augmentation",
            "choice",
            "none",
            "Random changes of training images.",
            choices=AUGMENTATIONS,
            group="Training",
        ),
        *optimiser_parameters(lr=0.1, schedule="one-cycle", weight_decay=5e-4),
    ),
    plan=plan,
    needs=frozenset({"retain set"}),
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
    notes=("The head keeps its full width, so the forgotten class has an output that is only trained downwards.",),
)
