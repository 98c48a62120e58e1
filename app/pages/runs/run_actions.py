"""What is done with runs: their job started again, a later request begun from their result, moved to the trash."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QFile, QObject
from PySide6.QtWidgets import QWidget

from app.dialogs.sheet import Choice, ask
from app.services.translation import tr
from app.workers.opening_job import DATA_ANSWERS, Request
from core.errors import AppError
from core.job import Job
from core.runs.folder import MODEL, RunFolder

if TYPE_CHECKING:
    from app.context import AppContext

log = logging.getLogger(__name__)

Then = Callable[[], object]


class Reopening(QObject):
    """One run at a time; what is open stays where anything of the run cannot be opened."""

    def __init__(self, context: AppContext, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._then: Then | None = None  # of what was asked for last
        context.opening.failed.connect(self._failed)

    def open(self, folder: RunFolder, job: Job, then: Then) -> None:
        """Open what `job` needs where it is not open, choose its forget set, then call `then`."""
        bench = self._context.project.bench
        name = tr("The model and data of {run}", run=folder.id)
        self._open(job.model.path, job, name, partial(self._choose, folder, then),
                   bench is not None and bench.holds_model_of(job), job.model.key)  # fmt: skip

    def open_result(self, folder: RunFolder, job: Job, then: Then) -> None:
        """Open the model a run made with the run's data; nothing is chosen in it yet when `then` is called."""

        def opened() -> None:
            if (selection := self._context.project.selection) is not None and selection.count:
                self._context.project.set_selection(selection.cleared())
            then()

        model, now = folder.file(MODEL), self._context.project.opened_model
        is_open = now is not None and now.path == model
        self._open(str(model), job, tr("The result of {run}", run=folder.id), opened, is_open)

    def _open(self, model: str, job: Job, name: str, then: Then, is_open: bool, key: str = "") -> None:
        """Open a model with a job's data, prepared as the job says; `is_open`: the model is open already."""
        bench, data = self._context.project.bench, job.data
        if is_open and bench is not None and not bench.other_data_than(job):
            then()
            return
        changes = {name: getattr(data, name) for name in ("data_root", *DATA_ANSWERS)}
        self._then = then
        self._context.opening.put(
            Request("both", name, model=model, data=data.spec, changes=changes,
                    arch=job.model.builder, key=key, prepared=job.model.preprocessing,
                    trust=replace(self._context.trust.of(job), pickle=False), then=then)
        )  # fmt: skip

    def _failed(self, failure: Any) -> None:
        if self._then is not None and failure.request.then is self._then:
            self._context.show_page("project")  # which says it, or asks and opens again

    def _choose(self, folder: RunFolder, then: Then) -> None:
        dataset, notifications = self._context.project.dataset, self._context.notifications
        self._context.jobs.submit(_selection, folder, dataset, key="reopen").then(
            partial(self._chosen, then),
            lambda error: notifications.error(error, tr("The forget set could not be read")),
        )

    def _chosen(self, then: Then, selection: Any) -> None:
        self._context.project.set_selection(selection)
        then()


def _selection(folder: RunFolder, dataset: Any) -> Any:
    from core.session.forget_sets import run_selection

    return run_selection(folder, dataset)


@dataclass
class Outcome:
    """What became of the runs that were to be deleted."""

    gone: list[RunFolder] = field(default_factory=list)
    busy: list[RunFolder] = field(default_factory=list)  # somebody works on them
    refused: list[RunFolder] = field(default_factory=list)  # the trash does not take them
    failed: list[tuple[RunFolder, Exception]] = field(default_factory=list)


def ask_delete(context: AppContext, folders: Sequence[RunFolder], parent: QWidget, then: Then | None = None) -> None:
    """Ask, then move to the trash; `then` is called where something was deleted."""
    go_on = partial(delete, context, folders, parent, then)
    if not context.settings.values.confirm_trash:  # from where they can be taken back
        go_on()
        return
    ask(
        parent, tr("Move {runs} to the trash?", runs=_named(folders)),
        [Choice("keep", tr("Keep")), Choice("delete", tr("Move to trash"), True, go_on)],
        tr("Its model, report and checkpoints go with it. The original model is not touched."),
    )  # fmt: skip


def delete(
    context: AppContext,
    folders: Sequence[RunFolder],
    parent: QWidget,
    then: Then | None = None,
    to_trash: Callable[[Path], bool] | None = None,
    for_good: bool = False,
) -> None:
    """Move runs to the trash; for those the system's trash does not take, ask whether to delete them for good.

    Meanwhile the runs say so in the list, and the status line how far it is: a folder of checkpoints on a network takes
    its time.
    """
    runs, paths = _named(folders), [folder.path for folder in folders]
    words = tr("Deleting {runs}", runs=runs) if for_good else tr("Moving {runs} to the trash", runs=runs)
    context.run_library.set_deleting(paths)
    handle = context.jobs.submit(remove, folders, None if for_good else to_trash or _to_trash, words)
    context.shell.follow(handle, f"delete {id(handle)}", words)
    handle.then(
        partial(_removed, context, parent, then, for_good),
        context.notifications.error,
        finished=partial(context.run_library.set_deleting, paths, on=False),
    )


def _removed(context: AppContext, window: QWidget, then: Then | None, for_good: bool, outcome: Outcome) -> None:
    notifications, project = context.notifications, context.project
    for folder, error in outcome.failed:
        notifications.error(error, tr("{run} was not deleted", run=folder.id))
    if outcome.busy:
        notifications.caution(tr("{run} is in use.", run=outcome.busy[0].id), tr("Stop the run first."))
    if gone := {folder.path for folder in outcome.gone}:
        number = len(gone)
        notifications.info(
            tr("%n runs deleted.", n=number) if for_good else tr("%n runs moved to the trash.", n=number)
        )
        if project.run is not None and project.run.path in gone:
            project.set_run(None)
        context.run_library.drop(gone)
        if then is not None:
            then()
    if refused := outcome.refused:
        go_on = partial(delete, context, refused, window, then, for_good=True)
        question = tr("The trash does not take {runs}. Delete for good?", runs=_named(refused))
        choices = [Choice("keep", tr("Keep")), Choice("delete", tr("Delete for good"), True, go_on)]
        ask(window, question, choices, str(refused[0].path))


def remove(
    folders: Sequence[RunFolder], to_trash: Callable[[Path], bool] | None, words: str, progress: Any, cancelled: Any
) -> Outcome:
    """Move runs to the trash one after the other, without one delete them for good; runs in a worker.

    `words` say what goes on.
    """
    outcome = Outcome()
    for number, folder in enumerate(folders):
        if cancelled():
            break
        progress(words, number, len(folders) if len(folders) > 1 else 0)
        try:
            if to_trash is None:
                folder.delete()
                outcome.gone.append(folder)
            elif folder.locked:
                outcome.busy.append(folder)
            else:
                (outcome.gone if to_trash(folder.path) else outcome.refused).append(folder)
        except (AppError, OSError) as error:
            outcome.failed.append((folder, error))
    return outcome


def _named(folders: Sequence[RunFolder]) -> str:
    return tr("the run {name}", name=folders[0].id) if len(folders) == 1 else tr("%n runs", n=len(folders))


def _to_trash(path: Path) -> bool:
    try:
        return bool(QFile(str(path)).moveToTrash())
    except OSError:
        log.info("%s was not taken by the trash", path, exc_info=True)
        return False
