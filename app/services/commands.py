"""The commands of runs in the one registry: start, pause, checkpoint, stop, discard; and how a run is resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QWidget

from app.dialogs.sheet import Choice, ask
from app.dialogs.trust import with_trusted_code
from app.services import run_words as words
from app.workers.live_run import LiveRun
from core.errors import AppError
from core.events import State

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.context import AppContext
    from app.workers.live_run import LiveRun
    from core.job import Job
    from core.runs.folder import RunFolder
    from core.session.bench import Bench

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
        controller.turned.connect(self._changed)

    def ask_discard(self) -> None:
        """Ask, then discard; the default is to keep."""
        run = self._context.run_controller.current
        if run is not None and run.can("discard"):
            ask_discard(self._context, run, QApplication.activeWindow())

    def _start(self) -> None:
        # From Forget it leads on and starts; from another page the first press leads to what would be started.
        came_from = self._context.shell.current_page
        self._context.show_page("unlearn")
        if came_from in ("unlearn", "forget"):
            self._context.run_controller.start_wanted.emit()

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


def ask_discard(context: AppContext, run: LiveRun, parent: QWidget | None) -> None:
    """Ask whether a run is to be thrown away, unless the user wants no such question, and do it."""

    def answered(answer: str) -> None:
        if answer == "discard" and run.state is not State.DISCARDED and run.can("discard"):
            context.run_controller.discard()

    if not context.settings.values.confirm_discard:
        answered("discard")
        return
    choices = [Choice("keep", "Keep run"), Choice("discard", "Discard", destructive=True)]
    ask(parent, words.discard_question(run), choices, answered)


NOT_RESUMED = "The run cannot be resumed"


def resume(context: AppContext, folder: RunFolder, parent: QWidget | None = None) -> None:
    """Go on with a run and bring it into view; where its network is program code, once that may run.

    The history of a long run is megabytes of JSON, so it is there a moment later.
    """

    def failed(error: BaseException) -> None:
        context.notifications.error(error, NOT_RESUMED)

    def read() -> None:
        handle = context.jobs.submit(LiveRun.from_folder, folder, key=f"resume {folder.path}")
        handle.done.connect(go_on)
        handle.failed.connect(failed)

    def go_on(run: LiveRun) -> None:
        context.project.set_run(context.run_controller.resume_run(run, _fitting(context.project.bench, run.job)))
        context.show_page("unlearn")

    if context.run_library.is_deleting(folder.path):
        context.notifications.caution(NOT_RESUMED + ".", "It is being deleted.")
        return
    try:
        job = folder.job()
    except AppError as error:
        failed(error)
        return
    with_trusted_code(context.trust, job, "Resuming the run", parent, read)


def _fitting(bench: Bench | None, job: Job | None) -> Bench | None:
    """Return what is open, where it is the run's; else the run opens its model and data by itself."""
    if bench is None or job is None:
        return None
    same = bench.model.weights_id == job.model.weights_id and bench.dataset.fingerprint == job.data.fingerprint
    return bench if same else None
