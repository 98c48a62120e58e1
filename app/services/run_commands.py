"""The commands of runs in the one registry: start, pause or resume, checkpoint, stop and keep, discard."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication

from app.dialogs.sheet import Choice, ask
from app.services import run_words as words
from core.events import State

if TYPE_CHECKING:
    from app.context import AppContext
    from app.workers.live_run import LiveRun

NO_RUN = "No run is going."


class RunCommands(QObject):
    """Registers the commands; what is allowed comes from the one table of states."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context.project)
        self._context = context
        self._state: tuple[object, ...] = ()
        add = context.actions.add
        add("run.start", "&Start unlearning", self._start, menu="run", icon="play", shortcut="Ctrl+Return",
            why_disabled=self._why_no_start)  # fmt: skip
        controller = context.run_controller
        add("run.pause", "&Pause or resume", self._pause, menu="run", icon="pause", shortcut="Ctrl+Shift+Return",
            why_disabled=lambda: self._why_not("pause", "resume"))  # fmt: skip
        add("run.checkpoint", "&Checkpoint now", controller.checkpoint, menu="run", icon="checkpoint",
            why_disabled=lambda: self._why_not("checkpoint"))  # fmt: skip
        add("run.stop", "Stop and &keep", controller.stop, menu="run", icon="stop", tip=words.STOP_TIP,
            why_disabled=lambda: self._why_not("stop"))  # fmt: skip
        add("run.discard", "&Discard run…", self.ask_discard, menu="run", icon="discard",
            why_disabled=lambda: self._why_not("discard"))  # fmt: skip
        controller.state_changed.connect(self._changed)
        controller.run_ended.connect(self._changed)

    def ask_discard(self) -> None:
        """Ask, then discard; the default is to keep."""
        run = self._context.run_controller.current
        if run is not None and run.can("discard"):
            window = QApplication.activeWindow()
            ask_discard(run, window, self._context.run_controller.discard)

    def _start(self) -> None:
        # Only what is in view is started; from another page the first press leads to what would be.
        self._context.run_controller.start_wanted.emit()
        self._context.show_page("unlearn")

    def _pause(self) -> None:
        controller = self._context.run_controller
        if not controller.resume():
            controller.pause()

    def _why_no_start(self) -> str:
        project = self._context.project
        if project.opened_model is None or project.dataset is None:
            return "Open a model and data first."
        if project.selection is None or not project.selection.count:
            return "Choose at least one image."
        return ""

    def _why_not(self, *actions: str) -> str:
        run = self._context.run_controller.current
        if run is None:
            return NO_RUN
        if any(run.can(action) for action in actions):
            return ""
        return f"The run is {words.STATE_WORDS[run.state].lower()}."

    def _changed(self, run: LiveRun) -> None:
        key = (run, run.state, run.asked)
        if key != self._state:
            self._state = key
            self._context.actions.refresh()


def ask_discard(run: LiveRun, parent: object, discard: Callable[[], object]) -> None:
    """Ask whether a run is to be thrown away, and do it."""

    def answered(answer: str) -> None:
        if answer == "discard" and run.state is not State.DISCARDED and run.can("discard"):
            discard()

    choices = [Choice("keep", "Keep run"), Choice("discard", "Discard", destructive=True)]
    ask(parent, words.discard_question(run), choices, answered)  # type: ignore[arg-type]
