"""Ways in which a forgotten class comes back without any of its images: few bits a weight, training on other images.

Both are measured on the network as it is, its head included: what comes back was suppressed, not forgotten.
"""

from __future__ import annotations

import torch

from core.data.batches import ImageStore
from core.data.splits import stratified
from core.engine.outputs import collect
from core.errors import NonFiniteError
from core.metrics.accuracy import correct, share_interval
from core.models.few_bits import BITS, quantise
from core.models.tap import TappedModel
from core.verify.measure_log import Measured
from core.verify.relearning import BATCH, STEP_SIZE, UNSEEN, Ground, Network, train_on

NAME = "quantised weights"
"""What the measure of few bits is called in progress lines and logs."""

OTHER_STEPS = (0, 16, 32, 64, 128)
"""Steps on images that stay after which one looks whether what was forgotten is named again."""


def quantised_accuracy(network: Network | None, ground: Ground | None) -> Measured:
    """Return the accuracy with weights of few bits: `quantised`, by "int8" and "int4", on `forget` and `retain` images.

    Each with its 95 % interval, and `full`, the same of the weights as they are, on the same images. Unseen ones, of
    single images the forget images themselves. Small updates may lie within one level of rounding, so that the
    original's weights come back: arXiv 2601.15538 shows it for 4-bit language models. None without a network to run.
    """
    if network is None or ground is None or not len(ground.splits.forget_train):
        return Measured({"quantised": None})
    sets = {"forget": _forgotten(ground), "retain": (ground.test, stratified(
        ground.splits.test_labels, ground.splits.retain_test, UNSEEN, seed=0))}  # fmt: skip
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, bits in {"full": 0, **{f"int{bits}": bits for bits in BITS}}.items():
        tap = network()
        if bits:
            quantise(tap.module, bits)
        found[name] = {}
        for which, (store, ids) in sets.items():
            if len(ids):
                found[name][which] = share_interval(_right(tap, store, ids, ground))
    return Measured({"quantised": found})


def relearned_from_others(network: Network | None, ground: Ground | None) -> Measured:
    """Return how much of the forget set is named again after training on images that stay alone: `relearn_others`.

    `value` is the highest accuracy after any of the steps, with its interval; `accuracy` has all, that before training
    first. After Siddiqui et al., "From dormant to deleted", arXiv 2505.22310, where forget accuracy came back from the
    retain set alone; batch, step size and length are ours. The head stays as it is: no image says which class a fresh
    row would be. None without a network to run, or where the loss became infinite.
    """
    if network is None or ground is None or not len(ground.splits.forget_train):
        return Measured({"relearn_others": None})
    splits = ground.splits
    store, ids = _forgotten(ground)
    right: dict[int, torch.Tensor] = {}

    def look(tap: TappedModel, step: int) -> bool:
        right[step] = _right(tap, store, ids, ground)
        return False

    mask = torch.zeros_like(splits.forget)
    mask[splits.retain_train] = True
    try:
        train_on(network(), mask, ground, OTHER_STEPS, BATCH, STEP_SIZE, 0, look)
    except NonFiniteError:
        return Measured({"relearn_others": None})
    shares = [float(right[step].double().mean()) for step in OTHER_STEPS]
    best = max(OTHER_STEPS[1:], key=lambda step: shares[OTHER_STEPS.index(step)])  # what was there before is not back
    return Measured({"relearn_others": {
        **share_interval(right[best]), "accuracy": shares, "steps": list(OTHER_STEPS), "batch": BATCH,
        "step_size": STEP_SIZE,
    }})  # fmt: skip


def _forgotten(ground: Ground) -> tuple[ImageStore, torch.Tensor]:
    """Return what stands for the forget set: unseen images of whole classes, of single ones the images themselves."""
    splits = ground.splits
    if len(splits.forget_test):
        return ground.test, stratified(splits.test_labels, splits.forget_test, UNSEEN, seed=0)
    return ground.train, stratified(splits.labels, splits.forget_train, UNSEEN, seed=0)


def _right(tap: TappedModel, store: ImageStore, ids: torch.Tensor, ground: Ground) -> torch.Tensor:
    seen = collect(tap, store, ids, tick=lambda done: ground.control.check())
    return correct(seen.logits, seen.labels)
