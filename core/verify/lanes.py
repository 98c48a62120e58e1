"""Head-only edit, unlearned and retrained model side by side: what accuracy says, and what is there to be found.

The three have accuracy 0 on a forgotten class; what a linear probe finds of it in their features, and how few images
bring it back, tells them apart. Read from a report or from what a check has measured so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from core.verify.closure import look_up
from core.verify.measure_log import JUDGED

LANES = ("head_only", "unlearned", "retrained")

BACK = 0.8
"""Share of the original's accuracy from which the class counts as being back."""

GONE = 0.02
"""Accuracy up to which outputs no longer name a class."""

STILL_FOUND = 0.5
"""Share of a class that a probe finds from which accuracy 0 is contradicted by the features."""


@dataclass(frozen=True)
class Lane:
    """One model. Shares are 0..1 and of unseen images of the forgotten classes; None: not measured."""

    model: str
    accuracy: float | None = None
    probe: float | None = None
    images: int | None = None  # images learnt from until the class is back; None with `measured`: it did not come back
    most_images: int | None = None  # after which relearning was given up; None: it was not tried
    models: int = 0  # how many models it is the mean of

    def or_else(self, other: Lane) -> Lane:
        """Return this lane with what was not measured for it taken from another one of the model."""
        tried = self if self.most_images is not None else other
        return Lane(
            self.model,
            other.accuracy if self.accuracy is None else self.accuracy,
            other.probe if self.probe is None else self.probe,
            tried.images, tried.most_images, self.models or other.models,
        )  # fmt: skip


def lanes_of(
    models: Mapping[str, Mapping[str, Any] | None], retrained: Sequence[Mapping[str, Any]] = ()
) -> tuple[Lane, ...]:
    """Return the lanes of a run in the order of LANES.

    `models`: measures by model under the contract's keys; `retrained`: of every retrained model, by default the one
    of `models`.
    """
    original = look_up(models.get("original"), ("forget_test_accuracy",))
    groups = {name: [models[name] or {}] if models.get(name) else [] for name in LANES}
    if retrained:
        groups["retrained"] = list(retrained)
    return tuple(_lane(name, group, original) for name, group in groups.items())


def lanes_of_report(report: Mapping[str, Any]) -> tuple[Lane, ...]:
    """Return the lanes of report.json."""
    return lanes_of(report.get("models") or {}, tuple((report.get("retrained") or {}).values()))


def lanes_so_far(taken: Mapping[str, Mapping[str, Any]]) -> tuple[Lane, ...]:
    """Return the lanes of what a check has measured so far, by model."""
    return lanes_of(taken, [values for name, values in taken.items() if name not in JUDGED])


def merged(lanes: Sequence[Lane], others: Sequence[Lane]) -> tuple[Lane, ...]:
    """Return lanes with what they lack taken from others, model by model."""
    return tuple(lane.or_else(other) for lane, other in zip(lanes, others, strict=True))


def contradicted(lanes: Sequence[Lane]) -> bool:
    """Whether a lane shows that accuracy 0 does not mean forgotten: not named any more, and found by a probe."""
    return any(
        lane.accuracy is not None and lane.accuracy <= GONE and (lane.probe or 0.0) >= STILL_FOUND
        for lane in lanes
        if lane.model == "head_only"
    )


def _lane(name: str, group: Sequence[Mapping[str, Any]], original: float | None) -> Lane:
    curves = [curve for measures in group if (curve := measures.get("relearn"))]
    images, most = _until_back(curves, original)
    return Lane(
        name, _mean(group, ("forget_test_accuracy",)), _mean(group, ("probe", "forget")), images, most, len(group)
    )


def _until_back(curves: Sequence[Mapping[str, Any]], original: float | None) -> tuple[int | None, int | None]:
    """Return after how many images the mean of curves reaches BACK of the original's accuracy, and the last point."""
    if not curves or original is None:
        return None, None
    samples = curves[0]["samples"]
    points = [fmean(values) for values in zip(*(curve["forget"] for curve in curves), strict=True)]
    reached = (seen for seen, accuracy in zip(samples, points, strict=True) if accuracy >= BACK * original)
    return next(reached, None), samples[-1]


def _mean(group: Sequence[Mapping[str, Any]], path: tuple[str, ...]) -> float | None:
    values = [value for measures in group if (value := look_up(measures, path)) is not None]
    return fmean(values) if values else None
