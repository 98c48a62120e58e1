"""How long the steps that are left take, going by those that were taken."""

from __future__ import annotations

LEAST_STEPS = 3
LEAST_SECONDS = 1.0
"""Of steps after the first look, before they say anything: the first ones take many times longer than those after."""


class Pace:
    """Counts steps and seconds from the first look on; what was before it (a slow start) is left out."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def look(self, step: int, seconds: float) -> None:
        """Note how many steps were taken after so many seconds; a step before the first one begins anew."""
        if self._first is None or step < self._first[0]:
            self._first = step, seconds

    def left(self, step: int, steps: int, seconds: float) -> float | None:
        """Return the seconds that the steps up to `steps` will take; None as long as that cannot be known."""
        if self._first is None:
            return None
        taken, passed = step - self._first[0], seconds - self._first[1]
        if taken < LEAST_STEPS or passed < LEAST_SECONDS:
            return None
        return passed / taken * (steps - step)
