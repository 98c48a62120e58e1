"""Undo and redo of the forget set."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from core.selection import Selection

_Packed = tuple[bytes, dict[str, Any]]
"""A selection without its labels: a bit a sample, and the columns of the chosen ones where there are any."""


class History:
    """Undo and redo of selections over the same samples; old ones are kept packed, at most `limit` of them."""

    def __init__(self, initial: Selection, limit: int = 200) -> None:
        self._current = initial
        self._past: deque[_Packed] = deque(maxlen=limit)
        self._future: list[_Packed] = []

    @property
    def current(self) -> Selection:
        """The selection in force."""
        return self._current

    @property
    def can_undo(self) -> bool:
        """Whether there is a step back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step forward."""
        return bool(self._future)

    def push(self, selection: Selection) -> Selection:
        """Make `selection` current; what was undone before is forgotten. One equal to the current changes nothing."""
        if selection != self._current:
            self._past.append(_pack(self._current))
            self._future.clear()
            self._current = selection
        return selection

    def undo(self) -> Selection:
        """Go one step back, where there is one, and return what is current then."""
        if self._past:
            self._future.append(_pack(self._current))
            self._current = self._unpacked(*self._past.pop())
        return self._current

    def redo(self) -> Selection:
        """Go one step forward, where there is one, and return what is current then."""
        if self._future:
            self._past.append(_pack(self._current))
            self._current = self._unpacked(*self._future.pop())
        return self._current

    def _unpacked(self, packed: bytes, columns: dict[str, Any]) -> Selection:
        current = self._current
        bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=current.total)
        selection = Selection(bits.view(bool), current.labels, current.class_names)
        return selection.with_samples(selection.indices, **columns)


def _pack(selection: Selection) -> _Packed:
    columns = {"weights": selection.weights, "similar": selection.similar}
    return selection.packed, {name: held[selection.mask] for name, held in columns.items() if held is not None}
