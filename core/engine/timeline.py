"""A plan laid on one line of steps: the position is one integer, and all that varies in time is a function of it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.events import StagePart
from core.methods.base import Alternate, Edit, Optimiser, Refresh, Stage, Train, parts_of


@dataclass(frozen=True)
class Segment:
    """One stage with its place on the line.

    `parts`: the stages whose steps it consists of; none for an edit. `places`: of each part the batch in its stream
    that it begins with, and how many batches of that stream a round of all parts takes.
    """

    stage: Stage
    first: int
    steps: int
    parts: tuple[Train, ...]
    places: tuple[tuple[int, int], ...]

    @property
    def last(self) -> int:
        """The step after the segment's last."""
        return self.first + self.steps

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
        rounds, place = divmod(index, len(self.parts))
        begins, taken = self.places[place]
        return self.parts[place], begins + rounds * taken


class Timeline:
    """All segments of a plan, one after the other."""

    def __init__(self, plan: Sequence[Stage], sizes: dict[str, int]) -> None:
        """`sizes`: how many training samples "retain", "forget" and "all" have."""
        self.segments: list[Segment] = []
        read: Counter[str] = Counter()  # batches of each stream in the segments before
        first = 0
        for stage in plan:
            steps, parts = _steps(stage, sizes), parts_of(stage)
            streams = [stream_of(part) for part in parts]
            places = tuple(
                (read[stream] + streams[:place].count(stream), streams.count(stream))
                for place, stream in enumerate(streams)
            )
            self.segments.append(Segment(stage, first, steps, parts, places))
            first += steps
            for part, share in Counter(parts).items():
                read[stream_of(part)] += steps // len(parts) * share
        self.total = first
        self._firsts = [segment.first for segment in self.segments]

    def locate(self, step: int) -> tuple[Segment, int]:
        """Return the segment that holds `step` (0 <= step < total) and the index of the step in it."""
        if not 0 <= step < self.total:
            raise IndexError(f"step {step} is outside 0..{self.total - 1}")
        segment = self.segments[bisect_right(self._firsts, step) - 1]  # of several with this first step the longest
        return segment, step - segment.first

    def describe(self) -> list[StagePart]:
        """Return name, phase, first step and the step after the last of every segment with steps, for the plots."""
        return [
            {"name": s.stage.name, "phase": phase_of(s.stage), "first": s.first, "last": s.last}
            for s in self.segments
            if s.steps
        ]


def phase_of(stage: Stage) -> str:
    """Return the phase by which plots show a stage."""
    return "alternate" if isinstance(stage, Alternate) else stage.phase


def stream_of(part: Train) -> str:
    """Return the name of the order in which a part visits its set."""
    return f"{part.stream or part.phase}:{part.reads}:{part.share:g}:{part.batch}"


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
    parts = parts_of(stage)
    first, size = parts[0], sizes[parts[0].reads]
    size = min(size, max(1, round(size * first.share)))
    return first.length.steps_over(size, first.batch) * len(parts)
