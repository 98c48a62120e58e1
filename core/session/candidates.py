"""Which settings a search tries: points spread evenly over a method's ranges, the same for the same seed."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from core.data.batches import derive_seed
from core.methods.base import Method, SearchRange
from core.parameters import Parameter, Values

DIGITS = 3  # significant digits of a tried value: more say nothing, and people read them
PASSED_OVER = 200  # points in a row that give no new setting, before the ranges count as exhausted


@dataclass(frozen=True)
class Axis:
    """One parameter of a search with absolute bounds."""

    parameter: Parameter
    low: float
    high: float
    log: bool

    def at(self, share: float) -> int | float:
        """Return the value at a share (0..1) of the way from `low` to `high`, rounded and within the rule."""
        value = self.low * (self.high / self.low) ** share if self.log else self.low + (self.high - self.low) * share
        if self.parameter.kind == "int":
            return round(value)
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


def axes(method: Method, values: Values, fixed: Collection[str] = ()) -> tuple[Axis, ...]:
    """Return what a search varies around `values`, without the parameters in `fixed`.

    A relative range around 0 is left out: what is switched off stays off. Bounds are cut to the parameter's rule.
    """
    by_name = {parameter.name: parameter for parameter in method.parameters}
    found = []
    for searched in method.searched:
        start = float(values[searched.name])
        if searched.name in fixed or (searched.relative and start == 0):
            continue
        found.append(_axis(by_name[searched.name], searched, start if searched.relative else 1.0))
    return tuple(found)


def candidates(searched: tuple[Axis, ...], values: Values, seed: int) -> Iterator[dict[str, Any]]:
    """Yield settings of the searched parameters, each once: those of `values` first, then points between the bounds.

    The points are the additive recurrence with the generalised golden ratio (Roberts 2018, "The unreasonable
    effectiveness of quasirandom sequences"), shifted by the seed: any number of them covers the ranges evenly, and a
    longer search begins with the points of a shorter one. Ends where the ranges hold no further setting.
    """
    first = {axis.parameter.name: values[axis.parameter.name] for axis in searched}
    seen = {tuple(first.values())}
    yield first
    steps = _irrational(len(searched))
    shifts = [derive_seed(seed, "search", axis.parameter.name) / 2**63 for axis in searched]
    point = missed = 0
    while searched and missed < PASSED_OVER:
        point += 1
        shares = [(shift + point * step) % 1.0 for shift, step in zip(shifts, steps, strict=True)]
        found = {axis.parameter.name: axis.at(share) for axis, share in zip(searched, shares, strict=True)}
        missed = missed + 1 if tuple(found.values()) in seen else 0
        if not missed:
            seen.add(tuple(found.values()))
            yield found


def _axis(parameter: Parameter, searched: SearchRange, scale: float) -> Axis:
    low, high = searched.low * scale, searched.high * scale
    low = low if parameter.low is None else max(low, parameter.low)
    high = high if parameter.high is None else min(high, parameter.high)
    if parameter.kind == "int":
        low, high = math.ceil(low), math.floor(high)
    return Axis(parameter, low, max(low, high), searched.log and low > 0)


def _irrational(dimensions: int) -> list[float]:
    """Return 1/g, 1/g², ... for the root g of g^(d+1) = g + 1."""
    root = 1.5
    for _ in range(60):  # the fixed point of a contraction; far more than float64 needs
        root = (1 + root) ** (1 / (dimensions + 1))
    return [root ** -(power + 1) for power in range(dimensions)]
