"""A run on the page: banners, the bar that says where it stands, plots and time slider. Shows; decides nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QLabel, QMenu, QSlider, QVBoxLayout, QWidget

from app.pages.unlearn.plots import RunPlots
from app.services import format as fmt
from app.services import icons
from app.services import run_words as words
from app.services import tokens as t
from app.services.accessibility import announce
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.buttons import (
    STATE_ICONS,
    Button,
    Chip,
    ChipButton,
    DestructiveButton,
    IconButton,
    PrimaryButton,
    SecondaryButton,
    TextButton,
)
from app.widgets.cards import Card
from app.widgets.labels import ElidedLabel, Label
from app.widgets.layout import column, row
from app.widgets.notices import Banner, ProgressLine, Severity
from core.events import State

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun

REPLAY_MS = 8000  # a whole run again, however long it was, at the usual speed
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
_TICK_MS = 66


class TimeSlider(QWidget):
    """Positions are the recorded steps. `moved` carries a step, or None for the newest."""

    moved = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps: list[int] = []
        self._total = 0
        self._at_end = True
        self._play = IconButton("play", "Play the run again", self._toggle_play)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setAccessibleName("Step shown in all plots")
        self._slider.setToolTip("Space plays and holds, arrows go step by step, + and − change the speed")
        self._slider.valueChanged.connect(self._changed)
        self._label = Label("", "caption", "text-2")
        self._label.setMinimumWidth(theme.px(136))
        self.speed = 1.0
        self._speed = ChipButton("1×", name="Speed of the replay")
        menu = QMenu(self)
        self.speed_actions: dict[float, QAction] = {}
        for speed in SPEEDS:
            action = menu.addAction(_speed_words(speed))
            action.setData(speed)
            action.triggered.connect(self._speed_chosen)
            self.speed_actions[speed] = action
        self._speed.setMenu(menu)
        self._newest = TextButton("Newest", self.to_newest)
        self._newest.setFixedHeight(theme.px(24))
        self._row = row(self._play, self._speed, (self._slider, 1), self._label, self._newest, on=self)
        policy = self._newest.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._newest.setSizePolicy(policy)
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._advance)
        self._played = 0.0
        self._update()

    @property
    def step(self) -> int | None:
        """The step in view; None where the newest is followed."""
        return None if self._at_end or not self._steps else self._steps[self._slider.value()]

    def set_steps(self, steps: Sequence[int], total: int = 0) -> None:
        """Set the recorded steps; at the end the slider stays at the end, else it stays at its step."""
        if list(steps) == self._steps and total == self._total:
            return
        shown = self.step
        self._steps, self._total = list(steps), total
        self._slider.blockSignals(True)
        self._slider.setRange(0, max(0, len(self._steps) - 1))
        self._slider.setPageStep(max(1, len(self._steps) // 10))
        if shown is None:
            self._slider.setValue(self._slider.maximum())
        else:
            self._slider.setValue(min(bisect_left(self._steps, shown), self._slider.maximum()))
        self._slider.blockSignals(False)
        self._update()

    def reset(self) -> None:
        """Forget the run before."""
        self._timer.stop()
        self._steps, self._at_end = [], True
        self.set_steps([], -1)

    def add_widget(self, widget: QWidget) -> None:
        """Put something at the end of the row."""
        self._row.addWidget(widget)

    def set_speed(self, speed: float) -> None:
        """Play faster or slower from now on."""
        self.speed = min(max(speed, SPEEDS[0]), SPEEDS[-1])
        self._speed.set(_speed_words(self.speed), "Speed of the replay; + and − on the slider change it")

    def toggle_play(self) -> None:
        """Play the run again from where the slider is, or hold."""
        if len(self._steps) > 1:
            self._toggle_play()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space plays and holds, + and − change the speed; arrows, Home and End are the slider's own."""
        key = event.key()
        if key == Qt.Key.Key_Space:
            self.toggle_play()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.set_speed(2 * self.speed)
        elif key == Qt.Key.Key_Minus:
            self.set_speed(self.speed / 2)
        else:
            super().keyPressEvent(event)

    def to_newest(self) -> None:
        """Follow the newest step again."""
        self._slider.setValue(self._slider.maximum())

    def playing(self) -> bool:
        """Whether the run is being played again."""
        return self._timer.isActive()

    def _changed(self, value: int) -> None:
        self._at_end = value >= self._slider.maximum()
        self._update()
        self.moved.emit(self.step)

    def _toggle_play(self) -> None:
        if self.playing():
            self._stop()
            return
        if self._at_end:
            self._slider.setValue(0)
        self._played = float(self._slider.value())
        self._timer.start()
        self._update()

    def _speed_chosen(self) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        self.set_speed(float(action.data()))

    def _advance(self) -> None:
        self._played += max(self._slider.maximum(), 1) * self.speed * _TICK_MS / REPLAY_MS
        self._slider.setValue(min(int(self._played), self._slider.maximum()))
        if self._at_end:
            self._stop()

    def _stop(self) -> None:
        self._timer.stop()
        self._update()

    def _update(self) -> None:
        enough = len(self._steps) > 1
        self._slider.setEnabled(enough)
        self._play.setEnabled(enough)
        playing, name = self.playing(), "Hold the replay" if self.playing() else "Play the run again"
        if self._play.accessibleName() != name:
            icons.set_icon(self._play, "pause" if playing else "play", "text_2")
            self._play.setAccessibleName(name)
            self._play.setToolTip(name)
        self._newest.setVisible(not self._at_end and enough)
        if not self._steps:
            text = ""
        elif self._at_end:
            text = f"newest, step {fmt.count(self._steps[-1])}"
        else:
            of = f" of {fmt.count(self._total)}" if self._total > 0 else ""
            text = f"step {fmt.count(self._steps[self._slider.value()])}{of}"
        self._label.setText(text)
        self._slider.setAccessibleDescription(text)


def _speed_words(speed: float) -> str:
    return f"{speed:g}×".replace("0.25", "¼").replace("0.5", "½")


class RunBar(Card):
    """Shows one run and emits what the user wants of it; knows no controller."""

    pause_wanted = Signal()
    resume_wanted = Signal()
    checkpoint_wanted = Signal()
    stop_wanted = Signal()
    discard_wanted = Signal()
    restart_wanted = Signal()  # of an interrupted run
    delete_wanted = Signal()
    again_wanted = Signal()  # set up another run
    search_wanted = Signal()
    check_wanted = Signal()
    forget_wanted = Signal()  # a training is over: choose what its model is to forget

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent, padding=t.S)
        self.run: LiveRun | None = None
        self._announced: State | None = None
        self._shown: tuple[object, ...] = ()
        self._resuming = False  # what the button that pauses does now
        self.chip = Chip()
        self.headline = ElidedLabel("", "section")
        self.facts = Label("", "caption", "text-2")
        self.change = ElidedLabel("")
        self.warning = OutcomeWarning()
        self.warning.search.clicked.connect(self.search_wanted)
        self.progress = ProgressLine("Progress of the run", with_text=False)
        self.pause = SecondaryButton("Pause", self._pause_pressed)
        self.checkpoint = SecondaryButton("Checkpoint now", self.checkpoint_wanted.emit)
        self.stop = SecondaryButton("Stop and keep", self.stop_wanted.emit)
        self.stop.setToolTip(tr(words.STOP_TIP))
        self.discard = DestructiveButton("Discard…", self.discard_wanted.emit)
        self.again = SecondaryButton("New run", self.again_wanted.emit)
        self.restart = PrimaryButton("Resume", self.restart_wanted.emit)
        self.keep = SecondaryButton("Keep as it is", self.again_wanted.emit)
        self.delete = DestructiveButton("Delete", self.delete_wanted.emit)
        self.check = PrimaryButton("Check the result", self.check_wanted.emit)
        self.forget = PrimaryButton(tr("Choose what to forget"), self.forget_wanted.emit)
        self._lay_out()
        for button in self.buttons().values():
            button.hide()

    def show_run(self, run: LiveRun) -> None:
        """Show where a run stands now."""
        self.run = run
        state = run.state
        text = words.headline(run)
        if text != self.headline.text():
            self.headline.setText(text)
        facts = self._facts(run)
        if facts != self.facts.text():
            self.facts.setText(facts)
        self._show_progress(run)
        key = (id(run), state, run.asked, run.mine, len(run.warnings))
        if key != self._shown:  # many times a second only the numbers change
            self._shown = key
            shape = words.state_shape(state)
            self.chip.set(words.state_word(state), STATE_ICONS[shape], "error" if shape == "problem" else "")
            self._show_buttons(run)
            self.change.setVisible(not run.active)
            self.change.setText(words.change(run))
            self.warning.set(words.outcome_warnings(run), self._may_search(run))
        if run.ended and self._announced is not state:
            announce(self, words.outcome(run), assertive=state is State.FAILED)
        self._announced = state

    def buttons(self) -> dict[str, Button]:
        return {
            "pause": self.pause, "checkpoint": self.checkpoint, "stop": self.stop, "discard": self.discard,
            "again": self.again, "restart": self.restart, "keep": self.keep, "delete": self.delete,
            "check": self.check, "forget": self.forget,
        }  # fmt: skip

    def shown_buttons(self) -> set[str]:
        """Names of the buttons that show and can be pressed."""
        return {name for name, button in self.buttons().items() if not button.isHidden() and button.isEnabled()}

    # ---- parts

    def _show_buttons(self, run: LiveRun) -> None:
        state, going = run.state, run.active and run.mine
        resuming = self._resuming = run.can("resume") or (state is State.PAUSED and run.asked == "resume")
        self.pause.setText("Resume" if resuming else "Pause")
        check = run.kind == "check"
        asking: tuple[tuple[Button, str], ...] = (
            (self.pause, "resume" if resuming else "pause"), (self.checkpoint, "checkpoint"), (self.stop, "stop"),
            (self.discard, "discard"),
        )  # fmt: skip
        for button, action in asking:
            button.setVisible(going and (not check or action == "stop"))
            button.setEnabled(run.can(action) and run.asked != action)
        self.stop.setText("Stop" if check else "Stop and keep")
        interrupted = state is State.INTERRUPTED
        for button in (self.restart, self.keep, self.delete):
            button.setVisible(interrupted)
        finished = state in (State.FINISHED, State.STOPPED)
        self.check.setVisible(finished and run.kind == "unlearn")
        self.forget.setVisible(finished and run.kind == "train")
        self.again.setVisible(run.ended or (run.active and not run.mine))
        self._gap.setVisible((going and not check) or interrupted)

    def _show_progress(self, run: LiveRun) -> None:
        self.progress.setVisible(run.active)
        progress = run.progress
        outside = run.state is State.PREPARING or run.step >= run.steps or run.kind == "check"
        if outside and progress is not None:
            self.progress.set(progress.done, progress.total, words.progress_of(run))
        elif run.steps:
            self.progress.set(run.step, run.steps, words.step_of(run), run.remaining)
        else:
            self.progress.set(0, 0, "Preparing")

    @staticmethod
    def _facts(run: LiveRun) -> str:
        parts = []
        resources = run.resources
        if resources is not None and run.active:
            parts.append(f"{fmt.count(round(resources.samples_per_second))} images/s")
        if run.elapsed is not None and run.active:
            parts.append(f"{fmt.duration(run.elapsed)} so far")
        if resources is not None and run.active:
            parts.append(f"memory {fmt.size(resources.memory_bytes)}")
        if run.active and not run.mine:
            parts.append("runs in another process")
        return " · ".join(parts)

    @staticmethod
    def _may_search(run: LiveRun) -> bool:
        """A run that changed nothing wants other settings, where its method has any to search for."""
        unchanged = any(log.code == "unchanged" for log in run.warnings)
        if not unchanged or run.job is None or run.kind != "unlearn":
            return False  # before torch is loaded, as for a run opened right at the start
        from core.methods import METHODS

        method = METHODS.get(run.job.method)
        return method is not None and bool(method.searched)

    def _pause_pressed(self) -> None:
        (self.resume_wanted if self._resuming else self.pause_wanted).emit()

    def _lay_out(self) -> None:
        self._gap = QWidget()
        self._gap.setFixedWidth(theme.px(t.S))  # with the spacing at both sides: 24 to the destructive one
        foot = row(
            (self.progress, 1), (self.change, 1), self.pause, self.checkpoint, self.stop, self.again, self.keep,
            self.restart, self._gap, self.discard, self.delete, self.check, self.forget,
        )  # fmt: skip
        self.body.addLayout(column(row(self.chip, (self.headline, 1), self.facts), foot, self.warning, spacing=t.XS))


class OutcomeWarning(QWidget):
    """What is to be minded about a result, with its icon, and the way to other settings."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = QLabel()
        self._icon.setFixedWidth(theme.px(16))
        self._icon.setAlignment(Qt.AlignmentFlag.AlignVCenter)
        self.label = Label("", "body", "caution", wrap=True)
        self.label.setMaximumWidth(16_777_215)  # Qt's largest: one line where there is room for it
        self.search = TextButton("Search settings…")
        row(self._icon, (self.label, 1), self.search, on=self)
        theme.changed.connect(self._draw_icon)
        self._draw_icon()
        self.hide()

    def set(self, sentences: Sequence[str], search: bool) -> None:
        """Say these; nothing shows where there are none."""
        self.label.setText("\n".join(sentences))
        self.search.setVisible(search)
        self.setVisible(bool(sentences))

    def _draw_icon(self) -> None:
        self._icon.setPixmap(icons.pixmap("warning", theme.px(16), "caution", self.devicePixelRatioF()))


BannerText = tuple[str, Severity, list[tuple[str, Callable[[], object]]]]
MOST_BANNERS = 2


class RunView(QWidget):
    """`bar` tells what its buttons want; `set_banners` says what needs a decision."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.banners = [Banner() for _ in range(MOST_BANNERS)]
        self.bar = RunBar()
        self.plots = RunPlots()
        self.slider = TimeSlider()
        self.slider.moved.connect(self.plots.show_until)
        self.below_bar = QVBoxLayout()  # for what belongs to the run and is no plot of it
        column(*self.banners, self.bar, self.below_bar, (self.plots, 1), self.slider, on=self, spacing=t.M)
        self._texts: list[str] = []

    def set_banners(self, texts: Sequence[BannerText]) -> None:
        """Show at most two, the first ones; what is shown already stays as it is, dismissed or not."""
        wanted = [text for text, *_ in texts[:MOST_BANNERS]]
        if wanted == self._texts:
            return
        self._texts = wanted
        for number, banner in enumerate(self.banners):
            if number < len(wanted):
                text, severity, buttons = texts[number]
                banner.show_message(text, severity, buttons)
            else:
                banner.hide()

    def banner_texts(self) -> list[str]:
        """The sentences shown."""
        return list(self._texts)

    def update_slider(self, total: int) -> None:
        """Offer the steps recorded so far."""
        self.slider.set_steps(self.plots.recorded_steps, max(total, self.plots.last_overlaid))
