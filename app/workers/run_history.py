"""What a run has reported: its curves as arrays, its measurements by step. One a run; all that draws reads it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.events import AlignmentMeasured, Evaluation, Event, RunStarted, SpectrumMeasured, StepMetrics

TOTAL = "loss"
PAUSE = 20  # steps without a value after which a loss term has paused, rather than taken turns with another one
ACCURACIES = ("retain_test_accuracy", "forget_test_accuracy", "retain_accuracy", "forget_accuracy")
_FIRST_ROOM = 256


class Curve:
    """Values over ascending steps, in two arrays that grow by doubling; NaN is a gap.

    With `pause`, values that are missing are left out, and a gap stands where more steps than that have none.
    """

    def __init__(self, pause: float | None = None) -> None:
        self._pause = pause
        self._points = np.empty((2, _FIRST_ROOM))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def steps(self) -> NDArray[np.float64]:
        """The steps so far (n,), as a view."""
        return self._points[0, : self._count]

    @property
    def values(self) -> NDArray[np.float64]:
        """The values so far (n,), as a view."""
        return self._points[1, : self._count]

    def extend(self, steps: ArrayLike, values: Sequence[float | None]) -> None:
        """Add points; None is a gap. Steps may come late: of phases that alternate, one is told and then the other."""
        x, y = np.asarray(steps, dtype=float), np.array(values, dtype=float)
        if x.shape != y.shape:
            raise ValueError(f"{x.size} steps for {y.size} values")
        if self._pause is not None:
            x, y = x[np.isfinite(y)], y[np.isfinite(y)]
        if not x.size:
            return
        begin = int(np.searchsorted(self.steps, x.min()))
        late = begin < self._count
        if late or (np.diff(x) < 0).any():
            x, y = np.concatenate([self.steps[begin:], x]), np.concatenate([self.values[begin:], y])
            if self._pause is not None:
                x, y = x[np.isfinite(y)], y[np.isfinite(y)]
                begin -= int(begin > 0 and np.isnan(self.values[begin - 1]))
            order = np.argsort(x, kind="stable")
            x, y, self._count = x[order], y[order], begin
        if self._pause is not None:
            before = np.concatenate([self.steps[-1:] if self._count else x[:1], x[:-1]])
            gaps = np.flatnonzero(x - before > self._pause)
            x, y = np.insert(x, gaps, before[gaps] + 1), np.insert(y, gaps, np.nan)
        self._append(np.stack([x, y]))

    def cut(self, step: float) -> None:
        """Drop what comes after a step."""
        self._count = int(np.searchsorted(self.steps, step, side="right"))

    def _append(self, points: NDArray[np.float64]) -> None:
        needed = self._count + points.shape[1]
        if needed > self._points.shape[1]:
            grown = np.empty((2, max(needed, 2 * self._points.shape[1])))
            grown[:, : self._count] = self._points[:, : self._count]
            self._points = grown
        self._points[:, self._count : needed] = points
        self._count = needed


class _Told(dict[Curve, tuple[list[int], list[float | None]]]):
    """Points of a batch of events by curve: many points become arrays at once."""

    def add(self, curve: Curve, steps: Sequence[int], values: Sequence[float | None]) -> None:
        known = self.setdefault(curve, ([], []))
        known[0].extend(steps)
        known[1].extend(values)

    def hand_over(self) -> None:
        for curve, points in self.items():
            curve.extend(*points)
        self.clear()


class RunHistory:
    """Everything the plots of one run show, from its first step to the newest. Steps are kept as curves only."""

    def __init__(self) -> None:
        self.started: RunStarted | None = None
        self.last = 0  # the newest step
        self.evaluations: list[Evaluation] = []  # while it runs, on the images measured then
        self.full: list[Evaluation] = []  # on all images, at the start and the end
        self.alignments: list[AlignmentMeasured] = []
        self.full_alignments: list[AlignmentMeasured] = []
        self.spectra: list[SpectrumMeasured] = []
        self.feature_map: Event | None = None  # which images a map shows, and its plane
        self.moved: list[Event] = []  # where these images were
        self.recorded_steps: list[int] = []  # at which something was measured: where a time slider can stop
        self.accuracies = {name: Curve() for name in ACCURACIES}
        self.alignment = Curve()
        self.losses: dict[str, Curve] = {}  # by term

    def add(self, events: Iterable[Event]) -> None:
        """Take events in, in order; a resume or a new beginning drops the later steps it made void."""
        told = _Told()
        for event in events:
            if isinstance(event, StepMetrics):
                for name, values in parts_of(event).items():
                    told.add(self.losses.setdefault(name, Curve(PAUSE)), event.steps, values)
            elif isinstance(event, RunStarted):
                self.started = event
                if event.resumed_at is not None:
                    told.hand_over()
                    self._go_back(event.resumed_at)
            else:
                self._add_measured(event, told)
            self.last = max(self.last, event.step)
        told.hand_over()

    def _add_measured(self, event: Event, told: _Told) -> None:
        whole = getattr(event, "scope", "") == "full"
        kept: Any
        if isinstance(event, Evaluation):
            kept = self.full if whole else self.evaluations
        elif isinstance(event, AlignmentMeasured):
            kept = self.full_alignments if whole else self.alignments
        elif isinstance(event, SpectrumMeasured) and not whole:
            kept = self.spectra
        elif event.type == "features_moved":
            kept = self.moved
        else:
            if event.type == "feature_map":
                self.feature_map = event
            return
        kept.append(event)
        if whole:
            return
        if isinstance(event, Evaluation):
            for name, curve in self.accuracies.items():
                told.add(curve, [event.step], [getattr(event, name)])
        elif isinstance(event, AlignmentMeasured):
            told.add(self.alignment, [event.step], [event.value])
        place = bisect_left(self.recorded_steps, event.step)
        if self.recorded_steps[place : place + 1] != [event.step]:
            self.recorded_steps.insert(place, event.step)

    def _go_back(self, step: int) -> None:
        self.last = step
        lists: tuple[list[Any], ...] = (self.evaluations, self.full, self.alignments, self.full_alignments,
                                        self.spectra, self.moved)  # fmt: skip
        for events in lists:
            events[:] = [event for event in events if event.step <= step]
        del self.recorded_steps[bisect_right(self.recorded_steps, step) :]
        for curve in (*self.accuracies.values(), self.alignment, *self.losses.values()):
            curve.cut(step)


def parts_of(event: StepMetrics) -> dict[str, list[float | None]]:
    """Return the loss terms to draw: their sum means something else in each phase, so only where it is all there is."""
    return {name: values for name, values in event.terms.items() if name != TOTAL} or event.terms


def newest_until(events: list[Any], step: int | None) -> Any:
    """Return the last of these events at or before `step` (None: the very last), or None."""
    end = len(events) if step is None else bisect_right(events, step, key=lambda event: event.step)
    return events[end - 1] if end else None
