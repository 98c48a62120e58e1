"""Fine-tuning on the retain set: the simplest baseline, which often forgets little."""

from __future__ import annotations

from core.methods.base import Facts, Method, Preset, Train
from core.methods.common import Group, keeping, optimiser_parameters
from core.parameters import Values

TRAINING = Group("Training")


def plan(values: Values, facts: Facts) -> list[Train]:
    """Return passes over the retain set that go on from the original's weights."""
    return [keeping("fine-tune", values)]


FINETUNE = Method(
    id="finetune",
    title="Fine-tuning",
    summary="Goes on training on the images to keep and hopes that the others fade. A small step size forgets nothing.",
    citation="Baseline in Golatkar et al. 2020 (arXiv 1911.04933)",
    parameters=(
        TRAINING.passes(2.0, "Passes over the images to keep."),
        TRAINING.fewest_steps("a small set of images to keep"),
        *optimiser_parameters(lr=0.2, schedule="cosine", weight_decay=5e-4),
    ),
    plan=plan,
    needs=("retain set",),
    presets=(
        Preset.default(
            "A step above the literature's 0.01 to 0.1, which forget nothing in a few passes, and 200 steps at least; "
            "chosen on digits and Fashion-MNIST.",
            {"min_steps": 200},
        ),
    ),
)
