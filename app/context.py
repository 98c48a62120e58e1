"""What pages are handed: all services of the window, made in order of dependence."""

from __future__ import annotations

from dataclasses import dataclass, field

from PySide6.QtCore import QObject

from app.actions import Actions
from app.services.notifications import LogLines, Notifications
from app.services.opening import Opening
from app.services.project import PageStates, ProjectState
from app.services.run_library import RunLibrary
from app.services.run_status import RunStatus
from app.services.settings import Settings
from app.services.shell import Services, Shell
from app.services.theme import Theme, theme
from app.services.translation import use_language
from app.services.window_state import WindowState
from app.workers.jobs import Jobs
from app.workers.run_controller import RunController


@dataclass(kw_only=True)
class AppContext(Services):
    """Services handed to pages. No globals: whoever needs one gets this object."""

    actions: Actions
    log_lines: LogLines
    run_controller: RunController  # the run under way and those that wait
    run_library: RunLibrary  # the runs known, in short
    opening: Opening  # models, data, runs, lists, the example
    theme: Theme = field(default=theme)


def create_context(parent: QObject | None = None) -> AppContext:
    """Make all services; the files they read come from the user's folders."""
    settings = Settings(parent=parent)
    use_language(settings.values.language)  # before anything says a word
    services = Services(
        settings=settings, window_state=WindowState(parent=parent), notifications=Notifications(parent),
        jobs=Jobs(2, parent), device_jobs=Jobs(1, parent, name="a job on the device"), project=ProjectState(parent),
        page_states=PageStates(parent), shell=Shell(parent),
    )  # fmt: skip
    controller = RunController(services.runs_folder, parent, services.trust)
    context = AppContext(
        **vars(services), actions=Actions(parent), log_lines=LogLines(), run_controller=controller,
        run_library=RunLibrary(services, controller), opening=Opening(services, controller),
    )  # fmt: skip
    project = context.project
    for signal in (project.model_changed, project.dataset_changed, project.selection_changed,
                   project.run_changed, context.run_library.changed, controller.turned):  # fmt: skip
        signal.connect(context.actions.refresh)
    RunStatus(services, controller, context.run_library)
    return context
