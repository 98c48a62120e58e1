"""Reads seeds as people type them: "0", "1-3", "1, 4, 7"."""

from __future__ import annotations

import re

from core.errors import UsageError

MOST = 50
LARGEST = 2**31 - 1


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds in a text, each once and in its order. Raises UsageError with the form it should have."""
    seeds: dict[int, None] = {}
    for part in text.replace("–", "-").replace(";", ",").split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not all(re.fullmatch("[0-9]{1,19}", number) for number in ([first, last] if dash else [first])):
            got = text.strip() or "nothing"
            raise UsageError(f"Seeds are whole numbers, got {got!r}", 'Write them as "0", "1-3" or "1, 4"')
        low, high = int(first), int(last) if dash else int(first)
        if high > LARGEST or low > high:
            hint = f"Seeds go from 0 to {LARGEST}, and a range begins with the smaller one"
            raise UsageError(f"{part.strip()} is not a range of seeds", hint)
        if high - low >= MOST:
            raise UsageError(f"{part.strip()} is more than {MOST} seeds", "Each seed is a run of its own")
        seeds.update(dict.fromkeys(range(low, high + 1)))
    if len(seeds) > MOST:
        raise UsageError(f"{len(seeds)} seeds are more than {MOST}", "Each seed is a run of its own")
    return tuple(seeds)
