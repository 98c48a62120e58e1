"""A run on the page: banners, the bar that says where it stands, plots and time slider. Shows; decides nothing."""

from __future__ import annotations

import platform
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QSizePolicy, QSlider, QVBoxLayout, QWidget

from app.pages.unlearn.plots import RunPlots
from app.services import format as fmt
from app.services import icons
from app.services import run_words as words
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import (
    STATE_ICONS,
    Button,
    Chip,
    DestructiveButton,
    IconButton,
    PrimaryButton,
    SecondaryButton,
    TextButton,
)
from app.widgets.cards import Card
from app.widgets.labels import ElidedLabel, announce
from app.widgets.layout import column, row
from app.widgets.notices import Banner, ProgressLine, Severity
from core.events import State

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun

REPLAY_MS = 8000  # a whole run again, however long it was
_TICK_MS = 66


class TimeSlider(QWidget):
    """Positions are the recorded steps. `moved` carries a step, or None for the newest."""

    moved = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._steps: list[int] = []
        self._total = 0
        self._at_end = True
        self._play = IconButton("play", tr("Play the run again"), self.toggle_play)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setAccessibleName(tr("Step shown in all plots"))
        self._slider.setToolTip(tr("Space plays and holds, arrows go step by step"))
        self._slider.valueChanged.connect(self._changed)
        self._label = ElidedLabel("", "caption", "text-2")  # of one width: nothing is laid out anew for it
        self._label.setFixedWidth(theme.px(176))
        self._label.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._newest = TextButton(tr("Newest"), self.to_newest)
        self._newest.setFixedHeight(theme.px(24))
        self.row = row(self._play, (self._slider, 1), self._label, self._newest, on=self)
        self._timer = QTimer(self, interval=_TICK_MS)
        self._timer.timeout.connect(self._advance)
        self._played = 0.0
        self._update()

    @property
    def step(self) -> int | None:
        """The step in view; None where the newest is followed."""
        return None if self._at_end or not self._steps else self._steps[self._slider.value()]

    @property
    def playing(self) -> bool:
        """Whether the run is being played again."""
        return self._timer.isActive()

    def set_steps(self, steps: Sequence[int], total: int = 0) -> None:
        """Set the recorded steps; at the end the slider stays at the end, else it stays at its step."""
        if list(steps) == self._steps and total == self._total:
            return
        shown = self.step
        self._steps, self._total = list(steps), total
        with QSignalBlocker(self._slider):
            self._slider.setRange(0, max(0, len(self._steps) - 1))
            self._slider.setPageStep(max(1, len(self._steps) // 10))
            self._slider.setValue(self._slider.maximum() if shown is None else bisect_left(self._steps, shown))
        self._update()

    def reset(self) -> None:
        """Forget the run before."""
        self._timer.stop()
        self._steps, self._at_end = [], True
        self.set_steps([], -1)

    def toggle_play(self) -> None:
        """Play the run again from where the slider is, or hold."""
        if self.playing:
            self._timer.stop()
        elif len(self._steps) > 1:
            if self._at_end:
                self._slider.setValue(0)
            self._played = float(self._slider.value())
            self._timer.start()
        self._update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space plays and holds; arrows, Home and End are the slider's own."""
        if event.key() == Qt.Key.Key_Space:
            self.toggle_play()
        else:
            super().keyPressEvent(event)

    def to_newest(self) -> None:
        """Follow the newest step again."""
        self._slider.setValue(self._slider.maximum())

    def _changed(self, value: int) -> None:
        self._at_end = value >= self._slider.maximum()
        self._update()
        self.moved.emit(self.step)

    def _advance(self) -> None:
        self._played += max(self._slider.maximum(), 1) * _TICK_MS / REPLAY_MS
        self._slider.setValue(min(int(self._played), self._slider.maximum()))
        if self._at_end:
            self.toggle_play()

    def _update(self) -> None:
        enough = len(self._steps) > 1
        self._slider.setEnabled(enough)
        self._play.setEnabled(enough)
        name = tr("Hold the replay") if self.playing else tr("Play the run again")
        if self._play.accessibleName() != name:
            icons.set_icon(self._play, "pause" if self.playing else "play", "text_2")
            self._play.setAccessibleName(name)
            self._play.setToolTip(name)
        self._newest.setEnabled(not self._at_end and enough)
        step = fmt.count(self._steps[self._slider.value()]) if self._steps else ""
        if self._at_end:
            text = tr("newest, step {step}", step=step)
        else:
            text = tr("step {step} of {all}", step=step, all=fmt.count(max([self._total, *self._steps[-1:]])))
        self._label.setText(text if step else "")
        self._slider.setAccessibleDescription(self._label.text())


BUTTONS: tuple[tuple[str, type[Button], str], ...] = (
    ("pause", SecondaryButton, mark("Pause")), ("checkpoint", SecondaryButton, mark("Checkpoint now")),
    ("stop", SecondaryButton, mark("Stop and keep")), ("again", SecondaryButton, mark("New run")),
    ("restart", PrimaryButton, mark("Resume")), ("details", SecondaryButton, mark("See the details")),
    ("discard", DestructiveButton, mark("Discard…")), ("check", PrimaryButton, mark("Check the result")),
    ("export", PrimaryButton, mark("Export checkpoint")), ("forget", PrimaryButton, mark("Choose what to forget")),
)  # fmt: skip
_ASKING = ("pause", "checkpoint", "stop", "discard")  # what goes to the worker, which may not have answered yet


class RunBar(Card):
    """Shows one run; each of its `buttons` is what the user may want of it now."""

    def __init__(self) -> None:
        super().__init__(padding=t.S)
        self.resuming = False  # whether the button that pauses goes on
        self._announced: State | None = None
        self._shown: tuple[object, ...] = ()
        self.chip = Chip()
        self.headline = ElidedLabel("", "section")
        self.facts = ElidedLabel("", "caption", "text-2")
        self.facts.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.change = ElidedLabel("")
        self.progress = ProgressLine(tr("Progress of the run"))
        self.buttons = {name: kind(tr(text)) for name, kind, text in BUTTONS}
        self.buttons["stop"].setToolTip(tr(words.STOP_TIP))
        for button in self.buttons.values():
            button.hide()
        self._gap = QWidget()
        self._gap.setFixedWidth(theme.px(t.S))  # with the spacing at both sides: 24 to the destructive one
        places = list(self.buttons.values())
        first = list(self.buttons).index("discard")
        foot = row((self.progress, 1), (self.change, 1), *places[:first], self._gap, *places[first:])
        head = row(self.chip, (self.headline, 3), (self.facts, 2))
        self.body.addLayout(column(head, foot, spacing=t.XS))

    def show_run(self, run: LiveRun, verdict: bool = False) -> None:
        """Show where a run stands now; with a `verdict` on its result the next step is to export it."""
        state, headline, facts = run.state, words.headline(run), self._facts(run)
        if headline != self.headline.text():
            self.headline.setText(headline)
        if facts != self.facts.text():
            self.facts.setText(facts)
        self._show_progress(run)
        key = (id(run), state, run.asked, run.mine, verdict)
        if key != self._shown:  # many times a second only the numbers change
            self._shown = key
            shape = words.state_shape(state)
            self.chip.set(words.state_word(state), STATE_ICONS[shape], "error" if shape == "problem" else "")
            self._show_buttons(run, verdict)
            self.change.setVisible(not run.active)
            self.change.setText(words.change(run))
        if run.ended and self._announced is not state:
            announce(self, words.outcome(run), assertive=state is State.FAILED)
        self._announced = state

    def _show_buttons(self, run: LiveRun, verdict: bool) -> None:
        state, going, check = run.state, run.active and run.mine, run.kind == "check"
        finished = state in (State.FINISHED, State.STOPPED)
        result = finished and run.kind == "unlearn"
        shown = {
            **dict.fromkeys(_ASKING, going and not check), "stop": going, "restart": run.resumable,
            "again": run.ended or run.resumable or (run.active and not run.mine), "check": result and not verdict,
            "details": result and verdict, "export": result and verdict, "forget": finished and run.kind == "train",
        }  # fmt: skip
        for name, button in self.buttons.items():
            button.setVisible(shown[name])
        self.resuming = run.can("resume") or (state is State.PAUSED and run.asked == "resume")
        for name in _ASKING:
            action = "resume" if name == "pause" and self.resuming else name
            self.buttons[name].setEnabled(run.can(action) and run.asked != action)
        self.buttons["pause"].setText(tr("Resume") if self.resuming else tr("Pause"))
        self.buttons["stop"].setText(tr("Stop") if check else tr("Stop and keep"))
        self._gap.setVisible(shown["discard"])

    def _show_progress(self, run: LiveRun) -> None:
        self.progress.setVisible(run.active)
        progress = run.progress
        outside = run.state is State.PREPARING or run.step >= run.steps or run.kind == "check"
        of_run = (run.step, run.steps)
        self.progress.set(*((progress.done, progress.total) if outside and progress is not None else of_run))

    @staticmethod
    def _facts(run: LiveRun) -> str:
        if not run.active:
            return ""
        parts, resources = [], run.resources
        if resources is not None:
            parts += [tr("{number} images/s", number=fmt.count(round(resources.samples_per_second))),
                      tr("{time} so far", time=fmt.duration(resources.elapsed)),
                      tr("memory {size}", size=fmt.size(resources.memory_bytes))]  # fmt: skip
        if run.host and run.host != platform.node():
            parts.append(tr("on {host}", host=run.host))
        elif not run.mine:
            parts.append(tr("runs in another process"))
        return " · ".join(parts)


BannerText = tuple[str, Severity, list[tuple[str, Callable[[], object]]]]
MOST_BANNERS = 2


class RunView(QWidget):
    """What needs a decision, where the run stands, its plots, and the step they show."""

    def __init__(self) -> None:
        super().__init__()
        self.banners = [Banner() for _ in range(MOST_BANNERS)]
        self.bar = RunBar()
        self.plots = RunPlots()
        self.slider = TimeSlider()
        self.slider.moved.connect(self.plots.show_until)
        self.below_bar = QVBoxLayout()  # for what belongs to the run and is no plot of it
        column(*self.banners, self.bar, self.below_bar, (self.plots, 1), self.slider, on=self, spacing=t.M)
        self.banner_texts: list[str] = []  # what they say

    def set_banners(self, texts: Sequence[BannerText]) -> None:
        """Show at most two, the first ones; what is shown already stays as it is, dismissed or not."""
        wanted = [text for text, *_ in texts[:MOST_BANNERS]]
        if wanted == self.banner_texts:
            return
        self.banner_texts = wanted
        for number, banner in enumerate(self.banners):
            if number < len(wanted):
                text, severity, buttons = texts[number]
                banner.show_message(text, severity, buttons)
            else:
                banner.hide()

    def update_slider(self, total: int) -> None:
        """Offer the steps recorded so far."""
        self.slider.set_steps(self.plots.recorded_steps, max(total, self.plots.last_overlaid))
