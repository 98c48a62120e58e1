"""Half-widths of 95 % intervals of unlearned − retrained, measure by measure: what a verdict calls sampling error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.metrics.influence import nmi_difference
from core.metrics.intervals import bootstrap_mean
from core.metrics.membership import Z_95
from core.verify.closure import look_up
from core.verify.measure_log import Found

PAIRED = ("forget_accuracy", "output_distance", "probe", "class_means", "prototype", "relearn")
"""Measures that are means over samples: the samples' differences are resampled, so what all models share drops out."""


def half_widths(unlearned: Found, retrained: Sequence[Found]) -> dict[str, float]:
    """Return the half-width of the interval of unlearned − mean of `retrained`, by measure key.

    Measures that were not taken, or whose samples do not match, are left out.
    """
    found: dict[str, float] = {}
    for key in PAIRED:
        interval = bootstrap_mean(_difference(key, unlearned, retrained))
        if interval is not None:
            found[key] = interval.half_width
    influence = _difference("dimensional_alignment", unlearned, retrained)
    if influence is not None:
        found["dimensional_alignment"] = Z_95 * math.sqrt(float(np.square(influence).sum()))
    clusters = _clusters(unlearned, retrained)
    if clusters is not None:
        found["nmi"] = clusters
    attack = _attack(unlearned.values, [each.values for each in retrained])
    if attack is not None:
        found["membership"] = attack
    return found


def _difference(key: str, unlearned: Found, retrained: Sequence[Found]) -> np.ndarray | None:
    """Return each sample's value for the unlearned model minus its mean over the retrained ones.

    A single retrained model has no distance to others: its side is 0 then.
    """
    own = unlearned.samples.get(key)
    others = [each.samples[key] for each in retrained if each.samples.get(key)]
    others = [each for each in others if own and len(each) == len(own)]
    if not own or (not others and not (key == "output_distance" and retrained)):
        return None
    reference = np.mean(np.asarray(others, dtype=np.float64), axis=0) if others else 0.0
    return np.asarray(own, dtype=np.float64) - reference


def _clusters(unlearned: Found, retrained: Sequence[Found]) -> float | None:
    own = unlearned.samples.get("nmi")
    others = [each.samples["nmi"] for each in retrained if each.samples.get("nmi")]
    if not own or not others or any(each[0] != own[0] for each in others):
        return None
    labels, clusters = (np.asarray(each, dtype=np.int64) for each in own)
    interval = nmi_difference(labels, clusters, [np.asarray(each[1], dtype=np.int64) for each in others])
    return None if interval is None else interval.half_width


def _attack(unlearned: Mapping[str, Any], retrained: Sequence[Mapping[str, Any]]) -> float | None:
    """Combine the attacks' own intervals as if the models had been attacked on different samples: never too narrow
    where the shared samples push both the same way.
    """  # noqa: D205
    own = _half(unlearned)
    others = [half for half in map(_half, retrained) if half is not None]
    if own is None or not others:
        return None
    return math.sqrt(own**2 + sum(half**2 for half in others) / len(others) ** 2)


def _half(values: Mapping[str, Any]) -> float | None:
    low, high = (look_up(values, ("membership", "population", name)) for name in ("low", "high"))
    return None if low is None or high is None else (high - low) / 2
