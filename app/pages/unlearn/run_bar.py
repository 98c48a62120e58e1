"""The bar above the plots: where the run stands, how far, what it uses; its buttons follow from the run's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.services import format as fmt
from app.services import icons
from app.services import run_words as words
from app.services import tokens as t
from app.services.accessibility import announce
from app.services.theme import theme
from app.widgets.buttons import Button, DestructiveButton, PrimaryButton, SecondaryButton, StateChip, TextButton
from app.widgets.cards import Card
from app.widgets.labels import ElidedLabel, Label
from app.widgets.notices import ProgressLine
from core.events import State

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun


class RunBar(Card):
    """Shows one run and emits what the user wants of it; knows no controller."""

    wanted = Signal(str)  # pause, resume, checkpoint, stop, discard, check, again, restart, keep, delete, search

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent, padding=t.S)
        self.run: LiveRun | None = None
        self._announced: State | None = None
        self._shown: tuple[object, ...] = ()
        self._resuming = False  # what the button that pauses does now
        self.chip = StateChip()
        self.headline = ElidedLabel("", "section")
        self.facts = Label("", "caption", "text-2")
        self.change = ElidedLabel("")
        self.warning = OutcomeWarning()
        self.warning.search.clicked.connect(self._search_pressed)
        self.progress = ProgressLine("Progress of the run", with_text=False)
        self.pause = self._button(SecondaryButton, "Pause", "pause")
        self.checkpoint = self._button(SecondaryButton, "Checkpoint now", "checkpoint")
        self.stop = self._button(SecondaryButton, "Stop and keep", "stop")
        self.stop.setToolTip(words.STOP_TIP)
        self.discard = self._button(DestructiveButton, "Discard…", "discard")
        self.again = self._button(SecondaryButton, "New run", "again")
        self.restart = self._button(PrimaryButton, "Resume", "restart")
        self.keep = self._button(SecondaryButton, "Keep as it is", "keep")
        self.delete = self._button(DestructiveButton, "Delete", "delete")
        self.check = self._button(PrimaryButton, "Check the result", "check")
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
            self.chip.set_state(words.STATE_SHAPES[state], words.STATE_WORDS[state])
            self._show_buttons(run)
            self.change.setVisible(not run.active)
            self.change.setText(words.change(run))
            self.warning.set(words.outcome_warnings(run), self._may_search(run))
        if run.ended and self._announced is not state:
            announce(self, words.outcome(run), assertive=state is State.FAILED)
        self._announced = state

    def buttons(self) -> dict[str, Button]:
        """All buttons by what they want."""
        return {
            "pause": self.pause, "checkpoint": self.checkpoint, "stop": self.stop, "discard": self.discard,
            "again": self.again, "restart": self.restart, "keep": self.keep, "delete": self.delete,
            "check": self.check,
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
        for button, action in ((self.pause, "resume" if resuming else "pause"), (self.checkpoint, "checkpoint"),
                               (self.stop, "stop"), (self.discard, "discard")):  # fmt: skip
            button.setVisible(going and (not check or action == "stop"))
            button.setEnabled(run.can(action) and run.asked != action)
        self.stop.setText("Stop" if check else "Stop and keep")
        interrupted = state is State.INTERRUPTED
        for button in (self.restart, self.keep, self.delete):
            button.setVisible(interrupted)
        finished = state in (State.FINISHED, State.STOPPED) and run.kind == "unlearn"
        self.check.setVisible(finished)
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

    def _search_pressed(self) -> None:
        self.wanted.emit("search")

    def _button(self, kind: type[Button], text: str, wants: str) -> Button:
        button = kind(text)
        button.clicked.connect(lambda _checked=False: self._pressed(wants))
        return button

    def _pressed(self, wants: str) -> None:
        self.wanted.emit("resume" if wants == "pause" and self._resuming else wants)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(theme.px(t.S))
        top.addWidget(self.chip)
        top.addWidget(self.headline, 1)
        top.addWidget(self.facts)
        foot = QHBoxLayout()
        foot.setSpacing(theme.px(t.S))
        foot.addWidget(self.progress, 1)
        foot.addWidget(self.change, 1)
        self._gap = QWidget()
        self._gap.setFixedWidth(theme.px(t.S))  # with the spacing at both sides: 24 to the destructive one
        for widget in (self.pause, self.checkpoint, self.stop, self.again, self.keep, self.restart, self._gap,
                       self.discard, self.delete, self.check):  # fmt: skip
            foot.addWidget(widget)
        column = QVBoxLayout()
        column.setSpacing(theme.px(t.XS))
        column.addLayout(top)
        column.addLayout(foot)
        column.addWidget(self.warning)
        self.body.addLayout(column)


class OutcomeWarning(QWidget):
    """What is to be minded about a result, with its icon, and the way to other settings."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(t.S))
        self._icon = QLabel()
        self._icon.setFixedWidth(theme.px(16))
        self._icon.setAlignment(Qt.AlignmentFlag.AlignVCenter)
        self.label = Label("", "body", "caution", wrap=True)
        self.label.setMaximumWidth(16_777_215)  # Qt's largest: one line where there is room for it
        self.search = TextButton("Search settings…")
        row.addWidget(self._icon)
        row.addWidget(self.label, 1)
        row.addWidget(self.search)
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
