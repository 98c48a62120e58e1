"""How much chance in the choice of images moves a model's difference to retrained models, measure by measure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.metrics.intervals import bootstrap_mean, nmi_difference
from core.metrics.membership import Z_95
from core.verify.measure_log import Found

PAIRED = (
    "forget_accuracy", "forget_accuracy_single", "output_distance", "output_distance_single", "probe", "class_means",
    "prototype", "relearn",
)  # fmt: skip
"""Measures that are means over samples: the samples' differences are resampled, so what all models share drops out."""

ATTACKS = ("membership", "membership_single")


def half_widths(model: Found, retrained: Sequence[Found]) -> dict[str, float]:
    """Return the half-width of the 95 % interval of `model` − mean of `retrained`, by measure key.

    All models are measured on the same images, which are resampled together. Means over images are resampled as they
    are; for alignment the images' influences are added up, for membership attacks DeLong's variance of correlated
    areas is taken. Measures that were not taken, or whose samples do not match, are left out.
    """
    widths: dict[str, float] = {}
    for key in PAIRED:
        interval = bootstrap_mean(_difference(key, model, retrained))
        if interval is not None:
            widths[key] = interval.half_width
    influence = _difference("dimensional_alignment", model, retrained)
    if influence is not None:
        widths["dimensional_alignment"] = Z_95 * math.sqrt(float(np.square(influence).sum()))
    clusters = _clusters(model, retrained)
    if clusters is not None:
        widths["nmi"] = clusters
    for key in ATTACKS:
        attack = _attack(key, model, retrained)
        if attack is not None:
            widths[key] = attack
    return widths


def _difference(key: str, model: Found, retrained: Sequence[Found]) -> np.ndarray | None:
    """Return each image's value for the model minus its mean over the retrained ones, (n,).

    A single retrained model has no distance to others: its side is 0 then.
    """
    own, others = model.samples.get(key), _samples(key, retrained)
    others = [other for other in others if own and len(other) == len(own)]
    if not own or (not others and not (key.startswith("output_distance") and retrained)):
        return None
    reference = np.mean(np.asarray(others, dtype=np.float64), axis=0) if others else 0.0
    return np.asarray(own, dtype=np.float64) - reference


def _clusters(model: Found, retrained: Sequence[Found]) -> float | None:
    own, others = model.samples.get("nmi"), _samples("nmi", retrained)
    if not own or not others or any(other[0] != own[0] for other in others):
        return None
    labels, clusters = (np.asarray(part, dtype=np.int64) for part in own)
    interval = nmi_difference(labels, clusters, [np.asarray(other[1], dtype=np.int64) for other in others])
    return None if interval is None else interval.half_width


def _attack(key: str, model: Found, retrained: Sequence[Found]) -> float | None:
    """Return DeLong's half-width for correlated AUCs: all models are attacked with the same members and others."""
    own, others = model.samples.get(key), _samples(key, retrained)
    if not own or not others:
        return None
    variance = 0.0
    for side in (0, 1):
        if any(len(other[side]) != len(own[side]) for other in others):
            return None
        difference = np.asarray(own[side]) - np.mean([other[side] for other in others], axis=0)
        variance += float(difference.var(ddof=1)) / len(difference)
    return Z_95 * math.sqrt(variance)


def _samples(key: str, models: Sequence[Found]) -> list[Any]:
    return [model.samples[key] for model in models if model.samples.get(key)]
