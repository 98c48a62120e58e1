"""JIT: smooths the network's outputs around the images to forget, without labels and without the images to keep.

for each batch of the forget set, until accuracy on it reaches a goal (ours), n noisy copies e of every image x:
    L = mean over x of  mean over e of  |f(x) - f(x + e)| / |e|         f(x + e) is a constant
"""

from __future__ import annotations

from dataclasses import replace

import torch

from core.data.batches import Batch, joined
from core.methods.base import Aux, Facts, Method, Networks, Preset, SearchRange, StageOutput, Terms, Train
from core.methods.common import Group, forgetting, optimiser_parameters
from core.methods.goals import explain_goal, goal_parameters, judges_by_unseen, pull, until_goal
from core.methods.losses import mean_of
from core.parameters import Values

SMOOTHING = Group("Smoothing")


def with_noisy_copies(networks: Networks, batch: Batch, aux: Aux, values: Values) -> Batch:
    """Return the images with `copies` noisy versions of each behind them: all first copies, then all second ones.

    The noise is normal in units of preprocessed images; what leaves the range of pixels is cut.
    """
    images = batch.images.repeat(values.copies, 1, 1, 1)
    noise = torch.empty_like(images).normal_(0.0, values.noise, generator=networks.generator)
    noisy = torch.minimum(torch.maximum(images + noise, networks.low), networks.high)
    return joined(batch, *(replace(batch, images=version) for version in noisy.split(len(batch))))


def smoothness(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the mean over images of how far outputs move for each unit that a noisy copy is away from its image.

    Each image counts by its weight. The copies' outputs have no gradient: the stage names them as constants.
    """
    n = len(batch) // (values.copies + 1)
    clean, noisy = out.logits[:n], out.logits[n:]
    apart = torch.linalg.vector_norm((clean.repeat(values.copies, 1) - noisy), dim=1)
    moved = torch.linalg.vector_norm(
        (batch.images[n:] - batch.images[:n].repeat(values.copies, 1, 1, 1)).flatten(1), dim=1
    )
    quotients = (apart / moved.clamp_min(1e-12)).view(values.copies, n).mean(dim=0)
    return {"loss": mean_of(quotients, pull(batch, aux)[:n])}


def plan(values: Values, facts: Facts) -> list[Train]:
    """Return passes over the forget set with noisy copies, which end at the goal."""
    stage = forgetting(
        "smooth around the forget set", smoothness, values, prepare=with_noisy_copies, copies=values.copies
    )
    return [until_goal(stage, values, facts)]


LIPSCHITZ = Method(
    id="lipschitz",
    title="JIT (Lipschitz)",
    summary="Makes the outputs vary little around the images to forget until a goal is reached. It does not look at "
    "the images to keep, so a step too many costs them.",
    citation="Foster et al. 2024: Zero-Shot Machine Unlearning at Scale via Lipschitz Regularization (arXiv "
    "2402.01401)",
    parameters=(
        SMOOTHING.passes(3.0, "Passes over the forget set; published: 1."),
        SMOOTHING(
            "copies",
            10,
            "Noisy copies of each image; published: 25, in later code 10. Each costs a forward pass.",
            low=1,
            unit="copies",
        ),
        SMOOTHING(
            "noise",
            0.1,
            "Standard deviation of the noise, in units of preprocessed images; published: 0.5 to 1.5 for classes, 0.01 "
            "to 0.5 for single images.",
            high=100,
            low_open=True,
            log=True,
            title="Noise level",
        ),
        SMOOTHING.most_steps("the run"),
        *goal_parameters(SMOOTHING),
        *optimiser_parameters(lr=0.001, batch=64, momentum=0.0),
    ),
    plan=plan,
    needs=("forget set",),
    presets=(
        Preset.for_singles(
            "Small steps until the images are guessed no better than unseen ones.",
            {"goal": "unseen accuracy", "max_steps": 200, "check_steps": 1},
        ),
        Preset.default(
            "A look at the goal after each step, and 200 steps at most. Published step sizes go from 0.0003 for a "
            "VGG16 to 1.5 for a vision transformer, searched for each.",
            {"epochs": 100.0, "max_steps": 200, "check_steps": 1},
        ),
    ),
    notes=(
        "Nothing holds the images to keep: published results keep them by the choice of step size alone. A forgotten "
        "class costs ten to eighteen points of accuracy on the others, on digits and on Fashion-MNIST.",
        "Ours: the stop rule, without which a step size that suits one class destroys the network for another; the "
        "mean over a batch in place of the sum, so that the step size does not depend on the batch; gradients of one "
        "batch at a time (the published code adds them up over batches); noise is cut to the range of pixels in place "
        "of the batch's.",
        "Batch-norm statistics stay as they are.",
    ),
    explain=explain_goal,
    honours_weights=True,
    reads_unseen=judges_by_unseen,
    search=(SearchRange("lr", 0.05, 20.0, relative=True), SearchRange("noise", 0.2, 3.0, relative=True)),
)
