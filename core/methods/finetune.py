"""Fine-tuning on the retain set: the simplest baseline, which often forgets little."""

from __future__ import annotations

from dataclasses import replace

from core.methods.base import Facts, Method, Preset, Train
from core.methods.common import at_least, least_steps, optimiser_parameters, training
from core.parameters import Parameter, Values


def plan(values: Values, facts: Facts) -> list[Train]:
    """Train on the retain set from the original weights."""
    length = at_least(values.epochs, facts.retain, values.batch, values.min_steps)
    return [replace(training("fine-tune", "recover", values), length=length)]


FINETUNE = Method(
    id="finetune",
    title="Fine-tuning",
    summary="Goes on training on the images to keep and hopes that the others fade. A small step size forgets nothing.",
    citation="Baseline in Golatkar et al. 2020 (arXiv 1911.04933)",
    status="baseline",
    group="gradient",
    parameters=(
        Parameter(
            "epochs", "float", 2.0, "Passes over the images to keep.", low=0, high=1000, unit="passes", group="Training"
        ),
        least_steps("a small set of images to keep", "Training"),
        *optimiser_parameters(lr=0.2, schedule="cosine", weight_decay=5e-4),
    ),
    plan=plan,
    needs=frozenset({"retain set"}),
    presets=(
        Preset(
            "default",
            "Default",
            "A step above the literature's 0.01 to 0.1, which forget nothing in a few passes, and 200 steps at least; "
            "chosen on digits and Fashion-MNIST.",
            {"min_steps": 200},
        ),
    ),
)
