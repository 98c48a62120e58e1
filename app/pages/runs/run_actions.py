"""What is done with runs: their job started again, a later request begun from their result, moved to the trash."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QFile, QObject
from PySide6.QtWidgets import QWidget

from app.dialogs.sheet import Choice, ask
from app.services import format as fmt
from app.workers.opening_job import Request
from core.errors import AmbiguousEntryError, AppError, NoTestPartError, UnsafeFileError
from core.job import Job
from core.models.trust import Trust
from core.runs.folder import MODEL, RunFolder

if TYPE_CHECKING:
    from app.context import AppContext


# The Project page asks and opens again.
_QUESTIONS = (UnsafeFileError, AmbiguousEntryError, NoTestPartError)


class Reopening(QObject):
    """One run at a time; what is open stays where anything of the run cannot be opened."""

    def __init__(self, context: AppContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._goal: object = None  # marks the request that is waited for
        self._folder: RunFolder | None = None
        self._then: Callable[[], object] | None = None
        context.opening.opened.connect(self._opened)
        context.opening.failed.connect(self._failed)

    def open(self, folder: RunFolder, job: Job, then: Callable[[Job], object]) -> None:
        """Open what `job` needs where it is not open, choose its forget set, then call `then(job)`."""

        def chosen() -> None:
            then(job)

        self._folder = folder
        bench = self._context.project.bench
        self._open(job.model.path, job, f"The model and data of {folder.id}", lambda: self._choose(chosen),
                   key=job.model.key, is_open=bench is not None and bench.holds_model_of(job))  # fmt: skip

    def open_result(self, folder: RunFolder, job: Job, then: Callable[[], object]) -> None:
        """Open the model a run made with the run's data; nothing is chosen in it yet when `then` is called."""

        def opened() -> None:
            selection = self._context.project.selection
            if selection is not None and selection.count:
                self._context.project.set_selection(selection.cleared())
            then()

        model, project = str(folder.file(MODEL)), self._context.project
        is_open = project.opened_model is not None and str(project.opened_model.path) == model
        self._open(model, job, f"The result of {folder.id}", opened, is_open=is_open)

    def _open(
        self, model: str, job: Job, name: str, then: Callable[[], object], *, is_open: bool, key: str = ""
    ) -> None:
        """Open a model with a job's data, prepared as the job says; `is_open`: the model is open already."""
        self._then = then
        bench, data = self._context.project.bench, job.data
        if is_open and bench is not None and not bench.other_data_than(job):
            self._go_on()
            return
        changes = {
            "data_root": data.data_root, "test_fraction": data.test_fraction, "classes_file": data.classes_file,
            "preprocess_file": data.preprocess_file,
        }  # fmt: skip
        self._goal = object()
        self._context.opening.put(
            Request("both", name, model=model, data=data.spec, changes=changes,
                    arch=job.model.builder, key=key, prepared=job.model.preprocessing,
                    trust=Trust(code=self._context.trust.code(job)), wanted_by=self._goal)
        )  # fmt: skip

    def _go_on(self) -> None:
        then, self._then, self._goal = self._then, None, None
        if then is not None:
            then()

    def _opened(self, request: Request) -> None:
        if self._goal is not None and request.wanted_by is self._goal:
            self._go_on()

    def _failed(self, failure: Any) -> None:
        if self._goal is None or failure.request.wanted_by is not self._goal:
            return
        if isinstance(failure.error, _QUESTIONS):
            self._context.show_page("project")
            return
        self._goal = self._then = None
        self._context.notifications.error(failure.sentence)

    def _choose(self, then: Callable[[], object]) -> None:
        dataset = self._context.project.dataset
        assert dataset is not None and self._folder is not None
        self._then = then
        handle = self._context.jobs.submit(_selection, self._folder, dataset, key="reopen")
        handle.done.connect(self._chosen)
        handle.failed.connect(self._not_chosen)

    def _chosen(self, selection: Any) -> None:
        self._context.project.set_selection(selection)
        self._go_on()

    def _not_chosen(self, error: BaseException) -> None:
        self._then = None
        self._context.notifications.error(error, "The forget set could not be read")


def _selection(folder: RunFolder, dataset: Any) -> Any:
    from core.session.forget_sets import run_selection

    return run_selection(folder, dataset)


log = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What became of the runs that were to be deleted."""

    gone: list[RunFolder] = field(default_factory=list)
    busy: list[RunFolder] = field(default_factory=list)  # somebody works on them
    refused: list[RunFolder] = field(default_factory=list)  # the trash does not take them
    failed: list[tuple[RunFolder, Exception]] = field(default_factory=list)


def ask_delete(
    context: AppContext, folders: Sequence[RunFolder], parent: QWidget, then: Callable[[], object] | None = None
) -> None:
    """Ask, then move to the trash; `then` is called where something was deleted."""
    if not folders:
        return

    def answered(answer: str) -> None:
        if answer == "delete":
            delete(context, folders, parent, then)

    if not context.settings.values.confirm_trash:  # from where they can be taken back
        answered("delete")
        return
    ask(
        parent, f"Move {_named(folders)} to the trash?",
        [Choice("keep", "Keep"), Choice("delete", "Move to trash", destructive=True)],
        answered, "Its model, report and checkpoints go with it. The original model is not touched.",
    )  # fmt: skip


def delete(
    context: AppContext,
    folders: Sequence[RunFolder],
    parent: QWidget,
    then: Callable[[], object] | None = None,
    to_trash: Callable[[Path], bool] | None = None,
) -> None:
    """Move runs to the trash; for those the system's trash does not take, ask whether to delete them for good."""
    Deletion(context, parent, then).start(folders, to_trash or _to_trash)


class Deletion(QObject):
    """One order to delete runs. While it is carried out the runs say so in the list, and the status line how far it is:
    a folder of checkpoints on a network takes its time.
    """  # noqa: D205

    def __init__(self, context: AppContext, window: QWidget, then: Callable[[], object] | None) -> None:
        super().__init__(window)
        self._context, self._window, self._then = context, window, then
        self._folders: Sequence[RunFolder] = ()
        self._words = ""
        self._key = f"delete {id(self)}"

    def start(self, folders: Sequence[RunFolder], to_trash: Callable[[Path], bool]) -> None:
        """Move runs to the trash."""
        self._begin(folders, f"Moving {_named(folders)} to the trash")
        handle = self._context.jobs.submit(move_to_trash, folders, to_trash)
        handle.done.connect(self._moved)
        self._follow(handle)

    def _begin(self, folders: Sequence[RunFolder], words: str) -> None:
        self._folders, self._words = folders, words
        self._context.run_library.set_deleting([folder.path for folder in folders])
        self._progressed("", 0, 0)

    def _follow(self, handle: Any) -> None:
        handle.failed.connect(self._context.notifications.error)
        handle.progress.connect(self._progressed)
        handle.finished.connect(self._ended)

    def _progressed(self, _what: str, done: int, total: int) -> None:
        self._context.shell.set_activity(self._key, self._words, done, total if total > 1 else 0)

    def _ended(self) -> None:
        self._context.shell.end_activity(self._key)
        self._context.run_library.set_deleting([folder.path for folder in self._folders], on=False)

    def _moved(self, outcome: Outcome) -> None:
        notifications = self._context.notifications
        if outcome.busy:
            notifications.caution(f"{outcome.busy[0].id} is in use.", "Stop the run first.")
        if outcome.gone:
            notifications.info(f"{fmt.plural(len(outcome.gone), 'run')} moved to the trash.")
            self._gone(outcome.gone)
        if not outcome.refused:
            return
        refused = outcome.refused
        names = refused[0].id if len(refused) == 1 else fmt.plural(len(refused), "run")

        def answered(answer: str) -> None:
            if answer == "delete":
                self._delete_for_good(refused)

        ask(
            self._window, f"The trash does not take {names}. Delete for good?",
            [Choice("keep", "Keep"), Choice("delete", "Delete for good", destructive=True)],
            answered, str(refused[0].path),
        )  # fmt: skip

    def _delete_for_good(self, folders: Sequence[RunFolder]) -> None:
        self._begin(folders, f"Deleting {_named(folders)}")
        handle = self._context.jobs.submit(delete_for_good, folders)
        handle.done.connect(self._deleted)
        self._follow(handle)

    def _deleted(self, outcome: Outcome) -> None:
        for folder, error in outcome.failed:
            self._context.notifications.error(error, f"{folder.id} was not deleted")
        if outcome.gone:
            self._context.notifications.info(f"{fmt.plural(len(outcome.gone), 'run')} deleted.")
        self._gone(outcome.gone)

    def _gone(self, folders: Sequence[RunFolder]) -> None:
        if not folders:
            return
        paths = {folder.path for folder in folders}
        shown = self._context.project.run
        if shown is not None and shown.path in paths:
            self._context.project.set_run(None)
        self._context.run_library.drop(paths)
        if self._then is not None:
            self._then()


def move_to_trash(
    folders: Sequence[RunFolder], to_trash: Callable[[Path], bool], progress: Any, cancelled: Any
) -> Outcome:
    """Move runs to the trash one after the other; runs in a worker."""
    outcome = Outcome()
    for number, folder in enumerate(folders):
        if cancelled():
            break
        progress(folder.id, number, len(folders))
        if folder.locked:
            outcome.busy.append(folder)
        else:
            (outcome.gone if to_trash(folder.path) else outcome.refused).append(folder)
    return outcome


def delete_for_good(folders: Sequence[RunFolder], progress: Any, cancelled: Any) -> Outcome:
    """Delete runs one after the other; runs in a worker."""
    outcome = Outcome()
    for number, folder in enumerate(folders):
        if cancelled():
            break
        progress(folder.id, number, len(folders))
        try:
            folder.delete()
            outcome.gone.append(folder)
        except (AppError, OSError) as error:
            outcome.failed.append((folder, error))
    return outcome


def _named(folders: Sequence[RunFolder]) -> str:
    return f"the run {folders[0].id}" if len(folders) == 1 else fmt.plural(len(folders), "run")


def _to_trash(path: Path) -> bool:
    try:
        return bool(QFile(str(path)).moveToTrash())
    except OSError:
        log.info("%s was not taken by the trash", path, exc_info=True)
        return False
