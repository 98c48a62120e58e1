"""Attacks on the forget set with reference models that never saw it: RMIA, IAM, and ones after RULI and MIA-NN.

Members are forget images, non-members unseen images of the same classes (evaluation half), which no reference saw
either. To a model that was retrained both are new, so each attack must be at chance there. The attack on neighbouring
classes has no members: its goal is the retrained value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.data.splits import Splits, stratified
from core.engine.outputs import FullOutputs
from core.metrics.accuracy import share_interval
from core.metrics.membership import Z_95, attack_from_scores, log_odds, matched_positions, rmia, rmia_dict
from core.metrics.neighbour_class import named_as, nearest_class
from core.metrics.sample_attacks import by_hardness, calibrated_scores, iam_scores, iam_signals

MOST_REFERENCES = 16
"""Reference models of an attack at most: of more, the mean hardly moves."""

FITTED_SAMPLES = 5000
"""Images that tell how a reference answers what it was trained on, for IAM: their mean has settled long before."""

MOST_SAMPLES = 10_000
"""Forget images that are attacked at most: an interval is then under a point wide."""

GROUPS = ("vulnerable", "protected")

TOO_FEW_REFERENCES = "It needs two reference models: one half finds hard images, the other half attacks."


def reference_attack(model: FullOutputs, references: Sequence[FullOutputs], splits: Splits) -> dict[str, Any] | None:
    """Return RMIA on the forget set with models that never saw it; None without such models or a forget set."""
    if not references or not len(splits.forget_train):
        return None
    used = references[:MOST_REFERENCES]
    inside, outside = matched_positions(splits.labels[splits.forget_train], splits.test_labels[splits.unseen])
    members, others = splits.forget_train[inside], splits.unseen[outside]
    attack = rmia(
        model.train.logits[members], splits.labels[members], [reference.train.logits[members] for reference in used],
        model.test.logits[others], splits.test_labels[others], [reference.test.logits[others] for reference in used],
    )  # fmt: skip
    return rmia_dict(attack, len(used))


def interpolated_attack(
    model: FullOutputs, shadow: FullOutputs, original: FullOutputs | None, splits: Splits
) -> dict[str, Any] | None:
    """Return IAM on the forget set with one shadow model that never saw it; None without a forget set.

    The attack is the offline form: what a fitted sample looks like is what the shadow model says of its own training
    images, on average, as the code of the authors' experiments has it (`new_records.py`). Their score by itself takes
    the signal of p = 1 where it is given nothing, which those experiments do not use. `fitted` is the online form's
    mean over the forget images, which takes that from the original's answer to each image: 0 where the model answers as
    the shadow model, towards 1 where it answers as the original. It is informative about unlearning alone, because of
    unseen images the original knows no more than the shadow model.
    """
    if not len(splits.forget_train):
        return None
    inside, outside = matched_positions(
        splits.labels[splits.forget_train], splits.test_labels[splits.unseen], most=MOST_SAMPLES
    )
    members, others = splits.forget_train[inside], splits.unseen[outside]

    def signals(full: FullOutputs, ids: Tensor, from_test: bool) -> NDArray[np.float64]:
        part = full.test if from_test else full.train
        return iam_signals(part.logits[ids], part.labels[ids])

    learnt = stratified(splits.labels, splits.retain_train, FITTED_SAMPLES, seed=0)
    fitted = float(signals(shadow, learnt, False).mean())
    own = np.concatenate([signals(model, members, False), signals(model, others, True)])
    never = np.concatenate([signals(shadow, members, False), signals(shadow, others, True)])
    scores = iam_scores(own, never, fitted)
    found = attack_from_scores(scores[: len(members)], scores[len(members) :]).as_dict() | {"references": 1}
    if original is not None and len(members):
        known = signals(original, members, False)
        found["fitted"] = with_interval(iam_scores(own[: len(members)], never[: len(members)], known))
    return found


def neighbour_attack(
    model: FullOutputs, references: Sequence[FullOutputs], splits: Splits
) -> dict[str, Any] | None:
    """Return the share of unseen forget images that an SVM on the model's logits takes for their neighbour class.

    `references` are models that never saw the forgotten classes, without the one that is judged, which would choose its
    own goal: they say which class is nearest. The retrained value is the goal: a model that was made to avoid a class
    gives its images away by another one. `classes` holds the neighbour of each forgotten class. None without whole
    classes, unseen images of them, or references.
    """
    if not references or not len(splits.forget_test):
        return None
    kept, hits, neighbours = splits.retain_classes, [], []
    fit = stratified(splits.labels, splits.retain_train, FITTED_SAMPLES, seed=0)
    logits, labels = model.train.logits[fit], splits.labels[fit]
    for label in splits.forget_classes:
        ids = splits.forget_test[splits.test_labels[splits.forget_test] == label]
        if len(ids) and kept:
            neighbours.append(nearest_class([reference.test.logits[ids] for reference in references], kept))
            hits.append(named_as(logits, labels, model.test.logits[ids], neighbours[-1], kept))
    taken = [torch.from_numpy(hit) for hit in hits if hit is not None]
    if not taken:
        return None
    return {**share_interval(torch.cat(taken)), "classes": neighbours, "references": len(references)}


def with_interval(values: NDArray[np.float64]) -> dict[str, float]:
    """Return the mean of a value a sample, (n,), with its 95 % interval: value, low, high."""
    value, half = float(values.mean()), Z_95 * float(values.std()) / math.sqrt(len(values))
    return {"value": value, "low": value - half, "high": value + half}


def sample_attacks(
    model: FullOutputs, references: Sequence[FullOutputs], splits: Splits
) -> dict[str, dict[str, Any]]:
    """Return an attack on the harder half of the forget images, the vulnerable ones, and one on the other half.

    After RULI (arXiv 2506.13009), which is on both kinds apart because an average over all images hides the vulnerable
    ones. A reconstruction: RULI's groups and likelihoods are of 90 and more shadow models that were trained and
    unlearned; here models that never saw an image say how hard it is, and its log-odds are held against theirs. One
    half of the references says the one, the other half the other: the same ones would take their own errors for
    memories. Empty without a forget set.
    """
    if not len(splits.forget_train):
        return {}
    if len(references) < 2:
        refused = attack_from_scores((), ()).as_dict() | {"reason": TOO_FEW_REFERENCES}
        return {f"sample_{group}": refused for group in GROUPS}
    members, others = stratified(splits.labels, splits.forget_train, MOST_SAMPLES, seed=0), splits.unseen

    def of(full: FullOutputs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return (
            log_odds(full.train.logits[members], splits.labels[members]),
            log_odds(full.test.logits[others], splits.test_labels[others]),
        )

    odds = [of(reference) for reference in references[:MOST_REFERENCES]]
    finding, attacking = odds[: len(odds) // 2], odds[len(odds) // 2 :]
    inside, outside = (
        calibrated_scores(own, [reference[side] for reference in attacking]) for side, own in enumerate(of(model))
    )
    hard, hard_unseen = (np.mean([reference[side] for reference in finding], axis=0) for side in (0, 1))
    groups = by_hardness(hard, splits.labels[members].numpy(), hard_unseen, splits.test_labels[others].numpy())
    return {
        f"sample_{name}": attack_from_scores(inside[group.members], outside[group.others]).as_dict()
        | {"references": len(odds)}
        for name, group in groups.items()
    }
