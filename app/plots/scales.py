"""Where axes begin and end: round values that change seldom while curves grow."""

from __future__ import annotations

import math

Y_PADDING = 0.05  # of the y axis: room for half of the highest label
_STRIDES = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)  # of a decade: where a growing axis ends
_FLOORS = (0.98, 0.95, 0.9, 0.8, 0.5)  # where a scale up to 1 may begin


def end_ahead(high: float, most: float | None) -> float:
    """Leave room for the next steps of a curve that grows to `most`: each change of the axis draws everything anew."""
    if most is None:
        return high
    decade = 10.0 ** math.floor(math.log10(high))
    return min(next(stride * decade for stride in _STRIDES if stride * decade >= high), max(most, high))


def closer_floor(lowest: float) -> float:
    """Where a scale up to 1 begins that shows differences of values near 1; 0 where they are not near it."""
    return next((floor for floor in _FLOORS if floor <= lowest), 0.0)
