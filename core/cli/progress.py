"""Shows a run while it goes: on a terminal one line that is written over, elsewhere a plain line now and then."""

from __future__ import annotations

import time

from core.cli.output import Screen
from core.events import (
    AlignmentMeasured,
    Evaluation,
    Event,
    Log,
    PhaseChanged,
    Progress,
    Resources,
    RunFailed,
    RunFinished,
    RunStarted,
    SpectrumMeasured,
    StepMetrics,
)
from core.verify.numbers import count, duration, percent, plural, ratio

REDRAW_SECONDS = 0.1
PLAIN_SECONDS = 1.0  # between plain lines, at least …
PLAIN_SHARE = 0.05  # … and at least this share of the time so far, so that a long run leaves a short log
TOLD_IN_THE_SUMMARY = ("unchanged", "damage", "alignment", "unseen")  # codes of warnings that the result repeats


class Loading:
    """Shows what goes on outside the steps: reading data, measuring, downloading."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._what = ""
        self._drawn = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how far `what` has come; `total` is 0 where that is not known."""
        now = time.monotonic()
        fresh = what != self._what
        if not self._screen.live:
            if fresh:
                self._screen.say(f"{what} …")
        elif fresh or now - self._drawn >= REDRAW_SECONDS or done == total:
            self._screen.over(f"{what} {percent(done / total, places=0)}" if total and done <= total else f"{what} …")
            self._drawn = now
        self._what = what


class RunProgress:
    """Takes a run's events and shows phase, steps, time left, accuracies and alignment."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._loading = Loading(screen)
        self._began = time.monotonic()
        self._said = self._drawn = 0.0
        self._stage = ""
        self._step = self._steps = self._first_step = 0
        self._started: float | None = None  # when the steps began
        self._remaining: tuple[float, float] | None = None  # seconds left, and when that was known
        self._evaluation: Evaluation | None = None
        self._alignment: AlignmentMeasured | None = None
        self._news = False  # measured since the last plain line

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if not isinstance(event, AlignmentMeasured | SpectrumMeasured | Resources):
            self._say_news()  # all of one evaluation has come in
        if isinstance(event, Progress):
            self._loading(event.what, event.done, event.total)
        elif isinstance(event, RunStarted):
            self._start(event)
        elif isinstance(event, PhaseChanged):
            self._change(event)
        elif isinstance(event, StepMetrics):
            self._step = event.steps[-1] + 1 if event.steps else event.step
            self._draw()
        elif isinstance(event, Evaluation):
            self._evaluation, self._alignment, self._news = event, None, True
            self._step = event.step
        elif isinstance(event, AlignmentMeasured):
            self._alignment = event
        elif isinstance(event, Resources):
            self._remaining = None if event.remaining is None else (event.remaining, time.monotonic())
        elif isinstance(event, Log):
            if event.code not in TOLD_IN_THE_SUMMARY:
                self._screen.notice(event.message if event.level == "info" else f"{event.level}: {event.message}")
        elif isinstance(event, RunFinished | RunFailed):
            self._screen.end_line()

    def line(self, width: int = 0) -> str:
        """The line as it is now; in fewer words where it would not fit `width` characters."""
        parts = [  # in full and in short
            (self._stage, ""), (f"step {count(self._step)} of {count(self._steps)}", f"step {self._step}/{self._steps}")
        ]  # fmt: skip
        if (left := self._left()) is not None:
            parts.append((f"{duration(left)} left", duration(left)))
        if self._evaluation is not None:
            parts += [(text, text.replace("-test", "").replace(" set", "")) for text in _accuracies(self._evaluation)]
        if self._alignment is not None:
            parts.append((alignment_text(self._alignment), alignment_text(self._alignment, short=True)))
        full, short = (" · ".join(filter(None, texts)) for texts in zip(*parts, strict=True))
        return full if not width or len(full) <= width else short

    def _start(self, event: RunStarted) -> None:
        self._steps, self._step = event.steps, event.resumed_at or 0
        self._first_step, self._started = self._step, time.monotonic()
        self._remaining = None
        threads = f", {event.threads} thread{'s' if event.threads != 1 else ''}" if event.device == "cpu" else ""
        where = f"{event.device}{threads}, {event.precision}"
        if event.resumed_at:
            self._screen.say(f"Going on from step {count(event.resumed_at)} of {count(event.steps)} ({where})")
        else:
            self._screen.say(f"{plural(event.steps, 'step')} ({where})")

    def _change(self, event: PhaseChanged) -> None:
        if event.stage:
            self._stage = event.stage[:1].upper() + event.stage[1:]
        elif event.detail:
            self._loading(event.detail, 0, 0)

    def _say_news(self) -> None:
        """Write a plain line where there is something new and the last one is long enough ago."""
        if not self._news:
            return
        self._news = False
        now = time.monotonic()
        if self._screen.live:
            self._draw(now_or_never=True)
        elif self._steps and now - self._said >= max(PLAIN_SECONDS, PLAIN_SHARE * (now - self._began)):
            self._screen.say(self.line())
            self._said = now

    def _draw(self, *, now_or_never: bool = False) -> None:
        now = time.monotonic()
        if not self._steps:
            return
        if now_or_never or now - self._drawn >= REDRAW_SECONDS:
            self._screen.over(self.line(self._screen.width))
            self._drawn = now

    def _left(self) -> float | None:
        """Seconds left: what the engine says, or by the pace of the steps so far."""
        if self._step >= self._steps:
            return None
        if self._remaining is not None:
            seconds, at = self._remaining
            return max(0.0, seconds - (time.monotonic() - at))
        done = self._step - self._first_step
        if self._started is None or done <= 0:
            return None
        return (time.monotonic() - self._started) / done * (self._steps - self._step)


def alignment_text(measured: AlignmentMeasured, *, short: bool = False) -> str:
    """DA in words: never without k, the energy of those directions and centring."""
    centred = "centred" if measured.centred else "uncentred" if short else "not centred"
    energy = f"{percent(measured.energy)}{'' if short else ' of energy'}"
    return f"DA {ratio(measured.value)} (k {measured.k}, {energy}, {centred})"


def _accuracies(measured: Evaluation) -> list[str]:
    """Retain and forget accuracy; on unseen images where there are such for the forget set."""
    if not measured.counts.get("forget_train"):
        return [f"test {percent(measured.retain_test_accuracy)}", f"train {percent(measured.retain_accuracy)}"]
    retain = f"retain-test {percent(measured.retain_test_accuracy)}"
    if measured.forget_test_accuracy is not None:
        return [retain, f"forget-test {percent(measured.forget_test_accuracy)}"]
    return [retain, f"forget set {percent(measured.forget_accuracy)}"]
