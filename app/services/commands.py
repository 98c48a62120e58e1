"""The commands of runs in the one registry: start, pause, checkpoint, stop, discard; and how a run is resumed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QWidget

from app.dialogs.sheet import Choice, ask
from app.dialogs.trust import with_trusted_code
from app.services import run_words as words
from app.services.translation import tr
from app.workers.live_run import LiveRun
from core.errors import AppError
from core.events import State

if TYPE_CHECKING:
    from app.context import AppContext
    from core.job import Job
    from core.runs.folder import RunFolder
    from core.session.bench import Bench


class RunCommands(QObject):
    """Registers the commands; what is allowed comes from the one table of states."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context.project)
        self._context = context
        controller = context.run_controller
        context.actions.add("run.start", tr("&Start unlearning"), self._start, menu="run", icon="play",
                            shortcut="Ctrl+Return", why_disabled=self._why_no_start)  # fmt: skip
        for name, text, act, icon, shortcut, tip, allowed in (
            ("pause", tr("&Pause or resume"), self._pause, "pause", "Ctrl+Shift+Return", "", ("pause", "resume")),
            ("checkpoint", tr("&Checkpoint now"), controller.checkpoint, "checkpoint", (), "", ("checkpoint",)),
            ("stop", tr("Stop and &keep"), controller.stop, "stop", (), tr(words.STOP_TIP), ("stop",)),
            ("discard", tr("&Discard run…"), self.ask_discard, "discard", (), "", ("discard",)),
        ):
            context.actions.add(f"run.{name}", text, act, menu="run", icon=icon, shortcut=shortcut, tip=tip,
                                why_disabled=partial(self._why_not, allowed))  # fmt: skip

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
        if not project.ready:
            return tr("Open a model and data first.")
        return "" if project.selection is not None and project.selection.count else tr("Choose at least one image.")

    def _why_not(self, actions: tuple[str, ...]) -> str:
        run = self._context.run_controller.current
        if run is None:
            return tr("No run is going.")
        if any(run.can(action) for action in actions):
            return ""
        return tr("Not possible now. State of the run: {state}.", state=words.state_word(run.state))


def ask_discard(context: AppContext, run: LiveRun, parent: QWidget | None) -> None:
    """Ask whether a run is to be thrown away, unless the user wants no such question, and do it."""

    def discard() -> None:
        if run.state is not State.DISCARDED and run.can("discard"):
            context.run_controller.discard()

    if not context.settings.values.confirm_discard:
        discard()
        return
    choices = [Choice("keep", tr("Keep run")), Choice("discard", tr("Discard"), True, discard)]
    ask(parent, words.discard_question(run), choices)


def resume(context: AppContext, folder: RunFolder, parent: QWidget | None = None) -> None:
    """Go on with a run and bring it into view; where its network is program code, once that may run.

    The history of a long run is megabytes of JSON, so it is there a moment later.
    """

    def failed(error: BaseException) -> None:
        context.notifications.error(error, tr("The run cannot be resumed"))

    def read() -> None:
        handle = context.jobs.submit(LiveRun.from_folder, folder, key=f"resume {folder.path}")
        handle.done.connect(go_on)
        handle.failed.connect(failed)

    def go_on(run: LiveRun) -> None:
        context.project.set_run(context.run_controller.resume_run(run, _fitting(context.project.bench, run.job)))
        context.show_page("unlearn")

    if folder.path in context.run_library.deleting:
        context.notifications.caution(tr("The run cannot be resumed, because it is being deleted."))
        return
    try:
        job = folder.job()
    except AppError as error:
        failed(error)
        return
    with_trusted_code(context.trust, job, parent, read)


def _fitting(bench: Bench | None, job: Job | None) -> Bench | None:
    """Return what is open, where it is the run's; else the run opens its model and data by itself."""
    if bench is None or job is None:
        return None
    same = bench.model.weights_id == job.model.weights_id and bench.dataset.fingerprint == job.data.fingerprint
    return bench if same else None
