"""The commands of the window in the one registry: of files, of help, of runs; and how a run is resumed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QApplication, QWidget

from app.actions import unless
from app.dialogs import sheet
from app.dialogs.trust import with_trusted_code
from app.services import run_words as words
from app.services.translation import tr
from app.workers.live_run import LiveRun
from core.errors import AppError
from core.events import State
from core.version import VERSION

if TYPE_CHECKING:
    from app.context import AppContext
    from core.job import Job
    from core.runs.folder import RunFolder
    from core.session.bench import Bench

Role, Std = QAction.MenuRole, QKeySequence.StandardKey


def register_run_commands(context: AppContext) -> None:
    """Register the commands of the run under way; what is allowed comes from the one table of states."""
    controller, project, add = context.run_controller, context.project, context.actions.add

    def start() -> None:
        # From Forget it leads on and starts; from another page the first press leads to what would be started.
        came_from = context.shell.current_page
        context.show_page("unlearn")
        if came_from in ("unlearn", "forget"):
            controller.start_wanted.emit()

    def why_no_start() -> str:
        if not project.ready:
            return tr("Open a model and data first.")
        return "" if project.selection is not None and project.selection.count else tr("Choose at least one image.")

    def pause() -> None:
        if not controller.ask("resume"):
            controller.ask("pause")

    def discard() -> None:
        if controller.current is not None:
            ask_discard(context, controller.current, QApplication.activeWindow())

    def why_not(actions: tuple[str, ...]) -> str:
        run = controller.current
        if run is None:
            return tr("No run is going.")
        if any(run.can(action) for action in actions):
            return ""
        return tr("Not possible now. State of the run: {state}.", state=words.state_word(run.state))

    add("run.start", tr("&Start unlearning"), start, "play", "Ctrl+Return", why_no_start)
    for name, text, act, shortcut, tip, allowed in (
        ("pause", tr("&Pause or resume"), pause, "Ctrl+Shift+Return", "", ("pause", "resume")),
        ("checkpoint", tr("&Checkpoint now"), lambda: controller.ask("checkpoint"), (), "", ("checkpoint",)),
        ("stop", tr("Stop and &keep"), lambda: controller.ask("stop"), (), tr(words.STOP_TIP), ("stop",)),
        ("discard", tr("&Discard run…"), discard, (), "", ("discard",)),
    ):
        add(f"run.{name}", text, act, name, shortcut, partial(why_not, allowed), tip=tip)


def ask_discard(context: AppContext, run: LiveRun, parent: QWidget | None) -> None:
    """Ask whether a run is to be thrown away, unless the user wants no such question, and do it."""

    def discard() -> None:
        if run.state is not State.DISCARDED and run.can("discard"):
            try:
                context.run_controller.ask("discard", run)
            except AppError as error:  # of one that is followed on disk
                context.notifications.error(error, tr("The run cannot be asked"))

    if not context.settings.values.confirm_discard:
        discard()
        return
    choices = [sheet.Choice("keep", tr("Keep run")), sheet.Choice("discard", tr("Discard"), True, discard)]
    sheet.ask(parent, words.discard_question(run), choices)


def resume(context: AppContext, folder: RunFolder, parent: QWidget | None = None) -> None:
    """Go on with a run and bring it into view; where its network is program code, once that may run.

    The history of a long run is megabytes of JSON, so it is there a moment later.
    """

    def failed(error: BaseException) -> None:
        context.notifications.error(error, tr("The run cannot be resumed"))

    def read() -> None:
        context.jobs.submit(LiveRun.from_folder, folder, key=f"resume {folder.path}").then(go_on, failed)

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
    with_trusted_code(context.trust, context.trust.asked(job), parent, read)


def _fitting(bench: Bench | None, job: Job | None) -> Bench | None:
    """Return what is open, where it is the run's; else the run opens its model and data by itself."""
    if bench is None or job is None:
        return None
    same = bench.model.weights_id == job.model.weights_id and bench.dataset.fingerprint == job.data.fingerprint
    return bench if same else None


def register_commands(context: AppContext, window: QWidget) -> None:
    """Register the commands of files, of the forget set's history and of help."""
    register_file_commands(context, window)
    add, project = context.actions.add, context.project
    add("edit.undo", tr("&Undo selection"), project.undo_selection, "undo", ("Ctrl+Z", Std.Undo),
        unless(lambda: project.history and project.history.can_undo, tr("There is nothing to undo.")))  # fmt: skip
    add("edit.redo", tr("&Redo selection"), project.redo_selection, "redo", ("Ctrl+Shift+Z", "Ctrl+Y", Std.Redo),
        unless(lambda: project.history and project.history.can_redo, tr("There is nothing to redo.")))  # fmt: skip
    add("edit.preferences", tr("&Preferences…"), partial(_open_preferences, context, window), "settings",
        ("Ctrl+,", Std.Preferences), role=Role.PreferencesRole)  # fmt: skip
    _register_help(context, window)


def register_file_commands(context: AppContext, window: QWidget) -> None:
    """Register what opens something: what was chosen is opened whatever page is in view, and its page shows."""
    project, add, show = context.project, context.actions.add, context.show_page

    def ask(what: str, page: str = "") -> None:
        if page:
            show(page)
        sheet.ask_to_open(context, window, what)

    def open_example() -> None:
        show("project")
        context.opening.open_example()

    def close_project() -> None:
        project.set_run(None)
        project.set_opened(None, None)
        show("project")

    def why_not_closed() -> str:
        if context.run_controller.current is not None:
            return tr("A run is going.")
        return "" if project.opened_model is not None or project.dataset is not None else tr("Nothing is open.")

    add("file.model", tr("Open a &model…"), partial(ask, "model", "project"), "model", ("Ctrl+O", Std.Open))
    add("file.data", tr("Open a &data folder…"), partial(ask, "data", "project"), "data", "Ctrl+Shift+O")
    add("file.data_file", tr("Open a data &file…"), partial(ask, "data_file", "project"), "file")
    add("file.example", tr("Open the e&xample"), open_example, "unlearn",
        tip=tr("A small network and the images it was trained on"))  # fmt: skip
    add("file.run", tr("Open a r&un folder…"), partial(ask, "run"), "runs")
    add("file.batch", tr("Open a &batch file…"), partial(ask, "batch"), "runs",
        tip=tr("Queue the runs of a batch file (TOML)"))  # fmt: skip
    needs_data = tr("Open the data first: a forget list names its images.")
    add("file.list", tr("Import a forget &list…"), partial(ask, "list", "forget"), "forget",
        why_disabled=unless(lambda: project.dataset is not None, needs_data))  # fmt: skip
    add("file.close", tr("&Close project"), close_project, "close", ("Ctrl+W", Std.Close), why_not_closed)
    add("file.export", tr("&Export…"), partial(show, "export"), "export", "Ctrl+E",
        unless(lambda: project.run is not None, tr("There is no run to export.")))  # fmt: skip
    add("file.quit", tr("&Quit"), window.close, shortcut=("Ctrl+Q", Std.Quit), role=Role.QuitRole)


def _open_preferences(context: AppContext, window: QWidget) -> None:
    from app.dialogs.preferences import PreferencesDialog, device_titles

    dialog = PreferencesDialog(context.settings.values, window)
    dialog.changed.connect(lambda name, value: context.settings.change(**{name: value}))
    context.jobs.submit(device_titles).done.connect(dialog.set_devices)
    dialog.open()


def _register_help(context: AppContext, window: QWidget) -> None:
    from app.dialogs import help as helping
    from app.widgets.frame import open_log_folder

    add = context.actions.add
    add("help.guide", tr("&Guide"), partial(helping.open_guide, window), "help", ("F1", Std.HelpContents))
    add("help.glossary", tr("Gl&ossary"), lambda: helping.GlossaryDialog(parent=window).open())
    add("help.shortcuts", tr("&Keyboard shortcuts"),
        lambda: helping.ShortcutTable(context.actions, window).open(), "", "Ctrl+/")  # fmt: skip
    add("help.palette", tr("Find a &command…"), lambda: helping.CommandPalette(context, window).open(), "search",
        "Ctrl+Shift+P")  # fmt: skip
    add("help.log_folder", tr("Open log &folder"), open_log_folder, "open")
    add("help.about", tr("&About Unlearn Studio"), lambda: helping.AboutDialog(VERSION, window).open(), "info",
        role=Role.AboutRole)  # fmt: skip
