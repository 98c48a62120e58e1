"""What pages are handed: the services of the window and the state of the session they share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtCore import QObject, Signal

from app.actions import Actions
from app.services import format as fmt
from app.services.doubts import open_doubts
from app.services.logs import LogModel
from app.services.notifications import Notifications
from app.services.page_states import PageStates
from app.services.paths import data_dir
from app.services.recent import RecentFiles
from app.services.settings import Settings
from app.services.theme import Theme, theme
from app.services.translation import use_language
from app.services.window_state import WindowState
from app.workers.jobs import Jobs
from app.workers.trust import TrustedFiles

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.services.batch_queue import BatchQueue
    from app.services.opening import Opening
    from app.services.run_library import RunLibrary
    from app.services.selection_history import History
    from app.widgets.frame import StatusLine
    from app.workers.live_run import LiveRun
    from app.workers.run_controller import RunController
    from core.data.dataset import Dataset
    from core.models.checkpoint import OpenedModel
    from core.runs.folder import RunFolder
    from core.selection import Selection
    from core.session.attempts import Trial
    from core.session.bench import Bench, DataOptions
    from core.session.proof import Proof


class ProjectState(QObject):
    """The session: opened model, data set, forget set with its history, evaluation, run in view, known runs.

    Setters swap whole, valid objects: a failed load never reaches this class.
    """

    model_changed = Signal()
    dataset_changed = Signal()
    selection_changed = Signal()
    evaluation_changed = Signal()
    run_changed = Signal()
    runs_changed = Signal()
    compared_changed = Signal()
    beside_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.opened_model: OpenedModel | None = None
        self.dataset: Dataset | None = None
        self.data_options: DataOptions | None = None  # how the data was opened besides its name
        self.trial: Trial | None = None  # how what nobody stated about model and images was found
        self._bench: Bench | None = None  # with both, made when it is asked for
        self.history: History | None = None
        self.evaluation: dict[str, Any] = {}  # what was measured of the opened model on the data, by name
        self.forgotten_before: NDArray[np.bool_] | None = None  # (n,): images the open model forgot in earlier runs
        self.run: LiveRun | None = None  # the run in view (live or from disk)
        self.runs: tuple[RunFolder, ...] = ()  # run folders known
        self.beside: RunFolder | None = None  # of a second run, drawn with the one in view
        self._beside_of: Path | None = None
        self.compared: tuple[RunFolder, ...] = ()  # run folders held side by side; empty: one run is looked at

    @property
    def selection(self) -> Selection | None:
        """The forget set as it stands; None without data."""
        return self.history.current if self.history is not None else None

    @property
    def ready(self) -> bool:
        """Whether model and data are both open."""
        return self.opened_model is not None and self.dataset is not None

    @property
    def proof(self) -> Proof | None:
        """What makes it certain that the model is used as it was trained, and what is doubtful; None before that."""
        return self.evaluation.get("proof")

    @property
    def bench(self) -> Bench | None:
        """Model, data and how the data was opened: what everything works on. None until both are open.

        It has the proof that the model is used as it was trained, where nothing is doubtful or the user took it as it
        is.
        """
        if self.opened_model is None or self.dataset is None:
            return None
        from core.session.bench import Bench, DataOptions  # loads torch, which both have loaded already

        kept = self._bench
        if kept is None or kept.opened_model is not self.opened_model or kept.opened_data is not self.dataset:
            options = self.data_options or DataOptions()
            kept = Bench(self.opened_model, self.dataset, options, trial=self.trial)
        proof = None if open_doubts(self.proof) else self.proof
        if kept.proof is not proof:
            kept = dataclasses.replace(kept, proof=proof)
        self._bench = kept
        return kept

    def set_opened(
        self,
        model: OpenedModel | None,
        dataset: Dataset | None,
        options: DataOptions | None = None,
        trial: Trial | None = None,
    ) -> None:
        """Swap model and data at once, so that nobody sees one with the other's predecessor; trial: of the two.

        What was measured goes where one of them changed; the forget set stays where the data is the same.
        """
        new_model, new_data = model is not self.opened_model, dataset is not self.dataset
        old_data = self.dataset
        self.opened_model, self.dataset, self.data_options, self.trial = model, dataset, options, trial
        if new_model or new_data:
            self.evaluation = {}
        kept = not new_data or _same_content(dataset, old_data)
        if not kept:
            self.history = _new_history(dataset)
        if new_model:
            self.model_changed.emit()
        if new_data:
            self.dataset_changed.emit()
        if new_model or new_data:
            self.evaluation_changed.emit()
        if not kept:
            self.selection_changed.emit()

    def set_model(self, model: OpenedModel | None) -> None:
        """Swap the model alone."""
        self.set_opened(model, self.dataset, self.data_options)

    def set_dataset(self, dataset: Dataset | None, options: DataOptions | None = None) -> None:
        """Swap the data alone."""
        self.set_opened(self.opened_model, dataset, options)

    def set_selection(self, selection: Selection) -> None:
        """Make `selection` the forget set; can be undone."""
        if self.history is None:
            return
        self.history.push(selection)
        self.selection_changed.emit()

    def undo_selection(self) -> None:
        """Take the last change of the forget set back."""
        if self.history is not None and self.history.can_undo:
            self.history.undo()
            self.selection_changed.emit()

    def redo_selection(self) -> None:
        """Make the change again."""
        if self.history is not None and self.history.can_redo:
            self.history.redo()
            self.selection_changed.emit()

    def set_evaluation(self, **results: Any) -> None:
        """Add measurements of the opened model."""
        self.evaluation = {**self.evaluation, **results}
        self.evaluation_changed.emit()

    def set_run(self, run: LiveRun | None) -> None:
        """Show another run."""
        self.set_compared(())
        if self.beside is not None and getattr(run, "path", None) != self._beside_of:
            self.set_beside(None)
        self.run = run
        self.run_changed.emit()

    def set_beside(self, folder: RunFolder | None, of: Path | None = None) -> None:
        """Draw a second run's curves with those of the run at `of`, as long as that one is in view; None: no second."""
        self.beside, self._beside_of = folder, of
        self.beside_changed.emit()

    def set_compared(self, folders: tuple[RunFolder, ...]) -> None:
        """Hold runs side by side, or go back to the one in view."""
        if folders != self.compared:
            self.compared = folders
            self.compared_changed.emit()

    def set_runs(self, runs: tuple[RunFolder, ...]) -> None:
        """Replace the list of known runs."""
        self.runs = runs
        self.runs_changed.emit()


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


def _same_content(one: Dataset | None, other: Dataset | None) -> bool:
    return one is not None and other is not None and one.fingerprint == other.fingerprint


def _new_history(dataset: Dataset | None) -> History | None:
    if dataset is None:
        return None
    from app.services.selection_history import History
    from core.selection import Selection

    return History(Selection.empty(dataset.train.labels.numpy(), dataset.classes))
