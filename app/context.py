"""What pages are handed: the services of the window and the state of the session they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject

from app.actions import Actions
from app.services import format as fmt
from app.services.notifications import LogModel, Notifications
from app.services.paths import data_dir
from app.services.project import PageStates, ProjectState, open_doubts
from app.services.recent import RecentFiles
from app.services.settings import Settings
from app.services.theme import Theme, theme
from app.services.translation import use_language
from app.services.trust import TrustedFiles
from app.services.window_state import WindowState
from app.workers.jobs import Jobs

if TYPE_CHECKING:

    from app.dialogs.batch import BatchQueue
    from app.services.opening import Opening
    from app.services.run_library import RunLibrary
    from app.widgets.frame import StatusLine
    from app.workers.run_controller import RunController


class CloseGuard(Protocol):
    """Decides whether the window may close; provided by whoever controls runs."""

    def may_close(self) -> bool:
        """True where nothing is lost; False after taking over (asking, stopping, closing again later)."""

    def stop_and_save(self) -> bool:
        """End without asking, at the end of the session: stop and keep. True where nothing is going on."""


def _ignore(*_: object) -> None:
    """Stand in for what the main window provides, while there is none."""


@dataclass
class AppContext:
    """Services handed to pages. No globals: whoever needs one gets this object."""

    settings: Settings
    window_state: WindowState
    recent: RecentFiles  # which of the files opened lately are still there
    notifications: Notifications
    actions: Actions
    jobs: Jobs  # short jobs, two workers
    device_jobs: Jobs  # anything that needs a model on the device, one worker
    project: ProjectState
    page_states: PageStates
    log_model: LogModel
    theme: Theme = field(default=theme)
    trust: TrustedFiles = field(default_factory=TrustedFiles)  # what may run program code, in this session
    status: StatusLine | None = None  # set by the main window
    # These are set by the wiring, before there is a page.
    run_controller: RunController = None  # type: ignore[assignment]  # set by the run page's wiring
    run_library: RunLibrary = None  # type: ignore[assignment]  # the runs known, in short
    close_guard: CloseGuard | None = None
    opening: Opening = None  # type: ignore[assignment]  # models, data, example
    example_folder: Path | None = None  # where the command line wants the example's run
    batches: BatchQueue | None = None  # batch files; set where there is a window
    open_paths: Callable[[list[Path]], object] | None = None  # opens dropped or named files
    judge_paths: Callable[[list[Path]], str | None] | None = None  # what a drop would do; None: does not fit
    show_page: Callable[[str], object] = _ignore  # set by the main window
    set_device: Callable[..., object] = _ignore  # set by the main window: (text, tip="", caution=False)

    def runs_folder(self) -> Path:
        """Where new runs go."""
        chosen = self.settings.values.runs_folder
        return Path(chosen).expanduser() if chosen else data_dir() / "runs"


def create_context(parent: QObject | None = None) -> AppContext:
    """Make all services; the files they read come from the user's folders."""
    settings = Settings(parent=parent)
    use_language(settings.values.language)  # before anything says a word
    window_state = WindowState(parent=parent)
    context = AppContext(
        settings=settings,
        window_state=window_state,
        recent=RecentFiles(window_state, parent),
        notifications=Notifications(parent),
        actions=Actions(parent),
        jobs=Jobs(2, parent),
        device_jobs=Jobs(1, parent),
        project=ProjectState(parent),
        page_states=PageStates(parent),
        log_model=LogModel(parent=parent),
    )
    project = context.project
    for signal in (project.model_changed, project.dataset_changed, project.selection_changed,
                   project.run_changed, project.runs_changed):  # fmt: skip
        signal.connect(context.actions.refresh)
    _Captions(context)
    return context


class _Captions(QObject):
    """Keeps the rail's words on model, data, forget set and runs."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context.project)
        self._project, self._pages = context.project, context.page_states
        self._project.model_changed.connect(self._opened)
        self._project.dataset_changed.connect(self._opened)
        self._project.evaluation_changed.connect(self._opened)
        self._project.selection_changed.connect(self._selected)
        self._project.runs_changed.connect(self._runs)
        self._opened()
        self._selected()
        self._runs()

    def _opened(self) -> None:
        model, data = self._project.opened_model, self._project.dataset
        parts = [model.spec.architecture] if model else []
        parts += [fmt.plural(data.num_classes, "class", "classes")] if data else []
        if open_doubts(self._project.proof):
            self._pages.set("project", "problem", "Has a question")
        else:
            self._pages.set("project", "ready" if self._project.ready else "empty", " · ".join(parts) or "Nothing open")

    def _selected(self) -> None:
        selection = self._project.selection
        if selection is None or not selection.count:
            self._pages.set("forget", "empty", "Nothing chosen")
        else:
            self._pages.set("forget", "ready", fmt.images(selection.count))

    def _runs(self) -> None:
        number = len(self._project.runs)
        self._pages.set("runs", "", fmt.plural(number, "run") if number else "None yet")
