"""Rank agreement: whether two measures put the same runs in the same order. Metrics disagree; this shows where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

FEWEST = 3
"""Runs at least: of two runs any two measures agree or disagree by a coin."""


def kendall_tau(first: Sequence[float | None], second: Sequence[float | None]) -> float | None:
    """Return Kendall's tau-b of two value lists over the same runs, −1..1; pairs with a missing value are left out.

    None for fewer than FEWEST pairs, or where one list has no order at all (all values tied).
    """
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    if len(pairs) < FEWEST:
        return None
    concordant = discordant = tied_first = tied_second = 0
    for i, (a, b) in enumerate(pairs):
        for c, d in pairs[:i]:
            product = (a > c) - (a < c), (b > d) - (b < d)
            tied_first += product[0] == 0
            tied_second += product[1] == 0
            sign = product[0] * product[1]
            concordant += sign > 0
            discordant += sign < 0
    total = len(pairs) * (len(pairs) - 1) // 2
    scale = ((total - tied_first) * (total - tied_second)) ** 0.5
    return (concordant - discordant) / scale if scale else None


def agreement_matrix(values: Mapping[str, Sequence[float | None]]) -> dict[str, dict[str, float | None]]:
    """Return tau of every measure with every other one: measure -> measure -> tau. `values`: measure -> a run each."""
    return {one: {other: kendall_tau(values[one], values[other]) for other in values if other != one} for one in values}
