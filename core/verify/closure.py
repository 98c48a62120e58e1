"""Closure: how much of the gap between original and retrained models is closed, measure by measure.

A `Yardstick` says how far chance alone would move a retrained model; a measure counts where the gap is wider than that.
The reasons for its constants stand in docs/adr/0012.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.events import LARGEST

MINIMUM_GAP = 0.01
"""Smallest gap worth dividing by: one point of accuracy. Below it a closure would be noise over noise."""

CONFIDENCE = 0.95
"""Share of further retrained models that a half-width should cover."""

CLOSED = 0.9
"""A measure whose gap is closed to this share counts as closed."""

SEED_FACTOR = 1.5
"""How much more a measure varies between retrained models than images alone explain: the prior of a half-width.

A measure that varies more has a factor of its own (`Measure.seed_factor`).
"""

PRIOR_FREEDOM = 4
"""Degrees of freedom the prior counts for: as many as five retrained models have (docs/adr/0012)."""

SEPARATION = 1.5
"""Half-widths that a gap must exceed: of one that is hardly wider, retrained models lie anywhere (docs/adr/0012).

So much further than the original must a model be from retraining to have moved away from it.
"""

NORMAL = statistics.NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
"""Standard errors in the half-width of an interval."""

UNKNOWN = "how far chance moves it was not measured"


@dataclass(frozen=True)
class Measure:
    """A measure that can tell original from retrained, and where its value lies in a model's measures."""

    key: str
    title: str
    group: Literal["feature", "output"]
    kind: Literal["value", "distance"]  # a distance is measured to the retrained models and is 0 at best
    paths: tuple[tuple[str, ...], ...]  # the first that has a value is taken
    unit: Literal["percent", "ratio"] = "ratio"
    only_with: tuple[tuple[str, ...], ...] = ()  # where none of these has a value, it says nothing of the forget set
    seed_factor: float = SEED_FACTOR

    def read(self, measures: Mapping[str, Any] | None) -> float | None:
        """Return the value in a model's `measures`; None where it was not taken or is not finite."""
        if self.only_with and all(look_up(measures, path) is None for path in self.only_with):
            return None
        return look_up(measures, place(self.paths, [measures]))


_UNSEEN = ("forget_test_accuracy",)  # has a value where whole classes go
_OF_CLASSES = (_UNSEEN, ("probe", "forget"))  # the first is not taken of an encoder
_UNSEEN_DISTANCE = ("distances", "forget_test", "js_to_retrained")
_SINGLE_DISTANCE = ("distances", "forget", "js_to_retrained")

MEASURES: tuple[Measure, ...] = (
    Measure("forget_accuracy", "forget accuracy", "output", "value", (_UNSEEN, ("forget_accuracy",)), "percent"),
    Measure(
        "forget_accuracy_single", "accuracy on single images", "output", "value", (("forget_single_accuracy",),),
        "percent",
    ),
    Measure("output_distance", "output distance", "output", "distance", (_UNSEEN_DISTANCE, _SINGLE_DISTANCE)),
    Measure(
        "output_distance_single", "output distance on single images", "output", "distance", (_SINGLE_DISTANCE,),
        only_with=(_UNSEEN_DISTANCE,),
    ),
    Measure("membership", "membership attack", "output", "value", (("membership", "population", "auc"),)),
    Measure(
        "membership_single", "membership attack on single images", "output", "value",
        (("membership", "population_single", "auc"),),
    ),
    Measure("relearn", "relearning", "output", "value", (("relearn", "accuracy"),), "percent"),
    Measure("probe", "linear probe", "feature", "value", (("probe", "forget"),), "percent"),
    Measure("nmi", "clustering", "feature", "value", (("nmi",),), only_with=_OF_CLASSES),
    Measure(
        "class_means", "nearest class mean", "feature", "value", (("class_means", "forget"), ("class_means",)),
        "percent", seed_factor=2.5,
    ),
    Measure(
        "dimensional_alignment", "alignment", "feature", "value",
        (("dimensional_alignment", "value"), ("dimensional_alignment",)), seed_factor=5.0,
    ),
    Measure("prototype", "prototype attack", "feature", "value", (("prototype", "forget"),), "percent"),
)  # fmt: skip
"""All measures a verdict can rest on; `unit` says how values are written.

A set of both kinds has a row of each output measure for its single images; feature measures are of whole classes.
"""


@dataclass(frozen=True)
class Yardstick:
    """Where retrained models lie on one measure, and how far from there a further one may lie.

    values: one a retrained model, for a distance each one's mean distance to the others. `unseen`: for a distance, the
    original's on images that neither it nor the retrained model saw, the least that two trainings lie apart.
    """

    kind: Literal["value", "distance"]
    values: tuple[float, ...]
    unseen: float | None = None
    seed_factor: float = SEED_FACTOR

    @property
    def centre(self) -> float | None:
        """Mean over retrained models; for a distance to a single one, `unseen`."""
        if self.values:
            return statistics.fmean(self.values)
        return (self.unseen or 0.0) if self.kind == "distance" else None

    @property
    def spread(self) -> float | None:
        """t(n−1)·s·√(1 + 1/n): how far a further model lies from the mean of these, 19 times of 20; None for one."""
        n = len(self.values)
        if n < 2:
            return None
        return t_quantile(n - 1) * statistics.stdev(self.values) * math.sqrt(1 + 1 / n)

    def half_width(self, images: float | None) -> float | None:
        """Return the half-width of the 95 % interval of a model − `centre`, were the model retrained like these.

        images: half-width that resampling images gives that difference. It is the prior for the variance over seeds,
        and seeds are weighed in by their degrees of freedom (a moderated t). None where neither is known.
        """
        n = len(self.values)
        freedom = max(0, n - (2 if self.kind == "distance" else 1))  # n mean distances hold no more than n − 1 pairs
        prior = 0 if images is None else PRIOR_FREEDOM
        if not prior + freedom:
            return None
        variance = prior * (self.seed_factor * (images or 0.0) / NORMAL) ** 2
        if freedom:
            variance += freedom * statistics.variance(self.values) * (1 + 1 / n)
        return t_quantile(prior + freedom) * math.sqrt(variance / (prior + freedom))


@dataclass(frozen=True)
class Closure:
    """What one measure says about one model."""

    value: float | None  # 1 at the retrained value, 0 at the original's; None where not informative
    position: float | None  # signed: above 1 lies beyond the retrained value, below 0 beyond the original's
    gap: float | None  # |o − r|, or d(o, r) for a distance
    retrained: float | None  # mean over retrained models; for a distance, theirs to each other
    spread: float | None  # of retrained models alone; None with one
    informative: bool
    reason: str = ""  # why not
    half_width: float | None = None  # of unlearned − retrained, 95 %
    deviation: float = 0.0  # |u − r| in half-widths
    closed: bool = False
    moved_away: bool = False  # further from retraining than the original, by more than chance explains


def closure_of(
    kind: Literal["value", "distance"],
    original: float | None,
    unlearned: float | None,
    retrained: Sequence[float | None],
    *,
    images: tuple[float | None, float | None] = (None, None),
    unseen: float | None = None,
    seed_factor: float = SEED_FACTOR,
    provisional: bool = False,
) -> Closure:
    """Return 1 − |u − r| / |o − r| for a value (r the mean of `retrained`), 1 − d(u, r) / d(o, r) for a distance.

    For a distance, `original` and `unlearned` are distances to the retrained models, and `retrained` their distances
    to each other (none with a single one). `images`: half-widths from resampling images, of original − retrained and
    of unlearned − retrained. Informative where the gap exceeds SEPARATION half-widths and MINIMUM_GAP; with
    `provisional` also where the half-width is not known yet.
    """
    finite = tuple(value for value in retrained if value is not None and math.isfinite(value))
    yardstick = Yardstick(kind, finite, unseen, seed_factor)
    centre, mean = yardstick.centre, statistics.fmean(finite) if finite else None
    if original is None or unlearned is None or centre is None:
        return Closure(None, None, None, mean, yardstick.spread, False, "not measured for all models")
    noise, half_width = (yardstick.half_width(half) for half in images)
    if kind == "distance":
        gap, between, rest, left = original, original - centre, unlearned - centre, unlearned
        position = 1 - unlearned / original if original > 0 else None
    else:
        gap = between = abs(original - centre)
        rest = left = abs(unlearned - centre)
        position = (unlearned - original) / (centre - original) if gap > 0 else None
    away = half_width is not None and rest > max(0.0, between) + max(SEPARATION * half_width, MINIMUM_GAP)
    deviation = _in_units(rest, half_width)
    if noise is None and not provisional:
        reason = UNKNOWN
    elif between <= SEPARATION * (noise or 0.0):
        reason = "original and retrained differ no more than chance explains"
    elif between <= MINIMUM_GAP:
        reason = "original and retrained hardly differ"
    else:
        value = 1 - left / gap
        beyond = kind == "value" and position is not None and position > 1
        if half_width is None:
            allowed = 0.0
        elif kind == "distance" and not finite:
            allowed = between / 2  # one retrained model does not say how far two lie apart
        else:  # half the gap is no rest, unless it lies where nothing of the original is left to find
            allowed = half_width if beyond else min(half_width, between / 2)
        closed = value >= CLOSED or rest <= allowed
        return Closure(
            value, position, gap, mean, yardstick.spread, True, "", half_width, deviation, closed, away and not closed
        )
    return Closure(None, None, gap, mean, yardstick.spread, False, reason, half_width, deviation, False, away)


def _in_units(rest: float, half_width: float | None) -> float:
    if rest <= 0 or half_width is None:
        return 0.0
    return rest / half_width if half_width > 0 else math.inf


def t_quantile(freedom: int) -> float:
    """Return how many standard errors each side of a 95 % interval of Student's t has."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def look_up(measures: Any, path: Sequence[str]) -> float | None:
    """Return the number at `path` in nested mappings; None for anything else, and for one beyond all measures."""
    for name in path:
        if not isinstance(measures, Mapping):
            return None
        measures = measures.get(name)
    if isinstance(measures, bool) or not isinstance(measures, (int, float)) or not -LARGEST <= measures <= LARGEST:
        return None
    return float(measures)


def place(paths: Sequence[tuple[str, ...]], models: Collection[Any]) -> tuple[str, ...]:
    """Return the first of `paths` at which any of `models` has a number; the first one where none has."""
    return next((path for path in paths if any(look_up(model, path) is not None for model in models)), paths[0])
