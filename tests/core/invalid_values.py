"""Values that a parameter must refuse, made from its rule."""

from __future__ import annotations

import math
from typing import Any

from core.parameters import Parameter


def invalid_values(parameter: Parameter) -> list[Any]:
    """Return values just outside of what a parameter allows, and such of other types."""
    bad: list[Any] = ["not a value", None]
    if parameter.kind in ("int", "float"):
        bad += [math.nan, math.inf]
        if parameter.low is not None:
            bad.append(parameter.low if parameter.low_open else parameter.low - 1)
        if parameter.high is not None:
            bad.append(parameter.high + 1)
        if parameter.kind == "int":
            bad.append((parameter.low or 0) + 1.5)
    return bad
