"""Closure: how much of the gap between original and retrained model an unlearned model has closed, per measure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

MINIMUM_GAP = 0.01
"""Smallest gap worth dividing by: one point of accuracy. Below it a closure would be noise over noise."""

CONFIDENCE = 0.95
"""Share of further retrained models that the retrained spread should cover."""


@dataclass(frozen=True)
class Measure:
    """A measure that can tell original from retrained, and where its value lies in a model's measures."""

    key: str
    title: str
    group: Literal["feature", "output"]
    kind: Literal["value", "distance"]  # a distance is measured to the retrained models and is 0 at best
    paths: tuple[tuple[str, ...], ...]  # the first that has a value is taken
    unit: Literal["percent", "ratio"] = "ratio"

    def read(self, measures: Mapping[str, Any] | None) -> float | None:
        """Return the value in a model's `measures`; None where it was not taken or is not finite."""
        for path in self.paths:
            value = look_up(measures, path)
            if value is not None:
                return value
        return None


MEASURES: tuple[Measure, ...] = (
    Measure(
        "forget_accuracy", "forget accuracy", "output", "value",
        (("forget_test_accuracy",), ("forget_accuracy",)), "percent",
    ),
    Measure(
        "output_distance", "output distance", "output", "distance",
        (("distances", "forget_test", "js_to_retrained"), ("distances", "forget", "js_to_retrained")),
    ),
    Measure("membership", "membership attack", "output", "value", (("membership", "population", "auc"),)),
    Measure("relearn", "relearning", "output", "value", (("relearn", "accuracy"),), "percent"),
    Measure("probe", "linear probe", "feature", "value", (("probe", "forget"),), "percent"),
    Measure("nmi", "clustering", "feature", "value", (("nmi",),)),
    Measure("class_means", "class means", "feature", "value", (("class_means", "forget"), ("class_means",)), "percent"),
    Measure(
        "dimensional_alignment", "alignment", "feature", "value",
        (("dimensional_alignment", "value"), ("dimensional_alignment",)),
    ),
    Measure("prototype", "prototype attack", "feature", "value", (("prototype", "forget"),), "percent"),
)
"""All measures a verdict can rest on. `unit` says how values are written."""


@dataclass(frozen=True)
class Closure:
    """What one measure says about one model."""

    value: float | None  # 1 at the retrained value, 0 at the original's; None where not informative
    position: float | None  # signed: above 1 lies beyond the retrained value, below 0 beyond the original's
    gap: float | None  # |o − r|, or d(o, r) for a distance
    retrained: float | None  # mean over retrained models; for a distance, theirs to each other
    spread: float | None  # how far a further retrained model may lie from that mean; None with one
    informative: bool
    reason: str = ""  # why not


def closure_of(
    kind: Literal["value", "distance"],
    original: float | None,
    unlearned: float | None,
    retrained: Sequence[float | None],
) -> Closure:
    """Return 1 − |u − r| / |o − r| for a value (r the mean of `retrained`), 1 − d(u, r) / d(o, r) for a distance.

    For a distance, `original` and `unlearned` are distances to the retrained models, and `retrained` their distances
    to each other (none with a single one). Not informative where the gap is not above the retrained spread (the
    prediction interval of a further retrained model), or `MINIMUM_GAP` where that is larger or unknown.
    """
    known = [value for value in retrained if value is not None and math.isfinite(value)]
    mean = statistics.fmean(known) if known else None
    spread = retrained_spread(known)
    if original is None or unlearned is None or (mean is None and kind == "value"):
        return Closure(None, None, None, mean, spread, False, "not measured for all models")
    if kind == "distance":
        gap, needed = original, (mean or 0.0) + (spread or 0.0)
        position = 1 - unlearned / original if original > 0 else None
        value = position
    else:
        assert mean is not None
        gap, needed = abs(original - mean), spread or 0.0
        value = 1 - abs(unlearned - mean) / gap if gap > 0 else None
        position = (unlearned - original) / (mean - original) if gap > 0 else None
    if gap <= needed:
        reason = "original and retrained differ no more than retrained models do"
        return Closure(None, None, gap, mean, spread, False, reason)
    if gap <= MINIMUM_GAP:
        return Closure(None, None, gap, mean, spread, False, "original and retrained hardly differ")
    return Closure(value, position, gap, mean, spread, True)


def retrained_spread(values: Sequence[float]) -> float | None:
    """Return t(n−1)·s·√(1 + 1/n): how far a further retrained model lies from the mean of these, 19 times of 20.

    None for fewer than two values: one model says nothing about how retrained models differ.
    """
    n = len(values)
    if n < 2:
        return None
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * statistics.stdev(values) * math.sqrt(1 + 1 / n)


def look_up(measures: Any, path: Sequence[str]) -> float | None:
    """Return the finite number at `path` in nested mappings; None for anything else."""
    for name in path:
        if not isinstance(measures, Mapping):
            return None
        measures = measures.get(name)
    if isinstance(measures, bool) or not isinstance(measures, (int, float)) or not math.isfinite(measures):
        return None
    return float(measures)
