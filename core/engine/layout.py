"""A plan laid on one line: position is one integer, and everything that varies in time is a function of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.data.batches import batches_in
from core.methods.base import Alternate, Edit, Optimiser, Refresh, Stage, Train, parts_of


@dataclass(frozen=True)
class Segment:
    """One stage with its place on the line. `starts` holds each stream's batch position at the segment's start."""

    stage: Stage
    first: int
    steps: int
    starts: dict[str, int]

    @property
    def last(self) -> int:
        """The step after the segment's last."""
        return self.first + self.steps

    @property
    def parts(self) -> tuple[Train, ...]:
        """The stages whose steps this segment consists of; empty for an edit."""
        return parts_of(self.stage)

    def renewed(self, taken: int) -> Refresh | None:
        """Return what makes constants anew after so many steps of the segment, where that is due.

        Where parts take turns, the part's whose turn is next, after so many rounds of them.
        """
        part, turn = self.turn(taken)[0], taken // len(self.parts)
        return part.refresh if part.refresh_every and turn and turn % part.refresh_every == 0 else None

    def asks(self, taken: int) -> bool:
        """Tell whether the stage's rule is due after so many steps within the segment."""
        every = self.stage.until_every if isinstance(self.stage, Train) else 0
        return every > 0 and taken % every == 0

    def turn(self, index: int) -> tuple[Train, int]:
        """Return whose turn step `index` of the segment is, and the batch position in that part's stream."""
        parts = self.parts
        cycle, place = divmod(index, len(parts))
        part = parts[place]
        key = stream_of(part)
        same = [stream_of(p) == key for p in parts]
        return part, self.starts[key] + cycle * sum(same) + sum(same[:place])


class Layout:
    """All segments of a plan; `locate` turns a step into a segment and the index in it."""

    def __init__(self, plan: Sequence[Stage], sizes: dict[str, int]) -> None:
        """`sizes`: how many training samples "retain", "forget" and "all" have."""
        self.segments: list[Segment] = []
        cursors: Counter[str] = Counter()
        first = 0
        for stage in plan:
            steps = _steps(stage, sizes)
            segment = Segment(stage, first, steps, {stream_of(p): cursors[stream_of(p)] for p in parts_of(stage)})
            self.segments.append(segment)
            first += steps
            for part, share in Counter(parts_of(stage)).items():
                cursors[stream_of(part)] += steps // len(parts_of(stage)) * share
        self.total = first

    def locate(self, step: int) -> tuple[Segment, int]:
        """Return the segment that holds `step` (0 <= step < total) and the index of the step in it."""
        for segment in self.segments:
            if segment.first <= step < segment.last:
                return segment, step - segment.first
        raise IndexError(f"step {step} is outside 0..{self.total - 1}")

    def describe(self) -> list[dict[str, object]]:
        """Return name, phase, first and last step of every part that takes steps, for the strip above the plots."""
        rows: list[dict[str, object]] = []
        for segment in self.segments:
            if segment.steps:
                phase = "alternate" if isinstance(segment.stage, Alternate) else segment.stage.phase
                rows.append({"name": segment.stage.name, "phase": phase, "first": segment.first, "last": segment.last})
        return rows


def stream_of(part: Train) -> str:
    """Return the name of the order in which a part visits its set."""
    return f"{part.stream or part.phase}:{part.reads}:{part.share:g}:{part.batch}"


def set_size(part: Train, sizes: dict[str, int]) -> int:
    """Return how many samples a part may read."""
    size = sizes[part.reads]
    return size if part.share >= 1 else min(size, max(1, round(size * part.share)))


def learning_rate(optimiser: Optimiser, progress: float) -> float:
    """Return the step size at `progress` (0..1) of the schedule; a pure function, so a resume cannot get it wrong."""
    if optimiser.schedule == "cosine":
        return optimiser.lr * 0.5 * (1 + math.cos(math.pi * progress))
    if optimiser.schedule == "one-cycle":
        warm_up = 0.2
        return optimiser.lr * (progress / warm_up if progress < warm_up else (1 - progress) / (1 - warm_up))
    return optimiser.lr


def _steps(stage: Stage, sizes: dict[str, int]) -> int:
    if isinstance(stage, Edit):
        return 1
    if isinstance(stage, Alternate):
        return _train_steps(stage.parts[0], sizes) * len(stage.parts)
    return _train_steps(stage, sizes)


def _train_steps(part: Train, sizes: dict[str, int]) -> int:
    if part.length.steps is not None:
        return part.length.steps
    return batches_in(part.length.epochs or 0, set_size(part, sizes), part.batch)
