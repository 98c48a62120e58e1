"""The history of a run in the form plots want it: series by step, spectra, profiles; fed by events."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.events import AlignmentMeasured, Evaluation, Event, RunStarted, SpectrumMeasured, StepMetrics

TOTAL = "loss"


@dataclass
class Curve:
    """Values over ascending steps; None is a gap."""

    steps: list[int] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)

    def extend(self, steps: Sequence[int], values: Sequence[float | None]) -> bool:
        """Add points in order of their steps; True where some came before points that are there already.

        The engine hands over a phase at a time: of phases that alternate, one and then the other.
        """
        at = bisect_left(self.steps, steps[0]) if steps else len(self.steps)
        late = at < len(self.steps)
        both = zip([*self.steps[at:], *steps], [*self.values[at:], *values], strict=True)
        points = sorted(both, key=lambda point: point[0]) if late else list(both)
        self.steps[at:] = [step for step, _ in points]
        self.values[at:] = [value for _, value in points]
        return late


class RunCurves:
    """Everything the plots of one run show, from its first step to the newest."""

    def __init__(self) -> None:
        self.evaluations: list[Evaluation] = []  # subset scope: the points of the curves
        self.full: list[Evaluation] = []  # on all images, at the start and the end
        self.alignments: list[AlignmentMeasured] = []
        self.full_alignments: list[AlignmentMeasured] = []
        self.spectra: list[SpectrumMeasured] = []
        self.losses: dict[str, Curve] = {}
        self.rearranged: set[str] = set()  # of these, what got points in between by the last `add`
        self.started: RunStarted | None = None
        self.last = 0

    def add(self, events: Iterable[Event]) -> bool:
        """Take events in, in order; True where a resume or a new beginning made later steps void."""
        went_back = False
        self.rearranged = set()
        for event in events:
            self.last = max(self.last, event.step)
            if isinstance(event, RunStarted):
                self.started = event
                if event.resumed_at is not None:
                    self._go_back(event.resumed_at)
                    went_back = True
            elif isinstance(event, Evaluation):
                (self.full if event.scope == "full" else self.evaluations).append(event)
            elif isinstance(event, AlignmentMeasured):
                (self.full_alignments if event.scope == "full" else self.alignments).append(event)
            elif isinstance(event, SpectrumMeasured):
                if event.scope != "full":
                    self.spectra.append(event)
            elif isinstance(event, StepMetrics):
                self._add_losses(event)
        return went_back

    @property
    def recorded_steps(self) -> list[int]:
        """Steps at which something was measured: where a time slider can stop."""
        return sorted({e.step for e in (*self.evaluations, *self.spectra)})

    def _add_losses(self, event: StepMetrics) -> None:
        for name, values in parts_of(event).items():
            if self.losses.setdefault(name, Curve()).extend(event.steps, values):
                self.rearranged.add(name)

    def _go_back(self, step: int) -> None:
        self.last = step
        lists: list[list[Any]] = [self.evaluations, self.alignments, self.spectra, self.full, self.full_alignments]
        for events in lists:
            events[:] = [event for event in events if event.step <= step]
        for curve in self.losses.values():
            end = bisect_right(curve.steps, step)
            del curve.steps[end:], curve.values[end:]


def parts_of(event: StepMetrics) -> dict[str, list[float | None]]:
    """Return the loss terms to draw: their sum means something else in each phase, so only where it is all there is."""
    return {name: values for name, values in event.terms.items() if name != TOTAL} or event.terms


def newest_until(events: list[Any], step: int | None) -> Any:
    """Return the last of these events at or before `step` (None: the very last), or None."""
    if step is None:
        return events[-1] if events else None
    end = bisect_right(events, step, key=lambda event: event.step)
    return events[end - 1] if end else None
