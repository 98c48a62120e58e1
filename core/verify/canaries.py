"""The attack on canaries: known truth, because nothing but their training says the wrong labels they were given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from core.data.canaries import label_shifts, learnt_canaries
from core.data.splits import Splits
from core.engine.outputs import FullOutputs
from core.metrics.membership import attack_from_scores, log_odds
from core.verify.measure_log import Measured

CHANCE = 0.5

UNSEEN_SEED = 1
"""Draws the wrong labels of unseen images: another draw than that of the canaries."""


NOT_FOUND = (
    "The attack does not find the canaries that the original learnt, so no membership attack here says anything of "
    "what was forgotten."
)


def doubt_of(measures: Mapping[str, Any]) -> str:
    """Return what speaks against the attacks of a check, from the original's measures: "" where canaries were found."""
    attack = (measures.get("membership") or {}).get("canaries_stay") or {}
    return NOT_FOUND if attack.get("auc") is not None and attack["low"] <= CHANCE else ""


def canary_attacks(model: FullOutputs, splits: Splits, count: int) -> Measured:
    """Return how well a model's log-odds of the planted label tell canaries from unseen images with a wrong label.

    count: the canaries of the original's training. `canaries_stay` are those that an original and a retrained model
    learnt, so an attack that does not find them there finds nothing else either: they are not forgotten, nor labelled
    as a class that is, and unseen ones are of kept classes and labels as well. `canaries_gone` are in the forget set.
    Neither where there are none of a kind.
    """
    shifts, classes = label_shifts(len(splits.labels), count, splits.num_classes), splits.num_classes
    unseen = splits.unseen
    other = label_shifts(len(splits.test_labels), len(splits.test_labels), classes, UNSEEN_SEED)[unseen]
    wrong = (splits.test_labels[unseen] + other) % classes
    outside = log_odds(model.test.logits[unseen], wrong)
    gone = torch.tensor(splits.forget_classes, dtype=torch.int64)
    kept = ~torch.isin(splits.test_labels[unseen], gone) & ~torch.isin(wrong, gone)
    found: dict[str, Any] = {}
    for name, wanted, others in (
        ("canaries_stay", learnt_canaries(splits, count), outside[kept.numpy()]),
        ("canaries_gone", (shifts > 0) & splits.forget, outside),
    ):
        ids = torch.nonzero(wanted).flatten()
        if len(ids):
            planted = (splits.labels[ids] + shifts[ids]) % classes
            attack = attack_from_scores(log_odds(model.train.logits[ids], planted), others).as_dict()
            attack["reason"] = attack["reason"].replace("forget image", "canary image")
            found[name] = attack
    return Measured({"membership": found} if found else {})
