"""What a run has reported: its curves as arrays, its measurements by step. One a run; all that draws reads it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.events import (
    MOST_STEPS,
    AlignmentMeasured,
    Evaluation,
    Event,
    FeatureMap,
    FeaturesMoved,
    RunStarted,
    SpectrumMeasured,
    StepMetrics,
)

TOTAL = "loss"
PAUSE = 20  # steps without a value after which a loss term has paused, rather than taken turns with another one
ACCURACIES = ("retain_test_accuracy", "forget_test_accuracy", "retain_accuracy", "forget_accuracy")
_FIRST_ROOM = 256
MOST_MOMENTS = 2000  # measurements of a kind that are kept whole: an even number

Points = NDArray[np.float64]
_LAST = np.array([True])

_step = attrgetter("step")
_Scoped = TypeVar("_Scoped", Evaluation, AlignmentMeasured, SpectrumMeasured)


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
        """Add points; None is a gap. Of a step that is told again the newer value counts.

        Steps may come late: of phases that alternate, one is told and then the other. What comes later than
        MOST_STEPS is left out, so that a log of steps in any order costs no more time than one in order.
        """
        x, y = np.asarray(steps, dtype=float), np.array(values, dtype=float)
        if x.shape != y.shape:
            raise ValueError(f"{x.size} steps for {y.size} values")
        if self._pause is not None:
            x, y = _where(np.isfinite(y), x, y)
        if self._count:
            x, y = _where(x >= self._points[0, self._count - 1] - MOST_STEPS, x, y)
        if not x.size:
            return
        if (self._count and x[0] <= self._points[0, self._count - 1]) or (x[1:] < x[:-1]).any():
            x, y = self._in_order(x, y)
        x, y = _where(np.concatenate([x[1:] != x[:-1], _LAST]), x, y)  # of equal steps the last
        if self._pause is not None:
            before = np.concatenate([self.steps[-1:] if self._count else x[:1], x[:-1]])
            gaps = np.flatnonzero(x - before > self._pause)
            if gaps.size:
                x, y = np.insert(x, gaps, before[gaps] + 1), np.insert(y, gaps, np.nan)
        self._append(x, y)

    def _in_order(self, x: Points, y: Points) -> tuple[Points, Points]:
        """Return points and all that are there from the first of them on, in order; these are taken off the end."""
        begin = int(np.searchsorted(self.steps, x.min()))
        x, y = np.concatenate([self.steps[begin:], x]), np.concatenate([self.values[begin:], y])
        if self._pause is not None:
            x, y = _where(np.isfinite(y), x, y)
            begin -= int(begin > 0 and np.isnan(self.values[begin - 1]))
        order = np.argsort(x, kind="stable")
        self._count = begin
        return x[order], y[order]

    def cut(self, step: float) -> None:
        """Drop what comes after a step."""
        self._count = int(np.searchsorted(self.steps, step, side="right"))

    def _append(self, x: Points, y: Points) -> None:
        needed = self._count + x.size
        if needed > self._points.shape[1]:
            grown = np.empty((2, max(needed, 2 * self._points.shape[1])))
            grown[:, : self._count] = self._points[:, : self._count]
            self._points = grown
        self._points[0, self._count : needed] = x
        self._points[1, self._count : needed] = y
        self._count = needed


def _where(kept: NDArray[np.bool_], x: Points, y: Points) -> tuple[Points, Points]:
    """Return those points that are to be kept."""
    return (x, y) if kept.all() else (x[kept], y[kept])


class Moments(list[Any]):
    """What was measured at single steps, oldest first: all until there are `MOST_MOMENTS`, then ever fewer.

    Of a run of days there is more than a slider has places, and than memory has room. The newest is always there.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told = 0
        self._every = 1  # of so many told one is kept
        self._passing = False  # whether the newest goes once there is another one

    def add(self, events: Iterable[Event]) -> None:
        """Add measurements in order."""
        told, taken = list(events), 0
        while taken < len(told):
            if self._passing:
                self.pop()
            stays = taken + (-self._told) % self._every  # the next one that does
            newest = min(stays, len(told) - 1)
            self.append(told[newest])
            self._passing = newest < stays
            self._told += newest + 1 - taken
            taken = newest + 1
            if len(self) > MOST_MOMENTS and not self._passing:
                del self[1::2]
                self._every *= 2

    def cut(self, step: int) -> None:
        """Drop what comes after a step."""
        self[:] = [event for event in self if event.step <= step]
        self._told, self._passing = len(self) * self._every, False


class RunHistory:
    """Everything the plots of one run show, from its first step to the newest: curves, and moments of single steps."""

    def __init__(self) -> None:
        self.started: RunStarted | None = None
        self.last = 0  # the newest step
        self.evaluations = Moments()  # while it runs, on the images measured then
        self.full: list[Evaluation] = []  # on all images, at the start and the end
        self.alignments = Moments()
        self.full_alignments: list[AlignmentMeasured] = []
        self.spectra = Moments()
        self.feature_map: FeatureMap | None = None  # which images a map shows, and its plane
        self.moved = Moments()  # where these images were
        self.recorded_steps: list[int] = []  # at which something was measured: where a time slider can stop
        self.accuracies = {name: Curve() for name in ACCURACIES}
        self.alignment = Curve()
        self.losses: dict[str, Curve] = {}  # by term

    def add(self, events: Iterable[Event]) -> None:
        """Take events in, in order; a resume or a new beginning drops the later steps it made void."""
        kinds: dict[type[Event], list[Any]] = {}
        for event in events:
            kind = type(event)
            if kind is RunStarted:
                self._take(kinds)
                kinds = {}
                self._start(event)  # type: ignore[arg-type]
            elif (told := kinds.get(kind)) is not None:
                told.append(event)
            else:
                kinds[kind] = [event]
        self._take(kinds)

    def _start(self, started: RunStarted) -> None:
        self.started = started
        if started.resumed_at is not None:
            self._go_back(started.resumed_at)
        self.last = max(self.last, started.step)

    def _take(self, kinds: dict[type[Event], list[Any]]) -> None:
        """Take in events that follow one another: those of a kind become arrays at once."""
        for events in kinds.values():
            self.last = max(self.last, max(map(_step, events)))
        self._take_losses(kinds.get(StepMetrics, []))
        found, full = _by_scope(kinds.get(Evaluation, []))
        self.evaluations.add(found)
        self.full += full
        steps = list(map(_step, found))
        for name, curve in self.accuracies.items():
            curve.extend(steps, list(map(attrgetter(name), found)))
        measured, full_alignments = _by_scope(kinds.get(AlignmentMeasured, []))
        self.alignments.add(measured)
        self.full_alignments += full_alignments
        self.alignment.extend(list(map(_step, measured)), [one.value for one in measured])
        spectra, _ = _by_scope(kinds.get(SpectrumMeasured, []))
        self.spectra.add(spectra)
        laid = self.feature_map = kinds.get(FeatureMap, [self.feature_map])[-1]
        # Of a damaged log: points that are not those of the map.
        moved = [one for one in kinds.get(FeaturesMoved, []) if laid and len(one.points) == len(laid.points)]
        self.moved.add(moved)
        self._record(sorted(set(map(_step, (*found, *measured, *spectra, *moved)))))

    def _take_losses(self, metrics: list[StepMetrics]) -> None:
        told: dict[str, tuple[list[int], list[float | None]]] = {}
        for event in metrics:
            for name, values in parts_of(event).items():
                known = told.get(name)
                if known is None:
                    known = told[name] = ([], [])
                known[0].extend(event.steps)
                known[1].extend(values)
        for name, points in told.items():
            self.losses.setdefault(name, Curve(PAUSE)).extend(*points)

    def _record(self, steps: list[int]) -> None:
        if steps:
            known = self.recorded_steps
            late = bisect_left(known, steps[0])
            known[late:] = sorted({*known[late:], *steps})

    def _go_back(self, step: int) -> None:
        self.last = step
        for moments in (self.evaluations, self.alignments, self.spectra, self.moved):
            moments.cut(step)
        self.full = [event for event in self.full if event.step <= step]
        self.full_alignments = [event for event in self.full_alignments if event.step <= step]
        del self.recorded_steps[bisect_right(self.recorded_steps, step) :]
        for curve in (*self.accuracies.values(), self.alignment, *self.losses.values()):
            curve.cut(step)


def _by_scope(events: list[_Scoped]) -> tuple[list[_Scoped], list[_Scoped]]:
    """Return what was measured while the run went, and on all images at its start and end."""
    found: tuple[list[_Scoped], list[_Scoped]] = [], []
    for event in events:
        found[event.scope == "full"].append(event)
    return found


def parts_of(event: StepMetrics) -> dict[str, list[float | None]]:
    """Return the loss terms to draw: their sum means something else in each phase, so only where it is all there is."""
    terms = event.terms
    if len(terms) < 2 or TOTAL not in terms:
        return terms
    return {name: values for name, values in terms.items() if name != TOTAL}


def newest_until(events: list[Any], step: int | None) -> Any:
    """Return the last of these events at or before `step` (None: the very last), or None."""
    end = len(events) if step is None else bisect_right(events, step, key=lambda event: event.step)
    return events[end - 1] if end else None
